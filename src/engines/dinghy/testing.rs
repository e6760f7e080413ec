//! A small world for tests: a few clients on one engine over the simulated disk, in random order, and a
//! model that says what they should have been told.
//!
//! The model believes nothing but the engine's own commit order, and checks everything else against it:
//! every answer of every transaction, committed or not, must be that of one version of the database.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::statement::{Effect, Write, effect};
use super::{Dinghy, State};
use crate::aio::{Completion, IOResult};
use crate::disk::sim::{DiskConfig, IoTurn, SimDisk, Submitted};
use crate::engine::kv::{Key, KvOp, KvValue, Value, decode};
use crate::engine::{Connection, Engine, EngineError, Env, OptionValue, Options, Reply};
use crate::history::{Class, CrashKind, ValueId};
use crate::tape::{Stream, Tape};

/// Keys with their values.
pub(super) type Rows = BTreeMap<String, Vec<u8>>;

/// What a test chooses.
#[derive(Clone)]
pub(super) struct Setup {
    pub seed: u64,
    pub clients: usize,
    pub disk: DiskConfig,
    pub options: Vec<(&'static str, OptionValue)>,
    pub bugs: Vec<&'static str>,
    pub keys: u64,
    pub value_bytes: u64,
    /// Of 100 operations, how many begin a transaction.
    pub transactions_percent: u64,
    /// Of 1,000 steps, how many abandon the operation instead.
    pub abandon_permille: u64,
    /// Recovery meets crashes, but no errors.
    pub recovers_calmly: bool,
}

impl Setup {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            clients: 3,
            disk: DiskConfig::default(),
            options: vec![("cache_pages", OptionValue::Int(4)), ("checkpoint_frames", OptionValue::Int(16))],
            bugs: Vec::new(),
            keys: 24,
            value_bytes: 60,
            transactions_percent: 50,
            abandon_permille: 0,
            recovers_calmly: false,
        }
    }

    pub(super) fn option(mut self, key: &'static str, value: OptionValue) -> Self {
        self.options.retain(|(known, _)| *known != key);
        self.options.push((key, value));
        self
    }

    fn options(&self) -> Options {
        let given = self.options.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let bugs: Vec<_> = self.bugs.iter().map(ToString::to_string).collect();
        let info = Dinghy::info();
        Options::resolve(info.options, info.bugs, &given, &bugs).unwrap()
    }
}

/// Clients, engine, disk and model.
pub(super) struct World {
    pub setup: Setup,
    pub disk: SimDisk,
    tape: Tape,
    pub random: Stream,
    in_flight: Vec<Submitted>,
    engine: Option<Dinghy>,
    clients: Vec<Client>,
    pub model: Model,
    pub turns: u64,
    pub refused: BTreeMap<Class, u64>,
}

struct Client {
    connection: <Dinghy as Engine<crate::engine::kv::Kv>>::Connection,
    number: u16,
    transactions: u32,
    ops: u16,
    queue: VecDeque<KvOp>,
    running: Option<KvOp>,
    waiting: Option<Completion>,
    record: Record,
}

/// A transaction as its client saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    open: bool,
    /// The last commit acknowledged before it began.
    lower: u64,
    answers: Vec<(KvOp, KvValue)>,
    /// Asked, not answered.
    asked: Option<KvOp>,
}

/// What the database should be.
#[derive(Default)]
pub(super) struct Model {
    pub serializable: bool,
    pub every_commit: bool,
    /// The last commit before the last checkpoint that was acknowledged began.
    checkpointed: u64,
    /// Committed transactions by their place.
    committed: BTreeMap<u64, Record>,
    /// Given up, refused, or read-only.
    others: Vec<Record>,
    /// Nobody knows.
    doubtful: Vec<Record>,
    pub acknowledged: u64,
    /// What the database was before all that, and after how many commits.
    base: (u64, Rows),
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let options = setup.options();
        let model = Model {
            serializable: options.text("isolation") == "serializable",
            every_commit: options.text("sync") == "commit",
            ..Model::default()
        };
        let mut world = Self {
            disk: SimDisk::new(setup.disk.clone(), setup.seed),
            tape: Tape::seeded(setup.seed),
            random: Stream::new(setup.seed, "test", 0),
            in_flight: Vec::new(),
            engine: None,
            clients: Vec::new(),
            model,
            turns: 0,
            refused: BTreeMap::new(),
            setup,
        };
        world.disk.set_faults(false);
        world.open().unwrap();
        world.disk.set_faults(true);
        world
    }

    /// Opens the engine; an error leaves it closed.
    pub(super) fn open(&mut self) -> Result<(), EngineError> {
        let env = Env { io: self.disk.io(), options: self.setup.options() };
        let mut engine = Dinghy::new(&env)?;
        while let IOResult::IO(io) = engine.open()? {
            self.wait_for(io.completion());
        }
        for number in 0..self.setup.clients as u16 {
            let connection = engine.connect()?;
            let known = self.clients.len() as u32;
            self.clients.push(Client {
                connection,
                number,
                transactions: known * 1000 + self.turns as u32 * 10,
                ops: 0,
                queue: VecDeque::new(),
                running: None,
                waiting: None,
                record: Record::default(),
            });
        }
        self.engine = Some(engine);
        Ok(())
    }

    fn wait_for(&mut self, completion: &Completion) {
        while !completion.finished() {
            assert!(self.io_turn(), "nothing in flight can finish {completion:?}");
        }
    }

    fn io_turn(&mut self) -> bool {
        self.disk.take_submitted(&mut self.tape, &mut self.in_flight);
        if self.in_flight.is_empty() {
            return false;
        }
        let nth = self.random.below(self.in_flight.len() as u64) as usize;
        if let IoTurn::Finished(finish) = self.disk.turn(self.in_flight[nth].id, &mut self.tape) {
            self.in_flight.swap_remove(nth);
            finish.run();
        }
        true
    }

    /// Gives turns at random.
    pub(super) fn run(&mut self, turns: u64) -> Result<(), String> {
        (0..turns).try_for_each(|_| self.turn(true))
    }

    /// Lets everybody finish what they are at.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        for _ in 0..200_000 {
            let busy = |client: &Client| client.running.is_some() || !client.queue.is_empty();
            if !self.clients.iter().any(busy) && self.in_flight.is_empty() {
                return Ok(());
            }
            self.turn(false)?;
        }
        Err("it never ends".into())
    }

    fn turn(&mut self, more: bool) -> Result<(), String> {
        self.turns += 1;
        self.disk.tick(1);
        self.disk.take_due().iter().for_each(|timer| timer.complete(0));
        self.disk.take_submitted(&mut self.tape, &mut self.in_flight);
        let enabled: Vec<_> = (0..self.clients.len()).filter(|&nth| self.clients[nth].is_enabled(more)).collect();
        let all = enabled.len() + self.in_flight.len();
        if all == 0 {
            let stuck = more || self.clients.iter().any(|client| client.running.is_some());
            return if stuck { Err("deadlock".into()) } else { Ok(()) };
        }
        let nth = self.random.below(all as u64) as usize;
        match enabled.get(nth) {
            Some(&client) => self.client_turn(client)?,
            None => drop(self.io_turn()),
        }
        Ok(())
    }

    fn client_turn(&mut self, nth: usize) -> Result<(), String> {
        let (setup, random) = (&self.setup, &mut self.random);
        let client = &mut self.clients[nth];
        if client.running.is_none() {
            client.start(setup, random, self.model.acknowledged);
            return Ok(());
        }
        if setup.abandon_permille > 0 && random.below(1000) < setup.abandon_permille {
            client.connection.abandon();
            client.waiting = None;
            client.running = None;
            client.queue.clear();
            self.model.doubtful.push(std::mem::take(&mut client.record));
            return Ok(());
        }
        match client.connection.step().unwrap() {
            IOResult::IO(io) => client.waiting = Some(io.into_completion()),
            IOResult::Done(reply) => {
                client.waiting = None;
                if let Reply::Refused(class) | Reply::Unknown(class) = &reply {
                    *self.refused.entry(*class).or_default() += 1;
                    if *class == Class::Corrupt && self.setup.disk.media.is_empty() {
                        return Err(format!("{:?} found damage on a disk that does none", client.running));
                    }
                }
                client.answered(reply, &mut self.model)?;
            }
        }
        Ok(())
    }

    /// Stops everything, and opens what is left; once more, without faults, when the disk fails meanwhile.
    pub(super) fn crash(&mut self, kind: CrashKind) -> Result<(), EngineError> {
        self.stop();
        self.disk.crash(kind, &mut self.tape);
        let Err(error) = self.open() else { return Ok(()) };
        if error.class == Class::Corrupt {
            return Err(error);
        }
        self.stop();
        self.disk.crash(CrashKind::Kill, &mut self.tape);
        self.disk.set_faults(false);
        self.open()?;
        self.disk.set_faults(true);
        Ok(())
    }

    /// Crashes again and again while the engine recovers, then lets it.
    pub(super) fn crash_in_recovery(&mut self, kind: CrashKind, times: u64) -> Result<(), EngineError> {
        self.stop();
        self.disk.crash(kind, &mut self.tape);
        for _ in 0..times {
            let env = Env { io: self.disk.io(), options: self.setup.options() };
            let mut engine = Dinghy::new(&env)?;
            for _ in 0..self.random.below(25) {
                match engine.open()? {
                    IOResult::Done(()) => break,
                    IOResult::IO(_) => drop(self.io_turn()),
                }
            }
            self.disk.freeze().iter().for_each(Completion::abort);
            drop(engine);
            self.in_flight.clear();
            self.disk.crash(kind, &mut self.tape);
        }
        self.open()
    }

    /// Closes the engine; what was under way is in doubt.
    fn stop(&mut self) {
        self.disk.freeze().iter().for_each(Completion::abort);
        for client in self.clients.drain(..) {
            self.model.doubtful.push(client.record);
        }
        self.engine = None;
        self.in_flight.clear();
    }

    /// One operation, by itself, with nobody else about.
    pub(super) fn ask(&mut self, op: &KvOp) -> Reply<KvValue> {
        let mut connection = self.engine.as_mut().unwrap().connect().unwrap();
        connection.start(op);
        loop {
            match connection.step().unwrap() {
                IOResult::Done(reply) => return reply,
                IOResult::IO(io) => self.wait_for(io.completion()),
            }
        }
    }

    /// All rows, as a scan gives them.
    pub(super) fn rows(&mut self) -> Result<Rows, String> {
        match self.ask(&KvOp::Scan("".into(), "~".into())) {
            Reply::Ok(KvValue::Rows(rows)) => Ok(rows.into_iter().collect()),
            reply => Err(format!("the scan answered {reply:?}")),
        }
    }

    /// What the engine says of itself.
    pub(super) fn problems(&mut self) -> Vec<String> {
        let mut engine = self.engine.take().unwrap();
        let problems = loop {
            match engine.check().unwrap() {
                IOResult::Done(problems) => break problems,
                IOResult::IO(io) => self.wait_for(io.completion()),
            }
        };
        self.engine = Some(engine);
        problems
    }

    /// Everything that was answered so far is right, and the database is what it should be.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.settle()?;
        self.check_now()
    }

    /// The same, of what is left after a crash.
    pub(super) fn check_now(&mut self) -> Result<(), String> {
        self.disk.set_faults(false);
        let outcome = self.explain();
        self.disk.set_faults(true);
        outcome
    }

    /// Whatever can be read is right; a damaged disk may keep some of it from being read.
    pub(super) fn check_what_is_readable(&mut self) -> Result<(), String> {
        self.settle()?;
        match self.rows() {
            Ok(rows) => {
                let sequence = self.sequence();
                self.model.explain(&rows, sequence)
            }
            Err(_) => Ok(()),
        }
    }

    fn sequence(&self) -> u64 {
        match &self.engine.as_ref().expect("it is open").state {
            State::Open(shared) => shared.published.get().sequence,
            State::Opening(_) => unreachable!("it answers"),
        }
    }

    fn explain(&mut self) -> Result<(), String> {
        let rows = self.rows()?;
        let sequence = self.sequence();
        self.model.explain(&rows, sequence)?;
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

impl Client {
    fn is_enabled(&self, more: bool) -> bool {
        let idle = self.running.is_none() && self.queue.is_empty() && !more;
        !idle && self.waiting.as_ref().is_none_or(Completion::finished)
    }

    fn start(&mut self, setup: &Setup, random: &mut Stream, acknowledged: u64) {
        if self.queue.is_empty() {
            self.plan(setup, random);
        }
        let op = self.queue.pop_front().expect("just planned");
        if !self.record.open {
            self.record = Record { lower: acknowledged, open: op == KvOp::Begin, ..Record::default() };
        }
        self.record.asked = Some(op.clone());
        self.connection.start(&op);
        self.running = Some(op);
        self.waiting = None;
    }

    fn plan(&mut self, setup: &Setup, random: &mut Stream) {
        self.transactions += 1;
        if random.below(100) >= setup.transactions_percent {
            let op = match random.below(20) {
                0 => KvOp::Checkpoint,
                1 => KvOp::Vacuum,
                _ => self.op(setup, random),
            };
            return self.queue.push_back(op);
        }
        self.queue.push_back(KvOp::Begin);
        for _ in 0..random.below(5) {
            let op = self.op(setup, random);
            self.queue.push_back(op);
        }
        self.queue.push_back(if random.below(8) == 0 { KvOp::Rollback } else { KvOp::Commit });
    }

    fn op(&mut self, setup: &Setup, random: &mut Stream) -> KvOp {
        self.ops += 1;
        let id = ValueId { connection: self.number, transaction: self.transactions, op: self.ops };
        let long = random.below(6) == 0;
        let len = random.below(if long { setup.value_bytes * 20 } else { setup.value_bytes } + 1) as u32;
        let value = Value { id, len };
        let nth = random.below(setup.keys);
        let key: Key = format!("k{nth:03}{}", "x".repeat((nth % 7) as usize * 8)).into();
        match random.below(12) {
            0..3 => KvOp::Put(key, value),
            3 | 4 => KvOp::Delete(key),
            5 => KvOp::Cas { key, expected: None, new: value },
            6 => KvOp::Add(format!("n{}", nth % 3).into(), 1),
            7 => KvOp::Append(format!("l{}", nth % 3).into(), value),
            8 => KvOp::Pop(format!("l{}", nth % 3).into()),
            9 => KvOp::Scan(key, "k~".into()),
            _ => KvOp::Get(key),
        }
    }

    fn answered(&mut self, reply: Reply<KvValue>, model: &mut Model) -> Result<(), String> {
        let op = self.running.take().expect("it was running");
        self.record.asked = None;
        let ends = !self.record.open || matches!(op, KvOp::Commit | KvOp::Rollback);
        match reply {
            Reply::Ok(value) => {
                if op == KvOp::Checkpoint {
                    model.checkpointed = model.checkpointed.max(self.record.lower);
                }
                self.record.answers.push((op, value));
            }
            Reply::Committed(value, order) => {
                self.record.answers.push((op, value));
                model.acknowledged = model.acknowledged.max(order);
                let known = model.committed.insert(order, std::mem::take(&mut self.record));
                return if known.is_some() { Err(format!("two commits have place {order}")) } else { Ok(()) };
            }
            Reply::Refused(_) if !ends => {
                self.queue.clear();
                self.queue.push_back(KvOp::Rollback);
            }
            Reply::Refused(_) => {}
            Reply::Unknown(_) => {
                self.record.asked = Some(op);
                model.doubtful.push(std::mem::take(&mut self.record));
                self.queue.clear();
                return Ok(());
            }
        }
        if ends {
            model.others.push(std::mem::take(&mut self.record));
        }
        Ok(())
    }
}

impl Record {
    /// The version that follows `before`, if the transaction's answers are those of `before`.
    fn on(&self, before: &Rows) -> Result<Rows, String> {
        let mut rows = before.clone();
        for (op, answer) in &self.answers {
            let expected = apply(op, &mut rows);
            if *answer != expected {
                return Err(format!("{op:?} was answered {answer:?} instead of {expected:?}"));
            }
        }
        if let Some(op) = &self.asked {
            apply(op, &mut rows);
        }
        Ok(rows)
    }

    fn writes(&self, before: &Rows, after: &Rows) -> Vec<String> {
        let keys = before.keys().chain(after.keys());
        keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
    }

    /// Whether it can have had an effect without having been answered.
    fn may_commit(&self) -> bool {
        match &self.asked {
            Some(KvOp::Commit | KvOp::Vacuum) => true,
            Some(KvOp::Begin | KvOp::Rollback | KvOp::Checkpoint) | None => false,
            Some(_) => !self.open,
        }
    }
}

fn apply(op: &KvOp, rows: &mut Rows) -> KvValue {
    let key = match op {
        KvOp::Scan(from, to) => {
            let range = rows.range::<str, _>((
                std::ops::Bound::Included(&**from),
                std::ops::Bound::Included(std::cmp::max(&**from, &**to)),
            ));
            return KvValue::Rows(range.map(|(key, value)| (key.clone(), value.clone())).collect());
        }
        KvOp::Get(key) | KvOp::Delete(key) | KvOp::Pop(key) => key,
        KvOp::Put(key, _) | KvOp::Append(key, _) | KvOp::Add(key, _) | KvOp::Cas { key, .. } => key,
        _ => return KvValue::Unit,
    };
    let Effect { answer, write } = effect(op, rows.get(&**key).cloned()).unwrap();
    match write {
        Write::Keep => {}
        Write::Put(value) => drop(rows.insert(key.to_string(), value)),
        Write::Remove => drop(rows.remove(&**key)),
    }
    answer
}

/// The keys under which the database does not hold what it should.
fn differences(rows: &Rows, expected: &Rows) -> String {
    let show = |value: Option<&Vec<u8>>| value.map_or_else(|| "nothing".into(), |value| decode(value).to_string());
    let keys: BTreeSet<_> = rows.keys().chain(expected.keys()).collect();
    let wrong = keys.into_iter().filter(|key| rows.get(*key) != expected.get(*key));
    let lines = wrong.map(|key| format!("{key}: {} instead of {}", show(rows.get(key)), show(expected.get(key))));
    lines.collect::<Vec<_>>().join("; ")
}

impl Model {
    /// Finds the history that explains what was answered and what the database holds after so many commits;
    /// goes on from there.
    fn explain(&mut self, rows: &Rows, sequence: u64) -> Result<(), String> {
        if sequence < if self.every_commit { self.acknowledged } else { self.checkpointed } {
            return Err(format!("commit {} was acknowledged, the database has {sequence}", self.acknowledged));
        }
        let doubtful: Vec<_> = self.doubtful.iter().filter(|record| record.may_commit()).cloned().collect();
        let mut first_error = None;
        let mut unused: Vec<_> = doubtful.iter().collect();
        let mut versions = vec![self.base.1.clone()];
        match self.search(&mut versions, &mut unused, (rows, sequence), &mut first_error) {
            true => {
                // What is still in doubt may come back after a crash, as long as nobody else has committed.
                self.doubtful = unused.into_iter().cloned().collect();
                self.base = (sequence, rows.clone());
                self.acknowledged = sequence;
                self.committed.clear();
                self.others.clear();
                Ok(())
            }
            false => {
                let why = first_error.unwrap_or_else(|| "no order of the commits explains it".into());
                let known: Vec<_> = self.committed.keys().collect();
                Err(format!("{why}\n  commits after {}: {known:?}\n  in doubt: {doubtful:?}", self.base.0))
            }
        }
    }

    /// Puts the commits in their order, and those in doubt where one is missing or at the end.
    fn search(
        &self,
        versions: &mut Vec<Rows>,
        unused: &mut Vec<&Record>,
        found: (&Rows, u64),
        error: &mut Option<String>,
    ) -> bool {
        let order = self.base.0 + versions.len() as u64;
        let known = self.committed.last_key_value().map_or(0, |(order, _)| *order);
        if order > found.1.max(known) {
            return self.ends_well(versions, found, error);
        }
        if let Some(record) = self.committed.get(&order) {
            return match self.follow(record, versions) {
                Ok(next) => {
                    versions.push(next);
                    let explained = self.search(versions, unused, found, error);
                    if !explained {
                        versions.pop();
                    }
                    explained
                }
                Err(why) => {
                    error.get_or_insert(format!("commit {order}: {why}"));
                    false
                }
            };
        }
        for nth in 0..unused.len() {
            let record = unused.remove(nth);
            if let Ok(next) = self.follow(record, versions) {
                versions.push(next);
                if self.search(versions, unused, found, error) {
                    return true;
                }
                versions.pop();
            }
            unused.insert(nth, record);
        }
        false
    }

    /// Whether the last version is what the database holds, and all who have not committed saw some version.
    fn ends_well(&self, versions: &[Rows], found: (&Rows, u64), error: &mut Option<String>) -> bool {
        // What was acknowledged and not promised may be lost; that it was answered rightly is looked at all the same.
        let left = &versions[(found.1 - self.base.0) as usize];
        if left != found.0 {
            error.get_or_insert_with(|| differences(found.0, left));
            return false;
        }
        match self.others.iter().find_map(|record| self.snapshot_of(record, versions).err()) {
            Some(why) => {
                error.get_or_insert(why);
                false
            }
            None => true,
        }
    }

    /// The version after a commit that comes after `versions`.
    fn follow(&self, record: &Record, versions: &[Rows]) -> Result<Rows, String> {
        let last = versions.last().expect("there is a base");
        if self.serializable || !record.open && !record.answers.is_empty() {
            return record.on(last);
        }
        let seen = self.snapshot_of(record, versions)?;
        let after = record.on(&versions[seen])?;
        let mut next = last.clone();
        for key in record.writes(&versions[seen], &after) {
            if versions[seen].get(&key) != last.get(&key) {
                return Err(format!("{key} was overtaken"));
            }
            match after.get(&key) {
                Some(value) => drop(next.insert(key, value.clone())),
                None => drop(next.remove(&key)),
            }
        }
        Ok(next)
    }

    /// The newest version that a transaction can have seen.
    fn snapshot_of(&self, record: &Record, versions: &[Rows]) -> Result<usize, String> {
        let lower = record.lower.saturating_sub(self.base.0) as usize;
        let seen = (lower..versions.len()).rev().find(|&version| record.on(&versions[version]).is_ok());
        seen.ok_or_else(|| {
            let why = versions.last().map(|rows| record.on(rows));
            format!("no version since commit {} explains {record:?}: {why:?}", record.lower)
        })
    }
}
