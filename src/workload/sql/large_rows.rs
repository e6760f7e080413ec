//! Rows longer than a page: two columns that must always hold the same, with a number between them.
//!
//! A reader that gets two halves of different writes sees columns that differ, and the history shows that.

use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp, Statement};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload, judged};

/// Rows with overflow pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargeRows;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS large (k TEXT PRIMARY KEY, a BLOB, n INTEGER DEFAULT 0, b BLOB)";
const READ: &str = "SELECT a, b FROM large WHERE k = ?1";
const READ_ONE: &str = "SELECT b FROM large WHERE k = ?1";
const WRITE: &str = "INSERT INTO large (k, a, b) VALUES (?1, ?2, ?2) \
    ON CONFLICT (k) DO UPDATE SET a = excluded.a, b = excluded.b";
/// Changes a few bytes in the middle of a long row.
const COUNT: &str = "UPDATE large SET n = n + 1 WHERE k = ?1";
const DELETE: &str = "DELETE FROM large WHERE k = ?1";
const SCAN: &str = "SELECT k, a, b FROM large WHERE k BETWEEN ?1 AND ?2 ORDER BY k";

impl Workload<Sql> for LargeRows {
    fn name(&self) -> &'static str {
        "large-rows"
    }

    fn about(&self) -> &'static str {
        "rows longer than a page, written, changed in their middle and deleted; both their ends must agree"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["statement", "read", "write", "delete", "scan"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "scan", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["rw-register", "scan", "durability", "integrity", "garbage"])
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([rows::schema(TABLE)])]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            let statement = match (draft.reads(), draft.draws.below(8)) {
                (true, 0..4) => rows::read(READ, &key),
                (true, 4..6) => rows::read(READ_ONE, &key),
                (true, _) => {
                    let (from, to) = rows::range(draft);
                    rows::scan(SCAN, &from, &to)
                }
                (false, 0..5) => rows::write(WRITE, &key, draft.value()),
                (false, 5..7) => Statement::new(COUNT).param(key),
                (false, _) => rows::delete(DELETE, &key),
            };
            draft.push(statement.into());
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let mut script = self.setup(knobs);
        let scan: SqlOp = rows::scan(SCAN, &draft::FIRST.into(), &draft::LAST.into()).into();
        script.extend(rows::together(knobs, [scan]));
        script
    }
}
