//! Which paths a disk takes: relative, with `/` between plain names, so that a file has one path only and
//! no path leads out of the disk.

use crate::aio::ErrorKind;

/// Refuses a path that names no file: one that is absolute, or has an empty, `.` or `..` part.
pub(super) fn check(path: &str) -> Result<(), ErrorKind> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if path.split('/').all(plain) { Ok(()) } else { Err(ErrorKind::BadPath) }
}

/// Like [`check`], for a directory, whose root is `""`.
pub(super) fn check_directory(path: &str) -> Result<(), ErrorKind> {
    if path.is_empty() { Ok(()) } else { check(path) }
}

/// The part of a path before the last `/`, or the root `""`.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
