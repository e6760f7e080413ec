//! Turns a second on one core, with recording and hash, beside shuttle's random scheduler on the same number
//! of actors in the same run.
//!
//! The engine does nothing but yield: an operation is four yields, each naming a resource, and an answer. So
//! the figure is the simulator's own cost: choosing, hashing, recording decisions, the history.
//!
//! Times are those of the processor, not of the clock, and the best of several runs counts: whoever else uses
//! the machine can only make a run slower.
//!
//! `cargo bench --bench turns`

#![allow(clippy::print_stdout, missing_docs)]

use std::sync::LazyLock;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use shuttle::scheduler::RandomScheduler;
use squall::aio::{Completion, IOCompletions, IOResult, Resource};
use squall::disk::sim::FaultRules;
use squall::engine::{
    Connection, Durability, Engine, EngineError, EngineInfo, Env, Family, Isolation, Options, Promises, Reply, Role,
};
use squall::history::{Call, Datum};
use squall::sim::{self, RunConfig, WorldConfig};
use squall::tape::{Draws, Tape};
use squall::trace::{Coverage, Watchers};
use squall::workload::{Knobs, Plan, Transaction, Workload};

const YIELDS_PER_OP: u32 = 4;
const TURNS: u64 = 2_000_000;
const REPEATS: usize = 9;

struct Nothing;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Yields(u32);

impl Family for Nothing {
    const NAME: &'static str = "nothing";
    type Op = Yields;
    type Value = ();

    fn call(_: &Yields) -> Call {
        Call { f: "yields", key: None, arg: Datum::Null }
    }
    fn output(_: &Yields, (): &()) -> Datum {
        Datum::Null
    }
    fn role(_: &Yields) -> Role {
        Role::Member
    }
    fn rollback() -> Option<Yields> {
        None
    }
}

struct Idle;
struct IdleConnection {
    left: u32,
}

impl Engine<Nothing> for Idle {
    type Connection = IdleConnection;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "idle",
            version: "1",
            about: "yields",
            door: "state machine",
            serves: &["yields"],
            options: &[],
            bugs: &[],
        }
    }
    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::None }
    }
    fn new(_: &Env) -> Result<Self, EngineError> {
        Ok(Self)
    }
    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        Ok(IOResult::Done(()))
    }
    fn connect(&mut self) -> Result<IdleConnection, EngineError> {
        Ok(IdleConnection { left: 0 })
    }
}

impl Connection<Nothing> for IdleConnection {
    fn start(&mut self, op: &Yields) {
        self.left = op.0;
    }
    fn step(&mut self) -> Result<IOResult<Reply<()>>, EngineError> {
        if self.left == 0 {
            return Ok(IOResult::Done(Reply::Ok(())));
        }
        self.left -= 1;
        let next = Completion::new_yield().touching(Resource::write("page", u64::from(self.left)));
        Ok(IOResult::IO(IOCompletions::Single(next)))
    }
}

struct Plain;

impl Workload<Nothing> for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }
    fn about(&self) -> &'static str {
        "yields"
    }
    fn needs(&self, _: &Knobs) -> Vec<&'static str> {
        vec!["yields"]
    }
    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &[]
    }
    fn transaction(&self, _: &Knobs, _: u16, _: u32, _: &mut Draws) -> Transaction<Nothing> {
        Transaction { ops: vec![Yields(YIELDS_PER_OP)] }
    }
    fn settle(&self, _: &Knobs) -> Vec<Transaction<Nothing>> {
        Vec::new()
    }
}

/// Seconds of the processor that this thread has used; of the clock, where the system does not tell.
fn seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let spent = std::fs::read_to_string("/proc/self/schedstat").ok();
    let spent = spent.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    spent.filter(|&spent| spent > 0).map_or_else(|| START.elapsed().as_secs_f64(), |spent| spent as f64 / 1e9)
}

/// Turns a second of one run of about [`TURNS`] turns.
fn squall(connections: u16, coverage: Option<&mut Coverage>) -> f64 {
    let each = TURNS / u64::from(YIELDS_PER_OP + 1) / u64::from(connections);
    let script = |_| (0..each).map(|_| Transaction { ops: vec![Yields(YIELDS_PER_OP)] }).collect();
    let mut world = WorldConfig::default();
    world.limits.turns_max = u64::MAX;
    let plan =
        Plan { setup: vec![], connections: (0..connections).map(script).collect(), settle: vec![], probe: vec![] };
    let config = RunConfig { seed: 1, options: Options::default(), plan, rules: FaultRules::default(), world };
    let tape = Tape::seeded(1).recording();
    let start = seconds();
    let (result, _) = sim::run_keeping_tape::<Nothing, Idle>(
        &config,
        &Plain,
        &[],
        &mut [],
        tape,
        Watchers { coverage, observer: None },
    );
    let elapsed = seconds() - start;
    let expected = each * u64::from(connections) * u64::from(YIELDS_PER_OP + 1);
    assert!(result.turns >= expected && result.findings.is_empty(), "{} turns", result.turns);
    assert!(result.decisions.is_some_and(|decisions| decisions.turns() == result.turns));
    result.turns as f64 / elapsed
}

/// Yields a second of shuttle's random scheduler.
fn shuttle(threads: u64) -> f64 {
    let each = TURNS / threads;
    let mut config = shuttle::Config::new();
    config.max_steps = shuttle::MaxSteps::None;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let runner = shuttle::Runner::new(RandomScheduler::new(1), config);
    let start = seconds();
    runner.run(move || {
        let handles: Vec<_> = (0..threads)
            .map(|_| shuttle::thread::spawn(move || (0..each).for_each(|_| shuttle::thread::yield_now())))
            .collect();
        handles.into_iter().for_each(|handle| handle.join().expect("the thread only yields"));
    });
    (each * threads) as f64 / (seconds() - start)
}

fn main() {
    println!("turns a second of one processor, best of {REPEATS} (median), in millions");
    println!("{:>11}  {:>14}  {:>14}  {:>14}  {:>6}", "connections", "squall", "with coverage", "shuttle", "ratio");
    for connections in [4u16, 16, 64] {
        let ours = sorted(|| squall(connections, None));
        let covered = sorted(|| squall(connections, Some(&mut Coverage::new())));
        let theirs = sorted(|| shuttle(u64::from(connections)));
        let show = |figures: &[f64]| format!("{:.1} ({:.1})", best(figures) / 1e6, figures[REPEATS / 2] / 1e6);
        let ratio = best(&ours) / best(&theirs);
        let (ours, covered, theirs) = (show(&ours), show(&covered), show(&theirs));
        println!("{connections:>11}  {ours:>14}  {covered:>14}  {theirs:>14}  {ratio:>5.1}x");
    }
}

fn best(figures: &[f64]) -> f64 {
    figures[REPEATS - 1]
}

fn sorted(mut figure: impl FnMut() -> f64) -> Vec<f64> {
    let mut figures: Vec<f64> = (0..REPEATS).map(|_| figure()).collect();
    figures.sort_by(f64::total_cmp);
    figures
}
