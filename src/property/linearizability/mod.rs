//! Operations that stand alone seem to happen one after the other, each between its call and its answer.
//!
//! It judges each key (or element of a set) by itself, which is enough: linearizability is local. It does
//! not judge operations inside transactions; keys that transactions write are left to the properties of
//! isolation. The deciding is done in [`crate::judge`]; here a history is only cut into pieces for it.
//!
//! ```text
//!   era 0 ┊ CRASH ┊ read back ┊ era 1 ┊ CRASH ┊ read back ┊ …
//!   ├─ a piece, ends with ─┤  └─ the next begins with it ─┘
//! ```
//!
//! What is read back after a recovery begins the next piece. Where every commit is promised it ends the
//! piece before it, too: operations in flight at the crash are in it or they are not.

mod models;
mod sheet;

use super::cells::{Cell, Kind, Touch, cells};
use super::digest::{Digest, Fate};
use super::{Finding, Judgement, Property, RunRecord};
use crate::engine::Durability;
use crate::judge;
use sheet::{Sheet, Sheets};

/// What is read back, and when.
type Settled<'a> = (usize, &'a crate::history::Datum);

/// Single operations are linearizable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linearizability;

/// States that a search may visit, on one kind of object.
const STATES_MAX: u64 = 4_000_000;
/// Memory that a search may take, in bytes.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

impl Property for Linearizability {
    fn name(&self) -> &'static str {
        "linearizability"
    }

    fn about(&self) -> &'static str {
        "operations that stand alone seem to happen one after the other, each between its call and its answer"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let cells = cells(&digest);
        let mut sheets = Sheets::default();
        for (index, cell) in cells.iter().enumerate() {
            cut(&digest, cell, index, run.promises.durability, &mut sheets);
        }
        let limits = judge::Limits { states_max: STATES_MAX, memory_bytes_max: MEMORY_BYTES_MAX, deadline: None };
        let (mut compared, mut gave_up, mut found) = (0, None, None::<Finding>);
        for (sheet, judgement) in sheets.judge(&limits) {
            compared += judgement.compared;
            match judgement.verdict {
                judge::Verdict::Violated(witness) => {
                    let finding = finding(&digest, &cells, sheet, &witness);
                    if found.as_ref().is_none_or(|found| finding.turn < found.turn) {
                        found = Some(finding);
                    }
                }
                judge::Verdict::Inconclusive(reason) if !sheet.says_nothing() => gave_up = Some(reason),
                _ => {}
            }
        }
        match (found, gave_up) {
            (Some(finding), _) => Judgement::violated(finding, compared),
            (None, Some(reason)) => Judgement { compared, ..Judgement::inconclusive(reason) },
            (None, None) => Judgement::settle(compared, "no operation that stands alone answered anything to compare"),
        }
    }
}

/// Cuts a cell's operations into pieces.
fn cut<'a>(digest: &Digest<'a>, cell: &Cell<'a>, index: usize, promise: Durability, sheets: &mut Sheets) {
    let in_transaction = |touch: &Touch<'_>| digest.units[digest.ops[touch.op].unit].transaction;
    let possible = |touch: &&Touch<'_>| digest.fate(touch.op) != Fate::Never;
    if cell.touches.iter().filter(possible).any(|touch| in_transaction(touch) && touch.deed.writes()) {
        return;
    }
    let kind = cell.kind(digest);
    let alone: Vec<&Touch<'a>> = cell.touches.iter().filter(possible).filter(|touch| !in_transaction(touch)).collect();
    if alone.is_empty() || kind == Kind::Mixed {
        return;
    }
    let eras = digest.recovered.len() as u32;
    let settled: Vec<Option<Settled<'a>>> = (0..eras).map(|era| cell.settled(digest, era)).collect();
    let keeps = promise == Durability::EveryCommit;
    let mut era = 0;
    while era < eras {
        let start = settled[era as usize];
        let mut next = era + 1;
        // Without a look after the crash the piece goes on through it, if nothing may be lost there.
        while keeps && next < eras && settled[next as usize].is_none() {
            next += 1;
        }
        let end = settled.get(next as usize).copied().flatten().filter(|_| keeps);
        let within = |touch: &&&Touch<'a>| {
            (era..next).contains(&digest.ops[touch.op].era) && start.is_none_or(|start| start.0 != touch.op)
        };
        if era == 0 || start.is_some() {
            let piece =
                Piece { index, era, start, touches: alone.iter().filter(within).map(|touch| **touch).collect(), end };
            sheets.add(digest, cell, kind, &piece);
        }
        era = next;
    }
}

/// A stretch of a cell's history that can be judged by itself.
struct Piece<'a> {
    /// The cell's index.
    index: usize,
    /// The era it begins in.
    era: u32,
    /// What it begins with; nothing: as the cell was in the beginning.
    start: Option<Settled<'a>>,
    touches: Vec<Touch<'a>>,
    /// What it ends with, if that must follow from the rest.
    end: Option<Settled<'a>>,
}

fn finding(digest: &Digest<'_>, cells: &[Cell<'_>], sheet: &Sheet, witness: &judge::Witness) -> Finding {
    let indexes = || witness.operations.iter().map(|named| named.index);
    let ops: Vec<usize> = indexes().filter_map(|index| sheet.op(index)).collect();
    let cell = indexes().next().map_or(String::new(), |index| cells[sheet.cell(index)].name());
    let mut proof: Vec<String> = digest.ids(ops.iter().copied()).iter().map(|id| digest.say(id.0 as usize)).collect();
    proof.extend(witness.proof.iter().map(|line| sheet.renumber(digest, line)));
    let (anomaly, sentence) = in_words(digest, &ops, witness).unwrap_or_else(|| {
        let summary = sheet.renumber(digest, &witness.summary);
        let said = summary.starts_with("No order");
        let sentence =
            if said { summary } else { format!("What {cell} answered fits no order of the operations: {summary}") };
        (witness.anomaly.clone(), sentence)
    });
    Finding {
        property: "linearizability".into(),
        anomaly,
        sentence,
        resources: vec![cell],
        ops: digest.ids(ops.iter().copied()),
        turn: digest.last_turn(ops),
        proof,
    }
}

/// A value that nobody can have written, as far as the piece goes, though somebody asked for it.
fn in_words(digest: &Digest<'_>, ops: &[usize], witness: &judge::Witness) -> Option<(String, String)> {
    let [read] = ops else { return None };
    let (op, seen) = (&digest.ops[*read], digest.ops[*read].answer()?);
    if witness.anomaly != "garbage-read" {
        return None;
    }
    let wrote = |other: &&super::digest::Op<'_>| match &other.call.arg {
        crate::history::Datum::List(pair) if other.call.f == "cas" => pair.get(1) == Some(seen),
        arg => arg == seen,
    };
    let writer = digest.ops.iter().find(wrote)?;
    let key = op.call.key.as_deref().unwrap_or_default();
    let (anomaly, why) = match digest.fate(writer.id.0 as usize) {
        Fate::Never => ("aborted-read", "never took effect"),
        _ => ("resurrected-read", "was already gone when everything was read back"),
    };
    let (read, writer) = (op.id.0, writer.id.0);
    Some((
        anomaly.into(),
        format!("Operation {read} read {seen} under {key}, but its write, operation {writer}, {why}."),
    ))
}

#[cfg(test)]
mod tests;
