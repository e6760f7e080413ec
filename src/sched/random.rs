//! Uniform over the enabled actors; the sticky variant lets the current one go on most of the time, which
//! makes long segments and few context switches.

use super::{Actors, Policy, Slot};
use crate::tape::{Ratio, Stream};

/// The plain policy.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    sticky: Ratio,
}

impl Random {
    /// `sticky` is how likely the current actor goes on without a draw among all; 0 for the plain policy.
    #[must_use]
    pub const fn new(sticky: Ratio) -> Self {
        Self { sticky }
    }
}

impl Policy for Random {
    fn begin(&mut self, _: &mut Stream) {}

    #[inline]
    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        if let Some(current) = actors.current()
            && !self.sticky.is_zero()
            && actors.is_enabled(current)
            && !actors.is_spinning(current)
            && draws.chance(self.sticky)
        {
            return current;
        }
        actors.nth_enabled(draws.below(actors.enabled_count() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Resource;
    use crate::tape::Actor;

    fn counts(sticky: Ratio) -> ([u32; 4], u32) {
        let mut actors = Actors::new();
        for connection in 0..4 {
            let slot = actors.add(Actor::Connection(connection), Resource::Unknown, 0);
            actors.enable(slot, 0);
        }
        let (mut policy, mut draws) = (Random::new(sticky), Stream::new(1, "test", 0));
        let (mut counts, mut switches) = ([0; 4], 0);
        for turn in 0..40_000 {
            let slot = policy.pick(&actors, &mut draws);
            switches += u32::from(actors.current() != Some(slot));
            counts[slot] += 1;
            actors.set_current(slot, turn);
        }
        (counts, switches)
    }

    #[test]
    fn every_actor_has_the_same_share() {
        // Binomial with n = 40,000 and p = 1/4: a standard deviation of 87, so 6 of them on either side.
        let (counts, switches) = counts(Ratio::ZERO);
        assert!(counts.iter().all(|count| (9_480..10_520).contains(count)), "{counts:?}");
        assert!((29_480..30_520).contains(&switches), "{switches}");
    }

    #[test]
    fn the_sticky_variant_switches_as_rarely_as_it_says() {
        // It leaves with 1/10 × 3/4: 3,000 of 40,000, a standard deviation of 53.
        let (_, switches) = counts(Ratio::new(9, 10));
        assert!((2_680..3_320).contains(&switches), "{switches}");
    }
}
