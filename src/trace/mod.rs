//! What can be watched of a run, fact by fact. Nothing is watched while searching: a failing run is run
//! again with an observer. An observer is shown copies and cannot change the run.
//!
//! A *fact* is one line of the trace. Facts come in the order in which they happened; those of a turn follow
//! its [`What::Turn`]. What is done with them is somebody else's business.
//!
//! The exception is [`Coverage`], which is kept while searching because it costs next to nothing.

mod coverage;
mod record;

use std::sync::Arc;

use crate::aio::{CompletionError, IoKind, Label, Resource};
use crate::disk::sim::{CrashReport, FileShape};
use crate::history::{Call, OpId, Outcome};
use crate::tape::Actor;

pub use coverage::{Coverage, Gain};
pub use record::{Level, Recorder, Trace, WINDOW_TURNS};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The turn it happened in, counted from 1 as in histories and findings. 0 is before the first turn.
    pub turn: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The run came to another part of its life: `open`, `set-up`, `run`, `recover`, `verify`, `restart`, `end`.
    Phase {
        /// Its name.
        name: &'static str,
    },
    /// A turn was given.
    Turn {
        /// To whom.
        actor: Actor,
        /// Who could have had it, the chosen one included; at most [`ENABLED_SHOWN`] are named.
        enabled: Vec<Actor>,
        /// How many could have had it.
        enabled_count: usize,
        /// What it touches, as far as was known before.
        touches: Resource,
        /// The tick.
        tick: u64,
        /// Whether it was given inside a call of the engine, to I/O only.
        pumped: bool,
    },
    /// A connection was made.
    Connected {
        /// Its number, or [`ENGINE`](crate::tape::ENGINE) for set-up and reading back.
        connection: u16,
        /// Its number in the history, new after each crash.
        process: u32,
    },
    /// An operation began.
    Invoke {
        /// Its number in the history.
        op: OpId,
        /// Who asks.
        connection: u16,
        /// Its ordinal within the connection, as the identities of I/Os have it.
        ordinal: u32,
        /// The transaction it belongs to, as numbered in the history.
        transaction: Option<u32>,
        /// What is asked.
        call: Call,
    },
    /// An operation ended.
    Return {
        /// Its number in the history.
        op: OpId,
        /// Who asked.
        connection: u16,
        /// How it ended.
        outcome: Outcome,
        /// The engine's own place of this commit, if it tells.
        order: Option<u64>,
        /// Whether its client gave it up.
        abandoned: bool,
    },
    /// An operation was cut off by a crash: nobody knows what became of it.
    CutOff {
        /// Its number in the history.
        op: OpId,
        /// Who asked.
        connection: u16,
    },
    /// An operation went as far as its next yield.
    Yield {
        /// Who; [`ENGINE`](crate::tape::ENGINE) for the engine itself and for set-up.
        connection: u16,
        /// Its operation; `None` for the engine's own opening and checks.
        op: Option<OpId>,
        /// Where, and what comes after.
        label: Label,
        /// Whether it waits for something that is not finished.
        blocked: bool,
        /// Whether it retries busily.
        spinning: bool,
    },
    /// The engine's own opening or check ended.
    JobDone {
        /// Which: `open` or `check`.
        job: &'static str,
        /// What it complained about; empty when all is well.
        problems: Vec<String>,
    },
    /// An I/O was submitted.
    Submit {
        /// Its identity.
        io: Actor,
        /// What it does.
        kind: IoKind,
        /// The file's or directory's name at that time; both names of a rename.
        path: Arc<str>,
        /// The first byte; the new length of a truncation.
        offset: u64,
        /// How many bytes are asked for; 0 where it is not a matter of bytes.
        len: u64,
        /// The tick before which it may not run, when it is slow.
        slow_until: Option<u64>,
    },
    /// An I/O took effect, and will be reported later.
    Apply {
        /// Which.
        io: Actor,
        /// The fault that struck.
        fault: Option<&'static str>,
    },
    /// An I/O was reported.
    Complete {
        /// Which.
        io: Actor,
        /// With this outcome.
        outcome: Result<usize, CompletionError>,
        /// The fault that struck.
        fault: Option<&'static str>,
    },
    /// An I/O was in flight when everything stopped.
    Abort {
        /// Which.
        io: Actor,
        /// It had taken effect, and was not reported.
        applied: bool,
    },
    /// The clock moved on to the next deadline.
    Advance {
        /// To this tick.
        tick: u64,
        /// How many timers came due.
        due: usize,
    },
    /// Everything stopped.
    Crash {
        /// How, what survived and what was lost.
        report: CrashReport,
    },
    /// The engine was opened again and has recovered.
    Recovered,
    /// The files after a turn that changed one of them; only what differs from the last time.
    State {
        /// The files that are new or changed.
        files: Vec<FileShape>,
        /// The names that name no file any more.
        gone: Vec<Arc<str>>,
    },
    /// What the engine holds in memory after a turn that changed it; only what differs from the last time.
    Engine {
        /// Names and words that are new or changed.
        changed: Vec<(String, String)>,
        /// Names that are told no more.
        gone: Vec<String>,
    },
    /// A bound was reached, or something is wrong: the run ends.
    Ended {
        /// Why, a sentence.
        reason: String,
    },
}

/// As many enabled actors are named in a turn.
pub const ENABLED_SHOWN: usize = 24;

/// Who watches a run; nobody need to.
#[derive(Default)]
pub struct Watchers<'a> {
    /// Notes in which places of the engine's code it waited.
    pub coverage: Option<&'a mut Coverage>,
    /// Is shown all that happens.
    pub observer: Option<&'a mut dyn Observer>,
}

impl<'a> Watchers<'a> {
    /// The same, for a part of their time.
    #[must_use]
    pub fn for_a_while<'b>(self) -> Watchers<'b>
    where
        'a: 'b,
    {
        let observer = self.observer.map(|observer| observer as &mut dyn Observer);
        Watchers { coverage: self.coverage, observer }
    }
}

/// Watches a run.
pub trait Observer {
    /// How much it wants to see.
    fn level(&self) -> Level;

    /// Whether it wants the state of the files and of the engine after this turn.
    fn wants_state(&self, _turn: u64) -> bool {
        self.level() >= Level::State
    }

    /// Something happened.
    fn fact(&mut self, fact: Fact);
}
