//! What isolation accepts and what it does not, drawn.

use expect_test::{Expect, expect};

use super::{ListAppend, Opacity, RwRegister};
use crate::engine::{Durability, Isolation};
use crate::property::drawn::{check_with, promises};

fn lists(text: &str, isolation: Isolation, expected: Expect) {
    check_with(&mut ListAppend, text, promises(isolation, Durability::EveryCommit), expected);
}

fn registers(text: &str, isolation: Isolation, expected: Expect) {
    check_with(&mut RwRegister, text, promises(isolation, Durability::EveryCommit), expected);
}

use Isolation::{ReadCommitted, Serializable, Snapshot, StrictSerializable};

#[test]
fn lists_that_grow_in_one_order_hold() {
    let text = "
        c0: |- [a x 1, a y 2] -|              |- [a x 3, r y [2]] -|
        c1:       |-- [r x nil, r y nil] --|                           |- [r x [1 3]] -|";
    lists(text, StrictSerializable, expect!["holds, 4 compared"]);
}

#[test]
fn an_element_that_is_lost_doubled_or_moved_is_found() {
    let text = |second: &str| {
        format!(
            "
            c0: |- [a x 1] -|  |- [a x 2] -|
            c1:                              |- [r x [1 2]] -|  |- [r x {second}] -|"
        )
    };
    lists(
        &text("[1]"),
        StrictSerializable,
        expect![[r#"
        G-single-item-process in turn 78 at x by [3, 4, 5, 6, 7, 8, 9, 10, 11]: 3 transactions on x cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G-single-item-process).
          Let T1 = operations 6 to 8 by p1 (r x [c0.1.0 c0.2.0]), T2 = operations 9 to 11 by p1 (r x [c0.1.0]), T3 = operations 3 to 5 by p0 (append x c0.2.0).
          T1 comes before T2, because the same process ran T1 first.
          T2 comes before T3, because T2 read x before T3 wrote c0.2.0 to it.
          However, T1 comes after T3, because T1 read c0.2.0 in x, which T3 wrote: contradiction."#]],
    );
    lists(
        &text("[1 2 2]"),
        StrictSerializable,
        expect![[r#"
        duplicate-elements in turn 82 at x by [9, 10, 11]: T1 read c0.2.0 twice in x.
          Let T1 = operations 9 to 11 by p1 (r x [c0.1.0 c0.2.0 c0.2.0]).
          T1 read c0.2.0 twice in x."#]],
    );
    lists(
        &text("[2 1]"),
        ReadCommitted,
        expect![[r#"
        incompatible-order in turn 80 at x by [6, 7, 8, 9, 10, 11]: T1 and T2 read x, and neither list is the beginning of the other.
          Let T1 = operations 6 to 8 by p1 (r x [c0.1.0 c0.2.0]), T2 = operations 9 to 11 by p1 (r x [c0.2.0 c0.1.0]).
          T1 and T2 read x, and neither list is the beginning of the other."#]],
    );
}

#[test]
fn a_read_of_what_was_rolled_back_is_found() {
    let text = "
        c0: |- [a x 1, rollback] -|
        c1:                          |- [r x [1]] -|";
    lists(
        text,
        ReadCommitted,
        expect![[r#"
        G1a in turn 51 at x by [0, 1, 2, 3, 4, 5]: T2 read c0.1.0 in x, which T1 appended, and T1 failed.
          Let T1 = operations 0 to 2 by p0 (append x c0.1.0), T2 = operations 3 to 5 by p1 (r x [c0.1.0]).
          T2 read c0.1.0 in x, which T1 appended, and T1 failed."#]],
    );
}

#[test]
fn a_write_skew_breaks_serializability_and_nothing_weaker() {
    let text = "
        c0: |-- [r x nil, a y 1] --|
        c1:   |-- [r y nil, a x 2] --|
        c2:                              |- [r x [2], r y [1]] -|";
    lists(text, Snapshot, expect!["holds, 4 compared"]);
    lists(
        text,
        Serializable,
        expect![[r#"
        G2-item in turn 37 at x, y by [0, 1, 2, 3, 4, 5, 6, 7]: 2 transactions on x, y cannot have happened in any order: each comes before the next and the last before the first, which serializable forbids (G2-item).
          Let T1 = operations 0 to 3 by p0 (r x [], append y c0.1.0), T2 = operations 4 to 7 by p1 (r y [], append x c0.2.0).
          T1 comes before T2, because T1 read x before T2 wrote c0.2.0 to it.
          However, T1 comes after T2, because T2 read y before T1 wrote c0.1.0 to it: contradiction."#]],
    );
}

#[test]
fn a_stale_read_breaks_strict_serializability_and_nothing_weaker() {
    let text = "
        c0: |- [a x 1] -|
        c1:                |- [r x nil] -|  |- [r x [1]] -|";
    lists(text, Serializable, expect!["holds, 2 compared"]);
    lists(
        text,
        StrictSerializable,
        expect![[r#"
        G-single-item-realtime in turn 41 at x by [0, 1, 2, 3, 4, 5]: 2 transactions on x cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G-single-item-realtime).
          Let T1 = operations 3 to 5 by p1 (r x []), T2 = operations 0 to 2 by p0 (append x c0.1.0).
          T1 comes before T2, because T1 read x before T2 wrote c0.1.0 to it.
          However, T1 comes after T2, because T2 ended before T1 began: contradiction."#]],
    );
}

#[test]
fn operations_that_stand_alone_are_held_to_real_time() {
    let text = "
        c0: |- a x 1 -|
        c1:              |- r x nil -|  |- r x [1] -|";
    lists(
        text,
        Snapshot,
        expect![[r#"
        G-single-item-realtime in turn 37 at x by [0, 1]: 2 transactions on x cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G-single-item-realtime).
          Let T1 = operation 1 by p1 (r x []), T2 = operation 0 by p0 (append x c0.1.0).
          T1 comes before T2, because T1 read x before T2 wrote c0.1.0 to it.
          However, T1 comes after T2, because T2 ended before T1 began: contradiction."#]],
    );
}

#[test]
fn a_commit_in_doubt_may_be_seen_or_not() {
    let text = |seen: &str| {
        format!(
            "
            c0: |- [a x 1] -?  |- [a x 2] ->
             *:                               CRASH RECOVERED
            c1:                                                |- [r x {seen}] -|"
        )
    };
    lists(&text("nil"), StrictSerializable, expect!["holds, 1 compared"]);
    lists(&text("[2]"), StrictSerializable, expect!["holds, 1 compared"]);
}

#[test]
fn an_engine_that_may_lose_commits_is_judged_between_crashes() {
    let text = |later: &str| {
        format!(
            "
            c0: |- [a x 1] -|  |- [a x 2] -|
             *:                               CRASH RECOVERED
            c1:                                                |- [r x [1]] -|  |- [a x 3] -|  |- [r x {later}] -|"
        )
    };
    let lossy = |text: &str, expected| {
        check_with(&mut ListAppend, text, promises(StrictSerializable, Durability::None), expected);
    };
    lossy(&text("[1 3]"), expect!["holds, 2 compared"]);
    lossy(
        &text("[1 2 3]"),
        expect![[r#"
        garbage-read in turn 113 at x by [12, 13, 14]: T1 read c0.2.0 in x, which nobody appended.
          Let T1 = operations 12 to 14 by p1 (r x [c0.1.0 c0.2.0 c0.3.0]).
          T1 read c0.2.0 in x, which nobody appended."#]],
    );
    lists(
        &text("[1 3]"),
        StrictSerializable,
        expect![[r#"
        G0-realtime in turn 92 at x by [3, 4, 5, 9, 10, 11]: 2 transactions on x cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G0-realtime).
          Let T1 = operations 9 to 11 by p1 (append x c0.3.0), T2 = operations 3 to 5 by p0 (append x c0.2.0).
          T1 comes before T2, because T2 wrote c0.2.0 to x after what T1 wrote there.
          However, T1 comes after T2, because T2 ended before T1 began: contradiction."#]],
    );
}

#[test]
fn two_updates_of_one_version_lose_one() {
    let text = "
        c0: |- [w x 1] -|
        c1:                |-- [r x 1, w x 2] --|
        c2:                  |-- [r x 1, w x 3] --|";
    registers(
        text,
        Snapshot,
        expect![[r#"
        lost-update in turn 50 at x by [3, 4, 5, 6, 7, 8, 9, 10]: T1 and T2 both read c0.1.0 in x and then wrote it.
          Let T1 = operations 3 to 6 by p1 (r x c0.1.0, w x c0.2.0), T2 = operations 7 to 10 by p2 (r x c0.1.0, w x c0.3.0).
          T1 and T2 both read c0.1.0 in x and then wrote it."#]],
    );
    registers(text, ReadCommitted, expect!["holds, 2 compared"]);
}

#[test]
fn an_order_told_by_the_engine_decides_between_writes() {
    let text = |first: u32, second: u32| {
        format!(
            "
            c0: |-- [w x 1, w y 2] --|@{first}
            c1:   |-- [w x 3, w y 4] --|@{second}
            c2:                              |- [r x 1] -|  |- [r y 2] -|"
        )
    };
    registers(&text(2, 1), StrictSerializable, expect!["holds, 2 compared"]);
    registers(
        &text(1, 2),
        StrictSerializable,
        expect![[r#"
        cyclic-versions in turn 37 at x by [0, 1, 2, 3]: The order of x's versions leads from c0.1.0 back to it.
          Let T1 = operations 0 to 3 by p0 (w x c0.1.0, w y c0.2.0).
          The order of x's versions leads from c0.1.0 back to it."#]],
    );
}

#[test]
fn orders_of_different_eras_are_not_compared() {
    let text = "
        c0: |- [w x 1] -|@7
         *:                  CRASH RECOVERED
        c1:                                   |- [r x 1] -|  |- [w x 2] -|@1  |- [r x 2] -|";
    registers(text, StrictSerializable, expect!["holds, 2 compared"]);
}

#[test]
fn a_compare_and_set_reads_what_it_replaces() {
    let text = "
        c0: |- [w x 1] -|
        c1:                |-- [cas x 1 2 = yes] --|
        c2:                  |-- [cas x 1 3 = yes] --|";
    registers(
        text,
        Serializable,
        expect![[r#"
        lost-update in turn 53 at x by [3, 4, 5, 6, 7, 8]: T1 and T2 both read c0.1.0 in x and then wrote it.
          Let T1 = operations 3 to 5 by p1 (r x c0.1.0, w x c0.2.0), T2 = operations 6 to 8 by p2 (r x c0.1.0, w x c0.3.0).
          T1 and T2 both read c0.1.0 in x and then wrote it."#]],
    );
}

#[test]
fn nothing_after_a_delete_may_have_several_reasons() {
    let text = "
        c0: |- [w x 1] -|  |- [del x] -|  |- [w x 2] -|
        c1:                                             |- [r x nil] -|  |- [r x 2] -|";
    registers(text, StrictSerializable, expect!["holds, 1 compared"]);
}

#[test]
fn without_a_read_nothing_is_compared() {
    lists("c0: |- [a x 1] -|", Snapshot, expect!["inconclusive: nobody read a list that is only appended to"]);
    registers(
        "c0: |- [a x 1] -|  |- [r x [1]] -|",
        Snapshot,
        expect!["inconclusive: nobody read a key that holds one value at a time"],
    );
}

fn opaque(text: &str, isolation: Isolation, expected: Expect) {
    check_with(&mut Opacity, text, promises(isolation, Durability::EveryCommit), expected);
}

#[test]
fn a_transaction_that_came_to_nothing_has_read_one_state_too() {
    let text = |seen: &str| {
        format!(
            "
            c0: |- [w x 1, w y 2] -|                       |- [w x 3, w y 4] -|
            c1:                       |- [r x 1{seen}, w z 5, rollback] ----------|"
        )
    };
    opaque(&text(", r y 2"), StrictSerializable, expect!["holds, 2 compared"]);
    opaque(
        &text(", r y 4"),
        StrictSerializable,
        expect![[r#"
        G-single-item in turn 83 at x, y by [4, 5, 6, 7, 8, 9, 10, 11, 12]: 2 transactions on x, y cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G-single-item).
          Let T1 = operations 4 to 8 (r x c0.1.0, r y c0.4.0), T2 = operations 9 to 12 by p0 (w x c0.3.0, w y c0.4.0).
          T1 comes before T2, because T1 read x before T2 wrote c0.3.0 to it.
          However, T1 comes after T2, because T1 read c0.4.0 in y, which T2 wrote: contradiction."#]],
    );
    registers(
        &text(", r y 4"),
        StrictSerializable,
        expect!["inconclusive: nobody read a key that holds one value at a time"],
    );
    opaque(&text(", w y 6, r y 6"), StrictSerializable, expect!["holds, 1 compared"]);
}
