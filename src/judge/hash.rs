//! A fixed, fast hasher for tables of small keys.
//!
//! It is not for keys an adversary chooses. Invariant: nothing in the judges depends on the order
//! in which such a table iterates; tables are probed, and where order matters a vector is kept.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map with the fixed hasher.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;
/// A set with the fixed hasher.
pub(crate) type Set<K> = HashSet<K, BuildHasherDefault<Mixer>>;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiply and rotate, one round a word; the finish spreads the high bits downward, because the
/// table takes its bucket from the low bits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Mixer(u64);

impl Mixer {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for Mixer {
    #[inline]
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 29)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0u8; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last) ^ ((rest.len() as u64) << 56));
        }
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.word(u64::from(word));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.word(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    #[inline]
    fn write_i64(&mut self, word: i64) {
        self.word(word as u64);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }

    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.word(word as u64);
    }
}
