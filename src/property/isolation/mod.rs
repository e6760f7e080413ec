//! Transactions are isolated as the engine promises: by lists that are appended to, and by registers.
//!
//! The deciding is done in [`crate::judge::txn`]; here a history is only written down for it. Operations
//! that stand alone are transactions of one. Where they are all there is, they are held to strict
//! serializability, because each is atomic by itself.
//!
//! Where every commit is promised, the whole run is one history. Otherwise each stretch between crashes is
//! judged by itself, from what was read back after its recovery.

mod ledger;

use super::cells::{Cell, cells};
use super::digest::Digest;
use super::{Finding, Judgement, Property, RunRecord, Verdict};
use crate::engine::{Durability, Isolation};
use crate::history::History;
use crate::judge::txn::{Anomaly, KeyOrder, TxnHistory};
use crate::judge::{self, Consistency};
pub(super) use ledger::{Doomed, Shape};
use ledger::{Ledger, STRANGERS};

/// No element of a list is lost, doubled or moved, and transactions are isolated.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAppend;

impl Property for ListAppend {
    fn name(&self) -> &'static str {
        "list-append"
    }

    fn about(&self) -> &'static str {
        "no element of a list is lost, doubled or moved, and transactions are isolated as promised"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let cells = cells(&digest);
        judge_as((Shape::Lists, Doomed::Writes), self.name(), run, &digest, &cells)
    }
}

/// Transactions over registers are isolated.
#[derive(Clone, Copy, Debug, Default)]
pub struct RwRegister;

impl Property for RwRegister {
    fn name(&self) -> &'static str {
        "rw-register"
    }

    fn about(&self) -> &'static str {
        "transactions that read and write single values are isolated as promised"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let cells = cells(&digest);
        judge_as((Shape::Registers, Doomed::Writes), self.name(), run, &digest, &cells)
    }
}

/// What a transaction reads is consistent, whatever becomes of it (Guerraoui and Kapałka, “On the Correctness of
/// Transactional Memory”, PPoPP 2008). Few databases promise that, so a scenario has to ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opacity;

impl Property for Opacity {
    fn name(&self) -> &'static str {
        "opacity"
    }

    fn about(&self) -> &'static str {
        "transactions that come to nothing have read a consistent state too; only where a scenario asks for it"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let cells = cells(&digest);
        let judge = |shape| judge_as((shape, Doomed::WritesAndReads), self.name(), run, &digest, &cells);
        let [lists, registers] = [Shape::Lists, Shape::Registers].map(judge);
        let compared = lists.compared + registers.compared;
        // A violation says more than a doubt, and a doubt more than a shape that does not occur.
        let telling = |judgement: &Judgement| match judgement.verdict {
            Verdict::Violated(_) => 3,
            Verdict::Inconclusive(_) if judgement.compared > 0 => 2,
            Verdict::Holds => 1,
            Verdict::Inconclusive(_) => 0,
        };
        let verdict = if telling(&registers) > telling(&lists) { registers.verdict } else { lists.verdict };
        Judgement { verdict, compared }
    }
}

/// A run as transactions in the judges' own form, for the formats of [`crate::judge::formats`] to write: those on
/// lists where any list was appended to, else those on registers. Operations that stand alone are transactions of
/// one. Nothing, when the run has neither.
///
/// Where the engine may lose commits in a crash, a file cannot tell what was lost from what went wrong; then it ends
/// with the first crash.
#[must_use]
pub fn transactions(history: &History, durability: Durability) -> Option<TxnHistory> {
    let digest = Digest::new(history);
    let cells = cells(&digest);
    let eras = if durability == Durability::EveryCommit { digest.recovered.len() as u32 } else { 1 };
    let ledger = |shape| Ledger::new((shape, Doomed::Writes), &digest, &cells, 0..eras);
    Some(ledger(Shape::Lists).or_else(|| ledger(Shape::Registers))?.history)
}

/// The model that the engine is held to.
fn promised(run: &RunRecord<'_>, digest: &Digest<'_>) -> Consistency {
    if digest.units.iter().all(|unit| !unit.transaction) {
        return Consistency::StrictSerializable;
    }
    match run.promises.isolation {
        Isolation::ReadCommitted => Consistency::ReadCommitted,
        Isolation::Snapshot => Consistency::SnapshotIsolation,
        Isolation::Serializable => Consistency::Serializable,
        Isolation::StrictSerializable => Consistency::StrictSerializable,
    }
}

/// Judges the cells of this shape, in the name of a property.
pub(super) fn judge_as(
    (shape, doomed): (Shape, Doomed),
    property: &str,
    run: &RunRecord<'_>,
    digest: &Digest<'_>,
    cells: &[Cell<'_>],
) -> Judgement {
    let model = promised(run, digest);
    let eras = digest.recovered.len() as u32;
    let stretches: Vec<std::ops::Range<u32>> = match run.promises.durability {
        Durability::EveryCommit => std::iter::once(0..eras).collect(),
        _ => (0..eras).map(|era| era..era + 1).collect(),
    };
    let (mut compared, mut undecided) = (0, None);
    for stretch in stretches {
        let Some(ledger) = Ledger::new((shape, doomed), digest, cells, stretch) else { continue };
        let isolation = match shape {
            Shape::Lists => judge::list_append(&ledger.history),
            Shape::Registers => judge::txn::rw_register(&ledger.history, key_order(model)),
        };
        let judgement = isolation.judge(model);
        compared += judgement.compared;
        match judgement.verdict {
            judge::Verdict::Violated(witness) => {
                let anomaly = isolation.anomalies.iter().find(|anomaly| anomaly.kind == witness.anomaly);
                let anomaly = anomaly.expect("a witness is made from an anomaly");
                let finding = Writer { digest, cells, ledger: &ledger, model }.finding(property, anomaly);
                return Judgement::violated(finding, compared);
            }
            judge::Verdict::Inconclusive(reason) if judgement.compared > 0 => undecided = Some(reason),
            _ => {}
        }
    }
    match undecided {
        Some(reason) => Judgement { compared, ..Judgement::inconclusive(reason) },
        None => Judgement::settle(compared, shape.nothing()),
    }
}

/// What a model says of the order of a key's versions.
fn key_order(model: Consistency) -> KeyOrder {
    KeyOrder {
        per_process: false,
        real_time: model == Consistency::StrictSerializable,
        writes_follow_reads: model.implies(Consistency::SnapshotIsolation),
    }
}

/// Puts an anomaly into words.
struct Writer<'w, 'a> {
    digest: &'w Digest<'a>,
    cells: &'w [Cell<'a>],
    ledger: &'w Ledger,
    model: Consistency,
}

impl Writer<'_, '_> {
    fn finding(&self, property: &str, anomaly: &Anomaly) -> Finding {
        let units = anomaly.transactions.iter().filter_map(|txn| self.ledger.unit(txn.index));
        let ops: Vec<usize> = units.flat_map(|unit| self.digest.units[unit].ops.iter().copied()).collect();
        let keys = self.keys(anomaly, &ops);
        let proof = anomaly.proof.iter().map(|line| self.renumber(line)).collect();
        Finding {
            property: property.into(),
            anomaly: anomaly.kind.clone(),
            sentence: self.sentence(anomaly, &keys),
            resources: keys,
            ops: self.digest.ids(ops.iter().copied()),
            turn: self.digest.last_turn(ops),
            proof,
        }
    }

    fn sentence(&self, anomaly: &Anomaly, keys: &[String]) -> String {
        let (model, keys) = (self.model.name(), keys.join(", "));
        if anomaly.steps.is_empty() {
            return self.renumber(&anomaly.summary);
        }
        let count = anomaly.transactions.len();
        let kind = &anomaly.kind;
        match count {
            1 => format!("A transaction on {keys} comes before itself, which {model} forbids ({kind})."),
            _ => format!(
                "{count} transactions on {keys} cannot have happened in any order: each comes before the next and the last before the first, which {model} forbids ({kind})."
            ),
        }
    }

    fn keys(&self, anomaly: &Anomaly, ops: &[usize]) -> Vec<String> {
        let mut keys: Vec<String> = anomaly.steps.iter().filter_map(|step| step.key.clone()).collect();
        if keys.is_empty() {
            // What all of them touch is what it is about, if there is such a thing.
            let touched = |cell: &Cell<'_>, op: &usize| cell.touches.iter().any(|touch| touch.op == *op);
            let units: std::collections::BTreeSet<usize> = ops.iter().map(|&op| self.digest.ops[op].unit).collect();
            let by_all = |cell: &&Cell<'_>| {
                units.iter().all(|&unit| self.digest.units[unit].ops.iter().any(|op| touched(cell, op)))
            };
            keys = self.cells.iter().filter(by_all).map(Cell::name).collect();
            let named =
                |key: &String| anomaly.summary.split(|char: char| !char.is_alphanumeric()).any(|word| word == key);
            if keys.iter().any(named) {
                keys.retain(named);
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// Replaces the judge's `#5` by the operations that the transaction consists of.
    fn renumber(&self, line: &str) -> String {
        let mut parts = line.split('#');
        let mut text = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            match part[..digits].parse().ok().map(|index: usize| self.ledger.unit(index)) {
                Some(Some(unit)) => {
                    let ops = &self.digest.units[unit].ops;
                    match (ops.first(), ops.last()) {
                        (Some(first), Some(last)) if first != last => {
                            text.push_str(&format!("operations {first} to {last}"))
                        }
                        (Some(first), _) => text.push_str(&format!("operation {first}")),
                        _ => {}
                    }
                }
                Some(None) => text.push_str("what was read back"),
                None => text.push_str(&format!("#{}", &part[..digits])),
            }
            text.push_str(&part[digits..]);
        }
        without_strangers(&text)
    }
}

/// The line without the processes that only a ledger has.
fn without_strangers(line: &str) -> String {
    let mut parts = line.split(" by p");
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        match part[..digits].parse::<u32>() {
            Ok(process) if process >= STRANGERS => text.push_str(&part[digits..]),
            _ => text.push_str(&format!(" by p{part}")),
        }
    }
    text
}

#[cfg(test)]
mod tests;
