//! Counters: additions that answer the sum, and reads.

use super::draft::{self, Draft};
use super::{judged, needs};
use crate::engine::kv::{Kv, KvOp};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Additions and reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

impl Workload<Kv> for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn about(&self) -> &'static str {
        "additions that answer the sum, and reads: a lost or doubled one changes every answer after it"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "add"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let alone = &["linearizability", "durability", "integrity"];
        judged(knobs, alone, &["durability", "integrity"])
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        Draft::new(knobs, connection, ordinal, draws).transaction(|draft| {
            let key = draft.key();
            if draft.reads() {
                return draft.push(KvOp::Get(key));
            }
            // Mostly upwards, so that sums rarely repeat and each tells how far the counter was.
            let size = 1 + draft.draws.below(9) as i64;
            let delta = if draft.draws.below(8) == 0 { -size } else { size };
            draft.push(KvOp::Add(key, delta));
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }
}
