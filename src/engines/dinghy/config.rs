//! The engine's options, read once.

use super::bugs::Bugs;
use super::page::PageNo;
use crate::engine::{Durability, EngineError, Isolation, OptionInfo, Options, Promises};
use crate::history::Class;

/// The keys of the `[engine]` table.
pub(super) const OPTIONS: &[OptionInfo] = &[
    OptionInfo::Int {
        name: "page_size",
        about: "the size of a page, in bytes: a power of two",
        min: 512,
        max: 4096,
        default: 512,
    },
    OptionInfo::Int {
        name: "cache_pages",
        about: "how many pages the cache holds at most",
        min: 1,
        max: 65_536,
        default: 64,
    },
    OptionInfo::Int {
        name: "checkpoint_frames",
        about: "a commit that leaves this many frames in the log makes a checkpoint",
        min: 1,
        max: 1_000_000,
        default: 64,
    },
    OptionInfo::Choice {
        name: "isolation",
        about: "what transactions are promised",
        words: &["serializable", "snapshot"],
    },
    OptionInfo::Choice {
        name: "sync",
        about: "when the log is made durable: at every commit, or at checkpoints only",
        words: &["commit", "checkpoint"],
    },
    OptionInfo::Int {
        name: "retries",
        about: "how often an operation that stands alone is tried again after a conflict",
        min: 0,
        max: 1000,
        default: 8,
    },
];

/// The options in the form in which the engine uses them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub page_size: usize,
    pub cache_pages: usize,
    pub checkpoint_frames: u64,
    pub serializable: bool,
    pub sync_commits: bool,
    pub retries: u32,
    pub bugs: Bugs,
}

impl Config {
    /// Reads the options.
    pub(super) fn new(options: &Options) -> Result<Self, EngineError> {
        let natural = |key| usize::try_from(options.int(key)).expect("its range is checked");
        let page_size = natural("page_size");
        if !page_size.is_power_of_two() {
            let message = format!("`page_size` is {page_size}: expected a power of two from 512 to 4096");
            return Err(EngineError::new(Class::Other, message));
        }
        Ok(Self {
            page_size,
            cache_pages: natural("cache_pages"),
            checkpoint_frames: natural("checkpoint_frames") as u64,
            serializable: options.text("isolation") == "serializable",
            sync_commits: options.text("sync") == "commit",
            retries: natural("retries") as u32,
            bugs: Bugs::new(options),
        })
    }
}

impl Config {
    /// What a page's checksum starts from.
    pub(super) const fn stamp(&self, page: PageNo) -> PageNo {
        // BUG page-number-not-in-checksum: all pages alike.
        if self.bugs.page_number_unchecked { 0 } else { page }
    }
}

/// What the engine promises with these options.
///
/// `serializable` is strict: a transaction takes its place when it commits, and a reader sees all that was
/// acknowledged before it began.
pub(super) fn promises(options: &Options) -> Promises {
    Promises {
        isolation: match options.text("isolation") {
            "serializable" => Isolation::StrictSerializable,
            _ => Isolation::Snapshot,
        },
        durability: match options.text("sync") {
            "commit" => Durability::EveryCommit,
            _ => Durability::AtCheckpoint,
        },
    }
}
