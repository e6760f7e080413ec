//! A case run once more in this process, with everything recorded: what `show`, `export` and `replay --trace`
//! begin with.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;

use super::args::WorkerArgs;
use super::exit::{Exit, Failure};
use super::run::pool_config;
use crate::campaign::{CampaignError, PoolConfig, explain_case};
use crate::explain::{ExplainBounds, Explanation};
use crate::history::History;
use crate::report::{Extent, Failure as Report};
use crate::scenario::{Case, Registry, Size, StoredFinding};
use crate::shrink::{Subject, size_of};
use crate::sim::RunResult;
use crate::tape::Tape;
use crate::trace::{Level, Trace};

/// A case with its recorded run.
pub(super) struct Retraced {
    /// The case, its finding, hash and turns those of this run.
    pub(super) case: Case,
    pub(super) trace: Trace,
    pub(super) history: History,
    pub(super) extent: Extent,
}

/// Reads and reruns a case.
pub(super) fn retrace(
    registry: &Registry,
    path: &Path,
    level: Level,
    around: Option<u64>,
) -> Result<Retraced, Failure> {
    let mut case = Case::read(path).map_err(Failure::usage)?;
    let (result, trace) = run_traced(registry, &case, path, level, around)?;
    let same = |finding: &&crate::property::Finding| {
        finding.property == case.finding.property && finding.anomaly == case.finding.anomaly
    };
    let Some(finding) = result.findings.iter().find(same).map(StoredFinding::from) else {
        let hint = format!("{} replay {}", registry.program_name(), path.display());
        let reason = anyhow!("{}: no longer fails in the same way; see what `{hint}` says", path.display());
        return Err(Failure { exit: Exit::STALE, error: reason });
    };
    let decisions = case.decisions.clone().or(result.decisions).unwrap_or_default();
    let size = size_of(&Subject { plan: case.plan.clone(), decisions });
    case.finding = finding;
    case.head.hash = Some(result.hash);
    case.head.turns = result.turns;
    Ok(Retraced { case, trace, history: result.history, extent: extent(&size, result.turns) })
}

/// Runs a case once more and records it.
pub(super) fn run_traced(
    registry: &Registry,
    case: &Case,
    path: &Path,
    level: Level,
    around: Option<u64>,
) -> Result<(RunResult, Trace), Failure> {
    let seed = case.seed();
    let tape = match case.decisions.clone() {
        Some(decisions) => Tape::recorded(seed, decisions),
        None => Tape::seeded(seed).recording(),
    };
    // An engine's panics are findings here; their usual messages would only be noise.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let traced = registry.run_traced(&case.configuration, seed, Some(&case.plan), tape, level, around);
    std::panic::set_hook(hook);
    traced.map_err(|error| Failure::usage(anyhow!("{}: cannot be run: {error}", path.display())))
}

fn extent(size: &Size, turns: u64) -> Extent {
    Extent {
        connections: size.connections as u64,
        operations: size.ops as u64,
        switches: size.switches as u64,
        faults: size.faults as u64,
        crashes: size.crashes as u64,
        turns,
    }
}

/// Why a case fails, found out by other processes.
fn why(path: &Path, case: &Case, (budget, workers): (Duration, &WorkerArgs)) -> Result<Option<Explanation>, Failure> {
    let text = case.to_text().map_err(Failure::own)?;
    let config = PoolConfig { jobs: 1, ..pool_config(workers)? };
    explain_case(&config, &text, ExplainBounds::of_report(), budget).map_err(|error| match error {
        CampaignError::Task(reason) => Failure::usage(anyhow!("{}: cannot be run: {reason}", path.display())),
        error => Failure::own(error),
    })
}

/// The nearest run that passes, recorded, and how long it is.
pub(super) type Passing = Option<(Trace, u64)>;

/// The report of a case, with the recorded run that it shows and the nearest that passes. A case that was made
/// smaller says how large the failure was when it was found; one for which time is given, why it fails.
pub(super) fn report(
    registry: &Registry,
    path: &Path,
    explain: Option<(Duration, &WorkerArgs)>,
) -> Result<(Report, Retraced, Passing), Failure> {
    let retraced = retrace(registry, path, Level::State, None)?;
    let why = match explain.filter(|(budget, _)| !budget.is_zero()) {
        Some(within) => why(path, &retraced.case, within)?,
        None => None,
    };
    let passing = match why.as_ref().and_then(|why| why.passing.clone()) {
        None => None,
        Some(decisions) => {
            let case = Case { decisions: Some(decisions), ..retraced.case.clone() };
            let (result, trace) = run_traced(registry, &case, path, Level::State, None)?;
            Some((trace, result.turns))
        }
    };
    let original = retraced.case.original.as_ref().map(|size| extent(size, size.turns));
    let found = original.unwrap_or(retraced.extent);
    let mut report = Report::new(&retraced.case, &path.display().to_string(), found, &retraced.trace, why.as_ref());
    report.shrunk = original.is_some().then_some(retraced.extent);
    Ok((report, retraced, passing))
}
