//! What the runs of one scenario on one engine came to, added up in the order of their seeds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::protocol::{Ran, Schedules};
use crate::scenario::StoredFinding;
use crate::tape::Fingerprint;

/// Sums over many runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Turns.
    pub turns: u64,
    /// How operations ended.
    pub ops: Ops,
    /// What each property compared.
    pub compared: BTreeMap<String, Compared>,
    /// Crashes.
    pub crashes: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Runs and findings by policy.
    pub policies: BTreeMap<String, PolicyTally>,
    /// Seeds of which every schedule was run, by the bound on preemptions; `all` is without one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exhausted: BTreeMap<String, Exhausted>,
    /// Runs that compared nothing at all.
    pub idle: u64,
    /// Bounds that were reached, and in how many runs.
    pub limits: BTreeMap<String, u64>,
    /// Seeds with a finding, by bucket.
    #[serde(skip)]
    pub hits: BTreeMap<String, Hit>,
    /// The hash of every run.
    #[serde(skip)]
    pub hashes: Vec<(u64, Fingerprint)>,
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ops {
    /// Answered.
    pub ok: u64,
    /// Refused, surely without effect.
    pub refused: u64,
    /// In doubt.
    pub unknown: u64,
    /// Cut off by a crash or the end.
    pub pending: u64,
}

/// What one property compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Answers compared.
    pub answers: u64,
    /// Runs it judged.
    pub runs: u64,
    /// Runs in which it compared nothing.
    pub idle: u64,
    /// Runs that it compared in part and then gave up, by reason.
    pub inconclusive: BTreeMap<String, u64>,
}

/// Seeds whose schedules were all run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exhausted {
    /// Seeds.
    pub runs: u64,
    /// Schedules of all of them.
    pub schedules: u64,
}

/// Runs and findings of one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyTally {
    /// Runs.
    pub runs: u64,
    /// Schedules: as many as runs, but where one run goes through many.
    pub schedules: u64,
    /// Runs with a finding.
    pub findings: u64,
}

/// A bucket that was hit. Of its seeds the one whose run is shortest is kept, the lowest of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The seed.
    pub seed: u64,
    /// Turns of its run.
    pub turns: u64,
    /// How many seeds show it.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// The finding of the seed kept.
    pub finding: StoredFinding,
    /// Faults of its run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Crashes of its run.
    pub crashes: u64,
}

impl Tally {
    /// Adds one run; `bucket` is that of its finding.
    pub fn add(&mut self, seed: u64, ran: &Ran, bucket: Option<&str>) {
        self.runs += 1;
        self.turns += ran.turns;
        let [ok, refused, unknown, pending] = ran.ops;
        self.ops.add(Ops { ok, refused, unknown, pending });
        self.crashes += ran.crashes;
        self.idle += u64::from(ran.is_idle());
        add_all(&mut self.faults, &ran.faults);
        for (property, judged) in &ran.judged {
            let compared = self.compared.entry(property.clone()).or_default();
            compared.answers += judged.compared;
            compared.runs += 1;
            compared.idle += u64::from(judged.compared == 0);
            // A run that gave a judge nothing to compare is idle; one it compared in part and left is another thing.
            if let Some(reason) = judged.inconclusive.as_ref().filter(|_| judged.compared > 0) {
                *compared.inconclusive.entry(reason.clone()).or_default() += 1;
            }
        }
        if !ran.policy.is_empty() {
            let policy = self.policies.entry(ran.policy.clone()).or_default();
            policy.runs += 1;
            policy.schedules += ran.schedules.map_or(1, |schedules| schedules.runs);
            policy.findings += u64::from(ran.finding.is_some());
        }
        if let Some(Schedules { runs, complete: true, preemptions_max }) = ran.schedules {
            let bound = preemptions_max.map_or("all".to_string(), |most| format!("preemptions-max {most}"));
            self.exhausted.entry(bound).or_default().add(Exhausted { runs: 1, schedules: runs });
        }
        for limit in &ran.limits {
            *self.limits.entry(limit.clone()).or_default() += 1;
        }
        self.hashes.push((seed, ran.hash.unwrap_or(Fingerprint(0))));
        if let (Some(bucket), Some(finding)) = (bucket, &ran.finding) {
            let hit = || Hit {
                seed,
                turns: ran.turns,
                seeds: 0,
                first: seed,
                finding: finding.clone(),
                faults: ran.faults.clone(),
                crashes: ran.crashes,
            };
            let known = self.hits.entry(bucket.to_string()).or_insert_with(hit);
            known.seeds += 1;
            known.first = known.first.min(seed);
            if (ran.turns, seed) < (known.turns, known.seed) {
                *known = Hit { seeds: known.seeds, first: known.first, ..hit() };
            }
        }
    }

    /// Adds the sums of others; hits and hashes stay where they are.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.turns += other.turns;
        self.ops.add(other.ops);
        self.crashes += other.crashes;
        self.idle += other.idle;
        add_all(&mut self.faults, &other.faults);
        add_all(&mut self.limits, &other.limits);
        for (property, compared) in &other.compared {
            let sum = self.compared.entry(property.clone()).or_default();
            sum.answers += compared.answers;
            sum.runs += compared.runs;
            sum.idle += compared.idle;
            add_all(&mut sum.inconclusive, &compared.inconclusive);
        }
        for (policy, tally) in &other.policies {
            let sum = self.policies.entry(policy.clone()).or_default();
            sum.runs += tally.runs;
            sum.schedules += tally.schedules;
            sum.findings += tally.findings;
        }
        for (bound, exhausted) in &other.exhausted {
            self.exhausted.entry(bound.clone()).or_default().add(*exhausted);
        }
    }
}

impl Exhausted {
    const fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.schedules += other.schedules;
    }
}

impl Ops {
    fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.pending += other.pending;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ok + self.refused + self.unknown + self.pending
    }
}

fn add_all(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (key, count) in from {
        *into.entry(key.clone()).or_default() += count;
    }
}
