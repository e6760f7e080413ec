//! `list`: what is compiled in.

use anyhow::anyhow;
use serde_json::{Map, Value, json};

use super::args::{Format, ListArgs, Listed};
use super::exit::{Exit, Failure};
use super::screen::{count, print, table};
use crate::campaign::{COVERAGE_FILE, Coverage, Place};
use crate::scenario::keys::{KEYS, Kind};
use crate::scenario::value::Domain;
use crate::scenario::{Expect, Registry, Scenario};
use crate::sched::PolicyConfig;

pub(super) fn run(registry: &Registry, args: &ListArgs) -> Result<Exit, Failure> {
    if args.unhit && args.what != Listed::Yields {
        return Err(Failure::usage(anyhow!("--unhit: expected it with `list yields` only")));
    }
    let items = match args.what {
        Listed::Engines => engines(registry),
        Listed::Workloads => workloads(registry),
        Listed::Scenarios => scenarios(registry)?,
        Listed::Properties => properties(registry),
        Listed::Faults => faults(),
        Listed::Policies => policies(),
        Listed::Bugs => bugs(registry)?,
        Listed::Keys => keys(),
        Listed::Yields => yields(args)?,
    };
    print(&match args.format {
        Format::Human => human(&items),
        Format::Json => serde_json::to_string_pretty(&items).map_err(Failure::own)? + "\n",
        Format::Jsonl => items.iter().map(|item| format!("{item}\n")).collect(),
    })?;
    Ok(Exit::HELD)
}

fn engines(registry: &Registry) -> Vec<Value> {
    let one = |(info, family): (&crate::engine::EngineInfo, &str)| {
        json!({
            "name": info.name, "about": info.about, "version": info.version, "family": family, "door": info.door,
            "serves": info.serves,
            "options": info.options.iter().map(|option| json!({
                "name": option.name(), "about": option.about(), "accepted": option.accepted(),
            })).collect::<Vec<_>>(),
        })
    };
    registry.engines().map(one).collect()
}

fn workloads(registry: &Registry) -> Vec<Value> {
    let one =
        |info: &crate::scenario::WorkloadInfo| json!({"name": info.name, "about": info.about, "family": info.family});
    registry.workloads().iter().map(one).collect()
}

fn scenarios(registry: &Registry) -> Result<Vec<Value>, Failure> {
    let one = |scenario: &Scenario| {
        json!({
            "name": scenario.name, "about": scenario.about, "workload": scenario.workload,
            "expect": scenario.expect, "found_within": scenario.found_within, "engines": scenario.engines,
            "seeds": [scenario.default_seeds().start, scenario.default_seeds().end],
        })
    };
    Ok(all_scenarios(registry)?.iter().map(one).collect())
}

fn all_scenarios(registry: &Registry) -> Result<Vec<Scenario>, Failure> {
    let library = registry.library();
    library.names().map(|name| library.embedded(name, &[])).collect::<Result<_, _>>().map_err(Failure::usage)
}

fn properties(registry: &Registry) -> Vec<Value> {
    registry.properties().map(|info| json!({"name": info.name, "about": info.about})).collect()
}

fn faults() -> Vec<Value> {
    let is_fault = |key: &&crate::scenario::keys::Key| {
        let drawn = matches!(key.kind, Kind::Drawn(Domain::Chance { .. }));
        drawn && (key.name.starts_with("disk.") || key.name.starts_with("crash.") || key.name == "abandon")
    };
    let one = |key: &crate::scenario::keys::Key| json!({"name": key.name, "about": key.about, "accepted": key.kind.accepted(), "default": key.default});
    KEYS.iter().filter(is_fault).map(one).collect()
}

fn policies() -> Vec<Value> {
    let about = |name: &str| match name {
        "round-robin" => "The next connection in a fixed order, all I/O completed in order first: the baseline.",
        "random" => "Uniform over who can run; `policy.sticky` lets the current actor go on.",
        "pct" => "Random priorities with a few changes (Burckhardt 2010).",
        "pos" => "Random priorities of events, drawn again where events conflict (Yuan 2018).",
        "urw" => "In proportion to the events that are left (Zhao 2025).",
        "surw" => "As urw, on a few places only (Zhao 2025).",
        "park" => "The random walk, with somebody held while others finish whole operations.",
        "exhaustive" => "Every schedule, one after the other: a proof for tiny scenarios.",
        _ => "See `docs/policies.md`.",
    };
    PolicyConfig::NAMES.iter().map(|name| json!({"name": name, "about": about(name)})).collect()
}

fn bugs(registry: &Registry) -> Result<Vec<Value>, Failure> {
    let scenarios = all_scenarios(registry)?;
    let mut list = Vec::new();
    for (info, _) in registry.engines() {
        for bug in info.bugs {
            let planted = scenarios.iter().find(|scenario| has_bug(registry, scenario, info.name, bug.name));
            list.push(json!({
                "name": bug.name, "about": bug.about, "engine": info.name, "class": bug.class, "depth": bug.depth,
                "harmless": bug.harmless, "public_issue": bug.public_issue,
                "found_within": planted.and_then(|scenario| scenario.found_within),
                "scenario": planted.map(|scenario| &scenario.name),
            }));
        }
    }
    Ok(list)
}

fn has_bug(registry: &Registry, scenario: &Scenario, engine: &str, bug: &str) -> bool {
    // Most scenarios have no bugs, and pairing one costs more than a look.
    let names = scenario.engine.iter().any(|entry| entry.option == "bugs");
    names
        && registry.pair(scenario, &[]).is_ok_and(|(pairings, _)| {
            pairings.iter().any(|pairing| pairing.engine == engine && pairing.bugs() == [bug])
                && (scenario.expect == Expect::Violated || scenario.found_within.is_none())
        })
}

fn keys() -> Vec<Value> {
    let one = |key: &crate::scenario::keys::Key| json!({"name": key.name, "about": key.about, "accepted": key.kind.accepted(), "default": key.default});
    KEYS.iter().map(one).collect()
}

/// Where connections waited, from what the last campaign left.
fn yields(args: &ListArgs) -> Result<Vec<Value>, Failure> {
    let path = args.out.join(COVERAGE_FILE);
    let refused = |reason: String| Failure::usage(anyhow!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| refused(format!("{error}; `run` writes it, and `--out` names its folder")))?;
    let coverage = Coverage::parse(&text).map_err(|reason| refused(format!("cannot be read: {reason}")))?;
    let mut list = Vec::new();
    for (name, engine) in &coverage.engines {
        // What did not run cannot have missed anything.
        let wanted = |place: &&Place| if args.unhit { engine.has_run() && !place.is_reached() } else { true };
        for place in engine.places.iter().filter(wanted) {
            let yields: u64 = place.yields.values().sum();
            let about = match place.then.len() as u64 {
                _ if !engine.has_run() => "the engine was not run".to_string(),
                _ if yields == 0 => "not reached".to_string(),
                pairs => format!("{}, followed by {} of others", count(yields, "yield"), count(pairs, "place")),
            };
            let then: Vec<&str> = place.then.iter().map(|&at| engine.places[at as usize].place.as_str()).collect();
            list.push(json!({
                "name": place.place, "about": about, "engine": name, "yields": yields, "scenarios": place.yields,
                "then": then,
            }));
        }
    }
    Ok(list)
}

/// The name, then the line about it; what else there is follows in the machine forms.
fn human(items: &[Value]) -> String {
    let text =
        |item: &Map<String, Value>, key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let extras = ["version", "door", "engine", "class", "public_issue", "default"];
    let shown: Vec<&str> = extras
        .into_iter()
        .filter(|key| items.iter().any(|item| item.get(*key).is_some_and(Value::is_string)))
        .collect();
    let mut rows = vec![];
    let head = std::iter::once("name").chain(shown.iter().copied()).chain(["about"]);
    rows.push(head.map(str::to_string).collect());
    for item in items.iter().filter_map(Value::as_object) {
        let mut row = vec![text(item, "name")];
        row.extend(shown.iter().map(|key| text(item, key)));
        row.push(text(item, "about"));
        rows.push(row);
    }
    table(&rows, "")
}
