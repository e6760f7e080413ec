//! The simulation, tried on an engine that does what its operations say.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CrashConfig, RunConfig, RunResult, WorldConfig, run};
use crate::aio::{Buffer, Completion, CompletionError, IOCompletions, IOResult, Resource};
use crate::disk::sim::FaultRules;
use crate::disk::{File, Io, OpenMode};
use crate::engine::{
    Connection, Durability, Engine, EngineError, EngineInfo, Env, Family, Isolation, Options, Promises, Reply, Role,
};
use crate::history::{Call, Class, Datum, Fact, Outcome};
use crate::sched::{Origin, PolicyConfig};
use crate::tape::{Decisions, Draws, Odometer, Ratio, Tape};
use crate::workload::{Knobs, Plan, Transaction, Workload};

struct Acts;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    /// Yield so often, then answer.
    Yield(u32),
    /// Wait for what nobody will finish.
    WaitForEver,
    /// Wait so many ticks, and answer how often it was woken too early.
    Patience(u64),
    /// Retry busily for ever.
    SpinForEver,
    Panic,
    /// Break down with an error.
    Fail,
    Refuse,
    /// Wait so many ticks.
    Sleep(u64),
    /// Add one to a number shared by all, with a yield between reading and writing.
    Increment,
    /// Answer the number.
    Read,
    /// Write a byte at this place and sync, through the disk.
    Save(u64),
    /// The same, waiting inside the call.
    SaveBlocking(u64),
    /// Wait inside a call for what nobody will finish.
    PumpForEver,
    /// Answer at once and leave a write behind that writes again whenever it is done.
    WriteForEver,
}

impl Family for Acts {
    const NAME: &'static str = "acts";
    type Op = Act;
    type Value = i64;

    fn call(op: &Act) -> Call {
        Call { f: if *op == Act::Read { "read" } else { "act" }, key: None, arg: Datum::Null }
    }
    fn output(_: &Act, value: &i64) -> Datum {
        Datum::Int(*value)
    }
    fn role(_: &Act) -> Role {
        Role::Member
    }
    fn rollback() -> Option<Act> {
        None
    }
}

struct Actor {
    io: Arc<dyn Io>,
    file: Option<Arc<dyn File>>,
    number: Rc<Cell<i64>>,
    recovered: Option<Completion>,
}

struct Acting {
    io: Arc<dyn Io>,
    file: Arc<dyn File>,
    number: Rc<Cell<i64>>,
    op: Act,
    stage: u32,
    seen: i64,
    pending: Option<Completion>,
    early: Option<Completion>,
}

impl Engine<Acts> for Actor {
    type Connection = Acting;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "actor",
            version: "1",
            about: "",
            door: "state machine",
            serves: &["act", "read"],
            options: &[],
            bugs: &[],
        }
    }
    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit }
    }
    fn new(env: &Env) -> Result<Self, EngineError> {
        Ok(Self { io: Arc::clone(&env.io), file: None, number: Rc::default(), recovered: None })
    }
    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(self.io.open("data", OpenMode::Create)?)),
        };
        let read = self.recovered.get_or_insert_with(|| file.pread(0, Completion::read(Buffer::zeroed(8)))).clone();
        match read.result() {
            None => Ok(IOResult::IO(IOCompletions::Single(read))),
            Some(Ok(_)) => Ok(IOResult::Done(())),
            Some(Err(error)) => {
                self.recovered = None;
                Err(error.into())
            }
        }
    }
    fn connect(&mut self) -> Result<Acting, EngineError> {
        let file = self.file.clone().expect("opened");
        Ok(Acting {
            io: Arc::clone(&self.io),
            file,
            number: Rc::clone(&self.number),
            op: Act::Read,
            stage: 0,
            seen: 0,
            pending: None,
            early: None,
        })
    }
}

fn write_for_ever(file: Arc<dyn File>) {
    let again = Arc::clone(&file);
    let callback = move |outcome: Result<usize, CompletionError>| {
        if outcome.is_ok() {
            write_for_ever(again);
        }
        outcome
    };
    file.pwrite(0, Buffer::from(vec![7]), Completion::new_write(callback));
}

impl Acting {
    fn wait(&mut self, completion: Completion) -> IOResult<Reply<i64>> {
        self.stage += 1;
        self.pending = Some(completion.clone());
        IOResult::IO(IOCompletions::Single(completion))
    }

    fn pump(&self, completion: &Completion) -> Result<(), CompletionError> {
        while !completion.finished() {
            self.io.step()?;
        }
        completion.result().expect("finished").map(drop)
    }
}

impl Connection<Acts> for Acting {
    fn start(&mut self, op: &Act) {
        self.op = op.clone();
        self.stage = 0;
        self.pending = None;
    }

    fn step(&mut self) -> Result<IOResult<Reply<i64>>, EngineError> {
        let done = |value| Ok(IOResult::Done(Reply::Ok(value)));
        if let Some(Err(error)) = self.pending.take().and_then(|pending| pending.result()) {
            return Err(error.into());
        }
        match (self.op.clone(), self.stage) {
            (Act::Yield(times), stage) if stage < times => Ok(self.wait(Completion::new_yield())),
            (Act::WaitForEver, _) => {
                let never = Completion::write();
                std::mem::forget(never.clone());
                Ok(self.wait(never.touching(Resource::write("latch", 3))))
            }
            (Act::Patience(ticks), 0) => {
                let timer = self.io.timer(ticks);
                self.early = Some(timer.clone());
                Ok(self.wait(timer))
            }
            (Act::Patience(_), _) => match self.early.take() {
                Some(timer) if !timer.finished() => {
                    self.early = Some(timer.clone());
                    Ok(self.wait(timer))
                }
                _ => done(i64::from(self.stage) - 1),
            },
            (Act::SpinForEver, _) => Ok(self.wait(Completion::new_spin())),
            (Act::Panic, _) => panic!("the act is a panic"),
            (Act::Fail, _) => Err(EngineError::new(Class::Corrupt, "broken")),
            (Act::Refuse, _) => Ok(IOResult::Done(Reply::Refused(Class::Conflict))),
            (Act::Sleep(ticks), 0) => {
                let timer = self.io.timer(ticks);
                Ok(self.wait(timer))
            }
            (Act::Increment, 0) => {
                self.seen = self.number.get();
                Ok(self.wait(Completion::new_yield()))
            }
            (Act::Increment, _) => {
                self.number.set(self.seen + 1);
                done(self.seen + 1)
            }
            (Act::Read, _) => done(self.number.get()),
            (Act::Save(at), 0) => {
                let write = self.file.pwrite(at, Buffer::from(vec![7]), Completion::write());
                Ok(self.wait(write))
            }
            (Act::Save(_), 1) => {
                let sync = self.file.sync(Completion::sync());
                Ok(self.wait(sync))
            }
            (Act::SaveBlocking(at), _) => {
                self.pump(&self.file.pwrite(at, Buffer::from(vec![7]), Completion::write()))?;
                self.pump(&self.file.sync(Completion::sync()))?;
                done(0)
            }
            (Act::WriteForEver, _) => {
                write_for_ever(Arc::clone(&self.file));
                done(0)
            }
            (Act::PumpForEver, _) => {
                self.pump(&Completion::write())?;
                done(0)
            }
            _ => done(0),
        }
    }
}

struct Script;

impl Workload<Acts> for Script {
    fn name(&self) -> &'static str {
        "script"
    }
    fn about(&self) -> &'static str {
        ""
    }
    fn needs(&self, _: &Knobs) -> Vec<&'static str> {
        vec![]
    }
    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &[]
    }
    fn transaction(&self, _: &Knobs, _: u16, _: u32, _: &mut Draws) -> Transaction<Acts> {
        unreachable!("the plan is written by hand")
    }
    fn settle(&self, _: &Knobs) -> Vec<Transaction<Acts>> {
        vec![]
    }
}

fn config(connections: &[&[Act]], world: WorldConfig) -> RunConfig<Acts> {
    let alone = |act: &Act| Transaction { ops: vec![act.clone()] };
    let connections = connections.iter().map(|acts| acts.iter().map(alone).collect()).collect();
    let plan = Plan { setup: vec![], connections, settle: vec![alone(&Act::Read)], probe: vec![] };
    RunConfig { seed: 1, options: Options::default(), plan, rules: FaultRules::default(), world }
}

fn run_with(connections: &[&[Act]], world: WorldConfig, tape: Tape) -> RunResult {
    run::<Acts, Actor>(&config(connections, world), &Script, &[], &mut [], tape)
}

fn run_plain(connections: &[&[Act]]) -> RunResult {
    run_with(connections, WorldConfig::default(), Tape::seeded(1))
}

fn outcomes(result: &RunResult) -> Vec<String> {
    let outcome = |fact: &Fact| match fact {
        Fact::Return { outcome: Outcome::Ok(value), .. } => Some(format!("ok {value}")),
        Fact::Return { outcome: Outcome::Refused(class), .. } => Some(format!("refused {class}")),
        Fact::Return { outcome: Outcome::Unknown(class), .. } => Some(format!("unknown {class}")),
        Fact::Crash { kind } => Some(kind.name().into()),
        Fact::Recovered => Some("recovered".into()),
        Fact::Invoke { .. } | Fact::Checked { .. } => None,
    };
    result.history.events.iter().filter_map(|event| outcome(&event.fact)).collect()
}

#[test]
fn a_run_ends_with_a_restart_after_which_everything_is_read_back() {
    let result = run_plain(&[&[Act::Yield(2), Act::Increment]]);
    assert_eq!(outcomes(&result), ["ok 0", "ok 1", "ok 1", "process kill", "recovered", "ok 0"]);
    assert!(result.findings.is_empty());
}

#[test]
fn an_error_is_in_doubt_and_a_refusal_is_not() {
    let result = run_plain(&[&[Act::Fail, Act::Refuse]]);
    assert_eq!(outcomes(&result)[..2], ["unknown corrupt", "refused conflict"]);
    assert_eq!((result.ops.unknown, result.ops.refused), (1, 1));
}

#[test]
fn what_cannot_go_on_is_a_finding() {
    let check = |acts: &[&[Act]], anomaly: &str, in_proof: &str| {
        let finding = run_plain(acts).findings.first().cloned().unwrap_or_else(|| panic!("no finding: {anomaly}"));
        assert_eq!(finding.anomaly, anomaly);
        let proof = finding.proof.join("\n") + &finding.sentence;
        assert!(proof.contains(in_proof), "{proof}");
    };
    check(&[&[Act::WaitForEver], &[Act::Yield(3)]], "deadlock", "write latch 3 < src/sim/tests.rs");
    check(&[&[Act::SpinForEver]], "livelock", "c0 is in `act`");
    check(&[&[Act::Yield(1), Act::Panic]], "panic", "c0 panicked: the act is a panic");
    check(&[&[Act::PumpForEver]], "pump", "none is in flight");
    check(&[&[Act::WriteForEver], &[Act::Yield(3)]], "no-rest", "goes on: write file 0 0..1");
    let busy: Vec<Act> = (0..60_000).map(|_| Act::Yield(2)).collect();
    check(&[&[Act::SpinForEver], &busy], "starvation", "c0");
}

#[test]
fn a_limit_that_is_reached_is_reported() {
    let mut world = WorldConfig::default();
    world.limits.turns_max = 50;
    let result = run_with(&[&[Act::Yield(100)]], world, Tape::seeded(1));
    assert_eq!(result.limits_reached, ["turns-max (50)"]);
}

#[test]
fn an_operation_that_is_cut_off_must_end_in_the_fair_suffix() {
    let cut = |acts: &[&[Act]]| {
        let mut world = WorldConfig::default();
        world.limits.turns_max = 5_000;
        run_with(acts, world, Tape::seeded(1))
    };
    let busy: Vec<Act> = (0..60_000).map(|_| Act::Yield(2)).collect();
    let fine = cut(&[&[Act::Yield(9_000)], &busy]);
    assert!(fine.findings.is_empty(), "{:?}", fine.findings);
    assert_eq!(fine.limits_reached, ["turns-max (5000)"]);
    // What was answered is judged all the same: it is read back, before and after the restart.
    assert_eq!(outcomes(&fine)[outcomes(&fine).len() - 4..], ["ok 0", "process kill", "recovered", "ok 0"]);
    let spins = cut(&[&[Act::SpinForEver], &busy]);
    assert_eq!(spins.findings.first().map(|finding| finding.anomaly.as_str()), Some("no-rest"));
    let proof = spins.findings[0].proof.join("\n");
    assert!(proof.contains("c0 is in `act`") && !proof.contains("c1 is in"), "{proof}");
}

#[test]
fn a_sleeper_is_woken_by_the_virtual_clock() {
    let result = run_plain(&[&[Act::Sleep(1_000_000)], &[Act::Yield(1)]]);
    assert!(result.findings.is_empty(), "{:?}", result.findings);
    assert!(result.turns < 100, "{} turns", result.turns);
}

#[test]
fn a_race_across_a_yield_is_found_by_some_schedules_and_missed_by_others() {
    let total = |seed| {
        let result = run_with(&[&[Act::Increment], &[Act::Increment]], WorldConfig::default(), Tape::seeded(seed));
        outcomes(&result)[2].clone()
    };
    let totals: std::collections::BTreeSet<String> = (0..40).map(total).collect();
    assert_eq!(totals.into_iter().collect::<Vec<_>>(), ["ok 1", "ok 2"]);
}

#[test]
fn the_odometer_proves_how_many_interleavings_lose_an_increment() {
    let (mut odometer, mut lost, mut runs) = (Odometer::new(None), 0, 0);
    loop {
        let tape = Tape::exhaustive(0, odometer);
        let (result, tape) = super::run_keeping_tape::<Acts, Actor>(
            &config(&[&[Act::Increment], &[Act::Increment]], WorldConfig::default()),
            &Script,
            &[],
            &mut [],
            tape,
            crate::trace::Watchers::default(),
        );
        lost += u32::from(outcomes(&result)[2] == "ok 1");
        runs += 1;
        odometer = tape.into_odometer().expect("an exhaustive tape");
        if !odometer.advance() {
            break;
        }
    }
    // Two actors of two turns each: 6 interleavings, of which only the two serial ones lose nothing.
    assert_eq!((runs, lost), (6, 4));
}

fn stormy() -> WorldConfig {
    let mut world = WorldConfig::default();
    world.crash.rate = Ratio::new(1, 60);
    world.disk.split = Ratio::new(1, 4);
    world.disk.write_eio = Ratio::new(1, 20);
    world.disk.slow = Ratio::new(1, 10);
    world.abandon = Ratio::new(1, 30);
    world
}

#[test]
fn the_same_seed_gives_the_same_run_and_its_record_gives_it_again() {
    let saves: Vec<Act> = (0..6).flat_map(|at| [Act::Save(at), Act::SaveBlocking(at), Act::Sleep(20)]).collect();
    let acts: [&[Act]; 3] = [&saves, &saves, &saves];
    let mut crashed = 0;
    for seed in 0..60 {
        let first = run_with(&acts, stormy(), Tape::seeded(seed).recording());
        let again = run_with(&acts, stormy(), Tape::seeded(seed));
        assert_eq!((first.hash, outcomes(&first)), (again.hash, outcomes(&again)), "seed {seed}");
        let decisions = first.decisions.clone().expect("recorded");
        let text = Decisions::parse(&decisions.schedule_text(), &decisions.draws_text()).unwrap();
        let replay = run_with(&acts, stormy(), Tape::recorded(seed, text));
        assert_eq!(
            first.timeline.as_ref().unwrap().first_divergence(replay.timeline.as_ref().unwrap()),
            None,
            "seed {seed}"
        );
        assert_eq!((first.hash, replay.misfit), (replay.hash, None), "seed {seed}");
        crashed += u32::from(first.crashes > 1);
    }
    assert!(crashed > 20, "only {crashed} of 60 runs crashed before their end");
}

#[test]
fn a_record_changed_by_hand_still_runs_to_its_end() {
    let saves: Vec<Act> = (0..4).map(Act::Save).collect();
    let acts: [&[Act]; 2] = [&saves, &saves];
    let first = run_with(&acts, stormy(), Tape::seeded(3).recording());
    let decisions = first.decisions.expect("recorded");
    for drop_at in 0..decisions.schedule.len() {
        let mut fewer = decisions.clone();
        fewer.schedule.remove(drop_at);
        let result = run_with(&acts, stormy(), Tape::recorded(3, fewer));
        assert!(result.findings.is_empty(), "{:?}", result.findings);
    }
}

#[test]
fn a_crash_leaves_operations_in_doubt_and_processes_are_never_used_again() {
    let mut world = WorldConfig::default();
    world.crash.rate = Ratio::new(1, 8);
    let saves: Vec<Act> = (0..8).map(Act::Save).collect();
    let mut pending = 0;
    for seed in 0..30 {
        let result = run_with(&[&saves, &saves], world.clone(), Tape::seeded(seed));
        pending += result.ops.pending;
        let mut dead = std::collections::BTreeSet::new();
        let mut alive = std::collections::BTreeSet::new();
        for event in &result.history.events {
            match event.fact {
                Fact::Crash { .. } => dead.append(&mut alive),
                Fact::Invoke { .. } => {
                    assert!(!dead.contains(&event.process), "seed {seed}: process {} lives again", event.process);
                    alive.insert(event.process);
                }
                _ => {}
            }
        }
    }
    assert!(pending > 0);
}

#[test]
fn an_operation_can_be_given_up_while_what_it_waits_for_is_not_finished() {
    let world = WorldConfig { abandon: Ratio::ONE, ..WorldConfig::default() };
    let result = run_with(&[&[Act::WaitForEver, Act::Read]], world, Tape::seeded(1));
    assert_eq!(outcomes(&result)[..2], ["unknown interrupted", "ok 0"]);
    assert!(result.findings.is_empty(), "{:?}", result.findings);
}

#[test]
fn a_client_that_goes_away_in_the_middle_leaves_its_operation_in_doubt_and_comes_again() {
    let world = WorldConfig { close: Ratio::ONE, ..WorldConfig::default() };
    let result = run_with(&[&[Act::WaitForEver, Act::Read, Act::Save(3)], &[Act::Increment]], world, Tape::seeded(1));
    assert!(result.findings.is_empty(), "{:?}", result.findings);
    // Only what never waits is answered; a new process each time.
    assert_eq!((result.ops.ok, result.ops.pending), (2 + 1, 3));
    let mut processes = std::collections::BTreeMap::new();
    for event in &result.history.events {
        if let Fact::Invoke { op, .. } = event.fact {
            processes.insert(op, event.process);
        }
    }
    let distinct: std::collections::BTreeSet<_> = processes.values().collect();
    assert!(distinct.len() >= 4, "{processes:?}");
}

#[test]
fn a_spurious_wake_up_steps_a_connection_that_waits() {
    let woken = |spurious_wakeup, seed| {
        let world = WorldConfig { spurious_wakeup, ..WorldConfig::default() };
        let result = run_with(&[&[Act::Patience(40)], &[Act::Yield(100)]], world, Tape::seeded(seed));
        assert!(result.findings.is_empty(), "{:?}", result.findings);
        outcomes(&result).iter().filter(|outcome| *outcome != "ok 0").count()
    };
    assert_eq!((0..20).map(|seed| woken(Ratio::ZERO, seed)).max(), Some(2), "the crash and the recovery alone");
    assert!((0..20).any(|seed| woken(Ratio::new(1, 2), seed) > 2));
}

#[test]
fn a_crash_is_likelier_around_syncs_and_renames_too() {
    // How many weighted turns each costs; a rename in flight counts as a write does.
    let spent = |change: &dyn Fn(&Arc<dyn Io>) -> Completion| {
        let disk = crate::disk::sim::SimDisk::new(Default::default(), 1);
        let io = disk.io();
        io.open("a", OpenMode::Create).expect("the disk is empty");
        let _pending = change(&io);
        disk.changes_in_flight()
    };
    assert_eq!(spent(&|io| io.rename("a", "b", Completion::write())), 1);
    assert_eq!(spent(&|io| io.sync_directory("", Completion::sync())), 1);
    assert_eq!(spent(&|io| io.remove("a", Completion::write())), 1);
    assert_eq!(spent(&|io| io.timer(9)), 0);
}

#[test]
fn a_pilot_run_counts_what_a_policy_wants_to_know() {
    let world = WorldConfig { policy: PolicyConfig::Pilot {}, ..WorldConfig::default() };
    let result = run_with(&[&[Act::Save(0), Act::Read], &[Act::Save(8)]], world, Tape::seeded(1));
    let estimates = result.estimates.unwrap();
    assert_eq!((estimates.kinds["act"].operations, estimates.kinds["read"].operations), (2, 3));
    // Three steps, a write and a sync.
    assert_eq!(estimates.connections[&Origin(1)], 5);
    assert!(estimates.spots.keys().any(|spot| spot.to_string() == "file 0"), "{:?}", estimates.spots);
    assert!(run_plain(&[&[Act::Read]]).estimates.is_none());
}

#[test]
fn every_policy_brings_a_run_with_crashes_to_its_end_and_twice_to_the_same() {
    let acts: &[Act] = &[Act::Save(0), Act::Increment, Act::SaveBlocking(8), Act::Yield(5), Act::Sleep(9)];
    let connections = [acts; 4];
    let pilot = WorldConfig { policy: PolicyConfig::Pilot {}, ..WorldConfig::default() };
    let estimates = run_with(&connections, pilot, Tape::seeded(1)).estimates.unwrap();
    for policy in PolicyConfig::NAMES.into_iter().filter_map(PolicyConfig::named) {
        let policy = policy.with_estimates(&estimates);
        for seed in 0..30 {
            let crash = CrashConfig { rate: Ratio::new(1, 100), ..CrashConfig::default() };
            let world = WorldConfig { policy: policy.clone(), crash, ..WorldConfig::default() };
            let first = run_with(&connections, world.clone(), Tape::seeded(seed));
            assert!(first.findings.is_empty() && first.limits_reached.is_empty(), "{policy:?} {seed}: {first:?}");
            assert_eq!(first.hash, run_with(&connections, world, Tape::seeded(seed)).hash);
        }
    }
}

#[test]
fn coverage_names_the_lines_in_which_connections_waited_and_changes_no_run() {
    let mut coverage = crate::trace::Coverage::new();
    let acts: [&[Act]; 2] = [&[Act::Increment, Act::Save(0)], &[Act::Increment, Act::Save(8)]];
    let config = config(&acts, WorldConfig::default());
    for seed in 0..40 {
        let tape = Tape::seeded(seed);
        let watchers = crate::trace::Watchers { coverage: Some(&mut coverage), observer: None };
        let (covered, _) = super::run_keeping_tape::<Acts, Actor>(&config, &Script, &[], &mut [], tape, watchers);
        assert_eq!(covered.hash, run::<Acts, Actor>(&config, &Script, &[], &mut [], Tape::seeded(seed)).hash);
    }
    let gain = coverage.take_gain();
    // Where a connection of the increment, the write and the sync waits, and the engine's read at its opening.
    assert_eq!(gain.places.len(), 4, "{:?}", gain.places);
    assert!(gain.places.iter().all(|place| place.starts_with("src/sim/tests.rs:")));
    let yields: Vec<u64> = gain.yields.iter().map(|&(_, count)| count).collect();
    assert_eq!(yields, [80; 4]);
    // The engine opens alone, so its read, the first of the places, is in no pair.
    assert!(gain.pairs.len() > 5 && gain.pairs.iter().all(|&(a, b)| a.min(b) > 0), "{:?}", gain.pairs);
}
