//! A connection: one operation at a time, and the transaction it may belong to.
//!
//! An operation that stands alone is a transaction of its own, tried again a bounded number of times when
//! somebody else was faster. Giving up an operation half-way is dropping its state: everything it holds is a
//! guard.

use std::rc::Rc;

use super::checkpoint::Checkpoint;
use super::commit::Commit;
use super::failure::Failure;
use super::latch::Held;
use super::read::Lookup;
use super::scan::Scan;
use super::shared::Shared;
use super::snapshot::{Lsn, Snapshot};
use super::statement::{Effect, Write, check_key, effect, reads};
use super::transaction::Transaction;
use super::vacuum::Vacuum;
use crate::aio::{Completion, IOResult, Resource};
use crate::engine::kv::{Key, Kv, KvOp, KvValue};
use crate::engine::{Connection, EngineError, Reply};
use crate::history::Class;
use crate::{io_yield_one, return_if_io};

/// A connection to a [`Dinghy`](super::Dinghy).
pub struct DinghyConnection {
    shared: Rc<Shared>,
    transaction: Option<Transaction>,
    statement: Option<Statement>,
}

/// The operation under way.
struct Statement {
    op: KvOp,
    /// It is a transaction of its own.
    alone: bool,
    retries_left: u32,
    state: State,
}

enum State {
    Start,
    /// Takes a snapshot, for a transaction or for an operation that stands alone.
    Begin,
    /// Only for the bug `snapshot-across-yield`.
    BeginLate {
        mark: Lsn,
    },
    /// Works on what the snapshot shows.
    Run,
    Lookup(Lookup),
    Scan(Scan),
    Commit {
        answer: KvValue,
        commit: Commit,
    },
    Checkpoint(Checkpoint),
    Vacuum(Vacuum),
    /// The commit is done; the log has grown long.
    CheckpointAfter {
        reply: Reply<KvValue>,
        checkpoint: Checkpoint,
    },
}

/// The operation's answer, or `None`: there is more to do.
type Progress = Result<IOResult<Option<Reply<KvValue>>>, Failure>;
const MORE: Progress = Ok(IOResult::Done(None));

const fn answer(value: KvValue) -> Progress {
    Ok(IOResult::Done(Some(Reply::Ok(value))))
}

impl DinghyConnection {
    pub(super) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared, transaction: None, statement: None }
    }
}

impl Connection<Kv> for DinghyConnection {
    fn start(&mut self, op: &KvOp) {
        let alone = self.transaction.is_none() && *op != KvOp::Begin;
        let retries_left = self.shared.config.retries;
        self.statement = Some(Statement { op: op.clone(), alone, retries_left, state: State::Start });
    }

    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        let Self { shared, transaction, statement } = self;
        let running = statement.as_mut().expect("an operation is started before it is stepped");
        let reply = match running.poll(shared, transaction) {
            Ok(IOResult::IO(io)) => return Ok(IOResult::IO(io)),
            Ok(IOResult::Done(reply)) => reply,
            Err(failure) => failure.reply(),
        };
        if running.alone {
            *transaction = None;
        }
        *statement = None;
        Ok(IOResult::Done(reply))
    }

    fn abandon(&mut self) {
        self.statement = None;
        self.transaction = None;
    }
}

impl Statement {
    fn poll(
        &mut self,
        shared: &Rc<Shared>,
        transaction: &mut Option<Transaction>,
    ) -> Result<IOResult<Reply<KvValue>>, Failure> {
        loop {
            if let Some(reply) = return_if_io!(self.advance(shared, transaction)) {
                return Ok(IOResult::Done(reply));
            }
        }
    }

    fn advance(&mut self, shared: &Rc<Shared>, transaction: &mut Option<Transaction>) -> Progress {
        match &mut self.state {
            State::Start => self.begin(shared, transaction),
            // BUG snapshot-across-yield: the place in the log is of now, all else of the next turn.
            State::Begin if shared.config.bugs.snapshot_across_yield => {
                self.state = State::BeginLate { mark: shared.log.borrow().end() };
                io_yield_one!(Completion::new_yield().touching(Resource::read("root", 0)))
            }
            State::BeginLate { mark } => {
                let snapshot = shared.snapshots.enter(*mark, shared.published.get().sequence);
                *transaction = Some(begin(shared, snapshot));
                self.state = State::Run;
                if self.op == KvOp::Begin { answer(KvValue::Unit) } else { MORE }
            }
            State::Begin => {
                *transaction = Some(begin(shared, shared.snapshot()));
                self.state = State::Run;
                if self.op == KvOp::Begin { answer(KvValue::Unit) } else { MORE }
            }
            State::Run => self.run(shared, transaction),
            State::Lookup(lookup) => {
                let current = return_if_io!(lookup.poll(shared));
                self.apply(shared, transaction, current)
            }
            State::Scan(scan) => {
                let rows = return_if_io!(scan.poll(shared));
                let KvOp::Scan(from, to) = &self.op else { unreachable!("only a scan scans") };
                let transaction = transaction.as_ref().expect("begun");
                answer(KvValue::Rows(transaction.overlay(rows, from, to)))
            }
            State::Commit { .. } => self.commit(shared),
            State::Checkpoint(checkpoint) => {
                return_if_io!(checkpoint.poll());
                answer(KvValue::Unit)
            }
            State::Vacuum(vacuum) => match return_if_io!(vacuum.poll()) {
                Some(order) => self.committed(shared, KvValue::Unit, order, None),
                None => answer(KvValue::Unit),
            },
            State::CheckpointAfter { reply, checkpoint } => match checkpoint.poll() {
                Ok(IOResult::IO(io)) => Ok(IOResult::IO(io.seen_here())),
                // The commit stands, whatever has become of the checkpoint.
                Ok(IOResult::Done(())) | Err(_) => Ok(IOResult::Done(Some(reply.clone()))),
            },
        }
    }

    /// Where the operation begins.
    fn begin(&mut self, shared: &Rc<Shared>, transaction: &mut Option<Transaction>) -> Progress {
        match (&self.op, transaction.is_some()) {
            (KvOp::Begin, true) => return Err(Failure::refused(Class::Other, "a transaction is open already")),
            (KvOp::Commit, false) => return Err(Failure::refused(Class::Other, "no transaction is open")),
            (KvOp::Commit, true) => {
                let transaction = transaction.take().expect("just seen");
                return self.begin_commit(shared, transaction, KvValue::Unit);
            }
            (KvOp::Rollback, _) => {
                *transaction = None;
                return answer(KvValue::Unit);
            }
            (KvOp::Checkpoint, _) => self.state = State::Checkpoint(Checkpoint::new(shared)),
            (KvOp::Vacuum, _) => self.state = State::Vacuum(Vacuum::new(shared)),
            (_, true) => self.state = State::Run,
            (_, false) => {
                self.state = State::Begin;
                io_yield_one!(Completion::new_yield().touching(Resource::read("root", 0)));
            }
        }
        MORE
    }

    /// Looks at what the transaction itself has written, then at its snapshot.
    fn run(&mut self, shared: &Rc<Shared>, transaction: &mut Option<Transaction>) -> Progress {
        let open = transaction.as_mut().expect("begun");
        let mark = open.snapshot.mark();
        if let KvOp::Scan(from, to) = &self.op {
            open.note_range(from, to);
            self.state = State::Scan(Scan::new(Key::clone(from), Key::clone(to), mark));
            return MORE;
        }
        let key = key(&self.op);
        check_key(shared.config.page_size, key)?;
        if !reads(&self.op) {
            return self.apply(shared, transaction, None);
        }
        if let Some(own) = open.writes.get(key) {
            let own = own.clone();
            return self.apply(shared, transaction, own);
        }
        open.note_read(key);
        // BUG dirty-read: what somebody else means to write is taken for written.
        let foreign = if shared.config.bugs.dirty_read { shared.scratch.borrow().get(key).cloned() } else { None };
        if let Some(foreign) = foreign {
            return self.apply(shared, transaction, foreign);
        }
        self.state = State::Lookup(Lookup::new(Key::clone(key), mark));
        MORE
    }

    /// Does to the key what the operation says, now that its value is known.
    fn apply(
        &mut self,
        shared: &Rc<Shared>,
        transaction: &mut Option<Transaction>,
        current: Option<Vec<u8>>,
    ) -> Progress {
        let Effect { answer: value, write } = effect(&self.op, current)?;
        let new = match write {
            Write::Keep => return answer(value),
            Write::Put(new) => Some(new),
            Write::Remove => None,
        };
        transaction.as_mut().expect("begun").write(key(&self.op), new);
        if !self.alone {
            return answer(value);
        }
        let transaction = transaction.take().expect("just written to");
        self.begin_commit(shared, transaction, value)
    }

    fn begin_commit(&mut self, shared: &Rc<Shared>, transaction: Transaction, value: KvValue) -> Progress {
        // Who has only read has seen one snapshot and has nothing to add.
        if transaction.writes.is_empty() {
            return answer(value);
        }
        self.state = State::Commit { answer: value, commit: Commit::new(shared, transaction) };
        io_yield_one!(Completion::new_yield().touching(Resource::write("commit latch", 0)))
    }

    fn commit(&mut self, shared: &Rc<Shared>) -> Progress {
        let State::Commit { answer, commit } = &mut self.state else { unreachable!("committing") };
        let order = match commit.poll() {
            Ok(IOResult::Done(order)) => order,
            Ok(IOResult::IO(io)) => return Ok(IOResult::IO(io.seen_here())),
            Err(failure) if failure.class == Class::Conflict && self.alone && self.retries_left > 0 => {
                self.retries_left -= 1;
                self.state = State::Begin;
                io_yield_one!(Completion::new_spin().touching(Resource::read("root", 0)));
            }
            Err(failure) => return Err(failure),
        };
        let (value, latch) = (answer.clone(), commit.take_latch());
        self.committed(shared, value, order, latch)
    }

    /// The commit stands; a checkpoint may follow before it is answered.
    fn committed(&mut self, shared: &Rc<Shared>, value: KvValue, order: u64, latch: Option<Held>) -> Progress {
        let reply = Reply::Committed(value, order);
        let Some(checkpoint) = Checkpoint::when_due(shared, latch) else { return Ok(IOResult::Done(Some(reply))) };
        self.state = State::CheckpointAfter { reply, checkpoint };
        MORE
    }
}

fn begin(shared: &Shared, snapshot: Snapshot) -> Transaction {
    let mut transaction = Transaction::new(snapshot, shared.log.borrow().len());
    if shared.config.bugs.dirty_read {
        transaction.expose(&shared.scratch);
    }
    transaction
}

fn key(op: &KvOp) -> &Key {
    match op {
        KvOp::Get(key)
        | KvOp::Put(key, _)
        | KvOp::Delete(key)
        | KvOp::Cas { key, .. }
        | KvOp::Add(key, _)
        | KvOp::Append(key, _)
        | KvOp::Pop(key) => key,
        _ => unreachable!("the operation names no key"),
    }
}
