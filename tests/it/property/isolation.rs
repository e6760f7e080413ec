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
            assert!(lists > 1_500 && registers > 3_000, "{lists} {registers}");
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
    expect![[r#"
        list-append LostUpdate: 20 of 20 {"incompatible-order", "lost-update"}
        list-append LostUpdate with orders: 20 of 20 {"incompatible-order", "lost-update"}
        rw-register LostUpdate: 20 of 20 {"lost-update"}
        rw-register LostUpdate with orders: 20 of 20 {"lost-update"}
        scans LostUpdate: 16 of 20 {"G-single-item", "G2-item", "lost-update"}
        scans LostUpdate with orders: 19 of 20 {"G-single-item", "lost-update"}
        list-append WriteSkew: 1 of 20 {"G2-item-process"}
        list-append WriteSkew with orders: 1 of 20 {"G2-item-process"}
        rw-register WriteSkew: 1 of 20 {"G2-item"}
        rw-register WriteSkew with orders: 2 of 20 {"G2-item"}
        scans WriteSkew: 5 of 20 {"G2-item"}
        scans WriteSkew with orders: 5 of 20 {"G2-item"}
        list-append DirtyRead: 20 of 20 {"internal"}
        list-append DirtyRead with orders: 20 of 20 {"internal"}
        rw-register DirtyRead: 20 of 20 {"internal"}
        rw-register DirtyRead with orders: 20 of 20 {"internal"}
        scans DirtyRead: 20 of 20 {"G1a", "G1b", "internal"}
        scans DirtyRead with orders: 20 of 20 {"G1a", "G1b", "internal"}
        list-append AppliesRollback: 19 of 20 {"G1a"}
        list-append AppliesRollback with orders: 19 of 20 {"G1a"}
        rw-register AppliesRollback: 19 of 20 {"G1a"}
        rw-register AppliesRollback with orders: 19 of 20 {"G1a"}
        scans AppliesRollback: 18 of 20 {"G1a"}
        scans AppliesRollback with orders: 18 of 20 {"G1a"}
        list-append ForgetsCommit: 12 of 20 {"G-nonadjacent-item-process", "G-single-item", "G-single-item-process", "G-single-item-realtime", "G0-realtime", "incompatible-order"}
        list-append ForgetsCommit with orders: 12 of 20 {"G-nonadjacent-item-process", "G-single-item", "G-single-item-process", "G-single-item-realtime", "G0-realtime", "incompatible-order"}
        rw-register ForgetsCommit: 10 of 20 {"G-single-item", "G-single-item-process", "G-single-item-realtime", "G0", "cyclic-versions", "lost-update"}
        rw-register ForgetsCommit with orders: 10 of 20 {"G-single-item", "G-single-item-process", "G-single-item-realtime", "cyclic-versions", "lost-update"}
        scans ForgetsCommit: 8 of 20 {"G-single-item", "G-single-item-realtime", "cyclic-versions"}
        scans ForgetsCommit with orders: 8 of 20 {"G-single-item", "G-single-item-realtime", "cyclic-versions"}
        list-append Prepends: 17 of 20 {"incompatible-order", "internal"}
        list-append Prepends with orders: 17 of 20 {"incompatible-order", "internal"}
        rw-register Prepends: 0 of 20 {}
        rw-register Prepends with orders: 0 of 20 {}
        scans Prepends: 0 of 20 {}
        scans Prepends with orders: 0 of 20 {}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn operations_that_stand_alone_may_not_be_stale() {
    let (found, anomalies) = finds("list-append", "list-append", &Tiny::default().alone(), Bug::StaleRead, 20);
    expect![[r#"17 of 20 {"G-single-item-process", "G-single-item-realtime"}"#]]
        .assert_eq(&format!("{found} of 20 {anomalies:?}"));
}
