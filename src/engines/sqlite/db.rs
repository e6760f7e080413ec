//! SQLite's own interface, as little of it as is needed: open, run a statement with its parameters, close.
//!
//! Statements are compiled once per connection and kept. Every call may suspend the code that makes it, so a
//! [`Db`] is used inside a blocking task only.
#![allow(unsafe_code)] // Calls into C; each block says why its pointers are good.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use libsqlite3_sys as ffi;

use super::world::Client;
use crate::aio::{Completion, Resource};
use crate::engine::door::wait;
use crate::engine::sql::{SqlAnswer, SqlValue};

/// A result code of SQLite that is not success, in its extended form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure(pub(super) i32);

impl Failure {
    /// The code without its extension.
    pub(super) const fn primary(self) -> i32 {
        self.0 & 0xff
    }

    /// SQLite's words for it; they decide nothing.
    pub(super) fn describe(self) -> String {
        // SAFETY: SQLite answers with a text that is never freed, for every number.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errstr(self.0)) };
        format!("SQLite answered {} ({})", self.0, text.to_string_lossy())
    }
}

const fn ok(code: c_int) -> Result<(), Failure> {
    match code {
        ffi::SQLITE_OK | ffi::SQLITE_ROW | ffi::SQLITE_DONE => Ok(()),
        code => Err(Failure(code)),
    }
}

/// Interrupts a database from outside of its calls.
pub(super) struct Interrupter(*mut ffi::sqlite3);

impl Interrupter {
    pub(super) fn interrupt(&self) {
        // SAFETY: the client holds an interrupter only while the database is open.
        unsafe { ffi::sqlite3_interrupt(self.0) };
    }
}

/// One row of an answer.
pub(super) struct Row(*mut ffi::sqlite3_stmt);

impl Row {
    pub(super) fn int(&self, column: c_int) -> i64 {
        // SAFETY: a row lives only while its statement stands on it; columns out of range answer 0.
        unsafe { ffi::sqlite3_column_int64(self.0, column) }
    }

    fn bytes(&self, column: c_int) -> Vec<u8> {
        // SAFETY: as above. The bytes are good until the next step and are copied; empty ones have no address.
        unsafe {
            let at = ffi::sqlite3_column_blob(self.0, column);
            let len = ffi::sqlite3_column_bytes(self.0, column);
            if at.is_null() { Vec::new() } else { std::slice::from_raw_parts(at.cast(), len as usize).to_vec() }
        }
    }

    pub(super) fn text(&self, column: c_int) -> String {
        String::from_utf8_lossy(&self.bytes(column)).into_owned()
    }

    fn cell(&self, column: c_int) -> SqlValue {
        // SAFETY: as above; the type is asked for before anything converts the cell.
        match unsafe { ffi::sqlite3_column_type(self.0, column) } {
            ffi::SQLITE_INTEGER => SqlValue::Int(self.int(column)),
            // SAFETY: as above.
            ffi::SQLITE_FLOAT => SqlValue::Real(unsafe { ffi::sqlite3_column_double(self.0, column) }),
            ffi::SQLITE_TEXT => SqlValue::Text(self.text(column)),
            ffi::SQLITE_BLOB => SqlValue::Blob(self.bytes(column)),
            _ => SqlValue::Null,
        }
    }

    fn cells(&self) -> Vec<SqlValue> {
        // SAFETY: as above.
        let columns = unsafe { ffi::sqlite3_column_count(self.0) };
        (0..columns).map(|column| self.cell(column)).collect()
    }
}

/// An open database.
pub(super) struct Db {
    raw: *mut ffi::sqlite3,
    client: Rc<Client>,
    kept: Vec<(String, *mut ffi::sqlite3_stmt)>,
}

impl Db {
    /// Opens the database at `path`, creating it when it is not there.
    pub(super) fn open(client: &Rc<Client>, path: &str) -> Result<Self, Failure> {
        let path = CString::new(path).map_err(|_| Failure(ffi::SQLITE_MISUSE))?;
        // Connections take turns on one thread, so SQLite need not lock each.
        let flags = ffi::SQLITE_OPEN_READWRITE
            | ffi::SQLITE_OPEN_CREATE
            | ffi::SQLITE_OPEN_NOMUTEX
            | ffi::SQLITE_OPEN_EXRESCODE;
        let mut raw = ptr::null_mut();
        // SAFETY: the texts end with zero bytes; a database is handed out even when opening fails, and `Db`
        // closes it.
        let code = unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &raw mut raw, flags, c"squall".as_ptr()) };
        let db = Self { raw, client: Rc::clone(client), kept: Vec::new() };
        ok(code)?;
        client.set_interrupter(Some(Interrupter(raw)));
        let context = Rc::as_ptr(client).cast_mut().cast::<c_void>();
        // SAFETY: `db` keeps the client alive for as long as SQLite may call the handlers.
        unsafe {
            ffi::sqlite3_busy_handler(raw, Some(busy), context);
            ffi::sqlite3_commit_hook(raw, Some(committing), context);
        }
        Ok(db)
    }

    /// Whether no transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        // SAFETY: the database is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw) != 0 }
    }

    /// Whether a statement that has been run here only reads; one that could not be compiled does nothing at all.
    pub(super) fn only_reads(&self, sql: &str) -> bool {
        // SAFETY: kept statements live as long as the database.
        self.find(sql).is_none_or(|statement| unsafe { ffi::sqlite3_stmt_readonly(statement) != 0 })
    }

    /// Runs a statement and collects its answer.
    pub(super) fn answer(&mut self, sql: &str, params: &[SqlValue]) -> Result<SqlAnswer, Failure> {
        let mut rows = Vec::new();
        // SAFETY: the database is open.
        let before = unsafe { ffi::sqlite3_total_changes64(self.raw) };
        self.run(sql, params, |row| rows.push(row.cells()))?;
        // The number of the last statement's changes is that of an earlier one where this one cannot change anything.
        // SAFETY: as above.
        let changed = unsafe { ffi::sqlite3_total_changes64(self.raw) } - before;
        Ok(SqlAnswer { rows, changes: changed.unsigned_abs() })
    }

    /// Runs a statement and hands its rows to `row`.
    pub(super) fn run(&mut self, sql: &str, params: &[SqlValue], mut row: impl FnMut(&Row)) -> Result<(), Failure> {
        let statement = self.prepared(sql)?;
        // SAFETY: the statement belongs to this database and is not running; the parameters outlive its run and
        // are unbound after it.
        unsafe {
            let mut code = bind(statement, params);
            while code == ffi::SQLITE_OK || code == ffi::SQLITE_ROW {
                code = ffi::sqlite3_step(statement);
                if code == ffi::SQLITE_ROW {
                    row(&Row(statement));
                }
            }
            ffi::sqlite3_reset(statement);
            ffi::sqlite3_clear_bindings(statement);
            ok(code)
        }
    }

    /// Runs a statement that is needed once, and answers its first row as texts.
    pub(super) fn run_once(&mut self, sql: &str) -> Result<Vec<String>, Failure> {
        let statement = self.prepare(sql, 0)?;
        let mut first = Vec::new();
        // SAFETY: the statement is ours alone and is finalized here.
        unsafe {
            let mut code = ffi::sqlite3_step(statement);
            if code == ffi::SQLITE_ROW {
                let columns = ffi::sqlite3_column_count(statement);
                first = (0..columns).map(|column| Row(statement).text(column)).collect();
            }
            while code == ffi::SQLITE_ROW {
                code = ffi::sqlite3_step(statement);
            }
            ffi::sqlite3_finalize(statement);
            ok(code).map(|()| first)
        }
    }

    fn find(&self, sql: &str) -> Option<*mut ffi::sqlite3_stmt> {
        self.kept.iter().find(|(known, _)| known == sql).map(|(_, statement)| *statement)
    }

    fn prepared(&mut self, sql: &str) -> Result<*mut ffi::sqlite3_stmt, Failure> {
        if let Some(statement) = self.find(sql) {
            return Ok(statement);
        }
        let statement = self.prepare(sql, ffi::SQLITE_PREPARE_PERSISTENT)?;
        self.kept.push((sql.to_string(), statement));
        Ok(statement)
    }

    /// Compiles a text, which must be one statement.
    fn prepare(&mut self, sql: &str, flags: u32) -> Result<*mut ffi::sqlite3_stmt, Failure> {
        let mut statement = ptr::null_mut();
        let mut rest = ptr::null();
        let (start, len) = (sql.as_ptr().cast(), sql.len() as c_int);
        // SAFETY: the text is given with its length; the statement is finalized before the database is closed.
        let code = unsafe { ffi::sqlite3_prepare_v3(self.raw, start, len, flags, &raw mut statement, &raw mut rest) };
        ok(code)?;
        // SAFETY: SQLite leaves `rest` within the text.
        let read = unsafe { rest.offset_from(start) } as usize;
        if statement.is_null() || !sql[read..].trim().is_empty() {
            // SAFETY: the statement is ours alone; finalizing none is allowed.
            unsafe { ffi::sqlite3_finalize(statement) };
            return Err(Failure(ffi::SQLITE_ERROR));
        }
        Ok(statement)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.client.set_interrupter(None);
        // SAFETY: nothing uses the statements or the database after this; without statements `close` succeeds.
        unsafe {
            for (_, statement) in self.kept.drain(..) {
                ffi::sqlite3_finalize(statement);
            }
            ffi::sqlite3_close(self.raw);
        }
    }
}

/// Runs `setup` in memory and compiles `texts` against it. Answers the first text, counted through both, that SQLite
/// does not take, and its own words.
pub(super) fn try_out(setup: &[String], texts: &[&str]) -> Result<(), (usize, String)> {
    let mut raw = ptr::null_mut();
    // SAFETY: the text ends with a zero byte; a database in memory calls no file layer. It is closed below, and
    // every statement is finalized before.
    unsafe {
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_MEMORY;
        let opened = ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut raw, flags, ptr::null());
        let mut outcome = ok(opened).map_err(|failure| (0, failure.describe()));
        let run = setup.iter().map(|text| (text.as_str(), true)).chain(texts.iter().map(|text| (*text, false)));
        for (at, (text, run)) in run.enumerate() {
            if outcome.is_ok() {
                outcome = try_one(raw, text, run).map_err(|message| (at, message));
            }
        }
        ffi::sqlite3_close(raw);
        outcome
    }
}

/// # Safety
/// The database is open.
unsafe fn try_one(raw: *mut ffi::sqlite3, text: &str, run: bool) -> Result<(), String> {
    let (mut statement, mut rest) = (ptr::null_mut(), ptr::null());
    let start = text.as_ptr().cast();
    // SAFETY: the text is given with its length; the statement is finalized here, and SQLite leaves `rest` within
    // the text.
    unsafe {
        let mut code = ffi::sqlite3_prepare_v2(raw, start, text.len() as c_int, &raw mut statement, &raw mut rest);
        let more = code == ffi::SQLITE_OK && !text[rest.offset_from(start) as usize..].trim().is_empty();
        let empty = code == ffi::SQLITE_OK && statement.is_null();
        while run && !empty && !more && matches!(code, ffi::SQLITE_OK | ffi::SQLITE_ROW) {
            code = ffi::sqlite3_step(statement);
        }
        let message = CStr::from_ptr(ffi::sqlite3_errmsg(raw)).to_string_lossy().into_owned();
        ffi::sqlite3_finalize(statement);
        match ok(code) {
            Err(_) => Err(message),
            Ok(()) if more => Err("more than one statement".to_string()),
            Ok(()) if empty => Err("no statement".to_string()),
            Ok(()) => Ok(()),
        }
    }
}

/// The bytes that SQLite holds in this process.
#[cfg(test)]
pub(super) fn memory_used() -> i64 {
    // SAFETY: always allowed.
    unsafe { ffi::sqlite3_memory_used() }
}

/// # Safety
/// The statement is not running, and the parameters stay where they are until it is reset.
unsafe fn bind(statement: *mut ffi::sqlite3_stmt, params: &[SqlValue]) -> c_int {
    for (index, param) in (1..).zip(params) {
        // SAFETY: the caller's promise; without a destructor SQLite takes no copy. An empty value needs an
        // address too, which a slice always has.
        let code = unsafe {
            match param {
                SqlValue::Null => ffi::sqlite3_bind_null(statement, index),
                SqlValue::Int(number) => ffi::sqlite3_bind_int64(statement, index, *number),
                SqlValue::Real(number) => ffi::sqlite3_bind_double(statement, index, *number),
                SqlValue::Text(text) => {
                    ffi::sqlite3_bind_text(statement, index, text.as_ptr().cast(), text.len() as c_int, None)
                }
                SqlValue::Blob(bytes) => {
                    ffi::sqlite3_bind_blob(statement, index, bytes.as_ptr().cast(), bytes.len() as c_int, None)
                }
            }
        };
        if code != ffi::SQLITE_OK {
            return code;
        }
    }
    ffi::SQLITE_OK
}

/// Called when a lock is held by another connection: lets others run, then has SQLite try again.
unsafe extern "C" fn busy(context: *mut c_void, tried: c_int) -> c_int {
    // SAFETY: the address of the client, which the database keeps alive.
    let client = unsafe { &*context.cast::<Client>() };
    if client.is_dead() || client.is_interrupted() || tried.unsigned_abs() >= client.busy_retries {
        return 0;
    }
    // A retry begins with a yield of its own that names the lock, so the code right after this touches nothing.
    let spin = Completion::new_spin().touching(Resource::read("sqlite-busy", 0));
    c_int::from(wait(spin).is_ok() && !client.is_dead() && !client.is_interrupted())
}

/// Called when a transaction that has written is about to commit.
unsafe extern "C" fn committing(context: *mut c_void) -> c_int {
    // SAFETY: as for `busy`.
    let client = unsafe { &*context.cast::<Client>() };
    client.commits_now();
    0
}
