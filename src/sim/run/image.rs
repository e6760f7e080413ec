//! Crash images: what a crash would have left here, recovered and judged on the side.
//!
//! ```text
//! the run    ──────●────────────────●──────────────►   goes on as if nothing had happened
//!                  │                └─ …
//!                  └─ copy ─ crash ─ recovery (─ crash ─ recovery) ─ check ─ read back ─ judge
//! ```
//!
//! Nothing here takes a turn of the run, draws from its streams or enters its hash. An image's own choices (what
//! survives, whether its recovery is struck) are decisions of the run's tape under the image's name, so that a case
//! repeats and shrinks them; its recovery follows the calm schedule on a disk that works.
//!
//! Invariant: without a finding the history is afterwards what it was before.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Core, Run, Stop};
use crate::disk::sim::Snapshot;
use crate::engine::{Engine, Family};
use crate::history::Fact;
use crate::property::{Finding, Property, RunRecord, Verdict};
use crate::sched::PolicyConfig;
use crate::tape::{Actor, Decisions, Scope, Tape};

/// How many turns of an image's recovery a crash may strike in.
const RECOVERY_TURNS: u64 = 32;

/// Where images may be taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point {
    /// After an I/O has taken effect.
    Applied(Actor),
    /// After it has been reported.
    Reported(Actor),
    /// After an operation has been answered.
    Answer { connection: u16, op: u32, steps: u32 },
}

impl Point {
    /// The name of the decision to take images here.
    const fn decision(self) -> (Actor, &'static str) {
        match self {
            Self::Applied(io) => (io, "image-when-applied"),
            Self::Reported(io) => (io, "image"),
            Self::Answer { connection, op, steps } => (Actor::Io { connection, op, nth: steps }, "image-after-answer"),
        }
    }

    /// The names of draws of image number `nth` of this point.
    fn scope(self, nth: u32) -> Scope {
        let kind = match self {
            Self::Applied(_) => "applied",
            Self::Reported(_) => "",
            Self::Answer { .. } => "answer",
        };
        Scope::new(format!("{}+{kind}{nth}", self.decision().0))
    }

    fn describe(self) -> String {
        match self {
            Self::Applied(io) => format!("when {io} had taken effect"),
            Self::Reported(io) => format!("after {io}"),
            Self::Answer { connection, op, .. } => {
                format!("after {} had been answered operation {op}", Actor::Connection(connection))
            }
        }
    }
}

/// What a run on the side has of the run whose crash image it recovers: its tape, under the image's name.
pub(super) struct Aside {
    core: Arc<Mutex<Core>>,
    scope: Scope,
}

impl<'a, F: Family, E: Engine<F>> Run<'a, F, E> {
    /// Makes draws that a case stores, an image's in the image's name.
    pub(super) fn draws<T>(&self, draws: impl FnOnce(&mut Tape) -> T) -> T {
        match &self.aside {
            None => draws(&mut self.core.lock().tape),
            Some(aside) => aside.core.lock().tape.scoped(&aside.scope, draws),
        }
    }

    /// Takes images here, if that is drawn.
    #[inline]
    pub(super) fn perhaps_images(&mut self, point: Point) -> Result<(), Stop> {
        let images = &self.config.world.images;
        if images.rate.is_zero() || !self.faults_on || self.images.points >= images.points_max {
            return Ok(());
        }
        let (actor, kind) = point.decision();
        if !self.core.lock().tape.chance(actor, kind, 0, images.rate) {
            return Ok(());
        }
        self.images.points += 1;
        let snapshot = self.disk.snapshot();
        (0..images.count).try_for_each(|nth| self.image(&snapshot, point, nth))
    }

    /// Recovers one image. A finding there ends the run, whose history is then that of the image.
    fn image(&mut self, snapshot: &Snapshot, point: Point, nth: u32) -> Result<(), Stop> {
        let number = self.images.recovered + self.images.unjudged + 1;
        let mark = self.history.mark();
        let mut side = self.side(snapshot, point.scope(nth));
        let mut story = Vec::new();
        let ended = side.recover_image(&mut story).is_err();
        let betrayed = side.is_betrayed() || self.is_betrayed();
        side.lay_down();
        self.history = std::mem::take(&mut side.history);
        self.images.struck += u64::from(story.len() > 1);
        let finding = match side.findings.into_iter().next() {
            None if ended => None,
            None => self.judge_image(betrayed),
            found => found,
        };
        match &finding {
            None if ended => self.images.unjudged += 1,
            _ => self.images.recovered += 1,
        }
        let Some(finding) = finding else {
            self.history.rewind(mark);
            return Ok(());
        };
        self.crashes = side.crashes;
        let place = format!("image {number} was taken in turn {} {}", self.turn, point.describe());
        self.findings.push(Finding {
            sentence: format!("In crash image {number}: {}", finding.sentence),
            proof: finding.proof.into_iter().chain([place]).chain(story).collect(),
            ..finding
        });
        Err(Stop::Ended)
    }

    /// A run on the side that begins with the disk as it was, before the crash.
    fn side(&mut self, snapshot: &Snapshot, scope: Scope) -> Self {
        let calm = Tape::recorded(self.config.seed, Decisions::default());
        let policy = PolicyConfig::default();
        let mut side = Run::with(self.config, self.workload, self.facts, &mut [], (calm, &policy), &[], None);
        side.disk.restore(snapshot);
        side.set_faults(false);
        side.aside = Some(Aside { core: Arc::clone(&self.core), scope });
        side.history = std::mem::take(&mut self.history);
        (side.next_process, side.next_transaction, side.crashes) =
            (self.next_process, self.next_transaction, self.crashes);
        (side.turn, side.progress_turn) = (self.turn, self.turn);
        side.core.lock().turn = self.turn;
        side
    }

    /// The crash, the recovery, perhaps both again, and a look at what came of it.
    fn recover_image(&mut self, story: &mut Vec<String>) -> Result<(), Stop> {
        let in_recovery = self.config.world.images.in_recovery;
        let strikes = self.draws(|tape| tape.chance(Actor::Crash, "in-recovery", 0, in_recovery));
        self.image_crash(story);
        if strikes {
            let after = self.draws(|tape| tape.draw(Actor::Crash, "in-recovery-after", 0, RECOVERY_TURNS));
            self.crash_turn = self.turn + 1 + after;
        }
        match self.open() {
            Err(Stop::Crash) => {
                self.crash_turn = u64::MAX;
                self.image_crash(story);
                self.open()?;
            }
            ended => ended?,
        }
        self.crash_turn = u64::MAX;
        self.note_fact(Fact::Recovered);
        self.verify()
    }

    fn image_crash(&mut self, story: &mut Vec<String>) {
        let kind = self.draw_crash_kind();
        self.crash(kind);
        let report = self.last_crash.as_ref().map(ToString::to_string).unwrap_or_default();
        story.push(report.replace('\n', "; "));
    }

    /// What the run's own properties say of the image.
    fn judge_image(&mut self, betrayed: bool) -> Option<Finding> {
        let record = RunRecord {
            history: &self.history,
            promises: E::promises(&self.config.options),
            facts: self.facts,
            media_faults: self.media_strikes(),
            betrayed,
        };
        let judges: Vec<Box<dyn Property>> =
            self.properties.iter().filter_map(|property| property.for_image()).collect();
        let is_damaged = record.media_faults > 0;
        for mut judge in judges.into_iter().filter(|judge| !is_damaged || judge.allows_for_damage()) {
            let judgement = judge.judge(&record);
            self.images.compared += judgement.compared;
            if let Verdict::Violated(finding) = judgement.verdict {
                return Some(*finding);
            }
        }
        None
    }
}
