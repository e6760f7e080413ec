//! A history seen cell by cell: what was done to each key, or to each element of a set.
//!
//! It does not judge. A scan counts as a read of every key of its range that is named anywhere in the
//! history, absent ones included. What a transaction has undone itself, and what it saw meanwhile, touches nothing.
//! Invariant: touches of a cell are in the order of their calls.

use std::collections::BTreeMap;

use super::digest::{Digest, Op};
use crate::history::{Datum, Outcome};

static NULL: Datum = Datum::Null;
static TRUE: Datum = Datum::Bool(true);
static FALSE: Datum = Datum::Bool(false);

/// What an operation does to a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed<'a> {
    /// Reads it whole, and saw this.
    Read(&'a Datum),
    /// Replaces what it holds.
    Write(&'a Datum),
    /// Adds to its number.
    Add(i64),
    /// Puts an element at its end.
    Append(&'a Datum),
    /// Takes its first element, and got this, if that is known.
    Pop(Option<&'a Datum>),
    /// Changes nothing and sees it only in part: a compare-and-set that did not fit, a pop of nothing.
    Miss,
}

impl Deed<'_> {
    /// Whether it may change the cell.
    pub(crate) const fn writes(&self) -> bool {
        !matches!(self, Self::Read(_) | Self::Miss)
    }
}

/// One operation's doing on one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch<'a> {
    /// An index of [`Digest::ops`].
    pub(crate) op: usize,
    pub(crate) deed: Deed<'a>,
}

/// What a cell is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It holds one value at a time; a set's element is one.
    Register,
    /// It holds a number that is added to.
    Counter,
    /// It holds a list, or a queue.
    List,
    /// It is used in ways that do not go together.
    Mixed,
}

/// A key, or an element of a set.
#[derive(Clone, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) key: &'a str,
    pub(crate) element: Option<&'a str>,
    pub(crate) touches: Vec<Touch<'a>>,
}

impl<'a> Cell<'a> {
    pub(crate) fn name(&self) -> String {
        self.element.map_or_else(|| self.key.to_string(), |element| format!("{}/{element}", self.key))
    }

    /// What it holds before anybody writes.
    pub(crate) fn initial(&self) -> &'static Datum {
        if self.element.is_some() { &FALSE } else { &NULL }
    }

    pub(crate) fn kind(&self, digest: &Digest<'_>) -> Kind {
        let (mut adds, mut lists, mut values) = (false, false, false);
        for touch in &self.touches {
            match touch.deed {
                Deed::Read(_) => {}
                Deed::Miss => lists |= digest.ops[touch.op].call.f == "dequeue",
                Deed::Add(_) => adds = true,
                Deed::Append(_) | Deed::Pop(_) => lists = true,
                // A delete goes with lists too.
                Deed::Write(value) => values |= *value != Datum::Null,
            }
        }
        match (adds, lists, values) {
            (false, false, _) => Kind::Register,
            (true, false, false) => Kind::Counter,
            (false, true, false) => Kind::List,
            _ => Kind::Mixed,
        }
    }

    /// The first read of the era that recovery alone explains: no write had been asked for before it ended.
    pub(crate) fn settled(&self, digest: &Digest<'a>, era: u32) -> Option<(usize, &'a Datum)> {
        let recovered = (*digest.recovered.get(era as usize)?)?;
        let first = self.touches.partition_point(|touch| digest.ops[touch.op].era < era);
        let mut reads = None;
        for touch in &self.touches[first..] {
            let op = &digest.ops[touch.op];
            match touch.deed {
                _ if op.era != era => break,
                Deed::Read(value) if reads.is_none() && op.from > recovered => reads = Some((op.to, touch.op, value)),
                Deed::Read(_) | Deed::Miss => {}
                // A write within a read's time leaves nothing to go by.
                _ => return reads.filter(|read| read.0 < op.from).map(|read| (read.1, read.2)),
            }
        }
        reads.map(|read| (read.1, read.2))
    }
}

/// All cells of a history, by name.
pub(crate) fn cells<'a>(digest: &Digest<'a>) -> Vec<Cell<'a>> {
    let mut found: BTreeMap<(&'a str, Option<&'a str>), Vec<Touch<'a>>> = BTreeMap::new();
    for op in &digest.ops {
        if let Some(cell) = cell_of(op) {
            found.entry(cell).or_default();
        }
    }
    for (index, op) in digest.ops.iter().enumerate().filter(|(_, op)| !op.undone) {
        match (op.call.f, &op.call.arg, op.answer()) {
            ("scan", Datum::List(range), Some(Datum::Rows(rows))) => {
                let [Datum::Text(from), Datum::Text(to)] = &range[..] else { continue };
                if from > to {
                    continue;
                }
                let rows: BTreeMap<&str, &Datum> = rows.iter().map(|(key, value)| (&**key, value)).collect();
                for ((key, element), touches) in found.range_mut((&**from, None)..) {
                    if *key > &**to {
                        break;
                    }
                    if element.is_none() {
                        let value = rows.get(key).copied().unwrap_or(&NULL);
                        touches.push(Touch { op: index, deed: Deed::Read(value) });
                    }
                }
            }
            _ => {
                let Some((cell, deed)) = cell_of(op).zip(deed(op)) else { continue };
                found.entry(cell).or_default().push(Touch { op: index, deed });
            }
        }
    }
    found.into_iter().map(|((key, element), touches)| Cell { key, element, touches }).collect()
}

fn cell_of<'a>(op: &Op<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let key = op.call.key.as_deref()?;
    match (op.call.f, &op.call.arg) {
        ("add" | "remove" | "contains", Datum::Text(element)) => Some((key, Some(&**element))),
        _ => Some((key, None)),
    }
}

fn deed<'a>(op: &Op<'a>) -> Option<Deed<'a>> {
    // What says that it changed nothing has only looked.
    let idle = op.answer() == Some(&FALSE);
    Some(match (op.call.f, &op.call.arg) {
        ("read" | "contains", _) => Deed::Read(op.answer()?),
        ("delete", _) if idle => Deed::Read(&NULL),
        ("add", Datum::Text(_)) if idle => Deed::Read(&TRUE),
        ("remove", _) if idle => Deed::Read(&FALSE),
        ("write", value) => Deed::Write(value),
        ("delete", _) => Deed::Write(&NULL),
        ("cas", _) if idle => Deed::Miss,
        ("cas", Datum::List(pair)) => Deed::Write(pair.get(1)?),
        ("add", Datum::Int(delta)) => Deed::Add(*delta),
        ("add", Datum::Text(_)) => Deed::Write(&TRUE),
        ("remove", Datum::Text(_)) => Deed::Write(&FALSE),
        ("append" | "enqueue", value) => Deed::Append(value),
        ("dequeue", _) => match op.outcome {
            Some(Outcome::Ok(Datum::Null)) => Deed::Miss,
            _ => Deed::Pop(op.answer()),
        },
        _ => return None,
    })
}
