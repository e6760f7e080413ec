//! The next connection, in a fixed order; whatever I/O is in flight completes first, in the order in which
//! it was issued. This is what Turso's Whopper does, kept as the baseline that others are measured against.

use super::{Actors, Policy, Slot};
use crate::tape::Stream;

/// The baseline.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobin {
    last: Slot,
}

impl RoundRobin {
    /// Starts at the first connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: Slot::MAX }
    }
}

impl Policy for RoundRobin {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, _: &mut Stream) -> Slot {
        if let Some(io) = actors.enabled().filter(|&slot| actors.is_io(slot)).min_by_key(|&slot| actors.born(slot)) {
            return io;
        }
        let last = self.last;
        let next =
            actors.enabled().find(|&slot| last != Slot::MAX && slot > last).unwrap_or_else(|| actors.nth_enabled(0));
        self.last = next;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Resource;
    use crate::tape::Actor;

    #[test]
    fn io_drains_in_order_and_connections_take_turns() {
        let mut actors = Actors::new();
        let connections: Vec<Slot> =
            (0..3).map(|connection| actors.add(Actor::Connection(connection), Resource::Unknown, 0)).collect();
        let ios: Vec<Slot> =
            (0..2).map(|nth| actors.add(Actor::Io { connection: 2, op: 0, nth }, Resource::Unknown, 0)).collect();
        connections.iter().chain(ios.iter().rev()).for_each(|&slot| actors.enable(slot, 0));
        let (mut policy, mut draws) = (RoundRobin::new(), Stream::new(1, "test", 0));
        let mut picked = vec![];
        for turn in 0..7 {
            let slot = policy.pick(&actors, &mut draws);
            picked.push(actors.actor(slot).to_string());
            actors.set_current(slot, turn);
            if actors.is_io(slot) {
                actors.remove(slot);
            }
        }
        assert_eq!(picked, ["c2/op0/io0", "c2/op0/io1", "c0", "c1", "c2", "c0", "c1"]);
    }
}
