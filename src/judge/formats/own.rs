//! The own form: one finished operation a line.
//!
//! ```text
//! {"p":7,"call":1,"ret":3,"f":"cas","k":"k0","v":[1,4],"out":false}
//! {"p":8,"call":2,"ret":5,"f":"txn","v":[["append","x",1],["r","x",[1]]],"commit":4}
//! ```
//!
//! `ret` −1 never returned. A transaction that failed has `"out":false`. Invariant: a file holds either
//! single operations or transactions.

use super::data::{Datum, get};
use super::jepsen::{Steps, steps};
use super::{Content, Fault};
use crate::judge::history::{Function, History, NEVER, Operation};
use crate::judge::txn::{Outcome, TxnHistory};
use crate::judge::value::Value;

#[derive(Debug, Default)]
pub(super) struct Builder {
    history: History,
    txns: TxnHistory,
    positions: Vec<usize>,
    /// What transactions are on, once one has shown it.
    steps: Steps,
    kept: Vec<(usize, Pending)>,
}

/// A transaction whose reads may be of lists or registers; the file as a whole says which.
#[derive(Debug)]
struct Pending {
    process: u32,
    span: (i64, Option<i64>),
    outcome: Outcome,
    commit: Option<u64>,
    mops: Vec<super::jepsen::Step>,
}

impl Builder {
    pub(super) fn add(&mut self, at: usize, entries: &[(Datum<'_>, Datum<'_>)]) -> Result<(), Fault> {
        let number = |name: &str| {
            let found = get(entries, name).and_then(Datum::int);
            found.ok_or_else(|| (at, format!("expected \"{name}\" with a whole number")))
        };
        let process =
            u32::try_from(number("p")?).map_err(|_| (at, "expected \"p\" with a process number from 0".into()))?;
        let call = number("call")?;
        let ret = match number("ret")? {
            -1 => None,
            ret if ret < call => {
                return Err((at, "expected \"ret\" of -1, or not before \"call\"".into()));
            }
            ret => Some(ret),
        };
        let name = get(entries, "f").and_then(Datum::name);
        let name = name.ok_or_else(|| (at, "expected \"f\" with a name".into()))?;
        self.positions.push(at);
        if name == "txn" {
            return self.txn(at, entries, process, (call, ret));
        }
        let f = Function::named(name).ok_or_else(|| {
            let known = crate::judge::FUNCTIONS.map(|f| f.0).join(", ");
            (at, format!("expected \"f\" to be txn or one of {known}, not {name}"))
        })?;
        let values = &mut self.history.values;
        let key = match get(entries, "k") {
            None | Some(Datum::Nil) => values.text_id(""),
            Some(Datum::Int(n)) => values.text_id(&n.to_string()),
            Some(key) => match key.name() {
                Some(name) => values.text_id(name),
                None => return Err((at, "expected \"k\" with a text or a number".into())),
            },
        };
        let mut value = |name: &str| match get(entries, name) {
            None => Ok(Value::Null),
            Some(datum) => datum
                .value(values)
                .ok_or_else(|| (at, format!("expected \"{name}\" with a text, a number, a flag, null or a list"))),
        };
        let (argument, out) = (value("v")?, value("out")?);
        self.history.operations.push(Operation {
            process,
            key,
            call,
            ret: ret.unwrap_or(NEVER),
            f,
            value: argument,
            out,
        });
        Ok(())
    }

    fn txn(
        &mut self,
        at: usize,
        entries: &[(Datum<'_>, Datum<'_>)],
        process: u32,
        span: (i64, Option<i64>),
    ) -> Result<(), Fault> {
        let failed = get(entries, "out") == Some(&Datum::Bool(false));
        let outcome = match span.1 {
            _ if failed => Outcome::Failed,
            None => Outcome::Unknown,
            Some(_) => Outcome::Committed,
        };
        let commit = get(entries, "commit").and_then(Datum::int);
        let Some(value) = get(entries, "v") else {
            return Err((at, "expected \"v\" with the steps of the transaction".into()));
        };
        let mops = steps(at, value, &mut self.txns.values, &mut self.steps)?;
        self.kept
            .push((at, Pending { process, span, outcome, commit: commit.and_then(|n| u64::try_from(n).ok()), mops }));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(Content, Vec<usize>), Fault> {
        if self.kept.is_empty() {
            return Ok((Content::Operations(self.history), self.positions));
        }
        if let Some(&at) = self.positions.first()
            && !self.history.is_empty()
        {
            let expected = "expected only transactions or only single operations in one file";
            return Err((at, expected.into()));
        }
        for (at, txn) in self.kept {
            self.txns.begin(txn.process, txn.span, txn.outcome);
            if let Some(place) = txn.commit {
                self.txns.committed_at(place);
            }
            self.steps.add(at, &mut self.txns, &txn.mops, txn.outcome)?;
        }
        Ok((Content::Transactions(self.txns), self.positions))
    }
}
