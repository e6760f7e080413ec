//! What parent and worker say to each other: one JSON object a line.
//!
//! A worker's lines begin with a mark, because the engine under test may print to standard output too; whatever
//! bears no mark is ignored. Tasks are answered in the order in which they were sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::explain::{ExplainBounds, Explanation};
use crate::property::{Judgement, Verdict};
use crate::scenario::{Entry, Size, StoredFinding};
use crate::sched::Estimates;
use crate::sim::{OpCounts, RunResult};
use crate::tape::{Divergence, Fingerprint, RunHash, Timeline};
use crate::trace::Gain;

/// What each of a worker's lines begins with.
pub const MARK: &str = "@squall ";

/// What a worker is told once, before its first task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The scenarios, by place.
    pub scenarios: Vec<ScenarioText>,
    /// The address space that the worker allows itself, in bytes.
    pub memory_max: Option<u64>,
    /// The program's fingerprint, for cases.
    pub build: Option<Fingerprint>,
}

/// A scenario with its profiles and flags already merged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScenarioText {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// A line from the parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The first line.
    Hello(Hello),
    /// What a pilot run has counted; not answered.
    Pilot(Pilot),
    /// Any other.
    Task(Task),
}

/// What a pilot run has counted, for the policies that want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pilot {
    /// The scenario's place in [`Hello::scenarios`].
    pub scenario: usize,
    /// The engine.
    pub engine: String,
    /// What was counted.
    pub estimates: Estimates,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Make the pilot run of a scenario on an engine.
    Pilot(Spot),
    /// Run a seed and keep the hash alone.
    Search(Spot),
    /// Run a seed and write a case of it, whatever it comes to.
    Record(Spot),
    /// Write a case of a seed without running it, because running it takes the process down.
    Describe(Spot),
    /// Run a case.
    Replay(CaseText),
    /// Make a case smaller, for a while.
    Shrink(ShrinkTask),
    /// Find out why a case fails, for a while.
    Explain(ExplainTask),
    /// Run seeds in their order until one has a finding.
    Sweep(Sweep),
}

/// Seeds to run in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The first of them.
    pub spot: Spot,
    /// How many.
    pub seeds: u64,
}

/// What a sweep came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Runs made, that with the finding included.
    pub runs: u64,
    /// Turns of all of them.
    pub turns: u64,
    /// Turns of the longest.
    pub turns_most: u64,
    /// The last run had a finding.
    pub found: bool,
}

/// A place in the space that a campaign searches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// The scenario's place in [`Hello::scenarios`].
    pub scenario: usize,
    /// The engine.
    pub engine: String,
    /// The seed.
    pub seed: u64,
}

/// A case to replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseText {
    /// Shown in errors.
    pub name: String,
    /// The case.
    pub text: String,
    /// Leave the decisions aside and run the plan from the seed.
    pub from_seed: bool,
    /// Send the history along, too.
    #[serde(default)]
    pub history: bool,
}

/// A case to make smaller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShrinkTask {
    /// The case.
    pub text: String,
    /// At most so many runs.
    pub replays_max: u64,
    /// At most so long, in milliseconds.
    pub budget_ms: u64,
}

/// A case to explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainTask {
    /// The case.
    pub text: String,
    /// When to stop.
    pub bounds: ExplainBounds,
    /// At most so long, in milliseconds.
    pub budget_ms: u64,
}

/// Why a case fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Why.
    pub explanation: Explanation,
    /// The decisions of the nearest run that passes, as a case has them: the schedule, the draws.
    pub passing: Option<(String, String)>,
}

/// What came of making a case smaller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smaller {
    /// The case; none when it does not fail alike from its decisions.
    pub case: Option<String>,
    /// How large it is now.
    pub size: Size,
    /// Runs made.
    pub replays: u64,
    /// Nothing more can be taken away.
    pub is_smallest: bool,
    /// The bound that was reached was that of runs, not of time.
    pub runs_spent: bool,
}

/// A worker's line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    /// What the task came to.
    pub answer: Answer,
    /// The memory the worker holds now, in bytes, where the system tells.
    pub memory: Option<u64>,
    /// What the run has passed through for the first time in this worker; of [`Task::Search`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
}

/// What a task came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Of [`Task::Pilot`].
    Piloted(Box<Estimates>),
    /// Of [`Task::Search`].
    Ran(Box<Ran>),
    /// Of [`Task::Record`] and [`Task::Describe`].
    Recorded(Box<Recorded>),
    /// Of [`Task::Replay`].
    Replayed(Box<Replayed>),
    /// Of [`Task::Shrink`].
    Shrunk(Box<Smaller>),
    /// Of [`Task::Explain`]; none when the case does not fail from its decisions.
    Explained(Option<Box<Explained>>),
    /// Of [`Task::Sweep`].
    Swept(Swept),
    /// It could not be done; our mistake or the case's, never a finding.
    Failed(String),
}

/// What a run came to, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// The hash; none when the process did not survive.
    pub hash: Option<Fingerprint>,
    /// Turns taken.
    pub turns: u64,
    /// How operations ended: answered, refused, in doubt, cut off.
    pub ops: [u64; 4],
    /// Crashes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crashes: u64,
    /// Faults that struck, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, u64>,
    /// What each property compared, and why it could not say, if so.
    pub judged: BTreeMap<String, Judged>,
    /// The finding that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<StoredFinding>,
    /// Other findings of the same run: property and anomaly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Bounds that were reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// The policy that chose who runs next.
    pub policy: String,
    /// When the engine panicked, the functions on top of its stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// The schedules behind these numbers, where one seed stands for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Schedules>,
}

/// The schedules of one seed that an odometer went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedules {
    /// How many were run.
    pub runs: u64,
    /// Whether these were all.
    pub complete: bool,
    /// All with at most so many preemptions.
    pub preemptions_max: Option<u32>,
}

/// What one property said of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Answers compared.
    pub compared: u64,
    /// Why it could not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inconclusive: Option<String>,
}

/// For serde, which asks by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A case, and the run it is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The case's text, its bucket still empty.
    pub case: String,
    /// The run; none when the case was written without one.
    pub ran: Option<Ran>,
    /// The hash turn by turn.
    pub timeline: Option<Timeline>,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// The run.
    pub ran: Ran,
    /// The first stored decision that did not fit, in words.
    pub misfit: Option<String>,
    /// Where the hash parts from the stored one.
    pub divergence: Option<FirstDivergence>,
    /// The hash turn by turn.
    pub timeline: Option<Timeline>,
    /// How the engine differs from the one the case was found with, where it does.
    pub identity_differs: Option<String>,
    /// The run's transactions as Jepsen's events in EDN, where they were asked for and are on lists or registers.
    pub history: Option<String>,
}

/// Where two runs of one case part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirstDivergence {
    /// The last turn at which both are known to agree.
    pub agreed_until: Option<u64>,
    /// The first turn known to differ.
    pub first: u64,
}

impl From<Divergence> for FirstDivergence {
    fn from(divergence: Divergence) -> Self {
        Self { agreed_until: divergence.agreed_until, first: divergence.first }
    }
}

impl fmt::Display for FirstDivergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.agreed_until {
            Some(turn) if turn + 1 < self.first => {
                write!(f, "they agree until turn {turn} and differ at turn {} at the latest", self.first)
            }
            _ => write!(f, "turn {} is the first that differs", self.first),
        }
    }
}

impl Ran {
    /// The numbers of a result.
    #[must_use]
    pub fn of(result: &RunResult, policy: &str) -> Self {
        let OpCounts { ok, refused, unknown, pending } = result.ops;
        let judged = |(name, judgement): &(String, Judgement)| {
            let inconclusive = match &judgement.verdict {
                Verdict::Inconclusive(reason) => Some(reason.clone()),
                Verdict::Holds | Verdict::Violated(_) => None,
            };
            (name.clone(), Judged { compared: judgement.compared, inconclusive })
        };
        let also = result.findings.iter().skip(1).map(|finding| format!("{}: {}", finding.property, finding.anomaly));
        Self {
            hash: Some(result.hash),
            turns: result.turns,
            ops: [ok, refused, unknown, pending],
            crashes: u64::from(result.crashes),
            faults: result.faults.clone(),
            judged: result.judged.iter().map(judged).collect(),
            finding: result.findings.first().map(StoredFinding::from),
            also: also.collect(),
            limits: result.limits_reached.clone(),
            policy: policy.to_string(),
            schedules: None,
            frames: Vec::new(),
        }
    }

    /// Adds another schedule of the same seed. The hash is that of one with a finding, else folded from all.
    pub fn absorb(&mut self, next: Self) {
        self.turns += next.turns;
        self.ops.iter_mut().zip(next.ops).for_each(|(sum, count)| *sum += count);
        self.crashes += next.crashes;
        for (kind, count) in next.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (property, judged) in next.judged {
            let sum = self.judged.entry(property).or_default();
            sum.compared += judged.compared;
            sum.inconclusive = sum.inconclusive.take().or(judged.inconclusive);
        }
        for limit in next.limits {
            if !self.limits.contains(&limit) {
                self.limits.push(limit);
            }
        }
        self.hash = match (self.hash, next.hash) {
            (Some(before), Some(hash)) if next.finding.is_none() => {
                let mut both = RunHash::new();
                both.fold(before.0);
                both.fold(hash.0);
                Some(both.fingerprint())
            }
            (_, hash) => hash,
        };
        (self.finding, self.also) = (next.finding, next.also);
    }

    /// Whether it compared nothing: such a run proves nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.finding.is_none() && (self.ops[0] == 0 || self.judged.values().all(|judged| judged.compared == 0))
    }
}
