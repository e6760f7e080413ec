//! POS, partial order sampling: Yuan, Yang, Gu, *Partial Order Aware Concurrency Sampling*, CAV 2018.
//!
//! Each pending event has a random priority and the highest enabled one happens. It loses its priority, and
//! so does every enabled event that *conflicts* with it: the order of those two was decided now, and what
//! comes between the second one and others is to be decided afresh. Events that commute keep theirs, so that
//! the many interleavings that differ only in their order count as one.
//!
//! It needs no estimates. Labels that say nothing conflict with everything, and then it is the random walk.

use super::table::{Spins, Table};
use super::{Actors, Policy, Slot};
use crate::aio::Resource;
use crate::tape::Stream;

/// Random priorities of pending events.
#[derive(Default)]
pub struct Pos {
    pending: Table<Pending>,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    /// 0 while it has none.
    priority: u64,
    digest: Digest,
    spins: Spins,
}

/// As much of a label as tells most pairs apart; what it does not, the labels do.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Digest(u64);

impl Digest {
    const UNKNOWN: Self = Self(0);

    fn of(resource: &Resource) -> Self {
        Self(match resource {
            Resource::Unknown => return Self::UNKNOWN,
            Resource::File { file, .. } => 1 | (u64::from(file.0) << 2),
            Resource::Named { name, index, .. } => 2 | ((name.len() as u64) << 2) | (index << 8),
        })
    }
}

impl Pos {
    /// No priorities yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[inline]
    fn catch_up(&mut self, actors: &Actors) {
        let met = |slot| Pending { digest: Digest::of(actors.next_ref(slot)), ..Pending::default() };
        self.pending.welcome(actors, met);
        self.pending.relabel(actors, |slot, pending| pending.digest = Digest::of(actors.next_ref(slot)));
    }

    /// The event of `slot` happens: it and those that conflict with it lose their priorities.
    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        let pending = &mut self.pending;
        let digest = pending.get(slot).digest;
        let label = actors.next_ref(slot);
        actors.each_enabled(|other| {
            let event = pending.get_mut(other);
            let may_conflict = event.digest == digest || digest == Digest::UNKNOWN || event.digest == Digest::UNKNOWN;
            if may_conflict && label.conflicts(actors.next_ref(other)) {
                event.priority = 0;
            }
        });
        let event = pending.get_mut(slot);
        event.priority = 0;
        event.spins.took_turn(actors.is_spinning(slot));
        pending.took_turn(slot);
    }
}

impl Policy for Pos {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.catch_up(actors);
        let (mut best, mut highest) = (0, 0);
        actors.each_enabled(|slot| {
            let event = self.pending.get_mut(slot);
            if event.priority == 0 {
                event.priority = fresh(slot, event.spins, actors, draws);
            }
            if event.priority > highest {
                (best, highest) = (slot, event.priority);
            }
        });
        self.took_turn(best, actors);
        best
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, _: &mut Stream) {
        self.catch_up(actors);
        self.took_turn(slot, actors);
    }
}

/// A priority for a pending event.
#[inline]
pub(super) fn fresh(slot: Slot, spins: Spins, actors: &Actors, draws: &mut Stream) -> u64 {
    // Deviation: the paper has no spinning threads. A retry draws from the lower end, so that others go first
    // most of the time; never last for certain, for what it waits for may have happened.
    let shift = if actors.is_spinning(slot) { spins.shift() } else { 0 };
    (draws.bits() >> shift) | 1
}
