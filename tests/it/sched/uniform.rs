//! URW's uniformity: every interleaving as often as any other, by Pearson's chi-square.

use std::collections::BTreeMap;

use squall::aio::Resource;
use squall::sched::{Actors, Estimates, Origin, Pick, PolicyConfig, Scheduler, Slot, Special};
use squall::tape::{Actor, Tape};

use super::lab::{Cell, Go, Program, Regs, private, write};

/// Each thread has so many private steps.
fn threads(lengths: &[usize]) -> Program {
    let codes = lengths.iter().map(|&length| vec![private(); length]).collect();
    let regs = |thread: usize| -> Regs { [0, 0, 0, 0, 0, 0, 0, thread as i64] };
    let threads = (0..lengths.len()).map(|thread| (thread, regs(thread))).collect();
    Program { name: "rows", cells: vec![0; lengths.len()], codes, threads, check: |_| true }
}

/// Pearson's statistic over `kinds` equally likely outcomes, in standard deviations from its mean.
fn deviation(counts: &BTreeMap<Vec<Slot>, u64>, kinds: usize) -> f64 {
    assert!(counts.len() <= kinds, "{} outcomes of {kinds}", counts.len());
    let total: u64 = counts.values().sum();
    let expected = total as f64 / kinds as f64;
    let unseen = (kinds - counts.len()) as f64 * expected;
    let seen: f64 = counts.values().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    let freedom = (kinds - 1) as f64;
    (seen + unseen - freedom) / (2.0 * freedom).sqrt()
}

fn sampled(program: &Program, policy: PolicyConfig, seeds: u64) -> BTreeMap<Vec<Slot>, u64> {
    let policy = program.informed(policy);
    let mut counts = BTreeMap::new();
    (0..seeds).for_each(|seed| *counts.entry(program.run(&policy, seed).order).or_default() += 1);
    counts
}

fn urw() -> PolicyConfig {
    PolicyConfig::Urw { estimates: Estimates::default() }
}

/// A statistic within 6 standard deviations: by chance it is not once in a hundred thousand (its upper tail is
/// heavier than the normal one).
#[test]
fn every_interleaving_of_two_short_actors_is_as_likely_as_any_other() {
    let check = |lengths: &[usize], kinds| {
        let off = deviation(&sampled(&threads(lengths), urw(), 40_000), kinds);
        assert!(off.abs() < 6.0, "{lengths:?}: {off}");
    };
    // 8! / (4! 4!), 8! / (2! 6!), 8! / (2! 2! 4!)
    check(&[4, 4], 70);
    check(&[2, 6], 28);
    check(&[2, 2, 4], 420);
}

#[test]
fn the_plain_walk_is_not_uniform_and_the_statistic_says_so() {
    let random = PolicyConfig::named("random").unwrap();
    assert!(deviation(&sampled(&threads(&[2, 6]), random, 40_000), 28) > 100.0);
}

#[test]
fn the_orders_on_a_chosen_place_are_uniform_under_surw() {
    // Two threads meet on one cell three times each, with many private steps in between: 6! / (3! 3!).
    let meet = |at: usize| {
        let mut code = vec![private(); at];
        (0..3).for_each(|_| code.extend([write(Cell::At(9), |_, _| Go::Next), private(), private()]));
        code
    };
    let mut program = threads(&[0, 0]);
    (program.codes, program.cells) = (vec![meet(0), meet(8)], vec![0; 10]);
    let policy = program.informed(PolicyConfig::Surw { spots_max: 1, estimates: Estimates::default() });
    let counted = |policy: &PolicyConfig| {
        let mut counts = BTreeMap::<Vec<Slot>, u64>::new();
        for seed in 0..20_000 {
            let (mut at, mut meetings) = ([0, 0], vec![]);
            for thread in program.run(policy, seed).order {
                let first = if thread == 0 { 0 } else { 8 };
                if at[thread] >= first && (at[thread] - first) % 3 == 0 {
                    meetings.push(thread);
                }
                at[thread] += 1;
            }
            *counts.entry(meetings).or_default() += 1;
        }
        deviation(&counts, 20)
    };
    assert!(counted(&policy).abs() < 6.0);
    assert!(counted(&program.informed(urw())) > 100.0);
}

/// A connection that takes a step, waits for two I/O beside one another, and takes two more; and another one
/// of three steps. The first has 2 orders of its own 5 events, and 8! / (5! 3!) ways to mix with the second.
#[test]
fn io_that_a_connection_waits_for_carries_what_is_behind_it() {
    let estimates = Estimates { connections: [(Origin(0), 5), (Origin(1), 3)].into(), ..Estimates::default() };
    let policy = PolicyConfig::Urw { estimates };
    let mut counts = BTreeMap::new();
    for seed in 0..40_000 {
        *counts.entry(fork_and_join(&policy, seed)).or_default() += 1;
    }
    let off = deviation(&counts, 112);
    assert!(off.abs() < 6.0, "{off}");
}

fn fork_and_join(policy: &PolicyConfig, seed: u64) -> Vec<Slot> {
    let mut tape = Tape::seeded(seed);
    let mut scheduler = Scheduler::new(policy, u64::MAX, &mut tape);
    let mut actors = Actors::new();
    let c0 = actors.add(Actor::Connection(0), Resource::Unknown, 0);
    let c1 = actors.add(Actor::Connection(1), Resource::Unknown, 0);
    [c0, c1].into_iter().for_each(|slot| actors.enable(slot, 0));
    let (mut left, mut in_flight) = ([3, 3], 0);
    let mut order = vec![];
    while let Some(Pick::Actor(slot)) = scheduler.next(order.len() as u64, &actors, Special::default(), &mut tape) {
        order.push(slot);
        if slot > c1 {
            actors.disable(slot);
            in_flight -= 1;
            if in_flight == 0 {
                actors.enable(c0, 0);
            }
            continue;
        }
        left[slot] -= 1;
        if left[slot] == 0 {
            actors.disable(slot);
        } else if slot == c0 && left[c0] == 2 {
            actors.disable(c0);
            for nth in 0..2 {
                let io = actors.add(Actor::Io { connection: 0, op: 0, nth }, Resource::Unknown, 0);
                actors.enable(io, 0);
                in_flight += 1;
            }
        }
    }
    order
}
