//! The options of the Turso engine, and what Turso promises under them.

use std::time::Duration;

use turso_core::SyncMode;

use crate::engine::{Durability, Isolation, OptionInfo, Options, Promises};

/// The keys of the `[engine]` table.
pub(super) const OPTIONS: &[OptionInfo] = &[
    OptionInfo::Choice {
        name: "journal_mode",
        about: "one writer at a time over a log of pages, or many over versions of rows",
        words: &["wal", "mvcc"],
    },
    OptionInfo::Choice {
        name: "begin",
        about: "how a transaction begins; `concurrent` is `immediate` where there are no versions",
        words: &["immediate", "deferred", "concurrent"],
    },
    OptionInfo::Choice {
        name: "checkpoint",
        about: "how thorough the operation `checkpoint` is; with versions `passive` is what Turso takes for default",
        words: &["passive", "full", "restart", "truncate"],
    },
    OptionInfo::Choice {
        name: "synchronous",
        about: "how much is synced before a commit is acknowledged",
        words: &["full", "normal", "off"],
    },
    OptionInfo::Choice {
        name: "new_files",
        about: "whether a new file's first sync makes its name durable, as on ext4, or nothing does, as in POSIX",
        words: &["named", "unnamed"],
    },
    OptionInfo::Int {
        name: "cache_pages",
        about: "the size of a connection's page cache, in pages",
        min: 1,
        max: 1_000_000,
        default: 200,
    },
    OptionInfo::Int {
        name: "busy_timeout_ms",
        about: "how long a statement waits for a lock, in milliseconds of 10 turns; 0 for not at all",
        min: 0,
        max: 10_000,
        default: 100,
    },
    OptionInfo::Int {
        name: "log_bytes",
        about: "with versions: the length of the log from which on a commit also checkpoints, in bytes; -1 for never",
        min: -1,
        max: 1_000_000_000,
        default: 4_120_000,
    },
    OptionInfo::Bool { name: "group_commit", about: "with versions: whether commits may share a sync", default: false },
    OptionInfo::Bool {
        name: "data_sync_retry",
        about: "whether Turso goes on after a failed sync; if not it ends the process, which is a finding here",
        default: false,
    },
    OptionInfo::Int {
        name: "yields",
        about: "with versions: how many of Turso's own yield hooks strike, per thousand",
        min: 0,
        max: 1_000,
        default: 0,
    },
];

/// The options, read.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) mvcc: bool,
    pub(super) begin: &'static str,
    /// Transactions that Turso calls concurrent must not change the schema.
    pub(super) begin_schema: &'static str,
    pub(super) checkpoint: &'static str,
    pub(super) sync_mode: SyncMode,
    pub(super) names_durable: bool,
    pub(super) busy_timeout: Duration,
    pub(super) data_sync_retry: bool,
    pub(super) yields: u64,
    cache_pages: i64,
    log_bytes: i64,
    group_commit: bool,
}

impl Settings {
    pub(super) fn new(options: &Options) -> Self {
        let mvcc = options.text("journal_mode") == "mvcc";
        let number = |name: &str| u64::try_from(options.int(name)).unwrap_or(0);
        Self {
            mvcc,
            begin: match options.text("begin") {
                "deferred" => "BEGIN",
                "concurrent" if mvcc => "BEGIN CONCURRENT",
                _ => "BEGIN IMMEDIATE",
            },
            begin_schema: match options.text("begin") {
                "deferred" => "BEGIN",
                _ => "BEGIN IMMEDIATE",
            },
            checkpoint: match options.text("checkpoint") {
                "full" => "PRAGMA wal_checkpoint(FULL)",
                "restart" => "PRAGMA wal_checkpoint(RESTART)",
                "truncate" => "PRAGMA wal_checkpoint(TRUNCATE)",
                _ if mvcc => "PRAGMA wal_checkpoint",
                _ => "PRAGMA wal_checkpoint(PASSIVE)",
            },
            sync_mode: match options.text("synchronous") {
                "off" => SyncMode::Off,
                "normal" => SyncMode::Normal,
                _ => SyncMode::Full,
            },
            names_durable: options.text("new_files") == "named",
            busy_timeout: Duration::from_millis(number("busy_timeout_ms")),
            data_sync_retry: options.bool("data_sync_retry"),
            yields: number("yields"),
            cache_pages: options.int("cache_pages"),
            log_bytes: options.int("log_bytes"),
            group_commit: options.bool("group_commit"),
        }
    }

    /// What the first connection says, before the others come.
    pub(super) fn first_words(&self) -> Vec<String> {
        let mut words = vec![format!("PRAGMA journal_mode = '{}'", if self.mvcc { "mvcc" } else { "wal" })];
        if self.mvcc {
            words.push(format!("PRAGMA mvcc_checkpoint_threshold = {}", self.log_bytes));
            words.push(format!("PRAGMA mvcc_group_commit = {}", i32::from(self.group_commit)));
        }
        words
    }

    /// What every connection says first.
    pub(super) fn words(&self) -> Vec<String> {
        vec![format!("PRAGMA cache_size = {}", self.cache_pages)]
    }
}

/// What Turso promises with these options.
///
/// With a log of pages there is one writer, and a reader that wants to write must have read the latest state.
/// With versions a transaction reads a snapshot, and of two that write the same row the first committer wins.
pub(super) fn promises(options: &Options) -> Promises {
    let isolation = match options.text("journal_mode") {
        "mvcc" => Isolation::Snapshot,
        _ => Isolation::StrictSerializable,
    };
    let durability = match (options.text("synchronous"), options.text("new_files")) {
        ("off", _) | (_, "unnamed") => Durability::None,
        ("normal", _) => Durability::AtCheckpoint,
        _ => Durability::EveryCommit,
    };
    Promises { isolation, durability }
}
