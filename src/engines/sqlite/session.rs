//! One connection's blocking code: operations as SQL, result codes as replies.
//!
//! Invariant: between two operations SQLite's own idea of an open transaction and ours differ in one case only,
//! when SQLite has rolled back by itself; the transaction is then *doomed*, and everything in it is refused
//! until the client gives it up, so that nothing of it can be committed alone.

use std::rc::Rc;

use libsqlite3_sys as ffi;

use super::db::{Db, Failure, Param, Row};
use super::settings::Settings;
use super::world::{Client, World};
use crate::engine::door::blocking::{Blocking, BlockingClient};
use crate::engine::kv::{Key, Kv, KvOp, KvValue, Value, pop_front};
use crate::engine::{EngineError, Reply};
use crate::history::Class;

/// The database's path on the simulated disk.
pub(super) const PATH: &str = "kv.db";

const GET: &str = "SELECT v FROM kv WHERE k = ?1";
const PUT: &str = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM kv WHERE k = ?1";
const CREATE: &str = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (k) DO NOTHING";
const REPLACE: &str = "UPDATE kv SET v = ?2 WHERE k = ?1 AND v = ?3";
const ADD: &str = "INSERT INTO kv VALUES (?1, CAST(?2 AS BLOB)) ON CONFLICT (k) DO UPDATE \
    SET v = CAST(CAST(CAST(v AS TEXT) AS INTEGER) + ?2 AS BLOB) RETURNING CAST(CAST(v AS TEXT) AS INTEGER)";
const APPEND: &str = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = CAST(v || excluded.v AS BLOB)";
const SCAN: &str = "SELECT k, v FROM kv WHERE k BETWEEN ?1 AND ?2 ORDER BY k";

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
            db.run_once("CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v BLOB)")?;
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

    fn begin(&mut self) -> Result<Reply<KvValue>, EngineError> {
        let sql = if self.settings.immediate { "BEGIN IMMEDIATE" } else { "BEGIN DEFERRED" };
        match self.guarded(|session| session.db()?.run(sql, &[], |_| {})) {
            Ok(()) => {
                self.in_transaction = true;
                Ok(Reply::Ok(KvValue::Unit))
            }
            Err(failure) => refused(failure),
        }
    }

    fn commit(&mut self) -> Result<Reply<KvValue>, EngineError> {
        if let Some(class) = self.doomed.take() {
            self.in_transaction = false;
            return Ok(Reply::Refused(class));
        }
        match self.guarded(|session| session.db()?.run("COMMIT", &[], |_| {})) {
            Ok(()) => {
                self.in_transaction = false;
                Ok(Reply::Ok(KvValue::Unit))
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
    fn checkpoint(&mut self) -> Result<Reply<KvValue>, EngineError> {
        if !self.settings.is_wal() {
            return Ok(Reply::Refused(Class::Unsupported));
        }
        let sql = self.settings.checkpoint;
        let mut all_moved = false;
        let read = |row: &Row| all_moved = row.int(0) == 0 && row.int(1) == row.int(2);
        match self.guarded(|session| session.db()?.run(sql, &[], read)) {
            Ok(()) if all_moved => Ok(Reply::Ok(KvValue::Unit)),
            Ok(()) => Ok(Reply::Refused(Class::Busy)),
            Err(failure) => refused(failure),
        }
    }

    /// An operation on data, inside a transaction or alone.
    fn member(&mut self, op: &KvOp) -> Result<Reply<KvValue>, EngineError> {
        if let Some(class) = self.doomed {
            return Ok(Reply::Refused(class));
        }
        let alone = !self.in_transaction;
        let failure = match self.guarded(|session| data_operation(session.db()?, op, alone)) {
            Ok(value) => return Ok(Reply::Ok(value)),
            Err(failure) => failure,
        };
        if alone {
            // What is left of an operation of several statements.
            self.roll_back().ok();
        } else if self.db.as_ref().is_none_or(Db::is_idle) {
            self.doomed = Some(class(failure));
        }
        let reads = matches!(op, KvOp::Get(_) | KvOp::Scan(..));
        // Alone, a write commits by itself, and is as much in doubt as a commit.
        if alone && !reads && !without_effect(failure) { unknown(failure) } else { refused(failure) }
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

impl BlockingClient<Kv> for Session {
    fn call(&mut self, op: &KvOp) -> Result<Reply<KvValue>, EngineError> {
        match op {
            KvOp::Begin => self.begin(),
            KvOp::Commit => self.commit(),
            KvOp::Rollback => match self.guarded(Self::roll_back) {
                Ok(()) => Ok(Reply::Ok(KvValue::Unit)),
                Err(failure) => unknown(failure),
            },
            KvOp::Checkpoint => self.checkpoint(),
            KvOp::Vacuum => Ok(Reply::Refused(Class::Unsupported)),
            _ => self.member(op),
        }
    }

    fn reset(&mut self) {
        self.client.forget_interrupt();
        let _ = self.guarded(Self::roll_back);
    }
}

fn data_operation(db: &mut Db, op: &KvOp, alone: bool) -> Result<KvValue, Failure> {
    match op {
        KvOp::Get(key) => read(db, key).map(KvValue::Bytes),
        KvOp::Put(key, value) => {
            db.run(PUT, &[Param::Text(key), Param::Blob(&value.bytes())], |_| {})?;
            Ok(KvValue::Unit)
        }
        KvOp::Delete(key) => {
            db.run(DELETE, &[Param::Text(key)], |_| {})?;
            Ok(KvValue::Bool(db.changes() > 0))
        }
        KvOp::Cas { key, expected, new } => compare_and_set(db, key, *expected, *new),
        KvOp::Add(key, delta) => {
            let mut sum = 0;
            db.run(ADD, &[Param::Text(key), Param::Int(*delta)], |row| sum = row.int(0))?;
            Ok(KvValue::Int(sum))
        }
        KvOp::Append(key, value) => {
            db.run(APPEND, &[Param::Text(key), Param::Blob(&value.element())], |_| {})?;
            Ok(KvValue::Unit)
        }
        KvOp::Pop(key) if alone => {
            db.run("BEGIN IMMEDIATE", &[], |_| {})?;
            let popped = pop(db, key)?;
            db.run("COMMIT", &[], |_| {})?;
            Ok(popped)
        }
        KvOp::Pop(key) => pop(db, key),
        KvOp::Scan(from, to) => {
            let mut rows = Vec::new();
            db.run(SCAN, &[Param::Text(from), Param::Text(to)], |row| rows.push((row.text(0), row.bytes(1))))?;
            Ok(KvValue::Rows(rows))
        }
        KvOp::Begin | KvOp::Commit | KvOp::Rollback | KvOp::Checkpoint | KvOp::Vacuum => {
            unreachable!("not an operation on data")
        }
    }
}

fn read(db: &mut Db, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
    let mut found = None;
    db.run(GET, &[Param::Text(key)], |row| found = Some(row.bytes(0)))?;
    Ok(found)
}

fn compare_and_set(db: &mut Db, key: &Key, expected: Option<Value>, new: Value) -> Result<KvValue, Failure> {
    let (key, new) = (Param::Text(key), new.bytes());
    match expected.map(|value| value.bytes()) {
        None => db.run(CREATE, &[key, Param::Blob(&new)], |_| {})?,
        Some(old) => db.run(REPLACE, &[key, Param::Blob(&new), Param::Blob(&old)], |_| {})?,
    }
    Ok(KvValue::Bool(db.changes() > 0))
}

/// Takes the first element off a list. A list that has become empty is no longer there.
fn pop(db: &mut Db, key: &Key) -> Result<KvValue, Failure> {
    let list = read(db, key)?.unwrap_or_default();
    let (first, rest) = pop_front(&list);
    if first.is_some() && rest.is_empty() {
        db.run(DELETE, &[Param::Text(key)], |_| {})?;
    } else if first.is_some() {
        db.run(PUT, &[Param::Text(key), Param::Blob(rest)], |_| {})?;
    }
    Ok(KvValue::Bytes(first.map(<[u8]>::to_vec)))
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

/// Whether a statement that commits by itself has surely had no effect: SQLite met this before its commit began.
const fn without_effect(failure: Failure) -> bool {
    matches!(class(failure), Class::Conflict | Class::Busy | Class::Constraint | Class::ReadOnly | Class::Interrupted)
}

/// SQLite misused or not understood: the adaptor's mistake, or something that should not happen.
fn error(failure: Failure) -> EngineError {
    EngineError::new(class(failure), failure.describe())
}

fn refused(failure: Failure) -> Result<Reply<KvValue>, EngineError> {
    match class(failure) {
        Class::Other => Err(error(failure)),
        class => Ok(Reply::Refused(class)),
    }
}

fn unknown(failure: Failure) -> Result<Reply<KvValue>, EngineError> {
    match class(failure) {
        Class::Other => Err(error(failure)),
        class => Ok(Reply::Unknown(class)),
    }
}
