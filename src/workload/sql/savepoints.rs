//! Registers in transactions that undo a part of themselves: savepoints, nested twice, rolled back to or released.
//!
//! What was undone must be seen by nobody, what was released is the transaction's own. A savepoint's name is the
//! key of the history's `savepoint`, `rollback-to` and `release`.

use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload};

/// Registers with savepoints; always in transactions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Savepoints;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS registers (k TEXT PRIMARY KEY, v BLOB)";
const READ: &str = "SELECT v FROM registers WHERE k = ?1";
const WRITE: &str = "INSERT INTO registers (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM registers WHERE k = ?1";
const SCAN: &str = "SELECT k, v FROM registers WHERE k BETWEEN ?1 AND ?2 ORDER BY k";

/// The names of savepoints, the outer one first, each with its three statements.
const POINTS: [(&str, [&str; 3]); 2] = [
    ("outer", ["SAVEPOINT \"outer\"", "ROLLBACK TO \"outer\"", "RELEASE \"outer\""]),
    ("inner", ["SAVEPOINT \"inner\"", "ROLLBACK TO \"inner\"", "RELEASE \"inner\""]),
];

fn point(depth: usize, f: Verb) -> SqlOp {
    let (name, [open, back, release]) = POINTS[depth];
    let sql = match f {
        Verb::Savepoint => open,
        Verb::RollbackTo => back,
        _ => release,
    };
    Statement::new(sql).means(f, Some(name), []).into()
}

fn members(draft: &mut Rows<'_>) {
    let most = u64::from(draft.knobs.transaction_ops.div_ceil(2).max(1));
    for _ in 0..1 + draft.draws.below(most) {
        let key = draft.key();
        let statement = match (draft.reads(), draft.draws.below(4)) {
            (true, 0..3) => rows::read(READ, &key),
            (true, _) => {
                let (from, to) = rows::range(draft);
                rows::scan(SCAN, &from, &to)
            }
            (false, 0..3) => rows::write(WRITE, &key, draft.value()),
            (false, _) => rows::delete(DELETE, &key),
        };
        draft.push(statement.into());
    }
}

/// What happens between a savepoint and its end, with another inside it now and then.
fn nested(draft: &mut Rows<'_>, depth: usize) {
    draft.push(point(depth, Verb::Savepoint));
    members(draft);
    if depth + 1 < POINTS.len() && draft.draws.below(2) == 0 {
        nested(draft, depth + 1);
    }
    if draft.draws.below(2) == 0 {
        draft.push(point(depth, Verb::RollbackTo));
        // The savepoint is still there, and may be rolled back to a second time.
        if draft.draws.below(3) == 0 {
            members(draft);
        }
    }
    draft.push(point(depth, Verb::Release));
}

impl Workload<Sql> for Savepoints {
    fn name(&self) -> &'static str {
        "savepoints"
    }

    fn about(&self) -> &'static str {
        "transactions that undo a part of themselves, with savepoints inside savepoints"
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        let knobs = Knobs { transaction_ops: knobs.transaction_ops.max(1), ..knobs.clone() };
        rows::serves(&knobs, &["read", "write", "delete", "scan", "savepoint", "rollback-to", "release"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["rw-register", "scan", "durability", "integrity", "garbage"]
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([rows::schema(TABLE)])]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        let mut draft = Rows::new(knobs, connection, ordinal, draws);
        if let Some(maintenance) = draft.maintenance() {
            return maintenance;
        }
        draft.push(SqlOp::Begin);
        if draft.draws.below(2) == 0 {
            members(&mut draft);
        }
        nested(&mut draft, 0);
        if draft.draws.below(2) == 0 {
            members(&mut draft);
        }
        draft.close()
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let mut script = self.setup(knobs);
        script.push(rows::whole([rows::scan(SCAN, &draft::FIRST.into(), &draft::LAST.into()).into()]));
        script
    }
}
