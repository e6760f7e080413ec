//! A set of elements, each a key: present or absent.
//!
//! Adding is a compare-and-set against nothing, so that the engine itself says whether it changed anything.
//! The history speaks of one set and its elements, not of keys and values.

use std::sync::Arc;

use super::draft::{self, Draft};
use super::{judged, needs};
use crate::engine::Family;
use crate::engine::kv::{Kv, KvOp, KvValue, decode};
use crate::history::{Call, Datum};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Adds, removes, and asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// The set's name in the history.
const NAME: &str = "set";

impl Workload<Kv> for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn about(&self) -> &'static str {
        "elements added, removed and asked for; add and remove answer whether they changed anything"
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(knobs, &["read", "cas", "delete"])
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
            let op = match draft.draws.below(2) {
                0 => KvOp::Cas { key, expected: None, new: draft.value() },
                _ => KvOp::Delete(key),
            };
            draft.push(op);
        })
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        draft::read_all(knobs)
    }

    fn call(&self, op: &KvOp) -> Call {
        let about = |f, element: &Arc<str>| Call { f, key: Some(NAME.into()), arg: Datum::Text(element.clone()) };
        match op {
            KvOp::Get(key) => about("contains", key),
            KvOp::Cas { key, .. } => about("add", key),
            KvOp::Delete(key) => about("remove", key),
            other => Kv::call(other),
        }
    }

    fn output(&self, op: &KvOp, value: &KvValue) -> Datum {
        match value {
            KvValue::Bytes(None) => Datum::Bool(false),
            KvValue::Bytes(Some(bytes)) => match decode(bytes) {
                Datum::Value(_) => Datum::Bool(true),
                // Bytes that nobody wrote must not pass as an element that is there.
                other => other,
            },
            other => Kv::output(op, other),
        }
    }
}
