//! Beginning a new log, at the end of a checkpoint that could copy everything.
//!
//! The new log's header goes into the other file. Until it is durable the old log counts, and nothing of it
//! is touched. The caller keeps commits out.

use std::rc::Rc;

use super::failure::Failure;
use super::file::{Sync, Truncate, WriteBatch};
use super::log::{Log, LogHeader};
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Buffer, Completion, IOResult, Resource};
use crate::{io_yield_one, return_if_io};

/// A new log on its way, or the finding that there may not be one yet.
pub(super) struct NewLog {
    shared: Rc<Shared>,
    state: NewLogState,
}

enum NewLogState {
    Decide,
    /// Only for the bug `truncate-before-sync`.
    CutOld(Truncate),
    /// The database has become smaller since its file was cut last.
    Shrink(Truncate),
    WriteHeader {
        header: LogHeader,
        write: WriteBatch,
    },
    SyncHeader {
        header: LogHeader,
        sync: Sync,
    },
    Done,
}

impl NewLog {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self { shared: Rc::clone(shared), state: NewLogState::Decide }
    }

    /// Done when the log is empty, or must stay as it is.
    pub(super) fn poll(&mut self) -> Result<IOResult<()>, Failure> {
        loop {
            match &mut self.state {
                NewLogState::Decide => return_if_io!(self.decide()),
                NewLogState::Shrink(truncate) => {
                    return_if_io!(truncate.poll());
                    self.state = self.cut_or_begin();
                }
                NewLogState::CutOld(truncate) => {
                    return_if_io!(truncate.poll());
                    self.state = self.begin();
                }
                NewLogState::WriteHeader { header, write } => {
                    return_if_io!(write.poll());
                    let header = *header;
                    self.state = NewLogState::SyncHeader { header, sync: Sync::twice(self.shared.log_number(&header)) };
                    // BUG new-log-header-unsynced: the first commit will sync it, if the process lives so long.
                    if self.shared.config.bugs.reset_unsynced {
                        self.install(header);
                    }
                }
                NewLogState::SyncHeader { header, sync } => {
                    return_if_io!(sync.poll().map_err(|error| self.shared.failed_sync(error)));
                    let header = *header;
                    self.install(header);
                }
                NewLogState::Done => return Ok(IOResult::Done(())),
            }
        }
    }

    /// Whether everything is copied and nobody reads from the log.
    fn decide(&mut self) -> Result<IOResult<()>, Failure> {
        let (end, mark) = (self.shared.log.borrow().end(), self.shared.oldest_mark());
        // BUG writer-starved-by-readers: not without a new log, however long it takes.
        if self.shared.config.bugs.writer_starved && mark < end {
            io_yield_one!(Completion::new_spin().touching(Resource::read("snapshots", 0)));
        }
        self.state = match self.is_empty_enough(end, mark) {
            false => NewLogState::Done,
            true => {
                let len = u64::from(self.shared.published.get().page_count) * self.shared.config.page_size as u64;
                match self.shared.database.size()? > len {
                    true => NewLogState::Shrink(Truncate::new(&self.shared.database, len)),
                    false => self.cut_or_begin(),
                }
            }
        };
        Ok(IOResult::Done(()))
    }

    fn is_empty_enough(&self, end: Lsn, mark: Lsn) -> bool {
        let log = self.shared.log.borrow();
        log.len() > 0 && log.backfilled() == end && mark >= end && !self.shared.read_only.get()
    }

    fn cut_or_begin(&self) -> NewLogState {
        // BUG truncate-before-sync: the old log goes before the new one has come.
        if self.shared.config.bugs.truncate_before_sync {
            return NewLogState::CutOld(Truncate::new(&self.shared.log_file(), 0));
        }
        self.begin()
    }

    fn begin(&self) -> NewLogState {
        let old = *self.shared.log.borrow().header();
        let header = LogHeader {
            generation: old.generation + 1,
            // BUG salt-unchanged-at-reset (harmless): frames are told apart by what they follow.
            salt: if self.shared.config.bugs.salt_unchanged { old.salt } else { self.shared.io.random() },
            base_sequence: self.shared.published.get().sequence,
            foundation: 0,
        };
        let sector = Buffer::from(header.encode(self.shared.config.page_size));
        let write = WriteBatch::new(self.shared.log_number(&header), [(0, sector)]);
        NewLogState::WriteHeader { header, write }
    }

    /// From here on the log is empty, and everything is found in the database file.
    fn install(&mut self, header: LogHeader) {
        let page_size = self.shared.config.page_size;
        let mut log = self.shared.log.borrow_mut();
        // BUG stale-cache-after-log-reset: what the cache takes for the database file's pages is not asked.
        if !self.shared.config.bugs.stale_cache {
            self.shared.pager.borrow_mut().log_was_reset(log.pages());
        }
        let new = Log::new(page_size, header, log.end());
        *log = new;
        self.state = NewLogState::Done;
    }
}
