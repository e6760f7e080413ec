//! A checkpoint: what the log holds moves into the database file, and the log begins anew.
//!
//! Commits and reads go on meanwhile. Two rules keep them right: no frame is copied that is newer than the
//! oldest snapshot in use, because its reader may look for the older page in the database file; and the log
//! begins anew only when everything is copied and synced, nobody commits, and nobody reads from it. A
//! checkpoint that may not do all of it does what it may.

use std::rc::Rc;

use super::cache::Version;
use super::failure::Failure;
use super::file::{Sync, Truncate, WriteBatch};
use super::latch::{Held, Request};
use super::log::{Log, LogHeader};
use super::page::PageNo;
use super::pager::Fetch;
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
    Shrink(Truncate),
    WriteHeader { header: LogHeader, write: WriteBatch },
    SyncHeader { header: LogHeader, sync: Sync },
    Done,
}

impl Checkpoint {
    /// A checkpoint that waits for its turn.
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self::from(shared, None, CheckpointState::Latch(shared.checkpoint_latch.request()))
    }

    /// A checkpoint because the log has grown long; none when somebody is at it already.
    pub(super) fn when_due(shared: &Rc<Shared>) -> Option<Self> {
        if shared.read_only.get() || shared.log.borrow().len() < shared.config.checkpoint_frames {
            return None;
        }
        let held = shared.checkpoint_latch.try_take()?;
        Some(Self::from(shared, Some(held), CheckpointState::Choose))
    }

    fn from(shared: &Rc<Shared>, held: Option<Held>, state: CheckpointState) -> Self {
        let shared = Rc::clone(shared);
        Self { shared, held, commits_stopped: None, limit: 0, pages: Vec::new(), copied: 0, state }
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
                    return_if_io!(sync.poll().map_err(|error| failed_sync(&self.shared, error.into())));
                    self.shared.log.borrow_mut().set_durable(*sequence);
                    self.state = self.next_batch();
                }
                CheckpointState::Read { .. } => return_if_io!(self.read()),
                CheckpointState::Write(write) => {
                    return_if_io!(write.poll());
                    self.state = self.next_batch();
                    io_yield_one!(Completion::new_yield().touching(Resource::write("database", 0)));
                }
                CheckpointState::SyncDatabase(sync) => {
                    return_if_io!(sync.poll().map_err(|error| failed_sync(&self.shared, error.into())));
                    self.shared.log.borrow_mut().set_backfilled(self.limit);
                    self.state = CheckpointState::StopCommits(self.shared.commit_latch.request());
                    io_yield_one!(Completion::new_yield().touching(Resource::write("commit latch", 0)));
                }
                CheckpointState::StopCommits(request) => {
                    self.commits_stopped = Some(return_if_io!(Ok::<_, Failure>(request.poll())));
                    self.state = self.shrink_or_end()?;
                }
                CheckpointState::Shrink(truncate) => {
                    return_if_io!(truncate.poll());
                    self.state = self.begin_log();
                }
                CheckpointState::WriteHeader { header, write } => {
                    return_if_io!(write.poll());
                    let sync = Sync::twice(&self.shared.logs[header.generation as usize % 2]);
                    self.state = CheckpointState::SyncHeader { header: *header, sync };
                }
                CheckpointState::SyncHeader { header, sync } => {
                    return_if_io!(sync.poll().map_err(|error| failed_sync(&self.shared, error.into())));
                    reset(&self.shared, *header);
                    self.state = CheckpointState::Done;
                }
                CheckpointState::Done => {
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
        let oldest = self.shared.snapshots.oldest_mark().unwrap_or(Lsn::MAX);
        self.limit = match self.shared.config.bugs.checkpoint_overlooks_reader {
            false => oldest.min(log.end()),
            // BUG checkpoint-overlooks-reader: everything is copied, whoever still reads.
            true => log.end(),
        };
        self.pages = log.to_backfill(self.limit);
        let sequence = self.shared.published.get().sequence;
        drop(log);
        self.state = if self.shared.config.sync_commits {
            self.next_batch()
        } else {
            CheckpointState::SyncLog { sync: Sync::twice(&self.shared.log_file()), sequence }
        };
        io_yield_one!(Completion::new_yield().touching(Resource::write("database", 0)))
    }

    fn next_batch(&self) -> CheckpointState {
        let batch: Vec<_> = self.pages.iter().skip(self.copied).take(BATCH).copied().collect();
        if batch.is_empty() {
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
        let runs =
            batch.iter().zip(&pages).map(|(&(no, _), page)| (u64::from(no - 1) * page_size, Buffer::from(&page[..])));
        self.state = CheckpointState::Write(WriteBatch::new(&self.shared.database, runs));
        Ok(IOResult::Done(()))
    }

    /// With commits stopped: may the log begin anew?
    fn shrink_or_end(&self) -> Result<CheckpointState, Failure> {
        let log = self.shared.log.borrow();
        let all_copied = log.len() > 0 && log.backfilled() == log.end();
        let nobody_reads_it = self.shared.snapshots.oldest_mark().is_none_or(|mark| mark >= log.end());
        if !all_copied || !nobody_reads_it || self.shared.read_only.get() {
            return Ok(CheckpointState::Done);
        }
        let len = u64::from(self.shared.published.get().page_count) * self.shared.config.page_size as u64;
        if self.shared.database.size()? > len {
            return Ok(CheckpointState::Shrink(Truncate::new(&self.shared.database, len)));
        }
        drop(log);
        Ok(self.begin_log())
    }

    /// The new log's header goes into the other file; until it is durable the old log counts.
    fn begin_log(&self) -> CheckpointState {
        let header = LogHeader {
            generation: self.shared.log.borrow().header().generation + 1,
            salt: self.shared.io.random(),
            base_sequence: self.shared.published.get().sequence,
            foundation: 0,
        };
        let sector = Buffer::from(header.encode(self.shared.config.page_size));
        let write = WriteBatch::new(&self.shared.logs[header.generation as usize % 2], [(0, sector)]);
        CheckpointState::WriteHeader { header, write }
    }
}

/// From here on the log is empty, and everything is found in the database file.
fn reset(shared: &Shared, header: LogHeader) {
    let page_size = shared.config.page_size;
    let mut log = shared.log.borrow_mut();
    shared.pager.borrow_mut().log_was_reset(log.pages());
    let new = Log::new(page_size, header, log.end(), &[], header.checksum(page_size));
    *log = new;
}

/// Nobody knows what the disk holds: nothing may depend on it until recovery has looked.
fn failed_sync(shared: &Shared, cause: Failure) -> Failure {
    shared.read_only.set(true);
    cause
}
