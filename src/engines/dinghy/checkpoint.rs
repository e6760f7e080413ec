//! A checkpoint: what the log holds moves into the database file, and the log begins anew.
//!
//! Commits and reads go on meanwhile. Two rules keep them right: no frame is copied that is newer than the
//! oldest snapshot in use, because its reader may look for the older page in the database file; and the log
//! begins anew only when everything is copied and synced, nobody commits, and nobody reads from it. A
//! checkpoint that may not do all of it does what it may.

use std::rc::Rc;

use super::cache::Version;
use super::failure::Failure;
use super::file::{Sync, WriteBatch};
use super::latch::{Held, Request};
use super::page::PageNo;
use super::pager::Fetch;
use super::reset::NewLog;
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Buffer, Completion, IOResult, Resource};
use crate::{io_yield_one, return_if_io};

/// How many pages are read and written at a time.
const BATCH: usize = 4;

/// A checkpoint under way.
pub(super) struct Checkpoint {
    shared: Rc<Shared>,
    held: Option<Held>,
    commits_stopped: Option<Held>,
    /// Frames up to this one are copied.
    limit: Lsn,
    /// The pages to copy, each with its newest frame up to the limit.
    pages: Vec<(PageNo, Lsn)>,
    copied: usize,
    buffers: [Buffer; BATCH],
    state: CheckpointState,
}

enum CheckpointState {
    Latch(Request),
    Choose,
    SyncLog { sync: Sync, sequence: u64 },
    Read { batch: Vec<(PageNo, Lsn)>, fetch: Fetch },
    Write(WriteBatch),
    SyncDatabase(Sync),
    StopCommits(Request),
    NewLog(NewLog),
}

impl Checkpoint {
    /// A checkpoint that waits for its turn.
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self::from(shared, None, CheckpointState::Latch(shared.checkpoint_latch.request()))
    }

    /// A checkpoint because the log has grown long; none when somebody is at it already.
    pub(super) fn when_due(shared: &Rc<Shared>, commits_stopped: Option<Held>) -> Option<Self> {
        if shared.read_only.get() || shared.log.borrow().len() < shared.config.checkpoint_frames {
            return None;
        }
        // BUG latch-order-deadlock: with the commit latch in hand, it waits for the other one.
        if commits_stopped.is_some() {
            return Some(Self { commits_stopped, ..Self::new(shared) });
        }
        let held = shared.checkpoint_latch.try_take()?;
        Some(Self::from(shared, Some(held), CheckpointState::Choose))
    }

    fn from(shared: &Rc<Shared>, held: Option<Held>, state: CheckpointState) -> Self {
        let buffers = std::array::from_fn(|_| Buffer::zeroed(shared.config.page_size));
        let (shared, pages) = (Rc::clone(shared), Vec::new());
        Self { shared, held, commits_stopped: None, limit: 0, pages, copied: 0, buffers, state }
    }

    /// Goes on with it.
    pub(super) fn poll(&mut self) -> Result<IOResult<()>, Failure> {
        loop {
            match &mut self.state {
                CheckpointState::Latch(request) => {
                    self.held = Some(return_if_io!(Ok::<_, Failure>(request.poll())));
                    self.state = CheckpointState::Choose;
                }
                CheckpointState::Choose => return_if_io!(self.choose()),
                CheckpointState::SyncLog { sync, sequence } => {
                    return_if_io!(sync.poll().map_err(|error| self.shared.failed_sync(error)));
                    self.shared.log.borrow_mut().set_durable(*sequence);
                    self.state = self.next_batch();
                }
                CheckpointState::Read { .. } => return_if_io!(self.read()),
                CheckpointState::Write(_) => return_if_io!(self.write()),
                CheckpointState::SyncDatabase(sync) => {
                    return_if_io!(sync.poll().map_err(|error| self.shared.failed_sync(error)));
                    self.state = self.stop_commits();
                    io_yield_one!(Completion::new_yield().touching(Resource::write("commit latch", 0)));
                }
                CheckpointState::StopCommits(request) => {
                    self.commits_stopped = Some(return_if_io!(Ok::<_, Failure>(request.poll())));
                    self.state = CheckpointState::NewLog(NewLog::new(&self.shared));
                }
                CheckpointState::NewLog(new_log) => {
                    return_if_io!(new_log.poll());
                    (self.commits_stopped, self.held) = (None, None);
                    return Ok(IOResult::Done(()));
                }
            }
        }
    }

    /// Decides what is copied. Who takes a snapshot from now on has a mark at least as new.
    fn choose(&mut self) -> Result<IOResult<()>, Failure> {
        self.shared.writable()?;
        let log = self.shared.log.borrow();
        self.limit = self.shared.oldest_mark().min(log.end());
        self.pages = log.to_backfill(self.limit);
        let sequence = self.shared.published.get().sequence;
        drop(log);
        // BUG log-not-synced-before-checkpoint: as if every commit had been synced.
        self.state = if self.shared.config.sync_commits || self.shared.config.bugs.log_not_synced {
            self.next_batch()
        } else {
            CheckpointState::SyncLog { sync: Sync::twice(&self.shared.log_file()), sequence }
        };
        io_yield_one!(Completion::new_yield().touching(Resource::write("database", 0)))
    }

    fn next_batch(&self) -> CheckpointState {
        let batch: Vec<_> = self.pages.iter().skip(self.copied).take(BATCH).copied().collect();
        if batch.is_empty() {
            // BUG log-reset-before-database-sync: the next checkpoint will sync it.
            if self.shared.config.bugs.log_reset_early {
                return self.stop_commits();
            }
            // The log may be given up after this, and it is the other copy: the sync has to be sure.
            return CheckpointState::SyncDatabase(Sync::twice(&self.shared.database));
        }
        let fetch = Fetch::new(&self.shared, batch.iter().map(|&(page, lsn)| Version { page, lsn }));
        CheckpointState::Read { batch, fetch }
    }

    fn read(&mut self) -> Result<IOResult<()>, Failure> {
        let CheckpointState::Read { batch, fetch } = &mut self.state else { unreachable!("reading") };
        // BUG index-before-yield: counted before the pages are there, once per call.
        if self.shared.config.bugs.index_before_yield {
            self.copied += batch.len();
        }
        let pages = return_if_io!(fetch.poll(&self.shared));
        if !self.shared.config.bugs.index_before_yield {
            self.copied += batch.len();
        }
        let page_size = self.shared.config.page_size as u64;
        let runs = batch.iter().zip(&pages).zip(&self.buffers).map(|((&(no, _), page), buffer)| {
            buffer.lock().copy_from_slice(page);
            (u64::from(no - 1) * page_size, buffer.clone())
        });
        self.state = CheckpointState::Write(WriteBatch::new(&self.shared.database, runs));
        Ok(IOResult::Done(()))
    }

    fn write(&mut self) -> Result<IOResult<()>, Failure> {
        let CheckpointState::Write(write) = &mut self.state else { unreachable!("writing") };
        let (bugs, outcome) = (&self.shared.config.bugs, write.poll());
        let more = self.copied < self.pages.len();
        // BUG buffer-reused-in-flight: the next pages come into these buffers at once.
        // BUG checkpoint-sync-before-writes: the sync that follows covers what has been written by then.
        let careless = if more { bugs.buffer_reused } else { bugs.checkpoint_syncs_early };
        if !careless {
            return_if_io!(outcome);
        }
        self.state = self.next_batch();
        io_yield_one!(Completion::new_yield().touching(Resource::write("database", 0)))
    }

    /// What is copied is durable: the log may begin anew, if nobody makes it longer meanwhile.
    fn stop_commits(&self) -> CheckpointState {
        let mut log = self.shared.log.borrow_mut();
        // BUG stale-checkpoint: as if the log had stood still since the pages were chosen.
        let copied_to = if self.shared.config.bugs.stale_checkpoint { log.end() } else { self.limit };
        log.set_backfilled(copied_to);
        match self.commits_stopped {
            None => CheckpointState::StopCommits(self.shared.commit_latch.request()),
            Some(_) => CheckpointState::NewLog(NewLog::new(&self.shared)),
        }
    }
}
