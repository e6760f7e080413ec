//! What a campaign came to: sums by lane, findings by bucket, what did not repeat.
//!
//! It is a function of what was run alone. Whether one process ran it all or shards were put together makes no
//! difference, because both are folded here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::coverage::Coverage;
use super::lane::LaneConfig;
use super::manifest::{Manifest, Progressed};
use super::pace::Pace;
use super::protocol::FirstDivergence;
use super::tally::{Hit, Tally};
use crate::scenario::{ShrunkFacts, Size, StoredFinding};

/// What a campaign came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the campaign was, and how far it came.
    pub manifest: Manifest,
    /// The lanes, in the order in which they were given.
    pub lanes: Vec<(LaneConfig, Tally)>,
    /// What was found, one for each bucket.
    pub findings: Vec<Found>,
    /// What did not repeat, by lane and seed.
    pub unstable: Vec<NotRepeated>,
    /// How fast it went.
    pub pace: Pace,
    /// What its runs passed through; repeated runs and those beyond a first finding are among them. Shards that were
    /// put together have none.
    pub coverage: Coverage,
}

/// A finding: a bucket, and the seed that shows it best.
#[derive(Clone, Debug)]
pub struct Found {
    /// The lane of the seed that is kept: its place in [`Outcome::lanes`].
    pub lane: usize,
    /// The bucket.
    pub bucket: String,
    /// The seed whose run is shortest, the lowest of several.
    pub seed: u64,
    /// How often it was found, lane by lane.
    pub seen: Vec<Seen>,
    /// What it is.
    pub finding: StoredFinding,
    /// Turns of the run.
    pub turns: u64,
    /// Crashes of the run.
    pub crashes: u64,
    /// Faults of the run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Its case, relative to the folder of results; none when it was stopped before it was written.
    pub case: Option<String>,
    /// How large it was when it was found, and what came of making it smaller, if that was tried.
    pub sizes: (Option<Size>, Option<ShrunkFacts>),
}

/// How often a lane shows a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The lane's place in [`Outcome::lanes`].
    pub lane: usize,
    /// The first seed that shows it.
    pub first: u64,
    /// How many seeds show it.
    pub seeds: u64,
}

/// A seed that did not repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRepeated {
    /// The lane's place in [`Outcome::lanes`].
    pub lane: usize,
    /// The seed.
    pub seed: u64,
    /// What differed.
    pub sentence: String,
    /// Where.
    pub divergence: Option<FirstDivergence>,
}

/// How surely a failure is gone when it is not seen any more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Findability {
    /// Seeds that show it.
    pub seeds: u64,
    /// Seeds that were run where it was found.
    pub runs: u64,
    /// So many clean seeds in a row would show at 95% that it is gone; none when every seed shows it.
    pub clean_seeds: Option<u64>,
}

impl Outcome {
    /// Folds what the lanes came to. Cases are found for it afterwards.
    #[must_use]
    pub(super) fn of(manifest: Manifest, lanes: Vec<(LaneConfig, Tally)>, mut unstable: Vec<NotRepeated>) -> Self {
        unstable.sort_by_key(|one| (one.lane, one.seed));
        let mut best: BTreeMap<&str, (usize, &Hit, Vec<Seen>)> = BTreeMap::new();
        for (lane, (_, tally)) in lanes.iter().enumerate() {
            for (bucket, hit) in &tally.hits {
                // What does not repeat has been said already, and proves nothing else.
                if unstable.iter().any(|one| one.lane == lane && one.seed == hit.seed) {
                    continue;
                }
                let seen = Seen { lane, first: hit.first, seeds: hit.seeds };
                let (kept_lane, kept, all) = best.entry(bucket).or_insert((lane, hit, Vec::new()));
                all.push(seen);
                if hit.turns < kept.turns {
                    (*kept_lane, *kept) = (lane, hit);
                }
            }
        }
        let mut findings: Vec<Found> =
            best.into_iter().map(|(bucket, (lane, hit, seen))| found(bucket, lane, hit, seen)).collect();
        findings.sort_by(|a, b| (a.lane, &a.bucket).cmp(&(b.lane, &b.bucket)));
        Self { manifest, lanes, findings, unstable, pace: Pace::default(), coverage: Coverage::default() }
    }

    /// Whether a lane shows anything.
    #[must_use]
    pub fn has_finding(&self, lane: usize) -> bool {
        self.first_in(lane).is_some()
    }

    /// The first seed of a lane that shows anything.
    #[must_use]
    pub fn first_in(&self, lane: usize) -> Option<u64> {
        let seen = self.findings.iter().flat_map(|found| &found.seen);
        seen.filter(|seen| seen.lane == lane).map(|seen| seen.first).min()
    }

    /// Whether seeds were left that should have been run.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.manifest.state != Progressed::Complete || !super::shard::missing(&self.manifest.shards).is_empty()
    }

    /// Whether somebody stopped it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.manifest.state == Progressed::Interrupted
    }

    /// How surely a finding would be seen; none when its lanes stopped at their first finding.
    #[must_use]
    pub fn findability(&self, found: &Found) -> Option<Findability> {
        let whole = || found.seen.iter().filter(|seen| !self.lanes[seen.lane].0.stop_at_first);
        let seeds: u64 = whole().map(|seen| seen.seeds).sum();
        let runs: u64 = whole().map(|seen| self.lanes[seen.lane].1.runs).sum();
        (runs > 0).then(|| Findability { seeds, runs, clean_seeds: clean_seeds(seeds, runs) })
    }

    /// How long it took.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.pace.elapsed
    }
}

impl Found {
    /// How many seeds show it.
    #[must_use]
    pub fn seeds(&self) -> u64 {
        self.seen.iter().map(|seen| seen.seeds).sum()
    }
}

fn found(bucket: &str, lane: usize, hit: &Hit, seen: Vec<Seen>) -> Found {
    Found {
        lane,
        bucket: bucket.to_string(),
        seed: hit.seed,
        seen,
        finding: hit.finding.clone(),
        turns: hit.turns,
        crashes: hit.crashes,
        faults: hit.faults.clone(),
        case: None,
        sizes: (None, None),
    }
}

/// So many clean seeds have a chance of one in twenty while the rate is what it was: ln 0.05 / ln(1 − p).
fn clean_seeds(seeds: u64, runs: u64) -> Option<u64> {
    if seeds >= runs {
        return None;
    }
    let rate = seeds as f64 / runs as f64;
    Some((0.05f64.ln() / (1.0 - rate).ln()).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_a_failure_the_more_clean_seeds_prove_it_gone() {
        let check = |seeds, runs, expected| assert_eq!(clean_seeds(seeds, runs), expected, "{seeds} of {runs}");
        check(8, 8, None);
        check(1, 2, Some(5));
        check(1, 100, Some(299));
        check(3, 10_000, Some(9_985));
        // So many clean seeds at this rate are a chance of at most 5%, and one fewer is more than that.
        for (seeds, runs) in [(1u64, 7u64), (2, 90), (5, 1_000)] {
            let clean = |count: u64| (1.0 - seeds as f64 / runs as f64).powf(count as f64);
            let needed = clean_seeds(seeds, runs).unwrap();
            assert!(clean(needed) <= 0.05 && clean(needed - 1) > 0.05, "{seeds} of {runs}: {needed}");
        }
    }
}
