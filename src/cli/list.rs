//! `list`: what is compiled in.

use serde_json::{Map, Value, json};

use super::args::{Format, ListArgs, Listed};
use super::exit::{Exit, Failure};
use super::screen::{print, table};
use crate::scenario::keys::{KEYS, Kind};
use crate::scenario::value::Domain;
use crate::scenario::{Expect, Registry, Scenario};
use crate::sched::PolicyConfig;

pub(super) fn run(registry: &Registry, args: &ListArgs) -> Result<Exit, Failure> {
    let items = match args.what {
        Listed::Engines => engines(registry),
        Listed::Workloads => workloads(registry),
        Listed::Scenarios => scenarios(registry)?,
        Listed::Properties => properties(registry),
        Listed::Faults => faults(),
        Listed::Policies => policies(),
        Listed::Bugs => bugs(registry)?,
        Listed::Keys => keys(),
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
        "exhaustive" => "The calmest schedule; all of them for tiny scenarios.",
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
