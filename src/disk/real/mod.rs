//! The real file system behind the traits of [`disk`](super): a directory as a disk.
//!
//! Operations are queued when they are submitted and performed at [`step`](Io::step), one a step, in the
//! order of their submission. Short transfers and interrupted calls come back as the operating system gives
//! them: an engine that runs here has met them. A tick is a microsecond of a monotonic clock, and random
//! numbers are the operating system's, so nothing here can be replayed. No simulated run comes this way.
//!
//! The disk is its directory: no path leads out of it, but symbolic links inside it are followed. It is made
//! with the first file if it is missing; that its own entry is durable is its owner's care.

mod file;
mod queue;
mod request;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;

use self::file::RealFile;
use self::queue::Queue;
use self::request::{Outcome, Request};
use super::{File, Io, OpenMode, path};
use crate::aio::{Completion, CompletionError, ErrorKind, FileId, IoKind};

/// A directory of the real file system, as a disk.
///
/// ```
/// use squall::aio::{Completion, CompletionError};
/// use squall::disk::real::RealIo;
/// use squall::disk::{OpenMode, block_on};
///
/// let directory = tempfile::tempdir().expect("room for a directory");
/// let io = RealIo::new(directory.path());
/// let file = io.open("greeting", OpenMode::Create)?;
/// let write = file.pwrite(0, b"hello".to_vec().into(), Completion::write());
/// let bytes = block_on(&*io, || write.wait())?;
/// assert_eq!(bytes, 5);
/// assert_eq!(std::fs::read(directory.path().join("greeting")).expect("it is there"), b"hello");
/// # Ok::<(), CompletionError>(())
/// ```
#[derive(Debug)]
pub struct RealIo {
    tree: Arc<Tree>,
    queue: Arc<Queue>,
    start: Instant,
}

/// The directory, and the numbers of the files in it.
#[derive(Debug)]
struct Tree {
    root: PathBuf,
    ids: Mutex<Ids>,
}

#[derive(Debug, Default)]
struct Ids {
    by_path: BTreeMap<Arc<str>, FileId>,
    next: u32,
}

impl RealIo {
    /// The disk that is `directory`. Nothing is read or made yet; what is wrong with the directory shows
    /// when the first file is opened.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "an engine takes every disk as `Arc<dyn Io>`")]
    pub fn new(directory: impl AsRef<Path>) -> Arc<dyn Io> {
        let directory = directory.as_ref();
        // Made absolute, so that a later change of the working directory changes no file.
        let root = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let tree = Arc::new(Tree { root, ids: Mutex::default() });
        Arc::new(Self { tree, queue: Arc::default(), start: Instant::now() })
    }

    /// Queues a change of the directory, unless it is refused.
    fn submit(
        &self,
        request: Request,
        checked: Result<(), ErrorKind>,
        completion: Completion,
        change: impl FnOnce(&Tree) -> io::Result<()> + Send + 'static,
    ) -> Completion {
        if let Err(kind) = checked {
            completion.error(request.refused(kind));
            return completion;
        }
        let tree = Arc::clone(&self.tree);
        self.queue.submit(completion, move || match change(&tree) {
            Ok(()) => Ok(0),
            Err(error) => Err(request.failed(0, &error)),
        })
    }
}

impl Io for RealIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>, CompletionError> {
        let request = Request::whole(IoKind::Directory, path);
        path::check(path).map_err(|kind| request.refused(kind))?;
        let (file, id) = self.tree.open(path, mode).map_err(|error| request.failed(0, &error))?;
        Ok(Arc::new(RealFile::new(file, id, path, Arc::clone(&self.queue))))
    }

    fn exists(&self, path: &str) -> Result<bool, CompletionError> {
        let request = Request::whole(IoKind::Directory, path);
        path::check(path).map_err(|kind| request.refused(kind))?;
        match self.tree.file_at(path) {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(request.failed(0, &error)),
        }
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, CompletionError> {
        let request = Request::whole(IoKind::Directory, directory);
        path::check_directory(directory).map_err(|kind| request.refused(kind))?;
        self.tree.list(directory).map_err(|error| request.failed(0, &error))
    }

    fn remove(&self, path: &str, completion: Completion) -> Completion {
        let name: Arc<str> = path.into();
        let request = Request::whole(IoKind::Directory, path);
        self.submit(request, path::check(path), completion, move |tree| tree.remove(&name))
    }

    fn rename(&self, from: &str, to: &str, completion: Completion) -> Completion {
        let names: (Arc<str>, Arc<str>) = (from.into(), to.into());
        let checked = path::check(from).and_then(|()| path::check(to));
        // The error names the path that is to blame.
        let blamed = if path::check(from).is_ok() && checked.is_err() { to } else { from };
        let request = Request::whole(IoKind::Directory, blamed);
        self.submit(request, checked, completion, move |tree| tree.rename(&names.0, &names.1))
    }

    fn sync_directory(&self, directory: &str, completion: Completion) -> Completion {
        let name: Arc<str> = directory.into();
        let request = Request::whole(IoKind::SyncDirectory, directory);
        self.submit(request, path::check_directory(directory), completion, move |tree| tree.sync(&name))
    }

    fn timer(&self, ticks: u64) -> Completion {
        self.queue.timer(self.now().saturating_add(ticks))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> u64 {
        SysRng.try_next_u64().expect("the operating system gives random numbers")
    }

    fn step(&self) -> Result<(), CompletionError> {
        self.queue.step(|| self.now())
    }
}

/// Whether the error says that there is nothing by that name.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Tree {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Where the file `path` lies; a directory is no file.
    fn file_at(&self, path: &str) -> io::Result<PathBuf> {
        let at = self.at(path);
        if fs::metadata(&at)?.is_dir() { Err(io::ErrorKind::NotFound.into()) } else { Ok(at) }
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<(fs::File, FileId)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let mut ids = self.ids.lock();
        if mode != OpenMode::CreateNew {
            match self.file_at(path).and_then(|at| options.open(at)) {
                Err(error) if mode == OpenMode::Create && is_absent(&error) => {}
                opened => return Ok((opened?, ids.of(path))),
            }
        }
        make_parent(&self.at(path))?;
        // Somebody outside may create it between the two calls; for `Create` that is as good.
        let created = options.create_new(mode == OpenMode::CreateNew).create(true).open(self.at(path))?;
        // A new file has a number of its own, also where there was another once.
        ids.forget(path);
        Ok((created, ids.of(path)))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.at(directory)) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A name that is no text cannot be one that was made here.
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().is_file()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.file_at(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (source, target) = (self.file_at(from)?, self.at(to));
        make_parent(&target)?;
        fs::rename(source, target)?;
        self.ids.lock().renamed(from, to);
        Ok(())
    }

    /// Syncs the directory and those above it, because a new directory is an entry in the one above.
    fn sync(&self, directory: &str) -> io::Result<()> {
        let mut here = Some(directory);
        while let Some(directory) = here {
            match fs::File::open(self.at(directory)) {
                // It comes into being with its first file; until then it has no entries.
                Err(error) if is_absent(&error) => {}
                opened => opened?.sync_all()?,
            }
            here = (!directory.is_empty()).then(|| path::parent(directory));
        }
        Ok(())
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

impl Ids {
    fn of(&mut self, path: &str) -> FileId {
        if let Some(id) = self.by_path.get(path) {
            return *id;
        }
        let id = FileId(self.next);
        self.next += 1;
        self.by_path.insert(path.into(), id);
        id
    }

    fn forget(&mut self, path: &str) {
        self.by_path.remove(path);
    }

    fn renamed(&mut self, from: &str, to: &str) {
        let id = self.by_path.remove(from);
        self.forget(to);
        if let Some(id) = id {
            self.by_path.insert(to.into(), id);
        }
    }
}
