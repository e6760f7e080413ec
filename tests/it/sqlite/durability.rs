//! What a power loss inside a commit takes, by journal mode and `synchronous`: the table of `docs/sqlite.md`,
//! cell by cell. It tests the simulated disk as much as the adaptor: a disk that forgets too little or too much
//! makes a cell wrong.

use squall::disk::sim::DiskConfig;
use squall::engine::{Durability, Engine};

use super::Sqlite;
use super::stepper::options;
use super::toll::toll;

const NOTHING: [(&str, &str); 7] = [
    ("wal", "full"),
    ("wal", "extra"),
    ("delete", "extra"),
    ("truncate", "full"),
    ("truncate", "extra"),
    ("persist", "full"),
    ("persist", "extra"),
];

fn cell(journal: &str, synchronous: &str) -> String {
    format!("journal_mode={journal} synchronous={synchronous}")
}

fn calm() -> DiskConfig {
    DiskConfig::default()
}

fn promise(cell: &str) -> Durability {
    Sqlite::promises(&options::<Sqlite>(cell)).durability
}

#[test]
fn nothing_is_lost_where_every_commit_is_promised() {
    for (journal, synchronous) in NOTHING {
        let cell = cell(journal, synchronous);
        let toll = toll(&cell, &calm(), 300, |_| false);
        assert_eq!((toll.crashes, toll.lost, toll.damaged), (300, 0, 0), "{cell}: {toll:?}");
        assert!(toll.acknowledged > 300, "too little to lose in {cell}: {toll:?}");
        assert_eq!(promise(&cell), Durability::EveryCommit, "{cell}");
    }
}

#[test]
fn every_commit_is_promised_nowhere_else() {
    let all = ["wal", "delete", "truncate", "persist"]
        .into_iter()
        .flat_map(|journal| ["full", "extra", "normal", "off"].map(|synchronous| (journal, synchronous)));
    for (journal, synchronous) in all.filter(|cell| !NOTHING.contains(cell)) {
        assert!(promise(&cell(journal, synchronous)) < Durability::EveryCommit, "{journal} {synchronous}");
    }
}

/// The removal of the last journal is not synced, so it may be there again and roll the last commit back.
#[test]
fn delete_and_full_may_lose_the_last_commit_and_no_more() {
    let toll = toll(&cell("delete", "full"), &calm(), 300, |_| false);
    assert_eq!((toll.lost_max, toll.damaged), (1, 0), "{toll:?}");
}

/// The log is synced at checkpoints only.
#[test]
fn wal_and_normal_may_lose_several_commits_and_stay_whole() {
    let toll = toll(&cell("wal", "normal"), &calm(), 500, |_| false);
    assert!(toll.lost_max > 1 && toll.damaged == 0, "{toll:?}");
}

/// A journal's header and pages go out in one sync. What survives of them may pass for a whole journal, because
/// a page's checksum looks at every 200th byte only.
#[test]
fn normal_with_a_rollback_journal_loses_the_last_commit_or_more_rarely_the_database() {
    for journal in ["delete", "truncate"] {
        let toll = toll(&cell(journal, "normal"), &calm(), 2_000, |toll| toll.lost > 0);
        assert!(toll.lost > 0, "{journal}: {toll:?}");
    }
    // Unsynced, a truncated journal may come back, with some of the next one's sectors in it.
    let truncate = toll(&cell("truncate", "normal"), &calm(), 2_000, |toll| toll.damaged > 0);
    assert!(truncate.damaged > 0, "{truncate:?}");
    // Its header is overwritten in place and synced, so whole databases lose nothing.
    let persist = toll(&cell("persist", "normal"), &calm(), 300, |_| false);
    assert_eq!(persist.lost, 0, "{persist:?}");
}

#[test]
fn off_tears_the_database() {
    for journal in ["wal", "delete", "truncate", "persist"] {
        let toll = toll(&cell(journal, "off"), &calm(), 2_000, |toll| toll.lost > 0 && toll.damaged > 0);
        assert!(toll.lost > 0 && toll.damaged > 0, "{journal}: {toll:?}");
    }
}
