//! A set of small numbers: one word, and more only when a number above 63 is in it.
//!
//! Invariant: there is no trailing zero word, so equal sets are equal values.

/// A growing set of small numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bits {
    low: u64,
    high: Vec<u64>,
}

impl Bits {
    #[inline]
    pub(crate) fn has(&self, n: u32) -> bool {
        match n / 64 {
            0 => self.low >> n & 1 == 1,
            word => {
                let word = self.high.get(word as usize - 1);
                word.is_some_and(|word| word >> (n % 64) & 1 == 1)
            }
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, n: u32) {
        match n / 64 {
            0 => self.low |= 1 << n,
            word => {
                let at = word as usize - 1;
                if self.high.len() <= at {
                    self.high.resize(at + 1, 0);
                }
                self.high[at] |= 1 << (n % 64);
            }
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, n: u32) {
        match n / 64 {
            0 => self.low &= !(1 << n),
            word => {
                if let Some(word) = self.high.get_mut(word as usize - 1) {
                    *word &= !(1 << (n % 64));
                }
                while self.high.last() == Some(&0) {
                    self.high.pop();
                }
            }
        }
    }

    /// Whether every number of this set is in the other.
    pub(crate) fn within(&self, other: &Bits) -> bool {
        self.low & !other.low == 0
            && self.high.len() <= other.high.len()
            && self.high.iter().zip(&other.high).all(|(a, b)| a & !b == 0)
    }

    /// Bytes beside the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.high.capacity() * 8
    }
}

/// Sets none of which contains another: the least that were seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Least {
    sets: Vec<Bits>,
}

impl Least {
    /// Whether a set of these lies within the given one.
    pub(crate) fn covers(&self, set: &Bits) -> bool {
        self.sets.iter().any(|least| least.within(set))
    }

    /// Adds a set that is not covered; those that contain it go.
    pub(crate) fn add(&mut self, set: Bits) {
        self.sets.retain(|other| !set.within(other));
        self.sets.push(set);
    }

    pub(crate) fn sets(&self) -> &[Bits] {
        &self.sets
    }
}
