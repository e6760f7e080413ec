//! `bench-power`: how soon each planted bug is found, and by whom.

use anyhow::anyhow;

use super::args::{BenchPowerArgs, Format};
use super::exit::{Exit, Failure};
use super::power_text::{human, machine, page};
use super::progress::Show;
use super::run::pool_config;
use super::screen::{Paint, print, say};
use super::signals::Signals;
use crate::campaign::build_fingerprint;
use crate::campaign::power::{Contender, FULL, Figures, QUICK, Record, Search, Target, measure};
use crate::engine::BugInfo;
use crate::scenario::{Registry, Scenario, nearest_name, parse_flag};

/// The folder of the scenarios that have a bug switched on.
const FOLDER: &str = "planted/";

pub(super) fn run(registry: &Registry, args: &BenchPowerArgs) -> Result<Exit, Failure> {
    let signals = Signals::listen();
    let contenders = contenders(args)?;
    let targets = targets(registry, args, &contenders)?;
    let mut record = match &args.resume {
        Some(path) => Record::in_file(path, build_fingerprint()).map_err(Failure::usage)?,
        None => Record::default(),
    };
    let pool = pool_config(&args.workers)?;
    let search = Search { targets: &targets, contenders: &contenders };
    let mut show = Show::new();
    let complete = measure(&search, &pool, &mut record, &mut show, &signals.interrupts);
    show.finish();
    if !complete.map_err(Failure::own)? {
        say("stopped before the end: starts that are missing are missing in the figures");
    }
    let figures = Figures::of(&targets, &contenders, &record);
    print(&match (args.md, args.format) {
        (true, _) => page(registry.program_name(), args.quick, &contenders, &figures),
        (false, Format::Human) => human(&contenders, &figures, Paint::for_stdout()),
        (false, Format::Json | Format::Jsonl) => machine(&contenders, &figures),
    })?;
    let alarms = !figures.goals().false_alarms.is_empty();
    let own = if alarms { Exit::FINDING } else { Exit::HELD };
    Ok(Exit::worst(signals.exit().into_iter().chain([own])))
}

fn contenders(args: &BenchPowerArgs) -> Result<Vec<Contender>, Failure> {
    let all = if args.quick { QUICK } else { FULL };
    let known: Vec<&str> = all.iter().map(|contender| contender.name).collect();
    refuse_unknown("--contenders", &args.contenders, &known)?;
    let wanted = |contender: &&Contender| {
        args.contenders.is_empty() || args.contenders.iter().any(|name| name == contender.name)
    };
    Ok(all.iter().filter(wanted).copied().collect())
}

/// The bugs of all engines, each with the scenario that shows it.
fn targets(registry: &Registry, args: &BenchPowerArgs, contenders: &[Contender]) -> Result<Vec<Target>, Failure> {
    let known = registry.engines().flat_map(|(info, _)| info.bugs).map(|bug| bug.name);
    refuse_unknown("--bugs", &args.bugs, &known.collect::<Vec<_>>())?;
    let mut targets = Vec::new();
    let planted = planted(registry)?;
    for (info, _) in registry.engines() {
        for bug in info.bugs {
            if !args.bugs.is_empty() && !args.bugs.iter().any(|name| name == bug.name) {
                continue;
            }
            let shows = |(_, engine, bugs): &&(String, String, Vec<String>)| engine == info.name && *bugs == [bug.name];
            let Some((scenario, ..)) = planted.iter().find(shows) else {
                say(&format!("left out: no scenario of {FOLDER} shows {}", bug.name));
                continue;
            };
            targets.push(target(registry, info.name, bug, scenario, contenders)?);
        }
    }
    if targets.is_empty() {
        return Err(Failure::usage(anyhow!("no engine of this program can be told to have a bug: nothing to measure")));
    }
    Ok(targets)
}

/// The planted scenarios: name, engine and bugs. One that is named after its bug goes before others.
fn planted(registry: &Registry) -> Result<Vec<(String, String, Vec<String>)>, Failure> {
    let mut planted = Vec::new();
    for name in registry.library().names().filter(|name| name.starts_with(FOLDER)) {
        let scenario = registry.library().embedded(name, &[]).map_err(Failure::usage)?;
        for pairing in registry.pair(&scenario, &[]).map_err(Failure::usage)?.0 {
            planted.push((name.to_string(), pairing.engine.clone(), pairing.bugs().to_vec()));
        }
    }
    planted.sort_by_key(|(name, _, bugs)| !bugs.iter().any(|bug| name.ends_with(bug.as_str())));
    Ok(planted)
}

fn target(
    registry: &Registry,
    engine: &str,
    bug: &BugInfo,
    scenario: &str,
    contenders: &[Contender],
) -> Result<Target, Failure> {
    let with_flags = |contender: &Contender| -> Result<Scenario, Failure> {
        let flags = contender.flags.iter().map(|flag| parse_flag(flag)).collect::<Result<Vec<_>, _>>();
        let scenario = registry.library().embedded(scenario, &flags.map_err(Failure::own)?);
        scenario.map_err(Failure::usage)
    };
    Ok(Target {
        bug: bug.name.to_string(),
        class: bug.class.to_string(),
        depth: bug.depth,
        harmless: bug.harmless,
        engine: engine.to_string(),
        scenarios: contenders.iter().map(with_flags).collect::<Result<_, _>>()?,
    })
}

fn refuse_unknown(flag: &str, given: &[String], known: &[&str]) -> Result<(), Failure> {
    let Some(name) = given.iter().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
    let nearest = nearest_name(name, known.iter().copied())
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or(":".to_string());
    Err(Failure::usage(anyhow!("{flag}: `{name}` is not known{nearest} expected one of {}", known.join(", "))))
}
