//! The directory: which path names which file, as everybody sees it and as it is durable.
//!
//! An entry becomes durable by a sync of its directory, never by one of the file. A rename changes both its
//! names at once or not at all, in this run and after a crash; it belongs to the directory of its new name.
//!
//! Invariant: changes of one path become durable in the order in which they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aio::FileId;
use crate::tape::Actor;

/// How many changes may wait for a sync; the oldest beyond become durable by themselves.
const PENDING_MAX: usize = 256;

pub(super) type Map = BTreeMap<Arc<str>, FileId>;

/// A change of the directory that is not durable yet.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its place among all changes of the disk.
    pub(super) seq: u64,
    /// The I/O that made it.
    pub(super) actor: Actor,
    pub(super) change: NameChange,
    /// A sync covered it, and the device keeps it in its cache.
    pub(super) on_device: bool,
}

/// What happens to names.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create(Arc<str>, FileId),
    Remove(Arc<str>),
    Rename { from: Arc<str>, to: Arc<str>, file: FileId },
}

impl NameChange {
    /// The directory whose sync makes it durable.
    pub(super) fn directory(&self) -> &str {
        match self {
            Self::Create(path, _) | Self::Remove(path) | Self::Rename { to: path, .. } => parent(path),
        }
    }

    /// The paths it changes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let (one, other) = match self {
            Self::Create(path, _) | Self::Remove(path) => (path, None),
            Self::Rename { from, to, .. } => (to, Some(from)),
        };
        std::iter::once(one).chain(other)
    }

    pub(super) const fn file(&self) -> Option<FileId> {
        match self {
            Self::Create(_, file) | Self::Rename { file, .. } => Some(*file),
            Self::Remove(_) => None,
        }
    }

    pub(super) fn apply(&self, names: &mut Map) {
        match self {
            Self::Create(path, file) => drop(names.insert(Arc::clone(path), *file)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(Arc::clone(to), *file);
            }
        }
    }
}

/// The part of a path before the last `/`, or the root `""`.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) now: Map,
    pub(super) durable: Map,
    pub(super) pending: Vec<Entry>,
}

impl Names {
    /// Makes a change, and answers whether that made older ones durable.
    pub(super) fn change(&mut self, seq: u64, actor: Actor, change: NameChange) -> bool {
        change.apply(&mut self.now);
        self.pending.push(Entry { seq, actor, change, on_device: false });
        let full = self.pending.len() > PENDING_MAX;
        if full {
            for entry in self.pending.drain(..PENDING_MAX / 2) {
                entry.change.apply(&mut self.durable);
            }
        }
        full
    }

    /// The files directly in `directory`.
    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let name = |path: &Arc<str>| {
            let inside = match directory {
                "" => path,
                _ => path.strip_prefix(directory)?.strip_prefix('/')?,
            };
            (!inside.contains('/')).then(|| inside.to_string())
        };
        self.now.keys().filter_map(name).collect()
    }

    /// Makes durable what had been changed in `directory` before `seq`, and what that builds upon; or says
    /// so only (`lie`), and the device has it in its cache.
    pub(super) fn sync(&mut self, directory: &str, seq: u64, lie: bool) {
        let mut needed = BTreeSet::new();
        let mut covered: Vec<bool> = self
            .pending
            .iter()
            .rev()
            .map(|entry| {
                let asked = entry.seq < seq && entry.change.directory() == directory;
                let covered = asked || entry.change.paths().any(|path| needed.contains(path));
                if covered {
                    needed.extend(entry.change.paths().cloned());
                }
                covered
            })
            .collect();
        let durable = &mut self.durable;
        self.pending.retain_mut(|entry| {
            let covered = covered.pop().unwrap_or(false);
            entry.on_device |= covered && lie;
            if covered && !lie {
                entry.change.apply(durable);
            }
            !covered || lie
        });
    }

    /// Makes all changes durable.
    pub(super) fn write_back(&mut self) {
        self.pending.clear();
        self.durable = self.now.clone();
    }

    /// Every file that has a name now, durably, or after some crash.
    pub(super) fn files(&self) -> BTreeSet<FileId> {
        let pending = self.pending.iter().filter_map(|entry| entry.change.file());
        self.now.values().chain(self.durable.values()).copied().chain(pending).collect()
    }
}
