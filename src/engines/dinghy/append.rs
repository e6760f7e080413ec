//! Putting a commit at the end of the log, so that it is there for good or surely not.
//!
//! ```text
//! pages ──▶ meta page ──▶ sync ──▶ done
//!   │           └──▶ scrub ──▶ refused (or, if that fails too, in doubt)
//!   └──▶ refused                 a failed sync: in doubt, and the engine is read-only
//! ```
//!
//! The meta page is written when all others have been, because it makes the frames a commit: a write that
//! fails before it leaves nothing that recovery could take for one. The caller holds the commit latch.

use std::rc::Rc;

use super::cache::Version;
use super::failure::Failure;
use super::file::{DataFile, Sync, WriteBatch};
use super::log::{FRAME_HEADER, Frames};
use super::page::{Page, PageNo};
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Buffer, CompletionError, ErrorKind, IOResult};
use crate::return_if_io;

/// A commit on its way into the log.
pub(super) struct Append {
    shared: Rc<Shared>,
    file: Rc<DataFile>,
    start: u64,
    meta: Option<(u64, Buffer)>,
    appended: Option<Appended>,
    sync_failed: bool,
    state: AppendState,
}

/// A commit that is in the log.
pub(super) struct Appended {
    /// The number of its first frame.
    pub first: Lsn,
    /// Its pages, the meta page last.
    pub pages: Vec<(PageNo, Page)>,
    /// What the next frame names.
    pub tail: u64,
}

enum AppendState {
    Pages(WriteBatch),
    Meta(WriteBatch),
    Sync(Sync),
    Scrub { write: WriteBatch, cause: Failure },
    ScrubSync { sync: Sync, cause: Failure },
    Done,
}

impl Append {
    /// Refused when there is no memory for the frames; nothing has been written then.
    pub(super) fn new(shared: &Rc<Shared>, sequence: u64, pages: Vec<(PageNo, Page)>) -> Result<Self, Failure> {
        shared.io.allocate("dinghy log frames", pages.len() * (FRAME_HEADER + shared.config.page_size))?;
        let Frames { first, mut runs, tail } = shared.log.borrow().frames(sequence, &pages);
        // BUG state-advanced-before-fallible-call: the log has grown before anything has been written.
        if shared.config.bugs.state_before_failure {
            shared.log.borrow_mut().skip(pages.len());
        }
        let file = shared.log_file();
        let start = runs[0].0;
        // BUG commit-frame-not-waiting: all frames go out at once.
        let meta = if shared.config.bugs.commit_frame_early { None } else { runs.pop() };
        let state = AppendState::Pages(WriteBatch::new(&file, runs));
        let appended = Some(Appended { first, pages, tail });
        Ok(Self { shared: Rc::clone(shared), file, start, meta, appended, sync_failed: false, state })
    }

    /// Done when the commit is in the log, durably if that is promised.
    pub(super) fn poll(&mut self) -> Result<IOResult<Appended>, Failure> {
        loop {
            match &mut self.state {
                AppendState::Pages(write) => {
                    let outcome = write.poll();
                    // BUG no-space-leaves-half: what has found room is there to stay.
                    if self.shared.config.bugs.half_a_transaction && is_full(&outcome) {
                        self.publish_half();
                    }
                    return_if_io!(outcome);
                    self.state = AppendState::Meta(WriteBatch::new(&self.file, self.meta.take()));
                }
                AppendState::Meta(write) => match write.poll() {
                    Ok(IOResult::Done(())) if self.shared.config.sync_commits => {
                        self.state = AppendState::Sync(Sync::once(&self.file));
                    }
                    Ok(IOResult::Done(())) => self.state = AppendState::Done,
                    Ok(IOResult::IO(io)) => return Ok(IOResult::IO(io.seen_here())),
                    Err(error) => {
                        // The frame may be there all the same. Without its first frame it is no commit.
                        let wipe = (self.start, Buffer::zeroed(FRAME_HEADER));
                        let write = WriteBatch::new(&self.file, [wipe]);
                        self.state = AppendState::Scrub { write, cause: error.into() };
                    }
                },
                AppendState::Sync(sync) => {
                    // BUG acknowledge-before-sync: the sync is under way, and nobody waits for it.
                    let outcome = sync.poll();
                    // BUG failed-sync-retried: once more, and this time the system has nothing left to write.
                    if outcome.is_err() && self.shared.config.bugs.failed_sync_retried && !self.sync_failed {
                        self.sync_failed = true;
                        *sync = Sync::once(&self.file);
                        continue;
                    }
                    if !self.shared.config.bugs.acknowledge_before_sync {
                        return_if_io!(outcome.map_err(|error| self.shared.failed_sync(error).in_doubt()));
                    }
                    self.state = AppendState::Done;
                }
                AppendState::Scrub { write, cause } => {
                    // In doubt until the next commit, which begins in the same place.
                    return_if_io!(write.poll().map_err(|error| Failure::from(error).in_doubt()));
                    self.state = AppendState::ScrubSync { sync: Sync::once(&self.file), cause: cause.clone() };
                }
                AppendState::ScrubSync { sync, cause } => {
                    return_if_io!(sync.poll().map_err(|error| self.shared.failed_sync(error).in_doubt()));
                    return Err(cause.clone());
                }
                AppendState::Done => {
                    return Ok(IOResult::Done(self.appended.take().expect("polled once after it was done")));
                }
            }
        }
    }
}

impl Append {
    /// Only for the bug `no-space-leaves-half`.
    fn publish_half(&self) {
        let Some(Appended { first, pages, .. }) = &self.appended else { return };
        let half = &pages[..pages.len() / 2];
        let mut log = self.shared.log.borrow_mut();
        let tail = log.tail();
        log.extend(*first, half, tail);
        for (lsn, (page, bytes)) in (*first..).zip(half) {
            self.shared.pager.borrow_mut().insert(Version { page: *page, lsn }, Rc::clone(bytes));
        }
    }
}

fn is_full(outcome: &Result<IOResult<()>, CompletionError>) -> bool {
    outcome.as_ref().is_err_and(|error| error.io_kind() == Some(ErrorKind::NoSpace))
}
