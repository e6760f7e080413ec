//! The bugs this engine can be told to have, each a switch with its story.
//!
//! The wrong branch stands at the place where it happens, marked `BUG` and the switch's name. Without a
//! switch none of them is taken.

use crate::engine::{BugInfo, Options};

macro_rules! catalogue {
    ($($field:ident, $name:literal, $class:literal, depth $depth:literal, $harmless:literal: $about:literal;)*) => {
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
            $(BugInfo { name: $name, about: $about, class: $class, depth: $depth, harmless: $harmless },)*
        ];
    };
}

catalogue! {
    push_before_yield, "push-before-yield", "re-entrancy", depth 1, false:
        "A scan adds a row before it reads the row's long value; called again after the read, it adds the row once more.";
    index_before_yield, "index-before-yield", "re-entrancy", depth 2, false:
        "A checkpoint counts a page as done before it has been read for copying; called again after the read, it skips the page.";
    insert_before_yield, "insert-before-yield", "re-entrancy", depth 2, false:
        "A page of a deleted long value goes on the free list before its successor is read; called again after the read, it goes there twice.";
    flag_before_yield, "flag-before-yield", "re-entrancy", depth 2, false:
        "A commit notes that it is validated and then waits for its turn; what others commit meanwhile it never looks at.";
    state_before_failure, "state-advanced-before-fallible-call", "re-entrancy", depth 2, false:
        "The end of the log moves before the frames are written; when the write fails it stays there, and recovery stops at the gap.";
    leaked_lock, "leaked-lock-after-abandonment", "re-entrancy", depth 2, false:
        "A commit that is abandoned half-way keeps the commit latch, and everybody after it waits for ever.";
    lost_update, "lost-update", "concurrency", depth 2, false:
        "A commit does not look whether somebody else has committed the same keys since its snapshot.";
    dirty_read, "dirty-read", "concurrency", depth 2, false:
        "Uncommitted writes lie in a table that all connections share, and a read looks there.";
    checkpoint_overlooks_reader, "checkpoint-overlooks-reader", "concurrency", depth 3, false:
        "A checkpoint copies frames that are newer than the snapshot of a reader who still reads the database file.";
    acknowledge_before_sync, "acknowledge-before-sync", "crash", depth 2, false:
        "A commit is acknowledged when its frames are written, without waiting for the log to be synced.";
    torn_frame_accepted, "torn-frame-accepted", "crash", depth 2, false:
        "Recovery takes a frame's word for its page: checksums are not compared, so a torn commit counts as a whole one.";
    lost_wakeup, "lost-wakeup", "liveness", depth 3, false:
        "Who finds a latch busy joins its queue one turn later; when the latch is released in between, nobody wakes them.";
}
