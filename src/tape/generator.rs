//! Random numbers that are the same everywhere.
//!
//! Only the raw 64-bit output of xoshiro256++ is taken from `rand`; bounded, weighted and shuffled draws
//! are ours and pinned by reference values, because a library may change how it derives them.

use std::fmt;
use std::str::FromStr;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Scrambles a 64-bit word: the finalizer of SplitMix64 (Steele, Lea, Flood; OOPSLA 2014).
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The 64-bit FNV-1a hash of a name. Names are short and come from the source, never from a user at speed.
#[must_use]
pub(crate) const fn name_hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The seed of the stream `name`, number `index`, of the run `seed`.
///
/// Streams are split by name and index, never by `seed + 1`: a new consumer disturbs no other.
#[must_use]
pub const fn stream_seed(seed: u64, name: &str, index: u64) -> u64 {
    mix(stream_of(seed, name) ^ index)
}

const fn stream_of(seed: u64, name: &str) -> u64 {
    mix(mix(seed) ^ name_hash(name))
}

/// A named sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

impl Stream {
    /// The stream `name`, number `index`, of the run `seed`.
    #[must_use]
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        let mut bytes = [0u8; 32];
        let mut word = stream_seed(seed, name, index);
        for chunk in bytes.chunks_exact_mut(8) {
            word = mix(word);
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Self { generator: Xoshiro256PlusPlus::from_seed(bytes) }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number in `0..bound`, uniform. `bound` 0 counts as 1.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        bounded(bound, || self.generator.next_u64())
    }

    /// A number in `low..=high`, uniform in its logarithm, so that small ones are as likely as large ones.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        log_uniform(low, high, |bound| self.below(bound))
    }

    /// True with the probability `ratio`.
    #[inline]
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        ratio.numerator > 0 && self.below(u64::from(ratio.denominator)) < u64::from(ratio.numerator)
    }

    /// An index into `weights`, in proportion to them; 0 when all weights are 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        weighted(weights, |bound| self.below(bound))
    }

    /// Shuffles in place (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// Draws that keep no state between operations: each value is a pure function of (stream, connection,
/// ordinal, n), so that deleting one operation shifts the draws of no other.
#[derive(Clone, Debug)]
pub struct Draws {
    stream: u64,
    base: u64,
    n: u64,
}

impl Draws {
    /// The draws of operation `ordinal` of `connection`, from the stream named `stream` of the run `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: &str, connection: u16, ordinal: u32) -> Self {
        Self { stream: stream_of(seed, stream), base: 0, n: 0 }.beside(connection, ordinal)
    }

    /// The draws of another operation of the same stream, from their beginning: how a plan knows what
    /// another operation will do without depending on its being there.
    #[must_use]
    pub fn beside(&self, connection: u16, ordinal: u32) -> Self {
        let place = (u64::from(connection) << 32) | u64::from(ordinal);
        Self { stream: self.stream, base: mix(self.stream ^ place), n: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.n += 1;
        mix(self.base ^ mix(self.n))
    }

    /// A number in `0..bound`, uniform. `bound` 0 counts as 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        bounded(bound, || self.bits())
    }

    /// A number in `low..=high`, uniform.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A number in `low..=high`, uniform in its logarithm.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        log_uniform(low, high, |bound| self.below(bound))
    }

    /// True with the probability `ratio`.
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        ratio.numerator > 0 && self.below(u64::from(ratio.denominator)) < u64::from(ratio.numerator)
    }

    /// An index into `weights`, in proportion to them; 0 when all weights are 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        weighted(weights, |bound| self.below(bound))
    }
}

/// Lemire's multiplication with rejection (ACM TOMACS 2019): uniform, and a division only when unlucky.
#[inline]
pub(crate) fn bounded(bound: u64, mut bits: impl FnMut() -> u64) -> u64 {
    let bound = bound.max(1);
    let mut product = u128::from(bits()) * u128::from(bound);
    if (product as u64) < bound {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u64) < threshold {
            product = u128::from(bits()) * u128::from(bound);
        }
    }
    (product >> 64) as u64
}

pub(crate) fn weighted(weights: &[u32], mut below: impl FnMut(u64) -> u64) -> usize {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    if total == 0 {
        return 0;
    }
    let mut left = below(total);
    for (index, &weight) in weights.iter().enumerate() {
        if left < u64::from(weight) {
            return index;
        }
        left -= u64::from(weight);
    }
    unreachable!("the draw lies below the sum of the weights")
}

/// Doubling ranges are equally likely, and within one every value is. Integers only: floating point
/// functions differ between platforms.
fn log_uniform(low: u64, high: u64, mut below: impl FnMut(u64) -> u64) -> u64 {
    let (low, high) = (low.min(high), low.max(high));
    let span = high - low + 1;
    let doublings = u64::from(64 - span.leading_zeros());
    let top = 1u64.checked_shl(below(doublings) as u32 + 1).unwrap_or(u64::MAX).min(span + 1);
    low + (below(top - top / 2) + top / 2 - 1).min(span - 1)
}

/// A probability written as a ratio, `1/1000`, so that it means the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// How often it happens …
    pub numerator: u32,
    /// … in so many times; never 0.
    pub denominator: u32,
}

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// Always.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` in `denominator`.
    ///
    /// # Panics
    /// When the denominator is 0 or the ratio exceeds 1.
    #[must_use]
    pub const fn new(numerator: u32, denominator: u32) -> Self {
        assert!(denominator > 0 && numerator <= denominator, "a probability lies between 0 and 1");
        Self { numerator, denominator }
    }

    /// Whether it can happen at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }
}

impl Default for Ratio {
    /// Never.
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no probability: expected a ratio from 0/1 to 1/1, such as \"1/1000\"");
        let (numerator, denominator) = text.split_once('/').ok_or_else(expected)?;
        let numerator = numerator.trim().parse().map_err(|_| expected())?;
        let denominator = denominator.trim().parse().map_err(|_| expected())?;
        if denominator == 0 || numerator > denominator {
            return Err(expected());
        }
        Ok(Self { numerator, denominator })
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_generator_keeps_its_values_for_ever() {
        let mut stream = Stream::new(42, "policy", 0);
        let mut cards = [0, 1, 2, 3, 4, 5, 6, 7];
        let bits: Vec<u64> = (0..3).map(|_| stream.bits()).collect();
        let below: Vec<u64> = (0..12).map(|_| stream.below(10)).collect();
        let weighted: Vec<usize> = (0..8).map(|_| stream.weighted(&[1, 0, 3])).collect();
        stream.shuffle(&mut cards);
        let logs: Vec<u64> = (0..8).map(|_| stream.log_uniform(1, 1000)).collect();
        let mut draws = Draws::new(42, "plan", 3, 7);
        let draws = [draws.bits(), draws.below(100)];
        expect![[r#"
            bits [10761264806242167055, 171951890766068003, 10416511795315402567]
            below [7, 9, 5, 3, 6, 2, 5, 1, 7, 3, 5, 1]
            weighted [2, 0, 2, 2, 2, 2, 2, 2]
            shuffled [7, 0, 2, 3, 4, 1, 6, 5]
            logs [125, 5, 145, 41, 835, 3, 2, 17]
            draws [4744266653106921858, 22]"#]]
        .assert_eq(&format!(
            "bits {bits:?}\nbelow {below:?}\nweighted {weighted:?}\nshuffled {cards:?}\nlogs {logs:?}\ndraws {draws:?}"
        ));
    }

    #[test]
    fn xoshiro_matches_the_published_reference() {
        // State 1, 2, 3, 4; first outputs from the authors' C code (prng.di.unimi.it).
        let mut seed = [0u8; 32];
        for (chunk, word) in seed.chunks_exact_mut(8).zip([1u64, 2, 3, 4]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let mut generator = Xoshiro256PlusPlus::from_seed(seed);
        let first: Vec<u64> = (0..4).map(|_| generator.next_u64()).collect();
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn streams_differ_by_name_and_by_index_and_operations_by_place() {
        let firsts = [
            Stream::new(1, "a", 0).bits(),
            Stream::new(1, "b", 0).bits(),
            Stream::new(1, "a", 1).bits(),
            Stream::new(2, "a", 0).bits(),
            Draws::new(1, "a", 0, 1).bits(),
            Draws::new(1, "a", 1, 0).bits(),
        ];
        let distinct: std::collections::BTreeSet<_> = firsts.iter().collect();
        assert_eq!(distinct.len(), firsts.len());
    }

    #[test]
    fn bounded_draws_reach_both_ends_and_never_the_bound() {
        let mut stream = Stream::new(7, "ends", 0);
        for bound in [1u64, 2, 3, 17, u64::MAX] {
            assert!((0..200).all(|_| stream.below(bound) < bound));
        }
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| stream.below(5)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let logs: Vec<u64> = (0..2000).map(|_| stream.log_uniform(1, 1000)).collect();
        assert!(logs.iter().all(|&n| (1..=1000).contains(&n)));
        // Ten doublings: a tenth of the draws each, so about 200 ones and some above 512.
        let ones = logs.iter().filter(|&&n| n == 1).count();
        assert!((120..300).contains(&ones), "{ones} of 2000 draws were 1");
        assert!(logs.iter().any(|&n| n > 512));
    }

    #[test]
    fn a_ratio_over_one_is_refused() {
        assert_eq!("1/1000".parse::<Ratio>(), Ok(Ratio::new(1, 1000)));
        for bad in ["2/1", "1/0", "0.5", "x/y", ""] {
            assert!(bad.parse::<Ratio>().unwrap_err().contains("expected a ratio from 0/1 to 1/1"));
        }
    }
}
