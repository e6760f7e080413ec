//! Lists that are only appended to and read whole: the workload that tells most about isolation.
//!
//! A read of a list shows every append before it, in order, so that nothing can be lost, doubled or moved
//! without somebody seeing it.

use super::draft::{self, Draft};
use super::needs;
use crate::engine::kv::{Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Appends and reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAppend;

impl Workload<Kv> for ListAppend {
    fn name(&self) -> &'static str {
        "list-append"
    }

    fn about(&self) -> &'static str {
        "unique elements appended to lists that are read whole, several lists in a transaction"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "append"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["list-append", "durability", "integrity", "garbage"]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            let op = if draft.reads() { KvOp::Get(key) } else { KvOp::Append(key, draft.value()) };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }
}
