//! The odometer sees every schedule once, and comes to an end among spinners.

use squall::sched::{Exhausted, PolicyConfig, exhaust};

use super::lab::{Cell, Go, Program, Step, private, read, write};

fn lost_update() -> Program {
    let look = read(Cell::At(0), |regs, cell| {
        regs[0] = *cell;
        Go::Next
    });
    let store = write(Cell::At(0), |regs, cell| {
        *cell = regs[0] + 1;
        Go::Next
    });
    two(vec![vec![look, store]], &[0, 0], |cells| cells[0] == 2)
}

fn two(codes: Vec<Vec<Step>>, threads: &[usize], check: fn(&[i64]) -> bool) -> Program {
    let threads = threads.iter().enumerate().map(|(n, &code)| (code, [0, 0, 0, 0, 0, 0, 0, 2 + n as i64])).collect();
    Program { name: "two", cells: vec![0; 8], codes, threads, check }
}

fn all() -> PolicyConfig {
    PolicyConfig::Exhaustive { preemptions_max: None, schedules_max: u64::MAX }
}

/// The schedules there are, and how many of them have the bug.
fn check(program: &Program, preemptions_max: Option<u32>, schedules: u64, bugs: u64) {
    let (mut found, policy) = (0, PolicyConfig::Exhaustive { preemptions_max, schedules_max: u64::MAX });
    let exhausted = exhaust(0, preemptions_max, 200_000, |mut tape| {
        found += u64::from(program.run_bounded(&policy, u64::MAX, &mut tape).bug);
        (tape, true)
    });
    assert_eq!((exhausted, found), (Exhausted { runs: schedules, complete: true }, bugs));
}

#[test]
fn every_schedule_of_a_lost_update_is_seen() {
    // 4! / (2! 2!) orders, of which two are serial.
    check(&lost_update(), None, 6, 4);
    // Without a preemption only the serial ones; with one, a thread may be left in its middle.
    check(&lost_update(), Some(0), 2, 0);
    check(&lost_update(), Some(1), 4, 2);
}

/// Two threads of so many private steps.
fn rows(steps: usize) -> Program {
    two(vec![vec![private(); steps]], &[0, 0], |_| true)
}

/// The schedules of two threads of `steps` steps with at most so many preemptions, counted without running any:
/// by what each has left, and whether the first has had the last step.
fn counted(steps: usize, preemptions_max: usize) -> u64 {
    // ways[a][b][p]: who has just run has `a` left, the other one `b`, and `p` preemptions may come.
    let mut ways = vec![vec![vec![0u64; preemptions_max + 1]; steps + 1]; steps + 1];
    let mut all: Vec<(usize, usize)> = (0..=steps).flat_map(|a| (0..=steps).map(move |b| (a, b))).collect();
    all.sort_by_key(|(a, b)| a + b);
    for (a, b) in all {
        for p in 0..=preemptions_max {
            let stay = if a > 0 { ways[a - 1][b][p] } else { 0 };
            let leave = match (a, b) {
                (_, 0) => 0,
                (0, b) => ways[b - 1][a][p],
                (a, b) => {
                    if p > 0 {
                        ways[b - 1][a][p - 1]
                    } else {
                        0
                    }
                }
            };
            ways[a][b][p] = if (a, b) == (0, 0) { 1 } else { stay + leave };
        }
    }
    2 * ways[steps - 1][steps][preemptions_max]
}

#[test]
fn twenty_turns_together_are_seen_in_full() {
    // 20! / (10! 10!)
    check(&rows(10), None, 184_756, 0);
}

#[test]
fn twenty_turns_each_are_seen_with_at_most_three_preemptions() {
    assert_eq!((counted(2, 4), counted(10, 20)), (6, 184_756));
    check(&rows(20), Some(3), counted(20, 3), 0);
}

#[test]
fn it_stops_where_it_is_told_to() {
    let one = exhaust(0, None, 1, |mut tape| {
        lost_update().run_bounded(&all(), u64::MAX, &mut tape);
        (tape, true)
    });
    assert_eq!(one, Exhausted { runs: 1, complete: false });
    let policy = all();
    let first = exhaust(0, None, 100, |mut tape| {
        let bug = lost_update().run_bounded(&policy, u64::MAX, &mut tape).bug;
        (tape, !bug)
    });
    assert!(!first.complete && first.runs < 6);
}

#[test]
fn threads_that_retry_for_ever_do_not_make_schedules_for_ever() {
    let acquire = write(Cell::At(0), |_, cell| {
        if *cell != 0 {
            return Go::Spin(0);
        }
        *cell = 1;
        Go::Next
    });
    let release = write(Cell::At(0), |_, cell| {
        *cell = 0;
        Go::Next
    });
    let code = vec![acquire, private(), release];
    let policy = all();
    let exhausted = exhaust(0, None, 10_000, |mut tape| {
        let ran = two(vec![code.clone()], &[0, 0, 0], |_| true).run_bounded(&policy, u64::MAX, &mut tape);
        // Three turns each, and at most one vain retry for each turn of another.
        assert!(!ran.bug && ran.order.len() < 30, "{ran:?}");
        (tape, true)
    });
    assert!(exhausted.complete, "{exhausted:?}");
}
