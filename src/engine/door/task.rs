//! One blocking call on a stack of its own, suspended and resumed by whoever holds its [`Task`].
//!
//! ```text
//! scheduler          Task::step            the blocking code
//!     |------------------->|  resume  --------->|
//!     |                    |                    |  wait(completion)
//!     |<---- IO(completion)|<-------  suspend --|
//!     |  (others run)      |                    |
//!     |------------------->|  resume  --------->|  wait returns
//! ```
//!
//! Invariants. A suspended stack is never thrown away: a task that is dropped is *stopped*, which makes every
//! `wait` fail at once, and resumed until its code has returned, because there may be C frames on the stack that
//! nobody can unwind. The thread's "current task" is saved and restored around every resume, so tasks nest.
#![allow(unsafe_code)] // One block, in `suspend`: the yielder lives on the other stack and has no name for its lifetime.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::aio::{Completion, CompletionError, IOCompletions, IOResult, Resource};

/// The size of a stack in bytes. Only the pages that are touched take memory.
const STACK_BYTES: usize = 1 << 20;

/// How many stacks a thread keeps for reuse.
const STACKS_KEPT: usize = 64;

/// How often stopped code may go on waiting before we say that it never ends.
const STOPPED_WAITS_MAX: u32 = 1_000_000;

/// What lives beside blocking code and can be reached while that code is suspended. [`local`] finds it from
/// inside.
pub trait Shared: Any {
    /// Called before the code is resumed.
    fn enter(&self) {}
    /// Called after it has suspended, returned or panicked.
    fn leave(&self) {}
    /// Asks the pending call to return soon, with its effects undone. Waiting still works.
    fn interrupt(&self) {}
    /// The process dies: from now on nothing the code does may have an effect. Waiting fails.
    fn kill(&self) {}
}

impl Shared for () {}

struct Current {
    shared: Rc<dyn Shared>,
    yielder: Cell<Option<NonNull<Suspender>>>,
    stopped: Cell<bool>,
    stopped_waits: Cell<u32>,
}

type Suspender = Yielder<(), Completion>;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// A blocking call under way.
pub struct Task<T: 'static> {
    coroutine: Option<Coroutine<(), Completion, T>>,
    current: Rc<Current>,
}

impl<T: 'static> Task<T> {
    /// A call that has not begun; nothing of `body` runs before the first step.
    ///
    /// # Panics
    /// When the operating system gives no memory for a stack.
    pub fn new(shared: Rc<dyn Shared>, body: impl FnOnce() -> T + 'static) -> Self {
        let current = Rc::new(Current {
            shared,
            yielder: Cell::new(None),
            stopped: Cell::new(false),
            stopped_waits: Cell::new(0),
        });
        let inside = Rc::clone(&current);
        let coroutine = Coroutine::with_stack(take_stack(), move |yielder: &Suspender, ()| {
            inside.yielder.set(Some(NonNull::from(yielder)));
            drop(inside);
            body()
        });
        Self { coroutine: Some(coroutine), current }
    }

    /// Goes on until the code waits or returns.
    ///
    /// # Panics
    /// With the code's own panic; and when the code has returned already.
    pub fn step(&mut self) -> IOResult<T> {
        let coroutine = self.coroutine.as_mut().expect("a blocking call was stepped after it had returned");
        let resumed = {
            let _inside = Inside::new(&self.current);
            coroutine.resume(())
        };
        match resumed {
            CoroutineResult::Yield(completion) => IOResult::IO(IOCompletions::Single(completion)),
            CoroutineResult::Return(value) => {
                self.give_stack_back();
                IOResult::Done(value)
            }
        }
    }

    /// Whether the code has returned or panicked.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.coroutine.as_ref().is_none_or(Coroutine::done)
    }

    /// Makes every wait fail from now on and runs the code to its end; `None` when it had ended already.
    ///
    /// # Panics
    /// With the code's own panic, and when the code goes on waiting for ever.
    pub fn stop(&mut self) -> Option<T> {
        self.current.stopped.set(true);
        while !self.is_over() {
            if let IOResult::Done(value) = self.step() {
                return Some(value);
            }
        }
        None
    }

    fn give_stack_back(&mut self) {
        if let Some(coroutine) = self.coroutine.take().filter(Coroutine::done) {
            let stack = coroutine.into_stack();
            // At the end of a thread there may be no pool any more; the stack is then simply freed.
            let _ = STACKS.try_with(|stacks| {
                let mut stacks = stacks.borrow_mut();
                if stacks.len() < STACKS_KEPT {
                    stacks.push(stack);
                }
            });
        }
    }
}

impl<T, E> Task<Result<T, E>> {
    /// [`step`](Task::step) of a call that may fail, in the form of `open` and `check`.
    ///
    /// # Errors
    /// The call's own.
    pub fn try_step(&mut self) -> Result<IOResult<T>, E> {
        match self.step() {
            IOResult::IO(io) => Ok(IOResult::IO(io)),
            IOResult::Done(outcome) => outcome.map(IOResult::Done),
        }
    }
}

impl<T: 'static> Drop for Task<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would abort the process, and the first one is the story to tell.
            let _ = catch_unwind(AssertUnwindSafe(|| self.stop()));
        } else {
            self.stop();
        }
        self.give_stack_back();
    }
}

/// Waits inside blocking code: suspends it until the operation has finished, once for an explicit yield.
///
/// Outside of any task, what has finished is answered and an explicit yield does nothing, so that the same
/// code runs on real files.
///
/// # Errors
/// Those of the operation; `Aborted` as soon as the task is stopped.
///
/// # Panics
/// Outside of any task, when the operation has not finished: nobody could ever finish it.
#[track_caller]
pub fn wait(completion: Completion) -> Result<usize, CompletionError> {
    let Some(current) = current() else {
        return completion.result().expect("`door::wait` outside of a blocking call, on an unfinished operation");
    };
    let once = completion.is_explicit_yield();
    // Resumed too early, it waits on: spurious wake-ups are the scheduler's right.
    while once || !completion.finished() {
        if current.stopped.get() {
            return Err(current.refuse());
        }
        suspend(&current, completion.clone().seen_here());
        if once {
            break;
        }
    }
    if current.stopped.get() {
        return Err(current.refuse());
    }
    completion.result().expect("the loop ends when it has finished")
}

/// Lets others run before the code goes on to touch `resource`.
///
/// # Errors
/// `Aborted` when the task is stopped; the code should then end without further effect.
#[track_caller]
pub fn yield_now(resource: Resource) -> Result<(), CompletionError> {
    wait(Completion::new_yield().touching(resource)).map(drop)
}

/// What lives beside the code that runs here and now, if there is a task and it is of this type.
#[must_use]
pub fn local<S: Shared>() -> Option<Rc<S>> {
    let shared: Rc<dyn Any> = Rc::clone(&current()?.shared) as Rc<dyn Any>;
    shared.downcast().ok()
}

/// Whether the code that runs here and now has been stopped.
#[must_use]
pub fn stopped() -> bool {
    current().is_some_and(|current| current.stopped.get())
}

fn current() -> Option<Rc<Current>> {
    CURRENT.with_borrow(Clone::clone)
}

fn suspend(current: &Current, completion: Completion) {
    let yielder = current.yielder.get().expect("set before the code began");
    // SAFETY: `current` is the thread's current task only between a resume of its coroutine and the return of
    // that resume (`Inside`), so this code runs on that coroutine's stack, at whose foot the yielder lives
    // until the code has returned.
    unsafe { yielder.as_ref() }.suspend(completion);
}

fn take_stack() -> DefaultStack {
    STACKS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("no memory for the stack of a blocking call"))
}

impl Current {
    fn refuse(&self) -> CompletionError {
        let waits = self.stopped_waits.get() + 1;
        self.stopped_waits.set(waits);
        assert!(waits < STOPPED_WAITS_MAX, "blocking code was stopped and goes on waiting for ever");
        CompletionError::Aborted
    }
}

/// While it lives, one task is the thread's current one; then the one before is again.
struct Inside<'a> {
    task: &'a Rc<Current>,
    outer: Option<Rc<Current>>,
}

impl<'a> Inside<'a> {
    fn new(task: &'a Rc<Current>) -> Self {
        task.shared.enter();
        Self { task, outer: CURRENT.replace(Some(Rc::clone(task))) }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
        self.task.shared.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task<T: 'static>(body: impl FnOnce() -> T + 'static) -> Task<T> {
        Task::new(Rc::new(()), body)
    }

    fn is_io<T>(result: &IOResult<T>) -> bool {
        result.is_io()
    }

    #[test]
    fn a_call_waits_until_its_operation_has_finished_and_no_longer() {
        let read = Completion::write();
        let inner = read.clone();
        let mut task = task(move || wait(inner));
        for _ in 0..3 {
            let IOResult::IO(io) = task.step() else { panic!("must wait") };
            assert!(!io.finished());
        }
        read.complete(42);
        assert!(matches!(task.step(), IOResult::Done(Ok(42))));
        assert!(task.is_over());
    }

    #[test]
    fn a_yield_suspends_once_and_carries_its_resource() {
        let mut task = task(|| yield_now(Resource::write("page", 7)));
        let IOResult::IO(io) = task.step() else { panic!("must yield") };
        assert!(io.completion().is_explicit_yield());
        assert_eq!(io.completion().label().resource(), Resource::write("page", 7));
        assert!(matches!(task.step(), IOResult::Done(Ok(()))));
    }

    #[test]
    fn what_has_finished_already_does_not_suspend() {
        let done = Completion::write();
        done.complete(3);
        assert!(matches!(task(move || wait(done)).step(), IOResult::Done(Ok(3))));
    }

    #[test]
    fn a_dropped_call_runs_to_its_end_with_every_wait_refused() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let inner = Rc::clone(&seen);
        let mut task = task(move || {
            for _ in 0..3 {
                let outcome = wait(Completion::write());
                inner.borrow_mut().push(outcome);
            }
        });
        assert!(is_io(&task.step()));
        assert!(seen.borrow().is_empty());
        drop(task);
        assert_eq!(*seen.borrow(), vec![Err(CompletionError::Aborted); 3]);
    }

    #[test]
    fn a_call_dropped_before_its_first_step_runs_too_because_it_may_have_to_give_something_back() {
        let ran = Rc::new(Cell::new(false));
        let inner = Rc::clone(&ran);
        drop(task(move || inner.set(true)));
        assert!(ran.get());
    }

    #[test]
    fn a_panic_comes_out_of_the_step_and_the_task_is_over() {
        let mut task = task(|| {
            let _ = yield_now(Resource::Unknown);
            panic!("from inside");
        });
        assert!(is_io(&task.step()));
        let panic = catch_unwind(AssertUnwindSafe(|| task.step())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"from inside"));
        assert!(task.is_over());
        assert!(current().is_none(), "the current task is restored on panic");
    }

    #[test]
    fn tasks_nest_and_each_finds_its_own_surroundings() {
        struct Name(&'static str);
        impl Shared for Name {}
        let name = || local::<Name>().map(|name| name.0);
        let mut outer = Task::new(Rc::new(Name("outer")), move || {
            let mut inner = Task::new(Rc::new(Name("inner")), move || {
                let _ = yield_now(Resource::Unknown);
                name()
            });
            assert!(is_io(&inner.step()));
            let before = name();
            let _ = yield_now(Resource::Unknown);
            let IOResult::Done(of_inner) = inner.step() else { panic!("yields once") };
            (before, of_inner, name())
        });
        assert!(is_io(&outer.step()));
        assert_eq!(name(), None);
        let IOResult::Done(names) = outer.step() else { panic!("yields once") };
        assert_eq!(names, (Some("outer"), Some("inner"), Some("outer")));
    }

    #[test]
    #[should_panic(expected = "goes on waiting for ever")]
    fn code_that_ignores_its_stop_is_called_out() {
        drop(task(|| {
            loop {
                let _ = yield_now(Resource::Unknown);
            }
        }));
    }
}
