//! The examples of the doors, run: all hold, all are caught when they leave out a sync, and all are short.

#[path = "../../examples/door_blocking.rs"]
#[allow(dead_code, unreachable_pub)]
mod blocking;
#[path = "../../examples/door_future.rs"]
#[allow(dead_code, unreachable_pub)]
mod future;

#[path = "../../examples/door_machine.rs"]
#[allow(dead_code, unreachable_pub)]
mod machine;

use squall::scenario::{Registry, parse_flag};
use squall::tape::Tape;

/// Runs an example's scenario on 60 seeds; answers what it compared, and the first finding.
fn check(registry: &Registry, sync: bool) -> (u64, Option<String>) {
    let flag = parse_flag(&format!("engine.sync={sync}")).expect("a flag");
    let scenario = registry.library().embedded("replace", &[flag]).expect("a scenario");
    let (pairings, _) = registry.pair(&scenario, &[]).expect("an engine for it");
    let mut compared = 0;
    for seed in 0..60 {
        let configuration = pairings[0].configure(registry, &scenario, seed).expect("it fits");
        let result = registry.run(&configuration, seed, None, Tape::seeded(seed)).expect("it runs");
        compared += result.judged.iter().map(|(_, judgement)| judgement.compared).sum::<u64>();
        if let Some(finding) = result.findings.first() {
            return (compared, Some(finding.property.clone()));
        }
    }
    (compared, None)
}

#[test]
fn the_examples_hold() {
    for registry in [blocking::registry(), future::registry(), machine::registry()] {
        let (compared, finding) = check(&registry, true);
        assert!(compared > 200 && finding.is_none(), "{compared} {finding:?}");
    }
}

#[test]
fn without_the_sync_before_the_rename_the_examples_are_found_to_lose_values() {
    for registry in [blocking::registry(), future::registry(), machine::registry()] {
        let finding = check(&registry, false).1.expect("a finding");
        assert!(["durability", "garbage", "linearizability"].contains(&finding.as_str()), "{finding}");
    }
}

#[test]
fn each_door_is_shown_in_less_than_120_lines_of_code() {
    let examples = [
        include_str!("../../examples/door_blocking.rs"),
        include_str!("../../examples/door_future.rs"),
        include_str!("../../examples/door_machine.rs"),
    ];
    for example in examples {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = example.lines().filter(is_code).count();
        assert!(lines < 120, "{lines}: {}", example.lines().next().unwrap_or_default());
    }
}
