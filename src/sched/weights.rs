//! How many events are left to each origin, and how they are shared among those of it that are enabled.
//!
//! A connection and its I/O are a small partial order: steps in a row, I/O beside one another, and, while the
//! connection waits, the rest of its steps behind them. In a forest, to pick an event in proportion to all
//! that cannot happen before it makes every order equally likely; that is where the sharing comes from.

use super::estimates::Origin;
use super::{Actors, Slot};
use crate::tape::Actor;

/// The share of one event. A power of two, so that the shares of spinners can be reduced and something is left.
pub(super) const UNIT: u64 = 1 << 20;

/// What is left, by origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    left: Vec<u64>,
    /// How many of the I/O are enabled, and whether the connection is; of this turn only.
    present: Vec<Present>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Present {
    io: u64,
    connection: bool,
}

impl Weights {
    /// Adds to what is left to an origin.
    pub(super) fn add(&mut self, origin: Origin, count: u64) {
        self.make_room(origin.index());
        self.left[origin.index()] += count;
    }

    pub(super) fn make_room(&mut self, index: usize) {
        if index >= self.left.len() {
            self.left.resize(index + 1, 0);
            self.present.resize(index + 1, Present::default());
        }
    }

    #[inline]
    pub(super) fn took_turn(&mut self, origin: usize) {
        self.left[origin] = self.left[origin].saturating_sub(1);
    }

    /// What is left to an origin; never 0, because an estimate may be too low.
    #[inline]
    pub(super) fn left(&self, origin: usize) -> u64 {
        self.left[origin].max(1)
    }

    /// Looks at who is enabled.
    #[inline]
    pub(super) fn look(&mut self, actors: &Actors, who: impl Fn(Slot) -> Who) {
        self.present.fill(Present::default());
        let present = &mut self.present;
        actors.each_enabled(|slot| {
            let who = who(slot);
            let present = &mut present[who.origin as usize];
            present.connection |= !who.io;
            present.io += u64::from(who.io);
        });
    }

    /// The events that cannot happen before the next one of `who`, that one included, in units of [`UNIT`].
    #[inline]
    pub(super) fn share(&self, who: Who) -> u64 {
        let present = self.present[who.origin as usize];
        let behind = self.left(who.origin as usize).saturating_sub(present.io);
        match (who.io, present.connection) {
            (false, _) => behind.max(1) * UNIT,
            (true, true) => UNIT,
            // The connection waits for them: its steps are behind all of them, a share behind each.
            (true, false) => UNIT + behind * UNIT / present.io.max(1),
        }
    }
}

/// To whom a slot belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Who {
    pub(super) origin: u32,
    pub(super) io: bool,
}

impl Who {
    pub(super) fn of(actor: Actor) -> Self {
        Self { origin: Origin::of(actor).index() as u32, io: matches!(actor, Actor::Io { .. }) }
    }
}
