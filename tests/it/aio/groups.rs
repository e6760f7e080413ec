//! Groups: cases 1 to 4, 6, 8 to 10 and 13 of the table.

use std::sync::Arc;

use parking_lot::Mutex;
use squall::aio::{Completion, CompletionError, CompletionGroup, Kind};

use super::scene::check;

// Case 1.
#[test]
fn an_empty_group_is_built_finished_and_is_not_an_explicit_yield() {
    check("g = ; ? g", "g<-0, g is 0");
}

#[test]
fn an_empty_group_is_of_the_kind_group() {
    let group = CompletionGroup::new(|outcome| outcome).build();
    assert_eq!(group.kind(), Kind::Group);
    assert!(!group.is_spin());
}

// Case 2.
#[test]
fn a_group_whose_children_finished_before_build_is_finished_at_once() {
    check("done a 2; done b 3; g = a b; ? g", "a<-2, b<-3, g<-5, g is 5");
    check("done a 2; fail b E1; g = a b; ? g", "a<-2, b<-E1, g<-E1, g is E1");
    check("open g; add g a; done a 2; build g; ? g", "a<-2, g<-2, g is 2");
    check("open g; add g a; fail a E1; build g; ? g", "a<-E1, g<-E1, g is E1");
}

#[test]
fn a_group_runs_no_callback_before_it_is_built() {
    check("open g; done a 1; add g a; ? a; build g", "a<-1, a is 1, g<-1");
}

// Case 3.
#[test]
fn a_group_with_a_failed_child_waits_for_the_pending_ones_and_then_fails() {
    check("g = a b; fail a E1; ? g; done b 1; ? g", "a<-E1, g is pending, b<-1, g<-E1, g is E1");
    check("g = a b; fail b E1; ? g; done a 1; ? g", "b<-E1, g is pending, a<-1, g<-E1, g is E1");
    check("fail a E1; g = a b; ? g; done b 1; ? g", "a<-E1, g is pending, b<-1, g<-E1, g is E1");
    check("fail a E1; g = b a; ? g; done b 1; ? g", "a<-E1, g is pending, b<-1, g<-E1, g is E1");
}

#[test]
fn a_finished_group_never_becomes_unfinished_again() {
    check("g = a; done a 1; ? g; done a 2; fail a E1; abort a; ? g", "a<-1, g<-1, g is 1, g is 1");
}

// Case 4.
#[test]
fn of_two_errors_the_first_in_time_wins_and_the_callback_hears_it_once() {
    check("g = a b; fail b E2; fail a E1; ? g", "b<-E2, a<-E1, g<-E2, g is E2");
    check("g = a b c; fail c E3; done a 1; fail b E2; ? g", "c<-E3, a<-1, b<-E2, g<-E3, g is E3");
    check("open g; add g a b; fail b E2; fail a E1; build g; ? g", "b<-E2, a<-E1, g<-E2, g is E2");
}

#[test]
fn an_error_from_before_the_child_was_added_counts_from_the_moment_it_was() {
    check("open g; add g a; fail b E2; fail a E1; add g b; build g; ? g", "b<-E2, a<-E1, g<-E1, g is E1");
}

// Case 6.
#[test]
fn aborting_a_group_aborts_every_unfinished_child_in_nested_groups_too() {
    check(
        "done d 1; inner = b c; g = a inner d; abort g; ? g; ? inner; ? d",
        "d<-1, a<-aborted, b<-aborted, c<-aborted, inner<-aborted, g<-aborted, g is aborted, inner is aborted, d is 1",
    );
}

#[test]
fn an_error_that_came_before_the_abort_is_still_the_first() {
    check("g = a b; fail a E1; abort g; ? g", "a<-E1, b<-aborted, g<-E1, g is E1");
}

#[test]
fn an_aborted_group_fails_even_when_its_child_forgives_the_abort() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let forgiving = Completion::new_read(vec![0].into(), |_| Ok(0));
    let mut group = CompletionGroup::new(move |outcome| {
        log.lock().push(outcome.clone());
        outcome
    });
    group.add(&forgiving);
    let group = group.build();
    group.abort();
    assert!(forgiving.succeeded());
    assert_eq!(*heard.lock(), [Err(CompletionError::Aborted)]);
}

// Case 8.
#[test]
fn cancelling_an_open_group_aborts_its_unfinished_leaves() {
    check(
        "yield y; done d 1; inner = b c; open g; add g inner y d a; cancel g; ? a; ? d; ? y; build g; ? g",
        "d<-1, b<-aborted, c<-aborted, inner<-aborted, a<-aborted, \
         a is aborted, d is 1, y is a yield, 0, g<-aborted, g is aborted",
    );
}

#[test]
fn cancelling_an_open_group_with_nothing_left_to_abort_changes_nothing() {
    check("open g; cancel g; build g; ? g", "g<-0, g is 0");
    check("done a 1; open g; add g a; cancel g; build g; ? g", "a<-1, g<-1, g is 1");
    check("yield y; open g; add g y; cancel g; build g; ? g", "g<-0, g is 0");
}

// Case 9.
#[test]
fn a_child_of_two_groups_is_told_to_both() {
    check("g = a; h = a b; done a 1; ? g; ? h; done b 1", "a<-1, g<-1, g is 1, h is pending, b<-1, h<-2");
    check("g = a; h = a; fail a E1; ? g; ? h", "a<-E1, h<-E1, g<-E1, g is E1, h is E1");
    check(
        "g = a b; h = a c; abort g; ? h; done c 1",
        "a<-aborted, b<-aborted, g<-aborted, h is pending, c<-1, h<-aborted",
    );
}

#[test]
fn a_child_that_is_twice_in_one_group_counts_twice() {
    check("g = a a; ? g; done a 3; ? g", "g is pending, a<-3, g<-6, g is 6");
    check("done a 3; g = a a; ? g", "a<-3, g<-6, g is 6");
    check("open g; add g a; done a 3; add g a; build g", "a<-3, g<-6");
    check("inner = a a; g = inner inner; abort g; ? g", "a<-aborted, inner<-aborted, g<-aborted, g is aborted");
}

// Case 10.
#[test]
fn when_the_child_of_a_nested_group_fails_the_outer_fails_once_all_of_it_has_finished() {
    check(
        "inner = a b; g = inner c; fail a E1; ? inner; done c 1; ? g; done b 1; ? g",
        "a<-E1, inner is pending, c<-1, g is pending, b<-1, inner<-E1, g<-E1, g is E1",
    );
    check(
        "inner = a b; g = inner c; fail a E1; done b 1; ? inner; ? g; done c 1; ? g",
        "a<-E1, b<-1, inner<-E1, inner is E1, g is pending, c<-1, g<-E1, g is E1",
    );
}

// Case 13.
#[test]
fn inside_the_callback_of_a_group_every_child_reports_finished() {
    let (a, b) = (Completion::write(), Completion::write());
    let inner = {
        let mut inner = CompletionGroup::new(|outcome| outcome);
        inner.add(&b);
        inner.build()
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, children) = (Arc::clone(&seen), [a.clone(), inner.clone(), b.clone()]);
    let mut group = CompletionGroup::new(move |outcome| {
        log.lock().extend(children.iter().map(Completion::finished));
        outcome
    });
    group.add(&a);
    group.add(&inner);
    let _group = group.build();
    a.complete(1);
    assert!(seen.lock().is_empty(), "the callback waits for all");
    b.complete(1);
    assert_eq!(*seen.lock(), [true, true, true]);
}
