//! Queues as applications keep them in a table: jobs put in as rows, and the first one deleted by whoever takes it.

use super::rows::{self, Rows};
use crate::engine::kv::Key;
use crate::engine::sql::{Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, QUEUES_MAX, Transaction, Workload, judged};

/// Queues in rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueRows;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, queue TEXT NOT NULL, v BLOB NOT NULL)";
const INDEX: &str = "CREATE INDEX IF NOT EXISTS jobs_by_queue ON jobs (queue, id)";
const ENQUEUE: &str = "INSERT INTO jobs (queue, v) VALUES (?1, ?2)";
const DEQUEUE: &str = "DELETE FROM jobs WHERE id = (SELECT MIN(id) FROM jobs WHERE queue = ?1) RETURNING v";
const READ: &str = "SELECT v FROM jobs WHERE queue = ?1 ORDER BY id";

fn queues(knobs: &Knobs) -> u32 {
    knobs.keys.clamp(1, QUEUES_MAX)
}

fn dequeue(key: &Key) -> SqlOp {
    Statement::new(DEQUEUE).param(key.clone()).means(Verb::Dequeue, Some(key), []).shape(Shape::Cell).into()
}

impl Workload<Sql> for QueueRows {
    fn name(&self) -> &'static str {
        "queue-rows"
    }

    fn about(&self) -> &'static str {
        "unique elements put into up to three queues, each element a row, and taken by deleting the first one"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(knobs, &["read", "enqueue", "dequeue"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["durability", "integrity", "garbage"])
    }

    fn setup(&self, _: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([TABLE, INDEX].map(rows::schema))]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        let knobs = Knobs { keys: queues(knobs), ..knobs.clone() };
        Rows::new(&knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            if draft.reads() {
                return draft.push(dequeue(&key));
            }
            let value = Param::Value(draft.value());
            let enqueue = Statement::new(ENQUEUE).param(key.clone()).param(value.clone());
            draft.push(enqueue.means(Verb::Enqueue, Some(&key), [value]).into());
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let read = |key: Key| {
            let read = Statement::new(READ).param(key.clone());
            SqlOp::from(read.means(Verb::Read, Some(&key), []).shape(Shape::Column))
        };
        let mut script = self.setup(knobs);
        script.extend(rows::together(knobs, (0..queues(knobs)).map(|index| read(draft::key(index)))));
        script
    }
}
