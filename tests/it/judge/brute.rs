//! Ground truth: all orders of a few operations, tried on a plain sequential object.
//!
//! Nothing of the judges is used here but their input types.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use squall::judge::{Function, History, Operation, Value, Values};

/// The kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Register,
    Counter,
    Set,
    Queue,
    Stack,
    Priority,
    List,
    Bank,
}

pub(crate) const KINDS: [Kind; 8] =
    [Kind::Register, Kind::Counter, Kind::Set, Kind::Queue, Kind::Stack, Kind::Priority, Kind::List, Kind::Bank];

/// Balances of the bank at the start.
pub(crate) const BALANCES: [i64; 2] = [10, 10];

/// A plain sequential object of any kind, per key.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    kind: Kind,
    registers: BTreeMap<u32, Value>,
    counters: BTreeMap<u32, i64>,
    sets: BTreeSet<(u32, Value)>,
    sequences: BTreeMap<u32, VecDeque<Value>>,
    balances: Vec<i64>,
}

impl Plain {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            registers: BTreeMap::new(),
            counters: BTreeMap::new(),
            sets: BTreeSet::new(),
            sequences: BTreeMap::new(),
            balances: BALANCES.to_vec(),
        }
    }

    /// Carries out the operation and answers its outcome.
    pub(crate) fn apply(&mut self, op: &Operation, values: &mut Values) -> Value {
        let sequence = self.sequences.entry(op.key).or_default();
        match (self.kind, op.f) {
            (Kind::Register, Function::Write) => {
                self.registers.insert(op.key, op.value);
                Value::Null
            }
            (Kind::Register, Function::Cas) => {
                let (old, new) = values.pair(op.value).expect("a pair");
                let now = self.registers.entry(op.key).or_insert(Value::Null);
                let set = *now == old;
                if set {
                    *now = new;
                }
                set.into()
            }
            (Kind::Register, _) => *self.registers.get(&op.key).unwrap_or(&Value::Null),
            (Kind::Counter, f) => {
                let now = self.counters.entry(op.key).or_insert(0);
                if f == Function::Add {
                    *now += op.value.int().expect("a number");
                }
                (*now).into()
            }
            (Kind::Set, Function::Add) => self.sets.insert((op.key, op.value)).into(),
            (Kind::Set, Function::Remove) => self.sets.remove(&(op.key, op.value)).into(),
            (Kind::Set, _) => self.sets.contains(&(op.key, op.value)).into(),
            (Kind::List, Function::Read) => {
                let items: Vec<Value> = sequence.iter().copied().collect();
                values.list(&items)
            }
            (_, Function::Enqueue | Function::Push | Function::Insert | Function::Append) => {
                sequence.push_back(op.value);
                Value::Null
            }
            (Kind::Queue, _) => sequence.pop_front().unwrap_or(Value::Null),
            (Kind::Stack, _) => sequence.pop_back().unwrap_or(Value::Null),
            (Kind::Priority, _) => {
                let most = sequence.iter().copied().max();
                if let Some(most) = most {
                    let at = sequence.iter().position(|&v| v == most).expect("it is there");
                    sequence.remove(at);
                }
                most.unwrap_or(Value::Null)
            }
            (Kind::Bank, Function::Transfer) => {
                let items = values.items(op.value).expect("a list");
                let part: Vec<i64> = items.iter().filter_map(|item| item.int()).collect();
                self.balances[part[0] as usize] -= part[2];
                self.balances[part[1] as usize] += part[2];
                Value::Null
            }
            (Kind::Bank, _) => {
                let items: Vec<Value> = self.balances.iter().map(|&n| n.into()).collect();
                values.list(&items)
            }
            (kind, f) => panic!("{kind:?} has no {f:?}"),
        }
    }
}

/// Whether some order of the operations gives every outcome in the history.
pub(crate) fn has_order(kind: Kind, history: &History) -> bool {
    let mut values = history.values.clone();
    let remaining: Vec<&Operation> = history.operations.iter().collect();
    search(&Plain::new(kind), &remaining, &mut values)
}

fn search(object: &Plain, remaining: &[&Operation], values: &mut Values) -> bool {
    if remaining.iter().all(|op| !op.returned()) {
        return true;
    }
    for (at, op) in remaining.iter().enumerate() {
        if remaining.iter().any(|other| other.ret < op.call) {
            continue;
        }
        let mut next = object.clone();
        let outcome = next.apply(op, values);
        if op.returned() && outcome != op.out {
            continue;
        }
        let mut rest = remaining.to_vec();
        rest.remove(at);
        if search(&next, &rest, values) {
            return true;
        }
    }
    false
}
