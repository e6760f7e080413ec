//! Range scans among writes and deletes: a scan must not miss a key, nor show one that is gone.

use super::draft::{self, Draft};
use super::needs;
use crate::engine::kv::{Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Writes, deletes, reads and scans of ranges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scans;

impl Workload<Kv> for Scans {
    fn name(&self) -> &'static str {
        "scans"
    }

    fn about(&self) -> &'static str {
        "scans of ranges, short and whole, while keys are written and deleted in them"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "write", "delete", "scan"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["scan", "durability", "integrity", "garbage"]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            if draft.reads() {
                let op = match draft.draws.weighted(&[1, 2, 1]) {
                    0 => KvOp::Get(draft.key()),
                    1 => range(draft),
                    _ => draft::scan_all(),
                };
                return draft.push(op);
            }
            let key = draft.key();
            let op = if draft.draws.below(3) == 0 { KvOp::Delete(key) } else { KvOp::Put(key, draft.value()) };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::scan_back(knobs)
    }
}

/// A range from a chosen key on, short ones as likely as long ones.
fn range(draft: &mut Draft<'_>) -> KvOp {
    let from = draft.key_index();
    let width = draft.draws.log_uniform(1, u64::from(draft.knobs.keys.max(1))) as u32;
    KvOp::Scan(draft::key(from), draft::key(from.saturating_add(width - 1)))
}
