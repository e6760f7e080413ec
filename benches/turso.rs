//! Statement steps a second of Turso on one core, judged by nobody: what it costs to drive it.
//!
//! A step is one call of `Statement::step`, which goes on until the statement waits for I/O, gives way, has a row
//! or is done; it is a turn of a connection. Turns of I/O are counted apart. Every run is timed while nobody watches
//! it, and counted when it is run again, which is the same run. Seconds are those of the processor, so that others on
//! the machine do not count.
//!
//! `cargo bench --bench turso --features turso`

#![allow(clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;

use squall::disk::sim::FaultRules;
use squall::engine::kv::Kv;
use squall::engine::sql::OverSql;
use squall::engine::{Engine, OptionValue, Options};
use squall::engines::turso::Turso;
use squall::sim::{self, RunConfig, WorldConfig};
use squall::tape::{Actor, ENGINE, Ratio, Tape};
use squall::trace::{Fact, Level, Observer, What};
use squall::workload::{Knobs, kv};

#[path = "support/processor.rs"]
mod processor;

const RUNS: u64 = 20;

#[derive(Default)]
struct Count {
    steps: u64,
    turns: u64,
}

impl Observer for Count {
    fn level(&self) -> Level {
        Level::Steps
    }

    fn fact(&mut self, fact: Fact) {
        if let What::Turn { actor, .. } = fact.what {
            self.turns += 1;
            self.steps += u64::from(matches!(actor, Actor::Connection(connection) if connection != ENGINE));
        }
    }
}

fn options(journal_mode: &str, begin: &str) -> Options {
    let given = [("journal_mode", journal_mode), ("begin", begin)]
        .map(|(key, word)| (key.to_string(), OptionValue::Text(word.to_string())));
    let info = Turso::info();
    Options::resolve(info.options, info.bugs, &BTreeMap::from(given), &[]).expect("the engine has these options")
}

/// One run, watched or not.
fn run(options: &Options, workload: &str, seed: u64, crashes: bool, watch: Option<&mut Count>) {
    let workload = kv::by_name(workload).expect("a workload of the crate");
    let knobs = Knobs { keys: 200, value_bytes: 400, transaction_ops: 8, ..Knobs::default() };
    let mut world = WorldConfig::default();
    if crashes {
        world.crash.rate = Ratio::new(1, 5_000);
    }
    let plan = workload.plan(&knobs, seed, 4, 200);
    let config = RunConfig { seed, options: options.clone(), plan, rules: FaultRules::default(), world };
    let (tape, watch) = (Tape::seeded(seed), watch.map(|count| count as &mut dyn Observer));
    let result = sim::run_observed::<Kv, OverSql<Turso>>(&config, &*workload, &[], &mut [], tape, watch);
    assert!(result.ops.ok > 100, "{:?}", result.findings);
}

fn main() {
    println!(
        "{:>5} {:>11} {:>11} {:>8} {:>14} {:>14}",
        "mode", "begin", "workload", "crashes", "steps a second", "turns a second"
    );
    for (mode, begin) in [("wal", "immediate"), ("mvcc", "concurrent")] {
        for (workload, crashes) in [("rw-register", false), ("rw-register", true), ("bank", false)] {
            let options = options(mode, begin);
            let start = processor::seconds();
            (0..RUNS).for_each(|seed| run(&options, workload, seed, crashes, None));
            let elapsed = processor::seconds() - start;
            let mut count = Count::default();
            (0..RUNS).for_each(|seed| run(&options, workload, seed, crashes, Some(&mut count)));
            let (steps, turns) = (count.steps as f64 / elapsed, count.turns as f64 / elapsed);
            println!("{mode:>5} {begin:>11} {workload:>11} {crashes:>8} {steps:>14.0} {turns:>14.0}");
        }
    }
}
