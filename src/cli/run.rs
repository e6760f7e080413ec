//! `run`: scenarios over seeds, in worker processes.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::args::{Format, RunArgs, WorkerArgs};
use super::corpus;
use super::exit::{Exit, Failure};
use super::progress::Show;
use super::results::{self, ReportFailed, Results};
use super::screen::{Paint, plain, print, say};
use super::signals::Signals;
use super::summary_text;
use crate::campaign::{
    self, Aim, CampaignConfig, LaneConfig, Manifest, Outcome, PoolConfig, Shard, Store, Summary, WorkerCommand,
};
use crate::scenario::{Case, Entry, Expect, Pairing, Place, Registry, Scenario, Skipped, parse_flag};

/// A worker that has done so much is replaced.
const TASKS_MAX: u32 = 5_000;
/// A worker that holds so much after a run is replaced, in bytes.
const LEAK_MAX: u64 = 768 << 20;
/// So long may be spent on making a finding smaller.
const SHRINK_BUDGET: Duration = Duration::from_secs(60);

/// So long may be spent on finding out why it happens, and no longer than on making it smaller.
const EXPLAIN_BUDGET: Duration = Duration::from_secs(20);

/// Scenarios and the engines they run on.
pub(super) struct Selection {
    pub(super) scenarios: Vec<Scenario>,
    pub(super) pairings: Vec<(usize, Pairing)>,
    pub(super) skipped: Vec<Skipped>,
}

/// Finds what was asked for.
pub(super) fn select(
    registry: &Registry,
    what: &[String],
    engines: &[String],
    flags: &[Entry],
) -> Result<Selection, Failure> {
    for engine in engines {
        let place = Place::Flag(format!("--engine {engine}"));
        registry.check_engine_name(engine, &place).map_err(Failure::usage)?;
        if !registry.engines().any(|(info, _)| info.name == engine) {
            let known: Vec<_> = registry.engines().map(|(info, _)| info.name).collect();
            let known = known.join(", ");
            return Err(Failure::usage(anyhow!("{place}: the engine is not compiled in: expected one of {known}")));
        }
    }
    let mut scenarios: Vec<Scenario> = Vec::new();
    for argument in what {
        for scenario in registry.library().find(argument, flags).map_err(Failure::usage)? {
            if scenarios.iter().any(|known| known.name == scenario.name) {
                let problem = format!("{argument}: two scenarios are called `{}`", scenario.name);
                return Err(Failure::usage(anyhow!(problem)));
            }
            scenarios.push(scenario);
        }
    }
    let mut pairings = Vec::new();
    let mut skipped = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let (served, refused) = registry.pair(scenario, engines).map_err(Failure::usage)?;
        pairings.extend(served.into_iter().map(|pairing| (index, pairing)));
        skipped.extend(refused);
    }
    Ok(Selection { scenarios, pairings, skipped })
}

/// How workers are treated, from the flags.
pub(super) fn pool_config(workers: &WorkerArgs) -> Result<PoolConfig, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(PoolConfig {
        command: WorkerCommand::this_program().context("which program is this?").map_err(Failure::own)?,
        jobs: workers.jobs.map_or(processors, usize::from),
        hang_after: workers.hang_after,
        memory_max: Some(workers.memory),
        tasks_max: TASKS_MAX,
        leak_max: LEAK_MAX.min(workers.memory / 2),
    })
}

pub(super) fn run(registry: &Registry, args: &RunArgs) -> Result<Exit, Failure> {
    let signals = Signals::listen();
    let flags = flags(args)?;
    let selection = select(registry, &args.what, &args.engine, &flags)?;
    let mut manifest = manifest(&selection, args)?;
    let store = Store::new(&args.out);
    // A catalogue that is only checked off has no reader who would want its failures small.
    let by_default = if args.as_expected { Duration::ZERO } else { SHRINK_BUDGET };
    let shrink_budget = args.shrink_budget.unwrap_or(by_default);
    let config = CampaignConfig {
        pool: pool_config(&args.workers)?,
        budget: args.budget,
        aim: Aim::Find,
        shrink_budget: Some(shrink_budget),
    };
    if let Some(folder) = &args.corpus {
        manifest.corpus = corpus::states(&corpus::replayed(registry, folder, &config.pool)?).collect();
    }
    let mut show = Show::new();
    let outcome = campaign::run(&config, &selection.scenarios, manifest, &store, &mut show, &signals.interrupts);
    show.finish();
    let mut outcome = outcome.map_err(Failure::own)?;
    results::recall_coverage(&mut outcome.coverage, &store);
    let summary = Summary::of(&outcome);
    let results = Results {
        program: registry.program_name(),
        summary: &summary,
        outcome: &outcome,
        jobs: config.pool.jobs,
        as_expected: args.as_expected,
        format: args.format,
    };
    // The page of the campaign leads to the reports that are there.
    let failed = write_reports(&config.pool, &args.out, &summary, shrink_budget);
    let written = results.write(&store);
    print(&said(registry, &summary, &outcome, args, &failed))?;
    written?;
    results.report(&args.reports)?;
    Ok(exit(args.as_expected, &summary, &outcome, signals.exit()))
}

/// Writes `report.html` and `failure.json` beside the case of every finding. Each is made by a process of its own,
/// because an engine runs in it once more; what cannot be made is told, and takes nothing away from the result.
/// Failures that nobody wants small are not explained either.
fn write_reports(pool: &PoolConfig, out: &Path, summary: &Summary, shrink_budget: Duration) -> Vec<ReportFailed> {
    let command: &WorkerCommand = &pool.command;
    let mut failed = Vec::new();
    let mut done = std::collections::BTreeSet::new();
    for case in summary.findings.iter().filter_map(|finding| finding.case.as_ref()) {
        let path = out.join(case);
        // A bucket has one report, that of its first case.
        if !done.insert(path.parent().map(Path::to_path_buf)) {
            continue;
        }
        // An engine that took its process down would do so again.
        if !Case::read(&path).is_ok_and(|case| case.head.hash.is_some()) {
            continue;
        }
        let mut show = std::process::Command::new(&command.program);
        show.arg("show").arg(&path).arg("--report").arg(path.parent().unwrap_or(out));
        show.arg("--hang-after").arg(format!("{}ms", pool.hang_after.as_millis()));
        show.args(pool.memory_max.iter().flat_map(|bytes| ["--memory".to_string(), format!("{}MiB", bytes >> 20)]));
        let explain_budget = shrink_budget.min(EXPLAIN_BUDGET);
        show.arg("--explain-budget").arg(format!("{}ms", explain_budget.as_millis()));
        show.envs(command.env.iter().map(|(key, value)| (key, value)));
        show.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        let reason = match show.stderr(std::process::Stdio::piped()).output() {
            Ok(done) if done.status.success() => continue,
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_string(),
            Err(error) => error.to_string(),
        };
        say(&format!("no report of {}: {}", path.display(), plain(&reason)));
        failed.push(ReportFailed { case: path.display().to_string(), reason });
    }
    failed
}

fn said(registry: &Registry, summary: &Summary, outcome: &Outcome, args: &RunArgs, failed: &[ReportFailed]) -> String {
    match args.format {
        Format::Human => {
            let paint = Paint::for_stdout();
            let text = summary_text::human(registry, summary, outcome, &args.out, paint);
            let head = paint.doubtful("NO REPORT");
            failed.iter().fold(text, |text, one| text + &format!("{head} of {}: {}\n", one.case, plain(&one.reason)))
        }
        Format::Json => results::pretty(&results::with_run(summary, outcome, &args.out, failed)),
        Format::Jsonl => results::lines(summary, outcome, &args.out, failed),
    }
}

/// What is to be run, lanes in the order in which every summary lists them.
fn manifest(selection: &Selection, args: &RunArgs) -> Result<Manifest, Failure> {
    let shard = args.shard.map_or(Ok(Shard::WHOLE), |shard| shard.resolve(|name| std::env::var(name).ok()));
    let shard = shard.map_err(|problem| Failure::usage(anyhow!(problem)))?;
    let mut lanes: Vec<_> = selection.pairings.iter().map(|pairing| lane(selection, pairing, args)).collect();
    lanes.sort_by(|a, b| a.key().cmp(&b.key()));
    let mut manifest = Manifest::new(shard, lanes);
    manifest.skipped = selection.skipped.iter().cloned().map(Into::into).collect();
    Ok(manifest)
}

/// `--set`, and the flags that are short for it.
fn flags(args: &RunArgs) -> Result<Vec<Entry>, Failure> {
    let policy = args.policy.iter().map(|name| format!("policy.name={name}"));
    let all = args.set.iter().cloned().chain(policy);
    all.map(|flag| parse_flag(&flag)).collect::<Result<_, _>>().map_err(Failure::usage)
}

fn lane(selection: &Selection, (index, pairing): &(usize, Pairing), args: &RunArgs) -> LaneConfig {
    let scenario = &selection.scenarios[*index];
    let given = args.seeds.clone().or_else(|| args.seed.map(|seed| seed..seed.saturating_add(1)));
    let is_violated = scenario.expect == Expect::Violated;
    let seeds: Range<u64> = match given {
        Some(ref seeds) => seeds.clone(),
        None if args.budget.is_some() && !is_violated => 0..u64::MAX,
        None => scenario.default_seeds(),
    };
    LaneConfig {
        scenario: *index,
        scenario_name: scenario.name.clone(),
        engine: pairing.engine.clone(),
        label: pairing.label(),
        bugs: pairing.bugs().to_vec(),
        fingerprint: campaign::fingerprint(scenario),
        seeds,
        expect: scenario.expect,
        compared_min: scenario.compared_min,
        stop_at_first: given.is_none() && is_violated,
    }
}

/// How a campaign ends; `asked` is the code of a request to stop.
pub(super) fn exit(as_expected: bool, summary: &Summary, outcome: &Outcome, asked: Option<Exit>) -> Exit {
    let mut codes: Vec<Exit> = asked.into_iter().collect();
    if !summary.nondeterminism.is_empty() {
        codes.push(Exit::NONDETERMINISM);
    }
    if as_expected {
        if summary.scenarios.iter().any(|lane| lane.met == Some(false)) {
            codes.push(Exit::FINDING);
        }
    } else if outcome.lanes.iter().any(|(_, tally)| !tally.hits.is_empty()) {
        codes.push(Exit::FINDING);
    }
    let excused = |one: &campaign::Inconclusive| {
        let is_it = |lane: &&campaign::SummaryLane| lane.scenario == one.scenario && lane.engine == one.engine;
        as_expected && summary.scenarios.iter().find(is_it).is_some_and(|lane| lane.expect == Expect::Violated)
    };
    if summary.inconclusive.iter().any(|one| !excused(one)) {
        codes.push(Exit::INCONCLUSIVE);
    }
    codes.extend(corpus::codes(summary.corpus.iter()));
    if summary.runs == 0 {
        codes.push(Exit::NOTHING_RAN);
    }
    Exit::worst(codes)
}
