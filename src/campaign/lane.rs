//! One scenario on one engine: which seeds are still to run, and the results in the order of the seeds.
//!
//! Results come in any order and are folded in order, so that nothing depends on how many workers there were.
//! A lane that stops at its first finding counts the seeds up to the lowest that has one, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bucket::bucket;
use super::protocol::Ran;
use super::shard::Shard;
use super::tally::Tally;
use crate::scenario::{Expect, Scenario};
use crate::tape::{Fingerprint, RunHash};

/// What a lane runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneConfig {
    /// The scenario's place among the campaign's scenarios.
    #[serde(skip)]
    pub scenario: usize,
    /// The scenario's name.
    #[serde(rename = "scenario")]
    pub scenario_name: String,
    /// The engine's name.
    pub engine: String,
    /// The engine with its bug switches.
    pub label: String,
    /// The bugs that are switched on.
    pub bugs: Vec<String>,
    /// What the scenario says, flags included, as [`fingerprint`] folds it.
    pub fingerprint: Fingerprint,
    /// The seeds of all shards together.
    pub seeds: Range<u64>,
    /// What is expected.
    pub expect: Expect,
    /// What each property must have compared.
    pub compared_min: u64,
    /// Run no seed beyond the first that has a finding.
    pub stop_at_first: bool,
}

impl LaneConfig {
    /// What tells lanes apart, in the order in which they are listed.
    #[must_use]
    pub fn key(&self) -> (&str, &str) {
        (&self.scenario_name, &self.engine)
    }
}

/// What a scenario says, wherever it is written: keys and values, no places.
#[must_use]
pub fn fingerprint(scenario: &Scenario) -> Fingerprint {
    let mut hash = RunHash::new();
    for entry in scenario.entries() {
        hash.fold_bytes(entry.key.as_bytes());
        hash.fold_bytes(entry.value.to_string().as_bytes());
    }
    hash.fingerprint()
}

/// A lane under way.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) tally: Tally,
    shard: Shard,
    /// The next seed to start, if there is one.
    next: Option<u64>,
    /// The next seed to fold, if there is one.
    folded: Option<u64>,
    /// Seeds that an earlier start of this campaign has finished.
    done: BTreeSet<u64>,
    /// Results that wait for a lower seed.
    waiting: BTreeMap<u64, Ran>,
    /// The lowest seed with a finding.
    cut: Option<u64>,
}

impl Lane {
    pub(super) fn new(config: LaneConfig, shard: Shard) -> Self {
        let first = shard.at_or_after(config.seeds.start).filter(|seed| *seed < config.seeds.end);
        Self {
            config,
            tally: Tally::default(),
            shard,
            next: first,
            folded: first,
            done: BTreeSet::new(),
            waiting: BTreeMap::new(),
            cut: None,
        }
    }

    fn after(&self, seed: u64) -> Option<u64> {
        self.shard.at_or_after(seed.checked_add(1)?).filter(|next| *next < self.config.seeds.end)
    }

    /// Leaves a seed out: it was finished before, and its result is taken from there.
    pub(super) fn skip(&mut self, seed: u64) {
        self.done.insert(seed);
    }

    /// The next seed to start, if there is one.
    pub(super) fn start(&mut self) -> Option<u64> {
        loop {
            let seed = self.next.filter(|seed| !self.is_beyond(*seed))?;
            self.next = self.after(seed);
            if !self.done.remove(&seed) {
                return Some(seed);
            }
        }
    }

    /// Whether seeds are left to start.
    pub(super) fn has_more(&self) -> bool {
        self.next.is_some_and(|seed| !self.is_beyond(seed))
    }

    /// How many seeds are left to start.
    pub(super) fn remaining(&self) -> u64 {
        let left = |next: u64| (self.config.seeds.end - next).div_ceil(u64::from(self.shard.count()));
        self.next.map_or(0, left).saturating_sub(self.done.len() as u64)
    }

    /// Whether a seed does not count because a lower one has a finding.
    pub(super) fn is_beyond(&self, seed: u64) -> bool {
        self.config.stop_at_first && self.cut.is_some_and(|cut| seed > cut)
    }

    /// The bucket of a result's finding, if it has one.
    pub(super) fn bucket(&self, ran: &Ran) -> Option<String> {
        ran.finding.as_ref().map(|finding| bucket(&self.config.label, finding, ran))
    }

    /// Takes the result of a seed.
    pub(super) fn take(&mut self, seed: u64, ran: Ran) {
        if ran.finding.is_some() {
            self.cut = Some(self.cut.map_or(seed, |cut| cut.min(seed)));
        }
        self.waiting.insert(seed, ran);
        while let Some(seed) = self.folded
            && let Some(ran) = self.waiting.remove(&seed)
        {
            self.fold(seed, &ran);
        }
    }

    /// Folds what is left when no more results will come, gaps or not.
    pub(super) fn finish(&mut self) {
        for (seed, ran) in std::mem::take(&mut self.waiting) {
            self.fold(seed, &ran);
        }
    }

    fn fold(&mut self, seed: u64, ran: &Ran) {
        self.folded = self.after(seed);
        if !self.is_beyond(seed) {
            let bucket = self.bucket(ran);
            self.tally.add(seed, ran, bucket.as_deref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::StoredFinding;

    fn lane(stop_at_first: bool) -> Lane {
        Lane::new(config(stop_at_first), Shard::WHOLE)
    }

    fn config(stop_at_first: bool) -> LaneConfig {
        LaneConfig {
            scenario: 0,
            scenario_name: "s".into(),
            engine: "e".into(),
            label: "e".into(),
            bugs: Vec::new(),
            fingerprint: Fingerprint(0),
            seeds: 0..10,
            expect: Expect::Holds,
            compared_min: 1,
            stop_at_first,
        }
    }

    fn ran(turns: u64, found: bool) -> Ran {
        Ran { turns, finding: found.then(StoredFinding::default), ..Ran::default() }
    }

    #[test]
    fn results_count_the_same_in_whatever_order_they_come() {
        let outcome = |order: [u64; 6], stop| {
            let mut lane = lane(stop);
            order.into_iter().for_each(|seed| lane.take(seed, ran(1 << seed, seed == 2 || seed == 4)));
            lane.finish();
            (
                lane.tally.runs,
                lane.tally.turns,
                lane.tally.hits.values().map(|hit| (hit.seed, hit.seeds)).collect::<Vec<_>>(),
            )
        };
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [4, 0, 5, 2, 1, 3]] {
            assert_eq!(outcome(order, false), (6, 63, vec![(2, 2)]));
            assert_eq!(outcome(order, true), (3, 7, vec![(2, 1)]));
        }
    }

    #[test]
    fn a_lane_that_stops_at_its_first_finding_starts_no_seed_beyond_it() {
        let mut lane = lane(true);
        assert_eq!((0..4).map_while(|_| lane.start()).collect::<Vec<_>>(), [0, 1, 2, 3]);
        lane.take(2, ran(1, true));
        assert_eq!(lane.start(), None);
        assert!(!lane.has_more());
    }

    #[test]
    fn the_lanes_of_all_shards_start_every_seed_once() {
        for count in 1..=12 {
            let mut seeds = Vec::new();
            for index in 1..=count {
                let mut lane = Lane::new(config(false), Shard::new(index, count).unwrap());
                lane.skip(3);
                let promised = lane.remaining();
                let started: Vec<u64> = std::iter::from_fn(|| lane.start()).collect();
                assert!(promised == started.len() as u64 || promised + 1 == started.len() as u64);
                seeds.extend(started);
            }
            seeds.sort_unstable();
            assert_eq!(seeds, [0, 1, 2, 4, 5, 6, 7, 8, 9], "{count} shards");
        }
    }
}
