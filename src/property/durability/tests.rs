//! What durability accepts and what it does not, drawn.

use expect_test::{Expect, expect};

use super::Durable;
use crate::engine::{Durability, Isolation};
use crate::property::drawn::{check_with, drawn, judge_with, media, promises, told};

fn check(text: &str, durability: Durability, expected: Expect) {
    check_with(&mut Durable, text, promises(Isolation::StrictSerializable, durability), expected);
}

fn every(text: &str, expected: Expect) {
    check(text, Durability::EveryCommit, expected);
}

fn lossy(text: &str, expected: Expect) {
    check(text, Durability::None, expected);
}

fn checkpointed(text: &str, expected: Expect) {
    check(text, Durability::AtCheckpoint, expected);
}

/// The first word of the judgement.
fn anomaly(text: &str, durability: Durability) -> String {
    let tune = promises(Isolation::StrictSerializable, durability);
    let judgement = told(&judge_with(&mut Durable, &drawn(text), tune));
    judgement.split([' ', ',', ':']).next().unwrap_or_default().to_string()
}

#[test]
fn damage_to_the_media_may_cost_the_last_commits_and_no_earlier_one() {
    let damaged = |text: &str| told(&judge_with(&mut Durable, &drawn(text), media()));
    let commits = "
            c0: |- w x 1 -|@1  |- w y 2 -|@2 |- w z 3 -|@3  |- w z 4 -|@4
             *:                                                           CRASH RECOVERED";
    let last = "
            c1:                                                                            |- r x 1 -| |- r y nil -| |- r z nil -|";
    assert_eq!(damaged(&format!("{commits}{last}")), "holds, 3 compared");
    let earlier = "
            c1:                                                                            |- r x nil -| |- r y 2 -| |- r z 4 -|";
    let told = damaged(&format!("{commits}{earlier}"));
    assert!(told.starts_with("lost-write"), "{told}");
}

mod registers {
    use super::*;

    #[test]
    fn what_was_acknowledged_last_is_there() {
        let text = "
            c0: |- w x 1 -|  |- w x 2 -|
             *:                           CRASH RECOVERED
            c1:                                            |- r x 2 -|";
        every(text, expect!["holds, 1 compared"]);
    }

    #[test]
    fn what_was_acknowledged_and_is_not_there_is_lost() {
        let text = "
            c0: |- w x 1 -|  |- w x 2 -|
             *:                           CRASH RECOVERED
            c1:                                            |- r x 1 -|";
        every(
            text,
            expect![[r#"
            lost-write in turn 69 at x by [1, 2]: `write x c0.2.0` was acknowledged, but after the crash x holds c0.1.0.
              operation 1 of process 0: write x c0.2.0, acknowledged in turn 39
              operation 2 of process 1: read x, answered c0.1.0 in turn 69
              x holds c0.1.0 after the recovery"#]],
        );
        lossy(text, expect!["holds, 1 compared"]);
    }

    #[test]
    fn a_key_that_vanished_is_lost_unless_a_delete_may_have_taken_it() {
        let lost = "
            c0: |- w x 1 -|
            c1: |- [del x, cut] ->
             *:                           CRASH RECOVERED
            c2:                                            |- r x nil -|";
        every(
            lost,
            expect![[r#"
            lost-write in turn 71 at x by [0, 3]: `write x c0.1.0` was acknowledged, but after the crash x holds nil.
              operation 0 of process 0: write x c0.1.0, acknowledged in turn 26
              operation 3 of process 2: read x, answered nil in turn 71
              x holds nil after the recovery"#]],
        );
        let deleted = "
            c0: |- w x 1 -|
            c1: |- del x ->
             *:                           CRASH RECOVERED
            c2:                                            |- r x nil -|";
        every(deleted, expect!["holds, 1 compared"]);
    }

    #[test]
    fn a_delete_that_was_acknowledged_stays() {
        let text = "
            c0: |- w x 1 -|  |- del x -|
             *:                           CRASH RECOVERED
            c1:                                            |- scan a z {x:1} -|";
        every(
            text,
            expect![[r#"
            lost-write in turn 78 at x by [1, 2]: `delete x` was acknowledged, but after the crash x holds c0.1.0.
              operation 1 of process 0: delete x, answered true in turn 39
              operation 2 of process 1: scan ["a" "z"], answered {x: c0.1.0} in turn 78
              x holds c0.1.0 after the recovery"#]],
        );
    }

    #[test]
    fn writes_at_the_same_time_may_come_in_either_order_unless_the_engine_tells() {
        let text = |orders: [&str; 2]| {
            format!(
                "
                c0: |- w x 1 ------|{}
                c1:     |- w x 2 -------|{}
                 *:                           CRASH RECOVERED
                c2:                                            |- r x 1 -|",
                orders[0], orders[1]
            )
        };
        every(&text(["", ""]), expect!["holds, 1 compared"]);
        every(&text(["@4", "@3"]), expect!["holds, 1 compared"]);
        every(
            &text(["@3", "@4"]),
            expect![[r#"
            lost-write in turn 73 at x by [1, 2]: `write x c0.2.0` was acknowledged, but after the crash x holds c0.1.0.
              operation 1 of process 1: write x c0.2.0, acknowledged in turn 40
              operation 2 of process 2: read x, answered c0.1.0 in turn 73
              x holds c0.1.0 after the recovery"#]],
        );
    }

    #[test]
    fn what_was_in_doubt_may_be_there_or_not() {
        for seen in ["1", "2"] {
            for end in ["?", ">"] {
                let text = format!(
                    "
                    c0: |- w x 1 -|  |- w x 2 -{end}
                     *:                           CRASH RECOVERED
                    c1:                                            |- r x {seen} -|"
                );
                assert_eq!(anomaly(&text, Durability::EveryCommit), "holds");
            }
        }
    }

    #[test]
    fn what_was_in_doubt_is_settled_by_the_first_look() {
        let text = |first: &str, second: &str| {
            format!(
                "
                c0: |- w x 1 -|  |- w x 2 ->
                 *:                           CRASH RECOVERED               CRASH RECOVERED
                c1:                                            |- r x {first} -|
                c2:                                                                           |- r x {second} -|"
            )
        };
        every(&text("1", "1"), expect!["holds, 2 compared"]);
        every(&text("2", "2"), expect!["holds, 2 compared"]);
        every(
            &text("1", "2"),
            expect![[r#"
            resurrected-write in turn 104 at x by [1, 3]: `write x c0.2.0` was already gone after an earlier recovery, but after the crash x shows it.
              operation 1 of process 0: write x c0.2.0, called in turn 33, never answered
              operation 3 of process 2: read x, answered c0.2.0 in turn 104
              x holds c0.2.0 after the recovery"#]],
        );
        every(
            &text("2", "1"),
            expect![[r#"
            resurrected-write in turn 104 at x by [0, 3]: `write x c0.1.0` was already gone after an earlier recovery, but after the crash x shows it.
              operation 0 of process 0: write x c0.1.0, acknowledged in turn 30
              operation 3 of process 2: read x, answered c0.1.0 in turn 104
              x holds c0.1.0 after the recovery"#]],
        );
        every(
            &text("2", "nil"),
            expect![[r#"
            lost-write in turn 106 at x by [2, 3]: x held c0.2.0 when it was last read back and nobody changed it since, but after the crash it holds nil.
              operation 2 of process 1: read x, answered c0.2.0 in turn 73
              operation 3 of process 2: read x, answered nil in turn 106
              x holds nil after the recovery"#]],
        );
        lossy(
            &text("1", "2"),
            expect![[r#"
            resurrected-write in turn 104 at x by [1, 3]: `write x c0.2.0` was already gone after an earlier recovery, but after the crash x shows it.
              operation 1 of process 0: write x c0.2.0, called in turn 33, never answered
              operation 3 of process 2: read x, answered c0.2.0 in turn 104
              x holds c0.2.0 after the recovery"#]],
        );
    }

    #[test]
    fn what_was_refused_or_rolled_back_is_not_there() {
        for write in ["|- w x 1 -!", "|- [w x 1] -!", "|- [w x 1, rollback] -|", "|- [w x 1, cut] ->"] {
            let text = format!(
                "
                c0: {write}
                 *:                           CRASH RECOVERED
                c1:                                            |- r x 1 -|"
            );
            for promise in [Durability::EveryCommit, Durability::AtCheckpoint, Durability::None] {
                assert_eq!(anomaly(&text, promise), "aborted-write", "{write}");
            }
        }
    }

    #[test]
    fn a_compare_and_set_counts_when_it_says_that_it_wrote() {
        let text = |answer: &str| {
            format!(
                "
                c0: |- w x 1 -|  |- cas x 1 2 = {answer} -|
                 *:                                 CRASH RECOVERED
                c1:                                                 |- r x 1 -|"
            )
        };
        every(
            &text("yes"),
            expect![[r#"
            lost-write in turn 78 at x by [1, 2]: `cas x [c0.1.0 c0.2.0]` was acknowledged, but after the crash x holds c0.1.0.
              operation 1 of process 0: cas x [c0.1.0 c0.2.0], answered true in turn 53
              operation 2 of process 1: read x, answered c0.1.0 in turn 78
              x holds c0.1.0 after the recovery"#]],
        );
        every(&text("no"), expect!["holds, 1 compared"]);
    }

    #[test]
    fn an_element_of_a_set_is_a_cell_of_its_own() {
        let text = "
            c0: |- add s 'a' -|  |- add s 'b' -|  |- remove s 'a' -|
             *:                                                       CRASH RECOVERED
            c1:                              |- contains s 'a' = no -|                 |- contains s 'b' = no -|";
        every(
            text,
            expect![[r#"
            lost-write in turn 111 at s/b by [1, 4]: `add s "b"` was acknowledged, but after the crash s/b holds false.
              operation 1 of process 0: add s "b", answered true in turn 47
              operation 4 of process 1: contains s "b", answered false in turn 111
              s/b holds false after the recovery"#]],
        );
    }
}

mod lists {
    use super::*;

    fn recovered(before: &str, seen: &str) -> String {
        format!(
            "
            c0: {before}
             *:                                                                            CRASH RECOVERED
            c9:                                                                                             |- r l {seen} -|"
        )
    }

    #[test]
    fn every_element_that_was_acknowledged_is_there_once_and_in_order() {
        let appends = "|- a l 1 -|  |- [a l 2, a l 3] -|  |- a l 4 -?";
        every(&recovered(appends, "[1 2 3]"), expect!["holds, 1 compared"]);
        every(&recovered(appends, "[1 2 3 4]"), expect!["holds, 1 compared"]);
        every(
            &recovered(appends, "[1 3 4]"),
            expect![[r#"
                half-transaction in turn 124 at l by [2, 3, 6]: A transaction of process 0 was there by half after the crash: one of its changes to l survived, another did not.
                  operation 2 of process 0: append l c0.2.0, acknowledged in turn 29; its transaction committed
                  operation 3 of process 0: append l c0.3.0, acknowledged in turn 29; its transaction committed
                  operation 6 of process 9: read l, answered [c0.1.0 c0.3.0 c0.4.0] in turn 124"#]],
        );
        every(
            &recovered(appends, "[2 3 1]"),
            expect![[r#"
            reordered in turn 124 at l by [0, 2, 6]: After the crash l holds c0.2.0 before c0.1.0, although c0.1.0 was acknowledged before the other was appended.
              operation 0 of process 0: append l c0.1.0, acknowledged in turn 26
              operation 2 of process 0: append l c0.2.0, acknowledged in turn 29; its transaction committed
              operation 6 of process 9: read l, answered [c0.2.0 c0.3.0 c0.1.0] in turn 124
              it holds [c0.2.0 c0.3.0 c0.1.0]"#]],
        );
        every(
            &recovered(appends, "[1 2 3 2]"),
            expect![[r#"
            duplicate-element in turn 126 at l by [2, 6]: After the crash l holds the element c0.2.0 twice.
              operation 2 of process 0: append l c0.2.0, acknowledged in turn 29; its transaction committed
              operation 6 of process 9: read l, answered [c0.1.0 c0.2.0 c0.3.0 c0.2.0] in turn 126
              it holds [c0.1.0 c0.2.0 c0.3.0 c0.2.0]"#]],
        );
        every(
            &recovered(appends, "nil"),
            expect![[r#"
            lost-append in turn 120 at l by [0, 6]: `append l c0.1.0` was acknowledged, but after the crash l holds nil.
              operation 0 of process 0: append l c0.1.0, acknowledged in turn 26
              operation 6 of process 9: read l, answered nil in turn 120
              l holds nil after the recovery"#]],
        );
        lossy(&recovered(appends, "nil"), expect!["holds, 1 compared"]);
        lossy(&recovered(appends, "[1 4]"), expect!["holds, 1 compared"]);
    }

    #[test]
    fn an_element_of_a_transaction_that_was_given_up_is_not_there() {
        every(
            &recovered("|- a l 1 -|  |- [a l 2, rollback] -|", "[1 2]"),
            expect![[r#"
            aborted-write in turn 122 at l by [2, 4]: `append l c0.2.0` never took effect, but after the crash l shows it.
              operation 2 of process 0: append l c0.2.0, acknowledged in turn 29; its transaction never committed
              operation 4 of process 9: read l, answered [c0.1.0 c0.2.0] in turn 122
              l holds [c0.1.0 c0.2.0] after the recovery"#]],
        );
    }

    #[test]
    fn what_was_taken_stays_away_and_what_was_not_stays() {
        let queue = "|- enq l 1 -|  |- enq l 2 -|  |- deq l 1 -|";
        every(&recovered(queue, "[2]"), expect!["holds, 1 compared"]);
        every(
            &recovered(queue, "[1 2]"),
            expect![[r#"
            lost-removal in turn 122 at l by [2, 3]: `dequeue l` took c0.1.0 away and was acknowledged, but after the crash l holds c0.1.0 again.
              operation 2 of process 0: dequeue l, answered c0.1.0 in turn 58
              operation 3 of process 9: read l, answered [c0.1.0 c0.2.0] in turn 122
              it holds [c0.1.0 c0.2.0]"#]],
        );
        every(
            &recovered(queue, "[]"),
            expect![[r#"
            lost-append in turn 119 at l by [1, 3]: `enqueue l c0.2.0` was acknowledged, but after the crash l holds [].
              operation 1 of process 0: enqueue l c0.2.0, acknowledged in turn 43
              operation 3 of process 9: read l, answered [] in turn 119
              l holds [] after the recovery"#]],
        );
        let doubt = "|- enq l 1 -|  |- enq l 2 -|  |- deq l ->";
        every(&recovered(doubt, "[1 2]"), expect!["holds, 1 compared"]);
        every(&recovered(doubt, "[2]"), expect!["holds, 1 compared"]);
        every(
            &recovered(doubt, "[1]"),
            expect![[r#"
            lost-append in turn 120 at l by [1, 3]: `enqueue l c0.2.0` was acknowledged, but after the crash l holds [c0.1.0].
              operation 1 of process 0: enqueue l c0.2.0, acknowledged in turn 43
              operation 3 of process 9: read l, answered [c0.1.0] in turn 120
              l holds [c0.1.0] after the recovery"#]],
        );
        every(
            &recovered(doubt, "nil"),
            expect![[r#"
            lost-append in turn 120 at l by [0, 3]: `enqueue l c0.1.0` was acknowledged, but after the crash l holds nil.
              operation 0 of process 0: enqueue l c0.1.0, acknowledged in turn 28
              operation 3 of process 9: read l, answered nil in turn 120
              l holds nil after the recovery"#]],
        );
    }

    #[test]
    fn a_delete_takes_all_that_came_before_it() {
        let text = "|- a l 1 -|  |- del l -|  |- a l 2 -|";
        every(&recovered(text, "[2]"), expect!["holds, 1 compared"]);
        every(
            &recovered(text, "[1 2]"),
            expect![[r#"
            lost-removal in turn 122 at l by [1, 3]: `delete l` took c0.1.0 away and was acknowledged, but after the crash l holds c0.1.0 again.
              operation 1 of process 0: delete l, answered true in turn 39
              operation 3 of process 9: read l, answered [c0.1.0 c0.2.0] in turn 122
              it holds [c0.1.0 c0.2.0]"#]],
        );
    }
}

mod counters {
    use super::*;

    fn recovered(before: &str, seen: &str) -> String {
        format!(
            "
            c0: {before}
             *:                                                                            CRASH RECOVERED
            c9:                                                                                             |- r n {seen} -|"
        )
    }

    #[test]
    fn the_sum_is_that_of_what_was_acknowledged_and_of_any_in_doubt() {
        let adds = "|- add n #5 = #5 -|  |- add n #3 -?  |- add n #-7 -?";
        for (seen, expected) in [
            ("#5", expect!["holds, 1 compared"]),
            ("#8", expect!["holds, 1 compared"]),
            ("#1", expect!["holds, 1 compared"]),
            (
                "#6",
                expect![[r#"
                    wrong-sum in turn 119 at n by [0, 3]: After the crash n holds 6, but what must be there adds up to 5, and nothing that may be missing explains the difference.
                      operation 0 of process 0: add n 5, answered 5 in turn 34
                      operation 3 of process 9: read n, answered 6 in turn 119
                      each of these may be missing: 3, -7"#]],
            ),
            (
                "nil",
                expect![[r#"
                    wrong-sum in turn 120 at n by [0, 3]: After the crash n holds nil, but what must be there adds up to 5, and nothing that may be missing explains the difference.
                      operation 0 of process 0: add n 5, answered 5 in turn 34
                      operation 3 of process 9: read n, answered nil in turn 120
                      each of these may be missing: 3, -7"#]],
            ),
        ] {
            every(&recovered(adds, seen), expected);
        }
    }

    #[test]
    fn additions_of_one_transaction_come_together() {
        let adds = "|- [add n #5 = #5, add n #3 = #8] -?";
        every(
            &recovered(adds, "#5"),
            expect![[r#"
                wrong-sum in turn 119 at n by [4]: After the crash n holds 5, but what must be there adds up to 0, and nothing that may be missing explains the difference.
                  operation 4 of process 9: read n, answered 5 in turn 119
                  each of these may be missing: 8"#]],
        );
        every(&recovered(adds, "#8"), expect!["holds, 1 compared"]);
        lossy(
            &recovered("|- [add n #5 = #5, add n #3 = #8] -|", "#3"),
            expect![[r#"
                wrong-sum in turn 119 at n by [4]: After the crash n holds 3, but what must be there adds up to 0, and nothing that may be missing explains the difference.
                  operation 4 of process 9: read n, answered 3 in turn 119
                  each of these may be missing: 8"#]],
        );
    }
}

mod wholeness {
    use super::*;

    #[test]
    fn a_transaction_in_doubt_is_there_whole_or_not_at_all() {
        let text = |x: &str, y: &str| {
            format!(
                "
                c0: |- w x 1 -|   |- [w x 2, a y 3] -?
                 *:                                       CRASH RECOVERED
                c1:                                                       |- [r x {x}, r y {y}] -|"
            )
        };
        every(&text("1", "nil"), expect!["holds, 2 compared"]);
        every(&text("2", "[3]"), expect!["holds, 2 compared"]);
        every(
            &text("2", "nil"),
            expect![[r#"
            half-transaction in turn 74 at x, y by [2, 3, 6, 7]: A transaction of process 0 was there by half after the crash: its change to x survived, its change to y did not.
              operation 2 of process 0: write x c0.2.0, acknowledged in turn 34; its commit is in doubt
              operation 3 of process 0: append y c0.3.0, acknowledged in turn 34; its commit is in doubt
              operation 6 of process 1: read x, answered c0.2.0 in turn 74; its transaction committed
              operation 7 of process 1: read y, answered nil in turn 74; its transaction committed"#]],
        );
        lossy(
            &text("1", "[3]"),
            expect![[r#"
            half-transaction in turn 74 at y, x by [2, 3, 6, 7]: A transaction of process 0 was there by half after the crash: its change to y survived, its change to x did not.
              operation 2 of process 0: write x c0.2.0, acknowledged in turn 34; its commit is in doubt
              operation 3 of process 0: append y c0.3.0, acknowledged in turn 34; its commit is in doubt
              operation 6 of process 1: read x, answered c0.1.0 in turn 74; its transaction committed
              operation 7 of process 1: read y, answered [c0.3.0] in turn 74; its transaction committed"#]],
        );
    }

    #[test]
    fn a_value_that_its_own_transaction_overwrote_is_a_half() {
        let text = "
            c0: |- [w x 1, w x 2] -|
             *:                        CRASH RECOVERED
            c1:                                         |- r x 1 -|";
        lossy(
            text,
            expect![[r#"
            half-transaction in turn 66 at x by [1, 4]: A transaction of process 0 was there by half after the crash: x holds what it had itself overwritten.
              operation 1 of process 0: write x c0.1.0, acknowledged in turn 16; its transaction committed
              operation 4 of process 1: read x, answered c0.1.0 in turn 66"#]],
        );
    }

    #[test]
    fn a_change_that_another_may_have_covered_proves_nothing() {
        let text = "
            c0: |- [w x 1, w y 2] -?
            c1:       |- w x 3 -------|
             *:                        CRASH RECOVERED
            c2:                                         |- [r x 3, r y 2] -|";
        every(text, expect!["holds, 2 compared"]);
    }
}

mod checkpoints {
    use super::*;

    #[test]
    fn what_came_before_an_acknowledged_checkpoint_is_there() {
        let text = |checkpoint: &str, seen: &str| {
            format!(
                "
                c0: |- w x 1 -|  |- checkpoint -{checkpoint}  |- w x 2 -|
                 *:                                          CRASH RECOVERED
                c1:                                                           |- r x {seen} -|"
            )
        };
        checkpointed(&text("|", "1"), expect!["holds, 1 compared"]);
        checkpointed(&text("|", "2"), expect!["holds, 1 compared"]);
        checkpointed(
            &text("|", "nil"),
            expect![[r#"
            lost-write in turn 90 at x by [0, 3]: `write x c0.1.0` was acknowledged, but after the crash x holds nil.
              operation 0 of process 0: write x c0.1.0, acknowledged in turn 30
              operation 3 of process 1: read x, answered nil in turn 90
              x holds nil after the recovery"#]],
        );
        checkpointed(&text("?", "nil"), expect!["holds, 1 compared"]);
    }

    #[test]
    fn nothing_is_lost_that_came_before_something_that_survived() {
        let text = |x: &str, y: &str| {
            format!(
                "
                c0: |- w x 1 -|  |- w y 2 -|
                 *:                             CRASH RECOVERED
                c1:                                              |- [r x {x}, r y {y}] -|"
            )
        };
        checkpointed(&text("1", "nil"), expect!["holds, 2 compared"]);
        checkpointed(&text("nil", "nil"), expect!["holds, 2 compared"]);
        checkpointed(
            &text("nil", "2"),
            expect![[r#"
            hole in turn 65 at x, y by [0, 1, 3, 4]: `write x c0.1.0` was acknowledged and then lost in the crash, although `write y c0.2.0`, which was asked for later, survived it.
              operation 0 of process 0: write x c0.1.0, acknowledged in turn 30
              operation 1 of process 0: write y c0.2.0, acknowledged in turn 43
              operation 3 of process 1: read x, answered nil in turn 65; its transaction committed
              operation 4 of process 1: read y, answered c0.2.0 in turn 65; its transaction committed"#]],
        );
        lossy(&text("nil", "2"), expect!["holds, 2 compared"]);
    }

    #[test]
    fn what_a_recovery_found_is_kept_once_it_is_checkpointed() {
        let text = |seen: &str| {
            format!(
                "
                c0: |- w x 1 -?
                 *:              CRASH RECOVERED                                CRASH RECOVERED
                c1:                              |- r x 1 -|   |- checkpoint -|
                c2:                                                                              |- r x {seen} -|"
            )
        };
        checkpointed(&text("1"), expect!["holds, 2 compared"]);
        checkpointed(
            &text("nil"),
            expect![[r#"
                lost-write in turn 109 at x by [0, 3]: `write x c0.1.0` had survived an earlier crash, but after the crash x holds nil.
                  operation 0 of process 0: write x c0.1.0, in doubt (other) since turn 30
                  operation 3 of process 2: read x, answered nil in turn 109
                  x holds nil after the recovery"#]],
        );
    }
}

#[test]
fn without_a_recovery_there_is_nothing_to_compare() {
    every("c0: |- w x 1 -|  |- r x nil -|", expect!["inconclusive: the engine was never reopened after a crash"]);
    let unread = "
        c0: |- w x 1 -|
         *:              CRASH RECOVERED";
    every(unread, expect!["inconclusive: nothing that had been written was read back after a recovery"]);
}

#[test]
fn a_read_that_a_new_write_may_explain_says_nothing_about_the_recovery() {
    let text = "
        c0: |- w x 1 -|
         *:              CRASH RECOVERED
        c1:                               |--- r x nil ---|
        c2:                                   |-- del x --|";
    every(text, expect!["inconclusive: nothing that had been written was read back after a recovery"]);
}
