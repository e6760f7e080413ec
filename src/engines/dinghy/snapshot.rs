//! Who reads what: the table of snapshots in use.
//!
//! A snapshot is a place in the log, its *mark*: its reader sees frames up to the mark and none beyond. As
//! long as it is in the table no checkpoint moves a later frame into the database file. A [`Snapshot`] is a
//! guard: dropping it, at any yield, takes it out of the table.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The number of a frame since the engine was opened, from 1; never used again, also not after a log reset.
pub(super) type Lsn = u64;

/// The table. Clones are the same table.
#[derive(Clone, Default)]
pub(super) struct Snapshots(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    next: u64,
    active: BTreeMap<u64, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    mark: Lsn,
    sequence: u64,
}

/// One reader's place in the table.
pub(super) struct Snapshot {
    table: Snapshots,
    number: u64,
    mark: Lsn,
    sequence: u64,
}

impl Snapshots {
    /// Enters a reader who sees frames up to `mark`, which is what commit `sequence` left.
    pub(super) fn enter(&self, mark: Lsn, sequence: u64) -> Snapshot {
        let mut table = self.0.borrow_mut();
        let number = table.next;
        table.next += 1;
        table.active.insert(number, Entry { mark, sequence });
        Snapshot { table: self.clone(), number, mark, sequence }
    }

    /// Who reads what, for people.
    pub(super) fn told(&self) -> String {
        let table = self.0.borrow();
        let readers =
            table.active.values().map(|Entry { mark, sequence }| format!("commit {sequence} at frame {mark}"));
        let readers: Vec<String> = readers.collect();
        if readers.is_empty() { "none".to_string() } else { readers.join(", ") }
    }

    /// The oldest mark in use.
    pub(super) fn oldest_mark(&self) -> Option<Lsn> {
        self.0.borrow().active.values().map(|entry| entry.mark).min()
    }

    /// The oldest commit that somebody still takes for the newest.
    pub(super) fn oldest_sequence(&self) -> Option<u64> {
        self.0.borrow().active.values().map(|entry| entry.sequence).min()
    }
}

impl Snapshot {
    pub(super) const fn mark(&self) -> Lsn {
        self.mark
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.table.0.borrow_mut().active.remove(&self.number);
    }
}
