//! A statement with its parameters, and the answer to it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::kv::{Key, Value, decode};
use crate::history::{Call, Datum};

/// A statement of SQL, complete with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The text; `?1`, `?2`, … stand for the parameters.
    pub sql: Cow<'static, str>,
    /// The parameters, all that the text names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// As what a history records it.
    #[serde(default, skip_serializing_if = "Meaning::is_plain")]
    pub meaning: Meaning,
    /// How the rows of the answer are read.
    #[serde(default, skip_serializing_if = "Shape::is_nothing")]
    pub shape: Shape,
}

/// A parameter with its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Param {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(Key),
    /// A blob that names its writer.
    Value(Value),
    /// A blob that names its writer, as an element of a list.
    Element(Value),
}

/// What a statement is, to those who judge: an operation of the history's vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The function.
    #[serde(default)]
    pub f: Verb,
    /// The key, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The argument: nothing, one, or a list of several. Of a plain statement the parameters are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arg: Vec<Param>,
}

/// The functions of a history that statements can stand for. What they mean is in `docs/checking.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Nothing that a judge of keys and values knows.
    #[default]
    Statement,
    /// Reads a key.
    Read,
    /// Writes a key.
    Write,
    /// Removes a key.
    Delete,
    /// Writes a key that holds what is expected.
    Cas,
    /// Adds to a number, or to a set.
    Add,
    /// Puts an element at the end of a list.
    Append,
    /// Puts an element at the end of a queue.
    Enqueue,
    /// Takes the first element of a queue.
    Dequeue,
    /// Reads a range of keys.
    Scan,
    /// A query; the argument is the cells that it must answer, row by row.
    Invariant,
    /// Changes tables, columns or indexes.
    Schema,
    /// Opens a savepoint, named by the key.
    Savepoint,
    /// Undoes everything since a savepoint, which stays.
    RollbackTo,
    /// Forgets a savepoint and keeps what was done since.
    Release,
    /// Gives back pages that are not used any more.
    Vacuum,
}

impl Verb {
    /// The name in a history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Cas => "cas",
            Self::Add => "add",
            Self::Append => "append",
            Self::Enqueue => "enqueue",
            Self::Dequeue => "dequeue",
            Self::Scan => "scan",
            Self::Invariant => "invariant",
            Self::Schema => "schema",
            Self::Savepoint => "savepoint",
            Self::RollbackTo => "rollback-to",
            Self::Release => "release",
            Self::Vacuum => "vacuum",
        }
    }
}

/// How rows become a value of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Not at all.
    #[default]
    Nothing,
    /// Whether any row was changed.
    Changed,
    /// The first cell of the first row; no row reads as NULL.
    Cell,
    /// The cells of the first row, which must all hold the same.
    Row,
    /// The first cell of each row, as a list; no row reads as NULL.
    Column,
    /// The first cell of each row as a key, and the others, which must all hold the same, as its value.
    Pairs,
    /// All cells of all rows.
    Table,
}

/// The answer to a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlAnswer {
    /// The rows, in the order in which they came.
    pub rows: Vec<Vec<SqlValue>>,
    /// How many rows the statement has inserted, updated or deleted.
    pub changes: u64,
}

/// A cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// A blob.
    Blob(Vec<u8>),
}

impl Statement {
    /// A statement without parameters whose answer is not read.
    #[must_use]
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), params: Vec::new(), meaning: Meaning::default(), shape: Shape::Nothing }
    }

    /// With one parameter more.
    #[must_use]
    pub fn param(mut self, param: impl Into<Param>) -> Self {
        self.params.push(param.into());
        self
    }

    /// With an answer that is read like this.
    #[must_use]
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// As this, in a history.
    #[must_use]
    pub fn means(mut self, f: Verb, key: Option<&str>, arg: impl IntoIterator<Item = Param>) -> Self {
        self.meaning = Meaning { f, key: key.map(Key::from), arg: arg.into_iter().collect() };
        self
    }

    /// The statement as the history records it.
    #[must_use]
    pub fn call(&self) -> Call {
        let Meaning { f, key, arg } = &self.meaning;
        let plain = *f == Verb::Statement && arg.is_empty();
        let mut data: Vec<Datum> = if plain { &self.params } else { arg }.iter().map(Param::datum).collect();
        let arg = match data.len() {
            // An expected answer is always a list, so that no row and a row of NULL differ.
            _ if *f == Verb::Invariant => Datum::List(data),
            0 => Datum::Null,
            1 => data.remove(0),
            _ => Datum::List(data),
        };
        Call { f: f.name(), key: key.clone(), arg }
    }
}

impl Meaning {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Param {
    /// The parameter as the history records it.
    #[must_use]
    pub fn datum(&self) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Int(number) => Datum::Int(*number),
            Self::Real(number) => real(*number),
            Self::Text(text) => Datum::Text(Arc::clone(text)),
            Self::Value(value) | Self::Element(value) => Datum::Value(value.id),
        }
    }

    /// What is bound: of a value its bytes.
    #[must_use]
    pub fn value(&self) -> SqlValue {
        match self {
            Self::Null => SqlValue::Null,
            Self::Int(number) => SqlValue::Int(*number),
            Self::Real(number) => SqlValue::Real(*number),
            Self::Text(text) => SqlValue::Text(text.to_string()),
            Self::Value(value) => SqlValue::Blob(value.bytes()),
            Self::Element(value) => SqlValue::Blob(value.element()),
        }
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Key> for Param {
    fn from(text: Key) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for Param {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl SqlValue {
    /// The cell as the history records it. Blobs that no writer can have written come back as text that shows them.
    #[must_use]
    pub fn datum(&self) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Int(number) => Datum::Int(*number),
            Self::Real(number) => real(*number),
            Self::Text(text) => Datum::Text(text.as_str().into()),
            Self::Blob(bytes) => decode(bytes),
        }
    }
}

impl Shape {
    const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Reads an answer.
    #[must_use]
    pub fn read(self, answer: &SqlAnswer) -> Datum {
        let rows = &answer.rows;
        match self {
            Self::Nothing => Datum::Null,
            Self::Changed => Datum::Bool(answer.changes > 0),
            Self::Cell => rows.first().and_then(|row| row.first()).map_or(Datum::Null, SqlValue::datum),
            Self::Row => rows.first().map_or(Datum::Null, |row| same(row)),
            Self::Column if rows.is_empty() => Datum::Null,
            Self::Column => Datum::List(rows.iter().map(|row| same(&row[..1])).collect()),
            Self::Pairs => Datum::Rows(rows.iter().map(|row| (key(&row[0]), same(&row[1..]))).collect()),
            Self::Table => {
                let list = |row: &Vec<SqlValue>| Datum::List(row.iter().map(SqlValue::datum).collect());
                Datum::List(rows.iter().map(list).collect())
            }
        }
    }
}

/// What all these cells hold. Where they differ, a text that nobody can have written.
fn same(cells: &[SqlValue]) -> Datum {
    match cells {
        [] => Datum::Null,
        [first, others @ ..] if others.iter().all(|other| other == first) => first.datum(),
        cells => {
            let row = Datum::List(cells.iter().map(SqlValue::datum).collect());
            Datum::Text(format!("garbage: a row of {row}").into())
        }
    }
}

fn key(cell: &SqlValue) -> Key {
    match cell {
        SqlValue::Text(text) => text.as_str().into(),
        other => other.datum().to_string().into(),
    }
}

/// A history has no such numbers; their text is as good for comparing.
fn real(number: f64) -> Datum {
    Datum::Text(format!("{number:?}").into())
}
