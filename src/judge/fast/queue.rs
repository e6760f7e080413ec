//! Queues whose values go in once (Henzinger, Sezgin and Vafeiadis 2013).
//!
//! Without removals that never returned, a queue's history has an order exactly when none of four
//! patterns is in it: a value from nowhere, a value twice, *a* surely enqueued before *b* but dequeued
//! surely after it (or never), and a dequeue that found nothing although something was surely inside.
//! The third is a minimum over everything that was enqueued later, so sorting suffices.
//!
//! Invariant: a dequeue that never returned is first taken not to have happened; if that leaves a
//! contradiction, it may have taken a value that is missing, and another method has to decide.

use super::pairs::{Full, NO, Pairs, removals};
use super::{Violation, by_key, conclude};
use crate::judge::history::{Function, History, NEVER};
use crate::judge::verdict::Judgement;

const METHOD: &str = "patterns";

/// Judges a queue per key; `None` when the history is not of this shape.
pub(crate) fn queue(history: &History) -> Option<Judgement> {
    let fits = |op: &crate::judge::Operation| match op.f {
        Function::Enqueue => !op.value.is_null(),
        f => f == Function::Dequeue,
    };
    if !history.operations.iter().all(fits) || history.validate().is_err() {
        return None;
    }
    let (starts, order) = by_key(history);
    let mut violation = None;
    let compared = removals(history, Function::Enqueue);
    for key in starts.windows(2) {
        let ops = &order[key[0] as usize..key[1] as usize];
        let found = match Pairs::of(history, ops, Function::Enqueue) {
            Err(None) => return None,
            Err(found) => found,
            Ok(mut pairs) => {
                let found = judge(history, &pairs);
                if found.is_some() && !pairs.lost.is_empty() {
                    if !pairs.empties.is_empty() {
                        return None;
                    }
                    assign(history, &mut pairs);
                    judge(history, &pairs)
                } else {
                    found
                }
            }
        };
        violation = Violation::earlier(violation, found);
    }
    Some(conclude(history, ("queue", METHOD), compared, violation))
}

fn judge(history: &History, pairs: &Pairs) -> Option<Violation> {
    Violation::earlier(overtaking(history, pairs), Full::of(&pairs.pairs).check(history, pairs))
}

/// For every value the first return of a dequeue among the values surely enqueued later.
fn deadlines(pairs: &Pairs) -> (Vec<u32>, Vec<u32>) {
    let count = pairs.pairs.len();
    let mut by_call: Vec<u32> = (0..count as u32).collect();
    by_call.sort_unstable_by_key(|&n| pairs.pairs[n as usize].in_call);
    // From each place on, the value that came out first.
    let mut soonest = vec![NO; count + 1];
    for at in (0..count).rev() {
        let n = by_call[at];
        let best = soonest[at + 1];
        let sooner = best == NO || pairs.pairs[n as usize].out_ret < pairs.pairs[best as usize].out_ret;
        soonest[at] = if sooner { n } else { best };
    }
    (by_call, soonest)
}

fn overtaking(history: &History, pairs: &Pairs) -> Option<Violation> {
    let (by_call, soonest) = deadlines(pairs);
    let mut found = None;
    for a in &pairs.pairs {
        let later = by_call.partition_point(|&n| pairs.pairs[n as usize].in_call <= a.in_ret);
        let Some(b) = pairs.pairs.get(soonest[later] as usize) else {
            continue;
        };
        if b.out_ret < a.out_call {
            let (x, y) = (history.values.show(a.value), history.values.show(b.value));
            let ended = match a.out_op {
                NO => "was never dequeued".into(),
                op => format!("was dequeued after it, by #{op}"),
            };
            let summary = format!("{x} was enqueued before {y}, but {ended}, while #{} gave {y}.", b.out_op);
            let ops: Vec<u32> = a.ops().chain(b.ops()).collect();
            let violation = Violation::new(history, "not-linearizable", summary, &ops);
            found = Violation::earlier(found, Some(violation));
        }
    }
    found
}

/// Gives the values that had to come out to the dequeues that never returned, the most urgent
/// first, those called first. What is left over still has to come out, and will be found.
fn assign(history: &History, pairs: &mut Pairs) {
    let (by_call, soonest) = deadlines(pairs);
    let mut urgent: Vec<(i64, u32)> = Vec::new();
    for (n, a) in pairs.pairs.iter().enumerate() {
        let later = by_call.partition_point(|&m| pairs.pairs[m as usize].in_call <= a.in_ret);
        let deadline = pairs.pairs.get(soonest[later] as usize).map_or(NEVER, |b| b.out_ret);
        if a.out_op == NO && deadline != NEVER {
            urgent.push((deadline, n as u32));
        }
    }
    urgent.sort_unstable();
    let mut lost = pairs.lost.clone();
    lost.sort_unstable_by_key(|&index| history.operations[index as usize].call);
    for (&(_, n), &index) in urgent.iter().zip(&lost) {
        let pair = &mut pairs.pairs[n as usize];
        pair.out_op = index;
        pair.out_call = history.operations[index as usize].call;
        pair.out_ret = NEVER;
    }
}
