//! The pilot run: the plain random walk, with a count of what happened. It is a wrapper, so that a run
//! that is not a pilot pays nothing for it.
//!
//! A pilot is a pure function of engine and resolved scenario; it judges nothing and is never reported.

use std::collections::BTreeMap;

use super::estimates::{Estimates, KindEstimate, Origin, Spot};
use super::{Actors, Policy, Slot};
use crate::aio::{FileId, IoKind, Resource};
use crate::tape::{Ratio, Stream};

/// How many places are kept: those with the most turns.
const SPOTS_MAX: usize = 64;

/// Counts while it walks at random.
pub struct Pilot {
    walk: super::Random,
    counts: Estimates,
    /// Turns of each origin since its last operation ended.
    since: BTreeMap<Origin, u64>,
    spots: BTreeMap<Key, Touched>,
}

#[derive(Default)]
struct Touched {
    changed: bool,
    by: BTreeMap<Origin, u64>,
}

/// A spot, without text of its own: what is looked up at each turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Named(&'static str, u64),
    File(FileId),
    Byte(FileId, u64),
}

impl Pilot {
    /// Nothing counted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            walk: super::Random::new(Ratio::ZERO),
            counts: Estimates {
                turns: 0,
                connections: BTreeMap::new(),
                kinds: BTreeMap::new(),
                spots: BTreeMap::new(),
            },
            since: BTreeMap::new(),
            spots: BTreeMap::new(),
        }
    }

    fn count(&mut self, slot: Slot, actors: &Actors) {
        let origin = Origin::of(actors.actor(slot));
        self.counts.turns += 1;
        *self.counts.connections.entry(origin).or_default() += 1;
        *self.since.entry(origin).or_default() += 1;
        match *actors.next_ref(slot) {
            Resource::Unknown => {}
            Resource::Named { name, index, write } => self.touch(Key::Named(name, index), origin, write),
            Resource::File { file, kind, start, end } => {
                self.touch(Key::File(file), origin, kind != IoKind::Read);
                if end != u64::MAX {
                    self.touch(Key::Byte(file, start), origin, kind != IoKind::Read);
                }
            }
        }
    }

    fn touch(&mut self, key: Key, origin: Origin, changed: bool) {
        let touched = self.spots.entry(key).or_default();
        touched.changed |= changed;
        *touched.by.entry(origin).or_default() += 1;
    }
}

impl Default for Pilot {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy for Pilot {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        let slot = self.walk.pick(actors, draws);
        self.count(slot, actors);
        slot
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, _: &mut Stream) {
        self.count(slot, actors);
    }

    fn hears_operations(&self) -> bool {
        true
    }

    fn operation_ended(&mut self, slot: Slot, kind: &'static str, actors: &Actors) {
        let turns = self.since.insert(Origin::of(actors.actor(slot)), 0).unwrap_or(0);
        if !self.counts.kinds.contains_key(kind) {
            self.counts.kinds.insert(kind.to_string(), KindEstimate::default());
        }
        if let Some(counted) = self.counts.kinds.get_mut(kind) {
            counted.operations += 1;
            counted.turns += turns;
        }
    }

    fn take_estimates(&mut self) -> Option<Estimates> {
        let shared = std::mem::take(&mut self.spots).into_iter().filter(|(_, spot)| spot.changed && spot.by.len() > 1);
        let mut spots: Vec<(Key, BTreeMap<Origin, u64>)> = shared.map(|(key, spot)| (key, spot.by)).collect();
        spots.sort_by_key(|(key, by)| (std::cmp::Reverse(by.values().sum::<u64>()), *key));
        self.counts.spots = spots.into_iter().take(SPOTS_MAX).map(|(key, by)| (key.spot(), by)).collect();
        Some(std::mem::take(&mut self.counts))
    }
}

impl Key {
    fn spot(self) -> Spot {
        match self {
            Self::Named(name, index) => Spot::Named { name: name.to_string(), index },
            Self::File(file) => Spot::File(file),
            Self::Byte(file, at) => Spot::Byte { file, at },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Actor;

    #[test]
    fn turns_are_counted_for_their_connection_and_shared_places_are_kept() {
        let mut actors = Actors::new();
        let write = |start| Resource::File { file: FileId(3), kind: IoKind::Write, start, end: start + 10 };
        let c0 = actors.add(Actor::Connection(0), Resource::read("page", 1), 0);
        let c1 = actors.add(Actor::Connection(1), Resource::write("page", 1), 0);
        let io0 = actors.add(Actor::Io { connection: 0, op: 0, nth: 0 }, write(0), 0);
        let io1 = actors.add(Actor::Io { connection: 1, op: 0, nth: 0 }, write(20), 0);
        let (mut pilot, mut draws) = (Pilot::new(), Stream::new(1, "test", 0));
        for slot in [c0, c1, io0, io1] {
            actors.enable(slot, 0);
            assert_eq!(pilot.pick(&actors, &mut draws), slot);
            actors.disable(slot);
        }
        pilot.operation_ended(c1, "put", &actors);
        actors.set_next(c0, Resource::read("page", 2), false);
        [c0, c1].into_iter().for_each(|slot| actors.enable(slot, 0));
        actors.set_next(c1, Resource::read("page", 2), false);
        [c0, c1].into_iter().for_each(|slot| pilot.overruled(slot, &actors, &mut draws));
        let estimates = pilot.take_estimates().unwrap();
        assert_eq!(estimates.turns, 6);
        assert_eq!(estimates.connections, [(Origin(0), 3), (Origin(1), 3)].into());
        assert_eq!(estimates.kinds, [("put".into(), KindEstimate { operations: 1, turns: 2 })].into());
        // Page 2 is only read, and the two bytes are touched by one connection each.
        let spots: Vec<String> = estimates.spots.keys().map(ToString::to_string).collect();
        assert_eq!(spots, ["page#1", "file 3"]);
        assert!(estimates.spots.values().all(|by| *by == [(Origin(0), 1), (Origin(1), 1)].into()));
    }
}
