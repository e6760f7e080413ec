//! Registers in transactions that undo a part of themselves: savepoints, nested twice, rolled back to or released.
//!
//! What was undone must be seen by nobody, what was released is the transaction's own. A savepoint's name is the
//! key of the history's `savepoint`, `rollback-to` and `release`.

use super::registers;
use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Registers with savepoints; always in transactions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Savepoints;

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
        registers::member(draft, 3);
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
        rows::serves(
            &knobs.always_together(),
            &["read", "write", "delete", "scan", "savepoint", "rollback-to", "release"],
        )
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["rw-register", "scan", "durability", "integrity", "garbage"]
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        registers::table()
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
        registers::settle(&knobs.always_together())
    }
}
