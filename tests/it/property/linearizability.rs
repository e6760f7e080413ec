//! Linearizability against stores that are atomic, and stores that are not.

use expect_test::expect;
use squall::engine::{Durability, Isolation};

use super::tiny::{Bug, Tiny, accepts, finds};

const SINGLE: [&str; 7] = ["cas", "churn", "counter", "queue", "register", "scans", "set"];

#[test]
fn a_store_that_is_atomic_is_never_found_wrong() {
    for durability in [Durability::EveryCommit, Durability::AtCheckpoint, Durability::None] {
        let shape = Tiny::default().alone().promising(Isolation::StrictSerializable, durability);
        let many = Tiny { clients: 9, transactions: 30, ..shape.clone() };
        let compared = accepts("linearizability", &SINGLE, &[shape, many], 12);
        assert!(compared > 10_000, "{compared}");
    }
}

#[test]
fn a_store_that_is_not_is_found_wrong() {
    let mut lines = Vec::new();
    for (workload, bug) in [
        ("register", Bug::StaleRead),
        ("cas", Bug::StaleRead),
        ("counter", Bug::StaleRead),
        ("set", Bug::StaleRead),
        ("queue", Bug::PopsTwice),
        ("queue", Bug::Prepends),
        ("scans", Bug::ScanSkips),
        ("scans", Bug::ScanTears),
        ("churn", Bug::Prepends),
        ("register", Bug::ForgetsCommit),
        ("queue", Bug::ForgetsCommit),
        ("counter", Bug::ForgetsCommit),
        ("set", Bug::ForgetsCommit),
    ] {
        let (found, anomalies) = finds("linearizability", workload, &Tiny::default().alone(), bug, 20);
        lines.push(format!("{workload} {bug:?}: {found} of 20 {anomalies:?}"));
    }
    expect![[""]].assert_eq(&lines.join("\n"));
}
