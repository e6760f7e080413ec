//! SURW, the selectively uniform random walk: Zhao, Wolff, Mathur, Roychoudhury, *Selectively Uniform
//! Concurrency Testing*, ASPLOS 2025, algorithm 2.
//!
//! One to three places are chosen for the run. The orders of the events on them are sampled uniformly, as
//! [`Urw`](super::Urw) does with all events; everything else happens in between by random priorities. The
//! origin that is to have the next event on a chosen place, the *intended* one, is drawn in proportion to the
//! events it has left there, and whoever else comes to such an event is parked until then.

use super::estimates::{Estimates, Spot};
use super::pos::fresh;
use super::table::{Spins, Table};
use super::weights::{UNIT, Weights, Who};
use super::{Actors, Policy, Slot};
use crate::aio::Resource;
use crate::tape::Stream;

/// Uniform on a few places.
pub struct Surw {
    spots_max: u32,
    estimates: Estimates,
    chosen: Vec<Spot>,
    weights: Weights,
    intended: Option<u32>,
    pending: Table<Pending>,
    /// By origin, while one is drawn.
    chances: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    /// 0 while it has none.
    priority: u64,
    /// On a chosen place.
    chosen: bool,
    who: Who,
    spins: Spins,
}

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
            pending: Table::new(),
            chances: Vec::new(),
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

    #[inline]
    fn catch_up(&mut self, actors: &Actors) {
        let (weights, chances, chosen) = (&mut self.weights, &mut self.chances, &self.chosen);
        let of_interest = |resource: &Resource| chosen.is_empty() || chosen.iter().any(|spot| spot.touches(resource));
        self.pending.welcome(actors, |slot| {
            let who = Who::of(actors.actor(slot));
            weights.make_room(who.origin as usize);
            chances.resize(chances.len().max(who.origin as usize + 1), 0);
            Pending { who, chosen: of_interest(actors.next_ref(slot)), ..Pending::default() }
        });
        self.pending.relabel(actors, |slot, pending| pending.chosen = of_interest(actors.next_ref(slot)));
    }

    /// The highest priority among those that are not parked.
    #[inline]
    fn highest(&mut self, actors: &Actors, draws: &mut Stream) -> Option<Slot> {
        let (mut best, mut highest) = (None, 0);
        let (pending, intended) = (&mut self.pending, self.intended);
        actors.each_enabled(|slot| {
            let event = pending.get_mut(slot);
            if event.priority == 0 {
                event.priority = fresh(slot, event.spins, actors, draws);
            }
            let parked = event.chosen && intended.is_some_and(|intended| intended != event.who.origin);
            if event.priority > highest && !parked {
                (best, highest) = (Some(slot), event.priority);
            }
        });
        best
    }

    /// Draws an origin among those that could run, in proportion to what they have left on the chosen places.
    fn draw_intended(&mut self, actors: &Actors, draws: &mut Stream) -> Option<u32> {
        let (pending, weights, chances) = (&self.pending, &self.weights, &mut self.chances);
        chances.fill(0);
        actors.each_enabled(|slot| {
            let event = pending.get(slot);
            let shift = if actors.is_spinning(slot) { event.spins.shift() } else { 0 };
            let chance = &mut chances[event.who.origin as usize];
            *chance = (*chance).max((weights.left(event.who.origin as usize) * UNIT) >> shift);
        });
        let mut left = draws.below(chances.iter().sum());
        let drawn = chances.iter().position(|&chance| {
            let hit = left < chance;
            left = left.saturating_sub(chance);
            hit
        });
        drawn.map(|origin| origin as u32)
    }

    /// The event of `slot` happens.
    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        let event = self.pending.get_mut(slot);
        event.priority = 0;
        event.spins.took_turn(actors.is_spinning(slot));
        if event.chosen {
            self.weights.took_turn(event.who.origin as usize);
            self.intended = None;
        }
        self.pending.took_turn(slot);
    }
}

impl Policy for Surw {
    fn begin(&mut self, draws: &mut Stream) {
        self.choose(draws);
    }

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.catch_up(actors);
        loop {
            let Some(slot) = self.highest(actors, draws) else {
                // The intended one waits for somebody who is parked.
                self.intended = None;
                continue;
            };
            if self.intended.is_some() || !self.pending.get(slot).chosen {
                self.took_turn(slot, actors);
                return slot;
            }
            self.intended = self.draw_intended(actors, draws);
        }
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, _: &mut Stream) {
        self.catch_up(actors);
        self.took_turn(slot, actors);
    }
}
