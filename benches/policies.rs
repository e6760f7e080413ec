//! What a choice costs under each policy, with 4, 16 and 64 actors, beside shuttle's schedulers with the same
//! number of threads in the same process.
//!
//! A turn here is all that the scheduler does: the choice, the table of actors, the recording and the hash. The
//! engine's step is left out; `turns` measures it together with the rest. Shuttle's figures hold its switch of
//! stacks, which our state machines do not have.
//!
//! Times are those of the processor, and the best of several runs counts, as in `turns`.
//!
//! `cargo bench --bench policies`

#![allow(clippy::print_stdout, missing_docs)]

use std::sync::LazyLock;
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler as ShuttleScheduler};
use squall::aio::Resource;
use squall::sched::{Actors, Pick, PolicyConfig, Scheduler, Special};
use squall::tape::{Actor, Ratio, RunHash, Tape};

const TURNS: u64 = 1_000_000;
const REPEATS: usize = 9;
const PAGES: u64 = 16;

/// What an actor does next: half of the time it reads one of a few pages, else it writes one.
fn label(turn: u64, slot: usize) -> Resource {
    let word = squall::tape::mix(turn ^ ((slot as u64) << 32));
    if word & 1 == 0 {
        Resource::read("page", word >> 1 & (PAGES - 1))
    } else {
        Resource::write("page", word >> 1 & (PAGES - 1))
    }
}

/// Seconds of the processor that this thread has used; of the clock, where the system does not tell.
fn seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let spent = std::fs::read_to_string("/proc/self/schedstat").ok();
    let spent = spent.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    spent.filter(|&spent| spent > 0).map_or_else(|| START.elapsed().as_secs_f64(), |spent| spent as f64 / 1e9)
}

/// Runs so many turns; answers nanoseconds a turn.
fn drive(policy: &PolicyConfig, count: u16, turns: u64) -> (f64, Option<squall::sched::Estimates>) {
    let mut tape = Tape::seeded(1).recording();
    let mut scheduler = Scheduler::new(policy, 10_000, &mut tape);
    let mut actors = Actors::new();
    for connection in 0..count {
        let slot = actors.add(Actor::Connection(connection), label(0, usize::from(connection)), 0);
        actors.enable(slot, 0);
    }
    let mut hash = RunHash::new();
    let start = seconds();
    for turn in 0..turns {
        let pick = scheduler.next(turn, &actors, Special::default(), &mut tape);
        let Some(Pick::Actor(slot)) = pick else { unreachable!("all are enabled") };
        hash.fold(actors.enabled_hash() ^ actors.share(slot).rotate_left(7));
        hash.fold(actors.next(slot).word());
        actors.set_current(slot, turn);
        actors.set_next(slot, label(turn, slot), false);
    }
    let nanoseconds = (seconds() - start) * 1e9 / turns as f64;
    std::hint::black_box(hash.fingerprint());
    (nanoseconds, scheduler.take_estimates())
}

fn ours(policy: PolicyConfig, count: u16) -> Vec<f64> {
    let estimates = drive(&PolicyConfig::Pilot {}, count, 20_000).1.expect("a pilot counts");
    let policy = policy.with_estimates(&estimates);
    sorted((0..REPEATS).map(|_| drive(&policy, count, TURNS).0))
}

/// Nanoseconds a yield.
fn shuttle<S: ShuttleScheduler + 'static>(scheduler: S, threads: u64) -> f64 {
    let each = TURNS / 4 / threads;
    let mut config = shuttle::Config::new();
    config.max_steps = shuttle::MaxSteps::None;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let runner = shuttle::Runner::new(scheduler, config);
    let start = seconds();
    let runs = runner.run(move || {
        let yields = move || (0..each).for_each(|_| shuttle::thread::yield_now());
        let handles: Vec<_> = (0..threads).map(|_| shuttle::thread::spawn(yields)).collect();
        handles.into_iter().for_each(|handle| handle.join().expect("the thread only yields"));
    });
    (seconds() - start) * 1e9 / (each * threads * runs as u64) as f64
}

fn main() {
    println!("nanoseconds of one processor a turn, best of {REPEATS} (median)");
    println!("{:>16}  {:>14}  {:>14}  {:>14}", "", "4 actors", "16 actors", "64 actors");
    let row = |name: &str, figures: &dyn Fn(u16) -> Vec<f64>| {
        let cell = |count| {
            let figures = figures(count);
            format!("{:.0} ({:.0})", figures[0], figures[REPEATS / 2])
        };
        println!("{name:>16}  {:>14}  {:>14}  {:>14}", cell(4), cell(16), cell(64));
    };
    for name in PolicyConfig::NAMES.into_iter().filter(|&name| name != "exhaustive") {
        row(name, &|count| ours(PolicyConfig::named(name).expect("it is one of the names"), count));
    }
    row("random-sticky", &|count| ours(PolicyConfig::Random { sticky: Ratio::new(9, 10) }, count));
    row("shuttle random", &|count| {
        sorted((0..REPEATS).map(|_| shuttle(RandomScheduler::new_from_seed(1, 1), u64::from(count))))
    });
    // Two runs: the first one only finds out how long a run is.
    row("shuttle pct 3", &|count| {
        sorted((0..REPEATS).map(|_| shuttle(PctScheduler::new_from_seed(1, 3, 2), u64::from(count))))
    });
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}
