//! Lists of which every element is a row: an append asks for the last place and takes the next one.
//!
//! That is a read of a range and a write into it, so two appends that do not see each other want the same place,
//! which the table's primary key gives to one of them.

use super::rows::{self, Rows};
use crate::engine::kv::Key;
use crate::engine::sql::{Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload};

/// Appends and reads of lists in rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendRows;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS elements (list TEXT NOT NULL, place INTEGER NOT NULL, v BLOB NOT NULL, \
    PRIMARY KEY (list, place))";
const APPEND: &str = "INSERT INTO elements (list, place, v) \
    SELECT ?1, COALESCE(MAX(place), 0) + 1, ?2 FROM elements WHERE list = ?1";
const READ: &str = "SELECT v FROM elements WHERE list = ?1 ORDER BY place";
const READ_BY_TABLE: &str = "SELECT v FROM elements WHERE +list = ?1 ORDER BY +place";

fn read(sql: &'static str, key: &Key) -> SqlOp {
    Statement::new(sql).param(key.clone()).means(Verb::Read, Some(key), []).shape(Shape::Column).into()
}

impl Workload<Sql> for AppendRows {
    fn name(&self) -> &'static str {
        "append-rows"
    }

    fn about(&self) -> &'static str {
        "unique elements appended to lists, each element a row behind the last one; lists are read by index and by table"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["read", "append"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["list-append", "durability", "integrity", "garbage"]
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([rows::schema(TABLE)])]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        Rows::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            let op = match (draft.reads(), draft.draws.below(3)) {
                (true, 0) => read(READ_BY_TABLE, &key),
                (true, _) => read(READ, &key),
                (false, _) => {
                    let value = Param::Value(draft.value());
                    let append = Statement::new(APPEND).param(key.clone()).param(value.clone());
                    append.means(Verb::Append, Some(&key), [value]).into()
                }
            };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let lists = || (0..knobs.keys.max(1)).map(draft::key);
        let all = lists().map(|key| read(READ, &key)).chain(lists().map(|key| read(READ_BY_TABLE, &key)));
        let mut script = self.setup(knobs);
        script.extend(rows::together(knobs, all));
        script
    }
}
