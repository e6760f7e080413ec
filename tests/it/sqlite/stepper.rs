//! The smallest scheduler that can drive an engine: random turns, a crash on demand, and what became of each
//! transaction.
//!
//! Every connection runs the same kind of transaction: append to a list that all share, add one to a total,
//! write a key of its own. So any state of the database can be told right from wrong: the total is the length
//! of the list, which holds every acknowledged transaction and none that was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use squall::aio::{Completion, CompletionError, IOResult};
use squall::disk::sim::{DiskConfig, IoTurn, Pump, SimDisk, Submitted};
use squall::engine::kv::{Kv, KvOp, KvValue, Value, decode};
use squall::engine::{Connection, Engine, EngineError, Env, OptionValue, Options, Reply};
use squall::history::{Class, CrashKind, Datum, ValueId};
use squall::tape::{ENGINE, Fingerprint, RunHash, Stream, Tape};

/// What a transaction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    Refused,
    InDoubt,
}

/// What a database is found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Acknowledged transactions that are not there.
    pub(super) lost: usize,
    /// Everything that is wrong whatever was promised.
    pub(super) broken: Vec<String>,
}

/// One connection with its own small client.
struct Slot<C> {
    connection: C,
    number: u16,
    op: u32,
    in_flight: Option<KvOp>,
    waits_for: Option<Completion>,
    transaction: u32,
    /// Of the transaction: begin, a read, three writes, commit; then the rollback of one that was refused.
    step: usize,
}

const ROLLBACK: usize = 6;

impl<C> Slot<C> {
    const fn id(&self) -> ValueId {
        ValueId { connection: self.number, transaction: self.transaction, op: 0 }
    }

    fn next_op(&self) -> KvOp {
        let value = Value { id: self.id(), len: 0 };
        match self.step {
            0 => KvOp::Begin,
            // A transaction that begins deferred now has a snapshot, and may find it stale when it writes.
            1 => KvOp::Get("list".into()),
            2 => KvOp::Append("list".into(), value),
            3 => KvOp::Add("total".into(), 1),
            // Long enough for an overflow page now and then.
            4 => KvOp::Put(format!("own{}", self.number).into(), Value { len: 40 << (self.transaction % 8), ..value }),
            5 => KvOp::Commit,
            _ => KvOp::Rollback,
        }
    }
}

/// A run.
pub(super) struct Run<E: Engine<Kv>> {
    slots: Vec<Slot<E::Connection>>,
    engine: Option<E>,
    pub(super) disk: SimDisk,
    options: Options,
    tape: Tape,
    choices: Stream,
    flying: Vec<Submitted>,
    hash: RunHash,
    engine_ops: u32,
    transactions: u32,
    pub(super) turns: u64,
    /// In the order in which they ended.
    pub(super) fates: Vec<(ValueId, Fate)>,
    /// The classes of all refusals and doubts.
    pub(super) classes: BTreeSet<Class>,
}

/// Serves I/O while an engine waits inside a call.
struct OldestFirst {
    disk: SimDisk,
    world: Mutex<(Vec<Submitted>, Tape)>,
}

impl Pump for OldestFirst {
    fn pump(&self) -> Result<(), CompletionError> {
        let mut world = self.world.lock().unwrap();
        let (flying, tape) = &mut *world;
        self.disk.take_submitted(tape, flying);
        let oldest = flying.first().ok_or(CompletionError::Rejected("nothing is in flight"))?.id;
        if let IoTurn::Finished(finish) = self.disk.turn(oldest, tape) {
            flying.remove(0);
            drop(world);
            finish.run();
        }
        Ok(())
    }
}

/// Options from `"journal_mode=delete cache_pages=4"`.
pub(super) fn options<E: Engine<Kv>>(text: &str) -> Options {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').expect("key=value");
        let number = value.parse().ok().filter(|_| key != "page_bytes");
        (key.to_string(), number.map_or_else(|| OptionValue::Text(value.into()), OptionValue::Int))
    };
    let given: BTreeMap<_, _> = text.split_whitespace().map(pair).collect();
    let info = E::info();
    Options::resolve(info.options, info.bugs, &given, &[]).expect("known options")
}

impl<E: Engine<Kv>> Run<E> {
    /// A run on a new disk, with the database open and as many connections.
    pub(super) fn new(text: &str, disk: DiskConfig, seed: u64, connections: u16, transactions: u32) -> Self {
        let mut run = Self {
            slots: Vec::new(),
            engine: None,
            disk: SimDisk::new(disk, seed),
            options: options::<E>(text),
            tape: Tape::seeded(seed),
            choices: Stream::new(seed, "stepper", 0),
            flying: Vec::new(),
            hash: RunHash::new(),
            engine_ops: 0,
            transactions,
            turns: 0,
            fates: Vec::new(),
            classes: BTreeSet::new(),
        };
        run.disk.set_faults(false);
        run.open().expect("a new database opens");
        run.disk.set_faults(true);
        run.slots = (0..connections).map(|number| run.slot(number, 0)).collect();
        run
    }

    fn open(&mut self) -> Result<(), EngineError> {
        self.engine = Some(E::new(&Env { io: self.disk.io(), options: self.options.clone() })?);
        self.call_engine(Engine::open)
    }

    fn slot(&mut self, number: u16, transaction: u32) -> Slot<E::Connection> {
        let connection = self.engine.as_mut().expect("alive").connect().expect("connects");
        Slot { connection, number, op: 0, in_flight: None, waits_for: None, transaction, step: 0 }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.hash.fingerprint()
    }

    /// Runs until every connection has done its transactions, or `stop` says so; `true` when they have.
    pub(super) fn run(&mut self, mut stop: impl FnMut(&Self) -> bool) -> bool {
        while self.turn() {
            assert!(self.turns < 2_000_000, "the run does not end");
            if stop(self) {
                return false;
            }
        }
        true
    }

    /// Whether some connection is inside a commit.
    pub(super) fn is_committing(&self) -> bool {
        self.slots.iter().any(|slot| slot.in_flight == Some(KvOp::Commit))
    }

    pub(super) fn count(&self, wanted: Fate) -> usize {
        self.fates.iter().filter(|(_, fate)| *fate == wanted).count()
    }

    /// Kills a connection in the middle of what it does, and puts a new one in its place.
    pub(super) fn kill_connection(&mut self, at: usize) {
        self.settle(at, Fate::InDoubt);
        assert!(E::connections_are_processes());
        for (actor, completion) in self.disk.end_process(self.slots[at].number, &mut self.tape) {
            self.flying.retain(|flight| flight.actor != actor);
            completion.abort();
        }
        let (number, transaction, op) = (self.slots[at].number, self.slots[at].transaction, self.slots[at].op);
        let fresh = self.slot(number, transaction);
        self.slots[at] = Slot { op, ..fresh };
    }

    /// Abandons what a connection does, between two steps; the oldest I/O goes on whenever it waits.
    pub(super) fn abandon(&mut self, at: usize) {
        if self.slots[at].in_flight.is_none() {
            return;
        }
        let world = Mutex::new((std::mem::take(&mut self.flying), std::mem::replace(&mut self.tape, Tape::seeded(0))));
        let pump = Arc::new(OldestFirst { disk: self.disk.clone(), world });
        self.disk.set_pump(Some(pump.clone()));
        self.disk.set_issuer(self.slots[at].number, self.slots[at].op);
        self.slots[at].connection.abandon();
        self.disk.set_pump(None);
        let world = std::mem::replace(&mut *pump.world.lock().unwrap(), (Vec::new(), Tape::seeded(0)));
        (self.flying, self.tape) = world;
        self.settle(at, Fate::InDoubt);
    }

    /// Stops everything, lets `kind` take its toll, and opens the database anew.
    pub(super) fn crash(&mut self, kind: CrashKind) -> Result<(), EngineError> {
        self.stop(kind);
        self.open()
    }

    /// Stops everything, and again in the middle of the recovery, after so many steps of it.
    pub(super) fn crash_twice(&mut self, kind: CrashKind, recovery_steps: u32) -> Result<(), EngineError> {
        self.stop(kind);
        let mut engine = E::new(&Env { io: self.disk.io(), options: self.options.clone() })?;
        self.engine_ops += 1;
        for _ in 0..recovery_steps {
            self.disk.set_issuer(ENGINE, self.engine_ops);
            match engine.open()? {
                IOResult::Done(()) => break,
                IOResult::IO(io) => self.serve(io.completion()),
            }
        }
        self.engine = Some(engine);
        self.crash(kind)
    }

    fn stop(&mut self, kind: CrashKind) {
        self.disk.freeze().iter().for_each(Completion::abort);
        for at in 0..self.slots.len() {
            if self.slots[at].step > 0 && self.slots[at].transaction < self.transactions {
                self.settle(at, Fate::InDoubt);
            }
        }
        self.slots.clear();
        self.engine = None;
        self.flying.clear();
        let report = self.disk.crash(kind, &mut self.tape);
        self.hash.fold_bytes(report.to_string().as_bytes());
        self.disk.set_faults(false);
    }

    /// Reads everything back and judges it.
    pub(super) fn judge(&mut self) -> Found {
        let mut found = Found::default();
        self.disk.set_faults(false);
        match self.call_engine(Engine::check) {
            Ok(problems) => found.broken.extend(problems),
            Err(error) => found.broken.push(error.to_string()),
        }
        let mut reader = self.slot(ENGINE - 1, 0);
        let list = self.read(&mut reader, "list");
        let total = self.read(&mut reader, "total");
        let mut present = Vec::new();
        match list {
            Datum::Null => {}
            Datum::List(items) => {
                for item in items {
                    match item {
                        Datum::Value(id) if !present.contains(&id) => present.push(id),
                        other => found.broken.push(format!("{other} in the list")),
                    }
                }
            }
            other => found.broken.push(format!("the list is {other}")),
        }
        let length = if present.is_empty() { Datum::Null } else { Datum::Int(present.len() as i64) };
        if total != length {
            found.broken.push(format!("{} in the list, but the total is {total}", present.len()));
        }
        let acknowledged = || self.fates.iter().filter(|(_, fate)| *fate == Fate::Acknowledged);
        found.lost = acknowledged().filter(|(id, _)| !present.contains(id)).count();
        for (id, fate) in &self.fates {
            if *fate == Fate::Refused && present.contains(id) {
                found.broken.push(format!("{id} was refused and is there"));
            }
        }
        for id in present {
            if !self.fates.iter().any(|(known, _)| *known == id) {
                found.broken.push(format!("{id} has not ended and is there"));
            }
        }
        found
    }

    fn read(&mut self, reader: &mut Slot<E::Connection>, key: &str) -> Datum {
        reader.connection.start(&KvOp::Get(key.into()));
        loop {
            reader.op += 1;
            self.disk.set_issuer(reader.number, reader.op);
            match reader.connection.step() {
                Ok(IOResult::IO(io)) => self.serve(io.completion()),
                Ok(IOResult::Done(Reply::Ok(KvValue::Bytes(bytes)))) => {
                    return bytes.as_deref().map_or(Datum::Null, decode);
                }
                other => return Datum::Text(format!("{other:?}").into()),
            }
        }
    }

    /// One turn of somebody who can run; `false` when all is done.
    fn turn(&mut self) -> bool {
        for slot in &mut self.slots {
            if slot.in_flight.is_none() && slot.transaction < self.transactions {
                let op = slot.next_op();
                slot.connection.start(&op);
                slot.in_flight = Some(op);
                slot.op += 1;
            }
        }
        let ready =
            |slot: &Slot<_>| slot.in_flight.is_some() && slot.waits_for.as_ref().is_none_or(Completion::finished);
        let enabled: Vec<usize> = (0..self.slots.len()).filter(|at| ready(&self.slots[*at])).collect();
        let choices = (enabled.len() + self.flying.len()) as u64;
        self.turns += 1;
        self.pass_time(1);
        if choices == 0 {
            let Some(deadline) = self.disk.next_deadline() else {
                assert!(self.slots.iter().all(|slot| slot.in_flight.is_none()), "deadlock");
                return false;
            };
            self.pass_time(deadline.saturating_sub(self.disk.now()));
            return true;
        }
        let choice = self.choices.below(choices) as usize;
        match enabled.get(choice) {
            Some(at) => self.step_connection(*at),
            None => self.turn_io(choice - enabled.len()),
        }
        true
    }

    fn pass_time(&mut self, ticks: u64) {
        self.disk.tick(ticks);
        for due in self.disk.take_due() {
            due.complete(0);
        }
    }

    fn step_connection(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        self.disk.set_issuer(slot.number, slot.op);
        slot.waits_for = None;
        self.hash.fold(u64::from(slot.number));
        let step = slot.connection.step();
        self.disk.take_submitted(&mut self.tape, &mut self.flying);
        match step {
            Ok(IOResult::IO(io)) => {
                let completion = io.into_completion();
                self.hash.fold(completion.label().resource().word());
                self.slots[at].waits_for = Some(completion);
            }
            Ok(IOResult::Done(reply)) => {
                self.hash.fold_bytes(format!("{reply:?}").as_bytes());
                self.answer(at, &reply);
            }
            Err(error) => self.answer(at, &Reply::Unknown(error.class)),
        }
    }

    fn answer(&mut self, at: usize, reply: &Reply<KvValue>) {
        let slot = &mut self.slots[at];
        let op = slot.in_flight.take().expect("it was asked");
        match (op, reply) {
            (KvOp::Commit, Reply::Ok(_) | Reply::Committed(..)) => self.settle(at, Fate::Acknowledged),
            (KvOp::Commit, Reply::Unknown(class)) => {
                self.classes.insert(*class);
                self.settle(at, Fate::InDoubt);
            }
            // Whatever it answers: what was not committed must not be there.
            (KvOp::Rollback, _) => self.settle(at, Fate::Refused),
            (_, Reply::Ok(_) | Reply::Committed(..)) => slot.step += 1,
            (_, Reply::Refused(class) | Reply::Unknown(class)) => {
                self.classes.insert(*class);
                slot.step = ROLLBACK;
            }
        }
    }

    fn settle(&mut self, at: usize, fate: Fate) {
        let slot = &mut self.slots[at];
        self.fates.push((slot.id(), fate));
        slot.in_flight = None;
        slot.waits_for = None;
        slot.transaction += 1;
        slot.step = 0;
    }

    fn turn_io(&mut self, at: usize) {
        let submitted = self.flying[at];
        self.hash.fold(submitted.actor.word());
        if let IoTurn::Finished(finish) = self.disk.turn(submitted.id, &mut self.tape) {
            // In place of `swap_remove`: the order decides who is chosen next.
            self.flying.remove(at);
            finish.run();
        }
        self.disk.take_submitted(&mut self.tape, &mut self.flying);
    }

    /// Lets I/O go on, oldest first, until this one has finished.
    fn serve(&mut self, completion: &Completion) {
        self.disk.take_submitted(&mut self.tape, &mut self.flying);
        while !completion.finished() {
            if self.flying.is_empty() {
                let deadline = self.disk.next_deadline().expect("somebody must be able to go on");
                self.pass_time(deadline.saturating_sub(self.disk.now()));
            } else {
                self.turn_io(0);
            }
        }
    }

    fn call_engine<T>(
        &mut self,
        mut call: impl FnMut(&mut E) -> Result<IOResult<T>, EngineError>,
    ) -> Result<T, EngineError> {
        self.engine_ops += 1;
        loop {
            self.disk.set_issuer(ENGINE, self.engine_ops);
            match call(self.engine.as_mut().expect("alive"))? {
                IOResult::Done(value) => return Ok(value),
                IOResult::IO(io) => self.serve(io.completion()),
            }
        }
    }
}
