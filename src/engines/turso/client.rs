//! One connection to Turso, driven a step at a time: connects, runs one statement after the other, gives up.
//!
//! Invariant: a statement that answered an error, or that was given up, is never used again; one that ran to its
//! end is reset and kept, as applications do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use turso_core::{ConnectAsyncState, Database, IOResult as TheirResult, LimboError, Statement, StepResult, TempStore};

use super::io::ticks;
use super::settings::Settings;
use super::values::{bind, cells};
use super::waiter::Waiter;
use super::yields::Yields;
use crate::aio::{Completion, IOCompletions, IOResult};
use crate::disk::Io;
use crate::engine::sql::{Param, SqlAnswer};

/// Yields in a row after which a statement counts as spinning: it asks for somebody else to go on.
const PATIENT_YIELDS: u32 = 2;
/// How many steps the rollback of a connection that is given up may take, before it is dropped instead.
const ROLLBACK_STEPS_MAX: u32 = 1_000;

/// A connection, or what is to become one.
pub(super) struct Client {
    io: Arc<dyn Io>,
    settings: Rc<Settings>,
    database: Arc<Database>,
    waiter: Waiter,
    yields: Option<Arc<Yields>>,
    /// Before the connection, so that they are gone when it goes.
    running: Option<Prepared>,
    /// Statements that are not under way, to be used again. There are about ten of them.
    kept: Vec<Prepared>,
    connecting: ConnectAsyncState,
    connection: Option<Arc<turso_core::Connection>>,
    /// What is still to be said before the connection can be used.
    greeting: Vec<String>,
    /// What the statement under way has answered so far, or the last one has.
    answer: SqlAnswer,
    yields_in_a_row: u32,
}

/// A statement and its text. It is large, and goes from hand to hand.
struct Prepared {
    sql: String,
    statement: Box<Statement>,
}

impl Client {
    pub(super) fn new(io: &Arc<dyn Io>, database: &Arc<Database>, settings: &Rc<Settings>) -> Self {
        let yields = (settings.yields > 0).then(|| Arc::new(Yields::new(settings.yields)));
        Self {
            io: Arc::clone(io),
            settings: Rc::clone(settings),
            database: Arc::clone(database),
            waiter: Waiter::new(),
            yields,
            running: None,
            kept: Vec::new(),
            connecting: ConnectAsyncState::new(),
            connection: None,
            greeting: Vec::new(),
            answer: SqlAnswer::default(),
            yields_in_a_row: 0,
        }
    }

    /// Another operation begins; its yields have draws of their own.
    pub(super) fn begin(&self) {
        if let Some(yields) = &self.yields {
            yields.begin(self.io.random());
        }
    }

    /// Whether no transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| connection.get_auto_commit())
    }

    /// Connects if need be.
    pub(super) fn connected(&mut self) -> Result<IOResult<()>, LimboError> {
        if self.connection.is_none() {
            // A failure is noticed by what waits in there, a statement.
            if let Ok(Some(wait)) = self.waiter.unfinished() {
                return Ok(IOResult::IO(wait));
            }
            match self.database.connect_async(&mut self.connecting)? {
                TheirResult::Done(connection) => self.greet(connection),
                TheirResult::IO(io) => return Ok(IOResult::IO(self.waiter.wait_for_all_of(io))),
            }
        }
        while let Some(words) = self.greeting.last().cloned() {
            crate::return_if_io!(self.statement(&words, &[]));
            self.greeting.pop();
        }
        Ok(IOResult::Done(()))
    }

    fn greet(&mut self, connection: Arc<turso_core::Connection>) {
        connection.set_temp_store(TempStore::Memory);
        connection.set_sync_mode(self.settings.sync_mode);
        connection.set_busy_timeout(self.settings.busy_timeout);
        connection.set_data_sync_retry(self.settings.data_sync_retry);
        if let Some(yields) = &self.yields {
            connection.set_yield_injector(Some(Arc::clone(yields) as _));
        }
        self.greeting = self.settings.words();
        self.connection = Some(connection);
    }

    /// Runs a statement to its end; called until done. The parameters are bound once, before the first step.
    pub(super) fn run(&mut self, sql: &str, params: &[Param]) -> Result<IOResult<()>, LimboError> {
        crate::return_if_io!(self.connected());
        self.statement(sql, params)
    }

    /// The answer to the last statement.
    pub(super) fn take_answer(&mut self) -> SqlAnswer {
        std::mem::take(&mut self.answer)
    }

    fn statement(&mut self, sql: &str, params: &[Param]) -> Result<IOResult<()>, LimboError> {
        if self.running.is_none() {
            let mut prepared = self.prepared(sql)?;
            self.answer = SqlAnswer::default();
            self.yields_in_a_row = 0;
            bind(&mut prepared.statement, params)?;
            self.running = Some(prepared);
        }
        match self.step() {
            Ok(Some(wait)) => Ok(IOResult::IO(wait)),
            Ok(None) => {
                let mut ended = self.running.take().expect("a statement is under way");
                self.answer.changes = ended.statement.n_change().unsigned_abs();
                ended.statement.reset()?;
                self.kept.push(ended);
                Ok(IOResult::Done(()))
            }
            Err(error) => {
                self.running = None;
                Err(error)
            }
        }
    }

    fn prepared(&mut self, sql: &str) -> Result<Prepared, LimboError> {
        if let Some(at) = self.kept.iter().position(|kept| kept.sql == sql) {
            return Ok(self.kept.swap_remove(at));
        }
        let statement = Box::new(self.connection.as_ref().expect("connected").prepare(sql)?);
        Ok(Prepared { sql: sql.to_string(), statement })
    }

    /// Goes on until the statement waits for something, or is done. Others may run after each row, as when a client
    /// hands rows on one by one.
    fn step(&mut self) -> Result<Option<IOCompletions>, LimboError> {
        let running = self.running.as_mut().expect("a statement is under way");
        let step = running.statement.step_with_waker(self.waiter.arm())?;
        // Some of Turso's code says that it waits for I/O and rings at once, which is giving way too.
        let gives_way = matches!(step, StepResult::Yield) || matches!(step, StepResult::IO) && self.waiter.has_rung();
        let in_a_row = if gives_way { self.yields_in_a_row + 1 } else { 0 };
        self.yields_in_a_row = in_a_row;
        let wait = match step {
            StepResult::Done => return Ok(None),
            StepResult::Row => {
                self.answer.rows.push(cells(running.statement.row().expect("it said that there is a row")));
                Completion::new_yield()
            }
            StepResult::IO if !gives_way => return Ok(Some(self.waiter.wait())),
            StepResult::IO | StepResult::Yield if in_a_row > PATIENT_YIELDS => Completion::new_spin(),
            StepResult::IO | StepResult::Yield => Completion::new_yield(),
            StepResult::Sleep { duration } => self.io.timer(ticks(duration)),
            StepResult::Busy => return Err(LimboError::Busy),
            StepResult::Interrupt => return Err(LimboError::Interrupt),
        };
        Ok(Some(IOCompletions::Single(wait)))
    }

    /// Gives up what is under way: the statement is dropped as it stands, and the transaction with it, either by a
    /// rollback or with its whole connection.
    pub(super) fn give_up(&mut self) {
        self.running = None;
        if self.io.random() & 1 == 0 || !self.roll_back_now() {
            self.disconnect();
        }
    }

    /// Rolls back inside the call. Answers whether no transaction is open any more.
    fn roll_back_now(&mut self) -> bool {
        for _ in 0..ROLLBACK_STEPS_MAX {
            if self.is_idle() {
                return self.connection.is_some() && self.greeting.is_empty();
            }
            match self.statement("ROLLBACK", &[]) {
                Ok(IOResult::IO(wait)) if !wait.finished() && self.io.step().is_err() => return false,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        self.running = None;
        false
    }

    /// Drops the connection; the next statement makes another.
    pub(super) fn disconnect(&mut self) {
        self.running = None;
        self.kept.clear();
        self.greeting.clear();
        self.connecting = ConnectAsyncState::new();
        self.waiter = Waiter::new();
        self.connection = None;
    }

    /// Ends it on a disk that is dead. What Turso's own clean-up thinks of that is of no interest: the process that
    /// would run it is gone.
    pub(super) fn crash(mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.disconnect()));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
    }
}
