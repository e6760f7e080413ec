//! The door for blocking code: a client that simply calls, and an adaptor that makes a connection of it.
//!
//! Inside [`BlockingClient::call`] everything is plain blocking Rust (or C below it); where the engine's own file
//! layer would block it calls [`wait`](super::wait). It works for engines that hold no in-process lock across a
//! call into their file layer: another connection would wait for that lock without letting anybody run.
//!
//! A connection that is dropped is *killed*, in this order: [`Shared::kill`], the pending call runs to its end
//! with every wait refused, then [`Blocking::die`] does, likewise. The scheduler is not asked.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::task::{Shared, Task};
use crate::aio::IOResult;
use crate::disk::Io;
use crate::engine::{Connection, EngineError, Family, Reply};

/// How many turns an abandoned call gets to undo itself before its process is killed.
const ABANDON_STEPS_MAX: u32 = 100_000;

/// Something with blocking methods.
pub trait Blocking: 'static {
    /// What lives beside it and can be reached while a method is suspended; `()` where nothing is needed.
    type Shared: Shared;

    /// That.
    fn shared(&self) -> Rc<Self::Shared>;

    /// Its process has died: gives everything back. Every wait fails.
    fn die(&mut self) {}
}

/// A [`Blocking`] connection to an engine.
pub trait BlockingClient<F: Family>: Blocking {
    /// Performs an operation.
    ///
    /// # Errors
    /// When the engine broke down; the operation is then in doubt.
    fn call(&mut self, op: &F::Op) -> Result<Reply<F::Value>, EngineError>;

    /// A call has been given up and has returned: rolls back, so that no transaction is open.
    fn reset(&mut self) {}
}

/// A [`Blocking`] thing with the means to call it, one call at a time. Dropping it kills it.
pub struct Host<C: Blocking> {
    client: Rc<RefCell<C>>,
    shared: Rc<C::Shared>,
}

impl<C: Blocking> Host<C> {
    /// A host for `client`.
    pub fn new(client: C) -> Self {
        let shared = client.shared();
        Self { client: Rc::new(RefCell::new(client)), shared }
    }

    /// What lives beside it.
    #[must_use]
    pub const fn shared(&self) -> &Rc<C::Shared> {
        &self.shared
    }

    /// A call on a stack of its own. Only one may be under way.
    pub fn task<T: 'static>(&self, body: impl FnOnce(&mut C) -> T + 'static) -> Task<T> {
        let client = Rc::clone(&self.client);
        Task::new(Rc::clone(&self.shared) as Rc<dyn Shared>, move || body(&mut client.borrow_mut()))
    }

    /// Kills it: ends the pending call without effect, then lets it give everything back. It may be called again.
    pub fn kill<T: 'static>(&mut self, pending: Option<Task<T>>) {
        self.shared.kill();
        drop(pending);
        drop(self.task(Blocking::die));
    }
}

impl<C: Blocking> Drop for Host<C> {
    fn drop(&mut self) {
        self.kill(None::<Task<()>>);
    }
}

type Call<F> = Task<Result<Reply<<F as Family>::Value>, EngineError>>;

/// Makes a [`Connection`] of a [`BlockingClient`].
pub struct BlockingConnection<F: Family, C: BlockingClient<F>> {
    /// Before `host`: a pending call ends before its client does.
    pending: Option<Call<F>>,
    host: Host<C>,
    io: Arc<dyn Io>,
}

impl<F: Family, C: BlockingClient<F>> BlockingConnection<F, C> {
    /// A connection of `client`, whose files lie on `io`.
    pub fn new(io: Arc<dyn Io>, client: C) -> Self {
        Self { pending: None, host: Host::new(client), io }
    }

    /// Runs a call to its end without the scheduler, pumping I/O; `false` when the world does not allow it.
    fn finish<T: 'static>(&self, task: &mut Task<T>) -> bool {
        for _ in 0..ABANDON_STEPS_MAX {
            match task.step() {
                IOResult::Done(_) => return true,
                IOResult::IO(io) if io.finished() => {}
                IOResult::IO(_) if self.io.step().is_err() => return false,
                IOResult::IO(_) => {}
            }
        }
        false
    }
}

impl<F: Family, C: BlockingClient<F>> Connection<F> for BlockingConnection<F, C> {
    fn start(&mut self, op: &F::Op) {
        let op = op.clone();
        self.pending = Some(self.host.task(move |client| client.call(&op)));
    }

    fn step(&mut self) -> Result<IOResult<Reply<F::Value>>, EngineError> {
        let pending = self.pending.as_mut().expect("`step` without `start`");
        match pending.step() {
            IOResult::IO(io) => Ok(IOResult::IO(io)),
            IOResult::Done(answer) => {
                self.pending = None;
                answer.map(IOResult::Done)
            }
        }
    }

    /// Interrupts the call and lets it undo itself, pumping the I/O it needs. Where that is impossible, the
    /// process is killed, and the client must be able to begin anew.
    fn abandon(&mut self) {
        let Some(mut pending) = self.pending.take() else { return };
        self.host.shared.interrupt();
        if !self.finish(&mut pending) {
            return self.host.kill(Some(pending));
        }
        let mut reset = self.host.task(BlockingClient::reset);
        if !self.finish(&mut reset) {
            self.host.kill(Some(reset));
        }
    }
}

impl<F: Family, C: BlockingClient<F>> Drop for BlockingConnection<F, C> {
    fn drop(&mut self) {
        self.host.shared.kill();
        self.pending = None;
    }
}
