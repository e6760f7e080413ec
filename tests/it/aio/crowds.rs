//! Many at once: threads (case 5), and crowds of children and deep nesting (case 14).
//!
//! The stacks are small on purpose: one frame per level would overflow them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use squall::aio::{Completion, CompletionError, CompletionGroup};

const STACK_BYTES: usize = 128 * 1024;

fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(body).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A group of `children` that counts the calls of its callback.
fn counted(children: &[Completion], calls: &Arc<AtomicUsize>) -> CompletionGroup {
    let counted = Arc::clone(calls);
    let mut group = CompletionGroup::new(move |outcome| {
        counted.fetch_add(1, Ordering::Relaxed);
        outcome
    });
    children.iter().for_each(|child| group.add(child));
    group
}

// Case 5.
#[test]
fn a_child_that_another_thread_finishes_between_add_and_build_is_counted_exactly_once() {
    let children: Vec<Completion> = (0..20_000).map(|_| Completion::write()).collect();
    let (calls, turn) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let mut group = counted(&[], &calls);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (n, child) in children.iter().enumerate() {
                // Each child is finished at the moment it is added, a little before or a little after.
                while turn.load(Ordering::Acquire) < n {
                    std::thread::yield_now();
                }
                child.complete(1);
            }
        });
        for (n, child) in children.iter().enumerate() {
            turn.store(n, Ordering::Release);
            group.add(child);
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(group.build().result(), Some(Ok(20_000)));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_group_that_is_built_while_another_thread_finishes_its_children_finishes_once() {
    for round in 0..300 {
        let children: Vec<Completion> = (0..8).map(|_| Completion::write()).collect();
        let (calls, start) = (Arc::new(AtomicUsize::new(0)), Barrier::new(2));
        let group = counted(&children, &calls);
        let group = std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                children.iter().for_each(|child| child.complete(1));
            });
            start.wait();
            group.build()
        });
        assert_eq!(group.result(), Some(Ok(8)), "round {round}");
        assert_eq!(calls.load(Ordering::Relaxed), 1, "round {round}");
    }
}

#[test]
fn a_group_that_is_aborted_while_another_thread_finishes_its_children_finishes_once() {
    for round in 0..300 {
        let children: Vec<Completion> = (0..8).map(|_| Completion::write()).collect();
        let (calls, start) = (Arc::new(AtomicUsize::new(0)), Barrier::new(2));
        let group = counted(&children, &calls).build();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                children.iter().for_each(|child| child.complete(1));
            });
            start.wait();
            group.abort();
        });
        let outcome = group.result();
        assert!(matches!(outcome, Some(Ok(8) | Err(CompletionError::Aborted))), "round {round}: {outcome:?}");
        assert_eq!(calls.load(Ordering::Relaxed), 1, "round {round}");
    }
}

// Case 14.
#[test]
fn a_group_of_a_hundred_thousand_children_finishes() {
    on_a_small_stack(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let children: Vec<Completion> = (0..100_000).map(|_| Completion::write()).collect();
        let group = counted(&children, &calls).build();
        children.iter().for_each(|child| child.complete(1));
        assert_eq!(group.result(), Some(Ok(100_000)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_group_of_a_hundred_thousand_children_is_aborted_or_dropped() {
    on_a_small_stack(|| {
        for drop_them in [false, true] {
            let calls = Arc::new(AtomicUsize::new(0));
            let children: Vec<Completion> = (0..100_000).map(|_| Completion::write()).collect();
            let group = counted(&children, &calls).build();
            if drop_them {
                drop(children);
            } else {
                group.abort();
            }
            assert_eq!(group.result(), Some(Err(CompletionError::Aborted)));
            assert_eq!(calls.load(Ordering::Relaxed), 1);
        }
    });
}

/// A leaf in a group in a group, ten thousand deep.
fn nest(calls: &Arc<AtomicUsize>) -> (Completion, Completion) {
    let leaf = Completion::write();
    let outermost = (0..10_000).fold(leaf.clone(), |child, _| counted(&[child], calls).build());
    (leaf, outermost)
}

#[test]
fn groups_nested_ten_thousand_deep_finish() {
    on_a_small_stack(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let (leaf, outermost) = nest(&calls);
        leaf.complete(7);
        assert_eq!(outermost.result(), Some(Ok(7)));
        assert_eq!(calls.load(Ordering::Relaxed), 10_000);
    });
}

#[test]
fn groups_nested_ten_thousand_deep_are_aborted_or_dropped() {
    on_a_small_stack(|| {
        for drop_the_leaf in [false, true] {
            let calls = Arc::new(AtomicUsize::new(0));
            let (leaf, outermost) = nest(&calls);
            if drop_the_leaf {
                drop(leaf);
            } else {
                outermost.abort();
            }
            assert_eq!(outermost.result(), Some(Err(CompletionError::Aborted)));
            assert_eq!(calls.load(Ordering::Relaxed), 10_000);
        }
    });
}

#[test]
fn groups_nested_ten_thousand_deep_are_dropped_while_nobody_waits() {
    on_a_small_stack(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let (leaf, outermost) = nest(&calls);
        drop(outermost);
        assert_eq!(calls.load(Ordering::Relaxed), 0, "the leaf is still in flight");
        drop(leaf);
        assert_eq!(calls.load(Ordering::Relaxed), 10_000);
    });
}

#[test]
fn aborting_takes_each_group_once_however_many_ways_lead_to_it() {
    on_a_small_stack(|| {
        // Every level holds the one below twice: two to the power of 100 ways to the leaf.
        let calls = Arc::new(AtomicUsize::new(0));
        let leaf = Completion::write();
        let double = |child: Completion, _| counted(&[child.clone(), child], &calls).build();
        let outermost = (0..100).fold(leaf, double);
        outermost.abort();
        assert_eq!(outermost.result(), Some(Err(CompletionError::Aborted)));
        assert_eq!(calls.load(Ordering::Relaxed), 100);
    });
}
