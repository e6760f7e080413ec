//! A transaction: its snapshot, what it has read and what it means to write; and how conflicts are found.
//!
//! Writes stay with the transaction until it commits. The first committer wins: a commit is refused when
//! one of its keys has been committed by somebody else since its snapshot, and, if serializable, when
//! something it has read has been, ranges and the gaps in them included.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::snapshot::Snapshot;
use crate::engine::kv::Key;

/// A transaction under way.
pub(super) struct Transaction {
    pub snapshot: Snapshot,
    /// The new value of each key written; `None` where it is removed.
    pub writes: BTreeMap<Key, Option<Vec<u8>>>,
    reads: BTreeSet<Key>,
    ranges: Vec<(Key, Key)>,
    exposed: Option<Scratch>,
    /// How many frames the log had; only the bug `aba-on-log-length` looks at it.
    pub log_len: u64,
}

/// Only for the bug `dirty-read`: uncommitted writes where everybody sees them.
pub(super) type Scratch = Rc<RefCell<BTreeMap<Key, Option<Vec<u8>>>>>;

impl Transaction {
    pub(super) const fn new(snapshot: Snapshot, log_len: u64) -> Self {
        Self { snapshot, writes: BTreeMap::new(), reads: BTreeSet::new(), ranges: Vec::new(), exposed: None, log_len }
    }

    /// Writes a key, or removes it; nobody else sees it before the commit.
    pub(super) fn write(&mut self, key: &Key, value: Option<Vec<u8>>) {
        if let Some(scratch) = &self.exposed {
            scratch.borrow_mut().insert(Key::clone(key), value.clone());
        }
        self.writes.insert(Key::clone(key), value);
    }

    /// Only for the bug `dirty-read`: from here on everybody sees what is written.
    pub(super) fn expose(&mut self, scratch: &Scratch) {
        self.exposed = Some(Rc::clone(scratch));
    }

    pub(super) fn note_read(&mut self, key: &Key) {
        if !self.reads.contains(key) {
            self.reads.insert(Key::clone(key));
        }
    }

    pub(super) fn note_range(&mut self, from: &Key, to: &Key) {
        self.ranges.push((Key::clone(from), Key::clone(to)));
    }

    /// Puts the transaction's own writes over the rows of a range that its snapshot has.
    pub(super) fn overlay(&self, rows: Vec<(String, Vec<u8>)>, from: &Key, to: &Key) -> Vec<(String, Vec<u8>)> {
        if from > to || self.writes.is_empty() {
            return rows;
        }
        let mut all: BTreeMap<_, _> = rows.into_iter().collect();
        for (key, value) in self.writes.range::<Key, _>(from..=to) {
            match value {
                Some(value) => all.insert(key.to_string(), value.clone()),
                None => all.remove(&**key),
            };
        }
        all.into_iter().collect()
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(scratch) = &self.exposed {
            scratch.borrow_mut().retain(|key, _| !self.writes.contains_key(key));
        }
    }
}

/// The last commit of each key, as far back as the oldest snapshot in use.
#[derive(Default)]
pub(super) struct Recent {
    commits: BTreeMap<Key, u64>,
}

impl Recent {
    /// Notes who wrote these keys, and forgets what no snapshot can conflict with any more.
    pub(super) fn note<'a>(&mut self, keys: impl Iterator<Item = &'a Key>, sequence: u64, oldest: Option<u64>) {
        match oldest {
            None => self.commits.clear(),
            Some(oldest) if self.commits.len() > 256 => self.commits.retain(|_, commit| *commit > oldest),
            Some(_) => {}
        }
        self.commits.extend(keys.map(|key| (Key::clone(key), sequence)));
    }

    /// Whether somebody has committed what this transaction writes.
    pub(super) fn overtook_writes(&self, transaction: &Transaction) -> bool {
        transaction.writes.keys().any(|key| self.is_newer(key, transaction))
    }

    /// Whether somebody has committed what this transaction has read.
    pub(super) fn overtook_reads(&self, transaction: &Transaction) -> bool {
        let seen = transaction.snapshot.sequence();
        let mut ranges = transaction.ranges.iter().filter(|(from, to)| from <= to);
        // Those that it also writes are looked at as writes.
        let mut reads = transaction.reads.iter().filter(|key| !transaction.writes.contains_key(*key));
        reads.any(|key| self.is_newer(key, transaction))
            || ranges.any(|(from, to)| self.commits.range::<Key, _>(from..=to).any(|(_, commit)| *commit > seen))
    }

    fn is_newer(&self, key: &Key, transaction: &Transaction) -> bool {
        self.commits.get(key).is_some_and(|commit| *commit > transaction.snapshot.sequence())
    }
}
