//! One face for the three who can choose: a policy, a stored schedule, an odometer.

use super::{Actors, Estimates, Policy, PolicyConfig, Slot};
use crate::tape::{Actor, Chooser, Odometer, Stream, Tape};

/// What is to happen in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This actor runs.
    Actor(Slot),
    /// The clock moves on to the next deadline.
    Timer,
    /// A crash strikes.
    Crash,
}

/// What else could happen in a turn beside an actor's step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Special {
    /// A timer or a slow operation is pending.
    pub timer: bool,
    /// A crash is allowed here.
    pub crash: bool,
    /// The distance to the next crash is used up; asks only for a seeded tape.
    pub crash_due: bool,
}

/// The first stored decision that did not fit the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The turn.
    pub turn: u64,
    /// The actor that should have run and could not.
    pub actor: Actor,
}

/// Who chooses, in which part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The policy, the record or the odometer: this is what a run is about.
    Free,
    /// As `Free`, but an odometer does not count through it: opening, set-up, reading back.
    Calm,
    /// Nobody: each who can run has a turn, in a fixed order, whatever the tape says. For the end of a run.
    Fair,
}

/// How rarely the clock jumps to the next deadline while others could run: once in so many turns.
const TIMER_ODDS: u64 = 32;
/// How often the bound on waiting is checked, in turns.
const FAIRNESS_PERIOD: u64 = 256;

/// Chooses what happens next.
pub struct Scheduler {
    policy: Box<dyn Policy>,
    fairness_turns: u64,
    misfit: Option<Misfit>,
    /// The last turn that was no vain retry; kept for an odometer only.
    progress_turn: u64,
    mode: Mode,
    /// Who had the last turn that nobody chose.
    last_in_order: Option<Slot>,
}

impl Scheduler {
    /// `fairness_turns` bounds how long an enabled actor can be passed over; `u64::MAX` for no bound.
    #[must_use]
    pub fn new(policy: &PolicyConfig, fairness_turns: u64, tape: &mut Tape) -> Self {
        let mut policy = policy.build();
        if let Chooser::Policy(draws) = tape.chooser() {
            policy.begin(draws);
        }
        Self { policy, fairness_turns, misfit: None, progress_turn: 0, mode: Mode::Free, last_in_order: None }
    }

    /// Another part of the run begins. There is no way back from [`Mode::Fair`].
    pub fn enter(&mut self, mode: Mode) {
        if self.mode != Mode::Fair {
            self.mode = mode;
        }
    }

    /// Chooses; `None` when nobody can do anything.
    #[inline]
    pub fn next(&mut self, turn: u64, actors: &Actors, special: Special, tape: &mut Tape) -> Option<Pick> {
        let pick = match tape.chooser() {
            _ if self.mode == Mode::Fair => self.in_order(actors, special),
            Chooser::Policy(draws) => self.by_policy(turn, actors, special, draws),
            Chooser::Recorded(_) => self.by_record(turn, actors, special, tape),
            Chooser::Exhaustive(_) if self.mode == Mode::Calm => self.in_order(actors, special),
            Chooser::Exhaustive(odometer) => {
                let order = worth_trying(turn, actors, &mut self.progress_turn);
                by_odometer(&order, actors, special, odometer)
            }
        }?;
        tape.took_turn(match pick {
            Pick::Actor(slot) => actors.actor(slot),
            Pick::Timer => Actor::Timer,
            Pick::Crash => Actor::Crash,
        });
        Some(pick)
    }

    /// Whether the policy wants to be told of operations that end.
    #[must_use]
    pub fn hears_operations(&self) -> bool {
        self.policy.hears_operations()
    }

    /// Tells the policy that the operation of the connection in `slot` is over.
    #[inline]
    pub fn operation_ended(&mut self, slot: Slot, kind: &'static str, actors: &Actors) {
        self.policy.operation_ended(slot, kind, actors);
    }

    /// What the pilot policy has counted; `None` for any other.
    pub fn take_estimates(&mut self) -> Option<Estimates> {
        self.policy.take_estimates()
    }

    /// The first stored decision that did not fit, if any.
    #[must_use]
    pub const fn misfit(&self) -> Option<Misfit> {
        self.misfit
    }

    #[inline]
    fn by_policy(&mut self, turn: u64, actors: &Actors, special: Special, draws: &mut Stream) -> Option<Pick> {
        if special.crash_due {
            return Some(Pick::Crash);
        }
        if actors.enabled_count() == 0 {
            return special.timer.then_some(Pick::Timer);
        }
        if special.timer && draws.below(TIMER_ODDS) == 0 {
            return Some(Pick::Timer);
        }
        if turn.is_multiple_of(FAIRNESS_PERIOD)
            && let Some((slot, since)) = actors.longest_waiting()
            && turn.saturating_sub(since) > self.fairness_turns
        {
            self.policy.overruled(slot, actors, draws);
            return Some(Pick::Actor(slot));
        }
        Some(Pick::Actor(self.policy.pick(actors, draws)))
    }

    /// The next one after the last, by slot; the clock moves on when nobody else can do anything.
    fn in_order(&mut self, actors: &Actors, special: Special) -> Option<Pick> {
        let last = self.last_in_order;
        let next = actors.enabled().find(|&slot| last.is_some_and(|last| slot > last));
        self.last_in_order = next.or_else(|| actors.enabled().next());
        self.last_in_order.map(Pick::Actor).or_else(|| special.timer.then_some(Pick::Timer))
    }

    fn by_record(&mut self, turn: u64, actors: &Actors, special: Special, tape: &mut Tape) -> Option<Pick> {
        while let Chooser::Recorded(Some(actor)) = tape.chooser() {
            let pick = match actor {
                Actor::Timer => special.timer.then_some(Pick::Timer),
                Actor::Crash => special.crash.then_some(Pick::Crash),
                actor => actors.find_enabled(actor).map(Pick::Actor),
            };
            if pick.is_some() {
                return pick;
            }
            self.misfit.get_or_insert(Misfit { turn, actor });
            tape.skip_segment();
        }
        actors.calm().map(Pick::Actor).or_else(|| special.timer.then_some(Pick::Timer))
    }
}

/// The enabled actors, the calmest first, without spinners who would find everything as they left it: there
/// would be no end of schedules in which they retry (Musuvathi, Qadeer, *Fair Stateless Model Checking*, PLDI
/// 2008, where the same is done by priorities).
fn worth_trying(turn: u64, actors: &Actors, progress_turn: &mut u64) -> Vec<Slot> {
    let retried = actors.current().is_some_and(|current| actors.is_enabled(current) && actors.is_spinning(current));
    if !retried {
        *progress_turn = turn;
    }
    let order = actors.calm_order();
    let vain = |slot: &Slot| actors.is_spinning(*slot) && actors.waiting_since(*slot) >= *progress_turn;
    if order.iter().all(vain) { order } else { order.into_iter().filter(|slot| !vain(slot)).collect() }
}

fn by_odometer(order: &[Slot], actors: &Actors, special: Special, odometer: &mut Odometer) -> Option<Pick> {
    let can_stay = actors.current().is_some() && order.first().copied() == actors.current();
    let bound = order.len() as u64 + u64::from(special.crash);
    if bound == 0 {
        return special.timer.then_some(Pick::Timer);
    }
    let index = odometer.choose_actor(bound, can_stay) as usize;
    Some(order.get(index).map_or(Pick::Crash, |&slot| Pick::Actor(slot)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Resource;
    use crate::tape::{Decisions, Ratio};

    fn table(connections: u16) -> Actors {
        let mut actors = Actors::new();
        for connection in 0..connections {
            let slot = actors.add(Actor::Connection(connection), Resource::Unknown, 0);
            actors.enable(slot, 0);
        }
        actors
    }

    /// Each of the actors has so many turns; answers who ran, in order.
    fn drive(actors: &mut Actors, mut left: Vec<u32>, tape: &mut Tape, policy: &PolicyConfig) -> Vec<Slot> {
        let mut scheduler = Scheduler::new(policy, u64::MAX, tape);
        let mut ran = vec![];
        while let Some(Pick::Actor(slot)) = scheduler.next(ran.len() as u64, actors, Special::default(), tape) {
            actors.set_current(slot, ran.len() as u64);
            ran.push(slot);
            left[slot] -= 1;
            if left[slot] == 0 {
                actors.disable(slot);
            }
        }
        ran
    }

    #[test]
    fn what_a_seed_chose_is_chosen_again_from_the_record() {
        let random = PolicyConfig::default();
        let mut tape = Tape::seeded(4).recording();
        let first = drive(&mut table(3), vec![5, 5, 5], &mut tape, &random);
        let decisions = tape.take_recording().unwrap();
        assert!(decisions.schedule.len() > 3);
        let again = drive(&mut table(3), vec![5, 5, 5], &mut Tape::recorded(4, decisions), &random);
        assert_eq!(first, again);
    }

    #[test]
    fn a_record_that_does_not_fit_is_noted_and_the_calm_choice_takes_over() {
        let decisions = Decisions::parse("c1*2 c7*5 c0", "").unwrap();
        let mut tape = Tape::recorded(0, decisions);
        let mut scheduler = Scheduler::new(&PolicyConfig::default(), u64::MAX, &mut tape);
        let mut actors = table(2);
        let mut ran = vec![];
        for turn in 0..5 {
            let Some(Pick::Actor(slot)) = scheduler.next(turn, &actors, Special::default(), &mut tape) else {
                panic!()
            };
            actors.set_current(slot, turn);
            ran.push(slot);
        }
        assert_eq!(ran, [1, 1, 0, 0, 0]);
        assert_eq!(scheduler.misfit(), Some(Misfit { turn: 2, actor: Actor::Connection(7) }));
    }

    #[test]
    fn the_odometer_sees_every_interleaving_once() {
        let mut odometer = Odometer::new(None);
        let mut seen = std::collections::BTreeSet::new();
        let mut runs = 0;
        loop {
            let mut tape = Tape::exhaustive(0, odometer);
            assert!(seen.insert(drive(&mut table(2), vec![3, 3], &mut tape, &PolicyConfig::default())));
            runs += 1;
            odometer = tape.into_odometer().unwrap();
            if !odometer.advance() {
                break;
            }
        }
        // Two actors of three turns each: 6! / (3! 3!) = 20.
        assert_eq!((runs, seen.len()), (20, 20));
    }

    #[test]
    fn in_the_fair_part_everybody_has_a_turn_in_each_round_whatever_the_tape_says() {
        let sticky = PolicyConfig::Random { sticky: Ratio::new(u32::MAX - 1, u32::MAX) };
        let record = Decisions::parse("c2*20", "").unwrap();
        for tape in [Tape::seeded(1), Tape::recorded(1, record), Tape::exhaustive(1, Odometer::new(None))] {
            let (mut actors, mut tape) = (table(3), tape);
            let mut scheduler = Scheduler::new(&sticky, u64::MAX, &mut tape);
            scheduler.enter(Mode::Fair);
            scheduler.enter(Mode::Free);
            let mut ran = vec![];
            for turn in 0..6 {
                let pick = scheduler.next(turn, &actors, Special::default(), &mut tape);
                let Some(Pick::Actor(slot)) = pick else { panic!() };
                actors.set_current(slot, turn);
                ran.push(slot);
            }
            assert_eq!(ran, [0, 1, 2, 0, 1, 2]);
            // Nothing was chosen, so there is nothing to go through.
            assert!(tape.into_odometer().is_none_or(|mut odometer| !odometer.advance()));
        }
    }

    #[test]
    fn nobody_is_passed_over_beyond_the_bound() {
        let policy = PolicyConfig::Random { sticky: Ratio::new(u32::MAX - 1, u32::MAX) };
        let waited = |bound| {
            let mut tape = Tape::seeded(1);
            let mut scheduler = Scheduler::new(&policy, bound, &mut tape);
            let mut actors = table(2);
            let mut turns = std::collections::BTreeSet::new();
            for turn in 0..5_000 {
                let Some(Pick::Actor(slot)) = scheduler.next(turn, &actors, Special::default(), &mut tape) else {
                    panic!()
                };
                actors.set_current(slot, turn);
                turns.insert(slot);
            }
            turns.len()
        };
        assert_eq!(waited(u64::MAX), 1);
        assert_eq!(waited(1_000), 2);
    }

    #[test]
    fn a_crash_that_is_due_strikes_and_a_lone_timer_is_certain() {
        let mut tape = Tape::seeded(1);
        let mut scheduler = Scheduler::new(&PolicyConfig::default(), u64::MAX, &mut tape);
        let due = Special { crash: true, crash_due: true, timer: false };
        assert_eq!(scheduler.next(0, &table(2), due, &mut tape), Some(Pick::Crash));
        let timer = Special { timer: true, ..Special::default() };
        assert_eq!(scheduler.next(0, &table(0), timer, &mut tape), Some(Pick::Timer));
        assert_eq!(scheduler.next(0, &table(0), Special::default(), &mut tape), None);
    }
}
