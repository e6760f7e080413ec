//! Isolation against stores that keep it, and stores that do not.

use expect_test::expect;
use squall::engine::{Durability, Isolation};

use super::tiny::{Bug, Tiny, accepts, finds};

#[test]
fn a_store_that_is_isolated_as_promised_is_never_found_wrong() {
    for durability in [Durability::EveryCommit, Durability::AtCheckpoint, Durability::None] {
        for isolation in [Isolation::Snapshot, Isolation::Serializable, Isolation::StrictSerializable] {
            let shape = Tiny::default().promising(isolation, durability);
            let ordered = Tiny { tells_order: true, ..shape.clone() };
            let shapes = [shape.clone().alone(), shape, ordered];
            let lists = accepts("list-append", &["list-append"], &shapes, 15);
            let registers = accepts("rw-register", &["register", "rw-register", "cas", "scans"], &shapes, 6);
            assert!(lists > 2_000 && registers > 4_000, "{lists} {registers}");
        }
    }
}

#[test]
fn a_store_that_is_not_is_found_wrong() {
    let mut lines = Vec::new();
    for bug in
        [Bug::LostUpdate, Bug::WriteSkew, Bug::DirtyRead, Bug::AppliesRollback, Bug::ForgetsCommit, Bug::Prepends]
    {
        for (property, workload) in
            [("list-append", "list-append"), ("rw-register", "rw-register"), ("rw-register", "scans")]
        {
            for tells_order in [false, true] {
                let shape = Tiny { tells_order, ..Tiny::default() };
                let (found, anomalies) = finds(property, workload, &shape, bug, 20);
                let order = if tells_order { " with orders" } else { "" };
                lines.push(format!("{workload} {bug:?}{order}: {found} of 20 {anomalies:?}"));
            }
        }
    }
    expect![[""]].assert_eq(&lines.join("\n"));
}

#[test]
fn operations_that_stand_alone_may_not_be_stale() {
    let (found, anomalies) = finds("list-append", "list-append", &Tiny::default().alone(), Bug::StaleRead, 20);
    expect![[""]].assert_eq(&format!("{found} of 20 {anomalies:?}"));
}
