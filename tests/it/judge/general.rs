//! The general search on drawn histories: what each model is, what it accepts, what it rejects.

use expect_test::{Expect, expect};
use squall::judge::{
    Bank, Counter, Function, History, Limits, ListAppend, Model, PriorityQueue, Queue, Register, SetModel, Stack,
    Value, Verdict, linearizable, total,
};

use super::draw;

fn accepts(model: &impl Model, drawing: &str) {
    let judgement = linearizable(model, &draw::history(drawing), &Limits::default());
    assert!(judgement.holds(), "{judgement:#?}");
}

fn rejects(model: &impl Model, drawing: &str, expected: Expect) {
    let judgement = linearizable(model, &draw::history(drawing), &Limits::default());
    let witness = judgement.witness().unwrap_or_else(|| panic!("{judgement:#?}"));
    expected.assert_eq(&witness.to_string());
}

fn abstains(model: &impl Model, drawing: &str, limits: &Limits, expected: &str) {
    match linearizable(model, &draw::history(drawing), limits).verdict {
        Verdict::Inconclusive(reason) => assert_eq!(reason, expected),
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_register_gives_the_last_written_value() {
    accepts(
        &Register::default(),
        "|--read null--| |--write 1--| |--read 1--| |--cas 1 2 true--| |--cas 1 3 false--| |--read 2--|",
    );
}

#[test]
fn a_register_accepts_concurrent_reads_of_old_and_new() {
    accepts(
        &Register::default(),
        "|------------write 1-----------|
          |--read null--| |--read 1--|",
    );
}

#[test]
fn a_register_rejects_a_value_that_comes_and_goes() {
    rejects(
        &Register::default(),
        "|------------write 1------------|
          |--read 1--| |--read null--|",
        expect![[r#"
            No order of these 2 operations is one a register allows.
              #0 p0 write 1 -> null [0..32]
              #1 p1 read -> 1 [10..21]
              #2 p1 read -> null [23..37]
              Before the first of them was called, the state was null.
              By the return of #2 at 37 no order is left.
              #0 gave values that were seen; the contradiction stands even if they never returned.
        "#]],
    );
}

#[test]
fn a_register_accepts_a_write_that_never_returned_and_took_effect_late() {
    accepts(
        &Register::default(),
        "|--write 1--->
          |--read null--| |--write 2--| |--read 2--| |--read 1--|",
    );
}

#[test]
fn a_counter_adds() {
    accepts(
        &Counter,
        "|--add 2 2--| |--add 3 6--|
                       |--add 1 3--| |--read 6--|",
    );
}

#[test]
fn a_counter_rejects_a_lost_addition() {
    rejects(
        &Counter,
        "|--add 2 2--|
         |--add 3 3--|",
        expect![[r#"
            No order of these 2 operations is one a counter allows.
              #0 p0 add 2 -> 2 [0..12]
              #1 p1 add 3 -> 3 [9..21]
              Before the first of them was called, the state was 0.
              By the return of #1 at 21 no order is left.
        "#]],
    );
}

#[test]
fn a_set_tells_what_changed() {
    accepts(
        &SetModel,
        "|--add 1 true--| |--add 1 false--| |--contains 1 true--| |--remove 1 true--| |--contains 2 false--|",
    );
}

#[test]
fn a_set_rejects_two_that_were_both_first() {
    rejects(
        &SetModel,
        "|--add 1 true--|
         |--add 1 true--|",
        expect![[r#"
            No order of these 2 operations is one a set allows.
              #0 p0 add 1 -> true [0..15]
              #1 p1 add 1 -> true [9..24]
              Before the first of them was called, the state was absent.
              By the return of #1 at 24 no order is left.
        "#]],
    );
}

#[test]
fn a_queue_is_first_in_first_out() {
    accepts(&Queue, "|--enqueue 1--| |--enqueue 2--| |--dequeue 1--| |--dequeue 2--| |--dequeue null--|");
}

#[test]
fn a_queue_rejects_overtaking() {
    rejects(
        &Queue,
        "|--enqueue 1--| |--enqueue 2--| |--dequeue 2--| |--dequeue 1--|",
        expect![[r#"
            No order of these 2 operations is one a queue allows.
              #0 p0 enqueue 1 -> null [0..14]
              #1 p0 enqueue 2 -> null [16..30]
              #2 p0 dequeue -> 2 [32..46]
              Before the first of them was called, the state was [].
              By the return of #2 at 46 no order is left.
              #1 gave values that were seen; the contradiction stands even if they never returned.
        "#]],
    );
}

#[test]
fn a_stack_is_last_in_first_out() {
    accepts(&Stack, "|--push 1--| |--push 2--| |--pop 2--| |--pop 1--| |--pop null--|");
}

#[test]
fn a_stack_rejects_what_the_published_fast_method_accepts() {
    let mut history = History::new();
    let push = |value: i64| (Function::Push, Value::Int(value), Value::Null);
    let pop = |value: i64| (Function::Pop, Value::Null, Value::Int(value));
    for (process, (call, ret), (f, value, out)) in [
        (0, (2259, 2261), push(372)),
        (1, (2262, 2284), push(375)),
        (2, (2267, 2273), push(374)),
        (2, (2274, 2277), pop(375)),
        (0, (2369, 2372), pop(372)),
        (1, (2373, 2375), pop(374)),
    ] {
        history.push(process, (call, Some(ret)), f, "", (value, out));
    }
    let judgement = linearizable(&Stack, &history, &Limits::default());
    assert!(judgement.witness().is_some(), "{judgement:#?}");
}

#[test]
fn a_priority_queue_gives_the_largest() {
    accepts(
        &PriorityQueue,
        "|--insert 1--| |--insert 3--| |--insert 2--| |--poll 3--| |--poll 2--| |--poll 1--| |--poll null--|",
    );
}

#[test]
fn a_priority_queue_rejects_a_smaller_one() {
    rejects(
        &PriorityQueue,
        "|--insert 1--| |--insert 3--| |--poll 1--|",
        expect![[r#"
            No order of these 2 operations is one a priority-queue allows.
              #0 p0 insert 1 -> null [0..13]
              #1 p0 insert 3 -> null [15..28]
              #2 p0 poll -> 1 [30..41]
              Before the first of them was called, the state was [].
              By the return of #2 at 41 no order is left.
              #0 gave values that were seen; the contradiction stands even if they never returned.
        "#]],
    );
}

#[test]
fn a_list_keeps_what_was_appended_in_order() {
    accepts(
        &ListAppend,
        "|--append 1--| |--append 2--| |--read [1,2]--| |--read [1,2,3]--|
                                              |----append 3-->",
    );
}

#[test]
fn a_list_rejects_reads_that_disagree_on_the_order() {
    let drawing = "|--append 1--| |--read [1,2]--|
                   |--append 2--| |--read [2,1]--|";
    let judgement = linearizable(&ListAppend, &draw::history(drawing), &Limits::default());
    assert!(judgement.witness().is_some());
}

#[test]
fn a_bank_accepts_reads_between_transfers() {
    let bank = Bank { initial: Some(vec![10, 10]), no_overdraft: true };
    accepts(&bank, "|--transfer 0 1 4--| |--read [6,14]--| |--transfer 1 0 14--| |--read [20,0]--|");
}

#[test]
fn a_bank_rejects_a_read_of_half_a_transfer() {
    let bank = Bank::default();
    let drawing = "|--read [10,10]--| |--transfer 0 1 4--|
                                             |--read [6,10]--|";
    let judgement = linearizable(&bank, &draw::history(drawing), &Limits::default());
    assert!(judgement.witness().is_some());
    let judgement = total(&draw::history(drawing), None);
    assert_eq!(judgement.witness().expect("a wrong total").summary, "The balances add up to 16, but the total is 20.");
}

#[test]
fn a_total_that_stays_holds() {
    let judgement = total(&draw::history("|--read [10,10]--| |--transfer 0 1 4--| |--read [6,14]--|"), None);
    assert!(judgement.holds());
    assert_eq!(judgement.compared, 1);
}

#[test]
fn nothing_compared_is_not_green() {
    let reason = "nothing was compared: no operation's outcome says anything";
    abstains(&Register::default(), "|--write 1--| |--write 2--|", &Limits::default(), reason);
    abstains(&Register::default(), "", &Limits::default(), reason);
}

#[test]
fn an_operation_the_model_does_not_have_is_not_green() {
    let reason = "operation 1: a register has no pop, only read, write, cas";
    abstains(&Register::default(), "|--write 1--| |--pop 1--|", &Limits::default(), reason);
}

#[test]
fn a_process_that_goes_on_after_an_operation_without_return_is_reported() {
    let reason = "operation 1: process 0 calls while its operation 0 never returned";
    abstains(&Register::default(), "|--write 1--> |--read 1--|", &Limits::default(), reason);
}

#[test]
fn a_limit_of_states_gives_no_answer() {
    let limits = Limits { states_max: 1, ..Limits::default() };
    let drawing = "|--write 1--| |--read 2--|
                   |--write 2--|";
    abstains(&Register::default(), drawing, &limits, "the limit of 1 states was reached");
}
