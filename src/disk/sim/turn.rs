//! One operation's turn: it takes effect, or a fault strikes.
//!
//! Each fault is a draw of its own, keyed by the I/O's identity and the fault's name, so that taking one
//! fault out of a case leaves the others where they are.

use super::config::SECTOR_BYTES;
use super::file::FileState;
use super::flight::{Answer, Data, Op};
use super::names::NameChange;
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
        let outcome = match op {
            Op::Read { file, offset, buffer } => self.read(op, *file, *offset, buffer),
            Op::Write { file, offset, data } => self.write(op, *file, *offset, data),
            Op::Sync { file, covers } => self.sync(op, *file, *covers),
            Op::Truncate { file, len } => self.truncate(*file, *len),
            Op::Remove { path } => match self.state.world.names.now.contains_key(path) {
                true => self.change_names(NameChange::Remove(path.clone())),
                false => self.fail(op, 0, ErrorKind::NotFound),
            },
            Op::Rename { from, to } => match self.state.world.names.now.get(from).copied() {
                Some(_) if from == to => Ok(0),
                Some(file) => self.change_names(NameChange::Rename { from: from.clone(), to: to.clone(), file }),
                None => self.fail(op, 0, ErrorKind::NotFound),
            },
            Op::SyncDirectory { directory, covers } => self.sync_directory(op, directory, *covers),
        };
        Answer { outcome, fault: self.fault }
    }

    /// Whether the fault `kind` strikes.
    pub(super) fn strikes(&mut self, kind: &'static str, ratio: Ratio) -> bool {
        let strikes = self.state.faults_on && self.tape.chance(self.actor, kind, 0, ratio);
        if strikes {
            self.fault = Some(kind);
            *self.state.stats.faults.entry(kind).or_default() += 1;
        }
        strikes
    }

    fn fail(&self, op: &Op, done: usize, kind: ErrorKind) -> Outcome {
        Err(failure(&self.state.world.files, op, done, kind))
    }

    fn file(&mut self, file: FileId) -> &mut FileState {
        self.state.world.file(file)
    }

    fn read(&mut self, op: &Op, file: FileId, offset: u64, buffer: &Buffer) -> Outcome {
        self.state.stats.reads += 1;
        if self.strikes("read-eio", self.state.config.read_eio) {
            return self.fail(op, 0, ErrorKind::Io);
        }
        let there = self.file(file).cache.len().saturating_sub(offset);
        let mut count = there.min(buffer.len() as u64) as usize;
        if count > 1 && self.strikes("read-short", self.state.config.read_short) {
            count -= 1 + self.tape.draw(self.actor, "read-short-by", 0, count as u64 - 1) as usize;
        }
        self.file(file).cache.read(offset, &mut buffer.lock()[..count]);
        self.state.stats.bytes_read += count as u64;
        Ok(count)
    }

    fn write(&mut self, op: &Op, file: FileId, offset: u64, data: &Data) -> Outcome {
        self.state.stats.writes += 1;
        let mut count = data.len();
        if self.strikes("write-eio", self.state.config.write_eio) {
            let sectors = count.div_ceil(SECTOR_BYTES) as u64;
            let done = self.tape.draw(self.actor, "write-eio-after", 0, sectors + 1) as usize * SECTOR_BYTES;
            let done = done.min(count);
            self.put(file, offset, data, done);
            return self.fail(op, done, ErrorKind::Io);
        }
        if count > 1 && self.strikes("write-short", self.state.config.write_short) {
            count -= 1 + self.tape.draw(self.actor, "write-short-by", 0, count as u64 - 1) as usize;
        }
        self.put(file, offset, data, count);
        Ok(count)
    }

    /// Writes the first `count` bytes of `data`, as they are at this moment.
    fn put(&mut self, file: FileId, offset: u64, data: &Data, count: usize) {
        if count == 0 {
            return;
        }
        let mut scratch = std::mem::take(&mut self.state.scratch);
        let seq = self.state.world.next_seq();
        let actor = self.actor;
        data.with(&mut scratch, |bytes| self.sized(file, |file| file.write(seq, actor, offset, &bytes[..count])));
        self.state.scratch = scratch;
        self.state.stats.bytes_written += count as u64;
        self.settle_oldest(file);
    }

    fn truncate(&mut self, file: FileId, len: u64) -> Outcome {
        let seq = self.state.world.next_seq();
        let actor = self.actor;
        self.sized(file, |file| file.set_len(seq, actor, len));
        self.settle_oldest(file);
        Ok(0)
    }

    /// Changes a file and keeps count of the pages.
    fn sized(&mut self, file: FileId, change: impl FnOnce(&mut FileState)) {
        let world = &mut self.state.world;
        let file = &mut world.files[file.0 as usize];
        let before = file.cache.pages();
        change(file);
        world.pages = world.pages + file.cache.pages() - before;
        self.state.stats.pages_touched = self.state.stats.pages_touched.max(world.pages);
    }

    fn settle_oldest(&mut self, file: FileId) {
        let max = self.state.config.unsynced_writes_max as usize;
        let file = self.state.world.file(file);
        if file.pending.len() > max {
            file.settle(file.pending.len() - max / 2);
        }
    }

    fn sync(&mut self, op: &Op, file: FileId, covers: u64) -> Outcome {
        self.state.stats.syncs += 1;
        if self.strikes("sync-eio", self.state.config.sync_eio) {
            return self.fail(op, 0, ErrorKind::Io);
        }
        self.file(file).sync(covers);
        Ok(0)
    }

    fn sync_directory(&mut self, op: &Op, directory: &str, covers: u64) -> Outcome {
        self.state.stats.syncs += 1;
        if self.strikes("sync-eio", self.state.config.sync_eio) {
            return self.fail(op, 0, ErrorKind::Io);
        }
        self.state.world.names.sync(directory, covers);
        self.state.world.collect();
        Ok(0)
    }

    fn change_names(&mut self, change: NameChange) -> Outcome {
        if let NameChange::Rename { to, file, .. } = &change {
            self.state.world.file(*file).path = to.clone();
        }
        let seq = self.state.world.next_seq();
        self.state.world.names.change(seq, self.actor, change);
        Ok(0)
    }
}

/// The error of kind `kind` that `op` gets.
pub(super) fn failure(files: &[FileState], op: &Op, done: usize, kind: ErrorKind) -> CompletionError {
    let path = match op {
        Op::Remove { path } | Op::Rename { from: path, .. } | Op::SyncDirectory { directory: path, .. } => path,
        _ => op.file().map(|file| &files[file.0 as usize].path).expect("other operations have a file"),
    };
    let (offset, len) = op.range();
    IoError { operation: op.kind(), path: path.clone(), offset, len, done: done as u64, kind, os: None }.into()
}
