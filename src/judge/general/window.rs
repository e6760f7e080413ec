//! From "there is no order" to the few operations that have none.
//!
//! The window begins at a late moment at which nothing was open and ends at the return that cannot
//! be passed. Then operations are weakened one after the other: a read is left out, any other
//! becomes one that never returned, so that it may or may not have taken effect. What cannot be
//! weakened without an order appearing is the witness. Invariant: the operations kept have no order
//! even so; a limit makes the witness longer, never wrong.

use super::search::{Found, Problem};
use crate::judge::history::{History, NEVER, Operation};
use crate::judge::limits::{Limits, Spent};
use crate::judge::model::{Call, Model};
use crate::judge::value::Value;
use crate::judge::verdict::Witness;

/// States one attempt at weakening may visit.
const ATTEMPT_STATES_MAX: u64 = 10_000;
/// States all attempts together may visit.
const STATES_MAX: u64 = 200_000;
/// Operations a window has at least, where there are so many: the write that a stale read missed
/// may have been over long before, and a reader wants to see it.
const WINDOW_MIN: usize = 16;
/// Start states a window may have; with more, the window begins at the history's beginning.
const STARTS_MAX: usize = 64;

/// The witness for a part whose operation `stuck` cannot return.
pub(crate) fn explain<M: Model>(model: &M, history: &History, part: &[u32], stuck: u32) -> Witness {
    let deadline = history.operations[part[stuck as usize] as usize].ret;
    let prefix: Vec<u32> = part.iter().copied().filter(|&i| history.operations[i as usize].call <= deadline).collect();
    let (from, starts) = last_cut(model, history, &prefix);
    describe(model, history, (&prefix[from..], deadline), &starts, part[stuck as usize])
}

/// The witness for a window after these states, in which `stuck` cannot return at the deadline.
pub(crate) fn describe<M: Model>(
    model: &M,
    history: &History,
    (window, deadline): (&[u32], i64),
    starts: &[M::State],
    stuck: u32,
) -> Witness {
    let kept = weaken(model, history, (window, deadline), starts);
    let mut indexes: Vec<usize> = if kept.is_empty() { vec![stuck as usize] } else { Vec::new() };
    indexes.extend(kept.iter().map(|&i| i as usize));
    let sources = sources(history, window, &kept);
    indexes.extend(&sources);
    let object = match history.values.text_of(history.operations[indexes[0]].key) {
        "" => String::new(),
        key => format!(" on {key}"),
    };
    let name = model.name();
    let summary = match kept.len() {
        1 => {
            format!("No order in which this operation{object} has a place is one a {name} allows.")
        }
        count => format!("No order of these {count} operations{object} is one a {name} allows."),
    };
    let mut witness = Witness::of(history, "not-linearizable", summary, &indexes);
    witness.time = Some(deadline);
    let mut states: Vec<String> = starts.iter().map(|state| model.show(state, &history.values)).collect();
    states.sort_unstable();
    witness.proof.push(format!("Before the first of them was called, the state was {}.", states.join(" or ")));
    witness.proof.push(format!("By the return of #{stuck} at {deadline} no order is left."));
    if !sources.is_empty() {
        let names: Vec<String> = sources.iter().map(|i| format!("#{i}")).collect();
        witness.proof.push(format!(
            "{} gave values that were seen; the contradiction stands even if they never returned.",
            names.join(", ")
        ));
    }
    witness
}

/// The position after a quiescent moment near the end, and the states possible there.
fn last_cut<M: Model>(model: &M, history: &History, prefix: &[u32]) -> (usize, Vec<M::State>) {
    let ops: Vec<Operation> = prefix.iter().map(|&i| history.operations[i as usize]).collect();
    let mut starts = vec![model.initial()];
    let mut spent = Spent::new(&Limits { states_max: 1_000_000, ..Limits::default() });
    let mut from = 0;
    let mut open_until = i64::MIN;
    for at in 0..ops.len() {
        if ops.len() - at < WINDOW_MIN {
            break;
        }
        if at > from && open_until < ops[at].call {
            let problem = Problem { model, values: &history.values, operations: &ops[from..at], until: NEVER };
            match problem.ends(&starts, &mut spent) {
                Ok(ends) if !ends.is_empty() && ends.len() <= STARTS_MAX => starts = ends,
                _ => return (from, starts),
            }
            from = at;
        }
        open_until = open_until.max(ops[at].ret);
    }
    (from, starts)
}

/// What an operation of the window has become.
#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Kept,
    NeverReturned,
    Absent,
}

/// The operations that cannot be weakened.
fn weaken<M: Model>(model: &M, history: &History, (window, deadline): (&[u32], i64), starts: &[M::State]) -> Vec<u32> {
    let mut standing: Vec<Standing> = window
        .iter()
        .map(|&i| if history.operations[i as usize].returned() { Standing::Kept } else { Standing::NeverReturned })
        .collect();
    let mut left = STATES_MAX;
    let mut size = window.len().div_ceil(2).max(1);
    loop {
        for from in (0..window.len()).step_by(size) {
            let range = from..(from + size).min(window.len());
            if left == 0 || !standing[range.clone()].contains(&Standing::Kept) {
                continue;
            }
            let mut weaker = standing.clone();
            for at in range {
                let op = &history.operations[window[at] as usize];
                let values = &history.values;
                let call = Call { op, values };
                weaker[at] = if model.reads_only(&call) { Standing::Absent } else { Standing::NeverReturned };
            }
            if has_no_order(model, history, (window, deadline), &weaker, starts, &mut left) {
                standing = weaker;
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    window.iter().zip(&standing).filter(|(_, standing)| **standing == Standing::Kept).map(|(&index, _)| index).collect()
}

fn has_no_order<M: Model>(
    model: &M,
    history: &History,
    (window, deadline): (&[u32], i64),
    standing: &[Standing],
    starts: &[M::State],
    left: &mut u64,
) -> bool {
    let ops: Vec<Operation> = window
        .iter()
        .zip(standing)
        .filter(|(_, standing)| **standing != Standing::Absent)
        .map(|(&index, standing)| {
            let mut op = history.operations[index as usize];
            if *standing == Standing::NeverReturned {
                op.ret = NEVER;
            }
            op
        })
        .collect();
    if ops.iter().all(|op| !op.returned()) {
        return false;
    }
    let problem = Problem { model, values: &history.values, operations: &ops, until: deadline };
    let mut spent = Spent::new(&Limits { states_max: ATTEMPT_STATES_MAX, ..Limits::default() });
    let found = problem.solve(starts, &mut spent);
    *left = left.saturating_sub(spent.states() + ops.len() as u64);
    matches!(found, Found::Nothing { .. })
}

/// Operations outside the witness whose argument is an outcome inside: a reader wants to see them.
fn sources(history: &History, window: &[u32], kept: &[u32]) -> Vec<usize> {
    let seen: Vec<Value> = kept
        .iter()
        .map(|&i| &history.operations[i as usize])
        .filter(|op| op.returned() && matches!(op.out, Value::Int(_) | Value::Text(_)))
        .map(|op| op.out)
        .collect();
    window
        .iter()
        .filter(|i| !kept.contains(i))
        .filter(|&&i| {
            let op = &history.operations[i as usize];
            let new = history.values.pair(op.value).map(|pair| pair.1);
            seen.contains(&op.value) || new.is_some_and(|new| seen.contains(&new))
        })
        .map(|&i| i as usize)
        .take(8)
        .collect()
}
