//! Random priorities by slot, and the highest of them.
//!
//! A key is a random number whose lowest bits are its slot, so that to find the highest means to take the greater
//! of two words so often, without a branch that nobody can predict. Two keys never tie.

use super::table::Spins;
use super::{Actors, Slot};
use crate::tape::Stream;

const SLOT_BITS: u32 = 20;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// Set in every key, so that a key is never 0.
const MARK: u64 = 1 << SLOT_BITS;
/// With fewer enabled in a word, they are looked for one by one.
const DENSE: u32 = 12;

/// Calls `visit` with the enabled slots among 64, and ors what it answers into a word.
#[inline]
fn gather(word: u64, base: Slot, visit: impl Fn(Slot) -> bool) -> u64 {
    let mut hits = 0;
    if word.count_ones() >= DENSE {
        (0..64).for_each(|bit| hits |= u64::from(visit(base + bit)) << bit);
        return hits & word;
    }
    let mut bits = word;
    while bits != 0 {
        let bit = bits.trailing_zeros();
        hits |= u64::from(visit(base + bit as usize)) << bit;
        bits &= bits - 1;
    }
    hits
}

/// The priorities of pending events.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Padded to whole words of slots.
    keys: Vec<u64>,
}

impl Keys {
    /// A priority for the pending event of `slot`.
    #[inline]
    pub(super) fn draw(&mut self, slot: Slot, spins: Spins, actors: &Actors, draws: &mut Stream) {
        if slot >= self.keys.len() {
            assert!(slot as u64 <= SLOT_MASK, "a table of a million actors");
            self.keys.resize((slot / 64 + 1) * 64, 0);
        }
        // Deviation from the papers, which have no spinning threads. A retry draws from the lower end, so that
        // others go first most of the time; never last for certain, for what it waits for may have happened.
        let shift = if actors.is_spinning(slot) { spins.shift() } else { 0 };
        self.keys[slot] = ((draws.bits() >> shift) & !SLOT_MASK) | MARK | slot as u64;
    }

    /// The enabled slot with the highest priority among those that `may`, which is asked about others too.
    #[inline]
    pub(super) fn highest(&self, actors: &Actors, may: impl Fn(Slot) -> bool) -> Option<Slot> {
        let mut highest = 0;
        for (index, (&word, keys)) in actors.enabled_words().iter().zip(self.keys.chunks_exact(64)).enumerate() {
            let base = index * 64;
            if word.count_ones() >= DENSE {
                for (bit, &key) in keys.iter().enumerate() {
                    let counts = (word >> bit) & u64::from(may(base + bit));
                    highest = highest.max(key & 0u64.wrapping_sub(counts & 1));
                }
                continue;
            }
            let mut bits = word;
            while bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                highest = highest.max(keys[bit] & 0u64.wrapping_sub(u64::from(may(base + bit))));
                bits &= bits - 1;
            }
        }
        (highest != 0).then_some((highest & SLOT_MASK) as Slot)
    }
}

/// Calls `visit` with each enabled slot for which `may` holds; `may` is asked about others too.
#[inline]
pub(super) fn each(actors: &Actors, may: impl Fn(Slot) -> bool, mut visit: impl FnMut(Slot)) {
    for (index, &word) in actors.enabled_words().iter().enumerate() {
        let mut hits = gather(word, index * 64, &may);
        while hits != 0 {
            visit(index * 64 + hits.trailing_zeros() as usize);
            hits &= hits - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Resource;
    use crate::tape::Actor;

    #[test]
    fn the_highest_of_many_is_the_highest_of_a_plain_list() {
        // Few and many enabled in a word, and more than one word.
        let mut draws = Stream::new(1, "test", 0);
        for round in 0..500 {
            let (mut actors, mut keys) = (Actors::new(), Keys::default());
            for connection in 0..150 {
                let slot = actors.add(Actor::Connection(connection), Resource::Unknown, 0);
                keys.draw(slot, Spins::default(), &actors, &mut draws);
                if draws.below(1 + round % 40) == 0 {
                    actors.enable(slot, 0);
                }
            }
            let even = |slot: Slot| slot.is_multiple_of(2);
            let expected = actors.enabled().filter(|&slot| even(slot)).max_by_key(|&slot| keys.keys[slot]);
            assert_eq!(keys.highest(&actors, even), expected);
            let mut visited = vec![];
            each(&actors, even, |slot| visited.push(slot));
            assert_eq!(visited, actors.enabled().filter(|&slot| even(slot)).collect::<Vec<_>>());
        }
    }
}
