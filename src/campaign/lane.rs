//! One scenario on one engine: which seeds are still to run, and the results in the order of the seeds.
//!
//! Results come in any order and are folded in order, so that nothing depends on how many workers there were.
//! A lane that stops at its first finding counts the seeds up to the lowest that has one, and no other.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bucket::bucket;
use super::protocol::Ran;
use super::tally::Tally;
use crate::scenario::Expect;

/// What a lane runs.
#[derive(Clone, Debug)]
pub struct LaneConfig {
    /// The scenario's place among the campaign's scenarios.
    pub scenario: usize,
    /// The scenario's name.
    pub scenario_name: String,
    /// The engine's name.
    pub engine: String,
    /// The engine with its bug switches.
    pub label: String,
    /// The seeds.
    pub seeds: Range<u64>,
    /// What is expected.
    pub expect: Expect,
    /// What each property must have compared.
    pub compared_min: u64,
    /// Run no seed beyond the first that has a finding.
    pub stop_at_first: bool,
}

/// A lane under way.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) tally: Tally,
    /// The next seed to start.
    next: u64,
    /// The next seed to fold.
    folded: u64,
    /// Results that wait for a lower seed.
    waiting: BTreeMap<u64, Ran>,
    /// The lowest seed with a finding.
    cut: Option<u64>,
}

impl Lane {
    pub(super) fn new(config: LaneConfig) -> Self {
        let start = config.seeds.start;
        Self { config, tally: Tally::default(), next: start, folded: start, waiting: BTreeMap::new(), cut: None }
    }

    /// The next seed to start, if there is one.
    pub(super) fn start(&mut self) -> Option<u64> {
        let seed = self.next;
        if seed >= self.config.seeds.end || self.is_beyond(seed) {
            return None;
        }
        self.next += 1;
        Some(seed)
    }

    /// Whether seeds are left to start.
    pub(super) fn has_more(&self) -> bool {
        self.next < self.config.seeds.end && !self.is_beyond(self.next)
    }

    /// How many seeds are left to start.
    pub(super) const fn remaining(&self) -> u64 {
        self.config.seeds.end.saturating_sub(self.next)
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
        while let Some(ran) = self.waiting.remove(&self.folded) {
            self.fold(self.folded, &ran);
        }
    }

    /// Folds what is left when no more results will come, gaps or not.
    pub(super) fn finish(&mut self) {
        for (seed, ran) in std::mem::take(&mut self.waiting) {
            self.fold(seed, &ran);
        }
    }

    fn fold(&mut self, seed: u64, ran: &Ran) {
        self.folded = seed + 1;
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
        Lane::new(LaneConfig {
            scenario: 0,
            scenario_name: "s".into(),
            engine: "e".into(),
            label: "e".into(),
            seeds: 0..10,
            expect: Expect::Holds,
            compared_min: 1,
            stop_at_first,
        })
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
}
