//! What the workloads of the key-value family have in common beside [`draft`](crate::workload::draft): scans, and
//! how everything is read back. It is not a workload.

use std::sync::Arc;

use crate::engine::kv::{Key, Kv, KvOp};
pub(super) use crate::workload::draft::{FIRST, LAST, id, key};
use crate::workload::{Knobs, Transaction};

/// A transaction being planned.
pub(super) type Draft<'a> = crate::workload::draft::Draft<'a, Kv>;

/// A scan over everything.
pub(super) fn scan_all() -> KvOp {
    KvOp::Scan(Arc::from(FIRST), Arc::from(LAST))
}

/// Reads these keys back: in one transaction where the workload has transactions, else one by one.
pub(super) fn read_back(knobs: &Knobs, keys: impl Iterator<Item = Key>) -> Vec<Transaction<Kv>> {
    let reads = keys.map(KvOp::Get);
    if knobs.transaction_ops == 0 {
        return reads.map(|op| Transaction { ops: vec![op] }).collect();
    }
    let ops = std::iter::once(KvOp::Begin).chain(reads).chain([KvOp::Commit]).collect();
    vec![Transaction { ops }]
}

/// Reads every key of the knobs back.
pub(super) fn read_all(knobs: &Knobs) -> Vec<Transaction<Kv>> {
    read_back(knobs, (0..knobs.keys.max(1)).map(key))
}

/// Reads everything back with one scan.
pub(super) fn scan_back(knobs: &Knobs) -> Vec<Transaction<Kv>> {
    let ops = if knobs.transaction_ops == 0 { vec![scan_all()] } else { vec![KvOp::Begin, scan_all(), KvOp::Commit] };
    vec![Transaction { ops }]
}
