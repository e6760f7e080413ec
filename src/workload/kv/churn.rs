//! Churn: values of all sizes written, deleted and grown, so that pages split, merge, overflow and are freed.
//!
//! It is there to give the engine work, checkpoints and vacuums in between; what it proves is durability
//! and integrity rather than isolation.

use super::draft::{self, Draft};
use super::needs;
use crate::engine::kv::{Key, Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Writes, deletes, appends, reads and scans over values of varied sizes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Churn;

/// The list of this number. Lists have keys of their own: a key holds either values or a list.
fn list(index: u32) -> Key {
    format!("l{index:04}").into()
}

impl Workload<Kv> for Churn {
    fn name(&self) -> &'static str {
        "churn"
    }

    fn about(&self) -> &'static str {
        "values of all sizes written, deleted and grown, so that pages split, merge, overflow and are freed"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "write", "delete", "append", "scan"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["durability", "scan", "integrity", "garbage"]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let index = draft.key_index();
            let key = draft::key(index);
            let op = match (draft.reads(), draft.draws.below(8)) {
                (true, 0..4) => KvOp::Get(key),
                (true, 4..6) => KvOp::Get(list(index)),
                (true, _) => KvOp::Scan(key, draft::key(index.saturating_add(3))),
                (false, 0..4) => KvOp::Put(key, draft.value()),
                (false, 4..6) => KvOp::Append(list(index), draft.value()),
                (false, 6) => KvOp::Delete(key),
                (false, _) => KvOp::Delete(list(index)),
            };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::scan_back(knobs)
    }
}
