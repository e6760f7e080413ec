//! PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, *A Randomized Scheduler with Probabilistic Guarantees
//! of Finding Bugs*, ASPLOS 2010.
//!
//! Each actor has a random priority and the highest enabled one runs; at `depth` - 1 random steps the actor
//! that has run drops below all initial priorities. A bug that `depth` ordering constraints between steps
//! suffice to produce is found with a probability of at least 1 / (n k^(depth - 1)) with n actors and k steps.
//!
//! ```text
//! c0 ■■■■■■■■▼- - - - - - - - -■■■     ▼ a change point: c0 drops
//! c1          ■■■■▼- - - - - -          the later of two may be the one that comes back first: ranks are
//! c2               ■■■■■■■■■■■          dealt at random
//! ```

use super::table::Table;
use super::{Actors, Policy, Slot};
use crate::tape::Stream;

/// The length that is assumed of a run without a pilot.
const STEPS_ASSUMED: u64 = 1_000;
/// Initial priorities have this bit set, so that they are above all ranks of change points, and these above
/// spinners, whose priorities are negative.
const INITIAL: i64 = 1 << 62;

/// Random priorities with a few changes.
pub struct Pct {
    depth: u32,
    steps_max: u64,
    step: u64,
    /// In which step the actor that runs drops to which rank, the next one last.
    changes: Vec<(u64, i64)>,
    lowest: i64,
    priorities: Table<i64>,
}

impl Pct {
    /// For bugs of `depth`, in runs of `turns` turns; 0 when nobody knows.
    ///
    /// Those in which only one actor can run are no steps, but are counted all the same: too large a k makes
    /// changes come after the end now and then; too small a one leaves the end without any, and other runs
    /// have choices where the pilot had none.
    #[must_use]
    pub fn new(depth: u32, turns: u64) -> Self {
        let steps_max = if turns == 0 { STEPS_ASSUMED } else { turns };
        Self { depth, steps_max, step: 0, changes: Vec::new(), lowest: 0, priorities: Table::new() }
    }

    #[inline]
    fn welcome(&mut self, actors: &Actors, draws: &mut Stream) {
        // Deviation: the paper deals the ranks 1 to n, which needs n. Who comes later draws from the same
        // range, and so has any rank among the others; that two draw the same number does not happen in 2^62.
        self.priorities.welcome(actors, |_| INITIAL | (draws.bits() >> 2) as i64);
    }

    /// The actor in `slot` has the turn.
    #[inline]
    fn took_turn(&mut self, slot: Slot, actors: &Actors) {
        // A step in which only one could run cannot be the place of a change that matters: the paper, 4.1.
        if actors.enabled_count() < 2 {
            return;
        }
        self.step += 1;
        while let Some(&(step, rank)) = self.changes.last()
            && step <= self.step
        {
            self.changes.pop();
            *self.priorities.get_mut(slot) = rank;
        }
    }
}

impl Policy for Pct {
    fn begin(&mut self, draws: &mut Stream) {
        self.changes = (1..i64::from(self.depth.max(1))).map(|rank| (1 + draws.below(self.steps_max), rank)).collect();
        self.changes.sort_by_key(|&(step, _)| std::cmp::Reverse(step));
    }

    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot {
        self.welcome(actors, draws);
        // Deviation: the paper has no spinning threads. Who spins needs another one to go on, and would keep
        // it from doing so for ever; it drops below everybody.
        if let Some(current) = actors.current()
            && actors.is_spinning(current)
        {
            self.lowest -= 1;
            *self.priorities.get_mut(current) = self.lowest;
        }
        let (mut best, mut highest) = (0, i64::MIN);
        actors.each_enabled(|slot| {
            let priority = *self.priorities.get(slot);
            if priority > highest {
                (best, highest) = (slot, priority);
            }
        });
        self.took_turn(best, actors);
        best
    }

    fn overruled(&mut self, slot: Slot, actors: &Actors, draws: &mut Stream) {
        self.welcome(actors, draws);
        // Who was passed over for so long is given a new start; else it would wait as long again.
        *self.priorities.get_mut(slot) = INITIAL | (draws.bits() >> 2) as i64;
        self.took_turn(slot, actors);
    }
}
