//! One run, from an empty disk to the verdicts.
//!
//! ```text
//! open → set up → connect → turns … crash → recover → verify → connect → turns … → rest → verify → restart → verify → judge
//!        (calm)             (faults)          (faults)  (calm)            (faults) (fair)
//! ```
//!
//! Calm: without faults. Fair: without faults and without choices, everybody in turn; what is under way when the
//! free part ends must then end by itself.

mod image;
mod probe;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use parking_lot::Mutex;

use super::client::{Client, Running, Upset};
use super::config::RunConfig;
use super::core::{After, Core, Hazard, PUMP_CRASHED, PumpState, SimPump, Task, Turn, advance};
use super::ready::ReadySet;
use super::result::{ImageCounts, Misfit, OpCounts, RunResult};
use crate::aio::{Completion, IOCompletions, IOResult, IoKind, Resource};
use crate::disk::sim::{CrashReport, FileShape, Finish, MediaFault, SimDisk};
use crate::engine::{Connection, Engine, EngineError, Env, Family, Reply, Role};
use crate::history::{Class, CrashKind, Datum, Event, Fact, History, HistoryMark, OpId, Outcome};
use crate::property::{Finding, Property, RunRecord, Verdict};
use crate::sched::{Mode, PolicyConfig, Scheduler, Slot};
use crate::tape::{Actor, ENGINE, Ratio, RunHash, Stream, Tape};
use crate::trace::{Coverage, Fact as Seen, Observer, Watchers, What};
use crate::workload::{Transaction, Workload};

use image::{Aside, Point};

/// How often an engine may fail to open while faults strike, before they are switched off.
const OPEN_ATTEMPTS: u32 = 3;
/// How often operations are checked for having taken too long, in turns.
const STARVATION_PERIOD: u64 = 1024;
/// An operation that has had this part of the bound as turns of its own has not just been passed over.
const STARVATION_SHARE: u64 = 100;
/// How many ordinals the engine's own operations have between two crashes.
const ENGINE_ORDINALS_PER_LIFE: u32 = 1_000_000;
/// How many of those who do not come to rest are named.
const RESTLESS_MAX: usize = 8;
/// How many turns of recovery a second crash may strike in.
const RECOVERY_TURNS: u32 = 64;

/// Makes one run.
pub fn run<F: Family, E: Engine<F>>(
    config: &RunConfig<F>,
    workload: &dyn Workload<F>,
    facts: &[(&'static str, Datum)],
    properties: &mut [Box<dyn Property>],
    tape: Tape,
) -> RunResult {
    run_observed::<F, E>(config, workload, facts, properties, tape, None)
}

/// Makes one run and shows each turn to `observer`.
pub fn run_observed<'a, F: Family, E: Engine<F>>(
    config: &'a RunConfig<F>,
    workload: &'a dyn Workload<F>,
    facts: &'a [(&'static str, Datum)],
    properties: &'a mut [Box<dyn Property>],
    tape: Tape,
    observer: Option<&'a mut dyn Observer>,
) -> RunResult {
    let mut run = Run::<F, E>::new(config, workload, facts, properties, tape, observer);
    // How it ended is in the findings and the limits; there is nothing more to say about it.
    let _ = run.live();
    run.conclude()
}

/// Makes one run, watched, and gives the tape back, for an odometer to be advanced.
pub fn run_keeping_tape<'a, F: Family, E: Engine<F>>(
    config: &'a RunConfig<F>,
    workload: &'a dyn Workload<F>,
    facts: &'a [(&'static str, Datum)],
    properties: &'a mut [Box<dyn Property>],
    tape: Tape,
    watchers: Watchers<'a>,
) -> (RunResult, Tape) {
    let Watchers { mut coverage, observer } = watchers;
    if let Some(coverage) = coverage.as_deref_mut() {
        coverage.begin_run();
    }
    let mut run = Run::<F, E>::new(config, workload, facts, properties, tape, observer);
    run.coverage = coverage;
    let _ = run.live();
    let core = Arc::clone(&run.core);
    let result = run.conclude();
    let tape = std::mem::replace(&mut core.lock().tape, Tape::seeded(0));
    (result, tape)
}

/// Why turns stop being given.
enum Stop {
    /// Everything has to be opened anew.
    Crash,
    /// The run is over: a finding or a limit.
    Ended,
    /// The free part has been long enough; what follows is the end.
    Cut,
}

/// What a stretch of turns is for.
#[derive(Clone, Copy)]
enum Goal {
    /// The engine's own job is done.
    Job,
    /// This client has asked everything.
    Client(usize),
    /// All but the script client have.
    AllClients,
    /// Nobody can do anything and nothing is under way.
    Rest,
}

#[derive(Clone, Copy)]
enum Job {
    Open,
    Check,
}

struct Run<'a, F: Family, E: Engine<F>> {
    config: &'a RunConfig<F>,
    workload: &'a dyn Workload<F>,
    facts: &'a [(&'static str, Datum)],
    properties: &'a mut [Box<dyn Property>],
    observer: Option<&'a mut dyn Observer>,
    coverage: Option<&'a mut Coverage>,
    core: Arc<Mutex<Core>>,
    pump: Arc<PumpState>,
    disk: SimDisk,
    engine: Option<E>,
    /// The connections' clients, and last the one that sets up and reads everything back.
    clients: Vec<Client<'a, F, E::Connection>>,
    /// How many clients, the script's not counted, still have something to ask.
    busy: usize,
    job: Option<Job>,
    job_waiting: Option<Completion>,
    job_waker: Waker,
    job_result: Result<Vec<String>, EngineError>,
    after: After,
    outcome: RunHash,
    outcome_due: bool,
    /// The ordinal of what the engine itself or the script does, counted anew after each crash.
    engine_ordinal: u32,
    policy_hears_operations: bool,
    turn: u64,
    progress_turn: u64,
    /// The fair suffix is under way.
    is_resting: bool,
    /// The end has come; what is left to do is not bounded by the length of the run.
    is_ending: bool,
    faults_on: bool,
    crash_draws: Stream,
    next_process: u32,
    next_transaction: u32,
    crashes: u32,
    /// The turn at which everything stops in the recovery of an image; `u64::MAX` for never.
    crash_turn: u64,
    last_crash: Option<CrashReport>,
    /// Where the history was before the last crash.
    before_crash: HistoryMark,
    /// Where it was before the first crash after which the media was damaged.
    before_damage: Option<HistoryMark>,
    images: ImageCounts,
    /// What had struck when the engine was opened last.
    faults_before: BTreeMap<&'static str, u64>,
    /// Of a run on the side: whose crash image it recovers.
    aside: Option<Aside>,
    history: History,
    ops: OpCounts,
    findings: Vec<Finding>,
    limits_reached: Vec<String>,
    /// The files as the observer was last shown them.
    shapes: Vec<FileShape>,
    /// The engine's memory as the observer was last shown it.
    memory: BTreeMap<String, String>,
    /// Decisions are stored ones: where connections stand is remembered, for the first that does not fit.
    follows: bool,
    misfit: Option<Misfit>,
}

impl<'a, F: Family, E: Engine<F>> Run<'a, F, E> {
    fn new(
        config: &'a RunConfig<F>,
        workload: &'a dyn Workload<F>,
        facts: &'a [(&'static str, Datum)],
        properties: &'a mut [Box<dyn Property>],
        tape: Tape,
        observer: Option<&'a mut dyn Observer>,
    ) -> Self {
        let scripts = &config.plan.connections;
        Self::with(config, workload, facts, properties, (tape, &config.world.policy), scripts, observer)
    }

    fn with(
        config: &'a RunConfig<F>,
        workload: &'a dyn Workload<F>,
        facts: &'a [(&'static str, Datum)],
        properties: &'a mut [Box<dyn Property>],
        (mut tape, policy): (Tape, &PolicyConfig),
        scripts: &'a [Vec<Transaction<F>>],
        observer: Option<&'a mut dyn Observer>,
    ) -> Self {
        let (script, tasks) = (scripts.len(), scripts.len() + 2);
        let ready = ReadySet::new(tasks);
        let disk = SimDisk::new(config.world.disk.clone(), config.seed);
        config.rules.0.iter().for_each(|rule| disk.add_rule(Arc::clone(rule)));
        let scheduler = Scheduler::new(policy, config.world.limits.fairness_turns, &mut tape);
        let policy_hears_operations = scheduler.hears_operations();
        let follows = !tape.is_seeded();
        let client = |index: usize, id, script| Client::new(id, ready.waker(index), script);
        let mut clients: Vec<_> =
            (scripts.iter().enumerate()).map(|(index, script)| client(index, index as u16, script)).collect();
        clients.push(client(script, ENGINE, &config.plan.setup));
        let job_waker = ready.waker(script + 1);
        let pump = Arc::new(PumpState::default());
        let mut core = Core::new(tape, scheduler, disk.clone(), ready, tasks, Arc::clone(&pump));
        core.facts = observer.is_some().then(Vec::new);
        let core = Arc::new(Mutex::new(core));
        disk.set_pump(Some(Arc::new(SimPump { core: Arc::clone(&core), disk: disk.clone() })));
        Self {
            config,
            workload,
            facts,
            properties,
            observer,
            coverage: None,
            core,
            pump,
            disk,
            engine: None,
            clients,
            busy: 0,
            job: None,
            job_waiting: None,
            job_waker,
            job_result: Ok(Vec::new()),
            after: After::Keep,
            outcome: RunHash::new(),
            outcome_due: false,
            engine_ordinal: 0,
            policy_hears_operations,
            turn: 0,
            progress_turn: 0,
            is_resting: false,
            is_ending: false,
            faults_on: false,
            crash_draws: Stream::new(config.seed, "crash", 0),
            next_process: 0,
            next_transaction: 0,
            crashes: 0,
            crash_turn: u64::MAX,
            last_crash: None,
            before_crash: HistoryMark::default(),
            before_damage: None,
            images: ImageCounts::default(),
            faults_before: BTreeMap::new(),
            aside: None,
            history: History::new(),
            ops: OpCounts::default(),
            findings: Vec::new(),
            limits_reached: Vec::new(),
            shapes: Vec::new(),
            memory: BTreeMap::new(),
            follows,
            misfit: None,
        }
    }

    /// The whole life of a run; an error means that it ended early.
    fn live(&mut self) -> Result<(), Stop> {
        self.set_faults(false);
        self.phase("open");
        self.open()?;
        self.phase("set-up");
        let config = self.config;
        self.play_script(&config.plan.setup)?;
        self.phase("run");
        self.connect_clients()?;
        self.set_faults(true);
        self.arm(self.config.world.crash.rate);
        while let Err(stop) = self.drive(Goal::AllClients) {
            if matches!(stop, Stop::Cut) {
                break;
            }
            self.crash_after(stop)?;
            self.recover_and_verify()?;
            self.phase("run");
            self.connect_clients()?;
            self.set_faults(true);
            self.arm(self.config.world.crash.rate);
        }
        self.come_to_rest()?;
        self.phase("verify");
        self.verify()?;
        self.probe(0)?;
        self.restart()?;
        self.probe(1)
    }

    /// The fair suffix: no faults, nothing new is asked, and everybody has a turn in a fixed order. What is under
    /// way must then come to its end, whatever the schedule was before: nobody can blame it any more.
    fn come_to_rest(&mut self) -> Result<(), Stop> {
        self.disarm();
        self.set_faults(false);
        self.phase("rest");
        self.core.lock().scheduler.enter(Mode::Fair);
        let clients = self.clients.len() - 1;
        for index in 0..clients {
            let was_done = self.clients[index].is_done();
            self.clients[index].stop();
            self.busy -= usize::from(!was_done && self.clients[index].is_done());
        }
        self.is_resting = true;
        self.is_ending = true;
        self.drive(Goal::Rest)?;
        self.is_resting = false;
        Ok(())
    }

    /// Everything stops once more, so that what was acknowledged last is read back too.
    fn restart(&mut self) -> Result<(), Stop> {
        let crash = &self.config.world.crash;
        let kind = if crash.rate.is_zero() { CrashKind::Kill } else { self.draw_crash_kind() };
        self.phase("restart");
        self.crash(kind);
        self.open()?;
        self.note_recovered();
        self.verify()
    }

    // ---- turns ----

    fn drive(&mut self, goal: Goal) -> Result<(), Stop> {
        self.progress_turn = self.turn;
        while !self.reached(goal) {
            let given = self.one_turn();
            self.show();
            given?;
            match self.pump.load(Ordering::Relaxed) {
                0 => {}
                PUMP_CRASHED => return Err(Stop::Crash),
                _ => return Err(self.spun()),
            }
            self.check_bounds()?;
        }
        Ok(())
    }

    fn reached(&mut self, goal: Goal) -> bool {
        match goal {
            Goal::Job => self.job.is_none(),
            Goal::Client(index) => self.clients[index].is_done(),
            Goal::AllClients => self.busy == 0,
            Goal::Rest => {
                let after = std::mem::replace(&mut self.after, After::Keep);
                self.core.lock().is_at_rest(after) && self.busy == 0
            }
        }
    }

    #[inline]
    fn one_turn(&mut self) -> Result<(), Stop> {
        let mut core = self.core.lock();
        if self.outcome_due {
            core.hash.fold(self.outcome.fingerprint().0);
            self.outcome_due = false;
        }
        let turn = core.next_turn(self.after);
        self.after = After::Keep;
        self.turn = core.turn;
        if self.misfit.is_none()
            && let Some(found) = core.scheduler.misfit()
        {
            let place = misplaced(&self.clients, found.actor);
            self.misfit = Some(Misfit { turn: found.turn + 1, actor: found.actor, place });
        }
        match turn {
            Turn::Task { slot, task: Task::Client(index) } => {
                drop(core);
                self.client_turn(slot, index)
            }
            Turn::Task { slot, task: Task::Io(id) } => {
                let actor = core.actors.actor(slot);
                let resource = core.actors.next(slot);
                let finish = core.io_turn(slot, id);
                drop(core);
                self.io_turn(actor, finish, resource)
            }
            Turn::Task { slot, task: Task::Engine } => {
                drop(core);
                self.engine_turn(slot)
            }
            Turn::Timer => {
                let due = advance(&mut core, &self.disk);
                drop(core);
                due.iter().try_for_each(|completion| self.guarded(|| completion.complete(0)))
            }
            Turn::Crash => Err(Stop::Crash),
            Turn::Stalled => {
                drop(core);
                Err(self.deadlock())
            }
        }
    }

    fn io_turn(&mut self, actor: Actor, finish: Option<Finish>, resource: Resource) -> Result<(), Stop> {
        let reported = finish.is_some();
        if let (Some(finish), Actor::Io { connection, op, .. }) = (finish, actor) {
            // What a callback submits belongs to the operation whose I/O it is.
            self.disk.set_issuer(connection, op);
            self.guarded(|| finish.run())?;
        }
        match resource {
            Resource::File { kind: IoKind::Read, .. } => Ok(()),
            _ if reported => self.perhaps_images(Point::Reported(actor)),
            _ => self.perhaps_images(Point::Applied(actor)),
        }
    }

    #[inline]
    fn client_turn(&mut self, slot: Slot, index: usize) -> Result<(), Stop> {
        let client = &mut self.clients[index];
        if client.upset.is_none() && client.waiting.as_ref().is_some_and(|completion| !completion.finished()) {
            // Woken by what an earlier operation had left in flight.
            self.after =
                After::Wait { slot, next: client.waiting.as_ref().map_or(Resource::Unknown, |c| c.label().resource()) };
            return Ok(());
        }
        client.waiting = None;
        self.disk.set_issuer(client.id, client.ordinal);
        match client.upset.take() {
            Some(Upset::Abandon) => return self.abandon(slot, index),
            Some(Upset::Close) => return self.close(slot, index),
            Some(Upset::Wake) | None => {}
        }
        if self.clients[index].running.is_none() && !self.start_op(index)? {
            self.after = After::Remove(slot);
            return Ok(());
        }
        let client = &mut self.clients[index];
        let running = client.running.as_mut().expect("an operation is under way");
        running.steps += 1;
        let connection = client.connection.as_mut().expect("a client that runs is connected");
        let step = catch_unwind(AssertUnwindSafe(|| connection.step()));
        if self.pump.load(Ordering::Relaxed) != 0 {
            // The world ended inside the call; whatever it answers reaches nobody.
            return Ok(());
        }
        match step {
            Ok(Ok(IOResult::IO(io))) => {
                self.client_waits(slot, index, io);
                Ok(())
            }
            Ok(Ok(IOResult::Done(reply))) => self.client_answered(slot, index, reply),
            Ok(Err(error)) => self.client_answered(slot, index, Reply::Unknown(error.class)),
            Err(panic) => Err(self.panicked(Some(index), &panic_text(panic))),
        }
    }

    #[inline]
    fn client_waits(&mut self, slot: Slot, index: usize, io: IOCompletions) {
        let completion = io.completion();
        let next = completion.label().resource();
        let blocked = !completion.finished();
        if let Some(coverage) = self.coverage.as_deref_mut() {
            match self.clients[index].id {
                ENGINE => coverage.passed_alone(completion.label()),
                id => coverage.passed(id, completion.label()),
            }
        }
        if self.observer.is_some() {
            let client = &self.clients[index];
            let (connection, op) = (client.id, client.running.as_ref().map(|running| running.id));
            let (label, spinning) = (*completion.label(), completion.is_spin());
            self.tell(|| What::Yield { connection, op, label, blocked, spinning });
        }
        let upset = self.upset(index, blocked);
        let client = &mut self.clients[index];
        client.upset = upset;
        client.place = self.follows.then(|| *completion.label());
        let spinning = completion.is_spin();
        if blocked {
            completion.set_waker(&client.waker);
            client.waiting = Some(io.into_completion());
        }
        self.after = match blocked && upset.is_none() {
            true => After::Wait { slot, next },
            false => After::Next { slot, next, spinning },
        };
    }

    fn client_answered(&mut self, slot: Slot, index: usize, reply: Reply<F::Value>) -> Result<(), Stop> {
        let running = self.clients[index].running.take().expect("an operation is under way");
        let (outcome, order) = match reply {
            Reply::Ok(value) => (Outcome::Ok(self.workload.output(&running.op, &value)), None),
            Reply::Committed(value, order) => (Outcome::Ok(self.workload.output(&running.op, &value)), Some(order)),
            Reply::Refused(class) => (Outcome::Refused(class), None),
            Reply::Unknown(class) => (Outcome::Unknown(class), None),
        };
        if self.policy_hears_operations {
            let kind = self.workload.call(&running.op).f;
            let core = &mut *self.core.lock();
            core.scheduler.operation_ended(slot, kind, &core.actors);
        }
        let client = &mut self.clients[index];
        client.finished(running.role, !matches!(outcome, Outcome::Ok(_)));
        self.note_return(index, running.id, outcome, order, false)?;
        self.after = self.after_op(slot, index);
        let (connection, op) = (self.clients[index].id, self.clients[index].ordinal);
        self.perhaps_images(Point::Answer { connection, op, steps: running.steps })
    }

    fn note_return(
        &mut self,
        index: usize,
        op: OpId,
        outcome: Outcome,
        order: Option<u64>,
        abandoned: bool,
    ) -> Result<(), Stop> {
        if self.observer.is_some() {
            let (connection, outcome) = (self.clients[index].id, outcome.clone());
            self.tell(|| What::Return { op, connection, outcome, order, abandoned });
        }
        self.outcome = RunHash::new();
        match &outcome {
            Outcome::Ok(value) => {
                self.ops.ok += 1;
                value.fold(&mut self.outcome);
            }
            Outcome::Refused(class) => {
                self.ops.refused += 1;
                self.outcome.fold(0x100 + *class as u64);
            }
            Outcome::Unknown(class) => {
                self.ops.unknown += 1;
                self.outcome.fold(0x200 + *class as u64);
            }
        }
        self.outcome.fold(order.unwrap_or(0));
        self.outcome_due = true;
        self.progress_turn = self.turn;
        let process = self.clients[index].process;
        self.note(process, Fact::Return { op, outcome, order })
    }

    /// Starts the client's next operation; false when there is none.
    fn start_op(&mut self, index: usize) -> Result<bool, Stop> {
        let client = &mut self.clients[index];
        let Some(op) = client.next_op() else { return Ok(false) };
        if client.id == ENGINE {
            self.engine_ordinal += 1;
            client.ordinal = self.engine_ordinal;
            self.disk.set_issuer(ENGINE, client.ordinal);
        } else {
            self.disk.set_issuer(client.id, client.ordinal);
        }
        let role = F::role(&op);
        if role == Role::Begin {
            client.open = Some(self.next_transaction);
            self.next_transaction += 1;
        }
        let transaction = if role == Role::Maintenance { None } else { client.open };
        let (process, call) = (client.process, self.workload.call(&op));
        let id = self.history.next_op();
        let running = Running { id, op, role, since_turn: self.turn, steps: 0 };
        client.place = None;
        let running = client.running.insert(running);
        let connection = client.connection.as_mut().expect("a client that runs is connected");
        let started = catch_unwind(AssertUnwindSafe(|| connection.start(&running.op)));
        if self.observer.is_some() {
            let (connection, ordinal, call) = (self.clients[index].id, self.clients[index].ordinal, call.clone());
            self.tell(|| What::Invoke { op: id, connection, ordinal, transaction, call });
        }
        self.note(process, Fact::Invoke { op: id, transaction, call })?;
        match started {
            Ok(()) => Ok(true),
            Err(panic) => Err(self.panicked(Some(index), &panic_text(panic))),
        }
    }

    /// Whether the client, at a yield, does something else than wait.
    #[inline]
    fn upset(&self, index: usize, blocked: bool) -> Option<Upset> {
        let world = &self.config.world;
        if world.abandon.is_zero() && world.close.is_zero() && world.spurious_wakeup.is_zero() {
            return None;
        }
        let client = &self.clients[index];
        let steps = client.running.as_ref().map_or(0, |running| running.steps);
        let place = Actor::Io { connection: client.id, op: client.ordinal, nth: steps };
        if client.id == ENGINE || !self.faults_on {
            return None;
        }
        let tape = &mut self.core.lock().tape;
        match () {
            () if tape.chance(place, "abandon", 0, world.abandon) => Some(Upset::Abandon),
            () if tape.chance(place, "close", 0, world.close) => Some(Upset::Close),
            () if blocked && tape.chance(place, "spurious-wakeup", 0, world.spurious_wakeup) => Some(Upset::Wake),
            () => None,
        }
    }

    /// The client goes away in the middle of an operation, which stays in doubt, and comes again.
    fn close(&mut self, slot: Slot, index: usize) -> Result<(), Stop> {
        let connection = self.clients[index].connection.take();
        self.clients[index].disconnect();
        self.ops.pending += 1;
        self.progress_turn = self.turn;
        let mut ended = Vec::new();
        {
            let core = &mut *self.core.lock();
            if E::connections_are_processes() {
                core.absorb();
                ended = self.disk.end_process(self.clients[index].id, &mut core.tape);
                ended.iter().for_each(|(actor, _)| core.forget_io(*actor));
            }
            core.remove(slot);
        }
        for (_, completion) in ended {
            self.guarded(|| completion.abort())?;
        }
        self.guarded(|| drop(connection))?;
        match self.clients[index].is_done() {
            true => self.busy -= 1,
            false => self.connect(index)?,
        }
        Ok(())
    }

    fn abandon(&mut self, slot: Slot, index: usize) -> Result<(), Stop> {
        let client = &mut self.clients[index];
        let connection = client.connection.as_mut().expect("a client that runs is connected");
        let given_up = catch_unwind(AssertUnwindSafe(|| connection.abandon()));
        let running = client.running.take().expect("an operation is under way");
        client.finished(Role::Rollback, true);
        client.give_up();
        self.note_return(index, running.id, Outcome::Unknown(Class::Interrupted), None, true)?;
        if let Err(panic) = given_up {
            return Err(self.panicked(Some(index), &panic_text(panic)));
        }
        self.after = self.after_op(slot, index);
        Ok(())
    }

    // ---- the engine's own jobs ----

    fn open(&mut self) -> Result<(), Stop> {
        let mut attempt = 1;
        self.faults_before = self.disk.stats().faults;
        loop {
            let env = Env { io: self.disk.io(), options: self.config.options.clone() };
            match catch_unwind(AssertUnwindSafe(|| E::new(&env))) {
                Ok(Ok(engine)) => self.engine = Some(engine),
                Ok(Err(error)) => return Err(self.does_not_open(&error)),
                Err(panic) => return Err(self.panicked(None, &panic_text(panic))),
            }
            self.do_job(Job::Open)?;
            let Err(error) = std::mem::replace(&mut self.job_result, Ok(Vec::new())) else { return Ok(()) };
            if attempt > OPEN_ATTEMPTS || !self.faults_on {
                return Err(self.does_not_open(&error));
            }
            // A fault may excuse it for a while, but not for ever.
            if attempt == OPEN_ATTEMPTS {
                self.set_faults(false);
            }
            attempt += 1;
            let engine = self.engine.take();
            self.guarded(|| drop(engine))?;
        }
    }

    fn do_job(&mut self, job: Job) -> Result<(), Stop> {
        self.engine_ordinal += 1;
        self.job = Some(job);
        let index = self.clients.len();
        let mut core = self.core.lock();
        core.add_engine(index);
        drop(core);
        self.drive(Goal::Job)
    }

    fn engine_turn(&mut self, slot: Slot) -> Result<(), Stop> {
        if self.job_waiting.as_ref().is_some_and(|completion| !completion.finished()) {
            self.after = After::Wait { slot, next: Resource::Unknown };
            return Ok(());
        }
        self.job_waiting = None;
        let job = self.job.expect("the engine has a job while it has an actor");
        self.disk.set_issuer(ENGINE, self.engine_ordinal);
        let engine = self.engine.as_mut().expect("a job needs an engine");
        let step = catch_unwind(AssertUnwindSafe(|| match job {
            Job::Open => engine.open().map(|result| result.map(|()| Vec::new())),
            Job::Check => engine.check(),
        }));
        if self.pump.load(Ordering::Relaxed) != 0 {
            return Ok(());
        }
        let result = match step {
            Ok(Ok(IOResult::IO(io))) => return self.job_waits(slot, io),
            Ok(Ok(IOResult::Done(answer))) => Ok(answer),
            Ok(Err(error)) => Err(error),
            Err(panic) => return Err(self.panicked(None, &panic_text(panic))),
        };
        if self.observer.is_some() {
            let name = if matches!(job, Job::Open) { "open" } else { "check" };
            let problems = result.as_ref().map_or_else(|error| vec![error.to_string()], Clone::clone);
            self.tell(|| What::JobDone { job: name, problems });
        }
        self.job_result = result;
        self.job = None;
        self.after = After::Remove(slot);
        Ok(())
    }

    fn job_waits(&mut self, slot: Slot, io: IOCompletions) -> Result<(), Stop> {
        let completion = io.into_completion();
        let next = completion.label().resource();
        let blocked = !completion.finished();
        if let Some(coverage) = self.coverage.as_deref_mut() {
            coverage.passed_alone(completion.label());
        }
        let (label, spinning) = (*completion.label(), completion.is_spin());
        self.tell(|| What::Yield { connection: ENGINE, op: None, label, blocked, spinning });
        if blocked {
            completion.set_waker(&self.job_waker);
            self.job_waiting = Some(completion);
            self.after = After::Wait { slot, next };
        } else {
            self.after = After::Next { slot, next, spinning: completion.is_spin() };
        }
        Ok(())
    }

    // ---- clients ----

    fn script(&self) -> &Client<'a, F, E::Connection> {
        self.clients.last().expect("the script client is always there")
    }

    fn connect(&mut self, index: usize) -> Result<(), Stop> {
        self.disk.set_issuer(ENGINE, self.engine_ordinal);
        let engine = self.engine.as_mut().expect("an engine is open");
        let connected = catch_unwind(AssertUnwindSafe(|| engine.connect()));
        let connection = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.does_not_open(&error)),
            Err(panic) => return Err(self.panicked(None, &panic_text(panic))),
        };
        let client = &mut self.clients[index];
        client.connection = Some(connection);
        client.process = self.next_process;
        self.next_process += 1;
        let (connection, process) = (client.id, client.process);
        self.tell(|| What::Connected { connection, process });
        let actor = Actor::Connection(connection);
        self.core.lock().add_client(actor, index);
        Ok(())
    }

    fn connect_clients(&mut self) -> Result<(), Stop> {
        self.busy = 0;
        for index in 0..self.clients.len() - 1 {
            if !self.clients[index].is_done() {
                self.connect(index)?;
                self.busy += 1;
            }
        }
        Ok(())
    }

    /// What becomes of a client's actor when an operation is over.
    fn after_op(&mut self, slot: Slot, index: usize) -> After {
        if !self.clients[index].is_done() {
            return After::Next { slot, next: Resource::Unknown, spinning: false };
        }
        self.busy -= usize::from(self.clients[index].id != ENGINE);
        After::Remove(slot)
    }

    /// One client alone asks what is in `script`.
    fn play_script(&mut self, script: &'a [Transaction<F>]) -> Result<(), Stop> {
        let index = self.clients.len() - 1;
        self.clients[index].rewind(script);
        if self.clients[index].is_done() {
            return Ok(());
        }
        self.connect(index)?;
        self.drive(Goal::Client(index))?;
        let connection = self.clients[index].connection.take();
        self.clients[index].disconnect();
        self.guarded(|| drop(connection))
    }

    /// The engine checks itself, and everything is read back.
    fn verify(&mut self) -> Result<(), Stop> {
        self.do_job(Job::Check)?;
        let problems = std::mem::replace(&mut self.job_result, Ok(Vec::new()))
            .unwrap_or_else(|error| vec![format!("the check could not be made: {error}")]);
        self.note_fact(Fact::Checked { problems });
        let config = self.config;
        self.play_script(&config.plan.settle)
    }

    // ---- crashes ----

    fn set_faults(&mut self, on: bool) {
        self.faults_on = on;
        self.core.lock().scheduler.enter(if on { Mode::Free } else { Mode::Calm });
        self.disk.set_faults(on);
    }

    fn arm(&mut self, rate: Ratio) {
        let allowed = self.crashes < self.config.world.crash.crashes_max;
        let hazard = if allowed { Hazard::at_rate(rate, &mut self.crash_draws) } else { Hazard::OFF };
        self.core.lock().hazard = hazard;
    }

    fn disarm(&mut self) {
        self.core.lock().hazard = Hazard::OFF;
    }

    fn draw_crash_kind(&mut self) -> CrashKind {
        let crash = &self.config.world.crash;
        let weights = [crash.kill, crash.os, crash.power];
        let drawn = self.draws(|tape| tape.weighted(Actor::Crash, "kind", self.crashes, &weights));
        [CrashKind::Kill, CrashKind::Os, CrashKind::Power][drawn]
    }

    /// Carries out a crash, or passes on the end of the run.
    fn crash_after(&mut self, stop: Stop) -> Result<(), Stop> {
        match stop {
            Stop::Ended | Stop::Cut => Err(stop),
            Stop::Crash => {
                let kind = self.draw_crash_kind();
                self.crash(kind);
                Ok(())
            }
        }
    }

    fn crash(&mut self, kind: CrashKind) {
        self.disarm();
        let in_flight = self.disk.freeze();
        for completion in &in_flight {
            let _ = self.guarded(|| completion.abort());
        }
        self.drop_everything();
        let report = self.draws(|tape| self.disk.crash(kind, tape));
        if kind == CrashKind::Kill && self.config.world.crash.kill_writes_back {
            self.disk.write_back();
        }
        self.tell(|| What::Crash { report: report.clone() });
        self.last_crash = Some(report);
        self.core.lock().clear();
        self.pump.store(0, Ordering::Relaxed);
        self.after = After::Keep;
        self.crashes += 1;
        self.engine_ordinal = self.crashes * ENGINE_ORDINALS_PER_LIFE;
        self.before_crash = self.history.mark();
        self.note_fact(Fact::Crash { kind });
    }

    /// Drops connections, then the engine, on a disk that is dead.
    fn drop_everything(&mut self) {
        for index in 0..self.clients.len() {
            let connection = self.clients[index].connection.take();
            self.ops.pending += u64::from(self.clients[index].running.is_some());
            if let Some(op) = self.clients[index].running.as_ref().map(|running| running.id) {
                let connection = self.clients[index].id;
                self.tell(|| What::CutOff { op, connection });
            }
            self.clients[index].disconnect();
            if let Some(connection) = connection {
                let _ = self.guarded(|| connection.crash());
            }
        }
        self.job = None;
        self.job_waiting = None;
        if let Some(engine) = self.engine.take() {
            let _ = self.guarded(|| engine.crash());
        }
    }

    /// Opens the engine on what survived, perhaps through further crashes, and looks at what it made of it.
    fn recover_and_verify(&mut self) -> Result<(), Stop> {
        self.phase("recover");
        loop {
            self.set_faults(true);
            self.arm_recovery();
            match self.open() {
                Ok(()) => break,
                Err(stop) => self.crash_after(stop)?,
            }
        }
        self.disarm();
        self.note_recovered();
        self.set_faults(false);
        self.phase("verify");
        self.verify()
    }

    fn arm_recovery(&mut self) {
        let chance = self.config.world.crash.in_recovery;
        let strikes = self.crash_draws.chance(chance);
        self.arm(if strikes { Ratio::new(2, RECOVERY_TURNS) } else { Ratio::ZERO });
        // A stored schedule may hold a crash here even though this draw would not.
        let allowed = !chance.is_zero() && self.crashes < self.config.world.crash.crashes_max;
        self.core.lock().hazard.allowed = allowed;
    }

    fn note_recovered(&mut self) {
        self.tell(|| What::Recovered);
        self.note_fact(Fact::Recovered);
        if self.media_strikes() > 0 {
            self.before_damage = self.before_damage.or(Some(self.before_crash));
        }
    }

    // ---- what is wrong ----

    fn check_bounds(&mut self) -> Result<(), Stop> {
        if self.turn >= self.crash_turn {
            return Err(Stop::Crash);
        }
        let limits = &self.config.world.limits;
        if self.is_resting {
            let is_late = self.turn - self.progress_turn > limits.rest_turns;
            return if is_late { Err(self.restless()) } else { Ok(()) };
        }
        if self.turn - self.progress_turn > limits.livelock_turns {
            return Err(self.livelock());
        }
        if self.turn >= limits.turns_max && !self.is_ending {
            self.limits_reached.push(format!("turns-max ({})", limits.turns_max));
            return Err(Stop::Cut);
        }
        match self.turn.is_multiple_of(STARVATION_PERIOD).then(|| self.starved()).flatten() {
            Some(starved) => Err(self.starvation(starved)),
            None => Ok(()),
        }
    }

    /// A client whose operation takes too long by the engine's doing.
    ///
    /// Policies are unfair on purpose, and one that is not given turns cannot finish. So it must have had turns of its
    /// own, or wait for others who have all begun after it and go on without it.
    fn starved(&self) -> Option<u16> {
        let bound = self.config.world.limits.starvation_turns;
        let operations = || self.clients.iter().filter_map(|client| Some((client, client.running.as_ref()?)));
        let (client, oldest) = operations().min_by_key(|(_, running)| running.since_turn)?;
        if self.turn - oldest.since_turn <= bound {
            return None;
        }
        let has_had_turns = u64::from(oldest.steps) >= bound.div_ceil(STARVATION_SHARE);
        let others_went_on = operations()
            .filter(|(other, _)| other.id != client.id)
            .all(|(_, running)| running.since_turn > oldest.since_turn + bound / 2);
        (has_had_turns || client.waits_for_others() && others_went_on).then_some(client.id)
    }

    /// What every client is waiting for, a line each.
    fn waiting_lines(&self) -> (Vec<String>, Vec<String>, Vec<OpId>) {
        let (mut lines, mut resources, mut ops) = (vec![], vec![], vec![]);
        for client in &self.clients {
            let Some(running) = &client.running else { continue };
            let call = self.workload.call(&running.op);
            let place = client.waiting.as_ref().map(|completion| format!("{:?}", completion.label()));
            let name = Actor::Connection(client.id);
            lines.push(format!(
                "{name} is in `{}`, {}",
                call.f,
                place.map_or("ready".into(), |place| format!("waiting: {place}"))
            ));
            if let Some(completion) = &client.waiting {
                resources.push(completion.label().resource().to_string());
            }
            ops.push(running.id);
        }
        if let Some(completion) = &self.job_waiting {
            lines.push(format!("the engine itself is waiting: {:?}", completion.label()));
        }
        (lines, resources, ops)
    }

    fn liveness(&mut self, anomaly: &str, sentence: String) -> Stop {
        let (proof, mut resources, ops) = self.waiting_lines();
        resources.sort();
        resources.dedup();
        self.findings.push(Finding {
            property: "liveness".into(),
            anomaly: anomaly.into(),
            sentence,
            resources,
            ops,
            turn: self.turn,
            proof,
        });
        Stop::Ended
    }

    fn deadlock(&mut self) -> Stop {
        let waiting = self.clients.iter().filter(|client| client.running.is_some()).count();
        let who = if waiting == 1 { "1 connection waits".to_string() } else { format!("{waiting} connections wait") };
        self.liveness("deadlock", format!("{who}, no I/O is in flight and no timer runs: nobody will ever go on"))
    }

    fn livelock(&mut self) -> Stop {
        let turns = self.config.world.limits.livelock_turns;
        self.liveness("livelock", format!("in {turns} turns no operation has finished, although connections could run"))
    }

    fn restless(&mut self) -> Stop {
        let turns = self.config.world.limits.rest_turns;
        let restless = self.core.lock().restless(RESTLESS_MAX);
        let stop = self.liveness(
            "no-rest",
            format!(
                "without faults, with nothing new asked and with everybody in turn, it has neither come to rest nor \
                 ended an operation in {turns} turns"
            ),
        );
        if let Some(finding) = self.findings.last_mut() {
            finding.proof.extend(restless.iter().map(|(actor, next)| format!("{actor} goes on: {next}")));
        }
        stop
    }

    fn starvation(&mut self, client: u16) -> Stop {
        let turns = self.config.world.limits.starvation_turns;
        let name = Actor::Connection(client);
        self.liveness(
            "starvation",
            format!("an operation of {name} has not finished in {turns} turns, while others have"),
        )
    }

    fn spun(&mut self) -> Stop {
        self.liveness("pump", "the engine waits inside a call for I/O, but none is in flight".into())
    }

    fn does_not_open(&mut self, error: &EngineError) -> Stop {
        let reason = match () {
            () if self.config.world.has_media_faults() => "a fault of the media",
            () if self.is_betrayed() => "a sync that answered for what was lost",
            () => "",
        };
        if !reason.is_empty() {
            self.limits_reached.push(format!("the engine refused to open after {reason}: {}", error.class));
            return Stop::Ended;
        }
        let sentence = format!("the engine does not open although the disk works: {error}");
        self.breakdown("does-not-open", sentence, Some(error.class))
    }

    fn panicked(&mut self, client: Option<usize>, text: &str) -> Stop {
        let who = client.map_or("the engine".into(), |index| Actor::Connection(self.clients[index].id).to_string());
        self.breakdown("panic", format!("{who} panicked: {text}"), None)
    }

    /// How many faults of the media have struck so far.
    fn media_strikes(&self) -> u64 {
        let is_of_the_media = |kind: &str| MediaFault::ALL.iter().any(|fault| fault.name() == kind);
        self.disk.stats().faults.iter().filter(|(kind, _)| is_of_the_media(kind)).map(|(_, count)| count).sum()
    }

    /// Whether a sync has answered for what was lost all the same.
    fn is_betrayed(&self) -> bool {
        self.disk.stats().syncs_betrayed > 0
    }

    fn breakdown(&mut self, anomaly: &str, sentence: String, class: Option<Class>) -> Stop {
        let (proof, _, ops) = self.waiting_lines();
        self.findings.push(Finding {
            property: "no-breakdown".into(),
            anomaly: anomaly.into(),
            sentence,
            resources: class.map(|class| class.to_string()).into_iter().collect(),
            ops,
            turn: self.turn,
            proof,
        });
        Stop::Ended
    }

    /// Calls into the engine's code outside a step; a panic there ends the run.
    fn guarded<T>(&mut self, call: impl FnOnce() -> T) -> Result<(), Stop> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(_) => Ok(()),
            Err(panic) => Err(self.panicked(None, &panic_text(panic))),
        }
    }

    // ---- what is told ----

    fn note(&mut self, process: u32, fact: Fact) -> Result<(), Stop> {
        let event = Event { turn: self.turn, process, fact };
        let mut found = false;
        for property in self.properties.iter_mut() {
            if let Some(finding) = property.observe(&event) {
                self.findings.push(finding);
                found = true;
            }
        }
        self.history.push(event.turn, event.process, event.fact);
        if found { Err(Stop::Ended) } else { Ok(()) }
    }

    /// Notes a fact that belongs to nobody. What a property finds in it is in its judgement too.
    fn note_fact(&mut self, fact: Fact) {
        let process = self.script().process;
        let _ = self.note(process, fact);
    }

    /// Notes what happened, when somebody watches.
    fn tell(&self, what: impl FnOnce() -> What) {
        if self.observer.is_some() {
            self.core.lock().tell(what);
        }
    }

    /// What ended the run before its time.
    fn tell_end(&mut self) {
        if self.observer.is_some() {
            let found = self.findings.iter().map(|finding| finding.sentence.clone());
            for reason in found.chain(self.limits_reached.iter().cloned()).collect::<Vec<_>>() {
                self.tell(|| What::Ended { reason });
            }
            self.show();
        }
    }

    fn phase(&self, name: &'static str) {
        self.tell(|| What::Phase { name });
    }

    /// Shows the observer what has happened since it was last shown something.
    fn show(&mut self) {
        let Some(observer) = self.observer.as_deref_mut() else { return };
        let mut core = self.core.lock();
        let turn = core.turn;
        let facts = core.facts.as_mut().map(std::mem::take).unwrap_or_default();
        drop(core);
        facts.into_iter().for_each(|fact| observer.fact(fact));
        if !observer.wants_state(turn) {
            return;
        }
        let now = self.disk.shapes();
        if now != self.shapes {
            let changed = now.iter().filter(|file| !self.shapes.contains(file)).cloned().collect();
            let gone = self.shapes.iter().filter(|old| now.iter().all(|file| file.path != old.path));
            let gone = gone.map(|file| std::sync::Arc::clone(&file.path)).collect();
            observer.fact(Seen { turn, what: What::State { files: changed, gone } });
            self.shapes = now;
        }
        // Whoever watches must not change the run, not even by an engine that cannot bear to be looked at.
        let state = self.engine.as_ref().map(|engine| catch_unwind(AssertUnwindSafe(|| engine.state())));
        let now: BTreeMap<String, String> = state.and_then(Result::ok).into_iter().flatten().collect();
        if now != self.memory {
            let is_new = |(name, words): &(&String, &String)| self.memory.get(*name) != Some(*words);
            let changed = now.iter().filter(is_new).map(|(name, words)| (name.clone(), words.clone())).collect();
            let gone = self.memory.keys().filter(|name| !now.contains_key(*name)).cloned().collect();
            observer.fact(Seen { turn, what: What::Engine { changed, gone } });
            self.memory = now;
        }
    }

    // ---- the end ----

    /// Ends everything that lives, for good.
    fn lay_down(&mut self) {
        self.phase("end");
        self.tell_end();
        for completion in &self.disk.freeze() {
            let _ = self.guarded(|| completion.abort());
        }
        self.drop_everything();
        self.disk.set_pump(None);
    }

    fn conclude(mut self) -> RunResult {
        self.lay_down();
        let promises = E::promises(&self.config.options);
        let (media_faults, betrayed) = (self.media_strikes(), self.is_betrayed());
        let record = RunRecord { history: &self.history, promises, facts: self.facts, media_faults, betrayed };
        // What came after a crash of damaged media may lack the last commits, which only some can allow for.
        let undamaged = self.before_damage.map(|mark| {
            let mut history = self.history.clone();
            history.rewind(mark);
            history
        });
        if undamaged.is_some() {
            self.limits_reached
                .push("judged by some properties only: what came after damage to the media and a crash".into());
        }
        let mut judged = Vec::new();
        for property in self.properties.iter_mut() {
            let judgement = match &undamaged {
                Some(history) if !property.allows_for_damage() => {
                    property.judge(&RunRecord { history, ..record.clone() })
                }
                _ => property.judge(&record),
            };
            if let Verdict::Violated(finding) = &judgement.verdict {
                self.findings.push((**finding).clone());
            }
            judged.push((property.name().to_string(), judgement));
        }
        let mut core = self.core.lock();
        if self.outcome_due {
            core.hash.fold(self.outcome.fingerprint().0);
        }
        let turns = core.turn;
        core.hash.fold(turns);
        let images = [("crash-image", self.images.recovered), ("crash-image-struck-again", self.images.struck)];
        let struck = self.disk.stats().faults.into_iter().chain(images.into_iter().filter(|(_, count)| *count > 0));
        let faults: BTreeMap<String, u64> = struck.map(|(kind, count)| (kind.to_string(), count)).collect();
        RunResult {
            hash: core.hash.fingerprint(),
            turns: core.turn,
            ops: self.ops,
            crashes: self.crashes,
            images: self.images,
            faults,
            judged,
            findings: self.findings,
            limits_reached: self.limits_reached,
            decisions: core.tape.take_recording(),
            timeline: core.timeline.take(),
            estimates: core.scheduler.take_estimates(),
            misfit: self.misfit,
            history: self.history,
        }
    }
}

/// Where the one who should have had a turn stands instead.
fn misplaced<F: Family, C>(clients: &[Client<'_, F, C>], actor: Actor) -> String {
    let (connection, is_io) = match actor {
        Actor::Timer => return "no timer runs".to_string(),
        Actor::Crash => return "no crash may strike here".to_string(),
        Actor::Connection(connection) => (connection, false),
        Actor::Io { connection, .. } => (connection, true),
    };
    let prefix = if is_io { "it has not been issued, or is over; " } else { "" };
    let name = Actor::Connection(connection);
    let Some(client) = clients.iter().find(|client| client.id == connection) else {
        return format!("{prefix}there is no {name}");
    };
    let stands = match (&client.running, &client.place) {
        (None, _) => "is not in an operation".to_string(),
        (Some(_), None) => "has just begun an operation".to_string(),
        (Some(_), Some(place)) => {
            let way = place.way();
            let at = if way.is_empty() { "a place without a name" } else { way.as_str() };
            let does = if client.waiting.is_some() { "waits" } else { "stands" };
            format!("{does} at {at}; after that: {}", place.resource())
        }
    };
    format!("{prefix}{name} {stands}")
}

fn panic_text(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
