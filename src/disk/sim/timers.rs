//! The virtual clock and what waits for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::aio::Completion;

/// The clock, the timers, and the deadlines of slow operations.
#[derive(Default)]
pub(super) struct Timers {
    now: u64,
    /// How far the clock that engines see is off, in ticks.
    skew: i64,
    serial: u64,
    heap: BinaryHeap<Reverse<Timer>>,
    /// Deadlines of slow operations; passed ones are forgotten when asked.
    slow: BinaryHeap<Reverse<u64>>,
}

struct Timer {
    deadline: u64,
    serial: u64,
    completion: Completion,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.deadline, self.serial).cmp(&(other.deadline, other.serial))
    }
}

impl Timers {
    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    /// The time as engines see it, which may jump. Deadlines do not: they count true ticks.
    pub(super) const fn seen(&self) -> u64 {
        self.now.saturating_add_signed(self.skew)
    }

    pub(super) const fn jump(&mut self, ticks: i64) {
        self.skew = self.skew.saturating_add(ticks);
    }

    pub(super) const fn tick(&mut self, ticks: u64) {
        self.now = self.now.saturating_add(ticks);
    }

    pub(super) fn add(&mut self, ticks: u64, completion: Completion) {
        self.serial += 1;
        let timer = Timer { deadline: self.now.saturating_add(ticks), serial: self.serial, completion };
        self.heap.push(Reverse(timer));
    }

    /// Something will be ready at `tick`.
    pub(super) fn note(&mut self, tick: u64) {
        self.slow.push(Reverse(tick));
    }

    /// The next tick at which something happens by itself: a timer that is due counts as now.
    pub(super) fn next_deadline(&mut self) -> Option<u64> {
        while self.slow.peek().is_some_and(|Reverse(tick)| *tick <= self.now) {
            self.slow.pop();
        }
        let timer = self.heap.peek().map(|Reverse(timer)| timer.deadline.max(self.now));
        let slow = self.slow.peek().map(|Reverse(tick)| *tick);
        timer.into_iter().chain(slow).min()
    }

    /// The timers whose deadline has come, earliest first.
    pub(super) fn take_due(&mut self) -> Vec<Completion> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|Reverse(timer)| timer.deadline <= self.now) {
            due.extend(self.heap.pop().map(|Reverse(timer)| timer.completion));
        }
        due
    }

    /// All timers, earliest first; the clock goes on.
    pub(super) fn drain(&mut self) -> Vec<Completion> {
        self.slow.clear();
        let mut all = std::mem::take(&mut self.heap).into_vec();
        all.sort_by(|Reverse(a), Reverse(b)| a.cmp(b));
        all.into_iter().map(|Reverse(timer)| timer.completion).collect()
    }
}
