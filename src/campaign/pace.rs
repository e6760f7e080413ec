//! How fast a campaign went. Nothing of it reaches the summary: it is this machine's, on this day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many of the slowest seeds are kept.
const SLOWEST_MAX: usize = 10;
/// So many samples are kept at most; then every second one is left out, and sampling goes on half as often.
const SAMPLES_MAX: usize = 256;

/// How fast a campaign went.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// How long it took.
    pub elapsed: Duration,
    /// Runs that an earlier start of the campaign had finished.
    pub resumed: u64,
    /// Runs that were executed a second time and were the same.
    pub repeated: u64,
    /// Workers that were replaced because they went down.
    pub workers_lost: u64,
    /// How far it was, now and then.
    pub samples: Vec<Sample>,
    /// The seeds that took longest, the slowest first.
    pub slowest: Vec<Slow>,
    every_ms: u64,
}

/// How far a campaign was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in milliseconds from the start.
    pub ms: u64,
    /// Runs finished.
    pub runs: u64,
    /// Turns taken.
    pub turns: u64,
    /// Buckets found.
    pub findings: u64,
}

/// A seed that took long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// How long, in milliseconds.
    pub ms: u64,
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The seed.
    pub seed: u64,
    /// Turns of its run.
    pub turns: u64,
}

impl Pace {
    /// Whether a sample is due.
    pub(super) fn wants(&self, ms: u64) -> bool {
        self.samples.last().is_none_or(|last| ms >= last.ms + self.every_ms.max(100))
    }

    pub(super) fn sample(&mut self, sample: Sample) {
        if self.samples.len() >= SAMPLES_MAX {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every_ms = self.every_ms.max(100) * 2;
        }
        self.samples.push(sample);
    }

    /// Whether a seed that took so long is among the slowest.
    pub(super) fn is_slow(&self, ms: u64) -> bool {
        self.slowest.len() < SLOWEST_MAX || self.slowest.last().is_some_and(|last| ms > last.ms)
    }

    pub(super) fn slow(&mut self, slow: Slow) {
        let at = self.slowest.partition_point(|known| known.ms >= slow.ms);
        self.slowest.insert(at, slow);
        self.slowest.truncate(SLOWEST_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_thin_out_and_the_slowest_stay() {
        let mut pace = Pace::default();
        for ms in (0..1_000_000).step_by(50) {
            if pace.wants(ms) {
                pace.sample(Sample { ms, runs: ms, turns: 0, findings: 0 });
            }
            if pace.is_slow(ms % 7_777) {
                let slow = Slow { ms: ms % 7_777, scenario: String::new(), engine: String::new(), seed: ms, turns: 0 };
                pace.slow(slow);
            }
        }
        assert!(pace.samples.len() <= SAMPLES_MAX && pace.samples.len() > SAMPLES_MAX / 2 - 8);
        assert!(pace.samples.is_sorted_by_key(|sample| sample.ms));
        assert!(pace.samples[0].ms == 0 && pace.samples.last().unwrap().ms > 980_000);
        assert_eq!(pace.slowest.len(), SLOWEST_MAX);
        assert!(pace.slowest.iter().all(|slow| slow.ms > 7_700));
    }
}
