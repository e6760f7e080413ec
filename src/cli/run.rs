//! `run`: scenarios over seeds, in worker processes.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::args::{Format, RunArgs, WorkerArgs};
use super::exit::{Exit, Failure};
use super::progress::Show;
use super::screen::{Paint, plain, print, say};
use super::signals::Signals;
use super::summary_text;
use crate::campaign::{
    self, Aim, COVERAGE_FILE, CampaignConfig, Coverage, EngineCoverage, LaneConfig, New, Outcome, PoolConfig, Store,
    Summary, WorkerCommand,
};
use crate::scenario::{Case, Entry, Expect, Pairing, Place, Registry, Scenario, Skipped, parse_flag};

/// A worker that has done so much is replaced.
const TASKS_MAX: u32 = 5_000;
/// A worker that holds so much after a run is replaced, in bytes.
const LEAK_MAX: u64 = 768 << 20;
/// So long may be spent on making a finding smaller.
const SHRINK_BUDGET: Duration = Duration::from_secs(60);

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
    let lanes: Vec<_> = selection.pairings.iter().map(|pairing| lane(&selection, pairing, args)).collect();
    let store = Store::new(&args.out);
    // A catalogue that is only checked off has no reader who would want its failures small.
    let by_default = if args.as_expected { Duration::ZERO } else { SHRINK_BUDGET };
    let shrink_budget = Some(args.shrink_budget.unwrap_or(by_default));
    let config =
        CampaignConfig { pool: pool_config(&args.workers)?, budget: args.budget, aim: Aim::Find, shrink_budget };
    let mut show = Show::new();
    let outcome = campaign::run(&config, &selection.scenarios, lanes, &store, &mut show, &signals.interrupts);
    show.finish();
    let mut outcome = outcome.map_err(Failure::own)?;
    recall_coverage(&mut outcome.coverage, &store);
    let bugs = |lane: usize| selection.pairings[lane].1.bugs().to_vec();
    let summary = Summary::of(&outcome, &selection.skipped, bugs);
    let written = write_results(&store, &summary, &outcome, &config);
    write_reports(&config.pool.command, &args.out, &summary);
    let text = match args.format {
        Format::Human => summary_text::human(registry, &summary, &outcome, &args.out, Paint::for_stdout()),
        Format::Json => pretty(&with_run(&summary, &outcome, &args.out)),
        Format::Jsonl => lines(&summary, &outcome, &args.out),
    };
    print(&text)?;
    written?;
    Ok(exit(args, &summary, &outcome, &signals))
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
        seeds,
        expect: scenario.expect,
        compared_min: scenario.compared_min,
        stop_at_first: given.is_none() && is_violated,
    }
}

/// Places that an earlier campaign of this very program reached are known, and can be missed.
fn recall_coverage(coverage: &mut Coverage, store: &Store) {
    coverage.build = campaign::build_fingerprint();
    let path = store.path(COVERAGE_FILE);
    let Ok(text) = std::fs::read_to_string(&path) else { return };
    match Coverage::parse(&text) {
        Ok(earlier) => coverage.remember(&earlier),
        Err(reason) => say(&format!("{}: {}; it is written anew", path.display(), plain(&reason))),
    }
}

fn write_results(store: &Store, summary: &Summary, outcome: &Outcome, config: &CampaignConfig) -> Result<(), Failure> {
    let elapsed = outcome.elapsed.as_secs_f64().max(0.001);
    let timing = json!({
        "v": 1,
        "type": "timing",
        "elapsed_ms": outcome.elapsed.as_millis() as u64,
        "jobs": config.pool.jobs,
        "runs_per_second": (summary.runs as f64 / elapsed).round(),
        "turns_per_second": (summary.turns as f64 / elapsed).round(),
        "workers_lost": outcome.workers_lost,
        "runs_repeated": outcome.repeated,
        "budget_spent": outcome.budget_spent,
        "interrupted": outcome.interrupted,
    });
    let summary = serde_json::to_value(summary).map_err(Failure::own)?;
    store.write("summary.json", &pretty(&summary)).map_err(Failure::own)?;
    store.write("timing.json", &pretty(&timing)).map_err(Failure::own)?;
    let coverage = serde_json::to_string(&outcome.coverage).map_err(Failure::own)?;
    store.write(COVERAGE_FILE, &(coverage + "\n")).map_err(Failure::own)?;
    Ok(())
}

/// Writes `report.html` and `failure.json` beside the case of every finding. Each is made by a process of its own,
/// because an engine runs in it once more; what cannot be made is said, and takes nothing away from the result.
fn write_reports(command: &WorkerCommand, out: &Path, summary: &Summary) {
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
        show.envs(command.env.iter().map(|(key, value)| (key, value)));
        show.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        match show.stderr(std::process::Stdio::piped()).output() {
            Ok(done) if done.status.success() => {}
            Ok(done) => say(&format!("no report: {}", plain(String::from_utf8_lossy(&done.stderr).trim()))),
            Err(error) => say(&format!("no report of {}: {error}", path.display())),
        }
    }
}

/// The summary as it is printed: cases as paths from here, and how long it took.
fn with_run(summary: &Summary, outcome: &Outcome, out: &Path) -> Value {
    let mut value = serde_json::to_value(summary).expect("a summary has a JSON form");
    if let Some(findings) = value.get_mut("findings").and_then(Value::as_array_mut) {
        for finding in findings {
            if let Some(case) = finding.get("case").and_then(Value::as_str) {
                finding["case"] = json!(out.join(case));
            }
        }
    }
    value["coverage"] = coverage(outcome);
    value["interrupted"] = json!(outcome.interrupted);
    value["elapsed_ms"] = json!(outcome.elapsed.as_millis() as u64);
    value
}

/// What was passed through, engine by engine, in numbers; the places themselves are in `coverage.json`.
fn coverage(outcome: &Outcome) -> Value {
    let one = |(name, engine): (&String, &EngineCoverage)| {
        let New { places, pairs } = engine.reached();
        json!({
            "engine": name, "places": places, "places_known": engine.places.len(), "pairs": pairs,
            "minutes": engine.minutes, "lost": engine.lost,
            "unreached": engine.unreached().map(|place| &place.place).collect::<Vec<_>>(),
        })
    };
    outcome.coverage.engines.iter().filter(|(_, engine)| engine.has_run()).map(one).collect()
}

fn lines(summary: &Summary, outcome: &Outcome, out: &Path) -> String {
    let mut whole = with_run(summary, outcome, out);
    let mut text = String::new();
    for (list, kind) in [
        ("skipped", "skipped"),
        ("scenarios", "scenario"),
        ("findings", "finding"),
        ("nondeterminism", "nondeterminism"),
        ("inconclusive", "inconclusive"),
        ("coverage", "coverage"),
    ] {
        for item in whole[list].as_array().into_iter().flatten() {
            let mut line = json!({"v": campaign::VERSION, "type": kind});
            if let (Some(line), Some(item)) = (line.as_object_mut(), item.as_object()) {
                line.extend(item.clone());
            }
            text += &format!("{line}\n");
        }
    }
    // The last line stays short enough to read: the scenarios have had their own.
    if let Some(summary) = whole.as_object_mut() {
        summary.shift_remove("scenarios");
        summary.shift_remove("skipped");
        summary.shift_remove("coverage");
    }
    text += &format!("{whole}\n");
    text
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value has a JSON form") + "\n"
}

fn exit(args: &RunArgs, summary: &Summary, outcome: &Outcome, signals: &Signals) -> Exit {
    let mut codes = Vec::new();
    codes.extend(signals.exit());
    if !summary.nondeterminism.is_empty() {
        codes.push(Exit::NONDETERMINISM);
    }
    if args.as_expected {
        if summary.scenarios.iter().any(|lane| lane.met == Some(false)) {
            codes.push(Exit::FINDING);
        }
    } else if outcome.lanes.iter().any(|(_, tally)| !tally.hits.is_empty()) {
        codes.push(Exit::FINDING);
    }
    let excused = |one: &campaign::Inconclusive| {
        let is_it = |lane: &&campaign::SummaryLane| lane.scenario == one.scenario && lane.engine == one.engine;
        args.as_expected && summary.scenarios.iter().find(is_it).is_some_and(|lane| lane.expect == Expect::Violated)
    };
    if summary.inconclusive.iter().any(|one| !excused(one)) {
        codes.push(Exit::INCONCLUSIVE);
    }
    if summary.runs == 0 {
        codes.push(Exit::NOTHING_RAN);
    }
    Exit::worst(codes)
}
