//! Turso over the simulated disk: the scenarios of the crate, crashes, abandoned statements, and the same run twice.

use std::collections::BTreeMap;

use squall::scenario::{Configuration, Registry, parse_flag};
use squall::sim::RunResult;
use squall::tape::Tape;

const MODES: [(&str, &str); 2] = [("wal", "immediate"), ("mvcc", "concurrent")];

/// One run of an embedded scenario on Turso, with flags as for `--set`.
fn run(registry: &Registry, name: &str, flags: &[String], seed: u64, tape: Tape) -> RunResult {
    let configuration = configure(registry, name, flags, seed);
    registry.run(&configuration, seed, None, tape).expect("the scenario runs on Turso")
}

fn configure(registry: &Registry, name: &str, flags: &[String], seed: u64) -> Configuration {
    let flags: Vec<_> = flags.iter().map(|flag| parse_flag(flag).expect("a flag")).collect();
    let scenario = registry.library().embedded(name, &flags).expect("an embedded scenario");
    let (pairings, _) = registry.pair(&scenario, &["turso".to_string()]).expect("it fits");
    pairings[0].configure(registry, &scenario, seed).expect("it resolves")
}

fn flags(mode: (&str, &str), more: &[&str]) -> Vec<String> {
    let own = [format!("engine.journal_mode={}", mode.0), format!("engine.begin={}", mode.1)];
    own.into_iter().chain(more.iter().map(ToString::to_string)).collect()
}

#[test]
fn the_same_seed_gives_the_same_run_and_its_record_gives_it_again() {
    let registry = Registry::standard();
    for mode in MODES {
        let flags = flags(mode, &["crash.rate=1/300", "abandon=1/50", "engine.yields=100"]);
        let mut crashes = 0;
        for seed in 0..4 {
            let first = run(&registry, "smoke/list-append", &flags, seed, Tape::seeded(seed).recording());
            let again = run(&registry, "smoke/list-append", &flags, seed, Tape::seeded(seed));
            assert_eq!((first.hash, first.turns), (again.hash, again.turns), "{mode:?}, seed {seed}");
            let decisions = first.decisions.clone().expect("recorded");
            let replay = run(&registry, "smoke/list-append", &flags, seed, Tape::recorded(seed, decisions));
            assert_eq!((replay.hash, replay.misfit), (first.hash, None), "{mode:?}, seed {seed}");
            crashes += first.crashes;
        }
        assert!(crashes > 4, "{mode:?}: only {crashes} crashes, those at the end included");
    }
}

#[test]
fn transactions_commit_and_are_read_back_in_both_journal_modes() {
    let registry = Registry::standard();
    for mode in MODES {
        for scenario in ["smoke/bank", "smoke/list-append", "smoke/queue", "smoke/scans"] {
            let calm = ["crash.rate=0/1", "disk.read-eio=0/1", "disk.write-eio=0/1", "disk.interrupted=0/1"];
            let flags = flags(mode, &calm);
            let mut compared = BTreeMap::new();
            for seed in 0..3 {
                let result = run(&registry, scenario, &flags, seed, Tape::seeded(seed));
                assert!(result.findings.is_empty(), "{mode:?} {scenario} seed {seed}: {:?}", result.findings);
                assert!(result.ops.ok > result.ops.refused, "{mode:?} {scenario} seed {seed}: {:?}", result.ops);
                for (property, judgement) in result.judged {
                    *compared.entry(property).or_insert(0) += judgement.compared;
                }
            }
            assert!(compared.values().all(|&count| count > 0), "{mode:?} {scenario}: {compared:?}");
        }
    }
}
