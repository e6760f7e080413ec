//! What linearizability accepts and what it does not, drawn.

use expect_test::{Expect, expect};

use super::Linearizability;
use crate::engine::{Durability, Isolation};
use crate::property::drawn::{check_with, promises};

fn check(text: &str, expected: Expect) {
    check_with(&mut Linearizability, text, |_| {}, expected);
}

fn lossy(text: &str, expected: Expect) {
    let tune = promises(Isolation::StrictSerializable, Durability::None);
    check_with(&mut Linearizability, text, tune, expected);
}

#[test]
fn a_read_may_see_a_write_that_is_under_way_or_not() {
    for seen in ["1", "nil"] {
        let text = format!(
            "
            c0: |------ w x 1 ------|
            c1:    |- r x {seen} -|"
        );
        check(&text, expect!["holds, 1 compared"]);
    }
}

#[test]
fn a_stale_read_is_found() {
    let text = "
        c0: |- w x 1 -|  |- w x 2 -|
        c1:                            |- r x 1 -|";
    check(
        text,
        expect![[r#"
        not-linearizable in turn 49 at x by [0, 1, 2]: What x answered fits no order of the operations: The value was c0.1.0 when operation 0 ended and still when operation 2 began, but c0.2.0 was written in between.
          operation 0 of process 0: write x c0.1.0, acknowledged in turn 22
          operation 1 of process 0: write x c0.2.0, acknowledged in turn 35
          operation 2 of process 1: read x, answered c0.1.0 in turn 49"#]],
    );
}

#[test]
fn a_write_that_was_refused_is_never_seen() {
    check(
        "c0: |- w x 1 -!  |- r x 1 -|",
        expect![[r#"
            aborted-read in turn 27 at x by [1]: Operation 1 read c0.1.0 under x, but its write, operation 0, never took effect.
              operation 1 of process 0: read x, answered c0.1.0 in turn 27"#]],
    );
}

#[test]
fn a_write_in_doubt_may_take_effect_late_but_once() {
    let text = "
        c0: |- w x 1 -?    |- w x 2 -|
        c1:                              |- r x 2 -|  |- r x 1 -|";
    check(text, expect!["holds, 2 compared"]);
    let twice = "
        c0: |- w x 1 -?    |- w x 2 -|
        c1:                              |- r x 1 -|  |- r x 2 -|  |- r x 1 -|";
    check(
        twice,
        expect![[r#"
        not-linearizable in turn 77 at x by [0, 1, 2, 3, 4]: What x answered fits no order of the operations: The value was c0.2.0 when operation 1 ended and still when operation 3 began, but c0.1.0 was there in between.
          operation 0 of process 0: write x c0.1.0, in doubt (other) since turn 22
          operation 1 of process 0: write x c0.2.0, acknowledged in turn 37
          operation 2 of process 1: read x, answered c0.1.0 in turn 51
          operation 3 of process 1: read x, answered c0.2.0 in turn 64
          operation 4 of process 1: read x, answered c0.1.0 in turn 77"#]],
    );
}

#[test]
fn only_one_compare_and_set_against_nothing_wins() {
    let text = |second: &str| {
        format!(
            "
            c0: |-- cas x nil 1 = yes --|
            c1:    |-- cas x nil 2 = {second} --|"
        )
    };
    check(&text("no"), expect!["holds, 2 compared"]);
    check(
        &text("yes"),
        expect![[r#"
            not-linearizable in turn 43 at x by [0, 1]: No order of these 2 operations on x is one a register allows.
              operation 0 of process 0: cas x [nil c0.1.0], answered true in turn 40
              operation 1 of process 1: cas x [nil c0.2.0], answered true in turn 43
              Before the first of them was called, the state was null.
              By the return of operation 1 no order is left."#]],
    );
    let deleted = "
        c0: |-- cas x nil 1 = yes --|
        c1:    |-- cas x nil 2 = yes --|
        c2:  |---- del x = yes -----------|";
    check(deleted, expect!["holds, 3 compared"]);
}

#[test]
fn a_delete_says_whether_something_was_there() {
    check("c0: |- w x 1 -|  |- del x = yes -|  |- del x = no -|  |- r x nil -|", expect!["holds, 3 compared"]);
    check(
        "c0: |- w x 1 -|  |- del x = no -|",
        expect![[r#"
            not-linearizable in turn 32 at x by [0, 1]: No order of these 2 operations on x is one a register allows.
              operation 0 of process 0: write x c0.1.0, acknowledged in turn 14
              operation 1 of process 0: delete x, answered false in turn 32
              Before the first of them was called, the state was null.
              By the return of operation 1 no order is left."#]],
    );
}

#[test]
fn sums_tell_of_lost_additions() {
    check("c0: |- add n #2 = #2 -|  |- add n #3 = #5 -|  |- r n #5 -|", expect!["holds, 3 compared"]);
    let lost = "
        c0: |---- add n #2 = #2 ----|
        c1:   |---- add n #3 = #3 ----|";
    check(
        lost,
        expect![[r#"
            not-linearizable in turn 38 at n by [0, 1]: No order of these 2 operations on n is one a counter allows.
              operation 0 of process 0: add n 2, answered 2 in turn 36
              operation 1 of process 1: add n 3, answered 3 in turn 38
              Before the first of them was called, the state was 0.
              By the return of operation 1 no order is left."#]],
    );
}

#[test]
fn an_element_is_added_by_one_only() {
    let text = "
        c0: |-- add s 'a' = yes --|   |- contains s 'a' = yes -|
        c1:    |-- add s 'a' = yes --|";
    check(
        text,
        expect![[r#"
            not-linearizable in turn 37 at s/a by [0, 1]: No order of these 2 operations on s is one a set allows.
              operation 0 of process 0: add s "a", answered true in turn 34
              operation 1 of process 1: add s "a", answered true in turn 37
              Before the first of them was called, the state was absent.
              By the return of operation 1 no order is left."#]],
    );
}

#[test]
fn a_queue_gives_each_element_once_and_in_order() {
    check(
        "c0: |- enq q 1 -|  |- enq q 2 -|  |- deq q 1 -|  |- deq q 2 -|  |- deq q nil -|",
        expect!["holds, 3 compared"],
    );
    check(
        "c0: |- enq q 1 -|  |- enq q 2 -|  |- deq q 2 -|",
        expect![[r#"
        not-linearizable in turn 46 at q by [0, 1, 2]: What q answered fits no order of the operations: c0.1.0 was enqueued before c0.2.0, but was never dequeued, while operation 2 gave c0.2.0.
          operation 0 of process 0: enqueue q c0.1.0, acknowledged in turn 16
          operation 1 of process 0: enqueue q c0.2.0, acknowledged in turn 31
          operation 2 of process 0: dequeue q, answered c0.2.0 in turn 46"#]],
    );
    check(
        "c0: |- enq q 1 -|  |- deq q 1 -|  |- deq q 1 -|",
        expect![[r#"
        duplicate-elements in turn 46 at q by [1, 2]: What q answered fits no order of the operations: c0.1.0 went in once, but operation 1 and operation 2 both gave it.
          operation 1 of process 0: dequeue q, answered c0.1.0 in turn 31
          operation 2 of process 0: dequeue q, answered c0.1.0 in turn 46"#]],
    );
}

#[test]
fn a_scan_reads_every_key_of_its_range() {
    let text = "
        c0: |- w b 1 -|
        c1:              |- scan a c {} -|  |- scan c d {} -|";
    check(
        text,
        expect![[r#"
        not-linearizable in turn 41 at b by [0, 1]: What b answered fits no order of the operations: The value was null from the beginning and still when operation 1 began, but c0.1.0 was written in between.
          operation 0 of process 0: write b c0.1.0, acknowledged in turn 22
          operation 1 of process 1: scan ["a" "c"], answered {} in turn 41"#]],
    );
}

#[test]
fn what_is_read_back_after_a_crash_must_follow_from_what_came_before() {
    let text = |seen: &str| {
        format!(
            "
            c0: |- enq q 1 -|  |- enq q 2 -|  |- deq q ->
             *:                                            CRASH RECOVERED
            c1:                                                             |- r q {seen} -|"
        )
    };
    check(&text("[1 2]"), expect!["holds, 3 compared"]);
    check(&text("[2]"), expect!["holds, 3 compared"]);
    check(
        &text("[1]"),
        expect![[r#"
        not-linearizable in turn 88 at q by [0, 1, 2, 3]: What q answered fits no order of the operations: c0.1.0 was enqueued before c0.2.0, but was dequeued after it, by operation 3, while operation 2 gave c0.2.0.
          operation 0 of process 0: enqueue q c0.1.0, acknowledged in turn 28
          operation 1 of process 0: enqueue q c0.2.0, acknowledged in turn 43
          operation 2 of process 0: dequeue q, called in turn 46, never answered
          operation 3 of process 1: read q, answered [c0.1.0] in turn 88"#]],
    );
    lossy(&text("[1]"), expect!["inconclusive: no operation that stands alone answered anything to compare"]);
}

#[test]
fn after_a_crash_everything_goes_on_from_what_was_read_back() {
    let text = |seen: &str| {
        format!(
            "
            c0: |- w x 1 -|  |- w x 2 ->
             *:                           CRASH RECOVERED
            c1:                                            |- r x 1 -|  |- r x {seen} -|"
        )
    };
    lossy(&text("1"), expect!["holds, 1 compared"]);
    lossy(
        &text("2"),
        expect![[r#"
            resurrected-read in turn 82 at x by [3]: Operation 3 read c0.2.0 under x, but its write, operation 1, was already gone when everything was read back.
              operation 3 of process 1: read x, answered c0.2.0 in turn 82"#]],
    );
    check(
        &text("2"),
        expect![[r#"
            resurrected-read in turn 82 at x by [3]: Operation 3 read c0.2.0 under x, but its write, operation 1, was already gone when everything was read back.
              operation 3 of process 1: read x, answered c0.2.0 in turn 82"#]],
    );
}

#[test]
fn keys_that_transactions_write_are_left_to_isolation() {
    check(
        "c0: |- [w x 1] -|  |- r x nil -|",
        expect!["inconclusive: no operation that stands alone answered anything to compare"],
    );
}

#[test]
fn writes_alone_prove_nothing() {
    check(
        "c0: |- w x 1 -|  |- w x 2 -|",
        expect!["inconclusive: no operation that stands alone answered anything to compare"],
    );
}
