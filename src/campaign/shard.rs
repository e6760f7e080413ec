//! A part of a campaign's seeds. Seeds are independent, so a campaign is cut by them and by nothing else: what a
//! seed does never depends on how many shards there are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Shard `k` of `n`, written `k/n`; `k` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    count: u32,
    index: u32,
}

impl Shard {
    /// The whole campaign.
    pub const WHOLE: Self = Self { count: 1, index: 1 };

    /// Shard `index` of `count`, when there is one.
    #[must_use]
    pub const fn new(index: u32, count: u32) -> Option<Self> {
        if index >= 1 && index <= count { Some(Self { count, index }) } else { None }
    }

    /// Which shard, from 1.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The first seed from `seed` on that is this shard's; none when there is no such number.
    ///
    /// Seeds are dealt out in turns, so that a campaign bounded by time alone covers the same region in each.
    #[must_use]
    pub fn at_or_after(self, seed: u64) -> Option<u64> {
        let count = u64::from(self.count);
        let ahead = (u64::from(self.index) - 1 + count - seed % count) % count;
        seed.checked_add(ahead)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let shard = parts.and_then(|(index, count)| Self::new(index, count));
        shard.ok_or_else(|| format!("`{text}` is no shard: expected k/n with k from 1 to n, such as 1/8"))
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The shards that are missing from these: of every division of which no shard set is complete.
pub(super) fn missing(ran: &std::collections::BTreeSet<Shard>) -> Vec<Shard> {
    let counts: std::collections::BTreeSet<u32> = ran.iter().map(|shard| shard.count).collect();
    let of = |count: u32| (1..=count).map(move |index| Shard { count, index });
    if counts.iter().any(|count| of(*count).all(|shard| ran.contains(&shard))) {
        return Vec::new();
    }
    counts.into_iter().flat_map(of).filter(|shard| !ran.contains(shard)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_counts_from_one() {
        assert_eq!("1/8".parse(), Ok(Shard { count: 8, index: 1 }));
        assert_eq!("8/8".parse::<Shard>().unwrap().to_string(), "8/8");
        for bad in ["", "0/8", "9/8", "1", "1/0", "-1/8", "1/8/2", "a/b", "1/99999999999"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_seed_belongs_to_exactly_one_shard() {
        for count in 1..=9 {
            let shards: Vec<_> = (1..=count).map(|index| Shard::new(index, count).unwrap()).collect();
            for seed in (0..40).chain(u64::MAX - 20..=u64::MAX) {
                let owners = shards.iter().filter(|shard| shard.at_or_after(seed) == Some(seed));
                assert_eq!(owners.count(), 1, "seed {seed} of {count}");
                for shard in &shards {
                    let next = shard.at_or_after(seed);
                    assert!(next.is_none_or(|next| next >= seed && next - seed < u64::from(count)), "{shard} {seed}");
                }
            }
        }
    }

    #[test]
    fn a_complete_division_misses_nothing() {
        let check = |ran: &[&str], expected: &[&str]| {
            let ran = ran.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(missing(&ran).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        };
        check(&["1/1"], &[]);
        check(&["1/3", "3/3"], &["2/3"]);
        check(&["1/2", "2/2", "1/3"], &[]);
        check(&["1/2", "3/3"], &["2/2", "1/3", "2/3"]);
        check(&[], &[]);
    }
}
