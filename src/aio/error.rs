//! How an I/O fails.

use std::sync::Arc;

use thiserror::Error;

use super::label::IoKind;

/// Why a completion did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompletionError {
    /// It was given up before it took effect, or its disk died under it.
    #[error("aborted")]
    Aborted,
    /// The disk refused or failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Fewer bytes than the author can do with.
    #[error("short transfer: {got} of {wanted} bytes")]
    Short {
        /// Bytes asked for.
        wanted: usize,
        /// Bytes transferred.
        got: usize,
    },
    /// An allocation failed.
    #[error("no memory: {bytes} bytes for {site}")]
    NoMemory {
        /// What it was for, as the engine calls it.
        site: &'static str,
        /// How much.
        bytes: usize,
    },
    /// The author's own callback judged the answer wrong.
    #[error("{0}")]
    Rejected(&'static str),
}

impl CompletionError {
    /// The disk's kind of error, when it was the disk.
    #[must_use]
    pub const fn io_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Io(error) => Some(error.kind),
            _ => None,
        }
    }
}

/// The classes of disk errors that an engine tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// EIO: the device failed.
    Io,
    /// ENOSPC: no room.
    NoSpace,
    /// EINTR: nothing was done; try again.
    Interrupted,
    /// ENOENT: no such file.
    NotFound,
    /// EEXIST: the file is there already.
    AlreadyExists,
    /// The path is not relative, or has an empty, `.` or `..` part.
    BadPath,
    /// The arguments make no sense (EINVAL), or something this table does not name.
    Other,
}

impl ErrorKind {
    /// The usual short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Io => "EIO",
            Self::NoSpace => "ENOSPC",
            Self::Interrupted => "EINTR",
            Self::NotFound => "ENOENT",
            Self::AlreadyExists => "EEXIST",
            Self::BadPath => "a path is relative, without empty, `.` and `..` parts",
            Self::Other => "EOTHER",
        }
    }
}

/// A disk's error: what was tried, where, and what the operating system said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", self.describe())]
pub struct IoError {
    /// What was tried.
    pub operation: IoKind,
    /// On which file.
    pub path: Arc<str>,
    /// From which byte.
    pub offset: u64,
    /// How many bytes were asked for.
    pub len: u64,
    /// Bytes that had been transferred before the failure.
    pub done: u64,
    /// The class of the error.
    pub kind: ErrorKind,
    /// The operating system's code; none on the simulated disk.
    pub os: Option<i32>,
}

impl IoError {
    fn describe(&self) -> String {
        let Self { operation, path, offset, len, done, kind, os } = self;
        let what = match operation {
            IoKind::Read | IoKind::Write => format!("{operation} of {path} at {offset}, {len} bytes"),
            IoKind::Truncate => format!("{operation} of {path} to {offset} bytes"),
            IoKind::Directory => format!("directory entry {path}"),
            IoKind::Sync | IoKind::SyncDirectory => format!("{operation} of {path}"),
        };
        let done = if *done > 0 { format!(", after {done}") } else { String::new() };
        let os = os.map(|code| format!(" (os error {code})")).unwrap_or_default();
        format!("{what}{done}: {}{os}", kind.name())
    }
}
