//! Judging along with a run: a finding at the return that made it unavoidable.
//!
//! All configurations that agree with what has returned so far are kept, for each object. An
//! operation is given its place only when its return demands it, or another's does (Lowe 2017), so
//! that there are few. Outcomes are not known in advance, which costs two memories per configuration:
//!
//! ```text
//!   open, no place yet:  the states seen since the call; one of them may explain a read later
//!   open, has a place:   the state before it; when the outcome comes, it must fit there
//! ```
//!
//! Operations that never return stay optional for ever; of two configurations that differ in them
//! alone, the one that used fewer is kept. Invariant: the configurations are never a sample. Above a
//! limit the object is given up, and the judgement says so. Memory is that of the open operations and
//! of those since the object was last at rest.

use super::general::{Bits, Least, describe};
use super::hash::Map;
use super::history::{History, NEVER, Operation};
use super::limits::Limits;
use super::model::{Call, Model, Part};
use super::value::{Value, Values};
use super::verdict::{Judgement, Verdict, Witness};

const METHOD: &str = "watch";
/// Operations kept for a witness when an object is never at rest.
const WINDOW_MAX: usize = 512;

/// An operation that has begun; give it back at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    part: u32,
    slot: u32,
}

/// Judges operations as they begin and end.
///
/// ```
/// use squall::judge::{Function, Limits, Register, Value, Watch};
///
/// let mut watch = Watch::new(Register::default(), Limits::default());
/// let write = watch.begin(0, 0, Function::Write, "x", 1.into());
/// assert!(watch.end(write, 1, Value::Null).is_none());
/// let read = watch.begin(1, 2, Function::Read, "x", Value::Null);
/// assert!(watch.end(read, 3, Value::Null).is_some(), "stale, and known at once");
/// ```
#[derive(Debug)]
pub struct Watch<M: Model> {
    model: M,
    limits: Limits,
    /// The texts and lists of the operations.
    pub values: Values,
    part_ids: Map<Part, u32>,
    parts: Vec<Watched<M::State>>,
    operations: u64,
    compared: u64,
    violation: Option<Witness>,
    gave_up: Option<String>,
}

/// One object.
#[derive(Debug)]
struct Watched<S> {
    configurations: Configurations<S>,
    /// Operations that have begun and not ended; a slot is used again.
    open: Vec<Option<Operation>>,
    /// Operations that never return.
    lost: Vec<Operation>,
    /// The states when the object was last at rest, and the operations since, with their numbers.
    starts: Vec<S>,
    window: Vec<(u64, Operation)>,
    /// Per open slot its place in the window.
    in_window: Vec<usize>,
    gave_up: bool,
}

/// What is known besides the operations that never return.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Known<S> {
    state: S,
    /// Open slots that have their place.
    done: Bits,
    /// Per such slot whose outcome is compared, the state before it.
    before: Vec<(u32, S)>,
    /// Per open slot without a place whose outcome is compared, the states since its call.
    seen: Vec<(u32, Vec<S>)>,
}

/// All configurations, each with the least sets of lost operations it may have used.
type Configurations<S> = Map<Known<S>, Least>;

impl<M: Model> Watch<M> {
    /// Nothing has happened yet.
    pub fn new(model: M, limits: Limits) -> Self {
        Self {
            model,
            limits,
            values: Values::new(),
            part_ids: Map::default(),
            parts: Vec::new(),
            operations: 0,
            compared: 0,
            violation: None,
            gave_up: None,
        }
    }

    /// An operation begins at this logical time. `value` is of the watch's table.
    pub fn begin(&mut self, process: u32, call: i64, f: super::Function, key: &str, value: Value) -> Ticket {
        let op = Operation { process, key: self.values.text_id(key), call, ret: NEVER, f, value, out: Value::Null };
        let number = self.operations;
        self.operations += 1;
        let call = Call { op: &op, values: &self.values };
        if let Err(expected) = self.model.accepts(&call) {
            self.gave_up.get_or_insert(format!("operation {number}: {expected}"));
        }
        let part = self.model.part(&call);
        let next = self.parts.len() as u32;
        let part = *self.part_ids.entry(part).or_insert(next);
        if part == next {
            self.parts.push(Watched::new(self.model.initial()));
        }
        let watched = &mut self.parts[part as usize];
        let slot = watched.begin(number, op, !self.model.blind(&call));
        Ticket { part, slot }
    }

    /// The operation ends. Answers the witness when no order is left by now, once.
    pub fn end(&mut self, ticket: Ticket, ret: i64, out: Value) -> Option<&Witness> {
        let watched = &mut self.parts[ticket.part as usize];
        let mut op = watched.open[ticket.slot as usize].take()?;
        (op.ret, op.out) = (ret, out);
        let call = Call { op: &op, values: &self.values };
        if let Err(expected) = self.model.accepts(&call) {
            let number = watched.window[watched.in_window[ticket.slot as usize]].0;
            self.gave_up.get_or_insert(format!("operation {number}: {expected}"));
        }
        if self.gave_up.is_some() || watched.gave_up || self.violation.is_some() {
            return None;
        }
        self.compared += u64::from(!self.model.blind(&call));
        let mut step = Step { model: &self.model, values: &self.values, limits: &self.limits, visited: 0 };
        match watched.end(ticket.slot, op, &mut step) {
            Ok(true) => None,
            Ok(false) => {
                self.violation = Some(watched.witness(&self.model, &self.values, ret));
                self.violation.as_ref()
            }
            Err(reason) => {
                watched.gave_up = true;
                watched.configurations.clear();
                self.gave_up = Some(reason);
                None
            }
        }
    }

    /// The operation will never return: its process is gone, and whether it took effect is open.
    pub fn abandon(&mut self, ticket: Ticket) {
        let watched = &mut self.parts[ticket.part as usize];
        if let Some(op) = watched.open[ticket.slot as usize].take() {
            let call = Call { op: &op, values: &self.values };
            watched.abandon(ticket.slot, op, self.model.reads_only(&call));
        }
    }

    /// The answer so far.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        let name = self.model.name();
        let verdict = match (&self.violation, &self.gave_up) {
            (Some(witness), _) => Verdict::Violated(Box::new(witness.clone())),
            (None, Some(reason)) => Verdict::Inconclusive(reason.clone()),
            (None, None) => {
                return Judgement::settle(name, METHOD, self.operations, self.compared);
            }
        };
        Judgement::new(verdict, name, METHOD, self.operations, self.compared)
    }
}

/// What a step needs beside the configurations.
struct Step<'a, M> {
    model: &'a M,
    values: &'a Values,
    limits: &'a Limits,
    visited: u64,
}

impl<M: Model> Step<'_, M> {
    fn apply(&self, state: &M::State, op: &Operation) -> Option<M::State> {
        let values = self.values;
        self.model.step(state, &Call { op, values })
    }

    fn blind(&self, op: &Operation) -> bool {
        let values = self.values;
        self.model.blind(&Call { op, values })
    }

    fn reads_only(&self, op: &Operation) -> bool {
        let values = self.values;
        self.model.reads_only(&Call { op, values })
    }

    fn visit(&mut self, known: &Known<M::State>) -> Result<(), String> {
        self.visited += 1;
        let size = 128 + self.model.state_bytes(&known.state) * (1 + known.before.len());
        if self.visited > self.limits.states_max {
            return Err(format!("the limit of {} states was reached", self.limits.states_max));
        }
        if self.visited.saturating_mul(size as u64) > self.limits.memory_bytes_max {
            let max = self.limits.memory_bytes_max;
            return Err(format!("the limit of {max} bytes of memory was reached"));
        }
        Ok(())
    }
}

impl<S: Clone + Eq + std::hash::Hash> Known<S> {
    /// The state becomes another, and every open operation sees it.
    fn become_(&mut self, state: S) {
        for (_, seen) in &mut self.seen {
            if !seen.contains(&state) {
                seen.push(state.clone());
            }
        }
        self.state = state;
    }

    fn forget(&mut self, slot: u32) {
        self.done.remove(slot);
        self.before.retain(|entry| entry.0 != slot);
        self.seen.retain(|entry| entry.0 != slot);
    }

    /// The configuration in which this open operation has its place now.
    fn with(&self, slot: u32, next: S, compared: bool) -> Self {
        let mut known = self.clone();
        known.seen.retain(|entry| entry.0 != slot);
        if compared {
            known.before.push((slot, self.state.clone()));
            known.before.sort_unstable_by_key(|entry| entry.0);
        }
        known.done.add(slot);
        known.become_(next);
        known
    }
}

fn insert<S: Eq + std::hash::Hash>(into: &mut Configurations<S>, known: Known<S>, used: Bits) -> bool {
    let least = into.entry(known).or_default();
    let new = !least.covers(&used);
    if new {
        least.add(used);
    }
    new
}

impl<S: Clone + Eq + std::hash::Hash + std::fmt::Debug> Watched<S> {
    fn new(initial: S) -> Self {
        let mut configurations = Configurations::default();
        let known = Known { state: initial.clone(), done: Bits::default(), before: Vec::new(), seen: Vec::new() };
        insert(&mut configurations, known, Bits::default());
        Self {
            configurations,
            open: Vec::new(),
            lost: Vec::new(),
            starts: vec![initial],
            window: Vec::new(),
            in_window: Vec::new(),
            gave_up: false,
        }
    }

    fn begin(&mut self, number: u64, op: Operation, compared: bool) -> u32 {
        let free = self.open.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.open.push(None);
            self.in_window.push(0);
            self.open.len() - 1
        });
        if self.open.iter().all(Option::is_none) && self.lost.is_empty() {
            self.rest();
        }
        self.open[slot] = Some(op);
        self.in_window[slot] = self.window.len();
        self.window.push((number, op));
        if compared && !self.gave_up {
            let before = std::mem::take(&mut self.configurations);
            for (mut known, least) in before {
                known.seen.push((slot as u32, vec![known.state.clone()]));
                known.seen.sort_unstable_by_key(|entry| entry.0);
                self.configurations.insert(known, least);
            }
        }
        slot as u32
    }

    /// The object is at rest: only its possible states matter from here on.
    fn rest(&mut self) {
        self.starts = self.configurations.keys().map(|known| known.state.clone()).collect();
        self.window.clear();
    }

    fn end<M: Model<State = S>>(&mut self, slot: u32, op: Operation, step: &mut Step<'_, M>) -> Result<bool, String> {
        self.window[self.in_window[slot as usize]].1 = op;
        let harmless = step.reads_only(&op);
        let mut kept = Configurations::default();
        let mut tried = Configurations::default();
        let mut agenda: Vec<(Known<S>, Bits)> = Vec::new();
        for (known, least) in std::mem::take(&mut self.configurations) {
            for used in least.sets() {
                agenda.push((known.clone(), used.clone()));
            }
        }
        while let Some((known, used)) = agenda.pop() {
            step.visit(&known)?;
            if known.done.has(slot) {
                let before = known.before.iter().find(|entry| entry.0 == slot);
                // With an outcome that changes nothing it would not have been given a place.
                let fits = before.is_none_or(|(_, state)| step.apply(state, &op).is_some() && !harmless);
                if fits {
                    let mut known = known;
                    known.forget(slot);
                    insert(&mut kept, known, used);
                }
                continue;
            }
            let seen = known.seen.iter().find(|entry| entry.0 == slot);
            let seen = seen.map_or(&[][..], |entry| &entry.1);
            if harmless && seen.iter().any(|state| step.apply(state, &op).is_some()) {
                let mut known = known;
                known.forget(slot);
                insert(&mut kept, known, used);
                continue;
            }
            if !harmless && let Some(next) = step.apply(&known.state, &op) {
                let mut now = known.with(slot, next, false);
                now.forget(slot);
                insert(&mut kept, now, used.clone());
            }
            self.spread(slot, &known, &used, step, |known, used| {
                if insert(&mut tried, known.clone(), used.clone()) {
                    agenda.push((known, used));
                }
            });
        }
        self.configurations = kept;
        self.shorten();
        Ok(!self.configurations.is_empty())
    }

    /// Every configuration one operation further, other than the one that ends.
    fn spread<M: Model<State = S>>(
        &self,
        ending: u32,
        known: &Known<S>,
        used: &Bits,
        step: &Step<'_, M>,
        mut found: impl FnMut(Known<S>, Bits),
    ) {
        for (slot, op) in (0u32..).zip(&self.open) {
            let Some(op) = op.as_ref().filter(|_| slot != ending && !known.done.has(slot)) else {
                continue;
            };
            let compared = !step.blind(op);
            match step.apply(&known.state, op) {
                // What changes nothing here is remembered among the states seen.
                Some(next) if next != known.state || !compared => {
                    found(known.with(slot, next, compared), used.clone());
                }
                _ => {}
            }
        }
        for (number, op) in (0u32..).zip(&self.lost) {
            if used.has(number) {
                continue;
            }
            if let Some(next) = step.apply(&known.state, op).filter(|next| *next != known.state) {
                let (mut known, mut used) = (known.clone(), used.clone());
                known.become_(next);
                used.add(number);
                found(known, used);
            }
        }
    }

    fn abandon(&mut self, slot: u32, op: Operation, reads_only: bool) {
        let number = self.lost.len() as u32;
        if !reads_only {
            self.lost.push(op);
        }
        let before = std::mem::take(&mut self.configurations);
        for (mut known, least) in before {
            let done = known.done.has(slot);
            known.forget(slot);
            for used in least.sets() {
                let mut used = used.clone();
                if done && !reads_only {
                    used.add(number);
                }
                insert(&mut self.configurations, known.clone(), used);
            }
        }
    }

    /// Keeps the window small while the object is never at rest.
    fn shorten(&mut self) {
        if self.window.len() > WINDOW_MAX {
            let ended = |entry: &(u64, Operation)| entry.1.returned();
            let cut = self.window.iter().position(|entry| !ended(entry)).unwrap_or(0);
            let cut = cut.min(self.window.len() / 2);
            if cut > 0 {
                self.window.drain(..cut);
                for place in &mut self.in_window {
                    *place = place.saturating_sub(cut);
                }
            }
        }
    }

    /// The witness from the window; the whole of it when it alone does not contradict.
    fn witness<M: Model<State = S>>(&self, model: &M, values: &Values, ret: i64) -> Witness {
        let history = History { values: values.clone(), operations: self.window.iter().map(|entry| entry.1).collect() };
        let window: Vec<u32> = (0..self.window.len() as u32).collect();
        let stuck = self.window.iter().position(|entry| entry.1.ret == ret).unwrap_or(0);
        let mut witness = describe(model, &history, (&window, ret), &self.starts, stuck as u32);
        let number = |place: usize| self.window[place].0 as usize;
        for line in &mut witness.proof {
            *line = renumber(line, &number);
        }
        for named in &mut witness.operations {
            named.index = number(named.index);
        }
        witness
    }
}

/// The text with every `#place` made `#number`.
fn renumber(text: &str, number: &impl Fn(usize) -> usize) -> String {
    let mut pieces = text.split('#');
    let mut renumbered = pieces.next().unwrap_or("").to_string();
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match piece[..digits].parse() {
            Ok(place) => renumbered += &format!("#{}{}", number(place), &piece[digits..]),
            Err(_) => renumbered += &format!("#{piece}"),
        }
    }
    renumbered
}
