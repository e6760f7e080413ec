//! Workloads: what the connections ask for. Everything is planned before the run, never from results.

mod draft;
pub mod kv;
pub mod sql;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::Family;
use crate::history::{Call, Datum};
use crate::tape::Draws;

use sql::UserSql;

/// More queues than this would leave each too quiet to say anything.
const QUEUES_MAX: u32 = 3;

/// What a scenario says about the workload, already drawn for this seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Knobs {
    /// How many keys there are.
    pub keys: u32,
    /// How keys are chosen.
    pub key_choice: KeyChoice,
    /// Operations in a transaction between its begin and its end, at most; 0 means that operations stand alone.
    pub transaction_ops: u32,
    /// The length of values in bytes, at most.
    pub value_bytes: u32,
    /// Of 100 operations, how many read.
    pub reads_percent: u32,
    /// Of 100 transactions, how many are given up by the client.
    pub rollbacks_percent: u32,
    /// Of 1,000 transactions, how many are a checkpoint instead.
    pub checkpoints_permille: u32,
    /// Of 1,000 transactions, how many are a vacuum instead.
    pub vacuums_permille: u32,
    /// The statements of `user-sql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<Arc<UserSql>>,
}

impl Knobs {
    /// How many accounts a bank has: as many as there are keys, and always two at least.
    pub(crate) fn accounts(&self) -> u32 {
        self.keys.max(2)
    }

    /// The same, for workloads whose operations are always of a transaction.
    pub(crate) fn always_together(&self) -> Self {
        Self { transaction_ops: self.transaction_ops.max(1), ..self.clone() }
    }
}

impl Default for Knobs {
    /// Small and crowded: eight keys, up to four operations in a transaction, short values, half of them reads.
    fn default() -> Self {
        Self {
            keys: 8,
            key_choice: KeyChoice::Hot,
            transaction_ops: 4,
            value_bytes: 64,
            reads_percent: 50,
            rollbacks_percent: 5,
            checkpoints_permille: 20,
            vacuums_permille: 5,
            sql: None,
        }
    }
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyChoice {
    /// Four of five choices fall on a fifth of the keys.
    Hot,
    /// All keys alike.
    Cold,
    /// All connections want the same key at about the same time.
    Colliding,
    /// Each connection walks through the keys in order.
    Ascending,
}

/// Some operations that belong together: a transaction, or one operation alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Transaction<F: Family> {
    /// The operations, `Begin` and `Commit` included where there are any.
    pub ops: Vec<F::Op>,
}

/// All that will be asked in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Plan<F: Family> {
    /// Done first, by one connection, without faults.
    pub setup: Vec<Transaction<F>>,
    /// What each connection does, in order.
    pub connections: Vec<Vec<Transaction<F>>>,
    /// Reads everything back: after each recovery and at the end.
    pub settle: Vec<Transaction<F>>,
    /// Tries whether the engine works again: the first transaction when all faults are over, the second when it has
    /// been opened anew after that.
    #[serde(default)]
    pub probe: Vec<Transaction<F>>,
}

/// A generator of plans.
pub trait Workload<F: Family> {
    /// The name by which scenarios call it.
    fn name(&self) -> &'static str;

    /// One line for `list workloads`.
    fn about(&self) -> &'static str;

    /// The operations it needs an engine to serve, by the names of [`Family::call`].
    fn needs(&self, knobs: &Knobs) -> Vec<&'static str>;

    /// The properties that judge it when the scenario names none.
    fn properties(&self, knobs: &Knobs) -> &'static [&'static str];

    /// What is done before the connections start.
    fn setup(&self, _knobs: &Knobs) -> Vec<Transaction<F>> {
        Vec::new()
    }

    /// The transaction number `ordinal` of `connection`: a function of the draws alone.
    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<F>;

    /// What reads everything back.
    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<F>>;

    /// How the history records an operation; workloads that give operations a meaning of their own override it.
    fn call(&self, op: &F::Op) -> Call {
        F::call(op)
    }

    /// How the history records an answer.
    fn output(&self, op: &F::Op, value: &F::Value) -> Datum {
        F::output(op, value)
    }

    /// The facts a property needs beside the history, such as the bank's total.
    fn facts(&self, _knobs: &Knobs) -> Vec<(&'static str, Datum)> {
        Vec::new()
    }

    /// Whether an operation can be taken out of a transaction without breaking what the workload promises. When
    /// it cannot, as in a transfer between two accounts, a failure shrinks by whole transactions only.
    fn is_separable(&self) -> bool {
        false
    }

    /// What tries whether the engine works again when all faults are over, by a connection of this number: twice a
    /// transaction that changes something.
    fn probe(&self, knobs: &Knobs, seed: u64, connection: u16) -> Vec<Transaction<F>> {
        let (reads_percent, rollbacks_percent) = (0, 0);
        let (checkpoints_permille, vacuums_permille) = (0, 0);
        let knobs = Knobs { reads_percent, rollbacks_percent, checkpoints_permille, vacuums_permille, ..knobs.clone() };
        let one =
            |ordinal| self.transaction(&knobs, connection, ordinal, &mut Draws::new(seed, "plan", connection, ordinal));
        vec![one(0), one(1)]
    }

    /// The plan of a whole run.
    fn plan(&self, knobs: &Knobs, seed: u64, connections: u16, transactions: u32) -> Plan<F> {
        let of = |connection| {
            let one = |ordinal| {
                self.transaction(knobs, connection, ordinal, &mut Draws::new(seed, "plan", connection, ordinal))
            };
            (0..transactions).map(one).collect()
        };
        Plan {
            setup: self.setup(knobs),
            connections: (0..connections).map(of).collect(),
            settle: self.settle(knobs),
            probe: self.probe(knobs, seed, connections),
        }
    }
}

/// The properties of workloads whose operations are judged one by one when they stand alone, and by
/// `in_transactions` otherwise.
const fn judged(
    knobs: &Knobs,
    alone: &'static [&'static str],
    in_transactions: &'static [&'static str],
) -> &'static [&'static str] {
    if knobs.transaction_ops == 0 { alone } else { in_transactions }
}

/// What an engine must serve: the workload's own operations, and those the knobs ask for.
fn needs(knobs: &Knobs, own: &[&'static str]) -> Vec<&'static str> {
    let mut needs = own.to_vec();
    if knobs.transaction_ops > 0 {
        needs.extend(["begin", "commit"]);
        if knobs.rollbacks_percent > 0 {
            needs.push("rollback");
        }
    }
    if knobs.checkpoints_permille > 0 {
        needs.push("checkpoint");
    }
    if knobs.vacuums_permille > 0 {
        needs.push("vacuum");
    }
    needs
}
