//! Queues: elements appended at the end of a list and taken from its front.

use super::draft::{self, Draft};
use super::{judged, needs};
use crate::engine::Family;
use crate::engine::kv::{Kv, KvOp, KvValue};
use crate::history::{Call, Datum};
use crate::tape::Draws;
use crate::workload::{Knobs, QUEUES_MAX, Transaction, Workload};

/// Enqueues and dequeues.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

fn queues(knobs: &Knobs) -> u32 {
    knobs.keys.clamp(1, QUEUES_MAX)
}

impl Workload<Kv> for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn about(&self) -> &'static str {
        "unique elements put at the end of up to three queues and taken from their fronts"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "append", "dequeue"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["durability", "integrity", "garbage"])
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        let knobs = Knobs { keys: queues(knobs), ..knobs.clone() };
        Draft::new(&knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            let op = if draft.reads() { KvOp::Pop(key) } else { KvOp::Append(key, draft.value()) };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_back(knobs, (0..queues(knobs)).map(draft::key))
    }

    fn call(&self, op: &KvOp) -> Call {
        let call = Kv::call(op);
        match op {
            KvOp::Append(..) => Call { f: "enqueue", ..call },
            _ => call,
        }
    }
    fn output(&self, op: &KvOp, value: &KvValue) -> Datum {
        match value {
            // A queue that has been emptied may be an empty list or no key at all; that is the engine's affair.
            KvValue::Bytes(Some(bytes)) if bytes.is_empty() => Datum::Null,
            _ => Kv::output(op, value),
        }
    }
}
