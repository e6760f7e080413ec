//! The bugs this engine can be told to have, each a switch with its story.
//!
//! The wrong branch stands at the place where it happens, marked `BUG` and the switch's name. Without a
//! switch none of them is taken.

use crate::engine::{BugInfo, Options};

macro_rules! catalogue {
    ($($field:ident, $name:literal, $class:literal, depth $depth:literal, $harmless:literal $(, seen $issue:literal)?: $about:literal;)*) => {
        /// Which bugs are switched on.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Bugs {
            $(#[doc = $about] pub $field: bool,)*
        }

        impl Bugs {
            /// Reads the switches, once.
            pub(super) fn new(options: &Options) -> Self {
                Self { $($field: options.bug($name),)* }
            }
        }

        /// All bugs, in the order of their classes.
        pub(super) const CATALOGUE: &[BugInfo] = &[
            $(BugInfo {
                name: $name,
                about: $about,
                class: $class,
                depth: $depth,
                harmless: $harmless,
                public_issue: one(&[$($issue)?]),
            },)*
        ];
    };
}

const fn one(issues: &[&'static str]) -> Option<&'static str> {
    match issues {
        [issue] => Some(issue),
        _ => None,
    }
}

catalogue! {
    push_before_yield, "push-before-yield", "re-entrancy", depth 1, false:
        "A scan adds a row before it reads the row's long value; called again after the read, it adds the row once more.";
    index_before_yield, "index-before-yield", "re-entrancy", depth 2, false:
        "A checkpoint counts pages as done before they have been read for copying; called again after the read, it skips as many.";
    insert_before_yield, "insert-before-yield", "re-entrancy", depth 2, false:
        "A page of a deleted long value goes on the free list before its successor is read; called again after the read, it goes there twice.";
    flag_before_yield, "flag-before-yield", "re-entrancy", depth 2, false:
        "A commit notes that it is validated and then waits for its turn; what others commit meanwhile it never looks at.";
    state_before_failure, "state-advanced-before-fallible-call", "re-entrancy", depth 2, false, seen "tursodatabase/turso#6008":
        "The end of the log moves before the frames are written; when the write fails it stays there, and recovery stops at the gap.";
    leaked_lock, "leaked-lock-after-abandonment", "re-entrancy", depth 2, false:
        "A commit that is abandoned half-way keeps the commit latch, and everybody after it waits for ever.";
    lost_update, "lost-update", "concurrency", depth 2, false:
        "A commit does not look whether somebody else has committed the same keys since its snapshot.";
    write_skew, "write-skew", "concurrency", depth 2, false, seen "scalar-labs/scalardb#65":
        "A serializable commit looks at the keys it writes only; what it has read may have changed under it.";
    dirty_read, "dirty-read", "concurrency", depth 2, false:
        "Uncommitted writes lie in a table that all connections share, and a read looks there.";
    checkpoint_overlooks_reader, "checkpoint-overlooks-reader", "concurrency", depth 3, false:
        "A checkpoint copies frames, and gives up logs, that are newer than the snapshot of somebody who still reads.";
    stale_checkpoint, "stale-checkpoint", "concurrency", depth 3, false, seen "tursodatabase/turso#7722":
        "A checkpoint that was parked records how far the log goes now, not how far it went when the pages were chosen.";
    publish_before_validate, "publish-before-validate", "concurrency", depth 2, false:
        "A commit is published first and validated then; it is refused although everybody sees it.";
    buffer_reused, "buffer-reused-in-flight", "concurrency", depth 2, false:
        "A checkpoint puts the next pages into its buffers while the disk may still be writing from them.";
    latch_order, "latch-order-deadlock", "concurrency", depth 3, false:
        "A commit that makes a checkpoint keeps the commit latch and waits for the checkpoint latch; a checkpoint takes them the other way round.";
    livelock, "livelock-of-two-retries", "concurrency", depth 2, false:
        "Commits announce their keys; two that announce the same key each wait, polling, for the other to go first.";
    snapshot_across_yield, "snapshot-across-yield", "concurrency", depth 3, false:
        "A transaction reads its place in the log, lets others run, and only then enters the table of snapshots, as if it had read all they did.";
    rollback_forgets_free_list, "rollback-forgets-free-list", "concurrency", depth 2, false, seen "etcd-io/bbolt#797":
        "Pages that a commit takes from the free list are gone at once; when it fails, nobody puts them back.";
    stale_cache, "stale-cache-after-log-reset", "concurrency", depth 3, false, seen "tursodatabase/turso#2361":
        "When the log begins anew, the cache keeps what the database file held before the checkpoint.";
    aba, "aba-on-log-length", "concurrency", depth 4, false, seen "tursodatabase/turso#3502":
        "A commit takes a log as long as at its snapshot for a log in which nothing happened; it may have begun anew and grown again.";
    commit_frame_early, "commit-frame-not-waiting", "io-order", depth 3, false:
        "The meta page goes out together with the pages of its commit; when one of those fails, the commit is refused and may be whole all the same.";
    checkpoint_syncs_early, "checkpoint-sync-before-writes", "io-order", depth 4, false:
        "A checkpoint syncs the database file while its last writes are still in flight, and then gives up the log.";
    log_reset_early, "log-reset-before-database-sync", "io-order", depth 3, false:
        "A checkpoint begins a new log without syncing the database file, because the next checkpoint will.";
    reset_unsynced, "new-log-header-unsynced", "io-order", depth 4, false:
        "A new log is used before its header is durable. A process that is killed then and the power that fails during recovery leave no log at all.";
    acknowledge_before_sync, "acknowledge-before-sync", "crash", depth 2, false, seen "baidu/ins#32":
        "A commit is acknowledged when its frames are written, without waiting for the log to be synced.";
    log_not_synced, "log-not-synced-before-checkpoint", "crash", depth 3, false:
        "With syncs at checkpoints only, a checkpoint copies pages of commits that the log does not yet hold for good.";
    missing_directory_sync, "missing-directory-sync", "crash", depth 2, false, seen "google/leveldb#196":
        "The directory is not synced after the files have been made; a crash takes them away, acknowledged commits and all.";
    torn_frame_accepted, "torn-frame-accepted", "crash", depth 2, false, seen "aarthikrao/wal#5":
        "Recovery takes a frame's word for its page: checksums are not compared, so a torn commit counts as a whole one.";
    recovery_not_idempotent, "recovery-not-idempotent", "crash", depth 3, false:
        "Recovery writes the new log over the one it has read; a crash in between leaves neither.";
    truncate_before_sync, "truncate-before-sync", "crash", depth 2, false:
        "A checkpoint cuts the old log before the header of the new one is durable; a crash in between leaves none.";
    short_write, "short-write-not-retried", "io-error", depth 2, false:
        "A write that took fewer bytes than asked for counts as done.";
    short_read, "short-read-taken-for-zeros", "io-error", depth 2, false:
        "A read that gave fewer bytes than asked for is filled up with zeros.";
    failed_sync_retried, "failed-sync-retried", "io-error", depth 3, false, seen "wiredtiger/wiredtiger#4072":
        "A failed sync of the log is tried again; the second one succeeds because the system has dropped the pages, and the commit is acknowledged.";
    error_cached, "error-cached-as-empty-page", "io-error", depth 2, false:
        "A page that could not be read stays in the cache as an empty one.";
    half_a_transaction, "no-space-leaves-half", "io-error", depth 2, false:
        "When the disk is full in the middle of a commit, the pages that found room are published.";
    page_checksum_unread, "page-checksum-unread", "media", depth 2, false:
        "A page's checksum is written and never looked at.";
    page_number_unchecked, "page-number-not-in-checksum", "media", depth 2, false:
        "The checksum covers a page's bytes but not its number, so a page that turns up in another page's place is believed.";
    lost_wakeup, "lost-wakeup", "liveness", depth 3, false:
        "Who finds a latch busy joins its queue one turn later; when the latch is released in between, nobody wakes them.";
    writer_starved, "writer-starved-by-readers", "liveness", depth 2, false:
        "A checkpoint that wants a new log keeps commits out and waits, polling, until nobody reads any more.";
    salt_unchanged, "salt-unchanged-at-reset", "crash", depth 0, true:
        "A new log has the salt of the old one. Harmless: frames name their predecessor, and the first one its own log's header.";
    header_before_frames, "header-before-frames", "io-order", depth 0, true:
        "Recovery writes the new log's header together with its frames. Harmless: the header says how many frames must be there.";
    cache_not_filled, "commit-leaves-cache-alone", "concurrency", depth 0, true:
        "A commit leaves the old versions of its pages in the cache and does not put the new ones there. Harmless: versions are told apart.";
    read_twice, "page-read-twice", "concurrency", depth 0, true:
        "Two who want the same page each read it, and the second puts it into the cache once more. Harmless: a version is one sequence of bytes for ever.";
}
