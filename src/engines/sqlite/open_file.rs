//! One open file as SQLite sees it: its operations in safe Rust, answering SQLite's result codes.
//!
//! Every operation is a place where others may run, *before* its effect: reads, writes, syncs and truncations are
//! submitted to the disk and waited for; what answers at once (locks, sizes) yields first. A dead client's
//! operations fail at once, without effect and without a yield; only giving locks back still works, as the
//! operating system does it for a process that died.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use libsqlite3_sys as ffi;

use super::locks::{Holder, Level};
use super::world::{Client, Node};
use crate::aio::{Buffer, Completion, CompletionError, ErrorKind, FileId, IoKind, Resource};
use crate::disk::File;
use crate::engine::door::{wait, yield_now};

/// How often an interrupted operation is tried again.
const RETRIES_MAX: u32 = 1_000;

/// SQLite's result code.
pub(super) type Code = i32;

/// An open file.
pub(super) struct OpenFile {
    pub(super) client: Rc<Client>,
    pub(super) file: Arc<dyn File>,
    pub(super) path: String,
    pub(super) holder: Holder,
    /// Of the database itself; journals have no locks.
    pub(super) node: Option<Rc<Node>>,
    /// The directory has to be synced with the file's next sync: it may be new.
    pub(super) sync_directory: Cell<bool>,
    pub(super) remove_on_close: bool,
    /// What the code after a wait may touch: the shared memory once it is in use, else nothing that others see.
    pub(super) after: Cell<Resource>,
}

impl OpenFile {
    /// Fills `into` from `offset`; what lies past the end of the file becomes zero.
    pub(super) fn read(&self, into: &mut [u8], offset: u64) -> Code {
        let mut got = 0;
        while got < into.len() {
            let buffer = Buffer::zeroed(into.len() - got);
            let submit = || self.file.pread(offset + got as u64, Completion::read(buffer.clone()));
            match self.perform(submit) {
                Ok(0) => break,
                Ok(bytes) => {
                    into[got..got + bytes].copy_from_slice(&buffer.lock()[..bytes]);
                    got += bytes;
                }
                Err(_) => return ffi::SQLITE_IOERR_READ,
            }
        }
        if got < into.len() {
            into[got..].fill(0);
            return ffi::SQLITE_IOERR_SHORT_READ;
        }
        ffi::SQLITE_OK
    }

    /// Writes all of `bytes` at `offset`.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Code {
        let mut done = 0;
        while done < bytes.len() {
            let rest = Buffer::from(&bytes[done..]);
            match self.perform(|| self.file.pwrite(offset + done as u64, rest.clone(), Completion::write())) {
                Ok(0) => return ffi::SQLITE_IOERR_WRITE,
                Ok(written) => done += written,
                Err(error) if error.io_kind() == Some(ErrorKind::NoSpace) => return ffi::SQLITE_FULL,
                Err(_) => return ffi::SQLITE_IOERR_WRITE,
            }
        }
        ffi::SQLITE_OK
    }

    pub(super) fn truncate(&self, len: u64) -> Code {
        match self.perform(|| self.file.truncate(len, Completion::truncate())) {
            Ok(_) => ffi::SQLITE_OK,
            Err(_) => ffi::SQLITE_IOERR_TRUNCATE,
        }
    }

    /// Syncs the file, and its directory when the file may be new. Unlike SQLite's own layer for Unix it does
    /// not overlook a directory that cannot be synced.
    pub(super) fn sync(&self) -> Code {
        if self.perform(|| self.file.sync(Completion::sync())).is_err() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        if self.sync_directory.get() {
            let io = &self.client.world.io;
            if self.perform(|| io.sync_directory(directory(&self.path), Completion::sync())).is_err() {
                return ffi::SQLITE_IOERR_DIR_FSYNC;
            }
            self.sync_directory.set(false);
        }
        ffi::SQLITE_OK
    }

    pub(super) fn size(&self) -> Result<u64, Code> {
        let resource = whole(self.file.id());
        self.pause(resource).and_then(|()| self.file.size()).map_err(|_| ffi::SQLITE_IOERR_FSTAT)
    }

    pub(super) fn lock(&self, level: Level) -> Code {
        let Some(node) = &self.node else { return ffi::SQLITE_OK };
        if self.pause(node.lock_resource()).is_err() {
            return ffi::SQLITE_IOERR_LOCK;
        }
        if node.locks.borrow_mut().raise(self.holder, level) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
    }

    pub(super) fn unlock(&self, level: Level) -> Code {
        if let Some(node) = &self.node {
            let _ = self.pause(node.lock_resource());
            node.locks.borrow_mut().lower(self.holder, level);
        }
        ffi::SQLITE_OK
    }

    pub(super) fn is_reserved(&self) -> Result<bool, Code> {
        let Some(node) = &self.node else { return Ok(false) };
        self.pause(node.lock_resource()).map_err(|_| ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)?;
        let reserved = node.locks.borrow().is_reserved();
        Ok(reserved)
    }

    /// A region of shared memory; `Ok(None)` when it is not there and is not to be made.
    pub(super) fn map(&self, index: usize, bytes: usize, extend: bool) -> Result<Option<*mut u8>, Code> {
        let Some(node) = &self.node else { return Err(ffi::SQLITE_IOERR_SHMMAP) };
        self.pause(node.memory_resource()).map_err(|_| ffi::SQLITE_IOERR_SHMMAP)?;
        self.after.set(node.memory_resource());
        let region = node.memory.borrow_mut().map(self.holder, index, bytes, extend);
        Ok(region)
    }

    pub(super) fn take_slots(&self, first: u32, count: u32, exclusive: bool) -> Code {
        let Some(node) = &self.node else { return ffi::SQLITE_IOERR_SHMLOCK };
        if self.pause(node.memory_resource()).is_err() {
            return ffi::SQLITE_IOERR_SHMLOCK;
        }
        if node.memory.borrow_mut().slots.take(self.holder, first, count, exclusive) {
            ffi::SQLITE_OK
        } else {
            ffi::SQLITE_BUSY
        }
    }

    pub(super) fn give_slots_back(&self, first: u32, count: u32) -> Code {
        if let Some(node) = &self.node {
            let _ = self.pause(node.memory_resource());
            node.memory.borrow_mut().slots.give_back(self.holder, first, count);
        }
        ffi::SQLITE_OK
    }

    /// Between two halves of something that others read without a lock.
    pub(super) fn barrier(&self) {
        if let Some(node) = &self.node {
            let _ = self.pause(node.memory_resource());
        }
    }

    pub(super) fn unmap(&self) {
        if let Some(node) = &self.node {
            node.memory.borrow_mut().unmap(self.holder);
            self.after.set(private(self.holder));
        }
    }

    pub(super) fn close(&self) {
        if let Some(node) = &self.node {
            node.locks.borrow_mut().lower(self.holder, Level::None);
            node.memory.borrow_mut().unmap(self.holder);
            self.client.closed(self.holder);
        }
        if self.remove_on_close {
            let _ = self.perform(|| self.client.world.io.remove(&self.path, Completion::truncate()));
        }
    }

    /// Submits an operation and waits for it, again when it was interrupted.
    fn perform(&self, submit: impl FnMut() -> Completion) -> Result<usize, CompletionError> {
        perform(&self.client, self.after.get(), submit)
    }

    fn pause(&self, resource: Resource) -> Result<(), CompletionError> {
        pause(&self.client, resource)
    }
}

/// Submits an operation and waits for it, again when it was interrupted. `after` is what the code that comes then
/// touches.
pub(super) fn perform(
    client: &Client,
    after: Resource,
    mut submit: impl FnMut() -> Completion,
) -> Result<usize, CompletionError> {
    let mut outcome = Err(CompletionError::Aborted);
    for _ in 0..RETRIES_MAX {
        if client.is_dead() {
            return Err(CompletionError::Aborted);
        }
        outcome = wait(submit().touching(after));
        if client.is_dead() {
            return Err(CompletionError::Aborted);
        }
        match &outcome {
            Err(error) if error.io_kind() == Some(ErrorKind::Interrupted) => {}
            _ => return outcome,
        }
    }
    outcome
}

/// Lets others run before the code goes on to touch `resource`.
pub(super) fn pause(client: &Client, resource: Resource) -> Result<(), CompletionError> {
    if client.is_dead() {
        return Err(CompletionError::Aborted);
    }
    yield_now(resource)?;
    if client.is_dead() { Err(CompletionError::Aborted) } else { Ok(()) }
}

/// Code that touches nothing that other connections see.
pub(super) const fn private(holder: Holder) -> Resource {
    Resource::read("sqlite-connection", holder as u64)
}

/// The directory part of a path.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

const fn whole(file: FileId) -> Resource {
    Resource::File { file, kind: IoKind::Read, start: 0, end: u64::MAX }
}
