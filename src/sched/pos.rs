//! POS, partial order sampling: Yuan, Yang, Gu, *Partial Order Aware Concurrency Sampling*, CAV 2018.
//!
//! Each pending event has a random priority and the highest enabled one happens. It loses its priority, and
//! so does every enabled event that *conflicts* with it: the order of those two was decided now, and what
//! comes between the second one and others is to be decided afresh. Events that commute keep theirs, so that
//! the many interleavings that differ only in their order count as one.
//!
//! It needs no estimates. Labels that say nothing conflict with everything, and then it is the random walk.

use super::keys::{self, Keys};
use super::table::{Spins, Table};
use super::{Actors, Policy, Slot};
use crate::aio::Resource;
use crate::tape::Stream;

/// Random priorities of pending events.
#[derive(Default)]
pub struct Pos {
    keys: Keys,
    /// By slot, padded to whole words of slots.
    digests: Vec<Digest>,
    spins: Table<Spins>,
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

    #[inline]
    fn may_conflict(self, other: Self) -> bool {
        (self == other) | (self == Self::UNKNOWN) | (other == Self::UNKNOWN)
    }
}

impl Pos {
    /// No priorities yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives new events, and those of who has had a turn, their priorities.
    #[inline]
    fn catch_up(&mut self, actors: &Actors, draws: &mut Stream) {
        let (keys, digests) = (&mut self.keys, &mut self.digests);
        let mut read = |slot: Slot, spins| {
            if slot >= digests.len() {
                digests.resize((slot / 64 + 1) * 64, Digest::UNKNOWN);
            }
            digests[slot] = Digest::of(actors.next_ref(slot));
            keys.draw(slot, spins, actors, draws);
        };
        self.spins.welcome(actors, |slot| {
            read(slot, Spins::default());
            Spins::default()
        });
        self.spins.relabel(actors, |slot, spins| read(slot, *spins));
    }

    /// The event of `slot` happens: those that conflict with it draw new priorities, and its actor's next one will.
    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors, draws: &mut Stream) {
        let (digest, label) = (self.digests[slot], actors.next_ref(slot));
        let (keys, digests, spins) = (&mut self.keys, &self.digests, &mut self.spins);
        keys::each(
            actors,
            |other| digest.may_conflict(digests[other]),
            |other| {
                if other != slot && label.conflicts(actors.next_ref(other)) {
                    keys.draw(other, *spins.get(other), actors, draws);
                }
            },
        );
        spins.get_mut(slot).took_turn(actors.is_spinning(slot));
        spins.took_turn(slot);
    }
}

impl Policy for Pos {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.catch_up(actors, draws);
        let slot = self.keys.highest(actors, |_| true).expect("somebody is enabled");
        self.took_turn(slot, actors, draws);
        slot
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, draws: &mut Stream) {
        self.catch_up(actors, draws);
        self.took_turn(slot, actors, draws);
    }
}
