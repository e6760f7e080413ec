//! A stretch of a history, written down as transactions in the judges' own form.
//!
//! Invariant: a process of a ledger does one thing at a time and is never used again after an answer that
//! did not come; an engine's orders of commits are compared within an era only, eras come one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::history::Datum;
use crate::judge::{NEVER, Outcome, TxnHistory, Value};
use crate::property::cells::{Cell, Deed, Kind, Touch};
use crate::property::digest::{Digest, Fate};

/// Processes of what was read back and of units without an end are numbered from here.
pub(super) const STRANGERS: u32 = 1 << 30;

/// Which cells are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Lists that are only appended to.
    Lists,
    /// Registers.
    Registers,
}

impl Shape {
    /// Why nothing was compared.
    pub(crate) const fn nothing(self) -> &'static str {
        match self {
            Self::Lists => "nobody read a list that is only appended to",
            Self::Registers => "nobody read a key that holds one value at a time",
        }
    }

    fn takes(self, cell: &Cell<'_>, digest: &Digest<'_>) -> bool {
        let only_appended = || cell.touches.iter().all(|touch| matches!(touch.deed, Deed::Read(_) | Deed::Append(_)));
        let unique =
            || !cell.touches.iter().any(|touch| matches!(touch.deed, Deed::Write(Datum::Int(_) | Datum::Bool(_))));
        match self {
            Self::Lists => cell.kind(digest) == Kind::List && only_appended(),
            Self::Registers => cell.kind(digest) == Kind::Register && cell.element.is_none() && unique(),
        }
    }
}

/// What is looked at of transactions that were not surely committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doomed {
    /// Their writes, which nobody may read.
    Writes,
    /// What they read, too: as if each were also a transaction that only reads, and commits.
    WritesAndReads,
}

/// The judges' history, and where its transactions come from.
pub(super) struct Ledger {
    pub(super) history: TxnHistory,
    /// Per transaction the unit it stands for.
    origin: Vec<Option<usize>>,
}

/// What a unit does to a cell.
type Step<'a> = (usize, usize, Deed<'a>);

impl Ledger {
    /// The ledger of these eras; nothing when it is not known what they began with, or nothing happened.
    pub(super) fn new(
        (shape, doomed): (Shape, Doomed),
        digest: &Digest<'_>,
        cells: &[Cell<'_>],
        eras: Range<u32>,
    ) -> Option<Self> {
        let taken: Vec<usize> = (0..cells.len()).filter(|&cell| shape.takes(&cells[cell], digest)).collect();
        let mut ledger = Self { history: TxnHistory::new(), origin: Vec::new() };
        let keys: Vec<Value> = cells.iter().map(|cell| ledger.history.values.text(cell.key)).collect();
        if eras.start > 0 {
            ledger.begin_with(shape, digest, cells, &taken, (&keys, eras.start))?;
        }
        let mut steps: Vec<Vec<Step<'_>>> = vec![Vec::new(); digest.units.len()];
        for &cell in &taken {
            let within = |touch: &&Touch<'_>| eras.contains(&digest.ops[touch.op].era);
            for touch in cells[cell].touches.iter().filter(within) {
                steps[digest.ops[touch.op].unit].push((touch.op, cell, touch.deed));
            }
        }
        let deleted: Vec<bool> = cells.iter().map(|cell| removed(cell, digest)).collect();
        let places = places(digest);
        for (unit, steps) in steps.iter_mut().enumerate().filter(|(_, steps)| !steps.is_empty()) {
            steps.sort_by_key(|step| (step.0, step.1));
            ledger.begin(digest, unit);
            if let Some(place) = places.get(&unit) {
                ledger.history.committed_at(*place);
            }
            for step in steps.iter() {
                ledger.step(shape, digest, keys[step.1], deleted[step.1], step);
            }
            if doomed == Doomed::WritesAndReads && digest.units[unit].fate != Fate::Sure {
                let reads = own_reads_left_out(steps);
                if !reads.is_empty() {
                    ledger.begin_reader(digest, unit, &reads);
                    for step in reads {
                        ledger.step(shape, digest, keys[step.1], deleted[step.1], step);
                    }
                }
            }
        }
        (!ledger.origin.is_empty()).then_some(ledger)
    }

    /// The unit that the judge knows by this index.
    pub(super) fn unit(&self, index: usize) -> Option<usize> {
        self.origin.get(index).copied().flatten()
    }

    /// What was read back is what a first transaction wrote.
    fn begin_with(
        &mut self,
        shape: Shape,
        digest: &Digest<'_>,
        cells: &[Cell<'_>],
        taken: &[usize],
        (keys, era): (&[Value], u32),
    ) -> Option<()> {
        self.history.begin(STRANGERS, (-2, Some(-1)), Outcome::Committed);
        self.origin.push(None);
        for &cell in taken {
            let used = cells[cell].touches.iter().any(|touch| digest.ops[touch.op].era == era);
            let Some((_, state)) = cells[cell].settled(digest, era) else {
                if used {
                    return None;
                }
                continue;
            };
            match (shape, state) {
                (Shape::Lists, Datum::List(items)) => {
                    for item in items {
                        let item = self.value(item);
                        self.history.append(keys[cell], item);
                    }
                }
                (_, Datum::Null) => {}
                (Shape::Registers, state) => {
                    let value = self.value(state);
                    self.history.write(keys[cell], value);
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn begin(&mut self, digest: &Digest<'_>, index: usize) {
        let unit = &digest.units[index];
        let outcome = match unit.fate {
            Fate::Sure => Outcome::Committed,
            Fate::Maybe => Outcome::Unknown,
            Fate::Never => Outcome::Failed,
        };
        let end = (outcome != Outcome::Unknown && unit.to != NEVER).then_some(unit.to);
        let first = unit.ops.first().map_or(0, |&op| digest.ops[op].process);
        let process = if end.is_some() { first } else { STRANGERS + 1 + index as u32 };
        self.history.begin(process, (unit.from, end), outcome);
        self.origin.push(Some(index));
    }

    /// A transaction that reads what this unit has read, and commits when it had read the last of it.
    fn begin_reader(&mut self, digest: &Digest<'_>, index: usize, reads: &[&Step<'_>]) {
        let to = reads.iter().map(|step| digest.ops[step.0].to).max().unwrap_or(NEVER);
        let process = STRANGERS + 1 + (digest.units.len() + index) as u32;
        self.history.begin(process, (digest.units[index].from, Some(to)), Outcome::Committed);
        self.origin.push(Some(index));
    }

    fn step(&mut self, shape: Shape, digest: &Digest<'_>, key: Value, deleted: bool, step: &Step<'_>) {
        let (op, _, deed) = *step;
        match (shape, deed) {
            (Shape::Lists, Deed::Append(item)) if digest.fate(op) != Fate::Never || failed(digest, op) => {
                let item = self.value(item);
                self.history.append(key, item);
            }
            (Shape::Lists, Deed::Read(seen)) => {
                let items: Vec<Value> = match seen {
                    Datum::Null => Vec::new(),
                    Datum::List(items) => items.iter().map(|item| self.value(item)).collect(),
                    other => vec![self.value(other)],
                };
                self.history.read_list(key, Some(&items));
            }
            (Shape::Registers, Deed::Write(new)) if digest.fate(op) != Fate::Never || failed(digest, op) => {
                self.compared_first(digest, key, deleted, op);
                let value = match new {
                    Datum::Null => self.history.values.text(&format!("nothing (operation {op})")),
                    new => self.value(new),
                };
                self.history.write(key, value);
            }
            (Shape::Registers, Deed::Read(seen)) => self.read(key, deleted, seen),
            _ => {}
        }
    }

    /// A compare-and-set that wrote has read what it expected.
    fn compared_first(&mut self, digest: &Digest<'_>, key: Value, deleted: bool, op: usize) {
        let op = &digest.ops[op];
        if let (Datum::List(pair), Some(Datum::Bool(true)), "cas") = (&op.call.arg, op.answer(), op.call.f) {
            self.read(key, deleted, &pair[0]);
        }
    }

    fn read(&mut self, key: Value, deleted: bool, seen: &Datum) {
        // Nothing tells which delete it was that left nothing, or whether it was one.
        let unknown = deleted && *seen == Datum::Null;
        let value = (!unknown).then(|| self.value(seen));
        self.history.read(key, value);
    }

    fn value(&mut self, datum: &Datum) -> Value {
        match datum {
            Datum::Null => Value::Null,
            Datum::Bool(value) => Value::Bool(*value),
            Datum::Int(value) => Value::Int(*value),
            other => self.history.values.text(&other.to_string()),
        }
    }
}

/// The reads among a unit's steps that had an answer and came before its own writes of the same cell.
fn own_reads_left_out<'s, 'a>(steps: &'s [Step<'a>]) -> Vec<&'s Step<'a>> {
    let mut written = BTreeSet::new();
    let outer = |step: &&Step<'_>| match step.2 {
        Deed::Read(_) => !written.contains(&step.1),
        _ => {
            written.insert(step.1);
            false
        }
    };
    steps.iter().filter(outer).collect()
}

/// Whether the operation was done, by a transaction that came to nothing: a read of it is an anomaly.
fn failed(digest: &Digest<'_>, op: usize) -> bool {
    let unit = &digest.units[digest.ops[op].unit];
    unit.fate == Fate::Never
        && !matches!(digest.ops[op].outcome, Some(crate::history::Outcome::Refused(_)) if unit.transaction)
}

/// Whether the cell may have been emptied.
fn removed(cell: &Cell<'_>, digest: &Digest<'_>) -> bool {
    let removes = |touch: &Touch<'_>| touch.deed == Deed::Write(&Datum::Null) && digest.fate(touch.op) != Fate::Never;
    cell.touches.iter().any(removes)
}

/// The places of commits in the engine's own order, eras one after the other.
fn places(digest: &Digest<'_>) -> BTreeMap<usize, u64> {
    let sure = |index: &usize| digest.units[*index].fate == Fate::Sure;
    let ordered = |index: usize| Some((digest.units[index].era, digest.units[index].order?, index));
    let mut ordered: Vec<_> = (0..digest.units.len()).filter(sure).filter_map(ordered).collect();
    ordered.sort_unstable();
    (0..).zip(ordered).map(|(place, (_, _, index))| (index, place)).collect()
}
