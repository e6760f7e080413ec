//! Registers whose table is changed under them: indexes made and dropped, columns added and dropped, other tables
//! coming and going.
//!
//! No change touches what the registers hold, so they are judged as if nothing happened. A statement that meets a
//! schema it does not fit (a column that is there already) is refused, and its transaction given up.

use super::rows::{self, Rows};
use crate::engine::sql::{Sql, SqlOp};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload, judged};

/// Registers under a changing schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaChange;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS registers (k TEXT PRIMARY KEY, v BLOB)";
const READ: &str = "SELECT v FROM registers WHERE k = ?1";
const WRITE: &str = "INSERT INTO registers (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM registers WHERE k = ?1";
const SCAN: &str = "SELECT k, v FROM registers WHERE k BETWEEN ?1 AND ?2 ORDER BY k";

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
        vec![rows::whole([rows::schema(TABLE)])]
    }

    /// A register, because a change of the schema may have nothing to change, and is then refused.
    fn probe(&self, knobs: &Knobs, seed: u64, connection: u16) -> Vec<Transaction<Sql>> {
        let knobs = Knobs { rollbacks_percent: 0, checkpoints_permille: 0, vacuums_permille: 0, ..knobs.clone() };
        let one = |ordinal| {
            let mut draws = Draws::new(seed, "plan", connection, ordinal);
            Rows::new(&knobs, connection, ordinal, &mut draws).transaction(|draft| {
                let (key, value) = (draft.key(), draft.value());
                draft.push(rows::write(WRITE, &key, value).into());
            })
        };
        vec![one(0), one(1)]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            if draft.draws.below(5) == 0 {
                let change = change(draft);
                return draft.push(change);
            }
            let key = draft.key();
            let statement = match (draft.reads(), draft.draws.below(4)) {
                (true, 0..2) => rows::read(READ, &key),
                (true, _) => {
                    let (from, to) = rows::range(draft);
                    rows::scan(SCAN, &from, &to)
                }
                (false, 0..3) => rows::write(WRITE, &key, draft.value()),
                (false, _) => rows::delete(DELETE, &key),
            };
            draft.push(statement.into());
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let mut script = self.setup(knobs);
        script.extend(rows::together(knobs, [rows::scan(SCAN, &draft::FIRST.into(), &draft::LAST.into()).into()]));
        script
    }
}
