//! SQLite under the simulator: yields a second, the price of a crash with its recovery, and memory over many runs in
//! one process. Everything is included: scheduling, the disk, hashing, recording the history. Seconds are those of the
//! processor, so that others on the machine do not count.
//!
//! `cargo bench --bench sqlite`

#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;

use squall::aio::IOResult;
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::engine::sql::OverSql;
use squall::engine::{Connection, Engine, EngineError, EngineInfo, Env, Options, Promises, Reply};
use squall::engines::sqlite::Sqlite;
use squall::scenario::{Configuration, Registry, Scenario, parse};
use squall::tape::Tape;

#[path = "support/processor.rs"]
mod processor;

const REPEATS: usize = 5;
const RUNS: u64 = 10_000;

thread_local! {
    static YIELDS: Cell<u64> = const { Cell::new(0) };
}

/// SQLite, with its connections' yields counted.
struct Counted(OverSql<Sqlite>);
struct CountedConnection(<OverSql<Sqlite> as Engine<Kv>>::Connection);

impl Engine<Kv> for Counted {
    type Connection = CountedConnection;

    fn info() -> EngineInfo {
        OverSql::<Sqlite>::info()
    }
    fn promises(options: &Options) -> Promises {
        OverSql::<Sqlite>::promises(options)
    }
    fn new(env: &Env) -> Result<Self, EngineError> {
        OverSql::new(env).map(Self)
    }
    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        self.0.open()
    }
    fn connect(&mut self) -> Result<CountedConnection, EngineError> {
        self.0.connect().map(CountedConnection)
    }
    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        self.0.check()
    }
}

impl Connection<Kv> for CountedConnection {
    fn start(&mut self, op: &KvOp) {
        self.0.start(op);
    }
    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        let step = self.0.step();
        YIELDS.set(YIELDS.get() + u64::from(matches!(step, Ok(IOResult::IO(_)))));
        step
    }
}

/// A scenario's first seed, without judges.
fn configuration(registry: &Registry, text: &str) -> Configuration {
    let scenario = Scenario::new("bench", vec![parse("bench", text).expect("TOML")]).expect("a scenario");
    let (pairings, _) = registry.pair(&scenario, &[]).expect("it can be run");
    let mut configuration = pairings[0].configure(registry, &scenario, 1).expect("it can be configured");
    configuration.properties.clear();
    configuration
}

fn work(journal: &str, connections: u32, transactions: u32, rest: &str) -> String {
    format!(
        "workload = \"list-append\"\nconnections = {connections}\ntransactions = {transactions}\n\
         [policy]\nname = \"random\"\n[limits]\nturns-max = 100000000\n[engine]\njournal_mode = \"{journal}\"\n{rest}"
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn yields(registry: &Registry, journal: &str) {
    let configuration = configuration(registry, &work(journal, 4, 2_000, ""));
    let rates = (0..REPEATS as u64).map(|seed| {
        YIELDS.set(0);
        let start = processor::seconds();
        let run = registry.run(&configuration, seed, None, Tape::seeded(seed)).expect("it runs");
        let elapsed = processor::seconds() - start;
        assert!(
            run.findings.is_empty() && run.limits_reached.is_empty(),
            "{:?} {:?}",
            run.findings,
            run.limits_reached
        );
        YIELDS.get() as f64 / elapsed
    });
    println!("{journal:<9} {:>10.0} yields a second", median(rates.collect()));
}

/// The same work with and without crashes; what a crash and its recovery cost is the difference, by the number.
fn crashes(registry: &Registry, journal: &str) {
    let calm = configuration(registry, &work(journal, 4, 400, ""));
    let rest = "synchronous = \"extra\"\n[crash]\nrate = \"1/400\"\ncrashes-max = 200\n";
    let rough = configuration(registry, &work(journal, 4, 400, rest));
    let each = (0..REPEATS as u64).map(|seed| {
        let time = |configuration| {
            let start = processor::seconds();
            let run = registry.run(configuration, seed, None, Tape::seeded(seed)).expect("it runs");
            (processor::seconds() - start, run.crashes, run.turns)
        };
        let ((smooth, _, calm_turns), (with, crashes, turns)) = (time(&calm), time(&rough));
        assert!(crashes > 20, "{crashes} crashes in {turns} turns after {calm_turns}");
        (with / f64::from(crashes) * 1e3, (with - smooth).max(0.0) / f64::from(crashes) * 1e3)
    });
    let (whole, more): (Vec<f64>, Vec<f64>) = each.unzip();
    let (whole, more) = (median(whole), median(more));
    println!(
        "{journal:<9} {whole:>7.3} ms a crash, recovery, check, reading back and the work between ({more:.3} ms beyond it)"
    );
}

fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

fn memory(registry: &Registry) {
    let configuration = configuration(registry, &work("wal", 3, 6, "[crash]\nrate = \"1/300\"\n"));
    let runs = |seeds: std::ops::Range<u64>| {
        for seed in seeds {
            registry.run(&configuration, seed, None, Tape::seeded(seed)).expect("it runs");
        }
        resident_bytes().unwrap_or_default() / 1024
    };
    let warm = runs(0..RUNS / 10);
    let start = processor::seconds();
    let later = runs(RUNS / 10..RUNS / 10 + RUNS);
    println!(
        "memory    {warm} KiB after {} runs, {later} KiB after {RUNS} more ({:.0} s)",
        RUNS / 10,
        processor::seconds() - start
    );
}

fn main() {
    let registry = Registry::new().engine::<Kv, Counted>().standard_workloads().standard_properties();
    // First, while the process has done nothing else that takes memory.
    memory(&registry);
    for journal in ["wal", "delete", "truncate", "persist"] {
        yields(&registry, journal);
    }
    for journal in ["wal", "delete", "truncate", "persist"] {
        crashes(&registry, journal);
    }
}
