//! Operations in flight, and the identity of each.
//!
//! An operation's identity is (connection, operation, nth I/O), which no schedule changes; its [`IoId`] is
//! only a quick way to its record. Records are used again, so a busy disk allocates nothing.

use crate::aio::{Buffer, Completion, CompletionError, FileId, IoKind, Resource};
use crate::tape::{Actor, name_hash};
use std::sync::Arc;

/// An operation in flight. Small: [`slot`](Self::slot) may index a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IoId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl IoId {
    /// The number of its record, below the largest number of operations that were ever in flight together.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// What an operation will do when its turn comes.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Read {
        file: FileId,
        offset: u64,
        buffer: Buffer,
    },
    Write {
        file: FileId,
        offset: u64,
        data: Data,
    },
    /// Covers what was applied before `covers`.
    Sync {
        file: FileId,
        covers: u64,
    },
    Truncate {
        file: FileId,
        len: u64,
    },
    Remove {
        path: Arc<str>,
    },
    Rename {
        from: Arc<str>,
        to: Arc<str>,
    },
    SyncDirectory {
        directory: Arc<str>,
        covers: u64,
    },
}

/// Where a write takes its bytes from, when it is applied.
#[derive(Clone, Debug)]
pub(super) enum Data {
    One(Buffer),
    Many(Vec<Buffer>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(buffer) => buffer.len(),
            Self::Many(buffers) => buffers.iter().map(Buffer::len).sum(),
        }
    }

    /// Shows the bytes as they are now to `f`.
    pub(super) fn with<T>(&self, scratch: &mut Vec<u8>, f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::One(buffer) => f(&buffer.lock()),
            Self::Many(buffers) => {
                scratch.clear();
                buffers.iter().for_each(|buffer| scratch.extend_from_slice(&buffer.lock()));
                f(scratch)
            }
        }
    }
}

impl Op {
    pub(super) const fn kind(&self) -> IoKind {
        match self {
            Self::Read { .. } => IoKind::Read,
            Self::Write { .. } => IoKind::Write,
            Self::Sync { .. } => IoKind::Sync,
            Self::Truncate { .. } => IoKind::Truncate,
            Self::Remove { .. } | Self::Rename { .. } => IoKind::Directory,
            Self::SyncDirectory { .. } => IoKind::SyncDirectory,
        }
    }

    pub(super) const fn file(&self) -> Option<FileId> {
        match self {
            Self::Read { file, .. }
            | Self::Write { file, .. }
            | Self::Sync { file, .. }
            | Self::Truncate { file, .. } => Some(*file),
            Self::Remove { .. } | Self::Rename { .. } | Self::SyncDirectory { .. } => None,
        }
    }

    /// First byte and number of bytes asked for.
    pub(super) fn range(&self) -> (u64, u64) {
        match self {
            Self::Read { offset, buffer, .. } => (*offset, buffer.len() as u64),
            Self::Write { offset, data, .. } => (*offset, data.len() as u64),
            Self::Truncate { len, .. } => (*len, 0),
            _ => (0, 0),
        }
    }

    pub(super) fn resource(&self) -> Resource {
        let directory = |path: &str| Resource::write("directory", name_hash(path));
        let kind = self.kind();
        match self {
            Self::Read { file, .. } | Self::Write { file, .. } => {
                let (start, len) = self.range();
                Resource::File { file: *file, kind, start, end: start + len }
            }
            Self::Sync { file, .. } | Self::Truncate { file, .. } => {
                Resource::File { file: *file, kind, start: 0, end: u64::MAX }
            }
            Self::Remove { path } | Self::Rename { to: path, .. } => directory(super::names::parent(path)),
            Self::SyncDirectory { directory: path, .. } => directory(path),
        }
    }
}

/// One operation in flight.
pub(super) struct Flight {
    pub(super) actor: Actor,
    /// The order of submission.
    pub(super) serial: u64,
    pub(super) op: Op,
    pub(super) completion: Completion,
    /// The tick before which it may not run.
    pub(super) ready_at: u64,
    /// What it answers, once applied in a turn of its own.
    pub(super) applied: Option<Answer>,
}

/// How an operation ended, and the fault that struck it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) outcome: Result<usize, CompletionError>,
    pub(super) fault: Option<&'static str>,
}

/// All operations in flight.
#[derive(Default)]
pub(super) struct Flights {
    slots: Vec<Slot>,
    free: Vec<u32>,
    serial: u64,
    pub(super) submitted: Vec<IoId>,
    changes: usize,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    flight: Option<Flight>,
}

impl Flights {
    pub(super) fn insert(&mut self, actor: Actor, op: Op, completion: Completion) -> IoId {
        self.count(&op, 1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let entry = &mut self.slots[slot as usize];
        self.serial += 1;
        entry.flight = Some(Flight { actor, serial: self.serial, op, completion, ready_at: 0, applied: None });
        let id = IoId { slot, generation: entry.generation };
        self.submitted.push(id);
        id
    }

    pub(super) fn get(&mut self, id: IoId) -> Option<&mut Flight> {
        let slot = self.slots.get_mut(id.slot())?;
        slot.flight.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// Takes the flight out of its record; [`put_back`](Self::put_back) or [`release`](Self::release) follows.
    pub(super) fn take(&mut self, id: IoId) -> Option<Flight> {
        self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation)?.flight.take()
    }

    pub(super) fn put_back(&mut self, id: IoId, flight: Flight) {
        self.slots[id.slot()].flight = Some(flight);
    }

    /// The record of a flight that was taken is free again.
    pub(super) fn release(&mut self, id: IoId, op: &Op) {
        let slot = &mut self.slots[id.slot()];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        self.count(op, -1);
    }

    /// Takes all, in the order of submission.
    pub(super) fn drain(&mut self) -> Vec<Flight> {
        self.submitted.clear();
        let mut flights = Vec::with_capacity(self.len());
        for slot in 0..self.slots.len() {
            let id = IoId { slot: slot as u32, generation: self.slots[slot].generation };
            if let Some(flight) = self.take(id) {
                self.release(id, &flight.op);
                flights.push(flight);
            }
        }
        flights.sort_by_key(|flight| flight.serial);
        flights
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.slots.iter().filter_map(|slot| slot.flight.as_ref())
    }

    /// The oldest operation in flight; nobody else will ask for what was submitted.
    pub(super) fn oldest(&mut self) -> Option<IoId> {
        self.submitted.clear();
        let all = self.slots.iter().enumerate();
        let all = all.filter_map(|(slot, entry)| {
            let id = IoId { slot: slot as u32, generation: entry.generation };
            entry.flight.as_ref().map(|flight| (flight.serial, id))
        });
        all.min().map(|(_, id)| id)
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The operations of a connection, in the order of submission.
    pub(super) fn of(&self, connection: u16) -> Vec<IoId> {
        let all = self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let flight = entry.flight.as_ref().filter(|flight| flight.actor.connection() == Some(connection))?;
            Some((flight.serial, IoId { slot: slot as u32, generation: entry.generation }))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// All operations in flight but reads.
    pub(super) const fn changes(&self) -> usize {
        self.changes
    }

    fn count(&mut self, op: &Op, by: isize) {
        if op.kind() != IoKind::Read {
            self.changes = self.changes.wrapping_add_signed(by);
        }
    }
}

/// Gives out identities: who submits now, and how many I/Os that operation has issued.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuers {
    current: (u16, u32),
    /// Per connection, its last operations; a callback may still submit for one that is over.
    connections: Vec<(u16, Vec<Issued>)>,
}

#[derive(Clone, Copy, Debug)]
struct Issued {
    op: u32,
    ios: u32,
    randoms: u32,
    allocations: u32,
}

/// How many operations of a connection are remembered.
const REMEMBERED: usize = 32;

impl Issuers {
    pub(super) const fn set(&mut self, connection: u16, op: u32) {
        self.current = (connection, op);
    }

    /// The identity of the next I/O.
    pub(super) fn next(&mut self) -> Actor {
        let (connection, op) = self.current;
        let issued = self.issued();
        let nth = issued.ios;
        issued.ios += 1;
        Actor::Io { connection, op, nth }
    }

    /// The place of the next random number: connection, operation, how-many-eth.
    pub(super) fn next_random(&mut self) -> (u16, u32, u32) {
        let (connection, op) = self.current;
        let issued = self.issued();
        let n = issued.randoms;
        issued.randoms += 1;
        (connection, op, n)
    }

    /// The place of the next allocation.
    pub(super) fn next_allocation(&mut self) -> (u16, u32, u32) {
        let (connection, op) = self.current;
        let issued = self.issued();
        let n = issued.allocations;
        issued.allocations += 1;
        (connection, op, n)
    }

    fn issued(&mut self) -> &mut Issued {
        let (connection, op) = self.current;
        let at = self.connections.iter().position(|(known, _)| *known == connection).unwrap_or_else(|| {
            self.connections.push((connection, Vec::with_capacity(REMEMBERED)));
            self.connections.len() - 1
        });
        let ops = &mut self.connections[at].1;
        let known = ops.iter().rposition(|issued| issued.op == op).unwrap_or_else(|| {
            if ops.len() == REMEMBERED {
                ops.remove(0);
            }
            ops.push(Issued { op, ios: 0, randoms: 0, allocations: 0 });
            ops.len() - 1
        });
        &mut ops[known]
    }
}
