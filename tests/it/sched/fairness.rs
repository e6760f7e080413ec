//! Nobody waits for ever, under any policy.

use squall::aio::Resource;
use squall::sched::{Actors, Pick, PolicyConfig, Scheduler, Special};
use squall::tape::{Actor, Tape};

use super::lab::{Cell, Go, Program, lock, private, read, unlock, write};

fn policies() -> impl Iterator<Item = PolicyConfig> {
    PolicyConfig::NAMES.into_iter().filter_map(PolicyConfig::named)
}

#[test]
fn an_actor_that_could_always_run_is_never_passed_over_beyond_the_bound() {
    const BOUND: u64 = 1_000;
    for policy in policies() {
        for seed in 0..4 {
            let mut tape = Tape::seeded(seed);
            let mut scheduler = Scheduler::new(&policy, BOUND, &mut tape);
            let mut actors = Actors::new();
            for connection in 0..5 {
                let slot = actors.add(Actor::Connection(connection), Resource::read("page", 0), 0);
                actors.enable(slot, 0);
            }
            let mut last = [0; 5];
            for turn in 0..20_000 {
                let Some(Pick::Actor(slot)) = scheduler.next(turn, &actors, Special::default(), &mut tape) else {
                    panic!("{policy:?} gives up")
                };
                // The bound is looked at every 256 turns, and helps one at a time.
                assert!(turn - last[slot] <= BOUND + 256 * 6, "{policy:?} {seed}: {slot} waited {}", turn - last[slot]);
                last[slot] = turn;
                actors.set_current(slot, turn);
            }
            assert!(last.iter().all(|&turn| 20_000 - turn <= BOUND + 256 * 6), "{policy:?} {seed}: {last:?}");
        }
    }
}

/// Four threads try for a lock by retrying; one holds it for long. Nobody is ever disabled, so that all
/// depends on the policies' treatment of spinners.
fn spinners() -> Program {
    const LOCK: usize = 0;
    const DONE: usize = 1;
    let acquire = write(Cell::At(LOCK), |_, cell| {
        if *cell != 0 {
            return Go::Spin(0);
        }
        *cell = 1;
        Go::Next
    });
    let release = write(Cell::At(LOCK), |_, cell| {
        *cell = 0;
        Go::Next
    });
    let count = write(Cell::At(DONE), |_, cell| {
        *cell += 1;
        Go::Next
    });
    let mut code = vec![acquire];
    code.extend(vec![private(); 30]);
    code.extend([count, release]);
    let threads = (0..5).map(|thread| (0, [0, 0, 0, 0, 0, 0, 0, 2 + thread])).collect();
    Program { name: "spinners", cells: vec![0; 8], codes: vec![code], threads, check: |cells| cells[DONE] == 5 }
}

#[test]
fn spinners_do_not_keep_the_holder_of_a_lock_from_its_work() {
    let program = spinners();
    for policy in policies() {
        let policy = program.informed(policy);
        let turns: u64 = (0..50).map(|seed| program.run(&policy, seed).order.len() as u64).max().unwrap();
        // 160 turns are needed. The walks without a treatment of spinners take about five times as many.
        let bound = match policy.name() {
            "random" | "round-robin" | "park" => 1_000,
            _ => 400,
        };
        assert!(turns < bound, "{policy:?}: {turns} turns");
        assert!(!program.run(&policy, 0).bug);
    }
}

#[test]
fn a_spinner_can_have_the_lock_before_its_holder_has_done_everything() {
    // c0 releases and goes on; the bug is that c1, who has tried in vain before, gets the lock in between.
    const LOCK: usize = 0;
    const PHASE: usize = 1;
    let holder = vec![
        lock(LOCK),
        private(),
        private(),
        unlock(LOCK),
        private(),
        private(),
        write(Cell::At(PHASE), |_, cell| {
            *cell = 1;
            Go::Next
        }),
    ];
    let look = read(Cell::At(PHASE), |regs, cell| if *cell == 0 && regs[0] > 0 { Go::Bug } else { Go::End });
    let acquire = write(Cell::At(LOCK), |regs, cell| {
        if *cell != 0 {
            regs[0] += 1;
            return Go::Spin(0);
        }
        *cell = 1;
        Go::To(1)
    });
    let spinner = vec![acquire, look];
    let threads = (0..2).map(|thread| (thread, [0, 0, 0, 0, 0, 0, 0, 2 + thread as i64])).collect();
    let program = Program { name: "early", cells: vec![0; 5], codes: vec![holder, spinner], threads, check: |_| true };
    for name in ["pos", "urw", "surw"] {
        let policy = program.informed(PolicyConfig::named(name).unwrap());
        assert!(program.first_bug(&policy, 0..2_000).is_some(), "{name}");
    }
}
