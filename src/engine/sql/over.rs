//! The family `kv` on top of an engine that speaks SQL: one statement for each operation, one table for all keys.
//!
//! The workloads of `kv` thereby ask any such engine, and every one in the same words. A list that has lost its
//! last element keeps its row, with nothing in it; a row with nothing in it counts as absent everywhere.

use super::{Param, Sql, SqlAnswer, SqlOp, SqlValue, Statement};
use crate::aio::IOResult;
use crate::engine::kv::{self, Kv, KvOp, KvValue};
use crate::engine::{Connection, Engine, EngineError, EngineInfo, Env, Options, Promises, Reply, Spared};
use crate::history::Class;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v BLOB, popped BLOB)";
const GET: &str = "SELECT v FROM kv WHERE k = ?1";
const PUT: &str = "INSERT INTO kv (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM kv WHERE k = ?1 AND v IS NOT NULL";
const CREATE: &str = "INSERT INTO kv (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v \
    WHERE kv.v IS NULL";
const REPLACE: &str = "UPDATE kv SET v = ?2 WHERE k = ?1 AND v = ?3";
const ADD: &str = "INSERT INTO kv (k, v) VALUES (?1, CAST(?2 AS BLOB)) ON CONFLICT (k) DO UPDATE \
    SET v = CAST(CAST(CAST(COALESCE(kv.v, '0') AS TEXT) AS INTEGER) + ?2 AS BLOB) \
    RETURNING CAST(CAST(v AS TEXT) AS INTEGER)";
const APPEND: &str = "INSERT INTO kv (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE \
    SET v = CAST(COALESCE(kv.v, x'') || excluded.v AS BLOB)";
/// A statement can answer only what is in the row afterwards, so what is taken goes to a column of its own.
const POP: &str = "UPDATE kv SET popped = substr(v, 1, instr(v, x'3b') - 1), \
    v = NULLIF(substr(v, instr(v, x'3b') + 1), x'') WHERE k = ?1 AND instr(v, x'3b') > 0 RETURNING popped";
const SCAN: &str = "SELECT k, v FROM kv WHERE k BETWEEN ?1 AND ?2 AND v IS NOT NULL ORDER BY k";

/// An engine of the family `sql`, asked in the words of the family `kv`.
pub struct OverSql<E: Engine<Sql>> {
    engine: E,
    opening: Opening<E::Connection>,
}

/// Where `open` is.
enum Opening<C> {
    Engine,
    Table(C),
}

impl<E: Engine<Sql>> Engine<Kv> for OverSql<E> {
    type Connection = KvConnection<E::Connection>;

    fn info() -> EngineInfo {
        EngineInfo { serves: kv::OPERATIONS_BUT_VACUUM, ..E::info() }
    }

    fn promises(options: &Options) -> Promises {
        E::promises(options)
    }

    fn spared() -> &'static [Spared] {
        E::spared()
    }

    fn connections_are_processes() -> bool {
        E::connections_are_processes()
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        Ok(Self { engine: E::new(env)?, opening: Opening::Engine })
    }

    /// Opens the engine, then sees to it that the table is there: what a crash has taken may have taken it too.
    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        loop {
            match &mut self.opening {
                Opening::Engine => {
                    if let IOResult::IO(io) = self.engine.open()? {
                        return Ok(IOResult::IO(io));
                    }
                    let mut connection = self.engine.connect()?;
                    connection.start(&Statement::new(TABLE).into());
                    self.opening = Opening::Table(connection);
                }
                Opening::Table(connection) => {
                    let reply = match connection.step()? {
                        IOResult::IO(io) => return Ok(IOResult::IO(io)),
                        IOResult::Done(reply) => reply,
                    };
                    self.opening = Opening::Engine;
                    return match reply {
                        Reply::Ok(_) | Reply::Committed(..) => Ok(IOResult::Done(())),
                        Reply::Refused(class) | Reply::Unknown(class) => {
                            Err(EngineError::new(class, "the table of keys cannot be created"))
                        }
                    };
                }
            }
        }
    }

    fn connect(&mut self) -> Result<Self::Connection, EngineError> {
        Ok(KvConnection { connection: self.engine.connect()?, op: None })
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        self.engine.check()
    }

    fn state(&self) -> Vec<(String, String)> {
        self.engine.state()
    }

    fn crash(self) {
        if let Opening::Table(connection) = self.opening {
            connection.crash();
        }
        self.engine.crash();
    }
}

/// A connection of [`OverSql`].
pub struct KvConnection<C> {
    connection: C,
    /// The operation under way.
    op: Option<KvOp>,
}

impl<C: Connection<Sql>> Connection<Kv> for KvConnection<C> {
    fn start(&mut self, op: &KvOp) {
        self.op = Some(op.clone());
        if let Some(op) = translate(op) {
            self.connection.start(&op);
        }
    }

    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        let op = self.op.as_ref().expect("`step` without `start`");
        if matches!(op, KvOp::Vacuum) {
            return Ok(IOResult::Done(Reply::Refused(Class::Unsupported)));
        }
        let reply = match self.connection.step()? {
            IOResult::IO(io) => return Ok(IOResult::IO(io)),
            IOResult::Done(reply) => reply,
        };
        Ok(IOResult::Done(match reply {
            Reply::Ok(answer) => Reply::Ok(understand(op, answer)),
            Reply::Committed(answer, order) => Reply::Committed(understand(op, answer), order),
            Reply::Refused(class) => Reply::Refused(class),
            Reply::Unknown(class) => Reply::Unknown(class),
        }))
    }

    fn abandon(&mut self) {
        if self.op.take().is_some_and(|op| op != KvOp::Vacuum) {
            self.connection.abandon();
        }
    }

    fn crash(self) {
        self.connection.crash();
    }
}

/// An operation in SQL; none for what SQL has no word for.
fn translate(op: &KvOp) -> Option<SqlOp> {
    let on = |sql: &'static str, key: &crate::engine::kv::Key| Statement::new(sql).param(key.clone());
    Some(SqlOp::Run(match op {
        KvOp::Begin => return Some(SqlOp::Begin),
        KvOp::Commit => return Some(SqlOp::Commit),
        KvOp::Rollback => return Some(SqlOp::Rollback),
        KvOp::Checkpoint => return Some(SqlOp::Checkpoint),
        KvOp::Vacuum => return None,
        KvOp::Get(key) => on(GET, key),
        KvOp::Put(key, value) => on(PUT, key).param(*value),
        KvOp::Delete(key) => on(DELETE, key),
        KvOp::Cas { key, expected: None, new } => on(CREATE, key).param(*new),
        KvOp::Cas { key, expected: Some(old), new } => on(REPLACE, key).param(*new).param(*old),
        KvOp::Add(key, delta) => on(ADD, key).param(*delta),
        KvOp::Append(key, value) => on(APPEND, key).param(Param::Element(*value)),
        KvOp::Pop(key) => on(POP, key),
        KvOp::Scan(from, to) => on(SCAN, from).param(to.clone()),
    }))
}

/// The answer in the words of `kv`.
fn understand(op: &KvOp, answer: SqlAnswer) -> KvValue {
    let changed = answer.changes > 0;
    let mut rows = answer.rows.into_iter();
    match op {
        KvOp::Get(_) | KvOp::Pop(_) => {
            KvValue::Bytes(rows.next().and_then(|row| row.into_iter().next()).and_then(bytes))
        }
        KvOp::Delete(_) | KvOp::Cas { .. } => KvValue::Bool(changed),
        KvOp::Add(..) => match rows.next().as_deref() {
            Some([SqlValue::Int(sum), ..]) => KvValue::Int(*sum),
            // Not a number: nobody can have written it, and the history shows that.
            _ => KvValue::Unit,
        },
        KvOp::Scan(..) => {
            let pair = |row: Vec<SqlValue>| {
                let mut cells = row.into_iter();
                let key = match cells.next() {
                    Some(SqlValue::Text(key)) => key,
                    other => String::from_utf8_lossy(&other.and_then(bytes).unwrap_or_default()).into_owned(),
                };
                (key, cells.next().and_then(bytes).unwrap_or_default())
            };
            KvValue::Rows(rows.map(pair).collect())
        }
        _ => KvValue::Unit,
    }
}

fn bytes(cell: SqlValue) -> Option<Vec<u8>> {
    match cell {
        SqlValue::Null => None,
        SqlValue::Int(number) => Some(number.to_string().into_bytes()),
        SqlValue::Real(number) => Some(number.to_string().into_bytes()),
        SqlValue::Text(text) => Some(text.into_bytes()),
        SqlValue::Blob(bytes) => Some(bytes),
    }
}
