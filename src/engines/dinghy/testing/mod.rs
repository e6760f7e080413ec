//! A small world for tests: a few clients on one engine over the simulated disk, in random order, and a
//! [`model`] that says what they should have been told.

mod client;
mod model;

use std::collections::BTreeMap;

use super::{Dinghy, State};
use crate::aio::{Completion, IOResult};
use crate::disk::sim::{DiskConfig, IoTurn, SimDisk, Submitted};
use crate::engine::kv::{KvOp, KvValue};
use crate::engine::{Connection, Engine, EngineError, Env, OptionValue, Options, Reply};
use crate::history::{Class, CrashKind};
use crate::tape::{Stream, Tape};

use client::Client;
use model::{Model, Rows};

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
    model: Model,
    pub turns: u64,
    pub refused: BTreeMap<Class, u64>,
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
            self.clients.push(Client::new(connection, number, known * 1000 + self.turns as u32 * 10));
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
            if !self.clients.iter().any(Client::is_busy) && self.in_flight.is_empty() {
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
