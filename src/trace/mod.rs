//! What can be watched of a run, turn by turn. Nothing is watched while searching: a failing run is run
//! again with an observer. An observer cannot change the run. The exception is [`Coverage`], which costs next to
//! nothing and is kept across runs.

mod coverage;

pub use coverage::{Coverage, Gain};

use crate::aio::{CompletionError, Label, Resource};
use crate::history::{CrashKind, OpId};
use crate::tape::Actor;

/// One turn, when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Its number, from 0.
    pub number: u64,
    /// Who had it.
    pub actor: Actor,
    /// How many could have had it.
    pub enabled: usize,
    /// What it touched, as far as was known before.
    pub resource: Resource,
    /// What came of it.
    pub effect: Effect<'a>,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// An operation went on and waits now.
    Waits {
        /// The operation; `None` for the engine's own opening and checks.
        op: Option<OpId>,
        /// Where, and what comes after.
        label: &'a Label,
        /// Whether it waits for something that is not finished.
        blocked: bool,
    },
    /// An operation was answered.
    Returned {
        /// Which.
        op: Option<OpId>,
    },
    /// An I/O took effect, and is reported later.
    Applied,
    /// An I/O was reported.
    Reported {
        /// With this outcome.
        outcome: &'a Result<usize, CompletionError>,
    },
    /// The clock moved on.
    Advanced {
        /// To this tick.
        now: u64,
    },
    /// Everything stopped.
    Crashed {
        /// How.
        kind: CrashKind,
    },
    /// A turn without effect, such as a wake-up for nothing.
    Nothing,
}

/// Watches a run.
pub trait Observer {
    /// A turn is over.
    fn turn(&mut self, turn: &Turn<'_>);
}
