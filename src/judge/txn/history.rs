//! A history of transactions, stored flat: transactions, their steps, and the elements of reads.
//!
//! A written value of a key is a [`Version`], interned when it is first mentioned, so that the
//! judges work with dense numbers. Invariant: a transaction that failed is in the history, because a
//! read of what it wrote is an anomaly; one whose outcome is unknown has [`NEVER`] as its return.

use crate::judge::hash::Map;
use crate::judge::history::{Flaw, NEVER};
use crate::judge::value::{Value, Values};

/// A value of a key, by number.
pub type Version = u32;

/// In place of a version: the value before the first write; in place of a list: not known.
pub(crate) const NONE: u32 = u32::MAX;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It committed, and its reads are known.
    Committed,
    /// It surely has no effect.
    Failed,
    /// It may or may not have taken effect; its reads mean nothing.
    Unknown,
}

/// One step of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mop {
    /// Put a value at the end of a list.
    Append {
        /// The list.
        key: u32,
        /// What was appended.
        version: Version,
    },
    /// Read a whole list: a range of the history's elements, `None` when it is not known.
    ReadList {
        /// The list.
        key: u32,
        /// Where its elements stand.
        elements: Option<(u32, u32)>,
    },
    /// Set a register.
    Write {
        /// The register.
        key: u32,
        /// What was written.
        version: Version,
    },
    /// Read a register.
    Read {
        /// The register.
        key: u32,
        /// `None`: not known. `Some(None)`: never written.
        version: Option<Option<Version>>,
    },
}

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Txn {
    /// Who ran it.
    pub process: u32,
    /// Logical time of its begin.
    pub call: i64,
    /// Logical time of its end, or [`NEVER`].
    pub ret: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its steps, a range of the history's.
    pub steps: (u32, u32),
    /// Its place in the order in which the engine says it committed.
    pub commit: Option<u64>,
}

/// Transactions, in any order.
#[derive(Debug, Clone, Default)]
pub struct TxnHistory {
    /// Texts and lists of keys and values.
    pub values: Values,
    pub(crate) txns: Vec<Txn>,
    pub(crate) mops: Vec<Mop>,
    pub(crate) elements: Vec<Version>,
    /// Per key its name.
    pub(crate) keys: Vec<Value>,
    key_ids: Map<Value, u32>,
    /// Per version its key and value.
    pub(crate) versions: Vec<(u32, Value)>,
    version_ids: Map<(u32, Value), Version>,
}

impl TxnHistory {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the next transaction; its steps are those added until the next one begins. `span` is
    /// its call and its return, `None` when it never returned.
    pub fn begin(&mut self, process: u32, span: (i64, Option<i64>), outcome: Outcome) -> usize {
        let at = self.mops.len() as u32;
        self.txns.push(Txn {
            process,
            call: span.0,
            ret: span.1.unwrap_or(NEVER),
            outcome,
            steps: (at, at),
            commit: None,
        });
        self.txns.len() - 1
    }

    /// The place of the latest transaction in the engine's own order of commits.
    pub fn committed_at(&mut self, place: u64) {
        if let Some(txn) = self.txns.last_mut() {
            txn.commit = Some(place);
        }
    }

    /// The latest transaction appended the value to the list.
    pub fn append(&mut self, key: Value, value: Value) {
        let key = self.key(key);
        let version = self.version(key, value);
        self.add(Mop::Append { key, version });
    }

    /// The latest transaction read the list; `None` when what it read is not known.
    pub fn read_list(&mut self, key: Value, items: Option<&[Value]>) {
        let key = self.key(key);
        let elements = items.map(|items| {
            let from = self.elements.len() as u32;
            for &item in items {
                let version = self.version(key, item);
                self.elements.push(version);
            }
            (from, self.elements.len() as u32)
        });
        self.add(Mop::ReadList { key, elements });
    }

    /// The latest transaction wrote the register.
    pub fn write(&mut self, key: Value, value: Value) {
        let key = self.key(key);
        let version = self.version(key, value);
        self.add(Mop::Write { key, version });
    }

    /// The latest transaction read the register; `None` when what it read is not known, null when
    /// it had never been written.
    pub fn read(&mut self, key: Value, value: Option<Value>) {
        let key = self.key(key);
        let version = value.map(|value| (!value.is_null()).then(|| self.version(key, value)));
        self.add(Mop::Read { key, version });
    }

    fn add(&mut self, mop: Mop) {
        self.mops.push(mop);
        let end = self.mops.len() as u32;
        self.txns.last_mut().expect("a transaction has begun").steps.1 = end;
    }

    /// The number of a key.
    pub(crate) fn key(&mut self, key: Value) -> u32 {
        let next = self.keys.len() as u32;
        let id = *self.key_ids.entry(key).or_insert(next);
        if id == next {
            self.keys.push(key);
        }
        id
    }

    fn version(&mut self, key: u32, value: Value) -> Version {
        let next = self.versions.len() as u32;
        let id = *self.version_ids.entry((key, value)).or_insert(next);
        if id == next {
            self.versions.push((key, value));
        }
        id
    }

    /// Whether a step is one of lists.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        let list = |mop: &Mop| matches!(mop, Mop::Append { .. } | Mop::ReadList { .. });
        self.mops.iter().any(list)
    }

    /// The transactions.
    #[must_use]
    pub fn txns(&self) -> &[Txn] {
        &self.txns
    }

    /// The steps of a transaction.
    #[must_use]
    pub fn steps(&self, txn: usize) -> &[Mop] {
        let (from, to) = self.txns[txn].steps;
        &self.mops[from as usize..to as usize]
    }

    /// The versions a read of a list gave.
    #[must_use]
    pub fn list(&self, elements: (u32, u32)) -> &[Version] {
        &self.elements[elements.0 as usize..elements.1 as usize]
    }

    /// A version's value.
    #[must_use]
    pub fn value(&self, version: Version) -> Value {
        self.versions[version as usize].1
    }

    /// A key's name, as a reader wants it.
    #[must_use]
    pub fn key_name(&self, key: u32) -> String {
        self.values.show(self.keys[key as usize])
    }

    /// A version's value, as a reader wants it; `nothing` before the first write.
    #[must_use]
    pub fn show(&self, version: Version) -> String {
        if version == NONE {
            return "nothing".into();
        }
        self.values.show(self.value(version))
    }

    /// A transaction's steps as a reader wants them: `append x 1, r y [1 2]`.
    #[must_use]
    pub fn show_txn(&self, txn: usize) -> String {
        let steps: Vec<String> = self.steps(txn).iter().map(|mop| self.show_mop(mop)).collect();
        steps.join(", ")
    }

    fn show_mop(&self, mop: &Mop) -> String {
        match *mop {
            Mop::Append { key, version } => {
                format!("append {} {}", self.key_name(key), self.show(version))
            }
            Mop::Write { key, version } => {
                format!("w {} {}", self.key_name(key), self.show(version))
            }
            Mop::Read { key, version } => {
                let value = version.map_or("?".into(), |v| v.map_or("null".into(), |v| self.show(v)));
                format!("r {} {value}", self.key_name(key))
            }
            Mop::ReadList { key, elements } => {
                let items = elements.map_or("?".into(), |range| {
                    let items: Vec<String> = self.list(range).iter().map(|&v| self.show(v)).collect();
                    format!("[{}]", items.join(" "))
                });
                format!("r {} {items}", self.key_name(key))
            }
        }
    }

    /// Checks what no judge could make sense of: a return before the call, a process that begins
    /// again before its last transaction returned (or after one that never did).
    ///
    /// # Errors
    /// The first flaw, by position.
    pub fn validate(&self) -> Result<(), Flaw> {
        let mut order: Vec<u32> = (0..self.txns.len() as u32).collect();
        let sorted = self.txns.is_sorted_by_key(|txn| txn.call);
        if !sorted {
            order.sort_by_key(|&i| (self.txns[i as usize].call, i));
        }
        let mut last: Map<u32, (i64, u32)> = Map::default();
        let mut flaw: Option<Flaw> = None;
        for &index in &order {
            let txn = &self.txns[index as usize];
            let what = match last.insert(txn.process, (txn.ret, index)) {
                _ if txn.ret < txn.call => {
                    format!("ends at {} before it begins at {}", txn.ret, txn.call)
                }
                Some((NEVER, before)) => {
                    format!("process {} goes on after its transaction {before}, which never returned", txn.process)
                }
                Some((ret, before)) if ret > txn.call => {
                    format!("process {} begins while its transaction {before} is still running", txn.process)
                }
                _ => continue,
            };
            let index = index as usize;
            if flaw.as_ref().is_none_or(|flaw| flaw.index > index) {
                flaw = Some(Flaw { index, what });
            }
        }
        flaw.map_or(Ok(()), Err)
    }
}
