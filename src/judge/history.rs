//! A history of single operations: who called what, when, and what came back.
//!
//! It is not a history of transactions (see [`crate::judge::txn`]). Times are logical: only their
//! order counts, and an operation precedes another exactly when its return is smaller than the
//! other's call. Invariant: an operation that failed for sure is not in the history at all; one
//! whose outcome is unknown has [`NEVER`] as its return.

use super::hash::Map;
use super::value::{Value, Values};

/// The return time of an operation that never returned.
pub const NEVER: i64 = i64::MAX;

/// What an operation does. A model gives each its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// Read a register, a counter, a list, or all balances of a bank.
    Read,
    /// Write a register.
    Write,
    /// Compare and set: the value is `[old, new]`, the outcome says whether it was set.
    Cas,
    /// Add to a set (outcome: did it change) or to a counter (outcome: the new value).
    Add,
    /// Remove from a set (outcome: was it there).
    Remove,
    /// Ask a set (outcome: is it there).
    Contains,
    /// Put at a queue's end.
    Enqueue,
    /// Take from a queue's front; null when empty.
    Dequeue,
    /// Put on a stack.
    Push,
    /// Take from a stack; null when empty.
    Pop,
    /// Put into a priority queue.
    Insert,
    /// Take a priority queue's largest; null when empty.
    Poll,
    /// Put at a list's end.
    Append,
    /// Move money: the value is `[from, to, amount]`; an outcome of false means refused.
    Transfer,
    /// A function of a user's own model.
    Other(u16),
}

/// The names of all functions but [`Function::Other`], as the files write them.
pub const FUNCTIONS: [(&str, Function); 14] = [
    ("read", Function::Read),
    ("write", Function::Write),
    ("cas", Function::Cas),
    ("add", Function::Add),
    ("remove", Function::Remove),
    ("contains", Function::Contains),
    ("enqueue", Function::Enqueue),
    ("dequeue", Function::Dequeue),
    ("push", Function::Push),
    ("pop", Function::Pop),
    ("insert", Function::Insert),
    ("poll", Function::Poll),
    ("append", Function::Append),
    ("transfer", Function::Transfer),
];

impl Function {
    /// The function with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|f| f.0 == name).map(|f| f.1)
    }

    /// Its name; a user's own functions are called by their number.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Function::Other(n) => format!("f{n}"),
            known => {
                FUNCTIONS.iter().find(|f| f.1 == known).expect("every function but Other is in the table").0.into()
            }
        }
    }
}

/// One operation of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Who called.
    pub process: u32,
    /// The object, a text of the table; histories of one object use the empty text.
    pub key: u32,
    /// Logical time of the call.
    pub call: i64,
    /// Logical time of the return, or [`NEVER`].
    pub ret: i64,
    /// What was called.
    pub f: Function,
    /// The argument.
    pub value: Value,
    /// The outcome; meaningless when the operation never returned.
    pub out: Value,
}

impl Operation {
    /// Whether the operation returned.
    #[must_use]
    pub fn returned(&self) -> bool {
        self.ret != NEVER
    }

    /// Whether it ended before `other` began.
    #[must_use]
    pub fn precedes(&self, other: &Operation) -> bool {
        self.ret < other.call
    }
}

/// What makes a history unusable, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operation {index}: {what}")]
pub struct Flaw {
    /// Position of the operation in the history.
    pub index: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A table of values and the operations that use it, in any order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The texts and lists of the operations.
    pub values: Values,
    /// The operations. Findings name them by their position here.
    pub operations: Vec<Operation>,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation; `ret` is `None` when it never returned. Answers its position.
    pub fn push(
        &mut self,
        process: u32,
        (call, ret): (i64, Option<i64>),
        f: Function,
        key: &str,
        (value, out): (Value, Value),
    ) -> usize {
        let key = self.values.text_id(key);
        self.operations.push(Operation { process, key, call, ret: ret.unwrap_or(NEVER), f, value, out });
        self.operations.len() - 1
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Checks what no judge could make sense of: a return before the call, a process that calls
    /// again before its last operation returned (or after one that never did).
    ///
    /// # Errors
    /// The first flaw, by position.
    pub fn validate(&self) -> Result<(), Flaw> {
        let mut last: Map<u32, u32> = Map::default();
        let mut flaw: Option<Flaw> = None;
        let mut look = |index: u32| {
            let op = &self.operations[index as usize];
            let before = last.insert(op.process, index);
            let earlier = before.map(|before| &self.operations[before as usize]);
            let what = match (before, earlier) {
                _ if op.ret < op.call => {
                    format!("returns at {} before its call at {}", op.ret, op.call)
                }
                (Some(before), Some(earlier)) if earlier.ret > op.call => {
                    let why = if earlier.returned() { "has not returned yet" } else { "never returned" };
                    let process = op.process;
                    format!("process {process} calls while its operation {before} {why}")
                }
                _ => return,
            };
            let index = index as usize;
            if flaw.as_ref().is_none_or(|f| f.index > index) {
                flaw = Some(Flaw { index, what });
            }
        };
        let count = self.operations.len() as u32;
        if self.operations.is_sorted_by_key(|op| op.call) {
            (0..count).for_each(&mut look);
        } else {
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_unstable_by_key(|&i| {
                let op = &self.operations[i as usize];
                (op.call, op.ret, i)
            });
            order.into_iter().for_each(&mut look);
        }
        flaw.map_or(Ok(()), Err)
    }
}
