//! Which policy a seed runs under when nobody says: no policy wins everywhere, so each seed draws one.
//!
//! The weights change by a commit and by nothing else; what a campaign finds does not move them.

use super::PolicyConfig;
use super::estimates::Estimates;
use crate::tape::{Ratio, Stream};

/// How many of a hundred seeds run under which policy.
const WEIGHTS: [(Share, u32); 5] =
    [(Share::Pos, 35), (Share::Surw, 30), (Share::Pct, 15), (Share::Urw, 10), (Share::Random, 10)];

/// The depths that PCT is given, all alike: few bugs need more than five constraints, and most need two.
const DEPTHS: [u32; 4] = [2, 3, 4, 5];

#[derive(Clone, Copy)]
enum Share {
    Pos,
    Surw,
    Pct,
    Urw,
    Random,
}

/// The policy of the run `seed`. Its estimates are empty; a pilot run fills them.
#[must_use]
pub fn portfolio(seed: u64) -> PolicyConfig {
    let mut draws = Stream::new(seed, "portfolio", 0);
    let drawn = draws.weighted(&WEIGHTS.map(|(_, weight)| weight));
    let estimates = Estimates::default();
    match WEIGHTS[drawn].0 {
        Share::Pos => PolicyConfig::Pos {},
        Share::Surw => PolicyConfig::Surw { spots_max: PolicyConfig::SPOTS_MAX, estimates },
        Share::Pct => PolicyConfig::Pct { depth: DEPTHS[draws.below(DEPTHS.len() as u64) as usize], estimates },
        Share::Urw => PolicyConfig::Urw { estimates },
        Share::Random => PolicyConfig::Random { sticky: Ratio::ZERO },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;

    #[test]
    fn policies_come_as_often_as_the_table_says() {
        // Of 100,000 seeds; the largest standard deviation is 151, at 35%, so 6 of them on either side.
        let mut counts = BTreeMap::<&str, u32>::new();
        (0..100_000).for_each(|seed| *counts.entry(portfolio(seed).name()).or_default() += 1);
        for (name, percent) in [("pos", 35), ("surw", 30), ("pct", 15), ("urw", 10), ("random", 10)] {
            assert!(counts[name].abs_diff(percent * 1_000) < 906, "{counts:?}");
        }
    }

    #[test]
    fn a_seed_keeps_its_policy() {
        let names: Vec<&str> = (0..10).map(|seed| portfolio(seed).name()).collect();
        expect![[r#"["random", "surw", "surw", "pos", "pos", "random", "pct", "surw", "surw", "random"]"#]]
            .assert_eq(&format!("{names:?}"));
    }
}
