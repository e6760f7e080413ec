//! What was asked of the operating system, kept for the error that may come of it.

use std::io;
use std::sync::Arc;

use crate::aio::{CompletionError, ErrorKind, IoError, IoKind};

pub(super) type Outcome = Result<usize, CompletionError>;

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) operation: IoKind,
    pub(super) path: Arc<str>,
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Request {
    /// A request that has no place within a file.
    pub(super) fn whole(operation: IoKind, path: &str) -> Self {
        Self { operation, path: path.into(), offset: 0, len: 0 }
    }

    /// The operating system's error, after `done` bytes.
    pub(super) fn failed(&self, done: u64, error: &io::Error) -> CompletionError {
        self.error(done, kind(error), error.raw_os_error())
    }

    /// An error of ours: the operating system was not asked.
    pub(super) fn refused(&self, kind: ErrorKind) -> CompletionError {
        self.error(0, kind, None)
    }

    fn error(&self, done: u64, kind: ErrorKind, os: Option<i32>) -> CompletionError {
        let Self { operation, path, offset, len } = self.clone();
        IoError { operation, path, offset, len, done, kind, os }.into()
    }
}

/// EIO has no kind of its own in the standard library; the number is the same on every Unix.
const EIO: i32 = 5;

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        _ if error.raw_os_error() == Some(EIO) => ErrorKind::Io,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_path_offset_length_bytes_done_and_the_systems_code() {
        let request = Request { operation: IoKind::Write, path: "wal".into(), offset: 4096, len: 100 };
        let check = |code: i32, kind: ErrorKind, text: &str| {
            let CompletionError::Io(error) = request.failed(12, &io::Error::from_raw_os_error(code)) else {
                panic!("an error of the disk");
            };
            let expected = IoError {
                operation: IoKind::Write,
                path: "wal".into(),
                offset: 4096,
                len: 100,
                done: 12,
                kind,
                os: Some(code),
            };
            assert_eq!(error, expected);
            assert_eq!(error.to_string(), text);
        };
        check(2, ErrorKind::NotFound, "write of wal at 4096, 100 bytes, after 12: ENOENT (os error 2)");
        check(4, ErrorKind::Interrupted, "write of wal at 4096, 100 bytes, after 12: EINTR (os error 4)");
        check(5, ErrorKind::Io, "write of wal at 4096, 100 bytes, after 12: EIO (os error 5)");
        check(17, ErrorKind::AlreadyExists, "write of wal at 4096, 100 bytes, after 12: EEXIST (os error 17)");
        check(28, ErrorKind::NoSpace, "write of wal at 4096, 100 bytes, after 12: ENOSPC (os error 28)");
        check(22, ErrorKind::Other, "write of wal at 4096, 100 bytes, after 12: EOTHER (os error 22)");
    }
}
