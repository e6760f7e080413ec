//! The general search for an order: Wing and Gong (1993) with a memory of what failed.
//!
//! A configuration is (first return not passed, which open operations have taken effect, state).
//! It does not name the operations that are over, so its size is the concurrency, not the length
//! of the history, and equal situations reached on different ways are explored once.
//!
//! ```text
//!   passed returns │ window: open at the first return not passed │ not called yet
//!   ───────────────┼─────────────────────────────────────────────┼──────────────
//!      forgotten   │  slots, each done or not                    │  not candidates
//! ```
//!
//! Two rules cut the tree without losing an order. An operation that is possible now and never changes
//! a state may be taken now. An operation that never returned is optional; of two
//! configurations that differ only in such operations, the one that has used fewer can do all the
//! other can, so only least sets are remembered as failed.
//!
//! Only failed configurations are remembered, so a history with an obvious order costs no memory.
//! It is not incremental; see [`crate::judge::Watch`] for that.

use super::bits::{Bits, Least};
use crate::judge::hash::{Map, Set};
use crate::judge::history::Operation;
use crate::judge::limits::Spent;
use crate::judge::model::{Call, Model};
use crate::judge::value::Values;

const HEAD: u32 = 0;
const NONE: u32 = u32::MAX;

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is an order.
    Order,
    /// There is none; the return of this operation (a position of the slice) cannot be passed.
    Nothing {
        /// The first return, in time, before which some operation has no place.
        stuck: u32,
    },
    /// A limit was reached.
    GaveUp(String),
}

/// One object's operations, sorted by call, and the states it may start from.
pub(crate) struct Problem<'a, M: Model> {
    pub(crate) model: &'a M,
    pub(crate) values: &'a Values,
    pub(crate) operations: &'a [Operation],
    /// Only returns up to this time must be passed; what returns later is optional.
    pub(crate) until: i64,
}

impl<M: Model> Problem<'_, M> {
    /// Looks for an order from one of these states.
    pub(crate) fn solve(&self, starts: &[M::State], spent: &mut Spent) -> Found {
        let mut search = Search::new(self, false);
        let mut found = Found::Nothing { stuck: 0 };
        for start in starts {
            found = match search.run(start.clone(), spent) {
                Err(reason) => return Found::GaveUp(reason),
                Ok(true) => return Found::Order,
                Ok(false) => Found::Nothing { stuck: search.returns[search.deepest as usize] },
            };
        }
        spent.give(search.memory);
        found
    }

    /// All states in which the object can be after all operations. Every one must have returned.
    pub(crate) fn ends(&self, starts: &[M::State], spent: &mut Spent) -> Result<Vec<M::State>, String> {
        let mut search = Search::new(self, true);
        for start in starts {
            search.run(start.clone(), spent)?;
        }
        spent.give(search.memory);
        Ok(search.ends)
    }
}

/// Where to go on looking for the next operation to take.
#[derive(Debug, Clone, Copy)]
enum Cursor {
    /// The operation whose return comes first: mostly the right one.
    First,
    /// The open operations, from this node of the list.
    Open(u32),
    /// Those that never returned.
    Lost(u32),
}

/// A step taken, and what it takes to undo it.
struct Frame<S> {
    /// Position of the operation; for one that never returned, its number among those.
    taken: u32,
    lost: bool,
    first_return: u32,
    open: Bits,
    /// State and cursor before; `None` when the step had no alternative.
    choice: Option<(S, Cursor)>,
}

struct Search<'p, 'a, M: Model> {
    problem: &'p Problem<'a, M>,
    collect: bool,
    /// A doubly linked list of calls and returns still to come, by time; node 0 is its head.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Per node: the operation, and whether it is its return.
    node: Vec<(u32, bool)>,
    /// Per operation: call node, return node, slot; whether it was taken.
    place: Vec<(u32, u32, u32)>,
    taken: Vec<bool>,
    /// Per operation: whether it never changes a state.
    harmless: Vec<bool>,
    /// Operations that returned, by return.
    returns: Vec<u32>,
    /// How many of them must be passed.
    goal: u32,
    /// Operations that never returned, by call, with the number of returns before that call, and
    /// the earlier one that does the same, if any.
    lost: Vec<(u32, u32, u32)>,

    first_return: u32,
    open: Bits,
    used: Bits,
    state: M::State,
    frames: Vec<Frame<M::State>>,
    failed: Map<(u32, Bits, M::State), Least>,
    memory: usize,
    deepest: u32,
    ends: Vec<M::State>,
    ends_seen: Set<M::State>,
}

impl<'p, 'a, M: Model> Search<'p, 'a, M> {
    fn new(problem: &'p Problem<'a, M>, collect: bool) -> Self {
        let operations = problem.operations;
        let mut events: Vec<(i64, bool, u32)> = Vec::with_capacity(operations.len() * 2);
        for (at, op) in operations.iter().enumerate() {
            events.push((op.call, false, at as u32));
            if op.returned() {
                events.push((op.ret, true, at as u32));
            }
        }
        // Calls come before returns of the same time: such operations are concurrent.
        events.sort_unstable();
        let mut search = Self {
            problem,
            collect,
            next: Vec::with_capacity(events.len() + 1),
            previous: Vec::with_capacity(events.len() + 1),
            node: vec![(NONE, false)],
            place: vec![(NONE, NONE, NONE); operations.len()],
            taken: vec![false; operations.len()],
            harmless: operations
                .iter()
                .map(|op| {
                    let values = problem.values;
                    problem.model.reads_only(&Call { op, values })
                })
                .collect(),
            returns: Vec::new(),
            goal: 0,
            lost: Vec::new(),
            first_return: 0,
            open: Bits::default(),
            used: Bits::default(),
            state: problem.model.initial(),
            frames: Vec::new(),
            failed: Map::default(),
            memory: 0,
            deepest: 0,
            ends: Vec::new(),
            ends_seen: Set::default(),
        };
        search.lay(&events);
        search
    }

    /// Fills the list, the slots and the operations that never returned.
    fn lay(&mut self, events: &[(i64, bool, u32)]) {
        let operations = self.problem.operations;
        let mut free: Vec<u32> = Vec::new();
        let mut slots = 0;
        let mut twins: Map<(crate::judge::Function, u32, crate::judge::Value), u32> = Map::default();
        for &(_, is_return, at) in events {
            let op = &operations[at as usize];
            let node = self.node.len() as u32;
            if is_return {
                self.place[at as usize].1 = node;
                free.push(self.place[at as usize].2);
                self.returns.push(at);
                if op.ret <= self.problem.until {
                    self.goal = self.returns.len() as u32;
                }
            } else if op.returned() {
                let slot = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                self.place[at as usize] = (node, NONE, slot);
            } else {
                let number = self.lost.len() as u32;
                let twin = twins.insert((op.f, op.key, op.value), number);
                self.lost.push((at, self.returns.len() as u32, twin.unwrap_or(NONE)));
                continue;
            }
            self.node.push((at, is_return));
        }
        let count = self.node.len() as u32;
        self.next = (1..=count).collect();
        self.previous = (0..count).map(|n| n.saturating_sub(1)).collect();
    }

    /// Depth first from this state. Whether an order was found.
    fn run(&mut self, start: M::State, spent: &mut Spent) -> Result<bool, String> {
        self.state = start;
        loop {
            // Arrived at a configuration by the last step.
            self.take_harmless();
            let mut cursor = if self.first_return >= self.goal {
                if !self.collect {
                    return Ok(true);
                }
                if self.ends_seen.insert(self.state.clone()) {
                    self.ends.push(self.state.clone());
                }
                None
            } else {
                self.deepest = self.deepest.max(self.first_return);
                spent.state()?;
                (!self.has_failed()).then_some(Cursor::First)
            };
            // Take the next step from here, or from the last place that has another.
            loop {
                if let Some((step, state, after)) = cursor.and_then(|c| self.find_step(c)) {
                    self.take(step, state, after);
                    break;
                }
                if cursor.is_some() {
                    self.remember_failure(spent)?;
                }
                match self.undo() {
                    Undone::All => return Ok(false),
                    Undone::To(choice) => cursor = Some(choice),
                }
            }
        }
    }

    #[inline]
    fn step(&self, at: u32, state: &M::State) -> Option<M::State> {
        let call = Call { op: &self.problem.operations[at as usize], values: self.problem.values };
        self.problem.model.step(state, &call)
    }

    fn at_end(&self, node: u32) -> bool {
        node as usize == self.node.len()
    }

    /// Takes every open operation that is possible and, with its outcome, never changes a state.
    fn take_harmless(&mut self) {
        let mut node = self.next[HEAD as usize];
        while !self.at_end(node) {
            let (at, is_return) = self.node[node as usize];
            if is_return {
                break;
            }
            node = self.next[node as usize];
            if self.harmless[at as usize] && self.step(at, &self.state).is_some() {
                let is_next = self.place[at as usize].1 == node;
                if is_next {
                    node = self.next[node as usize];
                }
                self.lift(at, None);
            }
        }
    }

    /// The next possible operation at the cursor: which, the state after, and where to go on.
    fn find_step(&self, mut cursor: Cursor) -> Option<((u32, bool), M::State, Cursor)> {
        let first = self.returns[self.first_return as usize];
        loop {
            match cursor {
                Cursor::First => {
                    cursor = Cursor::Open(self.next[HEAD as usize]);
                    if let Some(state) = self.step(first, &self.state) {
                        return Some(((first, false), state, cursor));
                    }
                }
                Cursor::Open(node) => {
                    if self.at_end(node) || self.node[node as usize].1 {
                        cursor = Cursor::Lost(0);
                        continue;
                    }
                    cursor = Cursor::Open(self.next[node as usize]);
                    let at = self.node[node as usize].0;
                    if at != first
                        && let Some(state) = self.step(at, &self.state)
                    {
                        return Some(((at, false), state, cursor));
                    }
                }
                Cursor::Lost(number) => {
                    let &(at, called_after, twin) = self.lost.get(number as usize)?;
                    if called_after > self.first_return {
                        return None;
                    }
                    cursor = Cursor::Lost(number + 1);
                    // Of two that do the same, the one called first is taken first.
                    if self.used.has(number) || (twin != NONE && !self.used.has(twin)) {
                        continue;
                    }
                    match self.step(at, &self.state) {
                        Some(state) if state != self.state => {
                            return Some(((number, true), state, cursor));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn take(&mut self, (which, lost): (u32, bool), state: M::State, after: Cursor) {
        let before = std::mem::replace(&mut self.state, state);
        if !lost {
            self.lift(which, Some((before, after)));
            return;
        }
        self.used.add(which);
        self.frames.push(Frame {
            taken: which,
            lost,
            first_return: self.first_return,
            open: self.open.clone(),
            choice: Some((before, after)),
        });
    }

    /// Takes an operation out of the list and passes the returns that are due.
    fn lift(&mut self, at: u32, choice: Option<(M::State, Cursor)>) {
        self.frames.push(Frame {
            taken: at,
            lost: false,
            first_return: self.first_return,
            open: self.open.clone(),
            choice,
        });
        let (call, ret, slot) = self.place[at as usize];
        self.unlink(call);
        self.unlink(ret);
        self.taken[at as usize] = true;
        self.open.add(slot);
        while let Some(&due) = self.returns.get(self.first_return as usize) {
            if !self.taken[due as usize] {
                break;
            }
            self.open.remove(self.place[due as usize].2);
            self.first_return += 1;
        }
    }

    fn unlink(&mut self, node: u32) {
        let (before, after) = (self.previous[node as usize], self.next[node as usize]);
        self.next[before as usize] = after;
        if !self.at_end(after) {
            self.previous[after as usize] = before;
        }
    }

    fn relink(&mut self, node: u32) {
        let (before, after) = (self.previous[node as usize], self.next[node as usize]);
        self.next[before as usize] = node;
        if !self.at_end(after) {
            self.previous[after as usize] = node;
        }
    }

    /// Goes back to the last configuration that may have another step.
    fn undo(&mut self) -> Undone {
        while let Some(frame) = self.frames.pop() {
            if frame.lost {
                self.used.remove(frame.taken);
            } else {
                let (call, ret, _) = self.place[frame.taken as usize];
                self.relink(ret);
                self.relink(call);
                self.taken[frame.taken as usize] = false;
            }
            self.first_return = frame.first_return;
            self.open = frame.open;
            if let Some((state, cursor)) = frame.choice {
                self.state = state;
                return Undone::To(cursor);
            }
        }
        Undone::All
    }

    fn has_failed(&self) -> bool {
        if self.failed.is_empty() {
            return false;
        }
        let key = (self.first_return, self.open.clone(), self.state.clone());
        self.failed.get(&key).is_some_and(|least| least.covers(&self.used))
    }

    fn remember_failure(&mut self, spent: &mut Spent) -> Result<(), String> {
        let bytes = size_of::<(u32, Bits, Least)>()
            + size_of::<Bits>()
            + self.open.heap_bytes()
            + self.used.heap_bytes()
            + self.problem.model.state_bytes(&self.state);
        self.memory += bytes;
        spent.take(bytes)?;
        let key = (self.first_return, self.open.clone(), self.state.clone());
        self.failed.entry(key).or_default().add(self.used.clone());
        Ok(())
    }
}

/// What undoing led to.
enum Undone {
    /// Every step was undone.
    All,
    /// A configuration with steps left, from this cursor.
    To(Cursor),
}
