//! Disks: the two small traits an engine writes to, and what stands behind them.
//!
//! [`Io`] and [`File`] have two implementations: [`sim`], the fault-injecting disk in memory, and [`real`],
//! the file system. An engine written for the one runs unchanged on the other, and the same script gives
//! the same answers on both as long as no fault is injected. The disk does not know the scheduler: it holds
//! operations in flight, and somebody else says which goes next.

mod block_on;
mod path;
#[cfg(unix)]
pub mod real;
pub mod sim;

use std::sync::Arc;

use crate::aio::{Buffer, Completion, CompletionError, FileId};

pub use block_on::block_on;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist.
    Existing,
    /// It is created empty when it does not exist.
    Create,
    /// It must not exist.
    CreateNew,
}

/// A disk, and the few other things an engine needs from the world: time and random numbers.
///
/// A handle is cloned freely (`Arc<dyn Io>`). Paths are relative, with `/` between parts; directories come
/// into being with the first file in them. Every operation that takes a [`Completion`] gives it back as the
/// handle to wait for, whether it is in flight, finished, or refused.
pub trait Io: Send + Sync {
    /// Opens a file. The volatile directory changes at once; its new entry is durable after
    /// [`sync_directory`](Self::sync_directory).
    ///
    /// # Errors
    /// Not found, exists already, or the disk is dead (`Aborted`).
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>, CompletionError>;

    /// Whether there is a file at `path`.
    ///
    /// # Errors
    /// When the disk is dead.
    fn exists(&self, path: &str) -> Result<bool, CompletionError>;

    /// The names of the files directly in `directory` (`""` is the root), sorted.
    ///
    /// # Errors
    /// When the disk is dead.
    fn list(&self, directory: &str) -> Result<Vec<String>, CompletionError>;

    /// Removes a file; durable after a directory sync. Open handles go on working.
    fn remove(&self, path: &str, completion: Completion) -> Completion;

    /// Renames a file, over another if there is one, atomically; durable after a directory sync.
    fn rename(&self, from: &str, to: &str, completion: Completion) -> Completion;

    /// Makes a directory's entries durable.
    fn sync_directory(&self, directory: &str, completion: Completion) -> Completion;

    /// Finishes `ticks` ticks from now.
    fn timer(&self, ticks: u64) -> Completion;

    /// The time, in ticks. Under the simulator it is virtual: about one tick a turn. On the real disk a tick
    /// is a microsecond.
    fn now(&self) -> u64;

    /// 64 random bits; under the simulator from the run's tape.
    fn random(&self) -> u64;

    /// Announces that `bytes` bytes are about to be allocated at the place called `site`, such as `"page cache"`. Under
    /// the simulator the answer may be that there is no memory; the engine must then refuse cleanly what it was asked
    /// and work on. Elsewhere it is always granted.
    ///
    /// # Errors
    /// `NoMemory` when the allocation is to fail, `Aborted` when the disk is dead.
    fn allocate(&self, _site: &'static str, _bytes: usize) -> Result<(), CompletionError> {
        Ok(())
    }

    /// Lets I/O make progress, for engines that wait inside a call instead of returning [`IOResult::IO`](crate::aio::IOResult).
    ///
    /// # Errors
    /// When the disk is dead, and when nothing in flight could ever make progress.
    fn step(&self) -> Result<(), CompletionError>;
}

/// An open file.
pub trait File: Send + Sync {
    /// The file's number on its disk.
    fn id(&self) -> FileId;

    /// The path it was opened by.
    fn path(&self) -> &str;

    /// The size now, in bytes, with every applied write counted.
    ///
    /// # Errors
    /// When the disk is dead.
    fn size(&self) -> Result<u64, CompletionError>;

    /// Reads into the completion's buffer from byte `offset`. Fewer bytes than the buffer holds may come
    /// back, at the end of the file always, elsewhere when the disk feels like it.
    fn pread(&self, offset: u64, completion: Completion) -> Completion;

    /// Writes `buffer` at byte `offset`. Fewer bytes may be written, at least one. The bytes are taken when
    /// the write is applied, so the buffer must not change before the completion has finished.
    fn pwrite(&self, offset: u64, buffer: Buffer, completion: Completion) -> Completion;

    /// Writes `buffers` one after the other at byte `offset`, as one operation.
    fn pwritev(&self, offset: u64, buffers: Vec<Buffer>, completion: Completion) -> Completion;

    /// Makes durable what had been written to this file before the sync was submitted. Writes still in
    /// flight then are not covered, and neither is the directory entry.
    fn sync(&self, completion: Completion) -> Completion;

    /// Sets the size, in bytes. New bytes read as zero.
    fn truncate(&self, len: u64, completion: Completion) -> Completion;
}
