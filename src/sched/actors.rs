//! The table of actors: who there is, who is enabled, and what each will do next.
//!
//! The set of enabled actors is a bitset; its hash is the xor of the actors' shares and is kept up to date,
//! so that a turn costs the same with 4 actors as with 64.

use crate::aio::Resource;
use crate::tape::Actor;

/// An actor's place in the table. Places are used again; identities are not.
pub type Slot = usize;

/// All actors of a run.
#[derive(Clone, Debug, Default)]
pub struct Actors {
    enabled: Vec<u64>,
    enabled_count: usize,
    enabled_hash: u64,
    entries: Vec<Entry>,
    free: Vec<Slot>,
    born: u64,
    current: Option<Slot>,
    /// The connection on whose behalf an actor worked that had the last turn and is gone since.
    gone: Option<u16>,
}

#[derive(Clone, Debug)]
struct Entry {
    actor: Actor,
    share: u64,
    next: Resource,
    spinning: bool,
    /// The order of arrival; what "first in, first out" means for I/O.
    born: u64,
    /// The turn since which it has been waiting for its next.
    waiting_since: u64,
    tag: u64,
}

impl Actors {
    /// No actors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an actor, not enabled. `tag` is the caller's own.
    pub fn add(&mut self, actor: Actor, next: Resource, tag: u64) -> Slot {
        self.born += 1;
        let entry =
            Entry { actor, share: actor.share(), next, spinning: false, born: self.born, waiting_since: 0, tag };
        if let Some(slot) = self.free.pop() {
            self.entries[slot] = entry;
            return slot;
        }
        self.entries.push(entry);
        if self.entries.len() > self.enabled.len() * 64 {
            self.enabled.push(0);
        }
        self.entries.len() - 1
    }

    /// Removes an actor; its place will be used again.
    pub fn remove(&mut self, slot: Slot) {
        self.disable(slot);
        self.free.push(slot);
        if self.current == Some(slot) {
            self.current = None;
            self.gone = self.entries[slot].actor.connection();
        }
    }

    /// Removes all actors. The count of arrivals goes on, so that who comes now is not taken for who was here.
    pub fn clear(&mut self) {
        *self = Self { born: self.born, ..Self::new() };
    }

    /// Lets the actor be picked, from turn `now` on.
    #[inline]
    pub fn enable(&mut self, slot: Slot, now: u64) {
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        if self.enabled[word] & bit == 0 {
            self.enabled[word] |= bit;
            self.enabled_count += 1;
            self.enabled_hash ^= self.entries[slot].share;
            self.entries[slot].waiting_since = now;
        }
    }

    /// Keeps the actor from being picked.
    #[inline]
    pub fn disable(&mut self, slot: Slot) {
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        if self.enabled[word] & bit != 0 {
            self.enabled[word] &= !bit;
            self.enabled_count -= 1;
            self.enabled_hash ^= self.entries[slot].share;
        }
    }

    /// Says what the actor will do at its next turn.
    #[inline]
    pub fn set_next(&mut self, slot: Slot, next: Resource, spinning: bool) {
        let entry = &mut self.entries[slot];
        entry.next = next;
        entry.spinning = spinning;
    }

    /// Notes that the actor has the turn `now`.
    #[inline]
    pub fn set_current(&mut self, slot: Slot, now: u64) {
        self.current = Some(slot);
        self.entries[slot].waiting_since = now;
    }

    /// The actor that had the last turn, if it is still there.
    #[inline]
    #[must_use]
    pub const fn current(&self) -> Option<Slot> {
        self.current
    }

    /// How many are enabled.
    #[inline]
    #[must_use]
    pub const fn enabled_count(&self) -> usize {
        self.enabled_count
    }

    /// A hash of the set of the enabled.
    #[inline]
    #[must_use]
    pub const fn enabled_hash(&self) -> u64 {
        self.enabled_hash
    }

    /// Whether the actor is enabled.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self, slot: Slot) -> bool {
        self.enabled[slot / 64] & (1 << (slot % 64)) != 0
    }

    /// How many actors have come in all; it changes when, and only when, there is somebody new.
    #[inline]
    #[must_use]
    pub const fn arrivals(&self) -> u64 {
        self.born
    }

    /// One more than the highest slot ever used.
    #[inline]
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Calls `visit` with the enabled slots in ascending order: [`enabled`](Self::enabled) for policies that
    /// look at everybody at each turn.
    #[inline]
    pub fn each_enabled(&self, mut visit: impl FnMut(Slot)) {
        for (index, &word) in self.enabled.iter().enumerate() {
            let mut bits = word;
            while bits != 0 {
                visit(index * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// The set of the enabled, 64 slots to a word, the lowest in the lowest bit.
    #[inline]
    #[must_use]
    pub fn enabled_words(&self) -> &[u64] {
        &self.enabled
    }

    /// The enabled slots in ascending order.
    pub fn enabled(&self) -> impl Iterator<Item = Slot> + '_ {
        self.enabled.iter().enumerate().flat_map(|(index, &word)| Bits(word).map(move |bit| index * 64 + bit))
    }

    /// The `n`th enabled slot in ascending order.
    ///
    /// # Panics
    /// When fewer are enabled.
    #[inline]
    #[must_use]
    pub fn nth_enabled(&self, mut n: usize) -> Slot {
        if let &[word] = self.enabled.as_slice()
            && n < self.enabled_count
        {
            return select(word, n as u32);
        }
        for (index, &word) in self.enabled.iter().enumerate() {
            let count = word.count_ones() as usize;
            if n < count {
                return index * 64 + select(word, n as u32);
            }
            n -= count;
        }
        panic!("the {n}th of {} enabled actors", self.enabled_count);
    }

    /// The slot of an enabled actor, by its identity.
    #[must_use]
    pub fn find_enabled(&self, actor: Actor) -> Option<Slot> {
        self.enabled().find(|&slot| self.entries[slot].actor == actor)
    }

    /// The actor's identity.
    #[inline]
    #[must_use]
    pub fn actor(&self, slot: Slot) -> Actor {
        self.entries[slot].actor
    }

    /// The actor's share of hashes.
    #[inline]
    #[must_use]
    pub fn share(&self, slot: Slot) -> u64 {
        self.entries[slot].share
    }

    /// What the actor will do next.
    #[inline]
    #[must_use]
    pub fn next(&self, slot: Slot) -> Resource {
        self.entries[slot].next
    }

    /// What the actor will do next, where a copy would cost too much.
    #[inline]
    #[must_use]
    pub fn next_ref(&self, slot: Slot) -> &Resource {
        &self.entries[slot].next
    }

    /// The turn of its last step, or, if it has had none since, the one since which it is enabled.
    #[inline]
    #[must_use]
    pub fn waiting_since(&self, slot: Slot) -> u64 {
        self.entries[slot].waiting_since
    }

    /// Whether the actor retries something busily.
    #[inline]
    #[must_use]
    pub fn is_spinning(&self, slot: Slot) -> bool {
        self.entries[slot].spinning
    }

    /// Whether the actor is an I/O in flight.
    #[inline]
    #[must_use]
    pub fn is_io(&self, slot: Slot) -> bool {
        matches!(self.entries[slot].actor, Actor::Io { .. })
    }

    /// The order of arrival among all actors of the run.
    #[inline]
    #[must_use]
    pub fn born(&self, slot: Slot) -> u64 {
        self.entries[slot].born
    }

    /// The caller's own mark.
    #[inline]
    #[must_use]
    pub fn tag(&self, slot: Slot) -> u64 {
        self.entries[slot].tag
    }

    /// The enabled actor that has waited longest for a turn, and since which turn.
    #[must_use]
    pub fn longest_waiting(&self) -> Option<(Slot, u64)> {
        self.enabled().map(|slot| (slot, self.entries[slot].waiting_since)).min_by_key(|&(slot, since)| (since, slot))
    }

    /// The calm choice: the current actor goes on, unless it cannot or only spins; else the oldest I/O, else the
    /// connection whose I/O that was, else the connection with the lowest number that does not spin. So one
    /// connection after the other does all that it has to do.
    #[must_use]
    pub fn calm(&self) -> Option<Slot> {
        if let Some(current) = self.current
            && self.is_enabled(current)
            && !self.is_spinning(current)
        {
            return Some(current);
        }
        let oldest_io = self.enabled().filter(|&slot| self.is_io(slot)).min_by_key(|&slot| self.born(slot));
        let of = self.current.map_or(self.gone, |slot| self.entries[slot].actor.connection());
        let same = || self.enabled().find(|&slot| Some(self.actor(slot)) == of.map(Actor::Connection));
        oldest_io.or_else(|| same().filter(|&slot| !self.is_spinning(slot))).or_else(|| {
            // Who spins has to wait for others, and who spun last comes last of all.
            self.enabled()
                .min_by_key(|&slot| (self.is_spinning(slot), self.entries[slot].waiting_since, self.actor(slot)))
        })
    }

    /// All enabled slots, the calm choice first, the others by identity.
    #[must_use]
    pub fn calm_order(&self) -> Vec<Slot> {
        let calm = self.calm();
        let mut order: Vec<Slot> = self.enabled().collect();
        order.sort_by_key(|&slot| (Some(slot) != calm, self.actor(slot)));
        order
    }
}

struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (bit < 64).then_some(bit)
    }
}

/// The position of the `n`th set bit; there are more than `n`. Without a branch that depends on `n`, which is a
/// random number, and without a population count, which portable code does not have in hardware.
#[inline]
const fn select(word: u64, n: u32) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Everybody is enabled, a common case: one branch that is easily foreseen.
    if word & word.wrapping_add(1) == 0 {
        return n as usize;
    }
    // Set bits up to and including each byte, all eight at once (Vigna, "Broadword implementation of
    // rank/select queries", 2008).
    let pairs = word - ((word >> 1) & (ONES * 0x55));
    let nibbles = (pairs & (ONES * 0x33)) + ((pairs >> 2) & (ONES * 0x33));
    let sums = ((nibbles + (nibbles >> 4)) & (ONES * 0x0f)).wrapping_mul(ONES);
    // In the high bit of each byte: are there at most `n` up to here? Then the bit lies further on.
    let passed = (((ONES * (n as u64)) | (ONES * 0x80)) - sums) & (ONES * 0x80);
    let shift = (((passed >> 7).wrapping_mul(ONES) >> 56) * 8) as u32;
    let before = ((sums << 8) >> shift) as u32 & 0xff;
    let byte = (word >> shift) as usize & 0xff;
    shift as usize + SELECT_IN_BYTE[byte][(n - before) as usize & 7] as usize
}

/// The position of the `n`th set bit of a byte.
const SELECT_IN_BYTE: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut n) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][n] = bit as u8;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Stream;

    #[test]
    fn the_set_and_its_hash_follow_a_plain_set() {
        let mut actors = Actors::new();
        let mut model = std::collections::BTreeMap::new();
        let mut draws = Stream::new(1, "test", 0);
        for step in 0..5000u64 {
            match draws.below(4) {
                0 => {
                    let actor = Actor::Io { connection: 0, op: step as u32, nth: 0 };
                    model.insert(actors.add(actor, Resource::Unknown, step), (actor, false));
                }
                1 if model.len() > 150 => {
                    let slot = *model.keys().nth(draws.below(model.len() as u64) as usize).unwrap();
                    actors.remove(slot);
                    model.remove(&slot);
                }
                n => {
                    if let Some(slot) = model.keys().nth(draws.below(model.len() as u64) as usize).copied() {
                        if n == 2 {
                            actors.enable(slot, step)
                        } else {
                            actors.disable(slot)
                        }
                        model.get_mut(&slot).unwrap().1 = n == 2;
                    }
                }
            }
            let enabled: Vec<Slot> = model.iter().filter(|(_, (_, on))| *on).map(|(slot, _)| *slot).collect();
            assert_eq!(actors.enabled().collect::<Vec<_>>(), enabled);
            assert_eq!(actors.enabled_count(), enabled.len());
            assert_eq!((0..enabled.len()).map(|n| actors.nth_enabled(n)).collect::<Vec<_>>(), enabled);
            let hash = enabled.iter().fold(0, |hash, slot| hash ^ model[slot].0.share());
            assert_eq!(actors.enabled_hash(), hash);
        }
    }

    #[test]
    fn a_set_bit_is_selected_as_by_counting() {
        let mut draws = Stream::new(2, "test", 0);
        let sparse = (0..2_000).map(|round| draws.bits() & (draws.bits() >> (round % 8)) & draws.bits());
        let words: Vec<u64> =
            sparse.chain((1..=64).map(|ones| u64::MAX >> (64 - ones))).chain([1 << 63, 0x8000_0001]).collect();
        for word in words {
            let bits = (0..64).filter(|bit| word >> bit & 1 == 1);
            bits.zip(0..).for_each(|(bit, n)| assert_eq!(select(word, n), bit, "{word:x} {n}"));
        }
    }

    #[test]
    fn whoever_comes_after_a_clearing_is_taken_for_nobody_from_before() {
        let mut actors = Actors::new();
        let slot = actors.add(Actor::Connection(0), Resource::Unknown, 0);
        actors.enable(slot, 0);
        let before = actors.arrivals();
        actors.clear();
        assert_eq!((actors.enabled_count(), actors.slots(), actors.arrivals()), (0, 0, before));
        actors.add(Actor::Connection(0), Resource::Unknown, 0);
        assert_eq!((actors.slots(), actors.arrivals()), (1, before + 1));
    }

    #[test]
    fn calm_stays_then_takes_io_in_order_then_the_lowest_connection() {
        let mut actors = Actors::new();
        let c1 = actors.add(Actor::Connection(1), Resource::Unknown, 0);
        let c0 = actors.add(Actor::Connection(0), Resource::Unknown, 0);
        let late = actors.add(Actor::Io { connection: 1, op: 9, nth: 0 }, Resource::Unknown, 0);
        let early = actors.add(Actor::Io { connection: 0, op: 0, nth: 0 }, Resource::Unknown, 0);
        [c1, c0, late, early].into_iter().for_each(|slot| actors.enable(slot, 0));
        let check = |actors: &Actors, expected| assert_eq!(actors.calm(), Some(expected));
        check(&actors, late);
        actors.set_current(c1, 1);
        check(&actors, c1);
        actors.set_next(c1, Resource::Unknown, true);
        check(&actors, late);
        actors.disable(late);
        check(&actors, early);
        actors.disable(early);
        check(&actors, c0);
        actors.set_next(c0, Resource::Unknown, true);
        check(&actors, c0);
        actors.set_current(c0, 2);
        check(&actors, c1);
        // An I/O that is over leaves its turn to the connection it belongs to.
        let last = actors.add(Actor::Io { connection: 1, op: 9, nth: 1 }, Resource::Unknown, 0);
        actors.set_next(c0, Resource::Unknown, false);
        actors.set_next(c1, Resource::Unknown, false);
        actors.set_current(last, 3);
        actors.remove(last);
        check(&actors, c1);
    }
}
