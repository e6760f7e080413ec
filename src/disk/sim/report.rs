//! What a crash kept and lost, as plain facts for traces and people. It decides nothing.

use std::fmt;
use std::sync::Arc;

use super::names::NameChange;
use crate::history::CrashKind;

/// How survivors are selected among what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selection {
    /// Nothing survives that was not durable.
    LoseAll,
    /// Everything survives.
    KeepAll,
    /// The oldest changes survive; the next one may be torn.
    Prefix,
    /// Any subset of sectors.
    Sectors,
    /// Any subset of whole operations.
    Operations,
    /// Any subset of sectors, and garbage in some of the others.
    Garbage,
}

impl Selection {
    pub(super) const ALL: [Self; 6] =
        [Self::LoseAll, Self::KeepAll, Self::Prefix, Self::Sectors, Self::Operations, Self::Garbage];

    /// The selection in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoseAll => "lose all",
            Self::KeepAll => "keep all",
            Self::Prefix => "a prefix",
            Self::Sectors => "a subset of sectors",
            Self::Operations => "a subset of operations",
            Self::Garbage => "a subset of sectors with garbage",
        }
    }
}

/// What became of a crash, in plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// What happened.
    pub kind: CrashKind,
    /// How survivors were selected; none when there was nothing to select from.
    pub selection: Option<Selection>,
    /// Files with changes that were not durable; after a process kill, that were in flight.
    pub files: Vec<FileFate>,
    /// The same for changes of the directory.
    pub names: Vec<NameFate>,
}

/// What became of the changes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFate {
    /// Its last name before the crash.
    pub path: Arc<str>,
    /// Changes that survived whole.
    pub kept: u32,
    /// Writes of which some sectors survived, or became garbage.
    pub torn: u32,
    /// Changes that are lost.
    pub lost: u32,
    /// Sectors full of garbage.
    pub garbage_sectors: u32,
    /// Changes not whole although a sync had answered for them: the device lied.
    pub betrayed: u32,
    /// The length everybody saw before, in bytes.
    pub len_before: u64,
    /// The length after, in bytes.
    pub len_after: u64,
}

/// What became of one change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFate {
    /// The change, such as `create a`.
    pub change: String,
    /// Whether it survived.
    pub kept: bool,
    /// It did not, although a sync had answered for it: the device lied.
    pub betrayed: bool,
}

/// A file at one moment, as far as it is cheap to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileShape {
    /// Its name.
    pub path: Arc<str>,
    /// How long everybody sees it, in bytes.
    pub len: u64,
    /// How long it surely is on the medium, in bytes.
    pub durable_len: u64,
    /// Changes that a crash could still lose.
    pub unsynced: usize,
}

/// What an operation in flight is about, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoAbout {
    /// The file's or directory's name; both names of a rename.
    pub path: Arc<str>,
    /// The first byte; the new length of a truncation.
    pub offset: u64,
    /// How many bytes are asked for; 0 where it is not a matter of bytes.
    pub len: u64,
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.name())?;
        if let Some(selection) = self.selection {
            write!(f, ", survivors: {}", selection.name())?;
        }
        for file in &self.files {
            let FileFate { path, kept, torn, lost, garbage_sectors, betrayed, len_before, len_after } = file;
            write!(f, "\n{path}: {kept} kept, {torn} torn, {lost} lost")?;
            if *garbage_sectors > 0 {
                write!(f, ", garbage in {garbage_sectors} sectors")?;
            }
            if *betrayed > 0 {
                write!(f, ", {betrayed} of them had been synced")?;
            }
            if len_before != len_after {
                write!(f, ", length {len_before} -> {len_after}")?;
            }
        }
        for NameFate { change, kept, .. } in &self.names {
            write!(f, "\n{change}: {}", if *kept { "kept" } else { "lost" })?;
        }
        Ok(())
    }
}

impl fmt::Display for NameChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(path, _) => write!(f, "create {path}"),
            Self::Remove(path) => write!(f, "remove {path}"),
            Self::Rename { from, to, .. } => write!(f, "rename {from} to {to}"),
        }
    }
}
