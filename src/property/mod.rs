//! Properties: what must hold of a run, whoever the engine is.
//!
//! A property sees the history and what the engine promised; it does not know the engine, the disk or the
//! schedule. It counts what it really compared, and never says *holds* because it compared nothing.

mod bank_total;
mod cells;
pub mod differential;
mod digest;
#[cfg(test)]
mod drawn;
mod durability;
mod garbage;
mod integrity;
mod invariant;
mod isolation;
mod linearizability;
mod scan;

use serde::Serialize;

use crate::engine::Promises;
use crate::history::{Datum, Event, History, OpId};

pub use bank_total::BankTotal;
pub use differential::Differential;
pub use durability::Durable;
pub use garbage::Garbage;
pub use integrity::Integrity;
pub use invariant::Invariant;
pub use isolation::{ListAppend, Opacity, RwRegister, transactions};
pub use linearizability::Linearizability;
pub use scan::Scan;

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
    /// How many faults of the media have struck: an engine may then refuse, but not answer wrongly.
    pub media_faults: u64,
    /// Whether a sync has answered for what was lost all the same, because the device lied or an error came late: no
    /// engine can keep on its word what it promised.
    pub betrayed: bool,
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

    /// A fresh judge of a crash image: of the run so far, a crash, and what the recovery made of it. `None` when the
    /// property has nothing to say of what a recovery leaves.
    fn for_image(&self) -> Option<Box<dyn Property>> {
        None
    }

    /// Whether it can judge what a recovery has made of damaged media, from which the last commits may be missing. The
    /// others are not shown what came after.
    fn allows_for_damage(&self) -> bool {
        false
    }

    /// Judges the whole run.
    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement;
}

/// All properties, sorted by name.
#[must_use]
pub fn all() -> Vec<Box<dyn Property>> {
    vec![
        Box::<BankTotal>::default(),
        Box::<Differential>::default(),
        Box::<Durable>::default(),
        Box::<Garbage>::default(),
        Box::<Integrity>::default(),
        Box::<Invariant>::default(),
        Box::<Linearizability>::default(),
        Box::<ListAppend>::default(),
        Box::<Opacity>::default(),
        Box::<RwRegister>::default(),
        Box::<Scan>::default(),
    ]
}

/// The property of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Property>> {
    all().into_iter().find(|property| property.name() == name)
}

impl Judgement {
    /// *Holds*, or *inconclusive* for this reason when nothing was compared.
    #[must_use]
    pub fn settle(compared: u64, nothing: &str) -> Self {
        let verdict = if compared == 0 { Verdict::Inconclusive(nothing.into()) } else { Verdict::Holds };
        Self { verdict, compared }
    }

    /// A violation.
    #[must_use]
    pub fn violated(finding: Finding, compared: u64) -> Self {
        Self { verdict: Verdict::Violated(Box::new(finding)), compared }
    }

    /// No answer, for this reason.
    #[must_use]
    pub fn inconclusive(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Inconclusive(reason.into()), compared: 0 }
    }
}
