//! What a policy remembers of each actor, kept by slot so that a turn costs a scan over a small array.
//!
//! Slots are used again and identities are not, so an entry belongs to an actor's share of hashes and is made
//! anew when the slot has another owner. Nothing here draws, and nothing here depends on the order of events
//! other than through [`Actors`].

use super::{Actors, Slot};

/// A value per actor.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    owners: Vec<u64>,
    values: Vec<T>,
    arrivals: u64,
    relabelled: Vec<Slot>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { owners: Vec::new(), values: Vec::new(), arrivals: 0, relabelled: Vec::new() }
    }

    /// Calls `meet` for each actor that is new; its answer becomes the actor's value.
    #[inline]
    pub(super) fn welcome(&mut self, actors: &Actors, meet: impl FnMut(Slot) -> T) {
        if self.arrivals != actors.arrivals() || self.values.len() < actors.slots() {
            self.welcome_new(actors, meet);
        }
    }

    fn welcome_new(&mut self, actors: &Actors, mut meet: impl FnMut(Slot) -> T) {
        self.arrivals = actors.arrivals();
        for slot in 0..actors.slots() {
            let owner = actors.share(slot);
            if slot == self.values.len() {
                self.owners.push(owner);
                self.values.push(meet(slot));
            } else if self.owners[slot] != owner {
                self.owners[slot] = owner;
                self.values[slot] = meet(slot);
            }
        }
    }

    /// The actor in `slot` has a turn, after which its label is another.
    #[inline]
    pub(super) fn took_turn(&mut self, slot: Slot) {
        self.relabelled.push(slot);
    }

    /// Calls `read` for each actor whose label may have changed since it was last enabled.
    ///
    /// A label changes in its actor's own turn only. An actor that is not enabled yet may be in the middle of
    /// that turn (an engine that pumps I/O from inside a call), so it stays on the list.
    #[inline]
    pub(super) fn relabel(&mut self, actors: &Actors, mut read: impl FnMut(Slot, &mut T)) {
        let values = &mut self.values;
        self.relabelled.retain(|&slot| {
            let known = slot < actors.slots() && actors.is_enabled(slot);
            if known {
                read(slot, &mut values[slot]);
            }
            !known && slot < actors.slots()
        });
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &T {
        &self.values[slot]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.values[slot]
    }
}

/// How often in a row an actor has retried in vain.
///
/// A spinner is not shut out: what it waits for may have happened. It comes back ever more rarely instead.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spins(u8);

impl Spins {
    /// The actor has a turn.
    #[inline]
    pub(super) fn took_turn(&mut self, spinning: bool) {
        self.0 = if spinning { self.0.saturating_add(1) } else { 0 };
    }

    /// By how many bits the weight of its next retry is to be reduced: a factor of 16, then 4 for each
    /// further retry, up to a factor of a million.
    #[inline]
    pub(super) fn shift(self) -> u32 {
        (4 + 2 * u32::from(self.0)).min(20)
    }
}
