//! SURW, the selectively uniform random walk: Zhao, Wolff, Mathur, Roychoudhury, *Selectively Uniform
//! Concurrency Testing*, ASPLOS 2025, algorithm 2.
//!
//! One to three places are chosen for the run. The orders of the events on them are sampled uniformly, as
//! [`Urw`](super::Urw) does with all events; everything else happens in between by random priorities. The
//! origin that is to have the next event on a chosen place, the *intended* one, is drawn in proportion to the
//! events it has left there, and whoever else comes to such an event is parked until then.

use super::estimates::{Estimates, Spot};
use super::keys::Keys;
use super::table::{Spins, Table};
use super::weights::{UNIT, Weights, Who};
use super::{Actors, Policy, Slot};
use crate::tape::Stream;

/// Uniform on a few places.
pub struct Surw {
    spots_max: u32,
    estimates: Estimates,
    chosen: Vec<Spot>,
    weights: Weights,
    intended: Option<u32>,
    keys: Keys,
    /// By slot, padded to whole words of slots: the origin, and [`CHOSEN`] for an event on a chosen place.
    marks: Vec<u32>,
    spins: Table<Spins>,
    /// By origin, while one is drawn.
    chances: Vec<u64>,
    /// Picks in a row of spinners while others may be parked.
    vain_picks: u32,
}

/// The event is on a chosen place.
const CHOSEN: u32 = 1 << 31;
/// After so many, who is parked is what they wait for.
const VAIN_PICKS_MAX: u32 = 32;

impl Surw {
    /// At most `spots_max` places are chosen, among those of the pilot run.
    #[must_use]
    pub fn new(spots_max: u32, estimates: Estimates) -> Self {
        Self {
            spots_max,
            estimates,
            chosen: Vec::new(),
            weights: Weights::default(),
            intended: None,
            keys: Keys::default(),
            marks: Vec::new(),
            spins: Table::new(),
            chances: Vec::new(),
            vain_picks: 0,
        }
    }

    /// Draws the places, those with many events more often, as the authors' programs do.
    ///
    /// Deviation: the authors choose one address per run. Storage engines have bugs between two pages, or
    /// a page and a latch, so up to three are chosen.
    fn choose(&mut self, draws: &mut Stream) {
        let mut spots: Vec<(&Spot, u64)> =
            self.estimates.spots.iter().map(|(spot, by)| (spot, by.values().sum::<u64>())).collect();
        let count = 1 + draws.below(u64::from(self.spots_max.max(1)));
        for _ in 0..count.min(spots.len() as u64) {
            let mut left = draws.below(spots.iter().map(|&(_, count)| count).sum());
            let at = spots.iter().position(|&(_, count)| {
                let hit = left < count;
                left = left.saturating_sub(count);
                hit
            });
            self.chosen.push(spots.remove(at.unwrap_or(0)).0.clone());
        }
        for spot in &self.chosen {
            self.estimates.spots[spot].iter().for_each(|(&origin, &count)| self.weights.add(origin, count));
        }
        if self.chosen.is_empty() {
            // No place is shared, or none has a name: then all events are of interest, and it is URW.
            self.estimates.connections.iter().for_each(|(&origin, &count)| self.weights.add(origin, count));
        }
    }

    /// Gives new events, and those of who has had a turn, their priorities.
    #[inline]
    fn catch_up(&mut self, actors: &Actors, draws: &mut Stream) {
        let (weights, chances, chosen) = (&mut self.weights, &mut self.chances, &self.chosen);
        let (keys, marks) = (&mut self.keys, &mut self.marks);
        let mut read = |slot: Slot, newcomer: Option<u32>, spins| {
            if let Some(origin) = newcomer {
                marks.resize(marks.len().max((slot / 64 + 1) * 64), 0);
                marks[slot] = origin;
                weights.make_room(origin as usize);
                chances.resize(chances.len().max(origin as usize + 1), 0);
            }
            let label = actors.next_ref(slot);
            let of_interest = chosen.is_empty() || chosen.iter().any(|spot| spot.touches(label));
            marks[slot] = (marks[slot] & !CHOSEN) | if of_interest { CHOSEN } else { 0 };
            keys.draw(slot, spins, actors, draws);
        };
        self.spins.welcome(actors, |slot| {
            read(slot, Some(Who::of(actors.actor(slot)).origin), Spins::default());
            Spins::default()
        });
        self.spins.relabel(actors, |slot, spins| read(slot, None, *spins));
    }

    /// The highest priority among those that are not parked.
    #[inline]
    fn highest(&self, actors: &Actors) -> Option<Slot> {
        match self.intended {
            None => self.keys.highest(actors, |_| true),
            Some(intended) => {
                let marks = &self.marks;
                self.keys.highest(actors, |slot| (marks[slot] & CHOSEN == 0) | (marks[slot] & !CHOSEN == intended))
            }
        }
    }

    /// Draws an origin among those that could run, in proportion to what they have left on the chosen places.
    fn draw_intended(&mut self, actors: &Actors, draws: &mut Stream) -> Option<u32> {
        let (marks, spins, weights, chances) = (&self.marks, &self.spins, &self.weights, &mut self.chances);
        chances.fill(0);
        actors.each_enabled(|slot| {
            let origin = (marks[slot] & !CHOSEN) as usize;
            let shift = if actors.is_spinning(slot) { spins.get(slot).shift() } else { 0 };
            chances[origin] = chances[origin].max((weights.left(origin) * UNIT) >> shift);
        });
        let mut left = draws.below(chances.iter().sum());
        let drawn = chances.iter().position(|&chance| {
            let hit = left < chance;
            left = left.saturating_sub(chance);
            hit
        });
        drawn.map(|origin| origin as u32)
    }

    fn is_chosen(&self, slot: Slot) -> bool {
        self.marks[slot] & CHOSEN != 0
    }

    /// The event of `slot` happens.
    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        self.spins.get_mut(slot).took_turn(actors.is_spinning(slot));
        if self.is_chosen(slot) {
            self.weights.took_turn((self.marks[slot] & !CHOSEN) as usize);
            self.intended = None;
        }
        self.spins.took_turn(slot);
    }
}

impl Policy for Surw {
    fn begin(&mut self, draws: &mut Stream) {
        self.choose(draws);
    }

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.catch_up(actors, draws);
        loop {
            let Some(slot) = self.highest(actors) else {
                // The intended one waits for somebody who is parked.
                self.intended = None;
                continue;
            };
            // Deviation: the paper has no spinning threads. The intended one may spin until a parked one goes on.
            self.vain_picks = if actors.is_spinning(slot) { self.vain_picks + 1 } else { 0 };
            if self.intended.is_some() && self.vain_picks > VAIN_PICKS_MAX {
                (self.intended, self.vain_picks) = (None, 0);
                continue;
            }
            if self.intended.is_some() || !self.is_chosen(slot) {
                self.took_turn(slot, actors);
                return slot;
            }
            self.intended = self.draw_intended(actors, draws);
        }
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, draws: &mut Stream) {
        self.catch_up(actors, draws);
        self.took_turn(slot, actors);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::aio::Resource;
    use crate::sched::estimates::Origin;
    use crate::tape::Actor;

    /// Connection 0 spins until connection 1, which is about to touch a chosen place, has been there.
    #[test]
    fn who_is_parked_goes_on_when_the_intended_one_only_spins() {
        let page = Resource::write("page", 1);
        for seed in 0..32 {
            let mut actors = Actors::new();
            let spinner = actors.add(Actor::Connection(0), Resource::Unknown, 0);
            let parked = actors.add(Actor::Connection(1), page, 1);
            actors.enable(spinner, 0);
            actors.enable(parked, 0);
            actors.set_next(spinner, Resource::Unknown, true);
            let by = [0, 1].map(|connection| (Origin::of(Actor::Connection(connection)), 5));
            let spots = BTreeMap::from([("page#1".parse().expect("a place"), BTreeMap::from(by))]);
            let mut policy = Surw::new(1, Estimates { spots, ..Estimates::default() });
            let mut draws = Stream::new(seed, "policy", 0);
            policy.begin(&mut draws);
            let picked = (0..200).any(|turn| {
                let slot = policy.pick(&actors, &mut draws);
                actors.set_current(slot, turn);
                slot == parked
            });
            assert!(picked, "seed {seed}");
        }
    }
}
