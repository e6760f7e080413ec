//! Smaller, same failure: works on the plan and the decisions of a case, never on its seed.
//!
//! Each pass proposes something calmer or shorter; a proposal is kept when the run still fails in the same way
//! (the same property, the same anomaly, no resource of another kind) and is smaller by [`Size`]. What is kept is
//! what the run *recorded*, so that decisions which no longer fit are gone. The number of runs is bounded; that it
//! was reached is reported. Passes: cut the schedule, drop connections, transactions and operations, take out
//! crashes and faults, make numbers small, then look for a schedule with fewer context switches. Nothing here
//! knows the engine.

mod passes;
mod plan;
mod schedule;

use std::collections::BTreeSet;

use toml::Table;

use crate::property::Finding;
use crate::scenario::{Case, Configuration, Registry, RunError, ShrunkFacts, StoredFinding};
use crate::sim::RunResult;
use crate::tape::{Actor, Decisions, ENGINE, Segment, Tape};

pub use crate::scenario::Size;

/// What is tried with: a failure that replays.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What is asked, as in a case.
    pub plan: Table,
    /// What was decided.
    pub decisions: Decisions,
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

impl Shrunk {
    /// The case, smaller, with what is known of how large it was.
    #[must_use]
    pub fn case(&self, case: &Case) -> Case {
        let mut smaller = case.clone();
        smaller.head.hash = Some(self.result.hash);
        smaller.head.turns = self.result.turns;
        if let Some(finding) = self.result.findings.first() {
            smaller.finding = StoredFinding::from(finding);
        }
        smaller.plan = self.subject.plan.clone();
        smaller.decisions = Some(self.subject.decisions.clone());
        smaller.timeline = self.result.timeline.clone();
        smaller.original = Some(case.original.unwrap_or(self.before));
        let earlier = case.shrunk.as_ref().map_or(0, |facts| facts.replays);
        let facts = ShrunkFacts { replays: earlier + self.replays, cut: self.cut.clone(), size: Some(self.after) };
        smaller.shrunk = Some(facts);
        smaller
    }
}

/// How far it has come, for a progress bar. Answer false to stop.
pub type Watch<'a> = &'a mut dyn FnMut(u64, &Size) -> bool;

/// Makes a case smaller. `None` when it no longer fails in the same way.
///
/// # Errors
/// When the case cannot be run at all.
pub fn shrink(registry: &Registry, case: &Case, bounds: Bounds, watch: Watch<'_>) -> Result<Option<Shrunk>, RunError> {
    let seeded = case.decisions.is_none();
    let subject = Subject { plan: case.plan.clone(), decisions: case.decisions.clone().unwrap_or_default() };
    let tape = match seeded {
        true => Tape::seeded(case.seed()),
        false => Tape::recorded(case.seed(), subject.decisions.clone()),
    };
    let failure = Failure::of(&case.finding);
    let tried = attempt(registry, &case.configuration, &failure, &subject.plan, tape)?;
    if !tried.fails {
        return Ok(None);
    }
    let before = size_of(&tried.subject);
    let separable = registry.is_separable(&case.configuration)?;
    let mut search = Search {
        separable,
        registry,
        seed: case.seed(),
        configuration: case.configuration.clone(),
        failure,
        bounds,
        watch,
        replays: 1,
        best: tried.subject,
        size: before,
        result: tried.result,
        cut: None,
    };
    passes::run(&mut search)?;
    search.conclude(&case.configuration, before)
}

/// The failure that must stay the same.
#[derive(Clone, Debug)]
pub struct Failure {
    property: String,
    anomaly: String,
    /// Without digits, so that key `k3` is as good as key `k7`.
    resources: BTreeSet<String>,
}

impl Failure {
    /// That of a finding.
    #[must_use]
    pub fn of(finding: &StoredFinding) -> Self {
        let resources = finding.resources.iter().map(|resource| without_digits(resource)).collect();
        Self { property: finding.property.clone(), anomaly: finding.anomaly.clone(), resources }
    }

    /// Whether this is it. It may concern fewer resources, and none of another kind.
    #[must_use]
    pub fn is(&self, finding: &Finding) -> bool {
        let known = |resource: &String| self.resources.contains(&without_digits(resource));
        finding.property == self.property
            && finding.anomaly == self.anomaly
            && (self.resources.is_empty() || finding.resources.iter().all(known))
    }
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// The search's state: the best so far, and how to try another.
pub(crate) struct Search<'a> {
    registry: &'a Registry,
    seed: u64,
    /// That of the case, but for its limits: nothing much longer than the failure is worth running to its end.
    configuration: Configuration,
    failure: Failure,
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

    pub(crate) const fn size(&self) -> &Size {
        &self.size
    }

    /// How many more runs may be made.
    pub(crate) const fn replays_left(&self) -> u64 {
        self.bounds.replays_max.saturating_sub(self.replays)
    }

    /// Tries a proposal; keeps it when it fails in the same way and is smaller.
    pub(crate) fn propose(&mut self, proposal: &Subject) -> Result<bool, RunError> {
        Ok(self.explore(proposal)?.is_some_and(|(kept, _)| kept))
    }

    /// Tries a proposal; says whether it was kept, and how it went. `None` when nothing more may be tried.
    pub(crate) fn explore(&mut self, proposal: &Subject) -> Result<Option<(bool, Tried)>, RunError> {
        if self.is_over() {
            return Ok(None);
        }
        if self.replays >= self.bounds.replays_max {
            self.cut = Some(format!("stopped after {} runs", self.replays));
            return Ok(None);
        }
        self.replays += 1;
        self.configuration.world.limits.turns_max = self.size.turns.saturating_mul(2) + 2_000;
        let tape = Tape::recorded(self.seed, proposal.decisions.clone());
        let tried = attempt(self.registry, &self.configuration, &self.failure, &proposal.plan, tape)?;
        let kept = tried.fails && size_of(&tried.subject) < self.size;
        if kept {
            self.size = size_of(&tried.subject);
            (self.best, self.result) = (tried.subject.clone(), tried.result.clone());
        }
        if !(self.watch)(self.replays, &self.size) {
            self.cut = Some(format!("stopped by its time limit after {} runs", self.replays));
        }
        Ok(Some((kept, tried)))
    }

    /// The best once more, under the case's own limits.
    fn conclude(self, configuration: &Configuration, before: Size) -> Result<Option<Shrunk>, RunError> {
        let tape = Tape::recorded(self.seed, self.best.decisions.clone());
        let tried = attempt(self.registry, configuration, &self.failure, &self.best.plan, tape)?;
        let after = size_of(&tried.subject);
        let Self { replays, cut, .. } = self;
        let shrunk = Shrunk { subject: tried.subject, result: tried.result, before, after, replays: replays + 1, cut };
        Ok(tried.fails.then_some(shrunk))
    }
}

/// A run of a proposal.
pub(crate) struct Tried {
    /// What was really decided.
    pub(crate) subject: Subject,
    pub(crate) result: RunResult,
    /// It fails as it should.
    pub(crate) fails: bool,
}

/// Runs a plan on a tape.
fn attempt(
    registry: &Registry,
    configuration: &Configuration,
    failure: &Failure,
    plan: &Table,
    tape: Tape,
) -> Result<Tried, RunError> {
    let seed = tape.seed();
    let mut result = registry.run(configuration, seed, Some(plan), tape.recording())?;
    let fails = result.findings.first().is_some_and(|finding| failure.is(finding));
    let decisions = result.decisions.take().unwrap_or_default();
    Ok(Tried { subject: Subject { plan: plan.clone(), decisions }, result, fails })
}

/// The size of a subject.
#[must_use]
pub fn size_of(subject: &Subject) -> Size {
    let (connections, ops) = plan::counts(&subject.plan);
    let schedule = &subject.decisions.schedule;
    Size {
        connections,
        ops,
        crashes: schedule.iter().filter(|segment| segment.actor == Actor::Crash).count(),
        faults: subject.decisions.draws.len(),
        switches: switches(schedule),
        bits: plan::bits(&subject.plan),
        segments: schedule.len(),
        turns: subject.decisions.turns(),
    }
}

fn switches(schedule: &[Segment]) -> usize {
    let connections = schedule.iter().filter_map(|segment| segment.actor.connection());
    let connections: Vec<u16> = connections.filter(|&connection| connection != ENGINE).collect();
    connections.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
