//! `doctor`: does a seed mean one run on this machine, and what is this machine.

use serde_json::json;

use super::args::{DoctorArgs, Format};
use super::exit::{Exit, Failure};
use super::progress::Show;
use super::run::{Selection, pool_config, select};
use super::screen::{Paint, count, plain, print, table};
use super::signals::Signals;
use crate::campaign::{
    self, Aim, CampaignConfig, LaneConfig, Manifest, Outcome, Shard, Store, Summary, build_fingerprint,
};
use crate::scenario::{Expect, Registry};

pub(super) fn run(registry: &Registry, args: &DoctorArgs) -> Result<Exit, Failure> {
    let signals = Signals::listen();
    let all: Vec<String> = registry.library().names().map(str::to_string).collect();
    let what = if args.what.is_empty() { &all } else { &args.what };
    let selection = select(registry, what, &args.engine, &[])?;
    let config =
        CampaignConfig { pool: pool_config(&args.workers)?, budget: None, aim: Aim::Compare, shrink_budget: None };
    let lanes = selection.pairings.iter().map(|(index, pairing)| LaneConfig {
        scenario: *index,
        scenario_name: selection.scenarios[*index].name.clone(),
        engine: pairing.engine.clone(),
        label: pairing.label(),
        bugs: pairing.bugs().to_vec(),
        fingerprint: campaign::fingerprint(&selection.scenarios[*index]),
        seeds: args.seeds.clone(),
        expect: Expect::Holds,
        compared_min: 0,
        stop_at_first: false,
    });
    let mut show = Show::new();
    // It only compares, so nothing is ever written here.
    let store = Store::new(std::path::Path::new("squall-out"));
    let mut manifest = Manifest::new(Shard::WHOLE, lanes.collect());
    manifest.skipped = selection.skipped.iter().cloned().map(Into::into).collect();
    let outcome = campaign::run(&config, &selection.scenarios, manifest, &store, &mut show, &signals.interrupts);
    show.finish();
    let outcome = outcome.map_err(Failure::own)?;
    let summary = Summary::of(&outcome);
    print(&match args.format {
        Format::Human => human(registry, &selection, &outcome, &summary),
        Format::Json | Format::Jsonl => machine(registry, &outcome, &summary),
    })?;
    let mut codes: Vec<Exit> = signals.exit().into_iter().collect();
    if !outcome.unstable.is_empty() {
        codes.push(Exit::NONDETERMINISM);
    }
    if summary.runs == 0 {
        codes.push(Exit::NOTHING_RAN);
    }
    Ok(Exit::worst(codes))
}

/// What this machine and program are.
fn environment(registry: &Registry) -> Vec<(&'static str, String)> {
    let engines: Vec<String> = registry
        .engines()
        .map(|(info, family)| format!("{} {} ({family}, {})", info.name, info.version, info.door))
        .collect();
    let processors = std::thread::available_parallelism().map_or_else(|error| error.to_string(), |n| n.to_string());
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let memory = campaign::resident_bytes(std::process::id());
    vec![
        ("program", format!("{} with squall {}, {build} build", registry.program_name(), env!("CARGO_PKG_VERSION"))),
        ("build", build_fingerprint().map_or_else(|| "unknown".to_string(), |build| build.to_string())),
        ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("processors", processors),
        (
            "memory",
            if memory.is_some() { "watched".to_string() } else { "cannot be watched on this system".to_string() },
        ),
        ("engines", if engines.is_empty() { "none".to_string() } else { engines.join(", ") }),
        ("scenarios", registry.library().names().count().to_string()),
    ]
}

fn human(registry: &Registry, selection: &Selection, outcome: &Outcome, summary: &Summary) -> String {
    let paint = Paint::for_stdout();
    let mut text = String::new();
    for (name, value) in environment(registry) {
        text += &format!("{} {}\n", paint.faint(&format!("{name:<10}")), plain(&value));
    }
    let mut rows = vec![["scenario", "engine", "seed", "hash"].map(str::to_string).to_vec()];
    for (config, tally) in &outcome.lanes {
        for (seed, hash) in &tally.hashes {
            rows.push(vec![config.scenario_name.clone(), config.label.clone(), seed.to_string(), hash.to_string()]);
        }
    }
    text += &format!("\n{}", table(&rows, "  "));
    for skipped in &selection.skipped {
        text += &format!("  skipped {} on {}: {}\n", skipped.scenario, skipped.engine, plain(&skipped.reason));
    }
    for one in &summary.nondeterminism {
        text +=
            &format!("\n{} {} on {}, seed {}\n", paint.bad("NOT DETERMINISTIC"), one.scenario, one.engine, one.seed);
        text += &format!("  {}\n", plain(&one.sentence));
        one.first_divergence.iter().for_each(|divergence| text += &format!("  {divergence}\n"));
    }
    let runs = count(outcome.pace.repeated, "run");
    text += &match summary.nondeterminism.len() {
        0 if summary.runs == 0 => format!("\n{}\n", paint.doubtful("nothing ran")),
        0 => format!("\n{} · hash {}\n", paint.good(&format!("{runs} in two processes each, equal")), summary.hash),
        unequal => format!("\n{}\n", paint.bad(&format!("{} not deterministic", count(unequal as u64, "seed")))),
    };
    text
}

fn machine(registry: &Registry, outcome: &Outcome, summary: &Summary) -> String {
    let environment: serde_json::Map<_, _> =
        environment(registry).into_iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    let runs = outcome.lanes.iter().flat_map(|(config, tally)| {
        let one = |(seed, hash): &(u64, crate::tape::Fingerprint)| {
            json!({"scenario": config.scenario_name, "engine": config.engine, "seed": seed, "hash": hash})
        };
        tally.hashes.iter().map(one).collect::<Vec<_>>()
    });
    let value = json!({
        "v": 1,
        "type": "doctor",
        "environment": environment,
        "runs": runs.collect::<Vec<_>>(),
        "repeated": outcome.pace.repeated,
        "nondeterminism": summary.nondeterminism,
        "skipped": summary.skipped,
        "hash": summary.hash,
    });
    format!("{value}\n")
}
