//! Smaller, same failure: works on the plan and the decisions of a case, never on its seed.
//!
//! Each pass proposes something calmer or shorter; a proposal is kept when the run still fails in the same way
//! (the same property, the same anomaly) and is smaller by [`Size`]. What is kept is what the run *recorded*,
//! so that decisions which no longer fit are gone. The number of runs is bounded; that it was reached is
//! reported. Passes: cut the schedule, drop connections, transactions and operations, take out crashes and
//! faults, then straighten the schedule. Nothing here knows the engine.

mod passes;

use toml::{Table, Value};

use crate::property::Finding;
use crate::scenario::{Case, Configuration, Registry, RunError};
use crate::sim::RunResult;
use crate::tape::{Actor, Decisions, Segment, Tape};

/// What is tried with: a failure that replays.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What is asked, as in a case.
    pub plan: Table,
    /// What was decided.
    pub decisions: Decisions,
}

/// How large a failure is; compared from the first field to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Size {
    /// Connections that ask something.
    pub connections: usize,
    /// Operations in the plan.
    pub ops: usize,
    /// Crashes.
    pub crashes: usize,
    /// Draws that were not calm.
    pub faults: usize,
    /// Context switches: turns at which another connection than before goes on, itself or through its I/O.
    pub switches: usize,
    /// Segments of the schedule.
    pub segments: usize,
    /// Turns.
    pub turns: u64,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// At most so many runs.
    pub replays_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { replays_max: 10_000 }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest failure found.
    pub subject: Subject,
    /// Its run.
    pub result: RunResult,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// Runs made.
    pub replays: u64,
    /// Why it stopped before nothing more could be taken away, if it did.
    pub cut: Option<String>,
}

/// How far it has come, for a progress bar. Answer false to stop.
pub type Watch<'a> = &'a mut dyn FnMut(u64, &Size) -> bool;

/// Makes a case smaller.
///
/// # Errors
/// When the case cannot be run at all, or no longer fails.
pub fn shrink(registry: &Registry, case: &Case, bounds: Bounds, watch: Watch<'_>) -> Result<Option<Shrunk>, RunError> {
    let decisions = case.decisions.clone().unwrap_or_default();
    let subject = Subject { plan: case.plan.clone(), decisions };
    let failure = (case.finding.property.clone(), case.finding.anomaly.clone());
    let Some((subject, result)) = attempt(registry, &case.configuration, case.seed(), &failure, &subject)? else {
        return Ok(None);
    };
    let before = Size::of(&subject);
    let separable = registry.is_separable(&case.configuration)?;
    let mut search = Search {
        separable,
        registry,
        case,
        failure,
        bounds,
        watch,
        replays: 1,
        best: subject,
        size: before,
        result,
        cut: None,
    };
    passes::run(&mut search)?;
    let Search { best, result, size, replays, cut, .. } = search;
    Ok(Some(Shrunk { subject: best, result, before, after: size, replays, cut }))
}

/// The search's state: the best so far, and how to try another.
pub(crate) struct Search<'a> {
    registry: &'a Registry,
    case: &'a Case,
    failure: (String, String),
    bounds: Bounds,
    watch: Watch<'a>,
    /// Whether single operations may go.
    pub(crate) separable: bool,
    replays: u64,
    best: Subject,
    size: Size,
    result: RunResult,
    cut: Option<String>,
}

impl Search<'_> {
    /// Whether nothing more may be tried.
    pub(crate) const fn is_over(&self) -> bool {
        self.cut.is_some()
    }

    pub(crate) const fn best(&self) -> &Subject {
        &self.best
    }

    /// Tries a proposal; keeps it when it fails in the same way and is smaller.
    pub(crate) fn propose(&mut self, proposal: &Subject) -> Result<bool, RunError> {
        if self.is_over() {
            return Ok(false);
        }
        if self.replays >= self.bounds.replays_max {
            self.cut = Some(format!("stopped after {} runs", self.replays));
            return Ok(false);
        }
        self.replays += 1;
        let tried = attempt(self.registry, &self.case.configuration, self.case.seed(), &self.failure, proposal)?;
        let kept = match tried {
            Some((subject, result)) if Size::of(&subject) < self.size => {
                self.size = Size::of(&subject);
                (self.best, self.result) = (subject, result);
                true
            }
            _ => false,
        };
        if !(self.watch)(self.replays, &self.size) {
            self.cut = Some(format!("stopped by its time limit after {} runs", self.replays));
        }
        Ok(kept)
    }
}

/// Runs a subject; gives back what was really decided when it fails as it should.
fn attempt(
    registry: &Registry,
    configuration: &Configuration,
    seed: u64,
    failure: &(String, String),
    subject: &Subject,
) -> Result<Option<(Subject, RunResult)>, RunError> {
    let tape = Tape::recorded(seed, subject.decisions.clone()).recording();
    let mut result = registry.run(configuration, seed, Some(&subject.plan), tape)?;
    if !result.findings.first().is_some_and(|finding| is(finding, failure)) {
        return Ok(None);
    }
    let decisions = result.decisions.take().unwrap_or_default();
    Ok(Some((Subject { plan: subject.plan.clone(), decisions }, result)))
}

fn is(finding: &Finding, (property, anomaly): &(String, String)) -> bool {
    finding.property == *property && finding.anomaly == *anomaly
}

impl Size {
    /// The size of a subject.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        let asked: Vec<usize> = connections(&subject.plan).map(|(_, list)| ops(list)).collect();
        let schedule = &subject.decisions.schedule;
        Self {
            connections: asked.iter().filter(|&&ops| ops > 0).count(),
            ops: asked.iter().sum(),
            crashes: schedule.iter().filter(|segment| segment.actor == Actor::Crash).count(),
            faults: subject.decisions.draws.len(),
            switches: switches(schedule),
            segments: schedule.len(),
            turns: subject.decisions.turns(),
        }
    }
}

fn switches(schedule: &[Segment]) -> usize {
    let connections: Vec<u16> = schedule.iter().filter_map(|segment| segment.actor.connection()).collect();
    connections.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The connections of a plan, each with its list of transactions.
fn connections(plan: &Table) -> impl Iterator<Item = (&String, &Vec<Value>)> {
    let lists = plan.get("connections").and_then(Value::as_table);
    lists.into_iter().flatten().filter_map(|(name, list)| Some((name, list.as_array()?)))
}

fn ops(transactions: &[Value]) -> usize {
    transactions.iter().filter_map(Value::as_array).map(Vec::len).sum()
}
