//! Sets: every element is there or not, and its operations take turns.
//!
//! An `add` that changed the element and a `remove` that did alternate; all other operations only
//! look. Being lazy is best: change an element only when the first operation to return needs it, and
//! use the change that must return soonest. A configuration that has changed an element more often
//! has used up pairs of changes that the lazy one can still make at this very moment, in either
//! state; so the lazy one can do all the other can.
//!
//! Invariant: operations that do not tell what they changed are not of this shape.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::conclude;
use crate::judge::general::{explain, parts};
use crate::judge::history::{Function, History};
use crate::judge::model::SetModel;
use crate::judge::value::Value;
use crate::judge::verdict::{Judgement, Verdict};

const METHOD: &str = "turns";

/// Judges a set; `None` when an operation does not tell what it changed.
pub(crate) fn set(history: &History) -> Option<Judgement> {
    let fits = |op: &crate::judge::Operation| {
        matches!(op.f, Function::Add | Function::Remove | Function::Contains)
            && (!op.returned() || matches!(op.out, Value::Bool(_)))
    };
    if !history.operations.iter().all(fits) || history.validate().is_err() {
        return None;
    }
    let compared = history.operations.iter().filter(|op| op.returned()).count();
    let mut first: Option<(i64, Vec<u32>, u32)> = None;
    for part in parts(&SetModel, history) {
        if let Some(stuck) = Element::new(history, &part).judge() {
            let time = history.operations[part[stuck as usize] as usize].ret;
            if first.as_ref().is_none_or(|first| time < first.0) {
                first = Some((time, part, stuck));
            }
        }
    }
    let judgement = conclude(history, ("set", METHOD), compared as u64, None);
    let Some((_, part, stuck)) = first else {
        return Some(judgement);
    };
    let witness = explain(&SetModel, history, &part, stuck);
    Some(Judgement { verdict: Verdict::Violated(Box::new(witness)), ..judgement })
}

/// One element's operations as time goes by.
struct Element<'a> {
    history: &'a History,
    /// By call.
    part: &'a [u32],
    there: bool,
    /// Changes that were called and not made, soonest return first: adds, removes.
    changes: [BinaryHeap<Reverse<(i64, u32)>>; 2],
    made: Vec<bool>,
    /// The visits to this state so far, and for looks: the visit during which they were called.
    visits: [i64; 2],
    called_in: Vec<i64>,
}

impl<'a> Element<'a> {
    fn new(history: &'a History, part: &'a [u32]) -> Self {
        Self {
            history,
            part,
            there: false,
            changes: [BinaryHeap::new(), BinaryHeap::new()],
            made: vec![false; part.len()],
            visits: [1, 0],
            called_in: vec![0; part.len()],
        }
    }

    /// The first operation in time that cannot return as it did.
    fn judge(mut self) -> Option<u32> {
        let mut events: Vec<(i64, bool, u32)> = Vec::new();
        for (at, &index) in self.part.iter().enumerate() {
            let op = &self.history.operations[index as usize];
            events.push((op.call, false, at as u32));
            if op.returned() {
                events.push((op.ret, true, at as u32));
            }
        }
        events.sort_unstable();
        for (_, is_return, at) in events {
            if is_return {
                if let Some(stuck) = self.end(at) {
                    return Some(stuck);
                }
            } else {
                self.begin(at);
            }
        }
        None
    }

    fn op(&self, at: u32) -> &crate::judge::Operation {
        &self.history.operations[self.part[at as usize] as usize]
    }

    /// Whether the operation changes the element, and if so to what; else what it saw.
    fn meaning(&self, at: u32) -> (bool, bool) {
        let op = self.op(at);
        let done = op.out == Value::Bool(true);
        match op.f {
            Function::Add if done || !op.returned() => (true, true),
            Function::Remove if done || !op.returned() => (true, false),
            Function::Add => (false, true),
            Function::Remove => (false, false),
            _ => (false, done),
        }
    }

    fn begin(&mut self, at: u32) {
        let (changes, to) = self.meaning(at);
        if changes {
            let deadline = self.op(at).ret;
            // Changes are kept by the state they lead from.
            self.changes[usize::from(!to)].push(Reverse((deadline, at)));
        } else {
            // It may look during any visit that lasts now or comes later.
            let gone = i64::from(self.there != to);
            self.called_in[at as usize] = self.visits[usize::from(to)] + gone;
        }
    }

    fn end(&mut self, at: u32) -> Option<u32> {
        let (changes, to) = self.meaning(at);
        if !changes {
            let seen = self.visits[usize::from(to)] >= self.called_in[at as usize];
            return (!seen && !self.change()).then_some(at);
        }
        if self.made[at as usize] {
            return None;
        }
        // Another that must return at the same time may be made first.
        while !self.made[at as usize] {
            if self.there == to && !self.change() {
                return Some(at);
            }
            self.change();
        }
        None
    }

    /// Makes the change from the present state that must return soonest.
    fn change(&mut self) -> bool {
        let from = usize::from(self.there);
        let Some(Reverse((_, at))) = self.changes[from].pop() else {
            return false;
        };
        self.made[at as usize] = true;
        self.there = !self.there;
        self.visits[usize::from(self.there)] += 1;
        true
    }
}
