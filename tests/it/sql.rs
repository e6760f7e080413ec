//! The SQL workloads: on SQLite they hold, and on SQLite spoiled in the ways in which a database can be wrong they
//! are found out.

#[path = "sql/spoiled.rs"]
mod spoiled;
#[path = "sql/user.rs"]
mod user;

use std::collections::BTreeMap;

use squall::engine::sql::Sql;
use squall::property::Verdict;
use squall::scenario::{Registry, SCENARIOS, Scenario, parse};
use squall::tape::Tape;

use spoiled::Spoiled;

/// Everything that comes with squall, and the spoiled engine alone to run it.
fn registry() -> Registry {
    Registry::new().engine::<Sql, Spoiled>().standard_workloads().standard_properties().scenarios(SCENARIOS)
}

/// What runs came to: the first finding of all with its seed, and how much each property compared.
#[derive(Debug, Default)]
struct Came {
    finding: Option<(u64, String, String)>,
    compared: BTreeMap<String, u64>,
}

/// Runs a scenario until something is found.
fn run(scenario: &Scenario, seeds: u64) -> Came {
    let registry = registry();
    let (pairings, skipped) = registry.pair(scenario, &[]).expect("it can be run");
    let [pairing] = &pairings[..] else { panic!("skipped: {skipped:?}") };
    let mut came = Came::default();
    for seed in 0..seeds {
        let configuration = pairing.configure(&registry, scenario, seed).expect("it can be configured");
        let result = registry.run(&configuration, seed, None, Tape::seeded(seed)).expect("it can be run");
        for (property, judgement) in &result.judged {
            *came.compared.entry(property.clone()).or_default() += judgement.compared;
            assert!(
                !matches!(&judgement.verdict, Verdict::Inconclusive(reason) if judgement.compared > 0 && reason.is_empty())
            );
        }
        if let Some(finding) = result.findings.first() {
            came.finding = Some((seed, finding.property.clone(), finding.sentence.clone()));
            return came;
        }
    }
    came
}

fn embedded(name: &str) -> Scenario {
    registry().library().embedded(name, &[]).expect("it is a scenario")
}

fn scenario(text: &str) -> Scenario {
    Scenario::new("test", vec![parse("test", text).expect("TOML")]).expect("a scenario")
}

#[test]
fn every_sql_workload_holds_on_sqlite_and_something_is_compared_by_every_property() {
    let names: Vec<&str> =
        SCENARIOS.iter().map(|known| known.0).filter(|name| name.starts_with("smoke/sql-")).collect();
    assert_eq!(names.len(), squall::workload::sql::all().len());
    for name in names {
        let scenario = embedded(name);
        let came = run(&scenario, 12);
        assert_eq!(came.finding, None, "{name}");
        let nothing: Vec<_> = came.compared.iter().filter(|compared| *compared.1 == 0).collect();
        assert!(nothing.is_empty() && !came.compared.is_empty(), "{name}: {:?}", came.compared);
    }
}

/// A workload on an engine spoiled like this: which properties may say so.
fn found(workload: &str, bug: &str, properties: &[&str]) {
    found_with("", workload, bug, properties);
}

/// The same, with knobs of its own.
fn found_with(knobs: &str, workload: &str, bug: &str, properties: &[&str]) {
    let text = format!(
        "workload = \"{workload}\"\nconnections = 3\ntransactions = 30\n\
         [knobs]\nkeys = 6\nvalue-bytes = 600\n{knobs}\n[engine]\nbugs = [\"{bug}\"]\n"
    );
    let came = run(&scenario(&text), 12);
    let Some((_, property, sentence)) = came.finding else { panic!("{bug} was not found: {:?}", came.compared) };
    assert!(properties.contains(&property.as_str()), "{bug} was found by {property}: {sentence}");
    let sound = text.replace(bug, "");
    assert_eq!(run(&scenario(&sound), 4).finding, None, "{workload} without {bug}");
}

#[test]
fn an_index_that_has_lost_an_entry_is_found() {
    found("secondary-index", "index-loses-entry", &["scan", "rw-register", "invariant"]);
}

#[test]
fn an_index_that_lets_a_name_in_twice_is_found() {
    found("unique-index", "name-twice", &["scan", "rw-register", "invariant", "durability"]);
}

#[test]
fn a_sum_that_misses_half_of_a_transfer_is_found() {
    found("sums", "update-forgotten", &["invariant"]);
}

#[test]
fn half_of_a_transfer_between_rows_is_found() {
    found("bank-rows", "update-forgotten", &["bank-total", "invariant"]);
}

#[test]
fn an_append_that_takes_anothers_place_is_found() {
    found("append-rows", "append-overwrites", &["list-append"]);
}

#[test]
fn a_job_that_is_taken_twice_is_found() {
    found("queue-rows", "taken-stays", &["durability"]);
    found_with("transaction-ops = 0", "queue-rows", "taken-stays", &["linearizability"]);
}

#[test]
fn a_savepoint_that_undoes_nothing_is_found() {
    found("savepoints", "rollback-to-keeps", &["rw-register", "scan", "durability"]);
}

#[test]
fn a_change_of_the_schema_that_takes_the_rows_along_is_found() {
    found("schema-change", "drop-wipes", &["rw-register", "scan", "durability"]);
}

#[test]
fn a_long_row_of_two_halves_is_found() {
    found("large-rows", "torn-row", &["garbage"]);
}

/// A scenario names a workload and no family, so one engine must not be able to run it in two ways.
#[test]
fn no_two_families_share_the_name_of_a_workload() {
    let registry = Registry::standard();
    let names: std::collections::BTreeSet<&str> = registry.workloads().iter().map(|known| known.name).collect();
    assert_eq!(names.len(), registry.workloads().len());
}
