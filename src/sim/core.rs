//! The state of scheduling, shared between the run and an engine that pumps I/O from inside a call.
//!
//! It is locked for the time of a choice and never while an engine's code runs, so that a pump finds it free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use super::ready::ReadySet;
use crate::aio::{CompletionError, Resource};
use crate::disk::sim::{Finish, IoId, IoTurn, Pump, SimDisk, Submitted};
use crate::sched::{Actors, Pick, Scheduler, Slot, Special};
use crate::tape::{Actor, Ratio, RunHash, Stream, Tape, Timeline};
use crate::trace::{ENABLED_SHOWN, Fact, What};

/// The tag of the engine's own task; clients and I/O have tags beside it.
pub(super) const TAG_ENGINE: u64 = u64::MAX;
/// The tag of every I/O; smaller tags are the numbers of clients.
const TAG_IO: u64 = u64::MAX - 1;
/// How much likelier a crash is while a change or a sync is in flight and right after a barrier.
const CRASH_HOT: u64 = 10;
/// Pumps with nothing in flight, after which an engine is taken to spin for ever.
const IDLE_PUMPS_MAX: u32 = 1_000;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Engine,
    Client(usize),
    Io(IoId),
}

/// Whether something decisive happened inside a pump: 0, [`PUMP_CRASHED`] or [`PUMP_SPUN`].
pub(super) type PumpState = AtomicU8;
/// A crash struck; the run carries it out when the engine's call has returned.
pub(super) const PUMP_CRASHED: u8 = 1;
/// The engine waited for I/O that was never submitted.
pub(super) const PUMP_SPUN: u8 = 2;

/// What happens in a turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Task {
        slot: Slot,
        task: Task,
    },
    Timer,
    Crash,
    /// Nobody is enabled, nothing is in flight, no timer runs.
    Stalled,
}

/// What becomes of the actor that had the turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    Keep,
    /// It can go on at once, and will touch this.
    Next {
        slot: Slot,
        next: Resource,
        spinning: bool,
    },
    /// It waits until it is woken, and will then touch this.
    Wait {
        slot: Slot,
        next: Resource,
    },
    Remove(Slot),
}

/// The distance to the next crash, drawn once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hazard {
    /// Whether a crash may strike at all.
    pub(super) allowed: bool,
    /// Weighted turns left; `None` when none is coming.
    pub(super) left: Option<u64>,
    after_barrier: bool,
}

impl Hazard {
    /// No crash.
    pub(super) const OFF: Self = Self { allowed: false, left: None, after_barrier: false };

    /// A crash somewhere in the next `2 / rate` weighted turns, every distance alike.
    pub(super) fn at_rate(rate: Ratio, draws: &mut Stream) -> Self {
        let span = 2 * u64::from(rate.denominator) / u64::from(rate.numerator).max(1);
        let left = (!rate.is_zero()).then(|| 1 + draws.below(span.max(1)));
        Self { allowed: !rate.is_zero(), left, after_barrier: false }
    }
}

pub(super) struct Core {
    pub(super) tape: Tape,
    pub(super) scheduler: Scheduler,
    pub(super) actors: Actors,
    pub(super) hash: RunHash,
    pub(super) timeline: Option<Timeline>,
    /// The number of the turn that comes next.
    pub(super) turn: u64,
    pub(super) hazard: Hazard,
    /// What has happened since the observer was last shown something; none when nobody watches.
    pub(super) facts: Option<Vec<Fact>>,
    /// Whether the turn was given inside a call of the engine.
    pumped: bool,
    /// Read by the run after every call into the engine, without the lock.
    pump: Arc<PumpState>,
    idle_pumps: u32,
    disk: SimDisk,
    ready: Arc<ReadySet>,
    client_slots: Vec<Option<Slot>>,
    submitted: Vec<Submitted>,
    /// By slot: which operation the actor is.
    io_ids: Vec<Option<IoId>>,
    /// Operations that may not run before a tick.
    delayed: Vec<(u64, Slot)>,
    deadline: Option<u64>,
}

impl Core {
    pub(super) fn new(
        tape: Tape,
        scheduler: Scheduler,
        disk: SimDisk,
        ready: Arc<ReadySet>,
        clients: usize,
        pump: Arc<PumpState>,
    ) -> Self {
        let timeline = tape.keeps_timeline().then(Timeline::new);
        Self {
            tape,
            scheduler,
            actors: Actors::new(),
            hash: RunHash::new(),
            timeline,
            turn: 0,
            hazard: Hazard::OFF,
            facts: None,
            pumped: false,
            pump,
            idle_pumps: 0,
            disk,
            ready,
            client_slots: vec![None; clients],
            submitted: Vec::new(),
            io_ids: Vec::new(),
            delayed: Vec::new(),
            deadline: None,
        }
    }

    /// Adds the actor of a client, enabled.
    pub(super) fn add_client(&mut self, actor: Actor, index: usize) {
        let slot = self.actors.add(actor, Resource::Unknown, index as u64);
        self.actors.enable(slot, self.turn);
        self.client_slots[index] = Some(slot);
    }

    /// Adds the engine's own task, enabled.
    pub(super) fn add_engine(&mut self, index: usize) {
        let slot = self.actors.add(Actor::Connection(crate::tape::ENGINE), Resource::Unknown, TAG_ENGINE);
        self.actors.enable(slot, self.turn);
        self.client_slots[index] = Some(slot);
    }

    /// Forgets all actors, after a crash.
    pub(super) fn clear(&mut self) {
        self.actors.clear();
        self.client_slots.fill(None);
        self.submitted.clear();
        self.delayed.clear();
        self.deadline = None;
        self.idle_pumps = 0;
        self.ready.drain(drop);
    }

    /// Settles the turn before and chooses the next.
    #[inline]
    pub(super) fn next_turn(&mut self, after: After) -> Turn {
        self.settle(after);
        self.absorb();
        let special = self.special();
        let Some(pick) = self.scheduler.next(self.turn, &self.actors, special, &mut self.tape) else {
            return Turn::Stalled;
        };
        self.begin(pick)
    }

    /// Whether nobody could do anything and nothing is under way, once what was submitted is taken in.
    pub(super) fn is_at_rest(&mut self, after: After) -> bool {
        self.settle(after);
        self.absorb();
        self.actors.enabled_count() == 0 && self.disk.in_flight() == 0 && self.deadline.is_none()
    }

    /// The first of those who could go on, by name, with what they would do.
    pub(super) fn restless(&mut self, count_max: usize) -> Vec<(Actor, Resource)> {
        self.absorb();
        self.actors.enabled().take(count_max).map(|slot| (self.actors.actor(slot), self.actors.next(slot))).collect()
    }

    #[inline]
    fn settle(&mut self, after: After) {
        match after {
            After::Keep => {}
            After::Next { slot, next, spinning } => {
                self.actors.set_next(slot, next, spinning);
            }
            After::Wait { slot, next } => {
                self.actors.disable(slot);
                self.actors.set_next(slot, next, false);
            }
            After::Remove(slot) => self.remove(slot),
        }
    }

    /// The I/O of a process that has ended will never have its turn.
    pub(super) fn forget_io(&mut self, actor: Actor) {
        let delayed = self.delayed.iter().position(|&(_, slot)| self.actors.actor(slot) == actor);
        let slot = delayed.map(|at| self.delayed.swap_remove(at).1).or_else(|| self.actors.find_enabled(actor));
        if let Some(slot) = slot {
            self.actors.remove(slot);
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(place) = self.client_slots.iter_mut().find(|place| **place == Some(slot)) {
            *place = None;
        }
        self.actors.remove(slot);
    }

    /// Takes in what has been submitted, woken and come due since.
    #[inline]
    pub(super) fn absorb(&mut self) {
        if self.disk.has_submitted() {
            self.absorb_submitted();
        }
        if self.ready.any() {
            let (slots, actors, turn) = (&self.client_slots, &mut self.actors, self.turn);
            self.ready.drain(|index| {
                if let Some(slot) = slots[index] {
                    actors.enable(slot, turn);
                }
            });
        }
        // A slow I/O whose tick has passed while others ran is no deadline any more, and must go on all the same.
        if self.deadline.is_some() || !self.delayed.is_empty() {
            self.release_delayed();
        }
    }

    fn absorb_submitted(&mut self) {
        let now = self.disk.now();
        self.disk.take_submitted(&mut self.tape, &mut self.submitted);
        self.tell_submitted(now);
        for io in self.submitted.drain(..) {
            let slot = self.actors.add(io.actor, io.resource, TAG_IO);
            if self.io_ids.len() <= slot {
                self.io_ids.resize(slot + 1, None);
            }
            self.io_ids[slot] = Some(io.id);
            if io.ready_at > now {
                self.delayed.push((io.ready_at, slot));
            } else {
                self.actors.enable(slot, self.turn);
            }
        }
        self.deadline = self.disk.next_deadline();
    }

    /// Notes what happened in the last turn that was given.
    pub(super) fn tell(&mut self, what: impl FnOnce() -> What) {
        if let Some(facts) = &mut self.facts {
            facts.push(Fact { turn: self.turn, what: what() });
        }
    }

    fn tell_submitted(&mut self, now: u64) {
        let Some(facts) = &mut self.facts else { return };
        for io in &self.submitted {
            let Some(about) = self.disk.about(io.id) else { continue };
            let slow_until = (io.ready_at > now).then_some(io.ready_at);
            let (path, offset, len) = (about.path, about.offset, about.len);
            let what = What::Submit { io: io.actor, kind: io.kind, path, offset, len, slow_until };
            facts.push(Fact { turn: self.turn, what });
        }
    }

    fn tell_turn(&mut self, pick: Pick) {
        let Some(facts) = &mut self.facts else { return };
        let (actor, touches) = match pick {
            Pick::Actor(slot) => (self.actors.actor(slot), self.actors.next(slot)),
            Pick::Timer => (Actor::Timer, Resource::Unknown),
            Pick::Crash => (Actor::Crash, Resource::Unknown),
        };
        let enabled = self.actors.enabled().map(|slot| self.actors.actor(slot)).take(ENABLED_SHOWN).collect();
        let what = What::Turn {
            actor,
            enabled,
            enabled_count: self.actors.enabled_count(),
            touches,
            tick: self.disk.now(),
            pumped: self.pumped,
        };
        facts.push(Fact { turn: self.turn + 1, what });
    }

    fn release_delayed(&mut self) {
        let (now, turn, actors) = (self.disk.now(), self.turn, &mut self.actors);
        self.delayed.retain(|&(ready_at, slot)| {
            if ready_at <= now {
                actors.enable(slot, turn);
            }
            ready_at > now
        });
        let next = self.delayed.iter().map(|&(ready_at, _)| ready_at).min();
        self.deadline = self.disk.next_deadline().into_iter().chain(next).min();
    }

    /// The deadline to which the clock may move on.
    pub(super) const fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    #[inline]
    fn special(&mut self) -> Special {
        let mut crash_due = false;
        if let Some(left) = self.hazard.left {
            let hot = self.hazard.after_barrier || self.disk.changes_in_flight() > 0;
            let left = left.saturating_sub(if hot { CRASH_HOT } else { 1 });
            self.hazard.left = Some(left);
            crash_due = left == 0 && self.hazard.allowed;
        }
        Special { timer: self.deadline.is_some(), crash: self.hazard.allowed, crash_due }
    }

    #[inline]
    fn begin(&mut self, pick: Pick) -> Turn {
        if self.facts.is_some() {
            self.tell_turn(pick);
        }
        let turn = match pick {
            Pick::Actor(slot) => {
                let share = self.actors.share(slot);
                self.hash.fold(self.actors.enabled_hash() ^ share.rotate_left(7));
                self.hash.fold(self.actors.next(slot).word());
                self.actors.set_current(slot, self.turn);
                Turn::Task { slot, task: self.task(slot) }
            }
            Pick::Timer => {
                self.hash.fold(Actor::Timer.word());
                Turn::Timer
            }
            Pick::Crash => {
                self.hash.fold(Actor::Crash.word());
                Turn::Crash
            }
        };
        if let Some(timeline) = &mut self.timeline {
            timeline.push(self.hash.fingerprint());
        }
        self.turn += 1;
        self.disk.tick(1);
        turn
    }

    #[inline]
    fn task(&self, slot: Slot) -> Task {
        match self.actors.tag(slot) {
            TAG_ENGINE => Task::Engine,
            TAG_IO => Task::Io(self.io_ids[slot].expect("an I/O in the table has a number")),
            index => Task::Client(index as usize),
        }
    }

    /// Gives an I/O its turn; what is to be finished must be finished after the lock is released.
    pub(super) fn io_turn(&mut self, slot: Slot, id: IoId) -> Option<Finish> {
        let resource = self.actors.next(slot);
        self.hazard.after_barrier = is_barrier(resource);
        let io = self.actors.actor(slot);
        match self.disk.turn(id, &mut self.tape) {
            IoTurn::Applied => {
                self.tell(|| What::Apply { io, fault: None });
                None
            }
            IoTurn::Finished(finish) => {
                self.tell(|| What::Complete { io, outcome: finish.outcome.clone(), fault: finish.fault });
                self.actors.remove(slot);
                Some(finish)
            }
        }
    }
}

/// Whether an I/O that touches this is a sync, a change of size, or one of a directory.
const fn is_barrier(resource: Resource) -> bool {
    use crate::aio::IoKind::{Read, Write};
    !matches!(resource, Resource::File { kind: Read | Write, .. })
}

/// What an engine's `Io::step` reaches: one turn among I/O and timers only.
pub(super) struct SimPump {
    pub(super) core: Arc<Mutex<Core>>,
    pub(super) disk: SimDisk,
}

impl Pump for SimPump {
    fn pump(&self) -> Result<(), CompletionError> {
        let mut core = self.core.lock();
        if core.pump.load(Ordering::Relaxed) != 0 {
            return Err(CompletionError::Aborted);
        }
        core.absorb();
        let others: Vec<Slot> = core.actors.enabled().filter(|&slot| !core.actors.is_io(slot)).collect();
        others.iter().for_each(|&slot| core.actors.disable(slot));
        core.pumped = true;
        let turn = core.next_turn(After::Keep);
        core.pumped = false;
        let now = core.turn;
        others.iter().for_each(|&slot| core.actors.enable(slot, now));
        core.idle_pumps = if matches!(turn, Turn::Stalled) { core.idle_pumps + 1 } else { 0 };
        match turn {
            Turn::Stalled if core.idle_pumps > IDLE_PUMPS_MAX => {
                core.pump.store(PUMP_SPUN, Ordering::Relaxed);
                Err(CompletionError::Aborted)
            }
            Turn::Stalled => Ok(()),
            Turn::Timer => {
                let due = advance(&mut core, &self.disk);
                drop(core);
                due.into_iter().for_each(|completion| completion.complete(0));
                Ok(())
            }
            Turn::Crash => {
                core.pump.store(PUMP_CRASHED, Ordering::Relaxed);
                drop(core);
                self.disk.freeze().iter().for_each(crate::aio::Completion::abort);
                Err(CompletionError::Aborted)
            }
            Turn::Task { slot, task: Task::Io(id) } => {
                let finish = core.io_turn(slot, id);
                drop(core);
                finish.into_iter().for_each(Finish::run);
                Ok(())
            }
            Turn::Task { task: Task::Engine | Task::Client(_), .. } => unreachable!("only I/O was left enabled"),
        }
    }

    fn chance(&self, place: Actor, kind: &'static str, ratio: Ratio) -> bool {
        self.core.lock().tape.chance(place, kind, 0, ratio)
    }
}

/// Moves the clock on to the next deadline; answers the timers that have come due.
pub(super) fn advance(core: &mut Core, disk: &SimDisk) -> Vec<crate::aio::Completion> {
    if let Some(deadline) = core.deadline() {
        disk.tick(deadline.saturating_sub(disk.now()));
    }
    let due = disk.take_due();
    let tick = disk.now();
    core.tell(|| What::Advance { tick, due: due.len() });
    core.release_delayed();
    due
}
