//! What isolation accepts and what it does not, drawn.

use expect_test::{Expect, expect};

use super::{ListAppend, RwRegister};
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
    lists(text, StrictSerializable, expect![[""]]);
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
    lists(&text("[1]"), StrictSerializable, expect![[""]]);
    lists(&text("[1 2 2]"), StrictSerializable, expect![[""]]);
    lists(&text("[2 1]"), ReadCommitted, expect![[""]]);
}

#[test]
fn a_read_of_what_was_rolled_back_is_found() {
    let text = "
        c0: |- [a x 1, rollback] -|
        c1:                          |- [r x [1]] -|";
    lists(text, ReadCommitted, expect![[""]]);
}

#[test]
fn a_write_skew_breaks_serializability_and_nothing_weaker() {
    let text = "
        c0: |-- [r x nil, a y 1] --|
        c1:   |-- [r y nil, a x 2] --|
        c2:                              |- [r x [2], r y [1]] -|";
    lists(text, Snapshot, expect![[""]]);
    lists(text, Serializable, expect![[""]]);
}

#[test]
fn a_stale_read_breaks_strict_serializability_and_nothing_weaker() {
    let text = "
        c0: |- [a x 1] -|
        c1:                |- [r x nil] -|  |- [r x [1]] -|";
    lists(text, Serializable, expect![[""]]);
    lists(text, StrictSerializable, expect![[""]]);
}

#[test]
fn operations_that_stand_alone_are_held_to_real_time() {
    let text = "
        c0: |- a x 1 -|
        c1:              |- r x nil -|  |- r x [1] -|";
    lists(text, Snapshot, expect![[""]]);
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
    lists(&text("nil"), StrictSerializable, expect![[""]]);
    lists(&text("[2]"), StrictSerializable, expect![[""]]);
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
    lossy(&text("[1 3]"), expect![[""]]);
    lossy(&text("[1 2 3]"), expect![[""]]);
    lists(&text("[1 3]"), StrictSerializable, expect![[""]]);
}

#[test]
fn two_updates_of_one_version_lose_one() {
    let text = "
        c0: |- [w x 1] -|
        c1:                |-- [r x 1, w x 2] --|
        c2:                  |-- [r x 1, w x 3] --|";
    registers(text, Snapshot, expect![[""]]);
    registers(text, ReadCommitted, expect![[""]]);
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
    registers(&text(2, 1), StrictSerializable, expect![[""]]);
    registers(&text(1, 2), StrictSerializable, expect![[""]]);
}

#[test]
fn orders_of_different_eras_are_not_compared() {
    let text = "
        c0: |- [w x 1] -|@7
         *:                  CRASH RECOVERED
        c1:                                   |- [r x 1] -|  |- [w x 2] -|@1  |- [r x 2] -|";
    registers(text, StrictSerializable, expect![[""]]);
}

#[test]
fn a_compare_and_set_reads_what_it_replaces() {
    let text = "
        c0: |- [w x 1] -|
        c1:                |-- [cas x 1 2 = yes] --|
        c2:                  |-- [cas x 1 3 = yes] --|";
    registers(text, Serializable, expect![[""]]);
}

#[test]
fn nothing_after_a_delete_may_have_several_reasons() {
    let text = "
        c0: |- [w x 1] -|  |- [del x] -|  |- [w x 2] -|
        c1:                                             |- [r x nil] -|  |- [r x 2] -|";
    registers(text, StrictSerializable, expect![[""]]);
}

#[test]
fn without_a_read_nothing_is_compared() {
    lists("c0: |- [a x 1] -|", Snapshot, expect![[""]]);
    registers("c0: |- [a x 1] -|  |- [r x [1]] -|", Snapshot, expect![[""]]);
}
