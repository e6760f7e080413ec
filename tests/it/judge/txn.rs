//! Isolation on drawn histories: every anomaly has a history that shows it and one beside it that
//! does not.

use expect_test::{Expect, expect};
use squall::judge::{Consistency, Isolation, KeyOrder, Verdict, list_append, rw_register, rw_register_for};

use super::txn_draw;

fn lists(text: &str) -> Isolation {
    list_append(&txn_draw::history(text))
}

fn kinds(isolation: &Isolation) -> String {
    let kinds: Vec<&str> = isolation.anomalies.iter().map(|a| a.kind.as_str()).collect();
    kinds.join(" ")
}

fn shows(text: &str, anomalies: &str, strongest: &str) {
    let isolation = lists(text);
    let left: Vec<&str> = isolation.strongest.iter().map(|model| model.name()).collect();
    assert_eq!((kinds(&isolation), left.join(" ")), (anomalies.into(), strongest.into()));
}

fn proves(text: &str, expected: Expect) {
    let proofs: Vec<String> = lists(text).anomalies.iter().map(ToString::to_string).collect();
    expected.assert_eq(&proofs.concat());
}

#[test]
fn a_serial_history_shows_nothing() {
    shows(
        "0 0..1 append x 1, append y 1
         1 2..3 r x [1], append x 2, r x [1 2]
         0 4..5 r x [1 2], r y [1]",
        "",
        "strict-serializable",
    );
}

#[test]
fn writes_in_two_orders_are_g0() {
    proves(
        "0 0..5 append x 1, append y 1
         1 0..5 append x 2, append y 2
         2 6..7 r x [1 2], r y [2 1]",
        expect![[r#"
            G0
              Let T1 = #0 by p0 (append x 1, append y 1), T2 = #1 by p1 (append x 2, append y 2).
              T1 comes before T2, because T2 wrote 2 to x after what T1 wrote there.
              However, T1 comes after T2, because T1 wrote 1 to y after what T2 wrote there: contradiction.
        "#]],
    );
}

#[test]
fn an_aborted_append_that_is_read_is_g1a() {
    shows(
        "0 0..1 fail append x 1
         1 2..3 r x [1]",
        "G1a",
        "strong-read-uncommitted",
    );
}

#[test]
fn an_append_on_top_of_an_aborted_one_is_a_dirty_update() {
    shows(
        "0 0..1 fail append x 1
         1 2..3 append x 2
         1 4..5 r x [1 2]",
        "dirty-update G1a",
        "strong-read-uncommitted",
    );
}

#[test]
fn half_of_a_transaction_that_is_read_is_g1b() {
    shows(
        "0 0..9 append x 1, append x 2
         1 2..3 r x [1]",
        "G1b G-single-item",
        "strong-read-uncommitted",
    );
}

#[test]
fn two_that_read_each_other_are_g1c() {
    shows(
        "0 0..9 append x 1, r y [1]
         1 0..9 append y 1, r x [1]",
        "G1c",
        "strong-read-uncommitted",
    );
}

#[test]
fn a_read_of_a_past_that_was_over_is_g_single_realtime() {
    proves(
        "0 0..1 append x 1
         0 2..3 append x 2
         1 4..5 r x [1]",
        expect![[r#"
            G-single-item-realtime
              Let T1 = #1 by p0 (append x 2), T2 = #2 by p1 (r x [1]).
              T1 comes before T2, because T1 ended before T2 began.
              However, T1 comes after T2, because T2 read x before T1 wrote 2 to it: contradiction.
        "#]],
    );
}

#[test]
fn a_process_that_does_not_see_its_own_append_breaks_its_session() {
    shows(
        "0 0..1 append x 1
         0 2..3 r x []",
        "G-single-item-process",
        "strong-read-committed strong-session-causal serializable",
    );
}

#[test]
fn a_write_skew_is_g2() {
    proves(
        "0 0..9 r x [], append y 1
         1 0..9 r y [], append x 1",
        expect![[r#"
            G2-item
              Let T1 = #0 by p0 (r x [], append y 1), T2 = #1 by p1 (r y [], append x 1).
              T1 comes before T2, because T1 read x before T2 wrote 1 to it.
              However, T1 comes after T2, because T2 read y before T1 wrote 1 to it: contradiction.
        "#]],
    );
}

#[test]
fn two_readers_that_disagree_are_a_long_fork() {
    shows(
        "0 0..9 append x 1
         1 0..9 append y 1
         2 0..9 r x [1], r y []
         3 0..9 r x [], r y [1]",
        "G-nonadjacent-item",
        "strong-read-committed monotonic-atomic-view monotonic-snapshot-read strong-session-causal prefix \
         parallel-snapshot-isolation update-serializable",
    );
}

#[test]
fn two_that_append_to_the_same_list_they_read_have_lost_an_update() {
    shows(
        "0 0..1 append x 1
         1 2..9 r x [1], append x 2
         2 2..9 r x [1], append x 3",
        "lost-update G2-item",
        "strong-read-committed monotonic-atomic-view monotonic-view monotonic-snapshot-read strong-session-causal prefix",
    );
}

#[test]
fn a_value_nobody_appended_is_garbage_under_every_model() {
    shows(
        "0 0..1 append x 1
         1 2..3 r x [1 9]",
        "garbage-read",
        "",
    );
}

#[test]
fn reading_what_is_appended_later_is_a_future_read() {
    shows("0 0..1 r x [1], append x 1", "future-read", "strong-read-uncommitted");
}

#[test]
fn reading_otherwise_than_one_has_appended_is_internal() {
    shows(
        "0 0..1 append x 1, r x []",
        "internal",
        "strong-read-committed monotonic-snapshot-read update-serializable repeatable-read",
    );
}

#[test]
fn an_element_twice_in_a_read_is_named() {
    shows(
        "0 0..1 append x 1
         1 2..3 r x [1 1]",
        "duplicate-elements",
        "",
    );
}

#[test]
fn lists_that_are_not_beginnings_of_each_other_are_named() {
    shows(
        "0 0..9 append x 1
         1 0..9 append x 2
         2 0..9 r x [1 2]
         3 0..9 r x [2]",
        "incompatible-order",
        "strong-read-uncommitted",
    );
}

#[test]
fn a_value_appended_twice_is_no_history_to_judge() {
    let isolation = lists(
        "0 0..1 append x 1
         1 2..3 append x 1",
    );
    let judgement = isolation.judge(Consistency::Serializable);
    let Verdict::Inconclusive(reason) = judgement.verdict else { panic!("{judgement:#?}") };
    assert_eq!(reason, "operation 1: writes 1 to x, which transaction 0 writes too: values must be unique");
}

#[test]
fn nothing_read_is_not_green() {
    let judgement = lists("0 0..1 append x 1").judge(Consistency::Serializable);
    assert!(matches!(judgement.verdict, Verdict::Inconclusive(_)));
}

#[test]
fn an_append_whose_end_is_unknown_counts_once_it_was_read() {
    shows(
        "0 0..? append x 1, append y 1
         1 2..3 r x [1], r y []",
        "G-single-item",
        "strong-read-committed monotonic-atomic-view monotonic-view monotonic-snapshot-read \
         cursor-stability strong-session-causal prefix parallel-snapshot-isolation",
    );
}

fn registers(text: &str) -> Isolation {
    rw_register(&txn_draw::history(text), KeyOrder::default())
}

fn register_shows(text: &str, anomalies: &str) {
    let isolation = registers(text);
    assert_eq!(kinds(&isolation), anomalies, "{isolation:#?}");
    assert_eq!(isolation.undecided, None);
}

#[test]
fn registers_written_one_after_the_other_show_nothing() {
    register_shows(
        "0 0..1 r x null, w x 1
         1 2..3 r x 1, w x 2, w y 3
         0 4..5 r x 2, r y 3",
        "",
    );
}

#[test]
fn a_register_value_nobody_wrote_is_garbage() {
    register_shows("0 0..1 w x 1\n 1 2..3 r x 2", "garbage-read");
}

#[test]
fn a_stale_read_of_a_register_breaks_only_real_time() {
    register_shows(
        "0 0..1 w x 1
         0 2..3 w x 2
         1 4..5 r x 1",
        "G-single-item-realtime",
    );
}

#[test]
fn swapped_stale_reads_break_real_time_and_sessions() {
    register_shows(
        "1 0..1 r x null
         2 2..3 r x null
         1 4..5 w x 100
         2 6..7 w x 200
         1 8..9 r x 200
         2 10..11 r x 100",
        "G-single-item-realtime causality-process",
    );
}

#[test]
fn half_of_each_of_two_transactions_is_a_fractured_read() {
    register_shows(
        "0 0..9 w x 1, w y 1
         1 0..9 w x 2, w y 2
         2 10..11 r x 1, r y 2",
        "fractured-read",
    );
}

#[test]
fn a_write_skew_on_registers_is_g2() {
    register_shows(
        "0 0..9 r x null, w y 1
         1 0..9 r y null, w x 2",
        "G2-item",
    );
}

#[test]
fn a_lost_update_on_a_register_is_named() {
    let isolation = registers(
        "0 0..1 w x 1
         1 2..9 r x 1, w x 2
         2 2..9 r x 1, w x 3",
    );
    assert!(kinds(&isolation).contains("lost-update"), "{isolation:#?}");
    assert!(isolation.rules_out(Consistency::SnapshotIsolation));
}

#[test]
fn an_effect_seen_without_its_cause_breaks_causality() {
    let isolation = registers(
        "0 0..1 w x 1
         1 2..3 r x 1, w y 2
         2 4..5 r y 2, r x null",
    );
    assert!(isolation.rules_out(Consistency::StrongSessionCausal), "{isolation:#?}");
}

#[test]
fn the_order_in_which_the_engine_committed_decides() {
    let text = "0 0..9 @1 w x 1
                1 0..9 @2 w x 2
                2 10..11 r x 1";
    register_shows(text, "G-single-item-realtime");
    register_shows(&text.replace('@', "0 ").replace("0 1 w", "w").replace("0 2 w", "w"), "");
}

#[test]
fn a_contradiction_no_single_dependency_shows_is_deduced() {
    let isolation = registers(
        "2 193..197 w x 114
         0 196..200 w z 116, w y 117
         1 202..209 r y 117, w y 119
         3 204..228 r z 116, r x 114, w x 120
         0 210..212 w z 125
         1 211..219 r z 125, r y 119, r x 114",
    );
    assert!(!isolation.rules_out(Consistency::StrongSnapshotIsolation), "{isolation:#?}");
    let proofs: Vec<String> = isolation.anomalies.iter().map(ToString::to_string).collect();
    expect![[r#"
        not-serializable
          Let T1 = #0 by p2 (w x 114), T2 = #1 by p0 (w z 116, w y 117), T3 = #2 by p1 (r y 117, w y 119), T4 = #3 by p3 (r z 116, r x 114, w x 120), T5 = #4 by p0 (w z 125), T6 = #5 by p1 (r z 125, r y 119, r x 114).
          T1 comes before T4: both wrote x, and it cannot come after it.
          T2 comes before T3: both wrote y, and it cannot come after it.
          T2 comes before T5: T6 comes after T2, but read z from T5.
          T6 comes before T4: it read x from T1, and T4 wrote it after T1.
          T5 comes before T2: T4 comes after T5, but read z from T2.
          T2 comes before T5, because T5 wrote 125 to z after what T2 wrote there.
          However, T2 comes after T5, because T2 wrote 116 to z after what T5 wrote there: contradiction.
    "#]].assert_eq(&proofs.concat());
}

#[test]
fn a_weak_model_that_is_asked_for_leaves_the_stronger_ones_undecided() {
    let history = txn_draw::history(
        "0 0..9 w x 1
         1 0..9 w x 2
         2 10..11 r x 1",
    );
    let isolation = rw_register_for(&history, KeyOrder::default(), Consistency::Causal);
    assert!(isolation.judge(Consistency::Causal).holds());
    let judgement = isolation.judge(Consistency::Serializable);
    assert!(matches!(judgement.verdict, Verdict::Inconclusive(_)), "{judgement:#?}");
}
