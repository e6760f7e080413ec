//! One operation's turn: it takes effect, or a fault strikes.
//!
//! Each fault is a draw of its own, keyed by the I/O's identity and the fault's name, so that taking one
//! fault out of a case leaves the others where they are. Faults that cannot strike are not drawn.

use std::sync::Arc;

use super::config::{FailedSync, MediaFault, SECTOR_BYTES};
use super::file::FileState;
use super::flight::{Answer, Data, Op};
use super::image::{PAGE_BYTES, Pool};
use super::media::{ReadFault, WriteFault};
use super::names::NameChange;
use super::rule::{Dice, IoFacts, Strike};
use super::state::State;
use crate::aio::{Buffer, CompletionError, ErrorKind, FileId, IoError};
use crate::tape::{Actor, Ratio, Tape};

/// The turn of one operation.
pub(super) struct Turn<'a> {
    pub(super) state: &'a mut State,
    pub(super) actor: Actor,
    pub(super) tape: &'a mut Tape,
    /// The fault that struck, if one did.
    pub(super) fault: Option<&'static str>,
}

type Outcome = Result<usize, CompletionError>;

impl Turn<'_> {
    /// Applies `op`.
    pub(super) fn apply(mut self, op: &Op) -> Answer {
        self.jump_clock();
        let strike = self.rules(op);
        let outcome = match (strike, op) {
            (Some(Strike::Fail(kind)), _) => self.fail(op, 0, kind),
            (Some(Strike::Lose), _) => Ok(op.range().1 as usize),
            (_, Op::Read { file, offset, buffer }) => self.read(op, *file, *offset, buffer, strike),
            (_, Op::Write { file, offset, data }) => self.write(op, *file, *offset, data, strike),
            (_, Op::Sync { file, covers }) => self.sync(op, *file, *covers),
            (_, Op::Truncate { file, len }) => self.truncate(*file, *len),
            (_, Op::Remove { path }) => match self.state.world.names.now.contains_key(path) {
                true => self.change_names(NameChange::Remove(Arc::clone(path))),
                false => self.fail(op, 0, ErrorKind::NotFound),
            },
            (_, Op::Rename { from, to }) => match self.state.world.names.now.get(from).copied() {
                Some(_) if from == to => Ok(0),
                Some(file) => {
                    self.change_names(NameChange::Rename { from: Arc::clone(from), to: Arc::clone(to), file })
                }
                None => self.fail(op, 0, ErrorKind::NotFound),
            },
            (_, Op::SyncDirectory { directory, covers }) => self.sync_directory(op, directory, *covers),
        };
        Answer { outcome, fault: self.fault }
    }

    /// Whether the fault `kind` strikes.
    pub(super) fn strikes(&mut self, kind: &'static str, ratio: Ratio) -> bool {
        let strikes = self.state.faults_on && self.tape.chance(self.actor, kind, 0, ratio);
        if strikes {
            self.struck(kind);
        }
        strikes
    }

    fn struck(&mut self, kind: &'static str) {
        self.fault = Some(kind);
        *self.state.stats.faults.entry(kind).or_default() += 1;
    }

    fn fail(&self, op: &Op, done: usize, kind: ErrorKind) -> Outcome {
        Err(failure(&self.state.world.files, op, done, kind))
    }

    fn file(&mut self, file: FileId) -> &mut FileState {
        self.state.world.file(file)
    }

    fn jump_clock(&mut self) {
        let max = self.state.config.clock_jump_ticks_max.clamp(1, i64::MAX as u64 / 2);
        if self.strikes("clock-jump", self.state.config.clock_jump) {
            let drawn = self.tape.draw(self.actor, "clock-jump-by", 0, max * 2) as i64;
            let ticks = drawn / 2 + 1;
            self.state.timers.jump(if drawn % 2 == 0 { ticks } else { -ticks });
        }
    }

    /// The user's own faults.
    fn rules(&mut self, op: &Op) -> Option<Strike> {
        if self.state.rules.is_empty() || !self.state.faults_on {
            return None;
        }
        let file = op.file().map(|file| &self.state.world.files[file.0 as usize]);
        let (offset, len) = op.range();
        let path = path(&self.state.world.files, op);
        let (actor, kind, now) = (self.actor, op.kind(), self.state.timers.now());
        let facts = IoFacts { actor, kind, path, offset, len, file_len: file.map_or(0, |file| file.cache.len()), now };
        let mut rules = self.state.rules.iter();
        let (name, strike) = rules.find_map(|rule| {
            let mut dice = Dice::new(self.tape, actor, rule.name());
            rule.strike(&facts, &mut dice).map(|strike| (rule.name(), strike))
        })?;
        self.struck(name);
        Some(strike)
    }

    /// How many of `count` bytes are transferred.
    fn shorten(
        &mut self,
        count: usize,
        (kind, by): (&'static str, &'static str),
        ratio: Ratio,
        rule: Option<Strike>,
    ) -> usize {
        match rule {
            Some(Strike::Short(most)) => count.min(most.max(1)),
            None if count > 1 && self.strikes(kind, ratio) => {
                count - 1 - self.tape.draw(self.actor, by, 0, count as u64 - 1) as usize
            }
            _ => count,
        }
    }

    fn read(&mut self, op: &Op, id: FileId, offset: u64, buffer: &Buffer, rule: Option<Strike>) -> Outcome {
        self.state.stats.reads += 1;
        if rule.is_none() && self.strikes("interrupted", self.state.config.interrupted) {
            return self.fail(op, 0, ErrorKind::Interrupted);
        }
        if rule.is_none() && self.strikes("read-eio", self.state.config.read_eio) {
            return self.fail(op, 0, ErrorKind::Io);
        }
        let there = self.file(id).cache.len().saturating_sub(offset);
        let count = there.min(buffer.len() as u64) as usize;
        let count = self.shorten(count, ("read-short", "read-short-by"), self.state.config.read_short, rule);
        if self.file(id).unreadable(offset, count as u64) {
            self.fault = Some(MediaFault::LatentSector.name());
            return self.fail(op, 0, ErrorKind::Io);
        }
        let fault = if rule.is_none() { self.read_fault(id, offset, count) } else { None };
        let mut bytes = buffer.lock();
        let file = self.state.world.file(id);
        match fault {
            Some(ReadFault::Unreadable) => return self.fail(op, 0, ErrorKind::Io),
            Some(ReadFault::From(place)) => drop(file.cache.read(place, &mut bytes[..count])),
            Some(ReadFault::Stale) => file.read_old(offset, &mut bytes[..count]),
            Some(ReadFault::Flip(_)) | None => drop(file.cache.read(offset, &mut bytes[..count])),
        }
        match (fault, rule) {
            (Some(ReadFault::Flip(bit)), _) => bytes[bit as usize / 8] ^= 1 << (bit % 8),
            (_, Some(Strike::Corrupt { at, mask })) if at < count => bytes[at] ^= mask,
            _ => {}
        }
        self.state.stats.bytes_read += count as u64;
        Ok(count)
    }

    fn write(&mut self, op: &Op, file: FileId, offset: u64, data: &Data, rule: Option<Strike>) -> Outcome {
        self.state.stats.writes += 1;
        let len = data.len();
        if rule.is_none() && self.strikes("interrupted", self.state.config.interrupted) {
            return self.fail(op, 0, ErrorKind::Interrupted);
        }
        if rule.is_none() && self.strikes("write-eio", self.state.config.write_eio) {
            let sectors = len.div_ceil(SECTOR_BYTES) as u64;
            let done = self.tape.draw(self.actor, "write-eio-after", 0, sectors + 1) as usize * SECTOR_BYTES;
            let done = self.room(file, offset, done.min(len));
            self.put(file, offset, data, done, None);
            return self.fail(op, done, ErrorKind::Io);
        }
        if rule.is_none() && self.no_space(file, offset, len) {
            return self.fail(op, 0, ErrorKind::NoSpace);
        }
        let count = self.room(file, offset, len);
        if count == 0 && len > 0 {
            self.struck("no-space");
            return self.fail(op, 0, ErrorKind::NoSpace);
        }
        let count = self.shorten(count, ("write-short", "write-short-by"), self.state.config.write_short, rule);
        match if rule.is_none() { self.write_fault(file, offset, count) } else { None } {
            Some(WriteFault::Lost) => {}
            Some(WriteFault::To(other, place)) => self.put(other, place, data, count, None),
            None => self.put(file, offset, data, count, rule),
        }
        Ok(count)
    }

    /// A write that needs room is refused though there is some.
    fn no_space(&mut self, file: FileId, offset: u64, len: usize) -> bool {
        if self.state.config.no_space.is_zero() {
            return false;
        }
        let cache = &self.file(file).cache;
        let grows = offset + len as u64 > cache.len() || cache.fitting(offset, len, 0) < len;
        len > 0 && grows && self.strikes("no-space", self.state.config.no_space)
    }

    /// How many of `len` bytes find room.
    fn room(&mut self, file: FileId, offset: u64, len: usize) -> usize {
        let Some(capacity) = self.state.config.capacity_bytes.filter(|_| self.state.faults_on) else { return len };
        let world = &self.state.world;
        let pages = capacity / PAGE_BYTES as u64;
        let most = len as u64 / PAGE_BYTES as u64 + 2;
        if world.pages + most <= pages {
            return len;
        }
        let room = pages.saturating_sub(world.pages_taken());
        world.files[file.0 as usize].cache.fitting(offset, len, room)
    }

    /// Writes the first `count` bytes of `data`, as they are at this moment.
    fn put(&mut self, file: FileId, offset: u64, data: &Data, count: usize, rule: Option<Strike>) {
        if count == 0 {
            return;
        }
        let mut scratch = std::mem::take(&mut self.state.scratch);
        let seq = self.state.world.next_seq();
        let actor = self.actor;
        let remember = self.state.world.media == Some(MediaFault::StaleRead);
        data.with(&mut scratch, |bytes| {
            self.sized(file, |file, pool| {
                file.rewritten(offset, count as u64, remember);
                match rule {
                    Some(Strike::Corrupt { at, mask }) if at < count => {
                        let mut bytes = bytes[..count].to_vec();
                        bytes[at] ^= mask;
                        file.write(seq, actor, offset, &bytes, pool);
                    }
                    _ => file.write(seq, actor, offset, &bytes[..count], pool),
                }
            });
        });
        self.state.scratch = scratch;
        self.state.stats.bytes_written += count as u64;
        self.settle_oldest(file);
    }

    fn truncate(&mut self, file: FileId, len: u64) -> Outcome {
        let seq = self.state.world.next_seq();
        let actor = self.actor;
        self.sized(file, |file, _| {
            file.bad.retain(|sector| sector * (SECTOR_BYTES as u64) < len);
            file.set_len(seq, actor, len);
        });
        self.settle_oldest(file);
        Ok(0)
    }

    /// Changes a file and keeps count of the pages.
    fn sized(&mut self, file: FileId, change: impl FnOnce(&mut FileState, &mut Pool)) {
        let world = &mut self.state.world;
        let file = &mut world.files[file.0 as usize];
        let before = file.cache.pages();
        change(file, &mut self.state.pool);
        world.pages = world.pages + file.cache.pages() - before;
        self.state.stats.pages_touched = self.state.stats.pages_touched.max(world.pages);
    }

    fn settle_oldest(&mut self, file: FileId) {
        let max = self.state.config.unsynced_writes_max as usize;
        let file = self.state.world.file(file);
        if file.pending.len() > max {
            file.settle(file.pending.len() - max / 2, &mut self.state.pool);
        }
    }

    fn sync(&mut self, op: &Op, id: FileId, covers: u64) -> Outcome {
        self.state.stats.syncs += 1;
        let covered = self.file(id).covered(covers);
        if std::mem::take(&mut self.file(id).late) {
            self.state.world.file(id).settle(covered, &mut self.state.pool);
            self.struck("sync-eio-late");
            return self.fail(op, 0, ErrorKind::Io);
        }
        if self.strikes("sync-eio", self.state.config.sync_eio) {
            return self.fail_sync(op, id, covered);
        }
        if covered > 0 && self.strikes("sync-lie", self.state.config.sync_lie) {
            self.file(id).pending[..covered].iter_mut().for_each(|pending| pending.on_device = true);
        } else {
            self.state.world.file(id).settle(covered, &mut self.state.pool);
        }
        Ok(0)
    }

    fn fail_sync(&mut self, op: &Op, id: FileId, covered: usize) -> Outcome {
        let policy = self.failed_sync();
        let reached = match covered {
            0 => 0,
            _ => self.tape.draw(self.actor, "sync-eio-after", 0, covered as u64) as usize,
        };
        self.sized(id, |file, pool| file.fail_sync(policy, covered, reached, pool));
        if policy == FailedSync::Late {
            self.state.stats.syncs_betrayed += u64::from(covered > 0);
            return Ok(0);
        }
        self.fail(op, 0, ErrorKind::Io)
    }

    /// What this run's file system does when a sync fails.
    fn failed_sync(&mut self) -> FailedSync {
        let chosen = self.state.config.failed_sync.or(self.state.world.failed_sync);
        let policy = chosen.unwrap_or_else(|| {
            FailedSync::ALL[self.tape.weighted(Actor::Crash, "failed-sync", 0, &FailedSync::WEIGHTS)]
        });
        self.state.world.failed_sync = Some(policy);
        policy
    }

    fn sync_directory(&mut self, op: &Op, directory: &str, covers: u64) -> Outcome {
        self.state.stats.syncs += 1;
        if self.strikes("sync-eio", self.state.config.sync_eio) {
            return self.fail(op, 0, ErrorKind::Io);
        }
        let changed = !self.state.world.names.pending.is_empty();
        let lie = changed && self.strikes("sync-lie", self.state.config.sync_lie);
        self.state.world.names.sync(directory, covers, lie);
        self.state.world.collect();
        Ok(0)
    }

    fn change_names(&mut self, change: NameChange) -> Outcome {
        self.state.world.change_names(self.actor, change);
        Ok(0)
    }
}

/// The name that `op` is about.
pub(super) fn path<'a>(files: &'a [FileState], op: &'a Op) -> &'a Arc<str> {
    match op {
        Op::Remove { path } | Op::Rename { from: path, .. } | Op::SyncDirectory { directory: path, .. } => path,
        _ => op.file().map(|file| &files[file.0 as usize].path).expect("other operations have a file"),
    }
}

/// The error of kind `kind` that `op` gets.
pub(super) fn failure(files: &[FileState], op: &Op, done: usize, kind: ErrorKind) -> CompletionError {
    let (offset, len) = op.range();
    let path = Arc::clone(path(files, op));
    IoError { operation: op.kind(), path, offset, len, done: done as u64, kind, os: None }.into()
}
