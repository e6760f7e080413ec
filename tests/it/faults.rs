//! Faults that a scenario switches on and that reach an engine otherwise than through an I/O's outcome, on dinghy.

use std::sync::Arc;

use squall::aio::{ErrorKind, IoKind};
use squall::disk::sim::{Dice, FaultRule, IoFacts, Strike};
use squall::history::{Class, Fact, Outcome};
use squall::scenario::{Configuration, Registry, parse_flag};
use squall::sim::RunResult;
use squall::tape::{Decisions, Ratio, Tape};

const SCENARIO: &str = "engines = \"dinghy\"\nworkload = \"churn\"\nconnections = 3\ntransactions = 12\n";

fn configured(registry: &Registry, flags: &[&str], seed: u64) -> Configuration {
    let folder = tempfile::tempdir().expect("room for a directory");
    let file = folder.path().join("faults.toml");
    std::fs::write(&file, SCENARIO).expect("room for a file");
    let flags: Result<Vec<_>, _> = flags.iter().map(|flag| parse_flag(flag)).collect();
    let found = registry.library().find(file.to_str().expect("a plain name"), &flags.expect("sound flags"));
    let scenario = found.expect("a sound scenario").remove(0);
    let (pairings, _) = registry.pair(&scenario, &[]).expect("it exists");
    pairings[0].configure(registry, &scenario, seed).expect("it can be run")
}

/// Runs some seeds, each a second time from its record; answers how often `count` counted something.
fn check(registry: &Registry, flags: &[&str], count: impl Fn(&RunResult) -> u64) -> u64 {
    let mut sum = 0;
    for seed in 0..20 {
        let configuration = configured(registry, flags, seed);
        let run = |tape| registry.run(&configuration, seed, None, tape).expect("it can be run");
        let first = run(Tape::seeded(seed).recording());
        assert!(first.findings.is_empty(), "seed {seed}: {:?}", first.findings);
        let decisions = first.decisions.clone().expect("recorded");
        let text = Decisions::parse(&decisions.schedule_text(), &decisions.draws_text()).expect("our own text");
        let again = run(Tape::recorded(seed, text));
        assert_eq!((again.hash, count(&again)), (first.hash, count(&first)), "seed {seed}");
        sum += count(&first);
    }
    sum
}

fn refused_for_room(result: &RunResult) -> u64 {
    let full = |fact: &Fact| matches!(fact, Fact::Return { outcome: Outcome::Refused(Class::Full), .. });
    result.history.events.iter().filter(|event| full(&event.fact)).count() as u64
}

#[test]
fn an_allocation_that_fails_is_refused_cleanly() {
    let registry = Registry::standard();
    let flags = ["disk.no-memory=1/20", "engine.cache_pages=4", "crash.rate=1/500"];
    assert!(check(&registry, &flags, refused_for_room) > 0);
    let struck = |result: &RunResult| result.faults.get("no-memory").copied().unwrap_or(0);
    assert!(check(&registry, &flags, struck) > 0);
}

#[test]
fn clients_that_give_up_go_away_and_wake_too_early_do_no_harm() {
    let registry = Registry::standard();
    let flags = ["abandon=1/40", "close=1/40", "spurious-wakeup=1/5", "disk.slow=1/10", "crash.rate=1/1000"];
    assert!(check(&registry, &flags, |result| result.ops.pending) > 20);
}

/// A device whose first 20 KiB often refuse writes.
struct WornOut;

impl FaultRule for WornOut {
    fn name(&self) -> &'static str {
        "worn-out"
    }

    fn strike(&self, io: &IoFacts<'_>, dice: &mut Dice<'_>) -> Option<Strike> {
        let worn = io.kind == IoKind::Write && io.offset < 20 << 10;
        (worn && dice.chance(Ratio::new(1, 10))).then_some(Strike::Fail(ErrorKind::Io))
    }
}

#[test]
fn a_rule_of_the_program_strikes_where_a_scenario_names_it() {
    let registry = Registry::standard().fault_rule(Arc::new(WornOut));
    let struck = |result: &RunResult| result.faults.get("worn-out").copied().unwrap_or(0);
    assert_eq!(check(&registry, &[], struck), 0);
    assert!(check(&registry, &["disk.rules=worn-out"], struck) > 20);
}
