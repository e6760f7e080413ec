//! Jepsen's events: an invocation, and later its completion by the same process.
//!
//! `:ok` happened, `:fail` did not, `:info` or nothing may have; a process that got `:info` is never
//! used again. Events of processes without a number (`:nemesis`) are passed over. The position in the
//! file is the time. Invariant: each completion belongs to the open invocation of its process.

use super::data::{Datum, get};
use super::{Content, Fault};
use crate::judge::hash::Map;
use crate::judge::history::{Function, History, NEVER, Operation};
use crate::judge::txn::{Outcome, TxnHistory};
use crate::judge::value::{Value, Values};

/// One step of a transaction as it stands in the file.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Value, Value),
    Write(Value, Value),
    Read(Value, Value),
}

/// Whether the transactions of a file are on lists or on registers, by what was seen so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Steps {
    lists: bool,
    registers: bool,
}

impl Steps {
    /// Adds steps to the latest transaction.
    pub(super) fn add(
        self,
        at: usize,
        history: &mut TxnHistory,
        steps: &[Step],
        outcome: Outcome,
    ) -> Result<(), Fault> {
        if self.lists && self.registers {
            let expected = "expected only lists (append) or only registers (w) in one file";
            return Err((at, expected.into()));
        }
        let known = outcome == Outcome::Committed;
        for step in steps {
            match *step {
                Step::Append(key, value) => history.append(key, value),
                Step::Write(key, value) => history.write(key, value),
                Step::Read(key, value) if self.lists => {
                    let items = history.values.items(value).unwrap_or(&[]).to_vec();
                    history.read_list(key, known.then_some(&items));
                }
                Step::Read(key, value) => history.read(key, known.then_some(value)),
            }
        }
        Ok(())
    }
}

/// The steps of a transaction's value: `[[:append "x" 1] [:r "x" [1]]]`.
pub(super) fn steps(at: usize, value: &Datum<'_>, values: &mut Values, kind: &mut Steps) -> Result<Vec<Step>, Fault> {
    let wrong = || {
        let expected = "expected the steps of a transaction, like [[:append \"x\" 1] [:r \"x\" [1]]]";
        (at, expected.to_string())
    };
    let items = value.list().ok_or_else(wrong)?;
    let mut steps = Vec::with_capacity(items.len());
    for item in items {
        let Some([f, key, rest @ ..]) = item.list() else {
            return Err(wrong());
        };
        let key = key.value(values).ok_or_else(wrong)?;
        let value = match rest {
            [] => Value::Null,
            [value] => value.value(values).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        steps.push(match f.name() {
            Some("append") => {
                kind.lists = true;
                Step::Append(key, value)
            }
            Some("w" | "write") if value.is_null() => {
                return Err((at, "expected a value other than null to be written".into()));
            }
            Some("w" | "write") => {
                kind.registers = true;
                Step::Write(key, value)
            }
            Some("r" | "read") => {
                kind.lists |= matches!(value, Value::List(_));
                Step::Read(key, value)
            }
            _ => return Err((at, "expected a step to be :append, :r or :w".into())),
        });
    }
    Ok(steps)
}

/// An invocation that waits for its completion.
struct Open<'a> {
    at: usize,
    call: i64,
    f: Option<String>,
    key: u32,
    value: Datum<'a>,
}

/// What a process is doing.
enum State<'a> {
    Open(Open<'a>),
    Gone,
}

/// A finished operation or transaction, in the order of the invocations.
struct Done {
    at: usize,
    process: u32,
    span: (i64, Option<i64>),
    outcome: Outcome,
    what: What,
}

enum What {
    Txn(Vec<Step>),
    Single(Function, u32, Value, Value),
}

/// Collects events.
#[derive(Default)]
pub(super) struct Builder<'a> {
    processes: Map<i64, State<'a>>,
    values: Values,
    kind: Steps,
    time: i64,
    done: Vec<Done>,
}

impl<'a> Builder<'a> {
    pub(super) fn add(&mut self, at: usize, mut entries: Vec<(Datum<'a>, Datum<'a>)>) -> Result<(), Fault> {
        self.time += 1;
        let process = match get(&entries, "process") {
            Some(Datum::Int(n)) if *n >= 0 => *n,
            Some(Datum::Name(_) | Datum::Text(_)) => return Ok(()),
            _ => return Err((at, "expected :process with a number or a name".into())),
        };
        let kind = get(&entries, "type").and_then(Datum::name).map(String::from);
        let f = get(&entries, "f").and_then(Datum::name).map(String::from);
        let key = get(&entries, "key").and_then(Datum::name).unwrap_or("");
        let key = self.values.text_id(key);
        let value = entries.iter().position(|entry| entry.0.is_name("value"));
        let value = value.map_or(Datum::Nil, |n| entries.swap_remove(n).1);
        match kind.as_deref() {
            Some("invoke") => self.invoke(at, process, (f, key), value),
            Some("ok") => self.complete(at, process, Outcome::Committed, &value),
            Some("fail") => self.complete(at, process, Outcome::Failed, &value),
            Some("info") => self.complete(at, process, Outcome::Unknown, &value),
            _ => Err((at, "expected :type to be :invoke, :ok, :fail or :info".into())),
        }
    }

    fn invoke(
        &mut self,
        at: usize,
        process: i64,
        (f, key): (Option<String>, u32),
        value: Datum<'a>,
    ) -> Result<(), Fault> {
        let open = Open { at, call: self.time, f, key, value };
        match self.processes.insert(process, State::Open(open)) {
            None => Ok(()),
            Some(State::Gone) => {
                let expected = format!("expected no more of process {process}, which got :info");
                Err((at, expected))
            }
            Some(State::Open(_)) => {
                let expected = format!("expected process {process} to complete before it invokes");
                Err((at, expected))
            }
        }
    }

    fn complete(&mut self, at: usize, process: i64, outcome: Outcome, value: &Datum<'a>) -> Result<(), Fault> {
        let Some(State::Open(open)) = self.processes.remove(&process) else {
            let expected = format!("expected an invocation of process {process} before this");
            return Err((at, expected));
        };
        if outcome == Outcome::Unknown {
            self.processes.insert(process, State::Gone);
        }
        let ret = (outcome != Outcome::Unknown).then_some(self.time);
        self.finish_one(process, open, ret, outcome, Some(value))
    }

    fn finish_one(
        &mut self,
        process: i64,
        open: Open<'a>,
        ret: Option<i64>,
        outcome: Outcome,
        value: Option<&Datum<'a>>,
    ) -> Result<(), Fault> {
        let at = open.at;
        let process = u32::try_from(process).map_err(|_| (at, "expected :process below 2^32".to_string()))?;
        let is_txn = match open.f.as_deref() {
            Some(f) => f == "txn",
            None => open.value.list().is_some(),
        };
        let what = if is_txn {
            let shown = match (outcome, value) {
                (Outcome::Committed, Some(value)) => value,
                _ => &open.value,
            };
            What::Txn(steps(at, shown, &mut self.values, &mut self.kind)?)
        } else {
            let Some(f) = open.f.as_deref() else {
                return Err((at, "expected :f with a name".into()));
            };
            self.single(at, (f, open.key), &open.value, value.filter(|_| outcome == Outcome::Committed))?
        };
        self.done.push(Done { at, process, span: (open.call, ret), outcome, what });
        Ok(())
    }

    /// A single operation; its outcome is the completion's value.
    fn single(
        &mut self,
        at: usize,
        (name, key): (&str, u32),
        invoked: &Datum<'a>,
        completed: Option<&Datum<'a>>,
    ) -> Result<What, Fault> {
        let Some(f) = Function::named(name) else {
            let known = crate::judge::FUNCTIONS.map(|f| f.0).join(", ");
            return Err((at, format!("expected :f to be txn or one of {known}, not {name}")));
        };
        let mut value = |datum: &Datum<'a>| {
            bank(datum)
                .as_ref()
                .unwrap_or(datum)
                .value(&mut self.values)
                .ok_or_else(|| (at, "expected :value without maps".to_string()))
        };
        let answers = matches!(f, Function::Read | Function::Dequeue | Function::Pop | Function::Poll);
        let argument = if answers { Value::Null } else { value(invoked)? };
        let out = match completed {
            None => Value::Null,
            Some(completed) if answers => value(completed)?,
            // These answer only that they happened; a compare-and-set that happened has set.
            Some(_) if f == Function::Cas => Value::Bool(true),
            Some(Datum::Bool(b)) => Value::Bool(*b),
            Some(_) => Value::Null,
        };
        Ok(What::Single(f, key, argument, out))
    }

    pub(super) fn finish(mut self) -> Result<(Content, Vec<usize>), Fault> {
        let mut open: Vec<(i64, Open<'a>)> = Vec::new();
        for (process, state) in self.processes.drain() {
            if let State::Open(invocation) = state {
                open.push((process, invocation));
            }
        }
        open.sort_unstable_by_key(|entry| entry.1.call);
        for (process, invocation) in open {
            self.finish_one(process, invocation, None, Outcome::Unknown, None)?;
        }
        self.done.sort_by_key(|done| done.span.0);
        let txns = self.done.iter().filter(|done| matches!(done.what, What::Txn(_))).count();
        if txns > 0 && txns < self.done.len() {
            let expected = "expected only transactions or only single operations in one file";
            return Err((self.done[0].at, expected.into()));
        }
        let mut history = History { values: self.values.clone(), operations: Vec::new() };
        let mut transactions = TxnHistory::new();
        transactions.values = self.values;
        let mut positions = Vec::new();
        for done in self.done {
            let (call, ret) = done.span;
            match done.what {
                What::Txn(steps) => {
                    transactions.begin(done.process, (call, ret), done.outcome);
                    self.kind.add(done.at, &mut transactions, &steps, done.outcome)?;
                }
                // What surely did not happen is no operation.
                What::Single(..) if done.outcome == Outcome::Failed => continue,
                What::Single(f, key, value, out) => history.operations.push(Operation {
                    process: done.process,
                    key,
                    call,
                    ret: ret.unwrap_or(NEVER),
                    f,
                    value,
                    out,
                }),
            }
            positions.push(done.at);
        }
        let content = if txns > 0 { Content::Transactions(transactions) } else { Content::Operations(history) };
        Ok((content, positions))
    }
}

/// A bank's maps as lists: `{:from 0 :to 1 :amount 5}` and `{0 10, 1 12}`.
fn bank<'a>(datum: &Datum<'a>) -> Option<Datum<'a>> {
    let Datum::Map(entries) = datum else {
        return None;
    };
    if let (Some(from), Some(to), Some(amount)) = (datum.get("from"), datum.get("to"), datum.get("amount")) {
        return Some(Datum::List(vec![from.clone(), to.clone(), amount.clone()]));
    }
    let mut balances: Vec<(i64, Datum<'a>)> = Vec::new();
    for (account, balance) in entries {
        let account = match account {
            Datum::Int(n) => *n,
            other => other.name()?.parse().ok()?,
        };
        balances.push((account, balance.clone()));
    }
    balances.sort_by_key(|entry| entry.0);
    let dense = balances.iter().enumerate().all(|(at, entry)| entry.0 == at as i64);
    dense.then(|| Datum::List(balances.into_iter().map(|entry| entry.1).collect()))
}
