//! The family of SQL statements as data: a text, typed parameters, what the statement means in a history, and how
//! the rows of its answer are read.
//!
//! How a transaction begins and what a checkpoint is called differ between engines, so these are operations without
//! a text; the engine's options say how it spells them. Values that are written name their writer, as those of
//! [`kv`](super::kv) do. Nothing here knows an engine or parses SQL. [`OverSql`] serves `kv` on top of this family.

mod over;
mod statement;

use serde::{Deserialize, Serialize};

use super::{Family, Role};
use crate::history::{Call, Datum};

pub use over::OverSql;
pub use statement::{Meaning, Param, Shape, SqlAnswer, SqlValue, Statement, Verb};

/// What an engine that takes every statement serves, by the names of the history.
pub const OPERATIONS: &[&str] = &[
    "begin",
    "statement",
    "read",
    "write",
    "delete",
    "cas",
    "add",
    "append",
    "enqueue",
    "dequeue",
    "scan",
    "invariant",
    "schema",
    "savepoint",
    "rollback-to",
    "release",
    "commit",
    "rollback",
    "checkpoint",
    "vacuum",
];

/// The same of an engine that gives no pages back.
pub const OPERATIONS_BUT_VACUUM: &[&str] = OPERATIONS.split_last().unwrap().1;

/// The operations. Statements between `Begin` and `Commit` belong to the transaction, others stand alone and are
/// each atomic and durable by themselves. The answer of all but statements is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SqlOp {
    /// Opens a transaction, in the engine's own way.
    Begin,
    /// Opens a transaction that changes the schema. Engines whose usual way cannot do that open it in another.
    BeginSchema,
    /// Runs a statement.
    Run(Statement),
    /// Closes the transaction.
    Commit,
    /// Gives the transaction up.
    Rollback,
    /// Moves what the log holds into the database, as thoroughly as the engine's options say.
    Checkpoint,
    /// Runs a statement that is never part of a transaction, such as `VACUUM`.
    Maintain(Statement),
}

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Sql;

impl Family for Sql {
    const NAME: &'static str = "sql";
    type Op = SqlOp;
    type Value = SqlAnswer;

    fn call(op: &SqlOp) -> Call {
        match op {
            SqlOp::Run(statement) | SqlOp::Maintain(statement) => statement.call(),
            _ => Call { f: op.name(), key: None, arg: Datum::Null },
        }
    }

    fn output(op: &SqlOp, answer: &SqlAnswer) -> Datum {
        match op {
            SqlOp::Run(statement) | SqlOp::Maintain(statement) => statement.shape.read(answer),
            _ => Datum::Null,
        }
    }

    fn role(op: &SqlOp) -> Role {
        match op {
            SqlOp::Begin | SqlOp::BeginSchema => Role::Begin,
            SqlOp::Run(_) => Role::Member,
            SqlOp::Commit => Role::Commit,
            SqlOp::Rollback => Role::Rollback,
            SqlOp::Checkpoint | SqlOp::Maintain(_) => Role::Maintenance,
        }
    }

    fn rollback() -> Option<SqlOp> {
        Some(SqlOp::Rollback)
    }
}

impl SqlOp {
    /// The operation's name in a history.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begin | Self::BeginSchema => "begin",
            Self::Run(statement) | Self::Maintain(statement) => statement.meaning.f.name(),
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl From<Statement> for SqlOp {
    fn from(statement: Statement) -> Self {
        Self::Run(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kv::Value;
    use crate::history::ValueId;

    const ID: ValueId = ValueId { connection: 2, transaction: 17, op: 3 };
    const VALUE: Value = Value { id: ID, len: 40 };

    fn put() -> SqlOp {
        let put = Statement::new("UPDATE t SET v = ?1 WHERE k = ?2").param(Param::Value(VALUE)).param("k0");
        put.means(Verb::Write, Some("k0"), [Param::Value(VALUE)]).into()
    }

    #[test]
    fn a_statement_is_data_that_survives_its_text_form() {
        let ops = [SqlOp::Begin, put(), SqlOp::Maintain(Statement::new("VACUUM")), SqlOp::Commit];
        let shown: Vec<String> = ops.iter().map(|op| toml::Value::try_from(op).unwrap().to_string()).collect();
        let value = r#"{ value = { id = "c2.17.3", len = 40 } }"#;
        let run = format!(
            "{{ run = {{ sql = \"UPDATE t SET v = ?1 WHERE k = ?2\", params = [{value}, {{ text = \"k0\" }}], \
             meaning = {{ f = \"write\", key = \"k0\", arg = [{value}] }} }} }}"
        );
        assert_eq!(shown, ["\"begin\"", &run, "{ maintain = { sql = \"VACUUM\" } }", "\"commit\""]);
        for (op, text) in ops.iter().zip(shown) {
            let table: toml::Table = format!("op = {text}").parse().unwrap();
            assert_eq!(SqlOp::deserialize(table["op"].clone()).unwrap(), *op);
        }
    }

    #[test]
    fn a_history_shows_what_a_statement_means() {
        let call = Sql::call(&put());
        assert_eq!((call.f, call.key.as_deref(), call.arg), ("write", Some("k0"), Datum::Value(ID)));
        let plain = Sql::call(&Statement::new("DELETE FROM t WHERE a = ?1 AND b = ?2").param(4).param("x").into());
        assert_eq!((plain.f, plain.key, plain.arg.to_string()), ("statement", None, "[4 \"x\"]".to_string()));
    }

    #[test]
    fn rows_are_read_as_the_statement_says() {
        let blob = || SqlValue::Blob(VALUE.bytes());
        let text = |text: &str| SqlValue::Text(text.to_string());
        let check = |shape: Shape, rows: Vec<Vec<SqlValue>>, expected: &str| {
            let answer = SqlAnswer { rows, changes: 1 };
            assert_eq!(shape.read(&answer).to_string(), expected, "{shape:?}");
        };
        check(Shape::Nothing, vec![vec![blob()]], "nil");
        check(Shape::Changed, vec![], "true");
        check(Shape::Cell, vec![], "nil");
        check(Shape::Cell, vec![vec![blob()]], "c2.17.3");
        check(Shape::Cell, vec![vec![SqlValue::Real(1.5)]], "\"1.5\"");
        check(Shape::Column, vec![], "nil");
        check(Shape::Column, vec![vec![blob()], vec![blob()]], "[c2.17.3 c2.17.3]");
        check(Shape::Row, vec![vec![blob(), blob()]], "c2.17.3");
        check(Shape::Row, vec![vec![blob(), SqlValue::Null]], "\"garbage: a row of [c2.17.3 nil]\"");
        check(Shape::Pairs, vec![vec![text("a"), blob()], vec![text("b"), SqlValue::Int(4)]], "{a: c2.17.3, b: 4}");
        check(Shape::Table, vec![vec![text("a"), SqlValue::Null]], "[[\"a\" nil]]");
    }
}
