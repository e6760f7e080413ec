//! Stacks whose values go in once.
//!
//! A value must be inside between the return of its push and the call of its pop: its core. It can be
//! inside from the call of its push to the return of its pop: its reach. The stays of any two values
//! must be nested or apart. Where cores overlap without a break the stack is never empty, so one value
//! is at the bottom all the time, and its reach contains the whole component; any value that can be
//! there may be, since below all others it is in nobody's way. Without it the component falls apart:
//!
//! ```text
//!   cores      (--1--------------------)
//!                 (--2----)  (--3---)            1 is the bottom; 2 | 3 are components then
//!                      (-4-----)                 with 4 they are one, and someone must reach round it
//! ```
//!
//! Values without a core fit anywhere. A component without a bottom is a contradiction. The published
//! code for this problem (Lee and Mathur 2025) accepts some of these; a test keeps one.
//!
//! Invariant: coverage only shrinks, so every place becomes uncovered once, and the work is
//! n log n times the number of pushes that run at one moment.

use super::pairs::{Full, Pair, Pairs, removals, shrink};
use super::{Violation, by_key, conclude};
use crate::judge::history::{Function, History, NEVER};
use crate::judge::verdict::Judgement;

const METHOD: &str = "bottoms";

/// Judges a stack per key; `None` when the history is not of this shape.
pub(crate) fn stack(history: &History) -> Option<Judgement> {
    let fits = |op: &crate::judge::Operation| match op.f {
        Function::Push => !op.value.is_null(),
        f => f == Function::Pop,
    };
    if !history.operations.iter().all(fits) || history.validate().is_err() {
        return None;
    }
    let (starts, order) = by_key(history);
    let mut violation = None;
    for key in starts.windows(2) {
        let ops = &order[key[0] as usize..key[1] as usize];
        let found = match Pairs::of(history, ops, Function::Push) {
            Err(None) => return None,
            Err(found) => found,
            Ok(pairs) => {
                let found = judge(history, &pairs);
                if found.is_some() && !pairs.lost.is_empty() {
                    return None;
                }
                found
            }
        };
        violation = Violation::earlier(violation, found);
    }
    let compared = removals(history, Function::Push);
    Some(conclude(history, ("stack", METHOD), compared, violation))
}

fn judge(history: &History, pairs: &Pairs) -> Option<Violation> {
    let empty = Full::of(&pairs.pairs).check(history, pairs);
    let Some(suspects) = Components::new(&pairs.pairs).judge() else {
        return empty;
    };
    let suspects = Pairs { pairs: suspects, ..Pairs::default() };
    let least = shrink(suspects, |pairs| Components::new(&pairs.pairs).judge().is_some());
    let summary = format!(
        "{} values were on the stack without a break, and none of them can have been at the bottom \
         all the time.",
        least.pairs.len()
    );
    let violation = Violation::new(history, "not-linearizable", summary, &least.ops());
    Violation::earlier(empty, Some(violation))
}

/// A value with a core, in ranks of time.
#[derive(Clone, Copy)]
struct Stay {
    in_call: u32,
    core: (u32, u32),
    out_ret: u32,
    pair: u32,
}

struct Components<'a> {
    pairs: &'a [Pair],
    /// By the beginning of their cores.
    stays: Vec<Stay>,
    covered: Coverage,
    calls: Calls,
}

impl<'a> Components<'a> {
    fn new(pairs: &'a [Pair]) -> Self {
        let mut times = vec![NEVER];
        let has_core = |pair: &&Pair| pair.in_ret < pair.out_call;
        for pair in pairs.iter().filter(has_core) {
            times.extend([pair.in_call, pair.in_ret, pair.out_call, pair.out_ret]);
        }
        times.sort_unstable();
        times.dedup();
        let rank = |time: i64| times.partition_point(|&t| t < time) as u32;
        let mut stays: Vec<Stay> = (0u32..)
            .zip(pairs)
            .filter(|(_, pair)| has_core(pair))
            .map(|(n, pair)| Stay {
                in_call: rank(pair.in_call),
                core: (rank(pair.in_ret), rank(pair.out_call)),
                out_ret: rank(pair.out_ret),
                pair: n,
            })
            .collect();
        stays.sort_unstable_by_key(|stay| (stay.core, stay.pair));
        Self { pairs, covered: Coverage::new(times.len() * 2, &stays), calls: Calls::new(&stays), stays }
    }

    /// The values of a component without a bottom, if there is one.
    fn judge(mut self) -> Option<Vec<Pair>> {
        let mut components: Vec<(u32, u32)> = Vec::new();
        let all = self.covered.places() - 1;
        self.covered.runs((0, all), &mut components);
        while let Some((from, to)) = components.pop() {
            let (start, end) = ((from - 1) / 2, to.div_ceil(2));
            let first = self.stays.partition_point(|stay| stay.core.0 < start);
            let last = self.stays.partition_point(|stay| stay.core.0 < end);
            match self.bottom(first, last, (start, end)) {
                Some(at) => {
                    self.calls.remove(at);
                    let stay = self.stays[at];
                    self.covered.uncover(places(&stay));
                    self.covered.runs((from, to), &mut components);
                }
                None => {
                    let left = (first..last).filter(|&at| self.calls.has(at));
                    let pair = |at: usize| self.pairs[self.stays[at].pair as usize];
                    return Some(left.map(pair).collect());
                }
            }
        }
        None
    }

    /// A value of the component that reaches over all of it.
    fn bottom(&self, first: usize, last: usize, (start, end): (u32, u32)) -> Option<usize> {
        let mut from = first;
        while let Some(at) = self.calls.next_within(from, last, start) {
            if self.stays[at].out_ret >= end {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }
}

/// The places a core covers: those strictly between its ends. Place 2r is time r, 2r + 1 is what
/// lies between it and the next.
fn places(stay: &Stay) -> (u32, u32) {
    (stay.core.0 * 2 + 1, stay.core.1 * 2 - 1)
}

/// How many cores cover each place: a tree of minima with additions that wait at its nodes.
struct Coverage {
    size: usize,
    least: Vec<i32>,
    added: Vec<i32>,
}

impl Coverage {
    fn new(places_count: usize, stays: &[Stay]) -> Self {
        let size = places_count.next_power_of_two();
        let mut change = vec![0i32; size + 1];
        for stay in stays {
            let (from, to) = places(stay);
            change[from as usize] += 1;
            change[to as usize + 1] -= 1;
        }
        let mut least = vec![0i32; size * 2];
        let mut count = 0;
        for at in 0..size {
            count += change[at];
            least[size + at] = count;
        }
        for node in (1..size).rev() {
            least[node] = least[node * 2].min(least[node * 2 + 1]);
        }
        Self { size, least, added: vec![0; size * 2] }
    }

    fn places(&self) -> u32 {
        self.size as u32
    }

    fn uncover(&mut self, range: (u32, u32)) {
        self.add(1, (0, self.places() - 1), range);
    }

    fn add(&mut self, node: usize, (low, high): (u32, u32), range: (u32, u32)) {
        if range.1 < low || high < range.0 {
            return;
        }
        if range.0 <= low && high <= range.1 {
            self.least[node] -= 1;
            self.added[node] -= 1;
            return;
        }
        let middle = u32::midpoint(low, high);
        self.add(node * 2, (low, middle), range);
        self.add(node * 2 + 1, (middle + 1, high), range);
        self.least[node] = self.least[node * 2].min(self.least[node * 2 + 1]) + self.added[node];
    }

    /// The covered stretches of a range.
    fn runs(&self, range: (u32, u32), into: &mut Vec<(u32, u32)>) {
        let mut runs = Runs { range, begun: range.0, into };
        self.zeros(1, (0, self.places() - 1), 0, &mut runs);
        if runs.begun <= range.1 {
            runs.into.push((runs.begun, range.1));
        }
    }

    fn zeros(&self, node: usize, (low, high): (u32, u32), above: i32, runs: &mut Runs<'_>) {
        if runs.range.1 < low || high < runs.range.0 || self.least[node] + above > 0 {
            return;
        }
        if low == high {
            if runs.begun < low {
                runs.into.push((runs.begun, low - 1));
            }
            runs.begun = low + 1;
            return;
        }
        let above = above + self.added[node];
        let middle = u32::midpoint(low, high);
        self.zeros(node * 2, (low, middle), above, runs);
        self.zeros(node * 2 + 1, (middle + 1, high), above, runs);
    }
}

struct Runs<'a> {
    range: (u32, u32),
    begun: u32,
    into: &'a mut Vec<(u32, u32)>,
}

/// The calls of pushes by place in a sequence: a tree of minima.
struct Calls {
    size: usize,
    least: Vec<u32>,
}

impl Calls {
    fn new(stays: &[Stay]) -> Self {
        let size = stays.len().next_power_of_two();
        let mut least = vec![u32::MAX; size * 2];
        for (at, stay) in stays.iter().enumerate() {
            least[size + at] = stay.in_call;
        }
        for node in (1..size).rev() {
            least[node] = least[node * 2].min(least[node * 2 + 1]);
        }
        Self { size, least }
    }

    fn has(&self, at: usize) -> bool {
        self.least[self.size + at] != u32::MAX
    }

    fn remove(&mut self, at: usize) {
        let mut node = self.size + at;
        self.least[node] = u32::MAX;
        while node > 1 {
            node /= 2;
            self.least[node] = self.least[node * 2].min(self.least[node * 2 + 1]);
        }
    }

    /// The first in the range, from here on, that was called by this time.
    fn next_within(&self, from: usize, to: usize, time: u32) -> Option<usize> {
        self.find(1, (0, self.size - 1), (from, to), time)
    }

    fn find(&self, node: usize, (low, high): (usize, usize), (from, to): (usize, usize), time: u32) -> Option<usize> {
        if high < from || to <= low || self.least[node] > time {
            return None;
        }
        if low == high {
            return Some(low);
        }
        let middle = usize::midpoint(low, high);
        self.find(node * 2, (low, middle), (from, to), time)
            .or_else(|| self.find(node * 2 + 1, (middle + 1, high), (from, to), time))
    }
}
