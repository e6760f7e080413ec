//! One file: what every reader sees, what is surely on the medium, and the changes between the two.
//!
//! ```text
//! medium ──(pending changes, in order)──► cache
//! ```
//!
//! This knows no faults and no directory; a file without a name is a file too.
//!
//! Invariant: without media faults and failed syncs, the medium with all pending changes is the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use super::config::{FailedSync, SECTOR_BYTES};
use super::image::{Image, Page, Pool, is_page};
use crate::tape::Actor;

/// A change to a file's bytes or size.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

impl Change {
    /// Applies it, and answers the page that it replaced whole, if it did.
    pub(super) fn apply(&self, image: &mut Image) -> Option<Page> {
        match self {
            Self::Write { offset, bytes } => image.put(*offset, bytes),
            Self::SetLen(len) => {
                image.set_len(*len);
                None
            }
        }
    }
}

/// A change that has been applied to the cache and not yet to the medium.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Its place among all changes of the disk.
    pub(super) seq: u64,
    /// The I/O that made it.
    pub(super) actor: Actor,
    pub(super) change: Change,
    /// A sync covered it, and the device keeps it in its cache.
    pub(super) on_device: bool,
}

impl Pending {
    pub(super) const fn new(seq: u64, actor: Actor, change: Change) -> Self {
        Self { seq, actor, change, on_device: false }
    }
}

/// A file, by whatever name.
#[derive(Clone, Debug)]
pub(super) struct FileState {
    /// The last name it had, for messages.
    pub(super) path: Arc<str>,
    pub(super) cache: Image,
    pub(super) medium: Image,
    pub(super) pending: Vec<Pending>,
    /// Alive while somebody holds the file open.
    pub(super) open: Weak<()>,
    /// Whether it has a name now.
    pub(super) linked: bool,
    /// A sync has succeeded that should have failed; the next one will.
    pub(super) late: bool,
    /// Sectors that cannot be read until they are rewritten.
    pub(super) bad: BTreeSet<u64>,
    /// Sectors as they were before their last write; kept only in runs with stale reads.
    pub(super) old: BTreeMap<u64, [u8; SECTOR_BYTES]>,
}

impl FileState {
    pub(super) fn new(path: Arc<str>) -> Self {
        Self {
            path,
            cache: Image::default(),
            medium: Image::default(),
            pending: Vec::new(),
            open: Weak::new(),
            linked: false,
            late: false,
            bad: BTreeSet::new(),
            old: BTreeMap::new(),
        }
    }

    /// A token to hold as long as the file is open.
    pub(super) fn opened(&mut self) -> Arc<()> {
        self.open.upgrade().unwrap_or_else(|| {
            let token = Arc::new(());
            self.open = Arc::downgrade(&token);
            token
        })
    }

    /// Applies a write to the cache and notes it as pending.
    pub(super) fn write(&mut self, seq: u64, actor: Actor, offset: u64, source: &[u8], pool: &mut Pool) {
        let bytes = if is_page(offset, source.len()) {
            let bytes = pool.page(source);
            let old = self.cache.put(offset, &bytes);
            old.into_iter().for_each(|old| pool.give(old));
            bytes
        } else {
            self.cache.write(offset, source);
            Arc::from(source)
        };
        self.pending.push(Pending::new(seq, actor, Change::Write { offset, bytes }));
    }

    /// Sets the length in the cache and notes it as pending.
    pub(super) fn set_len(&mut self, seq: u64, actor: Actor, len: u64) {
        self.cache.set_len(len);
        self.pending.push(Pending::new(seq, actor, Change::SetLen(len)));
    }

    /// How many pending changes were applied before `seq`.
    pub(super) fn covered(&self, seq: u64) -> usize {
        self.pending.partition_point(|pending| pending.seq < seq)
    }

    /// A sync of the `covered` oldest changes has failed after the first `reached` had been written.
    pub(super) fn fail_sync(&mut self, policy: FailedSync, covered: usize, reached: usize, pool: &mut Pool) {
        self.settle(reached, pool);
        match policy {
            FailedSync::KeptDirty => {}
            FailedSync::CleanNew => drop(self.pending.drain(..covered - reached)),
            FailedSync::Late => {
                self.pending.drain(..covered - reached);
                self.late = true;
            }
            FailedSync::CleanOld => {
                self.pending.drain(..covered - reached);
                self.cache = self.medium.clone();
                for pending in &self.pending {
                    pending.change.apply(&mut self.cache);
                }
            }
        }
    }

    /// Makes the `count` oldest pending changes durable.
    pub(super) fn settle(&mut self, count: usize, pool: &mut Pool) {
        for pending in self.pending.drain(..count) {
            let old = pending.change.apply(&mut self.medium);
            old.into_iter().for_each(|old| pool.give(old));
        }
    }
}
