//! Statements handed to Turso, and errors as replies.
//!
//! Invariant: between two operations Turso's own idea of an open transaction and ours differ in one case only, when
//! Turso has rolled back by itself; the transaction is then *doomed*, and everything in it is refused until the
//! client gives it up.

use std::rc::Rc;
use std::sync::Arc;

use turso_core::{Database, LimboError};

use super::client::Client;
use super::errors::{broken, class, is_not_accepted, without_effect};
use super::settings::Settings;
use crate::aio::IOResult;
use crate::disk::Io;
use crate::engine::sql::{Sql, SqlAnswer, SqlOp, SqlValue};
use crate::engine::{Connection, EngineError, Reply};
use crate::history::Class;
use crate::return_if_io;

type Answer = Result<IOResult<Reply<SqlAnswer>>, EngineError>;
type Steps<T> = Result<IOResult<T>, LimboError>;

/// A connection that serves operations.
pub struct Session {
    settings: Rc<Settings>,
    client: Client,
    op: SqlOp,
    /// The client has begun a transaction and not ended it.
    in_transaction: bool,
    /// Turso has rolled that transaction back by itself.
    doomed: Option<Class>,
    /// The answer, while what the operation left behind is rolled back.
    after_rollback: Option<Reply<SqlAnswer>>,
}

impl Session {
    pub(super) fn new(io: &Arc<dyn Io>, database: &Arc<Database>, settings: &Rc<Settings>) -> Self {
        Self {
            settings: Rc::clone(settings),
            client: Client::new(io, database, settings),
            op: SqlOp::Rollback,
            in_transaction: false,
            doomed: None,
            after_rollback: None,
        }
    }

    fn perform(&mut self) -> Steps<Reply<SqlAnswer>> {
        match &self.op {
            SqlOp::Begin | SqlOp::BeginSchema => {
                let schema = self.op == SqlOp::BeginSchema;
                let begin = if schema { self.settings.begin_schema } else { self.settings.begin };
                return_if_io!(self.client.run(begin, &[]));
                self.in_transaction = true;
            }
            SqlOp::Commit => {
                return_if_io!(self.client.run("COMMIT", &[]));
                self.in_transaction = false;
            }
            SqlOp::Rollback => {
                if !self.client.is_idle() {
                    return_if_io!(self.client.run("ROLLBACK", &[]));
                }
                (self.in_transaction, self.doomed) = (false, None);
            }
            SqlOp::Checkpoint => {
                return_if_io!(self.client.run(self.settings.checkpoint, &[]));
                return Ok(IOResult::Done(self.checkpointed()));
            }
            SqlOp::Run(statement) | SqlOp::Maintain(statement) => {
                return_if_io!(self.client.run(&statement.sql, &statement.params));
                return Ok(IOResult::Done(Reply::Ok(self.client.take_answer())));
            }
        }
        Ok(IOResult::Done(Reply::Ok(SqlAnswer::default())))
    }

    /// A checkpoint counts as done when it has moved everything: the promise *at checkpoint* hangs on it. With
    /// versions it says how much of the log of pages it has moved, which it has just written itself.
    fn checkpointed(&mut self) -> Reply<SqlAnswer> {
        let row: Vec<i64> = self.client.take_answer().rows.into_iter().flatten().map(number).collect();
        match row[..] {
            [0, ..] if self.settings.mvcc => Reply::Ok(SqlAnswer::default()),
            [0, log, moved] if log == moved => Reply::Ok(SqlAnswer::default()),
            _ => Reply::Refused(Class::Busy),
        }
    }

    /// What an error means for the operation and for its transaction.
    fn failed(&mut self, error: &LimboError) -> Answer {
        let class = class(error);
        let ends = matches!(self.op, SqlOp::Begin | SqlOp::BeginSchema | SqlOp::Commit | SqlOp::Rollback);
        let inside = self.in_transaction && !ends;
        let changes = match &self.op {
            SqlOp::Begin | SqlOp::BeginSchema | SqlOp::Checkpoint => false,
            SqlOp::Commit | SqlOp::Rollback => true,
            SqlOp::Run(statement) | SqlOp::Maintain(statement) => !inside && !only_reads(&statement.sql),
        };
        let sure = !changes || without_effect(class) || is_not_accepted(error);
        let reply = if sure { Reply::Refused(class) } else { Reply::Unknown(class) };
        if inside {
            if self.client.is_idle() {
                self.doomed = Some(class);
            }
            return Ok(IOResult::Done(reply));
        }
        (self.in_transaction, self.doomed) = (false, None);
        if class == Class::Other && !is_not_accepted(error) {
            // It should not happen. What is left of it goes with the connection.
            self.client.disconnect();
            return Err(broken(error));
        }
        self.after_rollback = Some(reply);
        Ok(self.rolled_back())
    }

    /// Rolls back what an operation left open, so that it does not reach into the next, then gives its answer.
    fn rolled_back(&mut self) -> IOResult<Reply<SqlAnswer>> {
        if !self.client.is_idle() {
            match self.client.run("ROLLBACK", &[]) {
                Ok(IOResult::IO(io)) => return IOResult::IO(io),
                Ok(IOResult::Done(())) => {}
                Err(_) => self.client.disconnect(),
            }
        }
        IOResult::Done(self.after_rollback.take().expect("an answer waits for the rollback"))
    }

    /// Turso's own integrity check: what is wrong, in its words. Called until done.
    pub(super) fn check(&mut self) -> Steps<Vec<String>> {
        return_if_io!(self.client.run("PRAGMA integrity_check", &[]));
        let lines = self.client.take_answer().rows.into_iter().flatten().map(|cell| match cell {
            SqlValue::Text(line) => line,
            other => format!("{other:?}"),
        });
        Ok(IOResult::Done(lines.filter(|line| line != "ok").collect()))
    }

    /// Runs a statement that needs nothing and answers nothing. Called until done.
    pub(super) fn say(&mut self, sql: &str) -> Steps<()> {
        self.client.run(sql, &[])
    }
}

impl Connection<Sql> for Session {
    fn start(&mut self, op: &SqlOp) {
        self.op = op.clone();
        self.client.begin();
    }

    fn step(&mut self) -> Answer {
        if self.after_rollback.is_some() {
            return Ok(self.rolled_back());
        }
        if let Some(class) = self.doomed.filter(|_| self.op != SqlOp::Rollback) {
            if self.op == SqlOp::Commit {
                (self.in_transaction, self.doomed) = (false, None);
            }
            return Ok(IOResult::Done(Reply::Refused(class)));
        }
        match self.perform() {
            Ok(answer) => Ok(answer),
            Err(error) => self.failed(&error),
        }
    }

    fn abandon(&mut self) {
        (self.in_transaction, self.doomed, self.after_rollback) = (false, None, None);
        self.client.give_up();
    }

    fn crash(self) {
        self.client.crash();
    }
}

fn number(cell: SqlValue) -> i64 {
    match cell {
        SqlValue::Int(number) => number,
        _ => -1,
    }
}

/// Whether a statement of ours is a query.
fn only_reads(sql: &str) -> bool {
    sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
}
