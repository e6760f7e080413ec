//! The simulated disk: every byte in memory, every delay and fault a draw from the run's tape.
//!
//! ```text
//! engine ──submit──► in flight ──turn──► applied (cache) ──sync──► medium
//!                       ▲                    │
//!                  the scheduler           crash: a selection of what is not on the medium survives
//!                  says whose turn
//! ```
//!
//! The disk does not know the scheduler, the engine or the trace. It holds operations in flight until
//! somebody gives them a turn, and answers facts. `docs/faults.md` is the fault model for users.
//!
//! Invariant: no lock is held while a completion is finished or dropped, because that runs an author's
//! callback, which may submit again.

mod config;
mod crash;
mod file;
mod flight;
mod handle;
mod image;
mod media;
mod names;
mod report;
mod rule;
mod state;
mod stats;
mod survivors;
mod timers;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

pub use config::{DiskConfig, DiskConfigError, FailedSync, FaultClasses, MediaFault, SECTOR_BYTES, SurvivorWeights};
pub use flight::IoId;
pub use image::PAGE_BYTES;
pub use report::{CrashReport, FileFate, FileShape, IoAbout, NameFate, Selection};
pub use rule::{Dice, FaultRule, FaultRules, IoFacts, Strike};
pub use stats::DiskStats;

use crate::aio::{Completion, CompletionError, FileId, IoKind, Resource};
use crate::disk::Io;
use crate::history::CrashKind;
use crate::tape::{Actor, Tape};
use flight::{Answer, Op};
use state::{Ghost, State, World};

/// The simulated disk of one run. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Shared>);

struct Shared {
    submitted: AtomicBool,
    /// What the scheduler says at every turn waits here until somebody needs the state: a turn of a
    /// connection that submits nothing takes no lock.
    issuer: AtomicU64,
    ticks: AtomicU64,
    /// The scheduler asks at every turn whether changes are in flight.
    changes: AtomicUsize,
    state: Mutex<State>,
    pump: Mutex<Option<Arc<dyn Pump>>>,
}

/// Who makes I/O go on while an engine waits inside a call; see [`SimDisk::set_pump`].
pub trait Pump: Send + Sync {
    /// Gives one turn to an I/O in flight or a timer.
    ///
    /// # Errors
    /// When the disk is dead, and when nothing in flight could ever make progress.
    fn pump(&self) -> Result<(), CompletionError>;

    /// Whether a fault strikes that is decided inside a call of the engine, such as a failing allocation. Without a
    /// tape none does.
    fn chance(&self, _place: Actor, _kind: &'static str, _ratio: crate::tape::Ratio) -> bool {
        false
    }
}

/// An operation that has just been submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// By which [`SimDisk::turn`] knows it.
    pub id: IoId,
    /// Its identity in schedules and draws.
    pub actor: Actor,
    /// What it will do.
    pub kind: IoKind,
    /// What it touches.
    pub resource: Resource,
    /// The tick before which it may not run.
    pub ready_at: u64,
}

/// What came of an operation's turn.
#[derive(Debug)]
pub enum IoTurn {
    /// It has taken effect; a later turn of the same operation reports it.
    Applied,
    /// It is over, and its completion is to be told.
    Finished(Finish),
}

/// An operation that is over. Whoever was given it runs it, holding no lock.
#[derive(Debug)]
#[must_use = "the completion waits until it is run"]
pub struct Finish {
    /// Whom to tell.
    pub completion: Completion,
    /// What to tell.
    pub outcome: Result<usize, CompletionError>,
    /// The fault that struck, by the name of its draw.
    pub fault: Option<&'static str>,
}

impl Finish {
    /// Tells the completion; its callback runs now.
    pub fn run(self) {
        match self.outcome {
            Ok(bytes) => self.completion.complete(bytes),
            Err(error) => self.completion.error(error),
        }
    }
}

/// A disk at one moment, with what was in flight. Taking and restoring one copies no bytes of files.
#[derive(Clone, Debug)]
pub struct Snapshot {
    world: World,
    ghosts: Vec<Ghost>,
    issuers: flight::Issuers,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(config: DiskConfig, seed: u64) -> Self {
        Self(Arc::new(Shared {
            submitted: AtomicBool::new(false),
            issuer: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            changes: AtomicUsize::new(0),
            state: Mutex::new(State::new(config, seed)),
            pump: Mutex::new(None),
        }))
    }

    /// A handle for an engine. It is dead once the disk has been frozen; the next engine needs another.
    #[must_use]
    pub fn io(&self) -> Arc<dyn Io> {
        let epoch = self.lock().epoch;
        Arc::new(handle::SimIo { disk: self.clone(), epoch })
    }

    /// From now on I/O is submitted on behalf of operation `op` of `connection`. I/Os are counted per
    /// operation, also when several operations submit in turn.
    #[inline]
    pub fn set_issuer(&self, connection: u16, op: u32) {
        self.0.issuer.store((u64::from(connection) << 32) | u64::from(op), Ordering::Relaxed);
    }

    /// Whether [`take_submitted`](Self::take_submitted) has something to give; one atomic load.
    #[inline]
    #[must_use]
    pub fn has_submitted(&self) -> bool {
        self.0.submitted.load(Ordering::Relaxed)
    }

    /// Appends what has been submitted since the last call, in order. Latencies are drawn here.
    pub fn take_submitted(&self, tape: &mut Tape, into: &mut Vec<Submitted>) {
        let mut state = self.lock();
        self.0.submitted.store(false, Ordering::Relaxed);
        state.take_submitted(tape, into);
    }

    /// The turn of an operation: it is applied, with the faults that are drawn now; or it reports what an
    /// earlier turn applied.
    ///
    /// # Panics
    /// When no such operation is in flight: a mistake of the caller.
    pub fn turn(&self, id: IoId, tape: &mut Tape) -> IoTurn {
        let mut state = self.lock();
        let turn = state.turn(id, tape);
        self.count_changes(&state);
        turn
    }

    /// The operations in flight, those applied but not reported included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().flights.len()
    }

    /// The writes, syncs, renames, removals and changes of size in flight, during which crashes show most; one atomic
    /// load.
    #[inline]
    #[must_use]
    pub fn changes_in_flight(&self) -> usize {
        self.0.changes.load(Ordering::Relaxed)
    }

    /// Switches all faults on or off: off while setting up, settling and checking.
    pub fn set_faults(&self, on: bool) {
        self.lock().faults_on = on;
    }

    /// Adds a fault of the user's own.
    pub fn add_rule(&self, rule: Arc<dyn FaultRule>) {
        self.lock().rules.push(rule);
    }

    /// Stops everything. Later submissions through handles given out so far fail with `Aborted`, without
    /// effect. What was in flight is returned, oldest first, timers last, for the caller to abort.
    #[must_use]
    pub fn freeze(&self) -> Vec<Completion> {
        let mut state = self.lock();
        self.0.submitted.store(false, Ordering::Relaxed);
        let stopped = state.freeze();
        self.count_changes(&state);
        stopped
    }

    /// The process of a connection ends while others go on: each change that it has in flight happens at once, or
    /// never. Answers whose operations they were, for the caller to forget the actors and abort the completions.
    #[must_use]
    pub fn end_process(&self, connection: u16, tape: &mut Tape) -> Vec<(Actor, Completion)> {
        let mut state = self.lock();
        let ended = state.end_process(connection, tape);
        self.count_changes(&state);
        ended
    }

    /// Chooses what survives of that which was not durable when the disk was frozen, and thaws it. The next
    /// engine needs a new [`io`](Self::io). A disk that was not frozen is frozen first, and aborts all.
    pub fn crash(&self, kind: CrashKind, tape: &mut Tape) -> CrashReport {
        let frozen = self.lock().frozen;
        if !frozen {
            self.freeze().iter().for_each(Completion::abort);
        }
        crash::crash(&mut self.lock(), kind, tape)
    }

    /// The operating system writes all that is in its page cache, and the device all that is in its own: what has
    /// been applied is durable.
    pub fn write_back(&self) {
        let state = &mut *self.lock();
        for file in &mut state.world.files {
            file.settle(file.pending.len(), &mut state.pool);
        }
        state.world.names.write_back();
        state.world.collect();
    }

    /// The disk as it is now, with what is in flight.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.lock();
        let ghosts = state.ghosts();
        Snapshot { world: state.world.clone(), ghosts, issuers: state.issuers.clone() }
    }

    /// Brings the disk to where the snapshot, perhaps of another disk, was taken, except for the clock.
    /// What is in flight here is aborted. What was in flight there is not: a [`crash`](Self::crash) that
    /// follows at once may let it survive, anything else forgets it.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.freeze().iter().for_each(Completion::abort);
        let mut state = self.lock();
        state.world = snapshot.world.clone();
        state.world.files.iter_mut().for_each(|file| file.open = std::sync::Weak::new());
        state.ghosts.clone_from(&snapshot.ghosts);
        state.issuers = snapshot.issuers.clone();
        state.frozen = false;
    }

    /// Every file with its bytes as a reader would see them, sorted by path.
    #[must_use]
    pub fn content(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.lock();
        let world = &state.world;
        let bytes = |id: &FileId| world.files[id.0 as usize].cache.to_vec();
        world.names.now.iter().map(|(path, id)| (path.to_string(), bytes(id))).collect()
    }

    /// Every file with its length and what a crash could still lose of it, sorted by path.
    #[must_use]
    pub fn shapes(&self) -> Vec<FileShape> {
        let state = self.lock();
        let world = &state.world;
        let shape = |(path, id): (&Arc<str>, &FileId)| {
            let file = &world.files[id.0 as usize];
            let (len, durable_len) = (file.cache.len(), file.medium.len());
            FileShape { path: Arc::clone(path), len, durable_len, unsynced: file.pending.len() }
        };
        world.names.now.iter().map(shape).collect()
    }

    /// What an operation in flight is about.
    #[must_use]
    pub fn about(&self, id: IoId) -> Option<IoAbout> {
        let mut state = self.lock();
        let State { flights, world, .. } = &mut *state;
        let op = &flights.get(id)?.op;
        let (offset, len) = op.range();
        let path = match op {
            Op::Rename { from, to } => format!("{from} -> {to}").into(),
            op => Arc::clone(turn::path(&world.files, op)),
        };
        Some(IoAbout { path, offset, len })
    }

    /// The time, in ticks. It never jumps, unlike what engines see by [`Io::now`].
    #[must_use]
    pub fn now(&self) -> u64 {
        self.lock().timers.now()
    }

    /// Lets time pass.
    #[inline]
    pub fn tick(&self, ticks: u64) {
        // One thread at a time gives turns, so a load and a store will do.
        let pending = self.0.ticks.load(Ordering::Relaxed).saturating_add(ticks);
        self.0.ticks.store(pending, Ordering::Relaxed);
    }

    /// The state, with what the scheduler has said in the meantime.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock();
        let ticks = self.0.ticks.swap(0, Ordering::Relaxed);
        state.timers.tick(ticks);
        let issuer = self.0.issuer.load(Ordering::Relaxed);
        state.issuers.set((issuer >> 32) as u16, issuer as u32);
        state
    }

    /// The next tick at which a timer is due or a slow operation ready, if any.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.lock().timers.next_deadline()
    }

    /// The timers whose deadline has come, earliest first, for the caller to complete.
    #[must_use]
    pub fn take_due(&self) -> Vec<Completion> {
        self.lock().timers.take_due()
    }

    /// Who is asked by [`Io::step`]. Without a pump the disk serves itself: the oldest operation goes first,
    /// and nothing fails. That is enough to use an engine without a simulation.
    pub fn set_pump(&self, pump: Option<Arc<dyn Pump>>) {
        let _old = std::mem::replace(&mut *self.0.pump.lock(), pump);
    }

    /// What the disk has done so far.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        self.lock().stats.clone()
    }

    /// The last name of a file.
    #[must_use]
    pub fn file_name(&self, file: FileId) -> Option<Arc<str>> {
        self.lock().world.files.get(file.0 as usize).map(|file| Arc::clone(&file.path))
    }

    /// Runs `f` unless the handle's epoch is over.
    fn live<T>(
        &self,
        epoch: u32,
        f: impl FnOnce(&mut State) -> Result<T, CompletionError>,
    ) -> Result<T, CompletionError> {
        let mut state = self.lock();
        if state.frozen || state.epoch != epoch {
            return Err(CompletionError::Aborted);
        }
        f(&mut state)
    }

    fn submit(
        &self,
        epoch: u32,
        completion: Completion,
        op: impl FnOnce(&mut State) -> Result<Op, CompletionError>,
    ) -> Completion {
        let handle = completion.clone();
        let refused = self.live(epoch, |state| {
            let op = op(state)?;
            state.ghosts.clear();
            let actor = state.issuers.next();
            state.flights.insert(actor, op, handle);
            self.0.submitted.store(true, Ordering::Relaxed);
            self.count_changes(state);
            Ok(())
        });
        if let Err(error) = refused {
            completion.error(error);
        }
        completion
    }

    fn count_changes(&self, state: &State) {
        self.0.changes.store(state.flights.changes(), Ordering::Relaxed);
    }

    /// Whether an allocation of `bytes` at `site` fails, as is drawn.
    fn allocate(&self, epoch: u32, site: &'static str, bytes: usize) -> Result<(), CompletionError> {
        let drawn = self.live(epoch, |state| {
            let ratio = if state.faults_on { state.config.no_memory } else { crate::tape::Ratio::ZERO };
            Ok((!ratio.is_zero()).then(|| (state.issuers.next_allocation(), ratio)))
        })?;
        let Some(((connection, op, n), ratio)) = drawn else { return Ok(()) };
        let pump = self.0.pump.lock().clone();
        let place = Actor::Io { connection, op, nth: n };
        if !pump.is_some_and(|pump| pump.chance(place, "no-memory", ratio)) {
            return Ok(());
        }
        *self.lock().stats.faults.entry("no-memory").or_default() += 1;
        Err(CompletionError::NoMemory { site, bytes })
    }

    fn engine_now(&self) -> u64 {
        self.lock().timers.seen()
    }

    fn random(&self) -> u64 {
        let mut state = self.lock();
        let (connection, op, n) = state.issuers.next_random();
        state.calm.engine_bits(connection, op, n)
    }

    fn step(&self) -> Result<(), CompletionError> {
        let pump = self.0.pump.lock().clone();
        match pump {
            Some(pump) => pump.pump(),
            None => self.step_calmly(),
        }
    }

    /// One turn without a scheduler: the oldest operation, else the next timer.
    fn step_calmly(&self) -> Result<(), CompletionError> {
        let mut state = self.lock();
        if let Some(id) = state.flights.oldest() {
            self.0.submitted.store(false, Ordering::Relaxed);
            let faults_on = std::mem::replace(&mut state.faults_on, false);
            let mut calm = std::mem::replace(&mut state.calm, Tape::recorded(0, Default::default()));
            let turn = state.turn(id, &mut calm);
            state.calm = calm;
            state.faults_on = faults_on;
            self.count_changes(&state);
            drop(state);
            if let IoTurn::Finished(finish) = turn {
                finish.run();
            }
            return Ok(());
        }
        let now = state.timers.now();
        let deadline = state.timers.next_deadline().ok_or(CompletionError::Rejected("nothing is in flight"))?;
        state.timers.tick(deadline - now);
        let due = state.timers.take_due();
        drop(state);
        due.into_iter().for_each(|completion| completion.complete(0));
        Ok(())
    }
}

impl State {
    fn take_submitted(&mut self, tape: &mut Tape, into: &mut Vec<Submitted>) {
        let mut submitted = std::mem::take(&mut self.flights.submitted);
        for id in submitted.drain(..) {
            let slow = if self.faults_on { self.config.slow } else { crate::tape::Ratio::ZERO };
            let Some(flight) = self.flights.get(id) else { continue };
            if tape.chance(flight.actor, "slow", 0, slow) {
                flight.ready_at = self.timers.now().saturating_add(self.config.slow_ticks);
                self.timers.note(flight.ready_at);
                *self.stats.faults.entry("slow").or_default() += 1;
            }
            into.push(Submitted {
                id,
                actor: flight.actor,
                kind: flight.op.kind(),
                resource: flight.op.resource(),
                ready_at: flight.ready_at,
            });
        }
        self.flights.submitted = submitted;
    }

    fn turn(&mut self, id: IoId, tape: &mut Tape) -> IoTurn {
        let mut flight = self.flights.take(id).expect("only an I/O in flight is given a turn");
        let answer = match flight.applied.take() {
            Some(answer) => answer,
            None => {
                let answer = self.apply(flight.actor, &flight.op, tape);
                if self.faults_on && tape.chance(flight.actor, "split", 0, self.config.split) {
                    *self.stats.faults.entry("split").or_default() += 1;
                    flight.applied = Some(answer);
                    self.flights.put_back(id, flight);
                    return IoTurn::Applied;
                }
                answer
            }
        };
        self.flights.release(id, &flight.op);
        let Answer { outcome, fault } = answer;
        IoTurn::Finished(Finish { completion: flight.completion, outcome, fault })
    }

    fn end_process(&mut self, connection: u16, tape: &mut Tape) -> Vec<(Actor, Completion)> {
        let faults_on = std::mem::replace(&mut self.faults_on, false);
        let mut ended = Vec::new();
        for id in self.flights.of(connection) {
            let flight = self.flights.take(id).expect("it is in flight");
            let happens = flight.applied.is_none()
                && flight.op.kind() != IoKind::Read
                && tape.draw(flight.actor, "killed", 0, 2) == 1;
            if happens {
                let _unheard = self.apply(flight.actor, &flight.op, tape);
            }
            self.flights.release(id, &flight.op);
            ended.push((flight.actor, flight.completion));
        }
        self.faults_on = faults_on;
        ended
    }

    fn apply(&mut self, actor: Actor, op: &Op, tape: &mut Tape) -> Answer {
        turn::Turn { state: self, actor, tape, fault: None }.apply(op)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "SimDisk({} files, {} in flight)", state.world.names.now.len(), state.flights.len())
    }
}
