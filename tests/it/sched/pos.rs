//! What POS does with priorities, where it can be counted by hand.

use squall::sched::PolicyConfig;

use super::lab::{Cell, Go, Program, Step, write};

const SEEDS: u64 = 16_000;

/// Four steps in the one thread and one in the other: in how many of the seeds the one comes last.
fn last(first: Step, second: Step) -> u64 {
    let codes = vec![vec![first; 4], vec![second]];
    let threads = vec![(0, [0; 8]), (1, [0; 8])];
    let program = Program { name: "rows", cells: vec![0; 2], codes, threads, check: |_| true };
    (0..SEEDS).filter(|&seed| program.run(&PolicyConfig::Pos {}, seed).order == [0, 0, 0, 0, 1]).count() as u64
}

fn on(cell: usize) -> Step {
    write(Cell::At(cell), |_, _| Go::Next)
}

#[test]
fn events_that_conflict_are_ordered_by_a_new_draw_each_time() {
    // Half of the time each: 1/16 of 16,000, a standard deviation of 31, so 6 of them on either side.
    assert!(last(on(0), on(0)).abs_diff(SEEDS / 16) < 190);
}

#[test]
fn an_event_that_commutes_keeps_its_priority() {
    // The lowest of five priorities: 1/5 of 16,000, a standard deviation of 51, so 6 of them on either side.
    assert!(last(on(0), on(1)).abs_diff(SEEDS / 5) < 310);
}
