//! Durability against stores that keep, lose, halve and resurrect.

use expect_test::expect;
use squall::engine::{Durability, Isolation};

use super::tiny::{Bug, Tiny, accepts, finds};

const ALL: [&str; 10] =
    ["bank", "cas", "churn", "counter", "list-append", "queue", "register", "rw-register", "scans", "set"];

#[test]
fn a_store_that_keeps_its_promise_is_never_found_wrong() {
    for durability in [Durability::EveryCommit, Durability::AtCheckpoint, Durability::None] {
        for isolation in [Isolation::Snapshot, Isolation::StrictSerializable] {
            let shape = Tiny::default().promising(isolation, durability);
            let ordered = Tiny { tells_order: true, ..shape.clone() };
            let compared = accepts("durability", &ALL, &[shape.clone().alone(), shape, ordered], 20);
            assert!(compared > 4_000, "{compared}");
        }
    }
}

#[test]
fn a_store_that_forgets_halves_or_keeps_too_much_is_found_wrong() {
    let every = Tiny::default();
    let mut lines = Vec::new();
    for workload in ALL {
        for bug in [Bug::ForgetsCommit, Bug::HalfCommit, Bug::AppliesRollback] {
            let (found, anomalies) = finds("durability", workload, &every, bug, 20);
            lines.push(format!("{workload} {bug:?}: {found} of 20 {anomalies:?}"));
        }
    }
    expect![[r#"
        bank ForgetsCommit: 20 of 20 {"wrong-sum"}
        bank HalfCommit: 20 of 20 {"wrong-sum"}
        bank AppliesRollback: 20 of 20 {"wrong-sum"}
        cas ForgetsCommit: 11 of 20 {"lost-write", "resurrected-write"}
        cas HalfCommit: 4 of 20 {"half-transaction", "lost-write"}
        cas AppliesRollback: 6 of 20 {"aborted-write"}
        churn ForgetsCommit: 18 of 20 {"half-transaction", "lost-append", "lost-removal", "lost-write"}
        churn HalfCommit: 15 of 20 {"half-transaction", "lost-append", "lost-write"}
        churn AppliesRollback: 18 of 20 {"aborted-write", "half-transaction", "lost-write"}
        counter ForgetsCommit: 12 of 20 {"wrong-sum"}
        counter HalfCommit: 9 of 20 {"wrong-sum"}
        counter AppliesRollback: 19 of 20 {"wrong-sum"}
        list-append ForgetsCommit: 12 of 20 {"half-transaction", "lost-append"}
        list-append HalfCommit: 9 of 20 {"half-transaction"}
        list-append AppliesRollback: 19 of 20 {"aborted-write"}
        queue ForgetsCommit: 12 of 20 {"half-transaction", "lost-append", "lost-removal"}
        queue HalfCommit: 6 of 20 {"half-transaction", "lost-append"}
        queue AppliesRollback: 18 of 20 {"aborted-write", "half-transaction", "lost-append"}
        register ForgetsCommit: 12 of 20 {"lost-write"}
        register HalfCommit: 7 of 20 {"half-transaction"}
        register AppliesRollback: 9 of 20 {"aborted-write"}
        rw-register ForgetsCommit: 9 of 20 {"lost-write", "resurrected-write"}
        rw-register HalfCommit: 5 of 20 {"half-transaction"}
        rw-register AppliesRollback: 14 of 20 {"aborted-write"}
        scans ForgetsCommit: 9 of 20 {"lost-write"}
        scans HalfCommit: 8 of 20 {"half-transaction", "lost-write"}
        scans AppliesRollback: 13 of 20 {"aborted-write", "half-transaction", "lost-write"}
        set ForgetsCommit: 8 of 20 {"lost-write"}
        set HalfCommit: 5 of 20 {"lost-write"}
        set AppliesRollback: 14 of 20 {"aborted-write", "lost-write"}"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn an_engine_that_may_lose_commits_may_not_lose_them_out_of_order_or_by_half() {
    let mut lines = Vec::new();
    for (durability, bug) in [(Durability::AtCheckpoint, Bug::ForgetsCommit), (Durability::None, Bug::HalfCommit)] {
        let shape = Tiny::default().promising(Isolation::StrictSerializable, durability);
        for workload in ["list-append", "rw-register", "churn"] {
            let (found, anomalies) = finds("durability", workload, &shape, bug, 40);
            lines.push(format!("{workload} {bug:?}: {found} of 40 {anomalies:?}"));
        }
    }
    expect![[r#"
        list-append ForgetsCommit: 18 of 40 {"half-transaction", "hole", "lost-append"}
        rw-register ForgetsCommit: 16 of 40 {"hole", "lost-write"}
        churn ForgetsCommit: 24 of 40 {"half-transaction", "hole", "lost-append", "lost-removal", "lost-write"}
        list-append HalfCommit: 4 of 40 {"half-transaction"}
        rw-register HalfCommit: 11 of 40 {"half-transaction"}
        churn HalfCommit: 7 of 40 {"half-transaction"}"#]]
    .assert_eq(&lines.join("\n"));
}
