//! What isolation judging answers: anomalies with their transactions and arguments, the models they
//! rule out, and the strongest that are left.
//!
//! Invariant: the text of a proof says only what the steps beside it say as data.

use std::fmt;

use serde::Serialize;

use super::cycles::{Cycle, Hop};
use super::deduce::Why;
use super::graph::Kind;
use super::history::{NONE, Outcome, TxnHistory};
use super::lattice::{self, Consistency};
use crate::judge::verdict::{Judgement, Named, Verdict, Witness};

/// Deductions a proof spells out.
const DEDUCTIONS_SHOWN: usize = 16;

/// A transaction of an anomaly, readable without its history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedTxn {
    /// What the proof calls it: `T1`.
    pub name: String,
    /// Position in the history.
    pub index: usize,
    /// Who ran it.
    #[serde(rename = "p")]
    pub process: u32,
    /// Logical time of the begin.
    pub call: i64,
    /// Logical time of the end, −1 when it never ended.
    pub ret: i64,
    /// Its steps: `append x 1, r y [1 2]`.
    pub text: String,
}

/// Why one transaction of an anomaly comes before another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The earlier one: `T1`.
    pub from: String,
    /// The later one.
    pub to: String,
    /// `ww`, `wr`, `rw`, `process`, or `realtime`.
    pub kind: &'static str,
    /// The key, for the first three.
    pub key: Option<String>,
    /// The value written or read.
    pub value: Option<String>,
}

/// Something no history of some models can show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anomaly {
    /// Its name: `G-single-item`, `lost-update`, …
    pub kind: String,
    /// What is wrong, in one sentence.
    pub summary: String,
    /// The transactions involved.
    pub transactions: Vec<NamedTxn>,
    /// Why each comes before the next, when the anomaly is a cycle.
    pub steps: Vec<Step>,
    /// The argument, a line a step.
    pub proof: Vec<String>,
}

/// The answer about a history of transactions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Isolation {
    /// `list-append` or `rw-register`.
    pub model: String,
    /// The method that decided.
    pub method: String,
    /// How many transactions there were.
    pub transactions: u64,
    /// How many reads were compared with what was written.
    pub compared: u64,
    /// One of every kind found.
    pub anomalies: Vec<Anomaly>,
    /// The weakest models ruled out.
    pub not: Vec<Consistency>,
    /// Everything above those.
    pub also_not: Vec<Consistency>,
    /// The strongest models not ruled out.
    pub strongest: Vec<Consistency>,
    /// Why there is no answer about what is not ruled out, and from which models on.
    pub undecided: Option<(Vec<Consistency>, String)>,
}

impl Isolation {
    /// The answer that follows from these anomalies.
    pub(crate) fn of(model: &str, transactions: u64, compared: u64, anomalies: Vec<Anomaly>) -> Self {
        let kinds = anomalies.iter().map(|anomaly| anomaly.kind.as_str());
        let (not, also_not, strongest) = lattice::standing(kinds);
        Self {
            model: model.into(),
            method: "dependencies".into(),
            transactions,
            compared,
            anomalies,
            not,
            also_not,
            strongest,
            undecided: None,
        }
    }

    /// No answer at all, for this reason.
    pub(crate) fn unusable(model: &str, transactions: u64, reason: String) -> Self {
        let mut isolation = Self::of(model, transactions, 0, Vec::new());
        isolation.undecided = Some((Consistency::all().collect(), reason));
        isolation
    }

    /// Whether the history rules the model out.
    #[must_use]
    pub fn rules_out(&self, model: Consistency) -> bool {
        self.not.contains(&model) || self.also_not.contains(&model)
    }

    /// The verdict under one model.
    #[must_use]
    pub fn judge(&self, model: Consistency) -> Judgement {
        let name = format!("{} {}", self.model, model.name());
        let (ops, compared) = (self.transactions, self.compared);
        let guilty = self.anomalies.iter().filter(|a| model.forbids(&a.kind));
        let verdict = if let Some(anomaly) = guilty.min_by_key(|a| a.transactions.len()) {
            Verdict::Violated(Box::new(anomaly.witness()))
        } else if let Some((models, reason)) = &self.undecided
            && models.iter().any(|&undecided| model.implies(undecided))
        {
            Verdict::Inconclusive(reason.clone())
        } else {
            return Judgement::settle(&name, &self.method, ops, compared);
        };
        Judgement::new(verdict, &name, &self.method, ops, compared)
    }
}

impl Anomaly {
    /// An anomaly of these transactions that is no cycle; `T1` is the first of them, and so on.
    pub(crate) fn plain(history: &TxnHistory, kind: &str, summary: String, transactions: &[u32]) -> Self {
        let transactions: Vec<NamedTxn> =
            transactions.iter().enumerate().map(|(at, &index)| named(history, at, index)).collect();
        let proof = vec![definitions(&transactions), summary.clone()];
        Self { kind: kind.into(), summary, transactions, steps: Vec::new(), proof }
    }

    /// A cycle with its argument.
    pub(crate) fn cycle(history: &TxnHistory, cycle: &Cycle) -> Self {
        let mut order: Vec<u32> = Vec::new();
        for hop in &cycle.hops {
            if !order.contains(&hop.from) {
                order.push(hop.from);
            }
        }
        let name = |txn: u32| {
            let at = order.iter().position(|&t| t == txn).unwrap_or(0);
            format!("T{}", at + 1)
        };
        let transactions: Vec<NamedTxn> =
            order.iter().enumerate().map(|(at, &index)| named(history, at, index)).collect();
        let mut proof = vec![definitions(&transactions)];
        let mut steps = Vec::new();
        for (at, hop) in cycle.hops.iter().enumerate() {
            let (from, to) = (name(hop.from), name(hop.to));
            let why = because(history, hop, &from, &to);
            let last = at + 1 == cycle.hops.len();
            proof.push(if last {
                format!("However, {to} comes after {from}, because {why}: contradiction.")
            } else {
                format!("{from} comes before {to}, because {why}.")
            });
            steps.push(step(history, hop, from, to));
        }
        let names: Vec<String> = order.iter().map(|&txn| name(txn)).collect();
        let summary = format!(
            "{}: each of {} comes before the next, and the last before the first.",
            cycle.anomaly,
            names.join(", ")
        );
        Self { kind: cycle.anomaly.clone(), summary, transactions, steps, proof }
    }

    /// A contradiction that was deduced, among these transactions.
    pub(super) fn deduced(history: &TxnHistory, cycle: &Cycle, transactions: &[u32], whys: &[Why]) -> Self {
        let name = |txn: u32| {
            let at = transactions.iter().position(|&t| t == txn).unwrap_or(0);
            format!("T{}", at + 1)
        };
        let named: Vec<NamedTxn> =
            transactions.iter().enumerate().map(|(at, &index)| named(history, at, index)).collect();
        let mut proof = vec![definitions(&named)];
        for why in whys.iter().take(DEDUCTIONS_SHOWN) {
            let key = history.key_name(history.versions[why.version as usize].0);
            let (before, after) = (name(why.before), name(why.after));
            proof.push(match why.reader.map(name) {
                Some(reader) if why.sees_after => format!(
                    "{before} comes before {after}: {reader} comes after {before}, but read {key} \
                     from {after}."
                ),
                Some(reader) if reader == after => {
                    format!("{before} comes before {after}, which read {key} from it and wrote it.")
                }
                Some(reader) => format!(
                    "{reader} comes before {after}: it read {key} from {before}, and {after} wrote \
                     it after {before}."
                ),
                None => format!("{before} comes before {after}: both wrote {key}, and it cannot come after it."),
            });
        }
        if whys.len() > DEDUCTIONS_SHOWN {
            proof.push(format!("And {} more.", whys.len() - DEDUCTIONS_SHOWN));
        }
        let mut steps = Vec::new();
        for (at, hop) in cycle.hops.iter().enumerate() {
            let (from, to) = (name(hop.from), name(hop.to));
            let why = because(history, hop, &from, &to);
            proof.push(if at + 1 == cycle.hops.len() {
                format!("However, {to} comes after {from}, because {why}: contradiction.")
            } else {
                format!("{from} comes before {to}, because {why}.")
            });
            steps.push(step(history, hop, from, to));
        }
        let count = transactions.len();
        Self {
            kind: cycle.anomaly.clone(),
            summary: format!("{}: these {count} transactions have no schedule.", cycle.anomaly),
            transactions: named,
            steps,
            proof,
        }
    }

    /// The anomaly in the one form all witnesses have.
    #[must_use]
    pub fn witness(&self) -> Witness {
        let operations = self
            .transactions
            .iter()
            .map(|txn| Named {
                index: txn.index,
                process: txn.process,
                call: txn.call,
                ret: txn.ret,
                f: "txn".into(),
                k: txn.name.clone(),
                v: txn.text.clone().into(),
                out: serde_json::Value::Null,
            })
            .collect();
        Witness {
            summary: self.summary.clone(),
            anomaly: self.kind.clone(),
            operations,
            proof: self.proof.clone(),
            time: None,
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.kind)?;
        for line in &self.proof {
            writeln!(to, "  {line}")?;
        }
        Ok(())
    }
}

fn named(history: &TxnHistory, at: usize, index: u32) -> NamedTxn {
    let txn = &history.txns[index as usize];
    NamedTxn {
        name: format!("T{}", at + 1),
        index: index as usize,
        process: txn.process,
        call: txn.call,
        ret: if txn.outcome == Outcome::Unknown { -1 } else { txn.ret },
        text: history.show_txn(index as usize),
    }
}

fn definitions(transactions: &[NamedTxn]) -> String {
    let each: Vec<String> = transactions
        .iter()
        .map(|txn| format!("{} = #{} by p{} ({})", txn.name, txn.index, txn.process, txn.text))
        .collect();
    format!("Let {}.", each.join(", "))
}

/// The reason of a hop in words.
fn because(history: &TxnHistory, hop: &Hop, from: &str, to: &str) -> String {
    let (key, value) = match hop.version {
        NONE => (String::new(), String::new()),
        version => {
            let key = history.versions[version as usize].0;
            (history.key_name(key), history.show(version))
        }
    };
    match hop.kind {
        Kind::Ww => format!("{to} wrote {value} to {key} after what {from} wrote there"),
        Kind::Wr => format!("{to} read {value} in {key}, which {from} wrote"),
        Kind::Rw => format!("{from} read {key} before {to} wrote {value} to it"),
        Kind::Process => format!("the same process ran {from} first"),
        Kind::Time => format!("{from} ended before {to} began"),
    }
}

fn step(history: &TxnHistory, hop: &Hop, from: String, to: String) -> Step {
    let known = (hop.version != NONE).then_some(hop.version);
    Step {
        from,
        to,
        kind: match hop.kind {
            Kind::Ww => "ww",
            Kind::Wr => "wr",
            Kind::Rw => "rw",
            Kind::Process => "process",
            Kind::Time => "realtime",
        },
        key: known.map(|v| history.key_name(history.versions[v as usize].0)),
        value: known.map(|v| history.show(v)),
    }
}
