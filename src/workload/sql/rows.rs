//! What the workloads have in common: rows that are keys and values to the judges, and the frame around them.
//!
//! A row's key is text, its value a blob that names its writer. It is not a workload.

use crate::engine::kv::{Key, Value};
use crate::engine::sql::{Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::workload::draft::{self, Draft};
use crate::workload::{Knobs, Transaction, needs};

/// A transaction of statements being planned.
pub(super) type Rows<'a> = Draft<'a, Sql>;

/// A statement that reads the value under a key: the first cell, or all cells, of the first row.
pub(super) fn read(sql: &'static str, key: &Key) -> Statement {
    Statement::new(sql).param(key.clone()).means(Verb::Read, Some(key), []).shape(Shape::Row)
}

/// A statement that writes a value under a key, which are its first two parameters.
pub(super) fn write(sql: &'static str, key: &Key, value: Value) -> Statement {
    Statement::new(sql).param(key.clone()).param(value).means(Verb::Write, Some(key), [value.into()])
}

/// A statement that removes a key.
pub(super) fn delete(sql: &'static str, key: &Key) -> Statement {
    Statement::new(sql).param(key.clone()).means(Verb::Delete, Some(key), []).shape(Shape::Changed)
}

/// A statement that reads the keys from `from` to `to`, in order.
pub(super) fn scan(sql: &'static str, from: &Key, to: &Key) -> Statement {
    let range = [Param::Text(from.clone()), Param::Text(to.clone())];
    Statement { params: range.to_vec(), ..Statement::new(sql) }.means(Verb::Scan, None, range).shape(Shape::Pairs)
}

/// A statement without parameters that reads all keys, in order.
pub(super) fn scan_all(sql: &'static str) -> Statement {
    let range = [Param::from(draft::FIRST), Param::from(draft::LAST)];
    Statement::new(sql).means(Verb::Scan, None, range).shape(Shape::Pairs)
}

/// A query that must answer these cells, row by row.
pub(super) fn invariant(name: &str, sql: &'static str, expected: impl IntoIterator<Item = i64>) -> Statement {
    let expected = expected.into_iter().map(Param::from);
    Statement::new(sql).means(Verb::Invariant, Some(name), expected).shape(Shape::Table)
}

/// A statement that changes the schema.
pub(super) fn schema(sql: impl Into<std::borrow::Cow<'static, str>>) -> SqlOp {
    Statement::new(sql).means(Verb::Schema, None, []).into()
}

/// A table beside the workload's own, in which each connection marks that it has been there.
pub(super) const MARKS: &str = "CREATE TABLE moved (k TEXT PRIMARY KEY, v BLOB)";
const MARK: &str = "INSERT INTO moved (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const MARKED: &str = "SELECT v FROM moved WHERE k = ?1";
/// The marks of so many connections are read back; how many there are the workload is not told.
const MARKS_READ: u32 = 16;

/// Marks that this transaction has been there: numbers do not name their writer, and the mark beside them does.
pub(super) fn mark(draft: &mut Rows<'_>) {
    let mark = write(MARK, &draft::key(u32::from(draft.connection)), draft.value());
    draft.push(mark.into());
}

/// Reads all marks.
pub(super) fn read_marks() -> Transaction<Sql> {
    whole((0..MARKS_READ).map(|connection| read(MARKED, &draft::key(connection)).into()))
}

/// Statements that belong together: in a transaction where the workload has transactions, else one by one.
pub(super) fn together(knobs: &Knobs, ops: impl IntoIterator<Item = SqlOp>) -> Vec<Transaction<Sql>> {
    if knobs.transaction_ops == 0 {
        return ops.into_iter().map(|op| Transaction { ops: vec![op] }).collect();
    }
    vec![whole(ops)]
}

/// One transaction of these statements.
pub(super) fn whole(ops: impl IntoIterator<Item = SqlOp>) -> Transaction<Sql> {
    begun_to_fit(Transaction { ops: std::iter::once(SqlOp::Begin).chain(ops).chain([SqlOp::Commit]).collect() })
}

/// The same transaction, begun as one that changes the schema if it does.
pub(super) fn begun_to_fit(mut transaction: Transaction<Sql>) -> Transaction<Sql> {
    let changes = |op: &SqlOp| matches!(op, SqlOp::Run(statement) if statement.meaning.f == Verb::Schema);
    if transaction.ops.first() == Some(&SqlOp::Begin) && transaction.ops.iter().any(changes) {
        transaction.ops[0] = SqlOp::BeginSchema;
    }
    transaction
}

/// Some keys from a drawn one on, short ranges as likely as long ones.
pub(super) fn range(draft: &mut Rows<'_>) -> (Key, Key) {
    let from = draft.key_index();
    let width = draft.draws.log_uniform(1, u64::from(draft.knobs.keys.max(1))) as u32;
    (draft::key(from), draft::key(from.saturating_add(width - 1)))
}

/// What an engine must serve, by the names of the history: `schema` for the tables, and the workload's own.
pub(super) fn serves(knobs: &Knobs, own: &[&'static str]) -> Vec<&'static str> {
    let mut needs = needs(knobs, own);
    needs.push("schema");
    needs
}
