//! What a crash image costs: snapshot, crash, recovery by the engine, check, read back, integrity and durability judged.
//!
//! The database is dinghy's, of about 64 pages of 4 KiB, all checkpointed; commits of one page each then make its log
//! grow to 64 frames and begin anew. An image is taken after every I/O and answer, up to a number, so the log is found
//! at all lengths. A run without images is taken off. One core.
//!
//! `cargo bench --bench images`

#![allow(clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use squall::disk::sim::FaultRules;
use squall::engine::kv::{Key, Kv, KvOp, Value};
use squall::engine::{Engine, OptionValue, Options};
use squall::engines::dinghy::Dinghy;
use squall::history::ValueId;
use squall::property::{Durable, Integrity, Property};
use squall::sim::{self, ImagesConfig, RunConfig, RunResult, WorldConfig};
use squall::tape::{Ratio, Tape};
use squall::workload::kv::Churn;
use squall::workload::{Plan, Transaction};

const REPEATS: usize = 15;
/// Two values fill a page.
const KEYS: u32 = 124;
const VALUE_BYTES: u32 = 1900;
const COMMITS: u32 = 60;
const POINTS: u32 = 100;
const IMAGES_PER_POINT: u32 = 2;

fn key(index: u32) -> Key {
    format!("k{index:04}").into()
}

fn put(index: u32, connection: u16, transaction: u32) -> KvOp {
    let id = ValueId { connection, transaction, op: 0 };
    KvOp::Put(key(index), Value { id, len: VALUE_BYTES })
}

fn alone(op: KvOp) -> Transaction<Kv> {
    Transaction { ops: vec![op] }
}

fn config(rate: Ratio) -> RunConfig<Kv> {
    let fill = (0..KEYS).map(|index| alone(put(index, 0, index)));
    let setup = fill.chain([alone(KvOp::Checkpoint)]).collect();
    let commits = (0..COMMITS).map(|nth| alone(put(nth * 7 % KEYS, 1, nth))).collect();
    let settle = vec![alone(KvOp::Scan("!".into(), "~".into()))];
    let info = Dinghy::info();
    let sizes = [("page_size", 4096), ("cache_pages", 256), ("checkpoint_frames", 64)];
    let given: BTreeMap<_, _> =
        sizes.iter().map(|(key, value)| ((*key).to_string(), OptionValue::Int(*value))).collect();
    let options = Options::resolve(info.options, info.bugs, &given, &[]).expect("dinghy has these options");
    let images = ImagesConfig { rate, count: IMAGES_PER_POINT, points_max: POINTS, ..ImagesConfig::default() };
    let world = WorldConfig { images, ..WorldConfig::default() };
    RunConfig {
        seed: 1,
        options,
        plan: Plan { setup, connections: vec![commits], settle, probe: vec![] },
        rules: FaultRules::default(),
        world,
    }
}

fn run(config: &RunConfig<Kv>) -> (Duration, RunResult) {
    let mut properties: Vec<Box<dyn Property>> = vec![Box::new(Integrity), Box::new(Durable)];
    let begin = Instant::now();
    let result = sim::run::<Kv, Dinghy>(config, &Churn, &[], &mut properties, Tape::seeded(1));
    (begin.elapsed(), result)
}

fn main() {
    let (with, without) = (config(Ratio::ONE), config(Ratio::ZERO));
    let mut rates: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let (time, result) = run(&with);
            let (plain, _) = run(&without);
            assert!(result.findings.is_empty(), "{:?}", result.findings);
            assert_eq!(result.images.recovered, u64::from(POINTS * IMAGES_PER_POINT));
            assert!(result.images.compared > result.images.recovered, "{:?}", result.images);
            result.images.recovered as f64 / time.saturating_sub(plain).as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let (low, median, high) = (rates[0], rates[REPEATS / 2], rates[REPEATS - 1]);
    println!("crash images recovered and judged a second, median of {REPEATS}: {median:.0} ({low:.0} .. {high:.0})");
}
