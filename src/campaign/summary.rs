//! The summary of a campaign: everything that does not depend on when, where and by how many it was run.
//!
//! Times and places go to `timing.json`. Two campaigns over the same seeds give the same summary, byte for byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::CorpusState;
use super::outcome::{Found, NotRepeated, Outcome};
use super::protocol::FirstDivergence;
use super::shard::{Shard, missing};
use super::tally::{Compared, Ops, Tally};
use crate::scenario::{Expect, Skipped};
use crate::tape::{Fingerprint, RunHash};

/// The version of the form; it is only ever added to.
pub const VERSION: u32 = 1;

/// A campaign in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The version of the form.
    pub v: u32,
    /// Always `summary`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Runs.
    pub runs: u64,
    /// Turns.
    pub turns: u64,
    /// How operations ended.
    pub ops: Ops,
    /// Answers compared, by property.
    pub compared: BTreeMap<String, u64>,
    /// Crashes.
    pub crashes: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Runs that compared nothing.
    pub idle: u64,
    /// What was found.
    pub findings: Vec<SummaryFinding>,
    /// What did not repeat.
    pub nondeterminism: Vec<SummaryUnstable>,
    /// What cannot be called green, and why.
    pub inconclusive: Vec<Inconclusive>,
    /// What was not run, and why.
    pub skipped: Vec<SummarySkipped>,
    /// Scenario by scenario.
    pub scenarios: Vec<SummaryLane>,
    /// Shards whose results are not here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shards_missing: Vec<Shard>,
    /// The cases of the corpus, replayed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corpus: Vec<CorpusState>,
    /// The hashes of all runs, folded in the order of engine, scenario and seed.
    pub hash: Fingerprint,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryFinding {
    /// Its bucket.
    pub bucket: String,
    /// The property that complained.
    pub property: String,
    /// What kind of wrong it is.
    pub anomaly: String,
    /// One sentence.
    pub sentence: String,
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The bugs it was told to have.
    pub bugs: Vec<String>,
    /// The seed whose run is shortest, the lowest of several.
    pub seed: u64,
    /// How many seeds show it.
    pub seeds: u64,
    /// Where it was found, and how often.
    pub seen: Vec<SummarySeen>,
    /// How surely it would be seen; null when its scenario stopped at the first finding.
    pub findability: Option<SummaryFindability>,
    /// The corpus has a case of this bucket.
    pub known: bool,
    /// Its case, relative to the summary.
    pub case: Option<String>,
}

/// Where a bucket was found.
#[derive(Clone, Debug, Serialize)]
pub struct SummarySeen {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The first seed that shows it.
    pub first: u64,
    /// How many seeds show it.
    pub seeds: u64,
    /// How many were run.
    pub runs: u64,
}

/// How surely a failure is gone when it is not seen any more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SummaryFindability {
    /// The part of the seeds that show it.
    pub rate: f64,
    /// So many clean seeds in a row would show at 95% that it is gone; null when every seed shows it.
    pub clean_seeds: Option<u64>,
}

/// A seed that did not repeat.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryUnstable {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The seed.
    pub seed: u64,
    /// What differed.
    pub sentence: String,
    /// Where.
    pub first_divergence: Option<FirstDivergence>,
}

/// Something that cannot be called green.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inconclusive {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The property.
    pub property: String,
    /// Why.
    pub reason: String,
}

/// A scenario that was not run on an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SummarySkipped {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// Why.
    pub reason: String,
}

/// A scenario on an engine.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryLane {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// What was expected.
    pub expect: Expect,
    /// Whether that is what happened; none when it was stopped before anybody could say.
    pub met: Option<bool>,
    /// The first seed, and the one after the last.
    pub seeds: [u64; 2],
    /// Sums.
    #[serde(flatten)]
    pub tally: Tally,
}

impl Summary {
    /// The summary of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let mut sum = Tally::default();
        outcome.lanes.iter().for_each(|(_, tally)| sum.merge(tally));
        Self {
            v: VERSION,
            kind: "summary",
            runs: sum.runs,
            turns: sum.turns,
            ops: sum.ops,
            compared: sum.compared.iter().map(|(name, compared)| (name.clone(), compared.answers)).collect(),
            crashes: sum.crashes,
            faults: sum.faults.clone(),
            idle: sum.idle,
            findings: outcome.findings.iter().map(|found| finding(outcome, found)).collect(),
            nondeterminism: outcome.unstable.iter().map(|one| unstable(outcome, one)).collect(),
            inconclusive: inconclusive(outcome),
            skipped: outcome.manifest.skipped.iter().cloned().collect(),
            scenarios: (0..outcome.lanes.len()).map(|lane| summary_lane(outcome, lane)).collect(),
            shards_missing: missing(&outcome.manifest.shards),
            corpus: outcome.manifest.corpus.iter().cloned().collect(),
            hash: fold(outcome),
        }
    }
}

impl From<Skipped> for SummarySkipped {
    fn from(Skipped { scenario, engine, reason }: Skipped) -> Self {
        Self { scenario, engine, reason }
    }
}

fn finding(outcome: &Outcome, found: &Found) -> SummaryFinding {
    let config = &outcome.lanes[found.lane].0;
    let seen = found.seen.iter().map(|seen| {
        let (config, tally) = &outcome.lanes[seen.lane];
        let (scenario, engine) = (config.scenario_name.clone(), config.engine.clone());
        SummarySeen { scenario, engine, first: seen.first, seeds: seen.seeds, runs: tally.runs }
    });
    let findability = outcome
        .findability(found)
        .map(|one| SummaryFindability { rate: one.seeds as f64 / one.runs as f64, clean_seeds: one.clean_seeds });
    SummaryFinding {
        bucket: found.bucket.clone(),
        property: found.finding.property.clone(),
        anomaly: found.finding.anomaly.clone(),
        sentence: found.finding.sentence.clone(),
        scenario: config.scenario_name.clone(),
        engine: config.engine.clone(),
        bugs: config.bugs.clone(),
        seed: found.seed,
        seeds: found.seeds(),
        seen: seen.collect(),
        findability,
        known: outcome.manifest.knows(&found.bucket),
        case: found.case.clone(),
    }
}

fn unstable(outcome: &Outcome, one: &NotRepeated) -> SummaryUnstable {
    let config = &outcome.lanes[one.lane].0;
    SummaryUnstable {
        scenario: config.scenario_name.clone(),
        engine: config.engine.clone(),
        seed: one.seed,
        sentence: one.sentence.clone(),
        first_divergence: one.divergence,
    }
}

fn summary_lane(outcome: &Outcome, lane: usize) -> SummaryLane {
    let (config, tally) = &outcome.lanes[lane];
    let found = outcome.has_finding(lane);
    let repeats = !outcome.unstable.iter().any(|one| one.lane == lane);
    let is_cut = outcome.is_cut();
    let met = match config.expect {
        Expect::Violated if found => Some(true),
        Expect::Violated if is_cut => None,
        Expect::Violated => Some(false),
        Expect::Holds if found || !repeats => Some(false),
        Expect::Holds if is_cut && tally.runs == 0 => None,
        Expect::Holds => Some(true),
    };
    SummaryLane {
        scenario: config.scenario_name.clone(),
        engine: config.engine.clone(),
        expect: config.expect,
        met,
        seeds: [config.seeds.start, config.seeds.end],
        tally: tally.clone(),
    }
}

/// A property that stayed under its minimum, or gave up. One that was violated has said what it had to say.
#[must_use]
pub(super) fn inconclusive(outcome: &Outcome) -> Vec<Inconclusive> {
    let mut list = Vec::new();
    for (index, (config, tally)) in outcome.lanes.iter().enumerate() {
        if tally.runs == 0 || outcome.has_finding(index) {
            continue;
        }
        let mut say = |property: &str, reason: String| {
            list.push(Inconclusive {
                scenario: config.scenario_name.clone(),
                engine: config.engine.clone(),
                property: property.to_string(),
                reason,
            });
        };
        if tally.compared.is_empty() {
            say("none", "no property judged".to_string());
        }
        for (property, compared) in &tally.compared {
            reasons(config.compared_min, compared).into_iter().for_each(|reason| say(property, reason));
        }
    }
    list
}

fn reasons(compared_min: u64, compared: &Compared) -> Vec<String> {
    let Compared { answers, runs, inconclusive, .. } = compared;
    let mut reasons = Vec::new();
    if *answers < compared_min {
        reasons.push(format!("it compared {answers} answers in {runs} runs, and `compared_min` is {compared_min}"));
    }
    let gave_up = inconclusive.iter().map(|(reason, count)| format!("it gave up in {count} of {runs} runs: {reason}"));
    reasons.extend(gave_up);
    reasons
}

fn fold(outcome: &Outcome) -> Fingerprint {
    let mut lanes: Vec<_> = outcome.lanes.iter().collect();
    lanes.sort_by(|(a, _), (b, _)| (&a.engine, &a.scenario_name).cmp(&(&b.engine, &b.scenario_name)));
    let mut hash = RunHash::new();
    for (config, tally) in lanes {
        for (seed, run) in &tally.hashes {
            hash.fold_bytes(config.engine.as_bytes());
            hash.fold_bytes(config.scenario_name.as_bytes());
            hash.fold(*seed);
            hash.fold(run.0);
        }
    }
    hash.fingerprint()
}
