//! How soon each planted bug is found, by which policy: the measurement behind `docs/power.md`.
//!
//! A *start* is one independent search for one bug under one contender: runs over fresh seeds until the first
//! finding, or until the limit. Starts of different contenders use the same seeds, so that they differ in who
//! runs next and in nothing else. What comes out is a function of the program alone: no time is in it.

mod figures;
mod measure;
mod record;

pub use figures::{Bound, Figures, Goals, Median, Row};
pub use measure::{Search, measure};
pub use record::{Record, RecordError};

use crate::scenario::Scenario;

/// The contender that all others are compared with.
pub const BASELINE: &str = "round-robin";
/// The contender that the goals are about.
pub const PORTFOLIO: &str = "portfolio";

/// Within how many runs findings are counted.
pub const WITHIN: [u64; 4] = [10, 100, 1_000, 10_000];

/// A way to choose schedules that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// What tables call it.
    pub name: &'static str,
    /// What it changes in a scenario, as `--set` would.
    pub flags: &'static [&'static str],
    /// How many independent starts it has.
    pub starts: u64,
    /// Runs of a start, at most.
    pub runs_max: u64,
}

const fn contender(name: &'static str, flags: &'static [&'static str], starts: u64, runs_max: u64) -> Contender {
    Contender { name, flags, starts, runs_max }
}

/// Whopper completes all I/O at once and in order: nothing is slow, and nothing is done and not yet reported.
const DRAINED: &[&str] = &["policy.name=round-robin", "disk.slow=0/1", "disk.split=0/1"];

/// The whole measurement: the three that are compared, and the single policies for less.
pub const FULL: &[Contender] = &[
    contender(BASELINE, DRAINED, 20, 10_000),
    contender("random", &["policy.name=random"], 20, 10_000),
    contender(PORTFOLIO, &["policy.name=swarm"], 20, 10_000),
    contender("pct", &["policy.name=pct"], 5, 1_000),
    contender("pos", &["policy.name=pos"], 5, 1_000),
    contender("urw", &["policy.name=urw"], 5, 1_000),
    contender("surw", &["policy.name=surw"], 5, 1_000),
    contender("park", &["policy.name=park"], 5, 1_000),
];

/// A look at it that takes a minute or two.
pub const QUICK: &[Contender] = &[
    contender(BASELINE, DRAINED, 5, 200),
    contender("random", &["policy.name=random"], 5, 200),
    contender(PORTFOLIO, &["policy.name=swarm"], 5, 200),
];

/// A bug, and the scenario that is to show it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The switch.
    pub bug: String,
    /// Its class.
    pub class: String,
    /// How many ordering constraints it takes.
    pub depth: u32,
    /// It only looks like a bug; nothing may be found.
    pub harmless: bool,
    /// The engine that has it.
    pub engine: String,
    /// The scenario, once for each contender, with the contender's flags.
    pub scenarios: Vec<Scenario>,
}

/// What one start came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Runs made, that with the finding included.
    pub runs: u64,
    /// Whether the last of them had a finding; without one the limit was reached.
    pub found: bool,
    /// Turns of all runs.
    pub turns: u64,
    /// Turns of the longest.
    pub turns_most: u64,
}
