//! Park: hold somebody in the middle of something while others finish whole operations.
//!
//! No paper. Bugs that need one actor to be slow and all others to be quick (a checkpoint that has read a
//! page, and commits that go on) are out of reach of walks that choose anew at each turn: that the same
//! actor loses a hundred draws in a row does not happen. So a pending event is drawn, by its origin and its
//! number there, and when it would happen it is held until others have finished so many operations.
//!
//! ```text
//! c0 ■■■■■■■(- - - - - - - - - - - - - - -)■■■■■     held at its 8th event, for 3 operations of others
//! c1 ■■ ■■■■ ■■■ ■|op   ■■■■■|op  ■■■■■■|op
//! ```

use super::estimates::{Estimates, Origin};
use super::{Actors, Policy, Slot};
use crate::tape::Stream;

/// The length that is assumed of a run without a pilot.
const TURNS_ASSUMED: u64 = 1_000;
/// Picks in a row among nobody but spinners, after which somebody held is what they wait for.
const VAIN_PICKS_MAX: u32 = 32;

/// The random walk with holds.
pub struct Park {
    holds_max: u32,
    operations_max: u32,
    targets: Vec<(Origin, u64)>,
    length: u64,
    planned: Vec<Hold>,
    held: Vec<Held>,
    turn: u64,
    /// Events so far, by origin.
    events: Vec<u64>,
    vain_picks: u32,
}

/// A hold to come.
#[derive(Clone, Copy, Debug)]
struct Hold {
    /// `None`: whoever is picked, `number` being that of the turn.
    origin: Option<Origin>,
    number: u64,
    operations: u64,
}

/// A hold under way.
#[derive(Clone, Copy, Debug)]
struct Held {
    slot: Slot,
    owner: u64,
    operations: u64,
}

impl Park {
    /// At most `holds_max` holds, each for at most `operations_max` operations of others.
    #[must_use]
    pub fn new(holds_max: u32, operations_max: u32, estimates: &Estimates) -> Self {
        // A hold of the engine's own jobs would hold everybody, so it shows nothing.
        let targets = estimates.connections.iter().filter(|&(&origin, &count)| origin != Origin::ENGINE && count > 0);
        Self {
            holds_max,
            operations_max,
            targets: targets.map(|(&origin, &count)| (origin, count)).collect(),
            length: if estimates.turns == 0 { TURNS_ASSUMED } else { estimates.turns },
            planned: Vec::new(),
            held: Vec::new(),
            turn: 0,
            events: Vec::new(),
            vain_picks: 0,
        }
    }

    fn is_held(&self, slot: Slot) -> bool {
        self.held.iter().any(|held| held.slot == slot)
    }

    /// Lets go whose actor is gone, or whose turn nobody else can have.
    fn release(&mut self, actors: &Actors) {
        self.held.retain(|held| held.slot < actors.slots() && actors.share(held.slot) == held.owner);
        if self.held.is_empty() {
            return;
        }
        let (mut others, mut busy) = (0, 0);
        actors.each_enabled(|slot| {
            let other = !self.is_held(slot);
            others += u32::from(other);
            busy += u32::from(other && !actors.is_spinning(slot));
        });
        self.vain_picks = if busy == 0 { self.vain_picks + 1 } else { 0 };
        if others == 0 || self.vain_picks > VAIN_PICKS_MAX {
            self.vain_picks = 0;
            let oldest = self.held.iter().position(|held| actors.is_enabled(held.slot)).unwrap_or(0);
            self.held.remove(oldest);
        }
    }

    /// One of those that are not held, uniformly.
    fn walk(&self, actors: &Actors, draws: &mut Stream) -> Slot {
        if self.held.is_empty() {
            return actors.nth_enabled(draws.below(actors.enabled_count() as u64) as usize);
        }
        let free: Vec<Slot> = actors.enabled().filter(|&slot| !self.is_held(slot)).collect();
        free[draws.below(free.len() as u64) as usize]
    }

    /// The hold that strikes the next event of `slot`, if one was planned.
    fn strikes(&mut self, slot: Slot, actors: &Actors) -> Option<Hold> {
        let origin = Origin::of(actors.actor(slot));
        let number = self.events.get(origin.index()).copied().unwrap_or(0);
        let turn = self.turn;
        let at = self.planned.iter().position(|hold| match hold.origin {
            Some(target) => target == origin && hold.number == number,
            None => hold.number <= turn,
        })?;
        Some(self.planned.swap_remove(at))
    }

    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        self.turn += 1;
        let index = Origin::of(actors.actor(slot)).index();
        self.events.resize(self.events.len().max(index + 1), 0);
        self.events[index] += 1;
    }
}

impl Policy for Park {
    fn begin(&mut self, draws: &mut Stream) {
        for _ in 0..1 + draws.below(u64::from(self.holds_max.max(1))) {
            let (origin, length) = match self.targets.len() as u64 {
                0 => (None, self.length),
                // Each connection is as likely as any other, however little it does: a checkpointer, say.
                count => {
                    let (origin, length) = self.targets[draws.below(count) as usize];
                    (Some(origin), length)
                }
            };
            let (number, operations) = (draws.below(length), 1 + draws.below(u64::from(self.operations_max.max(1))));
            self.planned.push(Hold { origin, number, operations });
        }
    }

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        loop {
            self.release(actors);
            let slot = self.walk(actors, draws);
            let Some(hold) = self.strikes(slot, actors) else {
                self.took_turn(slot, actors);
                return slot;
            };
            self.held.push(Held { slot, owner: actors.share(slot), operations: hold.operations });
        }
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, _: &mut Stream) {
        self.held.retain(|held| held.slot != slot);
        self.took_turn(slot, actors);
    }

    fn hears_operations(&self) -> bool {
        true
    }

    fn operation_ended(&mut self, slot: Slot, _: &'static str, actors: &Actors) {
        let ended = actors.actor(slot).connection();
        for held in &mut self.held {
            if held.slot < actors.slots() && actors.actor(held.slot).connection() != ended {
                held.operations -= 1;
            }
        }
        self.held.retain(|held| held.operations > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Resource;
    use crate::tape::Actor;

    fn table(spinning: bool) -> Actors {
        let mut actors = Actors::new();
        for connection in 0..3 {
            let slot = actors.add(Actor::Connection(connection), Resource::Unknown, 0);
            actors.set_next(slot, Resource::Unknown, spinning && slot != 0);
            actors.enable(slot, 0);
        }
        actors
    }

    /// One hold, of connection 0 at its third event, for four operations.
    fn park() -> Park {
        let mut park = Park::new(1, 4, &Estimates::default());
        park.planned = vec![Hold { origin: Some(Origin(0)), number: 2, operations: 4 }];
        park
    }

    #[test]
    fn a_held_actor_goes_on_after_so_many_operations_of_others() {
        let (mut park, actors, mut draws) = (park(), table(false), Stream::new(1, "test", 0));
        let turns_of_0 =
            |park: &mut Park, draws: &mut Stream| (0..200).filter(|_| park.pick(&actors, draws) == 0).count();
        assert_eq!(turns_of_0(&mut park, &mut draws), 2);
        [1, 2, 0, 1].into_iter().for_each(|slot| park.operation_ended(slot, "get", &actors));
        assert_eq!(turns_of_0(&mut park, &mut draws), 0);
        park.operation_ended(2, "get", &actors);
        // A third of 200.
        assert!(turns_of_0(&mut park, &mut draws) > 30);
    }

    #[test]
    fn a_held_actor_goes_on_when_nobody_else_can() {
        let (mut park, mut actors, mut draws) = (park(), table(false), Stream::new(1, "test", 0));
        assert_eq!((0..100).filter(|_| park.pick(&actors, &mut draws) == 0).count(), 2);
        assert!(park.is_held(0));
        [1, 2].into_iter().for_each(|slot| actors.disable(slot));
        assert_eq!(park.pick(&actors, &mut draws), 0);
    }

    #[test]
    fn a_held_actor_goes_on_when_all_others_only_spin() {
        let (mut park, actors, mut draws) = (park(), table(true), Stream::new(1, "test", 0));
        let turns_of_0 = (0..300).filter(|_| park.pick(&actors, &mut draws) == 0).count();
        assert!(turns_of_0 > 50, "{turns_of_0}");
    }
}
