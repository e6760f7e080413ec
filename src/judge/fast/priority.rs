//! Priority queues whose values go in once.
//!
//! From the largest value down: a poll must stand at a moment when nothing larger is inside, so it
//! takes the first such moment of its interval, and the insert goes as late as that allows. This makes
//! the value's stay inside the shortest possible, whatever the smaller ones do, and so the gaps that
//! are left for them the largest possible. A poll that found nothing comes last and needs a gap too.
//!
//! ```text
//!   3:        (------)                 stays, open intervals
//!   2:   (-----------)  poll 2 was called inside 3's stay: it waits for the gap
//!   gaps:            ^     ^
//! ```
//!
//! Gaps are times at which some operation begins or ends; "the next gap from here on" is a
//! disjoint-set forest over them. Invariant: gaps only vanish.

use super::pairs::{NO, Pairs, removals, shrink};
use super::{Violation, by_key, conclude};
use crate::judge::history::{Function, History, NEVER};
use crate::judge::value::Value;
use crate::judge::verdict::Judgement;

const METHOD: &str = "gaps";

/// Judges a priority queue per key; `None` when the history is not of this shape.
pub(crate) fn priority_queue(history: &History) -> Option<Judgement> {
    let number = |value: Value| matches!(value, Value::Int(_));
    let fits = |op: &crate::judge::Operation| match op.f {
        Function::Insert => number(op.value),
        Function::Poll => !op.returned() || op.out.is_null() || number(op.out),
        _ => false,
    };
    if !history.operations.iter().all(fits) || history.validate().is_err() {
        return None;
    }
    let (starts, order) = by_key(history);
    let mut violation = None;
    let compared = removals(history, Function::Insert);
    for key in starts.windows(2) {
        let ops = &order[key[0] as usize..key[1] as usize];
        let found = match Pairs::of(history, ops, Function::Insert) {
            Err(None) => return None,
            Err(found) => found,
            Ok(pairs) => {
                let bad = |pairs: &Pairs| Gaps::new(history, pairs).judge(history).is_some();
                match Gaps::new(history, &pairs).judge(history) {
                    Some(_) if !pairs.lost.is_empty() => return None,
                    Some(suspects) => Some(explain(history, pairs, suspects, bad)),
                    None => None,
                }
            }
        };
        violation = Violation::earlier(violation, found);
    }
    let name = ("priority-queue", METHOD);
    Some(conclude(history, name, compared, violation))
}

struct Gaps<'a> {
    pairs: &'a Pairs,
    /// All times, each once.
    times: Vec<i64>,
    /// Per time the next that is a gap, itself perhaps, with shortcuts.
    next: Vec<u32>,
    /// Per time that is no gap the pair whose stay closed it.
    closed_by: Vec<u32>,
}

impl<'a> Gaps<'a> {
    fn new(history: &History, pairs: &'a Pairs) -> Self {
        let mut times: Vec<i64> = vec![NEVER];
        for pair in &pairs.pairs {
            times.extend([pair.in_call, pair.in_ret, pair.out_call, pair.out_ret]);
        }
        for &index in &pairs.empties {
            let op = &history.operations[index as usize];
            times.extend([op.call, op.ret]);
        }
        times.sort_unstable();
        times.dedup();
        Self { pairs, next: (0..=times.len() as u32).collect(), closed_by: vec![NO; times.len()], times }
    }

    fn rank(&self, time: i64) -> u32 {
        self.times.partition_point(|&t| t < time) as u32
    }

    /// The first gap from this time on; the number of times when there is none.
    fn gap(&mut self, from: u32) -> u32 {
        let mut at = from;
        while self.next[at as usize] != at {
            let over = self.next[self.next[at as usize] as usize];
            self.next[at as usize] = over;
            at = over;
        }
        at
    }

    /// A removal that has no gap, and the values that closed them, if there is one.
    fn judge(&mut self, history: &History) -> Option<Suspects> {
        let mut order: Vec<u32> = (0..self.pairs.pairs.len() as u32).collect();
        order.sort_unstable_by_key(|&n| std::cmp::Reverse(self.pairs.pairs[n as usize].value));
        for n in order {
            let pair = self.pairs.pairs[n as usize];
            let mut out = self.times.len() as u32 - 1;
            if pair.out_op != NO {
                let from = self.rank(pair.out_call.max(pair.in_call));
                out = self.gap(from);
                let last = self.rank(pair.out_ret);
                if out > last {
                    return Some(self.suspects(pair.out_op, Some(n), from, last));
                }
            }
            let way_in = self.rank(pair.in_ret).min(out);
            self.close(way_in, out, n);
        }
        for &index in &self.pairs.empties {
            let op = &history.operations[index as usize];
            let (from, last) = (self.rank(op.call), self.rank(op.ret));
            if self.gap(from) > last {
                return Some(self.suspects(index, None, from, last));
            }
        }
        None
    }

    fn suspects(&self, poll: u32, own: Option<u32>, from: u32, last: u32) -> Suspects {
        let mut values: Vec<u32> = own.into_iter().collect();
        values.extend(&self.closed_by[from as usize..=last as usize]);
        values.retain(|&n| n != NO);
        values.sort_unstable();
        values.dedup();
        Suspects { poll, values }
    }

    /// No gap any more strictly between the two times.
    fn close(&mut self, from: u32, to: u32, by: u32) {
        let mut at = self.gap(from + 1);
        while at < to {
            self.next[at as usize] = at + 1;
            self.closed_by[at as usize] = by;
            at = self.gap(at + 1);
        }
    }
}

/// A removal without a gap, and values that may be the reason.
struct Suspects {
    poll: u32,
    values: Vec<u32>,
}

fn explain(history: &History, pairs: Pairs, suspects: Suspects, bad: impl Fn(&Pairs) -> bool) -> Violation {
    let values = suspects.values.iter();
    let few = Pairs {
        pairs: values.map(|&n| pairs.pairs[n as usize]).collect(),
        empties: pairs.empties.iter().copied().filter(|&e| e == suspects.poll).collect(),
        lost: Vec::new(),
    };
    // A value may stay long only because larger ones made its poll wait; then all are needed.
    let start = if bad(&few) { few } else { pairs };
    let least = shrink(start, bad);
    let summary = match least.empties.first() {
        Some(poll) => format!("The poll #{poll} found nothing, but something was inside all the time."),
        None => {
            let polled = least.pairs.iter().filter(|pair| pair.out_op != NO);
            let smallest = polled.min_by_key(|pair| pair.value);
            let (poll, value) = smallest.map_or((suspects.poll, Value::Null), |p| (p.out_op, p.value));
            let value = history.values.show(value);
            format!("The poll #{poll} gave {value}, but something larger was inside all the time.")
        }
    };
    Violation::new(history, "not-linearizable", summary, &least.ops())
}
