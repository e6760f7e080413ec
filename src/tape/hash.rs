//! The running hash of a run, and the first turn at which two runs part.
//!
//! Each turn folds in the actors that were enabled, the one that ran and the resource it touched. No place
//! in the source, no address and no path enters it: lines move with every edit, paths with every machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::generator::mix;

/// The hash of a whole run, printed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.len(), u64::from_str_radix(text, 16)) {
            (16, Ok(word)) => Ok(Self(word)),
            _ => Err(format!("`{text}` is no hash: expected 16 hexadecimal digits")),
        }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Folds words into 64 bits; cheap enough for every turn.
#[derive(Clone, Copy, Debug)]
pub struct RunHash {
    state: u64,
}

impl RunHash {
    /// The hash of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: 0x5155_414c_4c00_0001 }
    }

    /// Folds one word in: the high and low half of a product (as in wyhash), so that order matters.
    #[inline]
    pub fn fold(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(0x9e37_79b9_7f4a_7c15_u64 | 1);
        self.state = (product as u64) ^ ((product >> 64) as u64) ^ word.rotate_left(32);
    }

    /// Folds bytes in, length first.
    pub fn fold_bytes(&mut self, bytes: &[u8]) {
        self.fold(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
    }

    /// What has been folded so far.
    #[inline]
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        Fingerprint(mix(self.state))
    }
}

impl Default for RunHash {
    fn default() -> Self {
        Self::new()
    }
}

/// How many turns a timeline keeps one by one before it thins itself.
const TIMELINE_MAX: usize = 1 << 14;

/// Sixteen bits of the running hash per turn, so that a replay can name the first turn that differs.
///
/// Beyond 16,384 turns it keeps every second turn, then every fourth, and so on: its size is bounded and
/// the place of a difference is then known to within that stride.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// A power of two.
    stride: u64,
    turns: u64,
    marks: Vec<u16>,
}

/// Where two runs of the same case part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// The last turn at which both are known to agree, if any.
    pub agreed_until: Option<u64>,
    /// The first turn known to differ.
    pub first: u64,
}

impl Timeline {
    /// A timeline of no turns.
    #[must_use]
    pub const fn new() -> Self {
        Self { stride: 1, turns: 0, marks: Vec::new() }
    }

    /// Notes the hash after one more turn.
    pub fn push(&mut self, hash: Fingerprint) {
        if self.turns & (self.stride - 1) == 0 {
            if self.marks.len() == TIMELINE_MAX {
                let mut index = 0;
                self.marks.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
            if self.turns & (self.stride - 1) == 0 {
                self.marks.push(hash.0 as u16);
            }
        }
        self.turns += 1;
    }

    /// How many turns were noted.
    #[must_use]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// The first turn at which the two differ; `None` when they agree as far as both go and are of one length.
    #[must_use]
    pub fn first_divergence(&self, other: &Self) -> Option<Divergence> {
        let stride = self.stride.max(other.stride);
        let mark = |line: &Self, turn: u64| line.marks.get((turn / line.stride) as usize).copied();
        let mut agreed_until = None;
        let mut turn = 0;
        while turn < self.turns.min(other.turns) {
            if mark(self, turn) != mark(other, turn) {
                return Some(Divergence { agreed_until, first: turn });
            }
            agreed_until = Some(turn);
            turn += stride;
        }
        (self.turns != other.turns).then(|| Divergence { agreed_until, first: self.turns.min(other.turns) })
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:", self.turns, self.stride)?;
        self.marks.iter().try_for_each(|mark| write!(f, "{mark:04x}"))
    }
}

impl FromStr for Timeline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a timeline `TURNS/STRIDE:` followed by 4 hexadecimal digits per mark".to_string();
        let (head, marks) = text.split_once(':').ok_or_else(bad)?;
        let (turns, stride) = head.split_once('/').ok_or_else(bad)?;
        let turns: u64 = turns.parse().map_err(|_| bad())?;
        let stride: u64 = stride.parse().map_err(|_| bad())?;
        if !marks.is_ascii() || marks.len() % 4 != 0 || marks.len() > TIMELINE_MAX * 4 || !stride.is_power_of_two() {
            return Err(bad());
        }
        let marks: Vec<u16> = (0..marks.len())
            .step_by(4)
            .map(|at| u16::from_str_radix(&marks[at..at + 4], 16).map_err(|_| bad()))
            .collect::<Result<_, _>>()?;
        if turns.div_ceil(stride) != marks.len() as u64 {
            return Err(bad());
        }
        Ok(Self { stride, turns, marks })
    }
}

impl Serialize for Timeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(turns: u64, changed: Option<u64>) -> Timeline {
        let mut hash = RunHash::new();
        let mut line = Timeline::new();
        for turn in 0..turns {
            hash.fold(if Some(turn) == changed { u64::MAX } else { turn });
            line.push(hash.fingerprint());
        }
        line
    }

    #[test]
    fn the_hash_keeps_its_value_for_ever_and_knows_order() {
        let fold = |words: [u64; 2]| {
            let mut hash = RunHash::new();
            words.into_iter().for_each(|word| hash.fold(word));
            hash.fingerprint()
        };
        assert_eq!(fold([1, 2]), Fingerprint(940_850_145_397_557_804));
        assert_ne!(fold([2, 1]), fold([1, 2]));
    }

    #[test]
    fn the_first_turn_that_differs_is_named_exactly() {
        let check = |turns, changed, expected| {
            assert_eq!(timeline(turns, None).first_divergence(&timeline(turns, changed)), expected);
        };
        check(100, None, None);
        check(100, Some(41), Some(Divergence { agreed_until: Some(40), first: 41 }));
        check(100, Some(0), Some(Divergence { agreed_until: None, first: 0 }));
        // Thinned to every eighth turn, the place is known to within eight.
        check(100_000, Some(41_001), Some(Divergence { agreed_until: Some(41_000), first: 41_008 }));
    }

    #[test]
    fn a_run_that_ends_early_differs_where_it_ends() {
        let short = timeline(60, None).first_divergence(&timeline(100, None));
        assert_eq!(short, Some(Divergence { agreed_until: Some(59), first: 60 }));
    }

    #[test]
    fn a_timeline_survives_its_text_form() {
        for turns in [0, 1, 77, 100_000] {
            let line = timeline(turns, None);
            assert_eq!(line.to_string().parse::<Timeline>().unwrap(), line);
        }
        for bad in ["", "3/1:00", "3/0:", "3/1:00000000zzzz", "9/1:0000"] {
            assert!(bad.parse::<Timeline>().is_err(), "{bad}");
        }
    }
}
