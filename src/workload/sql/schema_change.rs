//! Registers whose table is changed under them: indexes made and dropped, columns added and dropped, other tables
//! coming and going.
//!
//! No change touches what the registers hold, so they are judged as if nothing happened. A statement that meets a
//! schema it does not fit (a column that is there already) is refused, and its transaction given up.

use super::registers;
use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload, judged};

/// Registers under a changing schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaChange;

/// Columns and tables are numbered up to this, so that the same come and go.
const NAMES: u64 = 3;

fn change(draft: &mut Rows<'_>) -> SqlOp {
    let nth = draft.draws.below(NAMES);
    rows::schema(match draft.draws.below(6) {
        0 => format!("CREATE INDEX IF NOT EXISTS registers_{nth} ON registers (v, k)"),
        1 => format!("DROP INDEX IF EXISTS registers_{nth}"),
        2 => format!("ALTER TABLE registers ADD COLUMN extra_{nth} INTEGER DEFAULT {nth}"),
        3 => format!("ALTER TABLE registers DROP COLUMN extra_{nth}"),
        4 => format!("CREATE TABLE IF NOT EXISTS side_{nth} (a INTEGER PRIMARY KEY, b TEXT UNIQUE)"),
        _ => format!("DROP TABLE IF EXISTS side_{nth}"),
    })
}

impl Workload<Sql> for SchemaChange {
    fn name(&self) -> &'static str {
        "schema-change"
    }

    fn about(&self) -> &'static str {
        "registers while indexes, columns and other tables are made and dropped"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["read", "write", "delete", "scan"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "scan", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["rw-register", "scan", "durability", "integrity", "garbage"])
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        registers::table()
    }

    /// A register, because a change of the schema may have nothing to change, and is then refused.
    fn probe(&self, knobs: &Knobs, seed: u64, connection: u16) -> Vec<Transaction<Sql>> {
        let knobs = Knobs { rollbacks_percent: 0, checkpoints_permille: 0, vacuums_permille: 0, ..knobs.clone() };
        let one = |ordinal| {
            let mut draws = Draws::new(seed, "plan", connection, ordinal);
            Rows::new(&knobs, connection, ordinal, &mut draws).transaction(registers::write)
        };
        vec![one(0), one(1)]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        rows::begun_to_fit(Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            if draft.draws.below(5) == 0 {
                let change = change(draft);
                return draft.push(change);
            }
            registers::member(draft, 2);
        }))
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        registers::settle(knobs)
    }
}
