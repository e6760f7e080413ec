//! Transactions over registers, half of whose writes read the key first.
//!
//! Registers reveal little: a read shows the last write only. A transaction that reads what it overwrites
//! reveals the order of the two versions, which is what a judge of isolation needs most.

use super::draft::{self, Draft};
use super::needs;
use crate::engine::kv::{Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Reads, writes, and reads followed by a write of the same key.
#[derive(Clone, Copy, Debug, Default)]
pub struct RwRegister;

impl Workload<Kv> for RwRegister {
    fn name(&self) -> &'static str {
        "rw-register"
    }

    fn about(&self) -> &'static str {
        "transactions of reads and writes over registers; half of the writes read the key first"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "write"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["rw-register", "durability", "integrity", "garbage"]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            if draft.reads() {
                return draft.push(KvOp::Get(key));
            }
            if draft.draws.below(2) == 0 {
                draft.push(KvOp::Get(key.clone()));
            }
            let value = draft.value();
            draft.push(KvOp::Put(key, value));
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }
}
