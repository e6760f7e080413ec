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
    expect![[r#"
        register StaleRead: 18 of 20 {"not-linearizable", "resurrected-read"}
        cas StaleRead: 18 of 20 {"not-linearizable"}
        counter StaleRead: 17 of 20 {"not-linearizable"}
        set StaleRead: 16 of 20 {"not-linearizable"}
        queue PopsTwice: 20 of 20 {"duplicate-elements"}
        queue Prepends: 18 of 20 {"not-linearizable"}
        scans ScanSkips: 19 of 20 {"not-linearizable"}
        scans ScanTears: 13 of 20 {"not-linearizable"}
        churn Prepends: 7 of 20 {"not-linearizable"}
        register ForgetsCommit: 8 of 20 {"not-linearizable", "resurrected-read"}
        queue ForgetsCommit: 6 of 20 {"duplicate-elements", "not-linearizable"}
        counter ForgetsCommit: 7 of 20 {"not-linearizable"}
        set ForgetsCommit: 10 of 20 {"not-linearizable"}"#]]
    .assert_eq(&lines.join("\n"));
}
