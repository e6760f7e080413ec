//! PCT's bound: a bug of depth d is found with a probability of at least 1 / (n k^(d - 1)).

use squall::sched::{Estimates, PolicyConfig};

use super::lab::{Cell, Go, Program, Regs, private, read, write};

const CLOCK: usize = 0;
const FAULTS: usize = 1;

/// The paper's bound for a bug of this depth.
fn check(program: &Program, depth: u32, seeds: u64) {
    let bound = 1.0 / (program.threads.len() as f64 * (steps(program) as f64).powi(depth as i32 - 1));
    check_odds(program, depth, seeds, bound);
}

/// Runs `seeds` schedules and compares the hits with what the odds promise, less 5 standard deviations of a
/// binomial: for each check the odds of failing by chance are below one in 3 million.
fn check_odds(program: &Program, depth: u32, seeds: u64, odds: f64) {
    let estimates = Estimates { turns: steps(program), ..Estimates::default() };
    let policy = PolicyConfig::Pct { depth, estimates };
    let hits = (0..seeds).filter(|&seed| program.run(&policy, seed).bug).count() as f64;
    let expected = seeds as f64 * odds;
    assert!(hits >= expected - 5.0 * expected.sqrt(), "{}: {hits} hits, {expected} promised", program.name);
}

fn steps(program: &Program) -> u64 {
    program.threads.iter().map(|&(code, _)| program.codes[code].len() as u64).sum()
}

/// `before` private steps, then `step`, then `after` private steps.
fn thread(parts: &[(usize, super::lab::Step)], after: usize) -> Vec<super::lab::Step> {
    let mut code = vec![];
    for &(before, step) in parts {
        code.extend((0..before).map(|_| private()));
        code.push(step);
    }
    code.extend((0..after).map(|_| private()));
    code
}

fn regs(private_cell: i64) -> Regs {
    [0, 0, 0, 0, 0, 0, 0, private_cell]
}

fn program(name: &'static str, codes: Vec<Vec<super::lab::Step>>) -> Program {
    let threads = (0..codes.len()).map(|thread| (thread, regs(10 + thread as i64))).collect();
    Program { name, cells: vec![0; 20], codes, threads, check: |cells| cells[FAULTS] == 0 }
}

#[test]
fn a_bug_of_one_constraint_is_found_once_in_n() {
    // The use comes before the making, in one of four threads each.
    let make = write(Cell::At(CLOCK), |_, cell| {
        *cell = 1;
        Go::Next
    });
    let need = read(Cell::At(CLOCK), |_, cell| if *cell == 0 { Go::Bug } else { Go::Next });
    let idle = vec![private(); 10];
    let codes = vec![thread(&[(2, make)], 7), thread(&[(9, need)], 0), idle.clone(), idle];
    check(&program("use before make", codes), 1, 4_000);
}

#[test]
fn a_bug_of_two_constraints_is_found_once_in_n_times_k() {
    // A whole update of the second thread falls between the read and the write of the first one.
    let start = read(Cell::At(CLOCK), |regs, cell| {
        regs[0] = *cell;
        Go::Next
    });
    let finish = write(Cell::At(CLOCK), |regs, cell| if *cell == regs[0] { Go::Next } else { Go::Bug });
    let update = write(Cell::At(CLOCK), |_, cell| {
        *cell += 1;
        Go::Next
    });
    let codes = vec![thread(&[(10, start), (0, finish)], 8), thread(&[(9, update)], 0)];
    check(&program("lost update", codes), 2, 24_000);
}

#[test]
fn a_bug_of_three_constraints_is_found_once_in_n_times_k_squared() {
    // The second thread looks at a clock right after its first tick, and again after the next one.
    let tick = write(Cell::At(CLOCK), |_, cell| {
        *cell += 1;
        Go::Next
    });
    let first = read(Cell::At(CLOCK), |regs, cell| {
        regs[0] = *cell;
        Go::Next
    });
    let second = read(Cell::At(CLOCK), |regs, cell| if regs[0] == 1 && *cell > 1 { Go::Bug } else { Go::Next });
    let codes = vec![thread(&[(3, tick), (0, tick), (0, tick)], 3), thread(&[(2, first), (0, second)], 2)];
    check(&program("two looks", codes), 3, 60_000);
}

#[test]
fn the_one_who_dropped_first_may_have_to_come_back_last() {
    // c0 drops, c1 drops, c2 runs, and then c1 has to go on before c0 does: the ranks of changes are dealt at
    // random. With c0 above c1 above c2 in the beginning, which is 1/6, it takes two changes at the right ones
    // of 5 steps and the right one of two ranks for each: 1/6 · 1/5 · 1/5.
    const fn turn_of(number: i64) -> fn(&mut Regs, &mut i64) -> Go {
        match number {
            0 => |_, clock| advance(clock, 0),
            1 => |_, clock| advance(clock, 1),
            2 => |_, clock| advance(clock, 2),
            3 => |_, clock| advance(clock, 3),
            _ => |_, clock| if *clock == 4 { Go::Bug } else { Go::End },
        }
    }
    let step = |number| write(Cell::At(CLOCK), turn_of(number));
    let codes = vec![vec![step(0), step(4)], vec![step(1), step(3)], vec![step(2)]];
    check_odds(&program("first and last", codes), 3, 30_000, 1.0 / 150.0);
}

fn advance(clock: &mut i64, from: i64) -> Go {
    if *clock != from {
        return Go::End;
    }
    *clock += 1;
    Go::Next
}
