//! Scans of stores that are whole, and of stores that are not.

use expect_test::expect;
use squall::engine::{Durability, Isolation};

use super::tiny::{Bug, Tiny, accepts, finds};

#[test]
fn a_store_whose_scans_are_whole_is_never_found_wrong() {
    for durability in [Durability::EveryCommit, Durability::None] {
        for isolation in [Isolation::Snapshot, Isolation::StrictSerializable] {
            let shape = Tiny::default().promising(isolation, durability);
            let shapes = [shape.clone().alone(), shape];
            let compared = accepts("scan", &["scans", "churn"], &shapes, 20);
            assert!(compared > 500, "{compared}");
        }
    }
}

#[test]
fn a_store_whose_scans_are_not_is_found_wrong() {
    let mut lines = Vec::new();
    for bug in [Bug::ScanSkips, Bug::ScanTears, Bug::DirtyRead] {
        for (name, shape) in [("alone", Tiny::default().alone()), ("in transactions", Tiny::default())] {
            for workload in ["scans", "churn"] {
                let (found, anomalies) = finds("scan", workload, &shape, bug, 20);
                lines.push(format!("{workload} {name} {bug:?}: {found} of 20 {anomalies:?}"));
            }
        }
    }
    expect![[r#"
        scans alone ScanSkips: 19 of 20 {"missing-row", "torn-scan"}
        churn alone ScanSkips: 17 of 20 {"missing-row"}
        scans in transactions ScanSkips: 17 of 20 {"missing-row", "torn-scan"}
        churn in transactions ScanSkips: 14 of 20 {"missing-row"}
        scans alone ScanTears: 10 of 20 {"cyclic-versions", "missing-row", "phantom"}
        churn alone ScanTears: 4 of 20 {"missing-row", "phantom"}
        scans in transactions ScanTears: 14 of 20 {"missing-row", "phantom"}
        churn in transactions ScanTears: 10 of 20 {"missing-row", "phantom"}
        scans alone DirtyRead: 0 of 20 {}
        churn alone DirtyRead: 0 of 20 {}
        scans in transactions DirtyRead: 20 of 20 {"missing-row", "phantom"}
        churn in transactions DirtyRead: 20 of 20 {"G1a", "internal", "missing-row", "phantom"}"#]]
    .assert_eq(&lines.join("\n"));
}
