//! Names that only one row can have: claimed, claimed again, given up, looked up by index and by table.

use super::rows::{self, Rows};
use crate::engine::kv::{Key, Value};
use crate::engine::sql::{Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload, judged};

/// Claims of names.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueIndex;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS claims (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, v BLOB NOT NULL)";
const CLAIM: &str = "INSERT INTO claims (name, v) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
const INSIST: &str = "INSERT INTO claims (name, v) VALUES (?1, ?2)";
const TAKE_OVER: &str = "INSERT INTO claims (name, v) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET v = excluded.v";
const GIVE_UP: &str = "DELETE FROM claims WHERE name = ?1";
const FIND: &str = "SELECT v FROM claims WHERE name = ?1";
const FIND_BY_TABLE: &str = "SELECT v FROM claims WHERE +name = ?1";
const LIST: &str = "SELECT name, v FROM claims WHERE name BETWEEN ?1 AND ?2 ORDER BY name";
const LIST_BY_TABLE: &str = "SELECT name, v FROM claims WHERE +name BETWEEN ?1 AND ?2 ORDER BY +name";
const TWICE: &str = "SELECT COUNT(*) - COUNT(DISTINCT name) FROM claims";

/// A claim is a compare-and-set against nothing. An insistent one is refused where the name is taken.
fn claim(sql: &'static str, name: &Key, value: Value) -> Statement {
    let claim = Statement::new(sql).param(name.clone()).param(value);
    claim.means(Verb::Cas, Some(name), [Param::Null, value.into()]).shape(Shape::Changed)
}

impl Workload<Sql> for UniqueIndex {
    fn name(&self) -> &'static str {
        "unique-index"
    }

    fn about(&self) -> &'static str {
        "names that only one row can have, claimed, taken over and given up, found by index and by table"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["cas", "write", "delete", "read", "scan", "invariant"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "scan", "invariant", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["rw-register", "scan", "invariant", "durability", "integrity", "garbage"])
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([rows::schema(TABLE)])]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let name = draft.key();
            let statement = match (draft.reads(), draft.draws.below(8)) {
                (true, 0..2) => rows::read(FIND, &name),
                (true, 2..4) => rows::read(FIND_BY_TABLE, &name),
                (true, 4) => rows::invariant("names-twice", TWICE, [0]),
                (true, which) => {
                    let (from, to) = rows::range(draft);
                    rows::scan(if which == 5 { LIST } else { LIST_BY_TABLE }, &from, &to)
                }
                (false, 0..3) => claim(CLAIM, &name, draft.value()),
                (false, 3) => claim(INSIST, &name, draft.value()),
                (false, 4..6) => rows::write(TAKE_OVER, &name, draft.value()),
                (false, _) => rows::delete(GIVE_UP, &name),
            };
            draft.push(statement.into());
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let whole = |sql| SqlOp::from(rows::scan(sql, &draft::FIRST.into(), &draft::LAST.into()));
        let checks = [whole(LIST), whole(LIST_BY_TABLE), rows::invariant("names-twice", TWICE, [0]).into()];
        let mut script = self.setup(knobs);
        script.extend(rows::together(knobs, checks));
        script
    }
}
