//! The options of the SQLite engine, and what SQLite promises under them.

use crate::engine::{Durability, Isolation, OptionInfo, Options, Promises};

/// The keys of the `[engine]` table.
pub(super) const OPTIONS: &[OptionInfo] = &[
    OptionInfo::Choice {
        name: "journal_mode",
        about: "how a transaction is made atomic",
        words: &["wal", "delete", "truncate", "persist"],
    },
    OptionInfo::Choice {
        name: "synchronous",
        about: "how much is synced before a commit is acknowledged",
        words: &["full", "extra", "normal", "off"],
    },
    OptionInfo::Choice {
        name: "begin",
        about: "whether a transaction takes its write lock at once or at its first write",
        words: &["immediate", "deferred"],
    },
    OptionInfo::Choice {
        name: "checkpoint",
        about: "how thorough the operation `checkpoint` is",
        words: &["passive", "full", "restart", "truncate"],
    },
    OptionInfo::Choice {
        name: "page_bytes",
        about: "the size of a page",
        words: &["4096", "512", "1024", "2048", "8192", "16384", "32768", "65536"],
    },
    OptionInfo::Int {
        name: "cache_pages",
        about: "the size of a connection's page cache, in pages; a small one writes before the commit",
        min: 1,
        max: 1_000_000,
        default: 64,
    },
    OptionInfo::Int {
        name: "wal_autocheckpoint",
        about: "the length of the log, in pages, from which on a commit also checkpoints; 0 for never",
        min: 0,
        max: 1_000_000,
        default: 32,
    },
    OptionInfo::Int {
        name: "busy_retries",
        about: "how often a statement tries again when a lock is held, before it gives up",
        min: 0,
        max: 1_000_000,
        default: 200,
    },
];

/// The options, read.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) journal_mode: String,
    synchronous: String,
    page_bytes: String,
    cache_pages: i64,
    wal_autocheckpoint: i64,
    pub(super) immediate: bool,
    pub(super) checkpoint: &'static str,
    pub(super) busy_retries: u32,
}

impl Settings {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            journal_mode: options.text("journal_mode").to_string(),
            synchronous: options.text("synchronous").to_string(),
            page_bytes: options.text("page_bytes").to_string(),
            cache_pages: options.int("cache_pages"),
            wal_autocheckpoint: options.int("wal_autocheckpoint"),
            immediate: options.text("begin") == "immediate",
            checkpoint: match options.text("checkpoint") {
                "full" => "PRAGMA wal_checkpoint(FULL)",
                "restart" => "PRAGMA wal_checkpoint(RESTART)",
                "truncate" => "PRAGMA wal_checkpoint(TRUNCATE)",
                _ => "PRAGMA wal_checkpoint(PASSIVE)",
            },
            busy_retries: u32::try_from(options.int("busy_retries")).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn is_wal(&self) -> bool {
        self.journal_mode == "wal"
    }

    /// What a connection says first. The journal's mode is not among them: in `wal` it belongs to the file.
    pub(super) fn pragmas(&self) -> Vec<String> {
        vec![
            // Nothing of a run may go to temporary files of the host.
            "PRAGMA temp_store = MEMORY".to_string(),
            format!("PRAGMA page_size = {}", self.page_bytes),
            format!("PRAGMA cache_size = {}", self.cache_pages),
            format!("PRAGMA wal_autocheckpoint = {}", self.wal_autocheckpoint),
            format!("PRAGMA synchronous = {}", self.synchronous),
        ]
    }
}

/// What SQLite promises with these options when the power fails. `docs/sqlite.md` has the table and what was
/// measured.
///
/// A transaction that begins *deferred* reads the state at its first read and can write only if that is still
/// the latest, so it is as serial as an immediate one.
pub(super) fn promises(options: &Options) -> Promises {
    let durability = match (options.text("journal_mode"), options.text("synchronous")) {
        (_, "extra") | ("wal" | "truncate" | "persist", "full") => Durability::EveryCommit,
        // The rest survives as a prefix. (With a rollback journal there is no checkpoint to speak of.)
        ("wal", "normal") | ("delete", "full") => Durability::AtCheckpoint,
        // The database itself may be damaged: always with `off`, rarely with `normal` and a rollback journal.
        _ => Durability::None,
    };
    Promises { isolation: Isolation::StrictSerializable, durability }
}
