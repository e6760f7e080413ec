//! A table of registers, for workloads that are about what happens around it. It is not a workload.

use super::rows::{self, Rows};
use crate::engine::sql::Sql;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS registers (k TEXT PRIMARY KEY, v BLOB)";
const READ: &str = "SELECT v FROM registers WHERE k = ?1";
const WRITE: &str = "INSERT INTO registers (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM registers WHERE k = ?1";
const SCAN: &str = "SELECT k, v FROM registers WHERE k BETWEEN ?1 AND ?2 ORDER BY k";

/// Makes the table.
pub(super) fn table() -> Vec<Transaction<Sql>> {
    vec![rows::whole([rows::schema(TABLE)])]
}

/// Writes a register.
pub(super) fn write(draft: &mut Rows<'_>) {
    let key = draft.key();
    let write = rows::write(WRITE, &key, draft.value());
    draft.push(write.into());
}

/// Reads or changes registers; of four looks, `reads` read one register and the others a range.
pub(super) fn member(draft: &mut Rows<'_>, reads: u64) {
    let key = draft.key();
    let statement = match (draft.reads(), draft.draws.below(4)) {
        (true, nth) if nth < reads => rows::read(READ, &key),
        (true, _) => {
            let (from, to) = rows::range(draft);
            rows::scan(SCAN, &from, &to)
        }
        (false, 0..3) => rows::write(WRITE, &key, draft.value()),
        (false, _) => rows::delete(DELETE, &key),
    };
    draft.push(statement.into());
}

/// Reads all of them back, in a table made anew where a crash has taken it.
pub(super) fn settle(knobs: &Knobs) -> Vec<Transaction<Sql>> {
    let mut script = table();
    script.extend(rows::together(knobs, [rows::scan(SCAN, &draft::FIRST.into(), &draft::LAST.into()).into()]));
    script
}
