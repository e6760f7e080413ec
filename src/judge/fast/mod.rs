//! Methods for histories of a known shape, in the time it takes to sort them.
//!
//! Each answers `None` when the history is not of its shape, and the general search is asked then.
//! Invariant: each is compared with brute force over all orders by a fuzz test; none is trusted
//! because it was published.
//!
//! | shape | method |
//! |---|---|
//! | register or key-value store, values written once, no compare-and-set | zones |
//! | set whose operations tell what they changed | turns of each element |
//! | queue, values enqueued once | four patterns |
//! | stack, values pushed once | bottoms of components |
//! | priority queue, values inserted once | gaps, from the largest down |

mod pairs;
mod priority;
mod queue;
mod set;
mod stack;
mod zones;

pub(crate) use priority::priority_queue;
pub(crate) use queue::queue;
pub(crate) use set::set;
pub(crate) use stack::stack;
pub(crate) use zones::zones;

use super::history::History;
use super::verdict::{Judgement, Verdict, Witness};

/// A violation on its way to a judgement.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// When its last operation returned.
    pub(crate) time: i64,
    pub(crate) anomaly: &'static str,
    pub(crate) summary: String,
    pub(crate) operations: Vec<usize>,
}

impl Violation {
    pub(crate) fn new(history: &History, anomaly: &'static str, summary: String, operations: &[u32]) -> Self {
        let operations: Vec<usize> = operations.iter().map(|&i| i as usize).collect();
        let ends = operations.iter().map(|&i| &history.operations[i]);
        let time = ends.filter(|op| op.returned()).map(|op| op.ret).max();
        Self { time: time.unwrap_or(i64::MAX), anomaly, summary, operations }
    }

    /// Keeps the one that was complete first.
    pub(crate) fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.time < one.time => Some(other),
            (Some(one), _) => Some(one),
            (None, other) => other,
        }
    }
}

/// The judgement of a fast method.
pub(crate) fn conclude(
    history: &History,
    (model, method): (&str, &str),
    compared: u64,
    violation: Option<Violation>,
) -> Judgement {
    let operations = history.len() as u64;
    let Some(violation) = violation else {
        return Judgement::settle(model, method, operations, compared);
    };
    let mut witness = Witness::of(history, violation.anomaly, violation.summary, &violation.operations);
    witness.time = (violation.time != i64::MAX).then_some(violation.time);
    let verdict = Verdict::Violated(Box::new(witness));
    Judgement::new(verdict, model, method, operations, compared)
}

/// Positions of the operations by their key, in two arrays: where each key's begin, and positions.
pub(crate) fn by_key(history: &History) -> (Vec<u32>, Vec<u32>) {
    let keys = history.operations.iter().map(|op| op.key + 1).max().unwrap_or(0) as usize;
    let mut starts = vec![0u32; keys + 1];
    for op in &history.operations {
        starts[op.key as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut places = starts.clone();
    let mut order = vec![0u32; history.len()];
    for (index, op) in history.operations.iter().enumerate() {
        let place = &mut places[op.key as usize];
        order[*place as usize] = index as u32;
        *place += 1;
    }
    (starts, order)
}
