//! Single completions: cases 7, 11, 12, 16 and 19 of the table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use squall::aio::{Buffer, Completion, CompletionError, CompletionGroup, Kind};

use super::scene::{check, state};

// Case 7.
#[test]
fn finishing_what_is_finished_is_ignored_and_the_callback_never_runs_twice() {
    for first in ["done a 1", "fail a E1", "abort a"] {
        let outcome = match first {
            "done a 1" => "1",
            "fail a E1" => "E1",
            _ => "aborted",
        };
        for second in ["done a 2", "fail a E2", "abort a"] {
            check(&format!("{first}; {second}; ? a"), &format!("a<-{outcome}, a is {outcome}"));
        }
    }
}

#[test]
fn finishing_from_inside_its_own_callback_is_ignored() {
    let own: Arc<Mutex<Option<Completion>>> = Arc::default();
    let (handle, calls) = (Arc::clone(&own), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&calls);
    let write = Completion::new_write(move |outcome| {
        counted.fetch_add(1, Ordering::Relaxed);
        let me = handle.lock().take().expect("set below");
        assert!(!me.finished(), "it is finished when its callback has run");
        me.complete(9);
        me.abort();
        outcome
    });
    *own.lock() = Some(write.clone());
    write.complete(1);
    assert_eq!((state(&write).as_str(), calls.load(Ordering::Relaxed)), ("1", 1));
}

#[test]
fn a_group_and_a_yield_are_not_finished_by_hand() {
    check("g = a; done g 7; fail g E1; ? g; done a 1; ? g", "g is pending, a<-1, g<-1, g is 1");
    check("yield y; done y 7; fail y E1; abort y; ? y", "y is a yield, 0");
}

#[test]
fn of_many_threads_that_finish_one_completion_exactly_one_does() {
    for _ in 0..200 {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let write = Completion::new_write(move |outcome| {
            counted.fetch_add(1, Ordering::Relaxed);
            outcome
        });
        std::thread::scope(|scope| {
            scope.spawn(|| write.complete(1));
            scope.spawn(|| write.error(CompletionError::Rejected("no")));
            scope.spawn(|| write.abort());
        });
        assert!(write.finished());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

// Case 11.
#[test]
fn a_callback_may_submit_finish_and_build_whatever_it_likes() {
    let (submitted, other) = (Arc::new(Mutex::new(Vec::new())), Completion::write());
    let (list, friend) = (Arc::clone(&submitted), other.clone());
    let read = Completion::new_read(Buffer::zeroed(1), move |outcome| {
        let next = Completion::read(Buffer::zeroed(1));
        let mut group = CompletionGroup::new(|outcome| outcome);
        group.add(&next);
        group.add(&friend);
        list.lock().extend([next, group.build()]);
        friend.complete(4);
        outcome
    });
    let mut outer = CompletionGroup::new(|outcome| outcome);
    outer.add(&read);
    outer.add(&other);
    let outer = outer.build();
    read.complete(1);
    assert_eq!((state(&outer).as_str(), state(&other).as_str()), ("5", "4"));
    let [next, group] = <[Completion; 2]>::try_from(std::mem::take(&mut *submitted.lock())).expect("both");
    assert_eq!(state(&group), "pending");
    next.complete(1);
    assert_eq!(state(&group), "5");
}

#[test]
fn the_callback_of_a_group_may_build_on_its_own_children() {
    let (leaf, later) = (Completion::write(), Arc::new(Mutex::new(None)));
    let (slot, child) = (Arc::clone(&later), leaf.clone());
    let mut group = CompletionGroup::new(move |outcome| {
        let mut again = CompletionGroup::new(|outcome| outcome);
        again.add(&child);
        *slot.lock() = Some(again.build());
        outcome
    });
    group.add(&leaf);
    let _group = group.build();
    leaf.complete(2);
    assert_eq!(later.lock().as_ref().map(state).as_deref(), Some("2"));
}

#[test]
fn a_callback_that_panics_fails_its_completion_and_leaves_nobody_waiting() {
    let broken = Completion::new_write(|_| panic!("the author's own mistake"));
    let woken = Arc::new(Bell::default());
    broken.set_waker(&Waker::from(Arc::clone(&woken)));
    let mut group = CompletionGroup::new(|outcome| outcome);
    group.add(&broken);
    let group = group.build();
    catch_unwind(AssertUnwindSafe(|| broken.complete(1))).expect_err("the panic goes on");
    assert_eq!(state(&broken), "the callback panicked");
    assert_eq!(state(&group), "the callback panicked");
    assert_eq!(woken.rings(), 1);
}

// Case 12.
#[test]
fn a_read_callback_that_finds_the_read_short_fails_the_completion_and_its_groups() {
    let read = Completion::new_read(Buffer::zeroed(8), |outcome| match outcome {
        Ok(got) if got < 8 => Err(CompletionError::Short { wanted: 8, got }),
        other => other,
    });
    let mut group = CompletionGroup::new(|outcome| outcome);
    group.add(&read);
    let group = group.build();
    read.complete(5);
    assert_eq!(state(&read), "short transfer: 5 of 8 bytes");
    assert_eq!(state(&group), "short transfer: 5 of 8 bytes");
}

// Case 16.
#[test]
fn a_completion_whose_last_handle_is_dropped_fails_with_aborted_and_its_callback_has_run_once() {
    check("? a; drop a", "a is pending, a<-aborted");
    check("done a 1; drop a", "a<-1");
    check("g = a b; drop a; ? g; done b 1; ? g", "a<-aborted, g is pending, b<-1, g<-aborted, g is aborted");
    check("inner = a; g = inner; drop inner; drop a; ? g", "a<-aborted, inner<-aborted, g<-aborted, g is aborted");
}

#[test]
fn whoever_waits_for_a_completion_that_is_dropped_is_woken() {
    let (write, bell) = (Completion::write(), Arc::new(Bell::default()));
    write.set_waker(&Waker::from(Arc::clone(&bell)));
    drop(write);
    assert_eq!(bell.rings(), 1);
}

#[test]
fn a_group_that_is_never_built_tells_its_callback_once_that_it_was_aborted() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let leaf = Completion::write();
    let mut group = CompletionGroup::new(move |outcome| {
        log.lock().push(outcome.clone());
        outcome
    });
    group.add(&leaf);
    drop(group);
    assert!(heard.lock().is_empty());
    leaf.complete(1);
    assert_eq!(*heard.lock(), [Err(CompletionError::Aborted)]);
}

// Case 19.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_that_is_replaced_is_not_lost_both_are_woken() {
    let (old, new, write) = (Arc::new(Bell::default()), Arc::new(Bell::default()), Completion::write());
    let (old_waker, new_waker) = (Waker::from(Arc::clone(&old)), Waker::from(Arc::clone(&new)));
    write.set_waker(&old_waker);
    write.set_waker(&old_waker);
    write.set_waker(&new_waker);
    assert_eq!((old.rings(), new.rings()), (0, 0));
    write.complete(1);
    assert_eq!((old.rings(), new.rings()), (1, 1));
}

#[test]
fn a_waker_set_on_what_is_finished_is_woken_at_once() {
    let (bell, write) = (Arc::new(Bell::default()), Completion::write());
    let waker = Waker::from(Arc::clone(&bell));
    write.complete(1);
    write.set_waker(&waker);
    assert_eq!(bell.rings(), 1);
    Completion::new_yield().set_waker(&waker);
    assert_eq!(bell.rings(), 2);
}

#[test]
fn a_waker_set_while_another_thread_finishes_is_always_woken() {
    for _ in 0..500 {
        let (bell, write) = (Arc::new(Bell::default()), Completion::write());
        std::thread::scope(|scope| {
            scope.spawn(|| write.complete(1));
            write.set_waker(&Waker::from(Arc::clone(&bell)));
        });
        assert_eq!(bell.rings(), 1);
    }
}

#[test]
fn a_waker_may_use_the_completion_that_wakes_it() {
    struct Curious(Completion, Mutex<Vec<String>>);
    impl Wake for Curious {
        fn wake(self: Arc<Self>) {
            self.0.set_waker(Waker::noop());
            self.1.lock().push(state(&self.0));
        }
    }
    let write = Completion::write();
    let curious = Arc::new(Curious(write.clone(), Mutex::default()));
    write.set_waker(&Waker::from(Arc::clone(&curious)));
    write.complete(3);
    assert_eq!(*curious.1.lock(), ["3"]);
}

#[test]
fn a_completion_can_be_awaited() {
    let (bell, write) = (Arc::new(Bell::default()), Completion::write());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    let handle = write.clone();
    let mut twice = pin!(async move {
        Completion::new_yield().await?;
        handle.await.map(|bytes| 2 * bytes)
    });
    assert!(twice.as_mut().poll(&mut context).is_pending());
    assert_eq!(bell.rings(), 1, "a yield wakes at once");
    assert!(twice.as_mut().poll(&mut context).is_pending());
    write.complete(21);
    assert_eq!(bell.rings(), 2);
    assert_eq!(twice.as_mut().poll(&mut context), Poll::Ready(Ok(42)));
}

#[test]
fn an_awaited_yield_is_pending_exactly_once() {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    let mut handle = pin!(Completion::new_yield());
    assert_eq!(handle.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(bell.rings(), 1);
    assert_eq!(handle.as_mut().poll(&mut context), Poll::Ready(Ok(0)));
}

#[test]
fn each_constructor_makes_its_kind() {
    let pass = |outcome| outcome;
    let made = [
        Completion::new_read(Buffer::zeroed(1), pass),
        Completion::read(Buffer::zeroed(1)),
        Completion::new_write(pass),
        Completion::write(),
        Completion::new_sync(pass),
        Completion::sync(),
        Completion::new_truncate(pass),
        Completion::truncate(),
        Completion::timer(),
        Completion::new_yield(),
        Completion::new_spin(),
    ];
    let kinds: Vec<Kind> = made.iter().map(Completion::kind).collect();
    use Kind::{Read, Spin, Sync, Timer, Truncate, Write, Yield};
    assert_eq!(kinds, [Read, Read, Write, Write, Sync, Sync, Truncate, Truncate, Timer, Yield, Spin]);
}
