//! One connection's blocking code: statements handed to SQLite, result codes as replies.
//!
//! Invariant: between two operations SQLite's own idea of an open transaction and ours differ in one case only,
//! when SQLite has rolled back by itself; the transaction is then *doomed*, and everything in it is refused
//! until the client gives it up, so that nothing of it can be committed alone.

use std::rc::Rc;

use libsqlite3_sys as ffi;

use super::db::{Db, Failure, Row};
use super::settings::Settings;
use super::world::{Client, World};
use crate::engine::door::blocking::{Blocking, BlockingClient};
use crate::engine::sql::{Param, Sql, SqlAnswer, SqlOp, SqlValue, Statement};
use crate::engine::{EngineError, Reply};
use crate::history::Class;

/// The database's path on the simulated disk.
pub(super) const PATH: &str = "main.db";

/// A connection, opened with its first operation.
pub struct Session {
    settings: Rc<Settings>,
    client: Rc<Client>,
    db: Option<Db>,
    /// The client has begun a transaction and not ended it.
    in_transaction: bool,
    /// SQLite has rolled that transaction back by itself.
    doomed: Option<Class>,
}

impl Session {
    pub(super) fn new(world: &Rc<World>, settings: &Rc<Settings>) -> Self {
        let client = Client::new(world, settings.busy_retries);
        Self { settings: Rc::clone(settings), client, db: None, in_transaction: false, doomed: None }
    }

    /// Opens the database for the first time in this life: recovers it, or creates it.
    pub(super) fn create(&mut self) -> Result<(), EngineError> {
        let settings = Rc::clone(&self.settings);
        self.guarded(|session| {
            let db = session.db()?;
            let mode = db.run_once(&format!("PRAGMA journal_mode = {}", settings.journal_mode))?;
            if mode.first().is_none_or(|mode| *mode != settings.journal_mode) {
                return Err(Failure(ffi::SQLITE_BUSY));
            }
            // Reads something, so that what a crash has left behind is recovered now.
            db.run_once("PRAGMA user_version")?;
            Ok(())
        })
        .map_err(error)
    }

    /// SQLite's own integrity check: what is wrong, in its words.
    pub(super) fn check(&mut self) -> Result<Vec<String>, EngineError> {
        let mut problems = Vec::new();
        self.guarded(|session| session.db()?.run("PRAGMA integrity_check", &[], |row| problems.push(row.text(0))))
            .map_err(error)?;
        problems.retain(|line| line != "ok");
        Ok(problems)
    }

    /// Runs code that calls SQLite; a panic that was kept away from C goes on after it.
    fn guarded<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let outcome = body(self);
        self.client.resume_panic();
        outcome
    }

    fn db(&mut self) -> Result<&mut Db, Failure> {
        if self.db.is_none() {
            let mut db = Db::open(&self.client, PATH)?;
            for pragma in self.settings.pragmas() {
                db.run_once(&pragma)?;
            }
            if !self.settings.is_wal() {
                db.run_once(&format!("PRAGMA journal_mode = {}", self.settings.journal_mode))?;
            }
            self.db = Some(db);
        }
        Ok(self.db.as_mut().expect("just opened"))
    }

    fn begin(&mut self) -> Result<Reply<SqlAnswer>, EngineError> {
        let sql = if self.settings.immediate { "BEGIN IMMEDIATE" } else { "BEGIN DEFERRED" };
        match self.guarded(|session| session.db()?.run(sql, &[], |_| {})) {
            Ok(()) => {
                self.in_transaction = true;
                Ok(Reply::Ok(SqlAnswer::default()))
            }
            Err(failure) => refused(failure),
        }
    }

    fn commit(&mut self) -> Result<Reply<SqlAnswer>, EngineError> {
        if let Some(class) = self.doomed.take() {
            self.in_transaction = false;
            return Ok(Reply::Refused(class));
        }
        self.client.take_order();
        match self.guarded(|session| session.db()?.run("COMMIT", &[], |_| {})) {
            Ok(()) => {
                self.in_transaction = false;
                Ok(self.done(SqlAnswer::default()))
            }
            Err(failure) => {
                // After a refusal SQLite would let the client try again; ours takes it for the end.
                let rolled_back = self.guarded(Self::roll_back).is_ok();
                // Busy: readers are in the way of the last lock, and nothing has been written. Anything else: the
                // commit's own mark may be on the disk already, or may get there.
                if rolled_back && class(failure) == Class::Busy { refused(failure) } else { unknown(failure) }
            }
        }
    }

    fn roll_back(&mut self) -> Result<(), Failure> {
        self.in_transaction = false;
        self.doomed = None;
        match &mut self.db {
            Some(db) if !db.is_idle() => db.run("ROLLBACK", &[], |_| {}),
            _ => Ok(()),
        }
    }

    /// A checkpoint counts as done when it has moved everything: the promise *at checkpoint* hangs on it.
    fn checkpoint(&mut self) -> Result<Reply<SqlAnswer>, EngineError> {
        if !self.settings.is_wal() {
            return Ok(Reply::Refused(Class::Unsupported));
        }
        let sql = self.settings.checkpoint;
        let mut all_moved = false;
        let read = |row: &Row| all_moved = row.int(0) == 0 && row.int(1) == row.int(2);
        match self.guarded(|session| session.db()?.run(sql, &[], read)) {
            Ok(()) if all_moved => Ok(Reply::Ok(SqlAnswer::default())),
            Ok(()) => Ok(Reply::Refused(Class::Busy)),
            Err(failure) => refused(failure),
        }
    }

    /// Done; a commit that has written says which it is among all.
    fn done(&self, answer: SqlAnswer) -> Reply<SqlAnswer> {
        match self.client.take_order() {
            Some(order) => Reply::Committed(answer, order),
            None => Reply::Ok(answer),
        }
    }

    /// A statement, inside a transaction or alone.
    fn statement(&mut self, statement: &Statement) -> Result<Reply<SqlAnswer>, EngineError> {
        if let Some(class) = self.doomed {
            return Ok(Reply::Refused(class));
        }
        let alone = !self.in_transaction;
        let params: Vec<SqlValue> = statement.params.iter().map(Param::value).collect();
        self.client.take_order();
        let failure = match self.guarded(|session| session.db()?.answer(&statement.sql, &params)) {
            Ok(answer) => return Ok(self.done(answer)),
            Err(failure) => failure,
        };
        let only_reads = self.db.as_ref().is_none_or(|db| db.only_reads(&statement.sql));
        if !alone && self.db.as_ref().is_none_or(Db::is_idle) {
            self.doomed = Some(class(failure));
        }
        // Alone, a write commits by itself, and is as much in doubt as a commit.
        if alone && !only_reads && !without_effect(failure) { unknown(failure) } else { refused(failure) }
    }
}

impl Blocking for Session {
    type Shared = Client;

    fn shared(&self) -> Rc<Client> {
        Rc::clone(&self.client)
    }

    fn die(&mut self) {
        self.db = None;
        self.in_transaction = false;
        self.doomed = None;
        self.client.bury();
    }
}

impl BlockingClient<Sql> for Session {
    fn call(&mut self, op: &SqlOp) -> Result<Reply<SqlAnswer>, EngineError> {
        match op {
            SqlOp::Begin | SqlOp::BeginSchema => self.begin(),
            SqlOp::Run(statement) | SqlOp::Maintain(statement) => self.statement(statement),
            SqlOp::Commit => self.commit(),
            SqlOp::Rollback => match self.guarded(Self::roll_back) {
                Ok(()) => Ok(Reply::Ok(SqlAnswer::default())),
                Err(failure) => unknown(failure),
            },
            SqlOp::Checkpoint => self.checkpoint(),
        }
    }

    fn reset(&mut self) {
        self.client.forget_interrupt();
        let _ = self.guarded(Self::roll_back);
    }
}

/// The class the history records for a result code.
pub(super) const fn class(failure: Failure) -> Class {
    match (failure.0, failure.primary()) {
        (ffi::SQLITE_BUSY_SNAPSHOT, _) => Class::Conflict,
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL) => Class::Busy,
        (_, ffi::SQLITE_CONSTRAINT) => Class::Constraint,
        (_, ffi::SQLITE_FULL) => Class::Full,
        (_, ffi::SQLITE_READONLY) => Class::ReadOnly,
        (_, ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN) => Class::Io,
        (_, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) => Class::Corrupt,
        (_, ffi::SQLITE_INTERRUPT | ffi::SQLITE_ABORT) => Class::Interrupted,
        _ => Class::Other,
    }
}

/// A statement that SQLite does not accept: a mistake in its text, or a name that another connection has just
/// taken away. SQLite undoes the statement and goes on.
const fn not_accepted(failure: Failure) -> bool {
    failure.primary() == ffi::SQLITE_ERROR
}

/// Whether a statement that commits by itself has surely had no effect: SQLite met this before its commit began.
const fn without_effect(failure: Failure) -> bool {
    not_accepted(failure)
        || matches!(
            class(failure),
            Class::Conflict | Class::Busy | Class::Constraint | Class::ReadOnly | Class::Interrupted
        )
}

/// SQLite misused or not understood: the adaptor's mistake, or something that should not happen.
fn error(failure: Failure) -> EngineError {
    EngineError::new(class(failure), failure.describe())
}

fn refused(failure: Failure) -> Result<Reply<SqlAnswer>, EngineError> {
    match class(failure) {
        Class::Other if !not_accepted(failure) => Err(error(failure)),
        class => Ok(Reply::Refused(class)),
    }
}

fn unknown(failure: Failure) -> Result<Reply<SqlAnswer>, EngineError> {
    match class(failure) {
        Class::Other => Err(error(failure)),
        class => Ok(Reply::Unknown(class)),
    }
}
