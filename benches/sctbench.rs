//! Schedules to the first bug, on programs of SCTBench, ConVul and on SafeStack, beside published figures.
//!
//! `cargo bench --bench sctbench`, and `cargo bench --bench sctbench -- safestack` for that one, which takes
//! minutes.

#![allow(clippy::print_stdout, missing_docs)]

#[path = "../tests/it/sched/lab.rs"]
#[allow(dead_code)]
mod lab;
#[path = "sctbench/programs.rs"]
mod programs;

use lab::Program;
use programs::Published;
use squall::sched::{Estimates, PolicyConfig};

/// As in the published experiments.
const TRIALS: u64 = 20;
const SCHEDULES: u64 = 10_000;
const SAFESTACK_SCHEDULES: u64 = 1_000_000;
/// Policies that do not find SafeStack's bug take all of their million each time.
const SAFESTACK_TRIALS_VAIN: u64 = 3;

fn policies() -> Vec<(&'static str, PolicyConfig)> {
    let estimates = Estimates::default;
    let named = |name| PolicyConfig::named(name).expect("it is one of the names");
    vec![
        // One place, as the authors have it; three is what a run of an engine gets.
        ("surw", PolicyConfig::Surw { spots_max: 1, estimates: estimates() }),
        ("pct 3", PolicyConfig::Pct { depth: 3, estimates: estimates() }),
        ("pct 10", PolicyConfig::Pct { depth: 10, estimates: estimates() }),
        ("pos", named("pos")),
        ("random", named("random")),
        ("urw", named("urw")),
        ("surw up to 3", named("surw")),
        ("park", named("park")),
        ("round-robin", named("round-robin")),
    ]
}

/// The schedules of the trials that found the bug.
fn trials(program: &Program, policy: &PolicyConfig, trials: u64, schedules: u64) -> Vec<u64> {
    let policy = program.informed(policy.clone());
    (0..trials).filter_map(|trial| program.first_bug(&policy, trial * schedules..(trial + 1) * schedules)).collect()
}

fn cell(found: &[u64], trials: u64) -> String {
    if found.is_empty() {
        return "-".into();
    }
    let mean = found.iter().sum::<u64>() as f64 / found.len() as f64;
    let all = if found.len() as u64 == trials { String::new() } else { format!(" {}/{trials}", found.len()) };
    format!("{mean:.0}{all}")
}

fn published(figure: Option<&(u32, u32)>) -> String {
    match figure {
        None => String::new(),
        Some((_, 0)) => "-".into(),
        Some((mean, 20)) => mean.to_string(),
        Some((mean, found)) => format!("{mean} {found}/20"),
    }
}

fn table(rows: &[(Program, Published)], schedules: u64, trials_of: impl Fn(&str) -> u64) {
    print!("{:24}", "");
    policies().iter().for_each(|(name, _)| print!("{name:>24}"));
    println!();
    for (program, figures) in rows {
        print!("{:24}", program.name);
        for (column, (name, policy)) in policies().iter().enumerate() {
            let count = trials_of(name);
            let ours = cell(&trials(program, policy, count, schedules), count);
            let theirs = published(figures.get(column));
            print!("{:>24}", if theirs.is_empty() { ours } else { format!("{ours} ({theirs})") });
        }
        println!();
    }
}

fn main() {
    println!("mean schedules to the first bug, and in how many trials it was found where not in all of them;");
    println!("in brackets what was published for the original programs\n");
    if std::env::args().any(|argument| argument == "safestack") {
        let count = |name: &str| if name.starts_with("surw") { TRIALS } else { SAFESTACK_TRIALS_VAIN };
        table(&[programs::safestack()], SAFESTACK_SCHEDULES, count);
    } else {
        table(&programs::programs(), SCHEDULES, |_| TRIALS);
    }
}
