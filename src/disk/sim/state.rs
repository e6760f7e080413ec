//! All that lies behind the lock: the files, the operations in flight, the clock.
//!
//! Nothing here finishes or drops a completion: that runs an author's callback, which may want the lock.

use std::sync::Arc;

use super::config::{DiskConfig, FailedSync, MediaFault};
use super::file::{Change, FileState};
use super::flight::{Flight, Flights, Issuers, Op};
use super::image::Pool;
use super::names::{NameChange, Names};
use super::rule::FaultRule;
use super::stats::DiskStats;
use super::timers::Timers;
use crate::aio::{Completion, FileId};
use crate::tape::{Actor, Decisions, Tape};

/// What a snapshot copies: cheap to clone, because pages are shared.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    /// By [`FileId`].
    pub(super) files: Vec<FileState>,
    pub(super) names: Names,
    /// The number of the next change.
    pub(super) seq: u64,
    /// Crashes so far.
    pub(super) crashes: u32,
    /// Pages that hold bytes in all caches.
    pub(super) pages: u64,
    /// Drawn once per run, at the first failed sync.
    pub(super) failed_sync: Option<FailedSync>,
    /// Drawn once per run, at the first I/O.
    pub(super) media: Option<MediaFault>,
}

impl World {
    pub(super) fn file(&mut self, id: FileId) -> &mut FileState {
        &mut self.files[id.0 as usize]
    }

    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Changes the directory, and notes who has a name.
    pub(super) fn change_names(&mut self, actor: Actor, change: NameChange) {
        let seq = self.next_seq();
        let replaced = change.paths().next().and_then(|path| self.names.now.get(path).copied());
        if let Some(file) = replaced {
            self.file(file).linked = false;
        }
        if let Some(file) = change.file() {
            self.file(file).linked = true;
        }
        if let NameChange::Rename { to, file, .. } = &change {
            self.file(*file).path = Arc::clone(to);
        }
        if self.names.change(seq, actor, change) {
            self.collect();
        }
    }

    /// The room taken, in pages: files that somebody can still reach.
    pub(super) fn pages_taken(&self) -> u64 {
        let reachable = |file: &&FileState| file.linked || file.open.strong_count() > 0;
        self.files.iter().filter(reachable).map(|file| file.cache.pages()).sum()
    }

    /// Forgets the bytes of files that nobody can reach any more.
    pub(super) fn collect(&mut self) {
        let named = self.names.files();
        for (at, file) in self.files.iter_mut().enumerate() {
            let id = FileId(at as u32);
            if file.cache.len() > 0 && file.open.strong_count() == 0 && !named.contains(&id) {
                self.pages -= file.cache.pages();
                *file = FileState::new(Arc::clone(&file.path));
            }
        }
    }
}

/// A change that was in flight when everything stopped: it may still happen.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) actor: Actor,
    pub(super) what: GhostChange,
}

#[derive(Clone, Debug)]
pub(super) enum GhostChange {
    File(FileId, Change),
    Remove(Arc<str>),
    Rename(Arc<str>, Arc<str>),
}

impl GhostChange {
    /// The change of the directory it would be now.
    pub(super) fn name_change(&self, names: &Names) -> Option<NameChange> {
        match self {
            Self::File(..) => None,
            Self::Remove(path) => names.now.contains_key(path).then(|| NameChange::Remove(Arc::clone(path))),
            Self::Rename(from, to) => {
                let file = *names.now.get(from).filter(|_| from != to)?;
                Some(NameChange::Rename { from: Arc::clone(from), to: Arc::clone(to), file })
            }
        }
    }
}

pub(super) struct State {
    pub(super) config: DiskConfig,
    /// Raised whenever everything stops; handles of an earlier epoch are dead.
    pub(super) epoch: u32,
    pub(super) frozen: bool,
    pub(super) faults_on: bool,
    pub(super) timers: Timers,
    pub(super) issuers: Issuers,
    pub(super) world: World,
    pub(super) flights: Flights,
    pub(super) ghosts: Vec<Ghost>,
    pub(super) stats: DiskStats,
    /// A tape on which everything is calm, of this run's seed.
    pub(super) calm: Tape,
    pub(super) rules: Vec<Arc<dyn FaultRule>>,
    pub(super) pool: Pool,
    /// Room to gather the parts of a vectored write.
    pub(super) scratch: Vec<u8>,
}

impl State {
    pub(super) fn new(config: DiskConfig, seed: u64) -> Self {
        Self {
            config,
            epoch: 0,
            frozen: false,
            faults_on: true,
            timers: Timers::default(),
            issuers: Issuers::default(),
            world: World::default(),
            flights: Flights::default(),
            ghosts: Vec::new(),
            stats: DiskStats::default(),
            calm: Tape::recorded(seed, Decisions::default()),
            rules: Vec::new(),
            pool: Pool::default(),
            scratch: Vec::new(),
        }
    }

    /// Stops everything: what is in flight becomes ghosts, and its completions are the caller's to abort.
    pub(super) fn freeze(&mut self) -> Vec<Completion> {
        self.epoch += 1;
        self.frozen = true;
        let flights = self.flights.drain();
        for flight in &flights {
            let ghost = ghost(flight, &mut self.scratch);
            self.ghosts.extend(ghost);
        }
        let completions = flights.into_iter().map(|flight| flight.completion);
        completions.chain(self.timers.drain()).collect()
    }

    /// The ghosts of what is in flight now, for a snapshot.
    pub(super) fn ghosts(&mut self) -> Vec<Ghost> {
        let mut flights: Vec<&Flight> = self.flights.iter().collect();
        flights.sort_by_key(|flight| flight.serial);
        let fresh: Vec<Ghost> = flights.into_iter().filter_map(|flight| ghost(flight, &mut self.scratch)).collect();
        self.ghosts.iter().cloned().chain(fresh).collect()
    }
}

/// What is left of an operation that has not been applied.
fn ghost(flight: &Flight, scratch: &mut Vec<u8>) -> Option<Ghost> {
    if flight.applied.is_some() {
        return None;
    }
    let what = match &flight.op {
        Op::Write { file, offset, data } => {
            let bytes = data.with(scratch, |bytes| Arc::from(bytes));
            GhostChange::File(*file, Change::Write { offset: *offset, bytes })
        }
        Op::Truncate { file, len } => GhostChange::File(*file, Change::SetLen(*len)),
        Op::Remove { path } => GhostChange::Remove(Arc::clone(path)),
        Op::Rename { from, to } => GhostChange::Rename(Arc::clone(from), Arc::clone(to)),
        Op::Read { .. } | Op::Sync { .. } | Op::SyncDirectory { .. } => return None,
    };
    Some(Ghost { actor: flight.actor, what })
}
