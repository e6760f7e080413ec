//! Tiny concurrent programs as state machines, to try policies on: threads of steps, each of which touches one
//! shared cell at once. A lock is a cell whose steps wait for a value.
//!
//! It drives the scheduler as the simulation does, but has no engine, disk or history: what it measures is the
//! policy alone. The benchmark `sctbench` uses it too.

use squall::aio::Resource;
use squall::sched::{Actors, Estimates, Pick, PolicyConfig, Scheduler, Slot, Special};
use squall::tape::{Actor, Tape};

/// A thread's own numbers.
pub(crate) type Regs = [i64; 8];

/// Where a thread goes after a step.
pub(crate) enum Go {
    Next,
    To(usize),
    /// As `To`, and it was a retry in vain.
    Spin(usize),
    End,
    /// An assertion failed.
    Bug,
}

/// Which cell a step touches.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    At(usize),
    By(fn(&Regs) -> usize),
}

/// One step, atomic.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    cell: Cell,
    write: bool,
    when: fn(i64) -> bool,
    act: fn(&mut Regs, &mut i64) -> Go,
}

const fn always(_: i64) -> bool {
    true
}

pub(crate) const fn read(cell: Cell, act: fn(&mut Regs, &mut i64) -> Go) -> Step {
    Step { cell, write: false, when: always, act }
}

pub(crate) const fn write(cell: Cell, act: fn(&mut Regs, &mut i64) -> Go) -> Step {
    Step { cell, write: true, when: always, act }
}

/// Cannot happen until the cell's value satisfies `when`.
pub(crate) const fn wait(cell: Cell, when: fn(i64) -> bool, act: fn(&mut Regs, &mut i64) -> Go) -> Step {
    Step { cell, write: true, when, act }
}

pub(crate) const fn lock(cell: usize) -> Step {
    let take = |_: &mut Regs, value: &mut i64| {
        *value = 1;
        Go::Next
    };
    wait(Cell::At(cell), |value| value == 0, take)
}

pub(crate) const fn unlock(cell: usize) -> Step {
    let release = |_: &mut Regs, value: &mut i64| {
        *value = 0;
        Go::Next
    };
    write(Cell::At(cell), release)
}

/// A step that touches what nobody else does: the cell whose number is in the last register.
pub(crate) const fn private() -> Step {
    write(Cell::By(|regs| regs[7] as usize), |_, _| Go::Next)
}

/// A program. It is over when all threads have ended, or by a bug.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) cells: Vec<i64>,
    pub(crate) codes: Vec<Vec<Step>>,
    /// Which code each thread runs, and its registers at the beginning.
    pub(crate) threads: Vec<(usize, Regs)>,
    /// Whether the end is as it should be.
    pub(crate) check: fn(&[i64]) -> bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// An assertion failed, nobody could go on, or the end was not as it should be.
    pub(crate) bug: bool,
    /// Whose turn it was.
    pub(crate) order: Vec<Slot>,
    pub(crate) estimates: Option<Estimates>,
}

const TURNS_MAX: u64 = 3_000;

impl Program {
    /// One schedule, without a bound on waiting.
    pub(crate) fn run(&self, policy: &PolicyConfig, seed: u64) -> Ran {
        self.run_bounded(policy, u64::MAX, &mut Tape::seeded(seed))
    }

    pub(crate) fn run_bounded(&self, policy: &PolicyConfig, fairness_turns: u64, tape: &mut Tape) -> Ran {
        let mut scheduler = Scheduler::new(policy, fairness_turns, tape);
        let mut state = State::new(self);
        let mut order = Vec::with_capacity(64);
        let mut bug = false;
        while let Some(Pick::Actor(slot)) = scheduler.next(order.len() as u64, &state.actors, Special::default(), tape)
        {
            state.actors.set_current(slot, order.len() as u64);
            order.push(slot);
            match state.step(slot) {
                Running::On => {}
                Running::Ended => {
                    scheduler.operation_ended(slot, "thread", &state.actors);
                    state.actors.remove(slot);
                }
                Running::Bug => bug = true,
            }
            if bug || order.len() as u64 == TURNS_MAX {
                return Ran { bug, order, estimates: scheduler.take_estimates() };
            }
        }
        let stuck = state.ended < self.threads.len();
        Ran { bug: stuck || !(self.check)(&state.cells), order, estimates: scheduler.take_estimates() }
    }

    /// What a pilot run counts. A pilot that meets the bug is cut short by it, so the next seed is taken.
    pub(crate) fn estimates(&self) -> Estimates {
        (0..)
            .map(|seed| self.run(&PolicyConfig::Pilot {}, seed))
            .find(|ran| !ran.bug)
            .and_then(|ran| ran.estimates)
            .expect("the pilot policy counts")
    }

    /// The policy, with the estimates of a pilot run.
    pub(crate) fn informed(&self, policy: PolicyConfig) -> PolicyConfig {
        if policy.wants_estimates() { policy.with_estimates(&self.estimates()) } else { policy }
    }

    /// The number of the first of so many schedules that has the bug, from 1.
    pub(crate) fn first_bug(&self, policy: &PolicyConfig, seeds: std::ops::Range<u64>) -> Option<u64> {
        seeds.clone().find(|&seed| self.run(policy, seed).bug).map(|seed| seed - seeds.start + 1)
    }
}

enum Running {
    On,
    Ended,
    Bug,
}

struct State<'a> {
    program: &'a Program,
    actors: Actors,
    cells: Vec<i64>,
    at: Vec<usize>,
    regs: Vec<Regs>,
    /// The cell of each thread's next step; `usize::MAX` when it has ended.
    next: Vec<usize>,
    ended: usize,
}

impl<'a> State<'a> {
    fn new(program: &'a Program) -> Self {
        let count = program.threads.len();
        let mut state = Self {
            program,
            actors: Actors::new(),
            cells: program.cells.clone(),
            at: vec![0; count],
            regs: program.threads.iter().map(|&(_, regs)| regs).collect(),
            next: vec![usize::MAX; count],
            ended: 0,
        };
        for thread in 0..count {
            let slot = state.actors.add(Actor::Connection(thread as u16), Resource::Unknown, 0);
            assert_eq!(slot, thread, "slots are given in order");
            state.look_ahead(thread, false);
        }
        state
    }

    fn code(&self, thread: Slot) -> &'a Step {
        &self.program.codes[self.program.threads[thread].0][self.at[thread]]
    }

    /// Finds out what the thread will do next, and whether it can.
    fn look_ahead(&mut self, thread: Slot, spinning: bool) {
        let step = self.code(thread);
        let cell = match step.cell {
            Cell::At(cell) => cell,
            Cell::By(cell) => cell(&self.regs[thread]),
        };
        self.next[thread] = cell;
        let label = Resource::Named { name: "cell", index: cell as u64, write: step.write };
        self.actors.set_next(thread, label, spinning);
        self.admit(thread, (step.when)(self.cells[cell]));
    }

    fn admit(&mut self, thread: Slot, can: bool) {
        if can { self.actors.enable(thread, 0) } else { self.actors.disable(thread) }
    }

    fn step(&mut self, thread: Slot) -> Running {
        let (step, cell) = (self.code(thread), self.next[thread]);
        let go = (step.act)(&mut self.regs[thread], &mut self.cells[cell]);
        let code = &self.program.codes[self.program.threads[thread].0];
        let (at, spinning) = match go {
            Go::Next => (self.at[thread] + 1, false),
            Go::To(at) => (at, false),
            Go::Spin(at) => (at, true),
            Go::End => (code.len(), false),
            Go::Bug => return Running::Bug,
        };
        self.at[thread] = at;
        let ended = at == code.len();
        if ended {
            self.next[thread] = usize::MAX;
            self.ended += 1;
        } else {
            self.look_ahead(thread, spinning);
        }
        if step.write {
            for other in 0..self.next.len() {
                if self.next[other] == cell {
                    self.admit(other, (self.code(other).when)(self.cells[cell]));
                }
            }
        }
        if ended { Running::Ended } else { Running::On }
    }
}
