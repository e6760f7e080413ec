//! What a yield says about itself: where it stands in the source, and what the code after it touches.
//!
//! The *sites* are for people, coverage and the re-entrancy audit; they never enter a hash, a tape or a
//! fingerprint, because paths differ between machines and lines move with every edit. The *resource* does.

use std::fmt;
use std::panic::Location;

use crate::tape::{mix, name_hash};

/// A place in the source.
pub type Site = &'static Location<'static>;

/// How many sites a label keeps: the yield itself and its nearest callers.
pub const SITES_MAX: usize = 8;

/// A file's number on its disk, given in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// The kinds of I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IoKind {
    /// Bytes from a file.
    Read,
    /// Bytes to a file.
    Write,
    /// A file's bytes and size made durable.
    Sync,
    /// A file's size set.
    Truncate,
    /// A directory changed: a file removed or renamed.
    Directory,
    /// A directory's entries made durable.
    SyncDirectory,
}

impl IoKind {
    /// The kind's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Directory => "directory",
            Self::SyncDirectory => "sync-directory",
        }
    }
}

impl fmt::Display for IoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the code after a yield touches, or an I/O does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Not said. Conflicts with everything.
    Unknown,
    /// Bytes `start..end` of a file.
    File {
        /// Which file.
        file: FileId,
        /// What is done to it.
        kind: IoKind,
        /// The first byte.
        start: u64,
        /// One past the last byte; `u64::MAX` for the whole file.
        end: u64,
    },
    /// Something the author gave a name and a number, such as page 7.
    Named {
        /// The name.
        name: &'static str,
        /// Which of those that share the name.
        index: u64,
        /// Whether it is changed.
        write: bool,
    },
}

impl Resource {
    /// The code after the yield reads number `index` of what is called `name`.
    #[must_use]
    pub const fn read(name: &'static str, index: u64) -> Self {
        Self::Named { name, index, write: false }
    }

    /// The code after the yield changes number `index` of what is called `name`.
    #[must_use]
    pub const fn write(name: &'static str, index: u64) -> Self {
        Self::Named { name, index, write: true }
    }

    /// Whether the order of the two can matter: the same thing and one of them writes, or one is unknown.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => true,
            (
                Self::File { file: a, kind: kind_a, start: start_a, end: end_a },
                Self::File { file: b, kind: kind_b, start: start_b, end: end_b },
            ) => {
                let both_read = *kind_a == IoKind::Read && *kind_b == IoKind::Read;
                a == b && !both_read && start_a < end_b && start_b < end_a
            }
            (
                Self::Named { name: a, index: index_a, write: write_a },
                Self::Named { name: b, index: index_b, write: write_b },
            ) => index_a == index_b && (*write_a || *write_b) && a == b,
            (Self::File { .. }, Self::Named { .. }) | (Self::Named { .. }, Self::File { .. }) => false,
        }
    }

    /// The resource's share of the running hash.
    #[inline]
    #[must_use]
    pub fn word(&self) -> u64 {
        match *self {
            Self::Unknown => 0x11,
            Self::File { file, kind, start, end } => {
                mix(mix((u64::from(file.0) << 8) | kind as u64) ^ mix(start).rotate_left(1) ^ end)
            }
            Self::Named { name, index, write } => mix(name_hash(name) ^ index.rotate_left(17)) ^ u64::from(write),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::File { file, kind, start, end: u64::MAX } => write!(f, "{kind} file {} from {start}", file.0),
            Self::File { file, kind, start, end } => write!(f, "{kind} file {} {start}..{end}", file.0),
            Self::Named { name, index, write: false } => write!(f, "read {name} {index}"),
            Self::Named { name, index, write: true } => write!(f, "write {name} {index}"),
        }
    }
}

/// The label of one yield. It lives in the handle that is returned, not in the shared operation: two
/// connections that wait for the same read each have their own way to it.
#[derive(Clone, Copy)]
pub struct Label {
    sites: [Option<Site>; SITES_MAX],
    resource: Resource,
}

impl Label {
    pub(crate) const fn at(site: Site) -> Self {
        let mut sites = [None; SITES_MAX];
        sites[0] = Some(site);
        Self { sites, resource: Resource::Unknown }
    }

    pub(crate) fn push(&mut self, site: Site) {
        for slot in &mut self.sites {
            match slot {
                Some(known) if *known == site => return,
                Some(_) => {}
                None => {
                    *slot = Some(site);
                    return;
                }
            }
        }
    }

    pub(crate) const fn touching(&mut self, resource: Resource) {
        self.resource = resource;
    }

    /// The sites from the yield outwards, at most [`SITES_MAX`].
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.sites.iter().map_while(|site| *site)
    }

    /// The sites in words, from the yield outwards, for people. Paths begin at their last `src`, so that they are
    /// the same on every machine.
    #[must_use]
    pub fn way(&self) -> String {
        let short = |path: &'static str| path.rfind("/src/").map_or(path, |at| &path[at + 1..]);
        self.sites().map(|site| format!("{}:{}", short(site.file()), site.line())).collect::<Vec<_>>().join(" < ")
    }

    /// What the code after the yield touches.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        self.resource
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.resource)?;
        self.sites().try_for_each(|site| write!(f, " < {}:{}", site.file(), site.line()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn file(kind: IoKind, start: u64, end: u64) -> Resource {
        Resource::File { file: FileId(0), kind, start, end }
    }

    #[test]
    fn resources_conflict_when_they_overlap_and_one_writes() {
        let check = |a: Resource, b: Resource, expected| {
            assert_eq!(a.conflicts(&b), expected, "{a} and {b}");
            assert_eq!(b.conflicts(&a), expected, "{b} and {a}");
        };
        check(Resource::Unknown, Resource::read("page", 1), true);
        check(Resource::read("page", 1), Resource::read("page", 1), false);
        check(Resource::read("page", 1), Resource::write("page", 1), true);
        check(Resource::read("page", 1), Resource::write("page", 2), false);
        check(Resource::read("page", 1), Resource::write("latch", 1), false);
        check(file(IoKind::Read, 0, 10), file(IoKind::Write, 9, 12), true);
        check(file(IoKind::Read, 0, 10), file(IoKind::Write, 10, 12), false);
        check(file(IoKind::Read, 0, 10), file(IoKind::Read, 0, 10), false);
        check(file(IoKind::Sync, 0, u64::MAX), file(IoKind::Write, 10, 12), true);
        check(file(IoKind::Write, 0, 10), Resource::write("page", 0), false);
    }
}
