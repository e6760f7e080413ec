//! URW, the uniform random walk: Zhao, Wolff, Mathur, Roychoudhury, *Selectively Uniform Concurrency
//! Testing*, ASPLOS 2025, algorithm 1.
//!
//! The actor is drawn in proportion to the events it has left, counted in a pilot run. Where the counts are
//! right and nobody waits for anybody, every interleaving is equally likely; the plain walk favours those in
//! which short actors end early.

use super::estimates::Estimates;
use super::table::{Spins, Table};
use super::weights::{UNIT, Weights, Who};
use super::{Actors, Policy, Slot};
use crate::tape::Stream;

/// In proportion to what is left.
pub struct Urw {
    /// Whether there was a pilot run.
    counted: bool,
    weights: Weights,
    table: Table<(Who, Spins)>,
}

impl Urw {
    /// With the counts of a pilot run; without them it is the random walk.
    #[must_use]
    pub fn new(estimates: &Estimates) -> Self {
        let mut weights = Weights::default();
        estimates.connections.iter().for_each(|(&origin, &count)| weights.add(origin, count));
        Self { counted: !estimates.connections.is_empty(), weights, table: Table::new() }
    }

    #[inline]
    fn catch_up(&mut self, actors: &Actors) {
        let weights = &mut self.weights;
        self.table.welcome(actors, |slot| {
            let who = Who::of(actors.actor(slot));
            weights.make_room(who.origin as usize);
            (who, Spins::default())
        });
    }

    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        let (who, spins) = self.table.get_mut(slot);
        // Deviation: the paper has no spinning threads. A vain retry was not counted as progress, and is not now.
        spins.took_turn(actors.is_spinning(slot));
        if !actors.is_spinning(slot) {
            self.weights.took_turn(who.origin as usize);
        }
    }

    #[inline]
    fn share(&self, slot: Slot, actors: &Actors) -> u64 {
        let &(who, spins) = self.table.get(slot);
        let share = if self.counted { self.weights.share(who) } else { UNIT };
        if actors.is_spinning(slot) { share >> spins.shift() } else { share }
    }
}

impl Policy for Urw {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.catch_up(actors);
        self.weights.look(actors, |slot| self.table.get(slot).0);
        let mut total = 0;
        actors.each_enabled(|slot| total += self.share(slot, actors));
        let mut left = draws.below(total);
        let mut picked = None;
        actors.each_enabled(|slot| {
            if picked.is_none() {
                let share = self.share(slot, actors);
                if left < share {
                    picked = Some(slot);
                } else {
                    left -= share;
                }
            }
        });
        let slot = picked.expect("the draw lies below the sum of the shares");
        self.took_turn(slot, actors);
        slot
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, _: &mut Stream) {
        self.catch_up(actors);
        self.took_turn(slot, actors);
    }
}
