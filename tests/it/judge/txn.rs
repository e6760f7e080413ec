//! Isolation on drawn histories: every anomaly has a history that shows it and one beside it that
//! does not.

use expect_test::{Expect, expect};
use squall::judge::{Consistency, Isolation, Verdict, list_append};

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
        "strong-read-committed serializable",
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
        "strong-read-committed monotonic-atomic-view monotonic-snapshot-read prefix \
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
        "strong-read-committed monotonic-atomic-view monotonic-view monotonic-snapshot-read prefix",
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
         cursor-stability prefix parallel-snapshot-isolation",
    );
}
