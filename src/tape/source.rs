//! Where choices come from: a seed, a stored case, or an odometer over all of them. One face for the three.

use std::borrow::Cow;

use super::decisions::{Actor, Decisions, DrawKey};
use super::generator::{Ratio, Stream, bounded, mix, name_hash, stream_seed, weighted};

/// The source of every choice of one run.
#[derive(Debug)]
pub struct Tape {
    seed: u64,
    draws_base: u64,
    source: Source,
    recording: Option<Decisions>,
    scope: Option<Scope>,
}

/// A name under which draws are made that would otherwise have the names of others: what becomes of one write in
/// two crashes that exclude each other. The name is part of the stored decision, as in
/// `c2/op7/io1 kept-sectors@c0/op3/io2+0 5`.
#[derive(Clone, Debug)]
pub struct Scope {
    name: String,
    word: u64,
}

impl Scope {
    /// The scope of this name, one word without `#` and `@`.
    #[must_use]
    pub fn new(name: String) -> Self {
        let word = mix(name_hash(&name));
        Self { name, word }
    }
}

#[derive(Debug)]
enum Source {
    Seeded {
        policy: Stream,
    },
    /// `then` chooses past the end of the schedule; without it the calm choice holds.
    Recorded {
        decisions: Decisions,
        segment: usize,
        taken: u32,
        then: Option<Stream>,
    },
    Exhaustive {
        odometer: Odometer,
    },
}

/// Who chooses the next actor.
#[derive(Debug)]
pub enum Chooser<'a> {
    /// A policy, with draws from the seed.
    Policy(&'a mut Stream),
    /// The stored schedule: try this actor; `None` past its end, where the calm choice holds.
    Recorded(Option<Actor>),
    /// The odometer: an index into the enabled actors, the calmest first.
    Exhaustive(&'a mut Odometer),
}

impl Tape {
    /// All choices from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::with(seed, Source::Seeded { policy: Stream::new(seed, "policy", 0) })
    }

    /// The stored decisions of a run whose seed was `seed`; whatever they do not hold is calm.
    #[must_use]
    pub fn recorded(seed: u64, decisions: Decisions) -> Self {
        Self::with(seed, Source::Recorded { decisions, segment: 0, taken: 0, then: None })
    }

    /// The stored decisions, and past the end of their schedule a policy with draws of its own, one set for each
    /// `continuation`. Draws about the world stay those that are stored.
    #[must_use]
    pub fn resumed(seed: u64, decisions: Decisions, continuation: u64) -> Self {
        let then = Some(Stream::new(seed, "continuation", continuation));
        Self::with(seed, Source::Recorded { decisions, segment: 0, taken: 0, then })
    }

    /// Every choice from the odometer, whose position is one run out of all that are possible.
    #[must_use]
    pub fn exhaustive(seed: u64, odometer: Odometer) -> Self {
        Self::with(seed, Source::Exhaustive { odometer })
    }

    fn with(seed: u64, source: Source) -> Self {
        Self { seed, draws_base: stream_seed(seed, "world", 0), source, recording: None, scope: None }
    }

    /// Keeps all decisions from now on; searching keeps only the hash.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recording = Some(Decisions::default());
        self
    }

    /// The run's seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the run is worth a timeline: it is recorded, or replays a record.
    #[must_use]
    pub const fn keeps_timeline(&self) -> bool {
        self.recording.is_some() || matches!(self.source, Source::Recorded { then: None, .. })
    }

    /// Whether choices come from a seed; distances to rare events are drawn ahead only then.
    #[must_use]
    pub const fn is_seeded(&self) -> bool {
        matches!(self.source, Source::Seeded { .. })
    }

    /// What was recorded, if this tape records.
    pub fn take_recording(&mut self) -> Option<Decisions> {
        self.recording.take()
    }

    /// The odometer after the run, to be advanced to the next.
    #[must_use]
    pub fn into_odometer(self) -> Option<Odometer> {
        match self.source {
            Source::Exhaustive { odometer } => Some(odometer),
            _ => None,
        }
    }

    /// Who is to choose the next actor.
    #[inline]
    pub fn chooser(&mut self) -> Chooser<'_> {
        match &mut self.source {
            Source::Seeded { policy } => Chooser::Policy(policy),
            Source::Recorded { decisions, segment, then, .. } => match (decisions.schedule.get(*segment), then) {
                (None, Some(policy)) => Chooser::Policy(policy),
                (stored, _) => Chooser::Recorded(stored.map(|segment| segment.actor)),
            },
            Source::Exhaustive { odometer } => Chooser::Exhaustive(odometer),
        }
    }

    /// The stored segment does not fit the run (its actor cannot run): go on to the next.
    pub fn skip_segment(&mut self) {
        if let Source::Recorded { segment, taken, .. } = &mut self.source {
            *segment += 1;
            *taken = 0;
        }
    }

    /// `actor` has been given a turn.
    #[inline]
    pub fn took_turn(&mut self, actor: Actor) {
        if let Source::Recorded { decisions, segment, taken, .. } = &mut self.source
            && let Some(current) = decisions.schedule.get(*segment)
            && current.actor == actor
        {
            *taken += 1;
            if *taken >= current.turns {
                *segment += 1;
                *taken = 0;
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.push_turn(actor);
        }
    }

    /// A draw about the world, in `0..bound`, uniform; 0 is calm. `n` tells draws of one kind for one actor apart.
    pub fn draw(&mut self, actor: Actor, kind: &'static str, n: u32, bound: u64) -> u64 {
        self.decide(actor, kind, n, bound, |bits| bounded(bound, bits))
    }

    /// Whether something that is not calm happens, with probability `ratio`. A ratio of 0 draws nothing.
    #[inline]
    pub fn chance(&mut self, actor: Actor, kind: &'static str, n: u32, ratio: Ratio) -> bool {
        !ratio.is_zero()
            && self.decide(actor, kind, n, 2, |bits| {
                u64::from(bounded(u64::from(ratio.denominator), bits) < u64::from(ratio.numerator))
            }) == 1
    }

    /// An index in proportion to `weights`; index 0 is the calm one.
    pub fn weighted(&mut self, actor: Actor, kind: &'static str, n: u32, weights: &[u32]) -> usize {
        self.decide(actor, kind, n, weights.len() as u64, |mut bits| {
            weighted(weights, |bound| bounded(bound, &mut bits)) as u64
        }) as usize
    }

    /// Makes draws under a name of their own; draws outside of it are not shifted.
    pub fn scoped<T>(&mut self, scope: &Scope, draws: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope.replace(scope.clone());
        let drawn = draws(self);
        self.scope = outer;
        drawn
    }

    /// 64 random bits for the engine's own use. A function of the seed and the place; not a decision.
    #[must_use]
    pub fn engine_bits(&self, connection: u16, op: u32, n: u32) -> u64 {
        let place = Actor::Io { connection, op, nth: n }.word();
        mix(stream_seed(self.seed, "engine", place))
    }

    fn decide(
        &mut self,
        actor: Actor,
        kind: &'static str,
        n: u32,
        bound: u64,
        seeded: impl FnOnce(&mut dyn FnMut() -> u64) -> u64,
    ) -> u64 {
        let scope = self.scope.as_ref();
        let kind_in = |scope: &Scope| Cow::Owned(format!("{kind}@{}", scope.name));
        let key = || DrawKey { actor, kind: scope.map_or(Cow::Borrowed(kind), kind_in), n };
        let value = match &mut self.source {
            Source::Seeded { .. } => {
                let base = self.draws_base ^ mix(actor.word() ^ mix(name_hash(kind) ^ u64::from(n)));
                let base = base ^ scope.map_or(0, |scope| scope.word);
                let mut count = 0u64;
                seeded(&mut || {
                    count += 1;
                    mix(base ^ mix(count))
                })
            }
            // A stored value beyond the bound belongs to another engine or plan; calm is the safe reading.
            Source::Recorded { decisions, .. } => {
                decisions.draws.get(&key()).copied().filter(|&value| value < bound).unwrap_or(0)
            }
            Source::Exhaustive { odometer } => odometer.choose(bound),
        };
        if value != 0
            && let Some(recording) = &mut self.recording
        {
            recording.draws.insert(key(), value);
        }
        value
    }
}

/// Counts through every combination of choices, the last one fastest: a proof instead of a sample.
///
/// ```
/// use squall::tape::Odometer;
/// let mut odometer = Odometer::new(None);
/// let mut seen = vec![];
/// loop {
///     let first = odometer.choose(2);
///     seen.push((first, if first == 0 { odometer.choose(3) } else { 9 }));
///     if !odometer.advance() {
///         break;
///     }
/// }
/// assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Odometer {
    digits: Vec<(u64, u64)>,
    at: usize,
    preemptions_max: Option<u32>,
    preemptions: u32,
}

impl Odometer {
    /// At the calmest run. `preemptions_max` bounds how often a run may leave an actor that could go on.
    #[must_use]
    pub const fn new(preemptions_max: Option<u32>) -> Self {
        Self { digits: Vec::new(), at: 0, preemptions_max, preemptions: 0 }
    }

    /// The choice in `0..bound` at this place of this run.
    pub fn choose(&mut self, bound: u64) -> u64 {
        if self.at == self.digits.len() {
            self.digits.push((0, bound));
        }
        let value = self.digits[self.at].0.min(bound.saturating_sub(1));
        self.at += 1;
        value
    }

    /// A choice among actors, of which index 0 is the current one if `can_stay`.
    pub fn choose_actor(&mut self, bound: u64, can_stay: bool) -> u64 {
        if !can_stay {
            return self.choose(bound);
        }
        let spent = self.preemptions_max.is_some_and(|max| self.preemptions >= max);
        let index = self.choose(if spent { 1 } else { bound });
        self.preemptions += u32::from(index != 0);
        index
    }

    /// Moves on to the next combination; false when all have been seen.
    pub fn advance(&mut self) -> bool {
        self.digits.truncate(self.at);
        self.at = 0;
        self.preemptions = 0;
        while let Some((digit, bound)) = self.digits.pop() {
            if digit + 1 < bound {
                self.digits.push((digit + 1, bound));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IO: Actor = Actor::Io { connection: 0, op: 0, nth: 0 };

    #[test]
    fn a_recorded_tape_repeats_what_the_seed_drew_and_is_calm_elsewhere() {
        let half = Ratio::new(1, 2);
        let drawn = |tape: &mut Tape| -> Vec<bool> { (0..20).map(|n| tape.chance(IO, "write-eio", n, half)).collect() };
        let mut seeded = Tape::seeded(5).recording();
        let first = drawn(&mut seeded);
        assert!(first.contains(&true) && first.contains(&false));
        let decisions = seeded.take_recording().unwrap();
        assert_eq!(decisions.draws.len(), first.iter().filter(|&&hit| hit).count());
        assert_eq!(drawn(&mut Tape::recorded(5, decisions)), first);
        assert_eq!(drawn(&mut Tape::recorded(5, Decisions::default())), [false; 20]);
    }

    #[test]
    fn one_draw_more_shifts_no_other() {
        let mut alone = Tape::seeded(9);
        let mut among = Tape::seeded(9);
        among.draw(Actor::Timer, "jump", 0, 1000);
        assert_eq!(alone.draw(IO, "latency", 0, 1000), among.draw(IO, "latency", 0, 1000));
    }

    #[test]
    fn a_scope_has_draws_of_its_own_which_are_stored_under_its_name() {
        let mut tape = Tape::seeded(9).recording();
        let scopes = ["c0/op1/io0+0", "c0/op1/io0+1"].map(|name| Scope::new(name.into()));
        let outside = tape.draw(IO, "kept", 0, 1 << 40);
        let inside = scopes.each_ref().map(|scope| tape.scoped(scope, |tape| tape.draw(IO, "kept", 0, 1 << 40)));
        assert!(outside != inside[0] && inside[0] != inside[1]);
        assert_eq!(tape.draw(IO, "kept", 0, 1 << 40), outside);
        let decisions = tape.take_recording().unwrap();
        assert!(decisions.draws_text().contains(&format!("c0/op0/io0 kept@c0/op1/io0+1 {}\n", inside[1])));
        let decisions = Decisions::parse("", &decisions.draws_text()).unwrap();
        let mut again = Tape::recorded(9, decisions);
        assert_eq!(again.draw(IO, "kept", 0, 1 << 40), outside);
        assert_eq!(again.scoped(&scopes[1], |tape| tape.draw(IO, "kept", 0, 1 << 40)), inside[1]);
    }

    #[test]
    fn a_ratio_has_its_frequency() {
        // 10,000 draws at 1/10: the standard deviation is 30, so 6 of them on either side.
        let mut tape = Tape::seeded(3);
        let hits = (0..10_000)
            .filter(|&op| tape.chance(Actor::Io { connection: 1, op, nth: 0 }, "x", 0, Ratio::new(1, 10)))
            .count();
        assert!((820..1180).contains(&hits), "{hits}");
    }

    #[test]
    fn a_stored_schedule_is_followed_to_its_end() {
        let decisions = Decisions::parse("c0*2 c1", "").unwrap();
        let mut tape = Tape::recorded(0, decisions);
        let mut seen = vec![];
        while let Chooser::Recorded(Some(actor)) = tape.chooser() {
            seen.push(actor);
            tape.took_turn(actor);
        }
        assert_eq!(seen, [Actor::Connection(0), Actor::Connection(0), Actor::Connection(1)]);
    }

    #[test]
    fn past_its_end_a_resumed_schedule_is_drawn_and_each_continuation_is_another() {
        let drawn = |continuation| {
            let mut tape = Tape::resumed(7, Decisions::parse("c0*2", "").unwrap(), continuation);
            let mut stored = 0;
            while let Chooser::Recorded(Some(actor)) = tape.chooser() {
                tape.took_turn(actor);
                stored += 1;
            }
            assert_eq!(stored, 2);
            let Chooser::Policy(draws) = tape.chooser() else { panic!("nothing is stored any more") };
            (0..8).map(|_| draws.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn the_odometer_bounds_preemptions() {
        let runs = |preemptions_max| {
            let mut odometer = Odometer::new(preemptions_max);
            let mut runs = 1;
            loop {
                (0..4).for_each(|_| {
                    odometer.choose_actor(2, true);
                });
                if !odometer.advance() {
                    return runs;
                }
                runs += 1;
            }
        };
        // Four places, at each of which one may stay or leave: 2^4, or 1 + 4 with at most one leave.
        assert_eq!(runs(None), 16);
        assert_eq!(runs(Some(1)), 5);
    }
}
