//! The door for blocking code: a client that simply calls, and an adaptor that makes a connection of it.
//!
//! Inside [`BlockingClient::call`] everything is plain blocking Rust (or C below it); where the engine's own file
//! layer would block it calls [`wait`](super::wait). It works for engines that hold no in-process lock across a
//! call into their file layer: another connection would wait for that lock without letting anybody run.
//!
//! A connection that is dropped is *killed*, in this order: the I/O that it waits for ends, because no thread goes away in
//! the middle of a system call; [`Shared::kill`]; the pending call runs to its end with every wait refused; then
//! [`Blocking::die`] does, likewise. The scheduler is not asked.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::task::{Shared, Task};
use crate::aio::{Completion, IOResult, Kind};
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

/// A client that is only a function, for engines that need nothing beside it.
pub struct Calls<F: Family>(Box<Function<F>>);

type Function<F> = dyn FnMut(&<F as Family>::Op) -> Answer<F>;
type Answer<F> = Result<Reply<<F as Family>::Value>, EngineError>;

impl<F: Family> Calls<F> {
    /// A client that calls `function` for each operation.
    pub fn new(function: impl FnMut(&F::Op) -> Result<Reply<F::Value>, EngineError> + 'static) -> Self {
        Self(Box::new(function))
    }
}

impl<F: Family> Blocking for Calls<F> {
    type Shared = ();

    fn shared(&self) -> Rc<()> {
        Rc::new(())
    }
}

impl<F: Family> BlockingClient<F> for Calls<F> {
    fn call(&mut self, op: &F::Op) -> Answer<F> {
        (self.0)(op)
    }
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

/// Makes a [`Connection`] of a [`BlockingClient`].
pub struct BlockingConnection<F: Family, C: BlockingClient<F>> {
    /// Before `host`: a pending call ends before its client does.
    pending: Option<Task<Answer<F>>>,
    /// What the pending call waits for.
    waiting: Option<Completion>,
    host: Host<C>,
    io: Arc<dyn Io>,
}

impl<F: Family, C: BlockingClient<F>> BlockingConnection<F, C> {
    /// A connection of `client`, whose files lie on `io`.
    pub fn new(io: Arc<dyn Io>, client: C) -> Self {
        Self { pending: None, waiting: None, host: Host::new(client), io }
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
        let step = self.pending.as_mut().expect("`step` without `start`").try_step();
        self.waiting = match &step {
            Ok(IOResult::IO(io)) => Some(io.completion().clone()),
            _ => None,
        };
        if self.waiting.is_none() {
            self.pending = None;
        }
        step
    }

    /// Interrupts the call and lets it undo itself, pumping the I/O it needs. Where that is impossible, the
    /// process is killed, and the client must be able to begin anew.
    fn abandon(&mut self) {
        self.waiting = None;
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
        if let Some(waiting) = self.waiting.take().filter(|waiting| is_io(waiting.kind())) {
            while !waiting.finished() && self.io.step().is_ok() {}
        }
        self.host.shared.kill();
        self.pending = None;
    }
}

/// Whether a system call stands for it, which ends whatever becomes of its caller.
const fn is_io(kind: Kind) -> bool {
    matches!(kind, Kind::Read | Kind::Write | Kind::Sync | Kind::Truncate)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::task::{stopped, wait};
    use super::*;
    use crate::aio::Buffer;
    use crate::disk::OpenMode;
    use crate::disk::sim::{DiskConfig, SimDisk};
    use crate::engine::kv::{Kv, KvOp, KvValue};
    use crate::history::Class;

    /// Writes a file in two halves, and notes what happens to it.
    struct Halves {
        io: Arc<dyn Io>,
        notes: Rc<Notes>,
    }

    #[derive(Default)]
    struct Notes {
        interrupted: Cell<bool>,
        text: RefCell<String>,
    }

    impl Shared for Notes {
        fn interrupt(&self) {
            self.interrupted.set(true);
            self.note("interrupt");
        }
        fn kill(&self) {
            self.note("kill");
        }
    }

    impl Notes {
        fn note(&self, word: &str) {
            let mut text = self.text.borrow_mut();
            *text = format!("{text} {word}").trim().to_string();
        }
    }

    impl Halves {
        fn write(&self, offset: u64, byte: u8) -> Result<usize, EngineError> {
            let file = self.io.open("halves", OpenMode::Create)?;
            Ok(wait(file.pwrite(offset, Buffer::from(vec![byte]), Completion::write()))?)
        }
    }

    impl Blocking for Halves {
        type Shared = Notes;
        fn shared(&self) -> Rc<Notes> {
            Rc::clone(&self.notes)
        }
        fn die(&mut self) {
            self.notes.note(if stopped() || self.write(7, b'x').is_err() { "dead" } else { "alive" });
        }
    }

    impl BlockingClient<Kv> for Halves {
        fn call(&mut self, _: &KvOp) -> Result<Reply<KvValue>, EngineError> {
            self.write(0, b'a')?;
            if self.notes.interrupted.get() {
                return Ok(Reply::Refused(Class::Interrupted));
            }
            self.write(1, b'b')?;
            Ok(Reply::Ok(KvValue::Unit))
        }
        fn reset(&mut self) {
            self.notes.interrupted.set(false);
            self.notes.note(if self.write(0, b'-').is_ok() { "reset" } else { "not reset" });
        }
    }

    type Halved = BlockingConnection<Kv, Halves>;

    fn connection(disk: &SimDisk) -> (Halved, Rc<Notes>) {
        let notes = Rc::new(Notes::default());
        (BlockingConnection::new(disk.io(), Halves { io: disk.io(), notes: Rc::clone(&notes) }), notes)
    }

    /// Plays `script` on one connection: `start`, `step` and `serve` (an I/O), `abandon`, `freeze`, `drop`.
    fn check(script: &str, file: &str, expected: &str) {
        let disk = SimDisk::new(DiskConfig::default(), 1);
        let (connection, notes) = connection(&disk);
        let mut connection = Some(connection);
        for word in script.split_whitespace() {
            let alive = connection.as_mut().expect("not dropped yet");
            match word {
                "start" => alive.start(&KvOp::Commit),
                "step" => notes.note(match alive.step() {
                    Ok(IOResult::IO(_)) => "waits",
                    Ok(IOResult::Done(_)) => "done",
                    Err(_) => "fails",
                }),
                "serve" => disk.io().step().expect("something is in flight"),
                "abandon" => alive.abandon(),
                "freeze" => disk.freeze().iter().for_each(Completion::abort),
                _ => connection = None,
            }
        }
        drop(connection);
        assert_eq!(*notes.text.borrow(), expected, "{script}");
        let content = disk.content().into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(content.collect::<String>(), file, "{script}");
    }

    #[test]
    fn a_call_goes_on_each_time_its_io_has_finished() {
        check("start step serve step serve step", "ab", "waits waits done kill kill dead");
    }

    #[test]
    fn an_abandoned_call_is_interrupted_and_undone_on_a_disk_that_works() {
        check("start step abandon start", "-", "waits interrupt reset kill kill dead");
    }

    #[test]
    fn an_abandoned_call_is_killed_on_a_disk_that_is_dead() {
        check("start step freeze abandon", "", "waits interrupt not reset kill kill dead");
    }

    #[test]
    fn a_dropped_call_ends_with_the_io_that_it_waited_for_and_without_another_effect() {
        check("start step drop", "a", "waits kill kill dead");
        check("start step freeze drop", "", "waits kill kill dead");
    }
}
