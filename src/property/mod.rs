//! Properties: what must hold of a run, whoever the engine is.
//!
//! A property sees the history and what the engine promised; it does not know the engine, the disk or the
//! schedule. It counts what it really compared, and never says *holds* because it compared nothing.

use serde::Serialize;

use crate::engine::Promises;
use crate::history::{Datum, Event, History, OpId};

/// A property's complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The property that complains.
    pub property: String,
    /// What kind of wrong it is, one word with hyphens, such as `lost-update` or `stale-read`. Part of the bucket.
    pub anomaly: String,
    /// One sentence for people.
    pub sentence: String,
    /// The keys, pages or places concerned. Part of the bucket after digits are removed.
    pub resources: Vec<String>,
    /// The operations that show it, oldest first.
    pub ops: Vec<OpId>,
    /// The turn at which it became unavoidable.
    pub turn: u64,
    /// The argument, line by line.
    pub proof: Vec<String>,
}

/// What a property says of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds, as far as it was compared.
    Holds,
    /// It does not.
    Violated(Box<Finding>),
    /// Nobody can say, for this reason.
    Inconclusive(String),
}

/// A verdict and how much it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// How many answers were really compared with what they had to be.
    pub compared: u64,
}

/// What a property may look at.
#[derive(Clone, Debug)]
pub struct RunRecord<'a> {
    /// All that was asked and answered.
    pub history: &'a History,
    /// What the engine promised.
    pub promises: Promises,
    /// What the workload says of itself, such as `total`.
    pub facts: &'a [(&'static str, Datum)],
    /// Whether faults of the media were injected: an engine may then refuse, but not answer wrongly.
    pub media_faults: bool,
}

/// Something that must hold.
pub trait Property {
    /// The name by which scenarios call it.
    fn name(&self) -> &'static str;

    /// One line for `list properties`.
    fn about(&self) -> &'static str;

    /// Watches the run go by; a finding here ends it at once.
    fn observe(&mut self, _event: &Event) -> Option<Finding> {
        None
    }

    /// Judges the whole run.
    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement;
}
