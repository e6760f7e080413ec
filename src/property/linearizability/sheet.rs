//! Pieces of a history, written down in the judges' own form.
//!
//! A sheet is one history for one kind of object; each piece is an object of its own in it. What a piece
//! begins with becomes operations before the first, what it ends with operations after the last. Invariant:
//! every operation of a sheet has a process of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::Piece;
use super::models::{DELETE, Listing, Removable};
use crate::history::Datum;
use crate::judge::{self, Function, Limits, Object, Value};
use crate::property::cells::{Cell, Deed, Kind, Touch};
use crate::property::digest::{Digest, Fate};

/// The histories, by kind of object.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    registers: Sheet,
    removable: Sheet,
    sets: Sheet,
    counters: Sheet,
    queues: Sheet,
    lists: Sheet,
}

/// One history, and where its operations come from.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    history: judge::History,
    /// Per operation the one it stands for, if it is one of the run's, and its cell.
    origin: Vec<(Option<usize>, usize)>,
}

impl Sheets {
    pub(super) fn add(&mut self, digest: &Digest<'_>, cell: &Cell<'_>, kind: Kind, piece: &Piece<'_>) {
        let asks = |f: &str| piece.touches.iter().any(|touch| digest.ops[touch.op].call.f == f);
        // Of an order of enqueues only the queue's own judge knows without trying all.
        let queue = !["delete", "read", "scan", "append"].into_iter().any(asks);
        let (sheet, form) = match kind {
            Kind::Register if cell.element.is_some() => (&mut self.sets, Form::Set),
            Kind::Register if asks("delete") => (&mut self.removable, Form::Register),
            Kind::Register => (&mut self.registers, Form::Register),
            Kind::Counter => (&mut self.counters, Form::Counter),
            Kind::List if queue => (&mut self.queues, Form::Queue),
            Kind::List => (&mut self.lists, Form::List),
            Kind::Mixed => return,
        };
        let key = match piece.era {
            0 => cell.key.to_string(),
            era => format!("{} after crash {era}", cell.key),
        };
        Page { sheet, form, key, element: cell.element, cell: piece.index }.write(digest, piece);
    }

    /// Judges each, as far as there is anything on it.
    pub(super) fn judge(&self, limits: &Limits) -> Vec<(&Sheet, judge::Judgement)> {
        let objects = [
            (&self.registers, Object::Register),
            (&self.sets, Object::Set),
            (&self.counters, Object::Counter),
            (&self.queues, Object::Queue),
        ];
        let mut judged: Vec<_> =
            objects.iter().map(|(sheet, object)| (*sheet, object.judge(&sheet.history, limits))).collect();
        judged.push((&self.removable, judge::linearizable(&Removable, &self.removable.history, limits)));
        judged.push((&self.lists, judge::linearizable(&Listing, &self.lists.history, limits)));
        judged.retain(|(sheet, _)| !sheet.origin.is_empty());
        judged
    }
}

impl Sheet {
    /// The operation that the judge knows by this index.
    pub(super) fn op(&self, index: usize) -> Option<usize> {
        self.origin[index].0
    }

    pub(super) fn cell(&self, index: usize) -> usize {
        self.origin[index].1
    }

    /// Whether there is no answer on it that could be wrong.
    pub(super) fn says_nothing(&self) -> bool {
        let asked = [Function::Write, Function::Enqueue, Function::Append];
        !self.history.operations.iter().any(|op| op.returned() && !asked.contains(&op.f))
    }

    /// Replaces the judge's `#5` by the number that the operation has in the run.
    pub(super) fn renumber(&self, digest: &Digest<'_>, line: &str) -> String {
        // The judge's times are not turns.
        let line = match (line.rfind(" at "), line.strip_suffix(" no order is left.")) {
            (Some(at), Some(_)) => &format!("{} no order is left.", &line[..at]),
            _ => line,
        };
        let mut parts = line.split('#');
        let mut text = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            let origin = part[..digits].parse().ok().and_then(|index: usize| self.origin.get(index));
            match origin {
                Some((Some(op), _)) => text.push_str(&format!("operation {}", digest.ops[*op].id.0)),
                Some((None, _)) => text.push_str("what was read back"),
                None => text.push_str(&format!("#{}", &part[..digits])),
            }
            text.push_str(&part[digits..]);
        }
        text
    }
}

/// The words of an object.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Register,
    Set,
    Counter,
    Queue,
    List,
}

/// Where a piece is written down.
struct Page<'s, 'a> {
    sheet: &'s mut Sheet,
    form: Form,
    key: String,
    element: Option<&'a str>,
    cell: usize,
}

impl Page<'_, '_> {
    fn write(&mut self, digest: &Digest<'_>, piece: &Piece<'_>) {
        if let Some((_, state)) = piece.start {
            let made = self.making(state);
            let first = -2 * made.len() as i64;
            for (at, (f, value)) in made.into_iter().enumerate() {
                let call = first + 2 * at as i64;
                self.push(None, (call, Some(call + 1)), f, (value, Value::Null));
            }
        }
        let taken = if self.form == Form::Queue { taken_in_doubt(digest, piece) } else { None };
        for touch in &piece.touches {
            match &taken {
                Some(taken) if in_doubt(digest, touch) => {
                    if let Some((item, call, ret)) = taken.get(&touch.op) {
                        let item = self.value(item);
                        self.push(Some(touch.op), (*call, Some(*ret)), Function::Dequeue, (Value::Null, item));
                    }
                }
                _ => self.operation(digest, touch.op, touch.deed),
            }
        }
        if let Some((op, state)) = piece.end {
            let after = digest.ops[op].from;
            for (at, (f, value, out)) in self.showing(state).into_iter().enumerate() {
                let call = after + 2 * at as i64;
                // Only the first is the read itself; the rest follows from it.
                let origin = (at == 0).then_some(op);
                self.push(origin, (call, Some(call + 1)), f, (value, out));
            }
        }
    }

    fn push(&mut self, origin: Option<usize>, (call, ret): (i64, Option<i64>), f: Function, values: (Value, Value)) {
        // Every operation has a process of its own: a scan does several things at once, and a process of ours
        // goes on after an answer in doubt. What a process did first, time tells anyway.
        let process = self.sheet.origin.len() as u32;
        self.sheet.history.push(process, (call, ret), f, &self.key, values);
        self.sheet.origin.push((origin, self.cell));
    }

    fn value(&mut self, datum: &Datum) -> Value {
        let values = &mut self.sheet.history.values;
        match datum {
            Datum::Null => Value::Null,
            Datum::Bool(value) => Value::Bool(*value),
            Datum::Int(value) => Value::Int(*value),
            Datum::Value(value) => values.text(&value.to_string()),
            Datum::Text(text) => values.text(text),
            Datum::List(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.value(item)).collect();
                self.sheet.history.values.list(&items)
            }
            Datum::Rows(_) => Value::Null,
        }
    }

    fn item(&mut self) -> Value {
        self.element.map_or(Value::Null, |element| self.sheet.history.values.text(element))
    }

    /// The operations that make this state.
    fn making(&mut self, state: &Datum) -> Vec<(Function, Value)> {
        match (self.form, state) {
            (Form::Register, Datum::Null) | (Form::Set, Datum::Bool(false)) => vec![],
            (Form::Register, state) => vec![(Function::Write, self.value(state))],
            (Form::Set, _) => vec![(Function::Add, self.item())],
            (Form::Counter, state) => vec![(Function::Add, number(state))],
            (Form::Queue | Form::List, Datum::List(items)) => {
                let f = if self.form == Form::Queue { Function::Enqueue } else { Function::Append };
                items.iter().map(|item| (f, self.value(item))).collect()
            }
            (Form::Queue | Form::List, _) => vec![],
        }
    }

    /// The operations whose answers show this state.
    fn showing(&mut self, state: &Datum) -> Vec<(Function, Value, Value)> {
        match (self.form, state) {
            (Form::Set, state) => vec![(Function::Contains, self.item(), self.value(state))],
            (Form::Counter, state) => vec![(Function::Read, Value::Null, number(state))],
            (Form::Queue, state) => {
                let items = if let Datum::List(items) = state { &items[..] } else { &[] };
                let taken: Vec<Value> = items.iter().map(|item| self.value(item)).chain([Value::Null]).collect();
                taken.into_iter().map(|item| (Function::Dequeue, Value::Null, item)).collect()
            }
            (Form::Register | Form::List, state) => vec![(Function::Read, Value::Null, self.value(state))],
        }
    }

    fn operation(&mut self, digest: &Digest<'_>, index: usize, deed: Deed<'_>) {
        let op = &digest.ops[index];
        let sure = digest.fate(index) == Fate::Sure;
        let answer = op.answer().unwrap_or(&Datum::Null);
        let (f, value, out) = match (self.form, op.call.f) {
            (Form::Set, f) => {
                let f = Function::named(f).unwrap_or(Function::Contains);
                (f, self.item(), self.value(answer))
            }
            (Form::Counter, "add") => (Function::Add, self.value(&op.call.arg), self.value(answer)),
            (Form::Counter, _) => (Function::Read, Value::Null, seen(deed).map_or(Value::Int(0), number)),
            (_, "delete") => (DELETE, Value::Null, self.value(answer)),
            (_, "write") => (Function::Write, self.value(&op.call.arg), Value::Null),
            (_, "cas") => (Function::Cas, self.value(&op.call.arg), self.value(answer)),
            (_, "dequeue") => (Function::Dequeue, Value::Null, self.value(answer)),
            (Form::Queue, "enqueue") => (Function::Enqueue, self.value(&op.call.arg), Value::Null),
            (_, "enqueue" | "append") => (Function::Append, self.value(&op.call.arg), Value::Null),
            _ => (Function::Read, Value::Null, seen(deed).map_or(Value::Null, |seen| self.value(seen))),
        };
        self.push(Some(index), (op.from, sure.then_some(op.to)), f, (value, out));
    }
}

/// Whether nobody knows what this dequeue has taken.
fn in_doubt(digest: &Digest<'_>, touch: &Touch<'_>) -> bool {
    digest.ops[touch.op].call.f == "dequeue" && digest.fate(touch.op) == Fate::Maybe
}

/// What dequeues in doubt have taken, when what is left in the end is known: what is missing then. Which of
/// them took which is open, so that each is given the time of all. One that took nothing that is missing
/// took nothing that anybody saw.
fn taken_in_doubt<'a>(digest: &Digest<'a>, piece: &Piece<'a>) -> Option<BTreeMap<usize, (&'a Datum, i64, i64)>> {
    let (read, state) = piece.end?;
    let items = |state: &'a Datum| if let Datum::List(items) = state { &items[..] } else { &[] };
    let mut left: Vec<&Datum> = piece.start.map_or(&[][..], |(_, start)| items(start)).iter().collect();
    let mut gone: BTreeSet<&Datum> = items(state).iter().collect();
    let mut takers = Vec::new();
    for touch in &piece.touches {
        match touch.deed {
            Deed::Append(item) if digest.fate(touch.op) == Fate::Sure => left.push(item),
            Deed::Pop(Some(item)) => drop(gone.insert(item)),
            Deed::Pop(None) => takers.push(touch.op),
            _ => {}
        }
    }
    let missing = left.into_iter().filter(|item| !gone.contains(item));
    let call = takers.iter().map(|&op| digest.ops[op].from).min().unwrap_or_default();
    let ret = digest.ops[read].from - 1;
    Some(takers.iter().copied().zip(missing).map(|(op, item)| (op, (item, call, ret))).collect())
}

fn seen<'a>(deed: Deed<'a>) -> Option<&'a Datum> {
    if let Deed::Read(seen) = deed { Some(seen) } else { None }
}

/// A counter that is absent counts as 0.
fn number(state: &Datum) -> Value {
    if let Datum::Int(value) = state { Value::Int(*value) } else { Value::Int(0) }
}
