//! What all connections of one engine share.
//!
//! Runs have one thread, so plain cells do. A borrow never lives across a yield: whoever borrows gives back
//! before returning. `published` changes in one place only, [`Shared::publish`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::append::Appended;
use super::cache::Version;
use super::config::Config;
use super::failure::Failure;
use super::file::DataFile;
use super::latch::Latch;
use super::log::{Log, LogHeader};
use super::meta::Meta;
use super::pager::Pager;
use super::snapshot::{Lsn, Snapshot, Snapshots};
use super::transaction::{Recent, Scratch};
use crate::aio::CompletionError;
use crate::disk::Io;
use crate::engine::kv::Key;
use crate::history::Class;

/// The engine's insides, once it is open.
pub(super) struct Shared {
    pub config: Config,
    pub io: Arc<dyn Io>,
    pub database: Rc<DataFile>,
    pub logs: [Rc<DataFile>; 2],
    /// What the last published commit says of the database.
    pub published: Cell<Meta>,
    pub log: RefCell<Log>,
    pub pager: RefCell<Pager>,
    pub snapshots: Snapshots,
    /// Which commit wrote which key, as far back as anybody may ask.
    pub recent: RefCell<Recent>,
    /// Whoever has it may change the end of the log, or begin a new one.
    pub commit_latch: Latch,
    /// Whoever has it may write to the database file.
    pub checkpoint_latch: Latch,
    /// Something that had to be durable may not be: no commit before the engine is opened again.
    pub read_only: Cell<bool>,
    /// Uncommitted writes of all connections; only the dirty read knows them.
    pub scratch: Scratch,
    /// How many commits want each key; only the livelock knows them.
    pub announced: RefCell<BTreeMap<Key, u32>>,
}

impl Shared {
    pub(super) fn new(
        config: Config,
        io: Arc<dyn Io>,
        database: Rc<DataFile>,
        logs: [Rc<DataFile>; 2],
        meta: Meta,
        log: Log,
    ) -> Self {
        Self {
            config,
            io,
            database,
            logs,
            published: Cell::new(meta),
            log: RefCell::new(log),
            pager: RefCell::new(Pager::new(config.cache_pages)),
            snapshots: Snapshots::default(),
            recent: RefCell::default(),
            commit_latch: Latch::new("commit latch", config.bugs),
            checkpoint_latch: Latch::new("checkpoint latch", config.bugs),
            read_only: Cell::new(false),
            scratch: Scratch::default(),
            announced: RefCell::default(),
        }
    }

    /// A snapshot of what is published now: read and entered in one step, so that no checkpoint comes between.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshots.enter(self.log.borrow().end(), self.published.get().sequence)
    }

    /// No frame beyond it may be copied into the database file, and no log that goes beyond it given up.
    pub(super) fn oldest_mark(&self) -> Lsn {
        // BUG checkpoint-overlooks-reader: as if nobody was reading.
        if self.config.bugs.checkpoint_overlooks_reader {
            return Lsn::MAX;
        }
        self.snapshots.oldest_mark().unwrap_or(Lsn::MAX)
    }

    /// The file of a log.
    pub(super) const fn log_number(&self, header: &LogHeader) -> &Rc<DataFile> {
        &self.logs[header.generation as usize % 2]
    }

    /// The file of the log in use.
    pub(super) fn log_file(&self) -> Rc<DataFile> {
        Rc::clone(&self.logs[self.log.borrow().file()])
    }

    /// Makes a commit visible. All of it in one step: nobody sees half.
    pub(super) fn publish(&self, meta: Meta, appended: &Appended) {
        let mut log = self.log.borrow_mut();
        let mut pager = self.pager.borrow_mut();
        log.extend(appended.first, &appended.pages, appended.tail);
        if self.config.sync_commits {
            log.set_durable(meta.sequence);
        }
        // BUG commit-leaves-cache-alone (harmless): the new versions will be read when they are wanted.
        let cached = if self.config.bugs.cache_not_filled { &[] } else { &appended.pages[..] };
        for (lsn, (page, bytes)) in (appended.first..).zip(cached) {
            pager.insert(Version { page: *page, lsn }, Rc::clone(bytes));
        }
        self.published.set(meta);
    }

    /// Nobody knows what the disk holds: nothing may depend on it until recovery has looked.
    pub(super) fn failed_sync(&self, error: CompletionError) -> Failure {
        self.read_only.set(true);
        error.into()
    }

    /// What is held in memory, for people.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let Meta { page_count, free_count, sequence, .. } = self.published.get();
        let mut told = vec![
            ("published".to_string(), format!("commit {sequence}, {page_count} pages, {free_count} of them free")),
            ("log".to_string(), self.log.borrow().told()),
            ("cache".to_string(), self.pager.borrow().told()),
            ("snapshots".to_string(), self.snapshots.told()),
        ];
        for latch in [&self.commit_latch, &self.checkpoint_latch] {
            let (name, words) = latch.told();
            told.push((name.to_string(), words));
        }
        if self.read_only.get() {
            told.push(("read only".to_string(), "a failed sync has left the log in doubt".to_string()));
        }
        told
    }

    /// Refuses what would change the database, once it may not be changed any more.
    pub(super) fn writable(&self) -> Result<(), Failure> {
        if self.read_only.get() {
            return Err(Failure::refused(Class::ReadOnly, "a failed sync has left the log in doubt"));
        }
        Ok(())
    }
}
