//! Containers whose values go in once: for each value when it went in and when it came out.
//!
//! Invariant: after [`Pairs::of`] every value has one way in; values that never came out have
//! [`NEVER`] as both times of coming out; a value whose way in never returned and that never came
//! out is left out, because it need not have been there at all.

use super::Violation;
use crate::judge::hash::Map;
use crate::judge::history::{Function, History, NEVER};
use crate::judge::value::Value;

pub(crate) const NO: u32 = u32::MAX;

/// A value's ways in and out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) value: Value,
    pub(crate) in_call: i64,
    pub(crate) in_ret: i64,
    pub(crate) out_call: i64,
    pub(crate) out_ret: i64,
    pub(crate) in_op: u32,
    /// [`NO`] when it never came out.
    pub(crate) out_op: u32,
}

impl Pair {
    /// The operations of the value.
    pub(crate) fn ops(&self) -> impl Iterator<Item = u32> {
        [self.in_op, self.out_op].into_iter().filter(|&op| op != NO)
    }
}

/// One container's operations.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) pairs: Vec<Pair>,
    /// Removals that found nothing.
    pub(crate) empties: Vec<u32>,
    /// Removals that never returned.
    pub(crate) lost: Vec<u32>,
}

impl Pairs {
    /// Sorts the operations of one container; `Err(None)` when a value went in twice, `Err(Some)`
    /// when a value came out that cannot have been there.
    pub(crate) fn of(history: &History, ops: &[u32], way_in: Function) -> Result<Self, Option<Violation>> {
        let mut pairs = Self::default();
        let mut of_value: Map<Value, u32> = Map::default();
        of_value.reserve(ops.len() / 2);
        for &index in ops {
            let op = &history.operations[index as usize];
            if op.f != way_in {
                continue;
            }
            if of_value.insert(op.value, pairs.pairs.len() as u32).is_some() {
                return Err(None);
            }
            pairs.pairs.push(Pair {
                value: op.value,
                in_call: op.call,
                in_ret: op.ret,
                out_call: NEVER,
                out_ret: NEVER,
                in_op: index,
                out_op: NO,
            });
        }
        let mut odd = None;
        for &index in ops {
            let op = &history.operations[index as usize];
            if op.f == way_in {
                continue;
            }
            if !op.returned() {
                pairs.lost.push(index);
                continue;
            }
            if op.out.is_null() {
                pairs.empties.push(index);
                continue;
            }
            let pair = of_value.get(&op.out).map(|&n| &mut pairs.pairs[n as usize]);
            let found = match pair {
                None => garbage(history, index),
                Some(pair) if pair.out_op != NO => twice(history, pair.out_op, index),
                Some(pair) if op.ret < pair.in_call => future(history, pair.in_op, index),
                Some(pair) => {
                    (pair.out_call, pair.out_ret, pair.out_op) = (op.call, op.ret, index);
                    continue;
                }
            };
            odd = Violation::earlier(odd, Some(found));
        }
        if odd.is_some() {
            return Err(odd);
        }
        pairs.pairs.retain(|pair| pair.in_ret != NEVER || pair.out_op != NO);
        Ok(pairs)
    }
}

fn shown(history: &History, index: u32) -> (String, String) {
    let op = &history.operations[index as usize];
    (history.values.show(op.out), op.f.name())
}

fn garbage(history: &History, index: u32) -> Violation {
    let (value, f) = shown(history, index);
    let summary = format!("The {f} #{index} gave {value}, which never went in.");
    Violation::new(history, "garbage-read", summary, &[index])
}

fn twice(history: &History, first: u32, index: u32) -> Violation {
    let (value, _) = shown(history, index);
    let summary = format!("{value} went in once, but #{first} and #{index} both gave it.");
    Violation::new(history, "duplicate-elements", summary, &[first, index])
}

fn future(history: &History, way_in: u32, index: u32) -> Violation {
    let (value, f) = shown(history, index);
    let summary = format!("The {f} #{index} gave {value} before #{way_in} began to put it in.");
    Violation::new(history, "future-read", summary, &[way_in, index])
}

/// Stretches of time during which a container cannot be empty, and the removals that found it so.
#[derive(Debug, Default)]
pub(crate) struct Full {
    /// Open intervals with the pair that begins and ends each, sorted and not overlapping.
    stretches: Vec<(i64, i64, Vec<u32>)>,
}

impl Full {
    /// The union of the times during which each value must be inside.
    pub(crate) fn of(pairs: &[Pair]) -> Self {
        let mut inside: Vec<(i64, i64, u32)> = pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.in_ret < pair.out_call)
            .map(|(at, pair)| (pair.in_ret, pair.out_call, at as u32))
            .collect();
        inside.sort_unstable();
        let mut full = Self::default();
        for (from, to, at) in inside {
            match full.stretches.last_mut() {
                Some((_, end, chain)) if from < *end => {
                    if to > *end {
                        *end = to;
                        chain.push(at);
                    }
                }
                _ => full.stretches.push((from, to, vec![at])),
            }
        }
        full
    }

    /// The first removal that found nothing although something was inside all the time.
    pub(crate) fn check(&self, history: &History, pairs: &Pairs) -> Option<Violation> {
        let mut found = None;
        for &index in &pairs.empties {
            let op = &history.operations[index as usize];
            let at = self.stretches.partition_point(|s| s.0 < op.call);
            let Some((_, to, chain)) = at.checked_sub(1).and_then(|at| self.stretches.get(at)) else {
                continue;
            };
            if op.ret < *to {
                // Only the values that are inside at some moment of the operation matter.
                let mut ops = vec![index];
                for &n in chain {
                    let pair = &pairs.pairs[n as usize];
                    if pair.in_ret < op.ret && op.call < pair.out_call {
                        ops.extend(pair.ops());
                    }
                }
                let summary =
                    format!("The {} #{index} found nothing, but something was inside all the time.", op.f.name());
                let violation = Violation::new(history, "not-linearizable", summary, &ops);
                found = Violation::earlier(found, Some(violation));
            }
        }
        found
    }
}

/// How many values and empty removals all checks of one shrinking may look at.
const SHRINK_WORK_MAX: usize = 3_000_000;

/// Fewer values and empty removals that are still bad, when leaving some out keeps good ones good.
pub(crate) fn shrink(mut pairs: Pairs, bad: impl Fn(&Pairs) -> bool) -> Pairs {
    let mut work = 0;
    let mut size = (pairs.pairs.len() + pairs.empties.len()).div_ceil(2);
    while size > 0 {
        let mut from = 0;
        loop {
            let values = pairs.pairs.len();
            let total = values + pairs.empties.len();
            if from >= total || work > SHRINK_WORK_MAX {
                break;
            }
            work += total;
            let kept = |at: usize| at < from || at >= from + size;
            let fewer = Pairs {
                pairs: (0..values).filter(|&at| kept(at)).map(|at| pairs.pairs[at]).collect(),
                empties: (0..pairs.empties.len()).filter(|&at| kept(values + at)).map(|at| pairs.empties[at]).collect(),
                lost: Vec::new(),
            };
            if bad(&fewer) {
                pairs = fewer;
            } else {
                from += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    pairs
}

impl Pairs {
    /// All operations, for a witness.
    pub(crate) fn ops(&self) -> Vec<u32> {
        let values = self.pairs.iter().flat_map(Pair::ops);
        values.chain(self.empties.iter().copied()).collect()
    }
}

/// Removals that returned: what is compared.
pub(crate) fn removals(history: &History, way_in: Function) -> u64 {
    let ops = history.operations.iter();
    ops.filter(|op| op.f != way_in && op.returned()).count() as u64
}
