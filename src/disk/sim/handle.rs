//! What an engine holds: the disk as [`Io`], and open files.
//!
//! A handle belongs to one epoch. After everything has stopped, all it does is refuse with `Aborted`.

use std::sync::Arc;

use super::file::FileState;
use super::flight::{Data, Op};
use super::image::FILE_BYTES_MAX;
use super::names::NameChange;
use super::state::State;
use super::{SimDisk, turn};
use crate::aio::{Buffer, Completion, CompletionError, ErrorKind, FileId, IoError, IoKind};
use crate::disk::{File, Io, OpenMode, path};

pub(super) struct SimIo {
    pub(super) disk: SimDisk,
    pub(super) epoch: u32,
}

struct SimFile {
    disk: SimDisk,
    epoch: u32,
    id: FileId,
    path: Arc<str>,
    _open: Arc<()>,
}

fn name_error(path: &str, kind: ErrorKind) -> CompletionError {
    refused(IoKind::Directory, path, kind)
}

fn refused(operation: IoKind, path: &str, kind: ErrorKind) -> CompletionError {
    IoError { operation, path: path.into(), offset: 0, len: 0, done: 0, kind, os: None }.into()
}

fn check_path(path: &str) -> Result<(), CompletionError> {
    path::check(path).map_err(|kind| name_error(path, kind))
}

impl SimIo {
    fn live<T>(&self, f: impl FnOnce(&mut State) -> Result<T, CompletionError>) -> Result<T, CompletionError> {
        self.disk.live(self.epoch, f)
    }
}

impl Io for SimIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>, CompletionError> {
        check_path(path)?;
        self.live(|state| {
            let id = match (state.world.names.now.get(path), mode) {
                (Some(_), OpenMode::CreateNew) => return Err(name_error(path, ErrorKind::AlreadyExists)),
                (Some(id), _) => *id,
                (None, OpenMode::Existing) => return Err(name_error(path, ErrorKind::NotFound)),
                (None, _) => create(state, path),
            };
            let open = state.world.file(id).opened();
            let disk = self.disk.clone();
            let handle = SimFile { disk, epoch: self.epoch, id, path: path.into(), _open: open };
            Ok(Arc::new(handle) as Arc<dyn File>)
        })
    }

    fn exists(&self, path: &str) -> Result<bool, CompletionError> {
        check_path(path)?;
        self.live(|state| Ok(state.world.names.now.contains_key(path)))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, CompletionError> {
        path::check_directory(directory).map_err(|kind| name_error(directory, kind))?;
        self.live(|state| Ok(state.world.names.list(directory)))
    }

    fn remove(&self, path: &str, completion: Completion) -> Completion {
        self.disk.submit(self.epoch, completion, |_| {
            check_path(path)?;
            Ok(Op::Remove { path: path.into() })
        })
    }

    fn rename(&self, from: &str, to: &str, completion: Completion) -> Completion {
        self.disk.submit(self.epoch, completion, |_| {
            check_path(from)?;
            check_path(to)?;
            Ok(Op::Rename { from: from.into(), to: to.into() })
        })
    }

    fn sync_directory(&self, directory: &str, completion: Completion) -> Completion {
        self.disk.submit(self.epoch, completion, |state| {
            let operation = IoKind::SyncDirectory;
            path::check_directory(directory).map_err(|kind| refused(operation, directory, kind))?;
            Ok(Op::SyncDirectory { directory: directory.into(), covers: state.world.seq + 1 })
        })
    }

    fn timer(&self, ticks: u64) -> Completion {
        let completion = Completion::timer();
        let handle = completion.clone();
        let added = self.live(|state| {
            state.timers.add(ticks, handle);
            // Whoever gives turns looks at deadlines when something has been submitted.
            self.disk.0.submitted.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        });
        if added.is_err() {
            completion.abort();
        }
        completion
    }

    fn now(&self) -> u64 {
        self.disk.engine_now()
    }

    fn random(&self) -> u64 {
        self.disk.random()
    }

    fn allocate(&self, site: &'static str, bytes: usize) -> Result<(), CompletionError> {
        self.disk.allocate(self.epoch, site, bytes)
    }

    fn step(&self) -> Result<(), CompletionError> {
        self.live(|_| Ok(()))?;
        self.disk.step()
    }
}

/// A new empty file; the creation counts as an I/O of whoever asks for it.
fn create(state: &mut State, path: &str) -> FileId {
    let id = FileId(state.world.files.len() as u32);
    let path: Arc<str> = path.into();
    state.world.files.push(FileState::new(path.clone()));
    let actor = state.issuers.next();
    state.world.change_names(actor, NameChange::Create(path, id));
    id
}

impl File for SimFile {
    fn id(&self) -> FileId {
        self.id
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> Result<u64, CompletionError> {
        self.disk.live(self.epoch, |state| Ok(state.world.file(self.id).cache.len()))
    }

    fn pread(&self, offset: u64, completion: Completion) -> Completion {
        let buffer = completion.buffer().cloned();
        self.submit(completion, |_| {
            // A read into nothing is refused: there is no length to ask for.
            let (buffer, known) = buffer.map_or_else(|| (Buffer::zeroed(0), false), |buffer| (buffer, true));
            (Op::Read { file: self.id, offset, buffer }, known)
        })
    }

    fn pwrite(&self, offset: u64, buffer: Buffer, completion: Completion) -> Completion {
        self.submit(completion, |_| (Op::Write { file: self.id, offset, data: Data::One(buffer) }, true))
    }

    fn pwritev(&self, offset: u64, buffers: Vec<Buffer>, completion: Completion) -> Completion {
        self.submit(completion, |_| (Op::Write { file: self.id, offset, data: Data::Many(buffers) }, true))
    }

    fn sync(&self, completion: Completion) -> Completion {
        self.submit(completion, |state| (Op::Sync { file: self.id, covers: state.world.seq + 1 }, true))
    }

    fn truncate(&self, len: u64, completion: Completion) -> Completion {
        self.submit(completion, |_| (Op::Truncate { file: self.id, len }, true))
    }
}

impl SimFile {
    /// Submits the operation if it is one (`true`) and stays within the largest file.
    fn submit(&self, completion: Completion, op: impl FnOnce(&State) -> (Op, bool)) -> Completion {
        self.disk.submit(self.epoch, completion, |state| {
            let (op, sound) = op(state);
            let (offset, len) = op.range();
            match sound && offset.checked_add(len).is_some_and(|end| end <= FILE_BYTES_MAX) {
                true => Ok(op),
                false => Err(turn::failure(&state.world.files, &op, 0, ErrorKind::Other)),
            }
        })
    }
}
