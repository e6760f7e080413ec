//! The door for plain Rust futures: each poll is a step, and a waker enables the connection again.
//!
//! A future may wait for a [`Completion`] by `.await`, or for anything of its own that keeps the waker. Awaited
//! through [`wait`], a completion also shows its resource to schedulers, and a busy retry is known as one.
//! There is no executor here and no thread: a future that nobody wakes is a deadlock, and is found as one.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::aio::{Completion, CompletionError, IOCompletions, IOResult};
use crate::engine::{Connection, EngineError, Family, Reply};

/// A call under way.
pub type Call<V> = Pin<Box<dyn Future<Output = Result<Reply<V>, EngineError>>>>;

/// A connection to an engine that answers with futures.
pub trait FutureClient<F: Family>: 'static {
    /// The future that performs an operation. It shares the client's state, behind an `Rc` or `Arc`.
    fn call(&mut self, op: &F::Op) -> Call<F::Value>;

    /// A call has been dropped between two polls. The client must accept another, with no transaction open.
    fn abandoned(&mut self) {}
}

/// Makes the future of an operation.
type Caller<F> = dyn FnMut(&<F as Family>::Op) -> Call<<F as Family>::Value>;

/// A client that is only a function, for engines that need nothing beside it.
pub struct Calls<F: Family>(Box<Caller<F>>);

impl<F: Family> Calls<F> {
    /// A client that asks `function` for the future of each operation.
    pub fn new<T>(mut function: impl FnMut(&F::Op) -> T + 'static) -> Self
    where
        T: Future<Output = Result<Reply<F::Value>, EngineError>> + 'static,
    {
        Self(Box::new(move |op| Box::pin(function(op))))
    }
}

impl<F: Family> FutureClient<F> for Calls<F> {
    fn call(&mut self, op: &F::Op) -> Call<F::Value> {
        (self.0)(op)
    }
}

/// Makes a [`Connection`] of a [`FutureClient`].
pub struct FutureConnection<F: Family, C: FutureClient<F>> {
    /// Before `client`: a call ends before its client does.
    pending: Option<Polled<Result<Reply<F::Value>, EngineError>>>,
    client: C,
}

impl<F: Family, C: FutureClient<F>> FutureConnection<F, C> {
    /// A connection of `client`.
    pub const fn new(client: C) -> Self {
        Self { pending: None, client }
    }
}

impl<F: Family, C: FutureClient<F>> Connection<F> for FutureConnection<F, C> {
    fn start(&mut self, op: &F::Op) {
        self.pending = Some(Polled::boxed(self.client.call(op)));
    }

    fn step(&mut self) -> Result<IOResult<Reply<F::Value>>, EngineError> {
        let step = self.pending.as_mut().expect("`step` without `start`").try_step();
        if !matches!(step, Ok(IOResult::IO(_))) {
            self.pending = None;
        }
        step
    }

    fn abandon(&mut self) {
        if self.pending.take().is_some() {
            self.client.abandoned();
        }
    }
}

/// A future polled a step at a time; for `open` and `check` too.
pub struct Polled<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    waker: Waker,
    /// Finished by `waker`.
    woken: Completion,
}

impl<T> Polled<T> {
    /// A future that has not been polled.
    #[must_use]
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self::boxed(Box::pin(future))
    }

    /// The same for a future that has its place already.
    #[must_use]
    pub fn boxed(future: Pin<Box<dyn Future<Output = T>>>) -> Self {
        let (waker, woken) = signal();
        Self { future, waker, woken }
    }

    /// Polls once.
    ///
    /// # Panics
    /// With the future's own panic; and, as a rule, when it has given its value already.
    pub fn step(&mut self) -> IOResult<T> {
        if self.woken.finished() {
            (self.waker, self.woken) = signal();
        }
        let outer = WAITS.take();
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&self.waker));
        let waits = WAITS.replace(outer);
        match polled {
            Poll::Ready(value) => IOResult::Done(value),
            Poll::Pending => IOResult::IO(IOCompletions::Single(self.waiting_for(waits))),
        }
    }

    fn waiting_for(&self, waits: Vec<Completion>) -> Completion {
        let only = <[Completion; 1]>::try_from(waits).ok();
        match (self.woken.finished(), only) {
            // Woken while it was polled: it lets others run.
            (true, Some([wait])) if wait.is_explicit_yield() => wait,
            (true, _) => Completion::new_yield(),
            // The waker decides, not the completion: the future may wait for something else beside it.
            (false, Some([wait])) => self.woken.clone().touching(wait.label().resource()),
            (false, None) => self.woken.clone(),
        }
    }
}

impl<T, E> Polled<Result<T, E>> {
    /// [`step`](Polled::step) of a future that may fail, in the form of `open` and `check`.
    ///
    /// # Errors
    /// The future's own.
    pub fn try_step(&mut self) -> Result<IOResult<T>, E> {
        match self.step() {
            IOResult::IO(io) => Ok(IOResult::IO(io)),
            IOResult::Done(outcome) => outcome.map(IOResult::Done),
        }
    }
}

/// Awaits a completion, and lets schedulers see what the code after it touches.
pub const fn wait(completion: Completion) -> Wait {
    Wait { completion }
}

/// The future of [`wait`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Wait {
    completion: Completion,
}

impl Future for Wait {
    type Output = Result<usize, CompletionError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let completion = &mut self.get_mut().completion;
        let polled = Pin::new(&mut *completion).poll(context);
        if polled.is_pending() {
            WAITS.with_borrow_mut(|waits| waits.push(completion.clone()));
        }
        polled
    }
}

thread_local! {
    /// What the poll under way has been found waiting for. Taken and put back around every poll, so polls nest.
    static WAITS: RefCell<Vec<Completion>> = const { RefCell::new(Vec::new()) };
}

struct Signal(Completion);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.complete(0);
    }
}

/// A waker and what it finishes.
fn signal() -> (Waker, Completion) {
    let completion = Completion::new_wait();
    (Waker::from(Arc::new(Signal(completion.clone()))), completion)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::aio::Resource;

    fn waits<T>(polled: &mut Polled<T>) -> Completion {
        match polled.step() {
            IOResult::IO(io) => io.into_completion(),
            IOResult::Done(_) => panic!("must wait"),
        }
    }

    #[test]
    fn a_waker_enables_the_step() {
        let read = Completion::write().touching(Resource::read("page", 3));
        let inner = read.clone();
        let mut polled = Polled::new(inner);
        let waited = waits(&mut polled);
        assert!(!waited.finished() && !waited.is_explicit_yield());
        assert!(!waits(&mut polled).finished(), "polled too early, it waits on");
        read.complete(9);
        assert!(waited.finished());
        assert!(matches!(polled.step(), IOResult::Done(Ok(9))));
    }

    #[test]
    fn wait_shows_the_resource() {
        let read = Completion::write().touching(Resource::read("page", 3));
        let inner = read.clone();
        let mut polled = Polled::new(wait(inner));
        assert_eq!(waits(&mut polled).label().resource(), Resource::read("page", 3));
        read.complete(1);
        assert!(matches!(polled.step(), IOResult::Done(Ok(1))));
    }

    #[test]
    fn yields_and_busy_retries_are_known_as_such() {
        let mut polled = Polled::new(async {
            let _ = Completion::new_yield().await;
            let _ = wait(Completion::new_spin()).await;
            7
        });
        let first = waits(&mut polled);
        assert!(first.is_explicit_yield() && !first.is_spin());
        assert!(waits(&mut polled).is_spin());
        assert!(matches!(polled.step(), IOResult::Done(7)));
    }

    #[test]
    fn a_future_woken_by_one_of_two_things_does_not_wait_for_the_other() {
        let (slow, flag) = (Completion::write(), Rc::new(Cell::new(false)));
        let waker = Rc::new(RefCell::new(None::<Waker>));
        let (inner, seen, keeps) = (slow.clone(), Rc::clone(&flag), Rc::clone(&waker));
        let mut slow_wait = Box::pin(wait(inner));
        let mut polled = Polled::new(std::future::poll_fn(move |context| {
            let _ = slow_wait.as_mut().poll(context);
            *keeps.borrow_mut() = Some(context.waker().clone());
            if seen.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        let waited = waits(&mut polled);
        flag.set(true);
        waker.borrow_mut().take().unwrap().wake();
        assert!(waited.finished() && !slow.finished());
        assert!(matches!(polled.step(), IOResult::Done(())));
    }
}
