//! Reads and writes of single keys: the plainest workload there is.
//!
//! It has no compare-and-set (see [`super::CompareAndSet`]) and no deletes (see [`super::Scans`]).

use super::draft::{self, Draft};
use super::{judged, needs};
use crate::engine::kv::{Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Reads and writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

impl Workload<Kv> for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn about(&self) -> &'static str {
        "reads and writes of single keys, every written value unique"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "write"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["rw-register", "durability", "integrity", "garbage"])
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let op = if draft.reads() { KvOp::Get(draft.key()) } else { KvOp::Put(draft.key(), draft.value()) };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }
}
