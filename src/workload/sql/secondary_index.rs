//! Rows under several indexes that are written, moved within an index, deleted, and read through each index.
//!
//! Every way of reading shows the same keys and values to the judges, so that an index that has lost an entry, or
//! kept one, contradicts the others.

use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp, Statement};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload, judged};

/// Writes under several indexes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecondaryIndex;

const SCHEMA: [&str; 4] = [
    // `s` repeats `k`, under an index that is not unique; `grp` changes, so that entries move within an index.
    "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, k TEXT NOT NULL, s TEXT NOT NULL, \
        grp INTEGER NOT NULL, v BLOB NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS items_by_k ON items (k)",
    "CREATE INDEX IF NOT EXISTS items_by_s ON items (s)",
    "CREATE INDEX IF NOT EXISTS items_by_grp ON items (grp, k)",
];
const WRITE: &str = "INSERT INTO items (k, v, s, grp) VALUES (?1, ?2, ?1, ?3) \
    ON CONFLICT (k) DO UPDATE SET v = excluded.v, grp = excluded.grp";
const MOVE: &str = "UPDATE items SET grp = ?2 WHERE k = ?1";
const DELETE: &str = "DELETE FROM items WHERE k = ?1";
const DELETE_BY_S: &str = "DELETE FROM items WHERE s = ?1";
const READ: [&str; 3] = [
    "SELECT v FROM items WHERE k = ?1",
    "SELECT v FROM items WHERE s = ?1",
    "SELECT v FROM items WHERE grp >= 0 AND +k = ?1",
];
const SCAN: [&str; 3] = [
    "SELECT k, v FROM items WHERE k BETWEEN ?1 AND ?2 ORDER BY k",
    "SELECT k, v FROM items WHERE s BETWEEN ?1 AND ?2 ORDER BY s",
    "SELECT k, v FROM items WHERE +k BETWEEN ?1 AND ?2 ORDER BY +k",
];
const SCAN_BY_GROUP: &str = "SELECT k, v FROM items WHERE grp >= 0 ORDER BY +k";
/// How many entries each index has beyond the table's rows.
const DIFFERENCE: [(&str, &str); 2] = [
    (
        "entries-by-grp",
        "SELECT (SELECT COUNT(*) FROM items WHERE grp >= 0) - (SELECT COUNT(*) FROM items WHERE +grp >= 0)",
    ),
    ("entries-by-s", "SELECT (SELECT COUNT(*) FROM items WHERE s > '') - (SELECT COUNT(*) FROM items WHERE +s > '')"),
];
const GROUPS: u64 = 4;

fn difference(nth: usize) -> Statement {
    let (name, sql) = DIFFERENCE[nth];
    rows::invariant(name, sql, [0])
}

impl Workload<Sql> for SecondaryIndex {
    fn name(&self) -> &'static str {
        "secondary-index"
    }

    fn about(&self) -> &'static str {
        "rows under three indexes, written, moved within an index and deleted, read through each of them and by table"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["statement", "write", "delete", "read", "scan", "invariant"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "scan", "invariant", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["rw-register", "scan", "invariant", "durability", "integrity", "garbage"])
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole(SCHEMA.map(rows::schema))]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            let group = draft.draws.below(GROUPS) as i64;
            let which = draft.draws.below(3) as usize;
            let statement = match (draft.reads(), draft.draws.below(8)) {
                (true, 0..3) => rows::read(READ[which], &key),
                (true, 3..6) => {
                    let (from, to) = rows::range(draft);
                    rows::scan(SCAN[which], &from, &to)
                }
                (true, 6) => rows::scan_all(SCAN_BY_GROUP),
                (true, _) => difference(which % DIFFERENCE.len()),
                (false, 0..4) => rows::write(WRITE, &key, draft.value()).param(group),
                (false, 4..6) => Statement::new(MOVE).param(key).param(group),
                (false, 6) => rows::delete(DELETE, &key),
                (false, _) => rows::delete(DELETE_BY_S, &key),
            };
            draft.push(statement.into());
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let scans = SCAN.map(|sql| SqlOp::from(rows::scan(sql, &draft::FIRST.into(), &draft::LAST.into())));
        let more = [rows::scan_all(SCAN_BY_GROUP), difference(0), difference(1)].map(SqlOp::from);
        let mut script = self.setup(knobs);
        script.extend(rows::together(knobs, scans.into_iter().chain(more)));
        script
    }
}
