//! Compare-and-set with unique values.
//!
//! A plan cannot know what a key will hold, so it guesses: *nothing* (which succeeds after a delete, as a
//! lock is taken), or what another operation nearby is planned to write. Guesses never depend on results.

use super::draft::{self, Draft};
use super::{judged, needs};
use crate::engine::kv::{Kv, KvOp, Value};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Compare-and-set, writes, deletes and reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompareAndSet;

/// A guess looks at most so many transactions back.
const BACK_MAX: u64 = 3;

impl Workload<Kv> for CompareAndSet {
    fn name(&self) -> &'static str {
        "cas"
    }

    fn about(&self) -> &'static str {
        "compare-and-set against nothing or against what a neighbour writes, with writes, deletes and reads"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "write", "cas", "delete"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "durability", "integrity", "garbage"];
        judged(knobs, alone, &["durability", "integrity", "garbage"])
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft::key(draft.key_index());
            if draft.reads() {
                return draft.push(KvOp::Get(key));
            }
            let new = draft.short_value();
            match draft.draws.weighted(&[4, 3, 2, 2]) {
                0 => draft.push(KvOp::Cas { key, expected: None, new }),
                1 => {
                    let (key, expected) = neighbour(draft);
                    draft.push(KvOp::Cas { key, expected: Some(expected), new });
                }
                2 => draft.push(KvOp::Delete(key)),
                _ => draft.push(KvOp::Put(key, new)),
            }
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }
}

/// What another transaction nearby writes first, and where; or what this one would, if the neighbour writes nothing.
fn neighbour(draft: &mut Draft<'_>) -> (crate::engine::kv::Key, Value) {
    let connection = draft.draws.below(u64::from(draft.connection) + 2) as u16;
    let ordinal = draft.ordinal.saturating_sub(draft.draws.below(BACK_MAX) as u32);
    let mut draws = draft.draws.beside(connection, ordinal);
    let mut other = Draft::new(draft.knobs, connection, ordinal, &mut draws);
    // The same draws in the same order as the neighbour's own plan makes them.
    let _ = other.maintenance();
    let first = usize::from(draft.knobs.transaction_ops > 0);
    if first == 1 {
        other.draws.below(u64::from(draft.knobs.transaction_ops));
        other.push(KvOp::Begin);
    }
    let key = other.key();
    (key, Value { id: draft::id(connection, ordinal, first), len: 0 })
}
