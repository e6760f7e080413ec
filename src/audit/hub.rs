//! A disk on which every I/O is over before its call returns, but for those that are held back.
//!
//! That is what makes a yield a thing one can add or leave out: an engine that finds its I/O finished goes on
//! without waiting. Nothing is drawn here, and nobody else is given a turn.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::aio::{Buffer, Completion, CompletionError, ErrorKind, FileId, IoKind, Resource};
use crate::disk::sim::{
    Dice, DiskConfig, FaultRule, Finish, IoFacts, IoId, IoTurn, SimDisk, Snapshot, Strike, Submitted,
};
use crate::disk::{File, Io, OpenMode};
use crate::history::CrashKind;
use crate::tape::Tape;

/// Which I/Os of the operation that is looked at are held back until the engine waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    /// The n-th.
    One(usize),
    All,
}

/// An I/O, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IoNote {
    pub(super) kind: IoKind,
    pub(super) path: String,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl IoNote {
    /// What the I/O does and to which file; the same for all I/Os of a loop.
    pub(super) fn short(&self) -> String {
        format!("{} of {}", self.kind, self.path)
    }
}

impl std::fmt::Display for IoNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            IoKind::Read | IoKind::Write if self.end != u64::MAX => {
                write!(f, "{} of {} at {}, {} bytes", self.kind, self.path, self.start, self.end - self.start)
            }
            _ => f.write_str(&self.short()),
        }
    }
}

/// The disk and what is held back on it.
pub(super) struct Hub {
    disk: SimDisk,
    strike: Arc<OnDemand>,
    state: Mutex<State>,
}

struct State {
    tape: Tape,
    hold: Hold,
    watching: bool,
    held: Vec<IoId>,
    notes: Vec<IoNote>,
    submitted: Vec<Submitted>,
}

/// A fault that strikes the next I/O when it has been asked to.
#[derive(Default)]
struct OnDemand(Mutex<Option<ErrorKind>>);

impl FaultRule for OnDemand {
    fn name(&self) -> &'static str {
        "on-demand"
    }

    fn strike(&self, _: &IoFacts<'_>, _: &mut Dice<'_>) -> Option<Strike> {
        self.0.lock().take().map(Strike::Fail)
    }
}

impl Hub {
    /// An empty disk, or one as it was.
    pub(super) fn new(snapshot: Option<&Snapshot>) -> Arc<Self> {
        let disk = SimDisk::new(DiskConfig::default(), 0);
        let strike = Arc::new(OnDemand::default());
        disk.add_rule(Arc::clone(&strike) as Arc<dyn FaultRule>);
        disk.set_faults(true);
        if let Some(snapshot) = snapshot {
            disk.restore(snapshot);
        }
        let tape = Tape::recorded(0, Default::default());
        let state =
            State { tape, hold: Hold::Nothing, watching: false, held: vec![], notes: vec![], submitted: vec![] };
        Arc::new(Self { disk, strike, state: Mutex::new(state) })
    }

    /// A handle for an engine.
    pub(super) fn io(self: &Arc<Self>) -> Arc<dyn Io> {
        Arc::new(HubIo { inner: self.disk.io(), hub: Arc::clone(self) })
    }

    pub(super) fn set_issuer(&self, connection: u16, op: u32) {
        self.disk.set_issuer(connection, op);
    }

    /// From now on I/Os are counted, noted and held back.
    pub(super) fn watch(&self, hold: Hold) {
        let mut state = self.state.lock();
        (state.watching, state.hold) = (true, hold);
        state.notes.clear();
    }

    /// Not any more. What is held stays so.
    pub(super) fn unwatch(&self) -> Vec<IoNote> {
        let mut state = self.state.lock();
        state.watching = false;
        std::mem::take(&mut state.notes)
    }

    /// Whether anything is held back.
    pub(super) fn holds(&self) -> bool {
        !self.state.lock().held.is_empty()
    }

    /// Lets the oldest I/O that is held back go on, with this error if there is one. False when none is held.
    pub(super) fn release(&self, error: Option<ErrorKind>) -> bool {
        let mut state = self.state.lock();
        if state.held.is_empty() {
            return false;
        }
        let id = state.held.remove(0);
        drop(state);
        self.perform(id, error);
        true
    }

    /// Moves the clock on to the next deadline; false when no timer runs.
    pub(super) fn advance(&self) -> bool {
        let Some(deadline) = self.disk.next_deadline() else { return false };
        self.disk.tick(deadline.saturating_sub(self.disk.now()));
        self.disk.take_due().into_iter().for_each(|completion| completion.complete(0));
        true
    }

    pub(super) fn tick(&self) {
        self.disk.tick(1);
    }

    /// Stops everything; what was in flight is aborted.
    pub(super) fn freeze(&self) {
        self.state.lock().held.clear();
        self.disk.freeze().iter().for_each(Completion::abort);
    }

    /// The process is killed: what has been written stays. A new [`io`](Self::io) is needed.
    pub(super) fn kill(&self) {
        let mut state = self.state.lock();
        self.disk.crash(CrashKind::Kill, &mut state.tape);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.disk.snapshot()
    }

    /// Takes in what has been submitted: performs it now, or holds it back.
    fn absorb(&self) {
        if !self.disk.has_submitted() {
            return;
        }
        let mut now = Vec::new();
        let mut guard = self.state.lock();
        let state = &mut *guard;
        self.disk.take_submitted(&mut state.tape, &mut state.submitted);
        for io in state.submitted.drain(..) {
            let holds = state.watching
                && match state.hold {
                    Hold::Nothing => false,
                    Hold::One(n) => n == state.notes.len(),
                    Hold::All => true,
                };
            if state.watching {
                state.notes.push(note(&self.disk, &io));
            }
            if holds { state.held.push(io.id) } else { now.push(io.id) }
        }
        drop(guard);
        now.into_iter().for_each(|id| self.perform(id, None));
    }

    fn perform(&self, id: IoId, error: Option<ErrorKind>) {
        *self.strike.0.lock() = error;
        let turn = self.disk.turn(id, &mut self.state.lock().tape);
        *self.strike.0.lock() = None;
        // A callback may submit again, so no lock is held here.
        if let IoTurn::Finished(finish) = turn {
            Finish::run(finish);
        }
    }

    /// One turn for an engine that waits inside a call.
    fn step(&self) -> Result<(), CompletionError> {
        self.tick();
        if self.release(None) || self.advance() {
            return Ok(());
        }
        Err(CompletionError::Rejected("nothing is in flight"))
    }
}

fn note(disk: &SimDisk, io: &Submitted) -> IoNote {
    let (path, start, end) = match io.resource {
        Resource::File { file, start, end, .. } => {
            (disk.file_name(file).map_or_else(|| "a file".to_string(), |name| name.to_string()), start, end)
        }
        _ => ("the directory".to_string(), 0, u64::MAX),
    };
    IoNote { kind: io.kind, path, start, end }
}

struct HubIo {
    inner: Arc<dyn Io>,
    hub: Arc<Hub>,
}

impl HubIo {
    fn done(&self, completion: Completion) -> Completion {
        self.hub.absorb();
        completion
    }
}

impl Io for HubIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>, CompletionError> {
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(HubFile { inner, hub: Arc::clone(&self.hub) }))
    }

    fn exists(&self, path: &str) -> Result<bool, CompletionError> {
        self.inner.exists(path)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, CompletionError> {
        self.inner.list(directory)
    }

    fn remove(&self, path: &str, completion: Completion) -> Completion {
        self.done(self.inner.remove(path, completion))
    }

    fn rename(&self, from: &str, to: &str, completion: Completion) -> Completion {
        self.done(self.inner.rename(from, to, completion))
    }

    fn sync_directory(&self, directory: &str, completion: Completion) -> Completion {
        self.done(self.inner.sync_directory(directory, completion))
    }

    fn timer(&self, ticks: u64) -> Completion {
        self.inner.timer(ticks)
    }

    fn now(&self) -> u64 {
        self.inner.now()
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }

    fn step(&self) -> Result<(), CompletionError> {
        self.hub.step()
    }
}

struct HubFile {
    inner: Arc<dyn File>,
    hub: Arc<Hub>,
}

impl HubFile {
    fn done(&self, completion: Completion) -> Completion {
        self.hub.absorb();
        completion
    }
}

impl File for HubFile {
    fn id(&self) -> FileId {
        self.inner.id()
    }

    fn path(&self) -> &str {
        self.inner.path()
    }

    fn size(&self) -> Result<u64, CompletionError> {
        self.inner.size()
    }

    fn pread(&self, offset: u64, completion: Completion) -> Completion {
        self.done(self.inner.pread(offset, completion))
    }

    fn pwrite(&self, offset: u64, buffer: Buffer, completion: Completion) -> Completion {
        self.done(self.inner.pwrite(offset, buffer, completion))
    }

    fn pwritev(&self, offset: u64, buffers: Vec<Buffer>, completion: Completion) -> Completion {
        self.done(self.inner.pwritev(offset, buffers, completion))
    }

    fn sync(&self, completion: Completion) -> Completion {
        self.done(self.inner.sync(completion))
    }

    fn truncate(&self, len: u64, completion: Completion) -> Completion {
        self.done(self.inner.truncate(len, completion))
    }
}
