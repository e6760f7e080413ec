//! What a run came to.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::history::History;
use crate::property::{Finding, Judgement};
use crate::sched::Estimates;
use crate::tape::{Actor, Decisions, Fingerprint, Timeline};

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OpCounts {
    /// Answered.
    pub ok: u64,
    /// Refused, surely without effect.
    pub refused: u64,
    /// Answered, but in doubt.
    pub unknown: u64,
    /// Cut off by a crash or the end.
    pub pending: u64,
}

impl OpCounts {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ok + self.refused + self.unknown + self.pending
    }
}

/// What became of crash images. They leave no trace in the run's hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImageCounts {
    /// Points at which images were taken.
    pub points: u32,
    /// Images that were recovered and judged.
    pub recovered: u64,
    /// Those whose recovery was struck by another crash.
    pub struck: u64,
    /// Those that could not be judged, because damage to the media or a bound was in the way.
    pub unjudged: u64,
    /// Answers that were compared in them.
    pub compared: u64,
}

/// The first stored decision that did not fit. It says where in the engine's code the one who should have run
/// stands instead, for people: places enter no hash and no case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The turn, counted from 1.
    pub turn: u64,
    /// The actor that should have had it and could not.
    pub actor: Actor,
    /// Why not, and where it stands.
    pub place: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at turn {} `{}` cannot run: {}", self.turn, self.actor, self.place)
    }
}

/// What a run came to. Facts only; nothing has been printed.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The running hash at the end: same engine, configuration and tape, same hash.
    pub hash: Fingerprint,
    /// Turns taken.
    pub turns: u64,
    /// How operations ended.
    pub ops: OpCounts,
    /// Crashes, those during recovery and the restart at the end included.
    pub crashes: u32,
    /// What became of crash images.
    pub images: ImageCounts,
    /// Faults that struck, by kind; `crash-image` counts images.
    pub faults: BTreeMap<String, u64>,
    /// What each property says.
    pub judged: Vec<(String, Judgement)>,
    /// Everything that is wrong; the first is the one that counts.
    pub findings: Vec<Finding>,
    /// Bounds that were reached.
    pub limits_reached: Vec<String>,
    /// All that was asked and answered.
    pub history: History,
    /// What was decided, when the tape records.
    pub decisions: Option<Decisions>,
    /// The hash turn by turn, when the tape records or is recorded.
    pub timeline: Option<Timeline>,
    /// What was counted, when the policy is that of a pilot run.
    pub estimates: Option<Estimates>,
    /// The first stored decision that did not fit.
    pub misfit: Option<Misfit>,
}
