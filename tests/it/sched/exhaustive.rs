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

/// The schedules there are, and how many of them have the bug.
fn check(program: &Program, preemptions_max: Option<u32>, schedules: u64, bugs: u64) {
    let (mut found, policy) = (0, PolicyConfig::Exhaustive { preemptions_max });
    let exhausted = exhaust(0, preemptions_max, 100_000, |mut tape| {
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

#[test]
fn it_stops_where_it_is_told_to() {
    let one = exhaust(0, None, 1, |mut tape| {
        lost_update().run_bounded(&PolicyConfig::Exhaustive { preemptions_max: None }, u64::MAX, &mut tape);
        (tape, true)
    });
    assert_eq!(one, Exhausted { runs: 1, complete: false });
    let policy = PolicyConfig::Exhaustive { preemptions_max: None };
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
    let policy = PolicyConfig::Exhaustive { preemptions_max: None };
    let exhausted = exhaust(0, None, 10_000, |mut tape| {
        let ran = two(vec![code.clone()], &[0, 0, 0], |_| true).run_bounded(&policy, u64::MAX, &mut tape);
        // Three turns each, and at most one vain retry for each turn of another.
        assert!(!ran.bug && ran.order.len() < 30, "{ran:?}");
        (tape, true)
    });
    assert!(exhausted.complete, "{exhausted:?}");
}
