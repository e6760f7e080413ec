//! SQLite with something between it and its client that spoils statements or answers, as told by bug switches.

use std::borrow::Cow;

use squall::aio::IOResult;
use squall::engine::sql::{Sql, SqlAnswer, SqlOp, SqlValue};
use squall::engine::{BugInfo, Connection, Engine, EngineError, EngineInfo, Env, Options, Promises, Reply, Spared};
use squall::engines::sqlite::Sqlite;

const fn bug(name: &'static str, about: &'static str) -> BugInfo {
    BugInfo { name, about, class: "concurrency", depth: 1, harmless: false, public_issue: None }
}

const BUGS: &[BugInfo] = &[
    bug("index-loses-entry", "reads through one index miss their last row"),
    bug("name-twice", "a unique index lets a name in twice"),
    bug("update-forgotten", "every seventh update of an amount does nothing"),
    bug("rollback-to-keeps", "rolling back to a savepoint undoes nothing"),
    bug("drop-wipes", "dropping an index empties its table"),
    bug("append-overwrites", "an append takes the last place instead of the next one now and then"),
    bug("taken-stays", "what has been taken out of a table is still there now and then"),
    bug("torn-row", "the last column of a row comes from nowhere now and then"),
];

pub(crate) struct Spoiled {
    sqlite: Sqlite,
    bug: Option<&'static str>,
}

impl Engine<Sql> for Spoiled {
    type Connection = Client;

    fn info() -> EngineInfo {
        EngineInfo { bugs: BUGS, ..Sqlite::info() }
    }

    fn promises(options: &Options) -> Promises {
        Sqlite::promises(options)
    }

    fn spared() -> &'static [Spared] {
        Sqlite::spared()
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        Ok(Self { sqlite: Sqlite::new(env)?, bug: env.options.bugs().next() })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        self.sqlite.open()
    }

    fn connect(&mut self) -> Result<Client, EngineError> {
        Ok(Client { inner: self.sqlite.connect()?, bug: self.bug, statements: 0, sql: Cow::Borrowed("") })
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        self.sqlite.check()
    }
}

pub(crate) struct Client {
    inner: <Sqlite as Engine<Sql>>::Connection,
    bug: Option<&'static str>,
    statements: u32,
    /// The text of the statement under way.
    sql: Cow<'static, str>,
}

const NOTHING: Cow<'static, str> = Cow::Borrowed("SELECT 1");

impl Client {
    fn spoil_statement(&self, sql: &mut Cow<'static, str>) {
        match self.bug {
            Some("name-twice") => {
                if sql.starts_with("CREATE TABLE") {
                    *sql = sql.replace(" UNIQUE", "").into();
                } else if let Some((head, _)) = sql.split_once(" ON CONFLICT") {
                    *sql = head.to_string().into();
                }
            }
            Some("update-forgotten") if sql.starts_with("UPDATE") && self.statements.is_multiple_of(7) => {
                *sql = NOTHING
            }
            Some("rollback-to-keeps") if sql.starts_with("ROLLBACK TO") => *sql = NOTHING,
            Some("drop-wipes") if sql.starts_with("DROP INDEX") => *sql = "DELETE FROM registers".into(),
            Some("append-overwrites") if sql.contains("+ 1, ?2") && self.statements.is_multiple_of(5) => {
                *sql = sql.replace("INSERT", "INSERT OR REPLACE").replace(", 0) + 1", ", 1)").into();
            }
            Some("taken-stays") if sql.contains("RETURNING v") && self.statements.is_multiple_of(3) => {
                *sql = "SELECT v FROM jobs WHERE queue = ?1 ORDER BY id LIMIT 1".into();
            }
            _ => {}
        }
    }

    fn spoil_answer(&self, answer: &mut SqlAnswer) {
        match self.bug {
            Some("index-loses-entry") if self.sql.contains("WHERE s BETWEEN") => drop(answer.rows.pop()),
            Some("torn-row") if self.statements.is_multiple_of(5) => {
                if let Some([.., first, last]) = answer.rows.first_mut().map(|row| &mut row[..])
                    && first == last
                {
                    *last = SqlValue::Null;
                }
            }
            _ => {}
        }
    }
}

impl Connection<Sql> for Client {
    fn start(&mut self, op: &SqlOp) {
        let mut op = op.clone();
        if let SqlOp::Run(statement) = &mut op {
            self.statements += 1;
            self.spoil_statement(&mut statement.sql);
            if statement.sql == NOTHING {
                statement.params.clear();
            }
            self.sql = statement.sql.clone();
        }
        self.inner.start(&op);
    }

    fn step(&mut self) -> Result<IOResult<Reply<SqlAnswer>>, EngineError> {
        let mut step = self.inner.step()?;
        if let IOResult::Done(Reply::Ok(answer)) = &mut step {
            self.spoil_answer(answer);
        }
        Ok(step)
    }

    fn abandon(&mut self) {
        self.inner.abandon();
    }
}
