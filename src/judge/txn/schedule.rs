//! A schedule that explains every read, looked for greedily with several preferences.
//!
//! Events are carried out in an order that respects all dependencies. A version may be overwritten
//! once all who read it have their snapshots; with snapshots, nobody else may write a key between a
//! writer's snapshot and its commit. Getting stuck says nothing; getting through says *holds*.
//! Invariant: a schedule found explains the history, whatever preference led to it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::deduce::Events;
use super::history::{NONE, Version};
use super::register::{Known, Registers};

/// Events carried out by all attempts together, beside three full ones.
const WORK_MAX: usize = 200_000;

/// Whether some preference leads through.
pub(super) fn exists(registers: &Registers<'_>, known: &Known, snapshots: bool) -> bool {
    let txns = registers.history.txns.len() as u32;
    let events = Events::of(known, txns, snapshots);
    let plan = Plan::new(registers, &events, snapshots);
    let by = |key: &dyn Fn(usize) -> i64| -> Vec<u32> {
        let mut order: Vec<u32> = (0..txns).collect();
        order.sort_by_key(|&txn| key(txn as usize));
        let mut rank = vec![0; txns as usize];
        for (at, txn) in (0..).zip(order) {
            rank[txn as usize] = at;
        }
        rank
    };
    let facts = &registers.history.txns;
    let place = |at: usize| facts[at].commit.map_or(facts[at].ret, |place| place as i64);
    if plan.run(&by(&place)) || plan.run(&by(&|at| facts[at].ret)) || plan.run(&by(&|at| facts[at].call)) {
        return true;
    }
    let attempts = WORK_MAX / events.count.max(1) as usize;
    let mut draw = 0x9e37_79b9_7f4a_7c15_u64;
    (0..attempts.min(64)).any(|_| {
        let mut rank = vec![0u32; txns as usize];
        for rank in &mut rank {
            draw ^= draw << 13;
            draw ^= draw >> 7;
            draw ^= draw << 17;
            *rank = (draw >> 40) as u32;
        }
        plan.run(&rank)
    })
}

/// What does not change from one attempt to the next.
struct Plan<'a> {
    events: &'a Events,
    snapshots: bool,
    waiting: Vec<u32>,
    /// Per transaction: what it reads from others, what it writes.
    reads: Vec<Vec<(u32, Version)>>,
    writes: Vec<Vec<(u32, Version)>>,
    readers: Vec<u32>,
    /// Readers of what nobody had written, per key.
    first_readers: Vec<u32>,
    needed: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn new(registers: &Registers<'_>, events: &'a Events, snapshots: bool) -> Self {
        let history = registers.history;
        let mut plan = Self {
            events,
            snapshots,
            waiting: vec![0; events.count as usize],
            reads: vec![Vec::new(); history.txns.len()],
            writes: vec![Vec::new(); history.txns.len()],
            readers: vec![0; history.versions.len()],
            first_readers: vec![0; history.keys.len()],
            needed: registers.effective.clone(),
        };
        for event in 0..events.count {
            for &to in events.after(event) {
                plan.waiting[to as usize] += 1;
            }
        }
        for read in &registers.reads {
            plan.reads[read.txn as usize].push((read.key, read.version));
            match read.version {
                NONE => plan.first_readers[read.key as usize] += 1,
                version => plan.readers[version as usize] += 1,
            }
        }
        for (key, writes) in (0..).zip(&registers.writes) {
            for &(txn, version) in writes {
                plan.writes[txn as usize].push((key, version));
            }
        }
        plan
    }

    fn run(&self, preference: &[u32]) -> bool {
        let keys = self.first_readers.len();
        Attempt {
            plan: self,
            preference,
            waiting: self.waiting.clone(),
            readers: self.readers.clone(),
            first_readers: self.first_readers.clone(),
            now: vec![NONE; keys],
            locked: vec![NONE; keys],
            blocked: vec![Vec::new(); keys],
            ready: BinaryHeap::new(),
            done: 0,
        }
        .run()
    }
}

struct Attempt<'p> {
    plan: &'p Plan<'p>,
    preference: &'p [u32],
    waiting: Vec<u32>,
    readers: Vec<u32>,
    first_readers: Vec<u32>,
    /// Per key the version committed last, the writer that holds it, and who waits for it.
    now: Vec<Version>,
    locked: Vec<u32>,
    blocked: Vec<Vec<u32>>,
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    done: u32,
}

impl Attempt<'_> {
    fn run(mut self) -> bool {
        let count = self.plan.events.count;
        for event in 0..count {
            if self.waiting[event as usize] == 0 {
                self.offer(event);
            }
        }
        while let Some(Reverse((_, event))) = self.ready.pop() {
            match self.carry_out(event) {
                Err(key) => self.blocked[key as usize].push(event),
                Ok(()) => {
                    self.done += 1;
                    for &to in self.plan.events.after(event) {
                        self.waiting[to as usize] -= 1;
                        if self.waiting[to as usize] == 0 {
                            self.offer(to);
                        }
                    }
                }
            }
        }
        self.done == count
    }

    fn offer(&mut self, event: u32) {
        let columns = self.plan.events.columns;
        let rank = match event {
            _ if event >= columns => 0,
            _ if self.plan.snapshots => self.preference[event as usize / 2] + 1,
            _ => self.preference[event as usize] + 1,
        };
        self.ready.push(Reverse((rank, event)));
    }

    /// Carries out an event, or says which key it has to wait for.
    fn carry_out(&mut self, event: u32) -> Result<(), u32> {
        let plan = self.plan;
        if event >= plan.events.columns {
            return Ok(());
        }
        let (txn, begins, ends) =
            if plan.snapshots { (event / 2, event.is_multiple_of(2), event % 2 == 1) } else { (event, true, true) };
        if !plan.needed[txn as usize] {
            return Ok(());
        }
        let reads = &plan.reads[txn as usize];
        let writes = &plan.writes[txn as usize];
        if begins {
            if let Some(&(key, _)) = reads.iter().find(|(k, v)| self.now[*k as usize] != *v) {
                return Err(key);
            }
            let held = |key: u32| self.locked[key as usize] != NONE;
            if let Some(&(key, _)) = writes.iter().find(|(key, _)| held(*key)) {
                return Err(key);
            }
        }
        if ends {
            for &(key, _) in writes {
                let own = u32::from(begins && reads.iter().any(|read| read.0 == key));
                let left = match self.now[key as usize] {
                    NONE => self.first_readers[key as usize],
                    version => self.readers[version as usize],
                };
                if left > own {
                    return Err(key);
                }
            }
        }
        if begins {
            for &(key, version) in reads {
                match version {
                    NONE => self.first_readers[key as usize] -= 1,
                    version => self.readers[version as usize] -= 1,
                }
                self.wake(key);
            }
        }
        for &(key, version) in writes {
            if ends {
                self.now[key as usize] = version;
                self.locked[key as usize] = NONE;
                self.wake(key);
            } else {
                self.locked[key as usize] = txn;
            }
        }
        Ok(())
    }

    fn wake(&mut self, key: u32) {
        for event in std::mem::take(&mut self.blocked[key as usize]) {
            self.offer(event);
        }
    }
}
