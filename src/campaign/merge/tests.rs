//! Merging: its laws, drawn at random, and what it says of shards that are missing, foreign or unequal.

use arbtest::arbitrary::{Result as Drawn, Unstructured};
use arbtest::arbtest;

use super::super::summary::Summary;
use super::*;
use crate::scenario::{Expect, StoredFinding};
use crate::tape::Fingerprint;

fn lane(scenario: &str, engine: &str, seeds: std::ops::Range<u64>, stop_at_first: bool) -> LaneConfig {
    LaneConfig {
        scenario: 0,
        scenario_name: scenario.into(),
        engine: engine.into(),
        label: engine.into(),
        bugs: Vec::new(),
        fingerprint: Fingerprint(1),
        seeds,
        expect: if stop_at_first { Expect::Violated } else { Expect::Holds },
        compared_min: 0,
        stop_at_first,
    }
}

/// What the one run of a seed comes to, unless a shard has its own idea.
fn ran(seed: u64, odd: u64) -> Ran {
    let finding = || StoredFinding { property: "p".into(), anomaly: format!("a{}", seed % 2), ..Default::default() };
    Ran {
        hash: Some(Fingerprint(seed * 1_000 + odd)),
        turns: 100 - (seed * 7) % 30,
        finding: seed.is_multiple_of(5).then(finding),
        ..Ran::default()
    }
}

/// Some seeds of some lanes, some of them not as elsewhere.
fn results(u: &mut Unstructured<'_>) -> Drawn<Results> {
    let count = u.int_in_range(1..=3)?;
    let shard = Shard::new(u.int_in_range(1..=count)?, count).unwrap();
    let mut lanes = Vec::new();
    for (scenario, engine) in [("b", "x"), ("a", "y"), ("a", "x")] {
        if u.arbitrary()? {
            let start = u.int_in_range(0..=3)?;
            lanes.push(lane(scenario, engine, start..start + u.int_in_range(1..=20)?, scenario == "b"));
        }
    }
    let mut results = Results::new(Manifest::new(shard, lanes));
    results.manifest.state = [Progressed::Complete, Progressed::BudgetSpent, Progressed::Running][u.choose_index(3)?];
    for key in results.lanes.keys().cloned().collect::<Vec<_>>() {
        for _ in 0..u.int_in_range(0..=12)? {
            let seed = u.int_in_range(0..=20)?;
            let odd = u64::from(u.ratio(1, 8)?);
            results.note(&key, Note::Ran { lane: 0, seed, death: None, ran: Box::new(ran(seed, odd)) });
            if u.arbitrary()? {
                results.note(&key, Note::Repeated { lane: 0, seed });
            }
            if u.ratio(1, 16)? {
                results.note(&key, Note::Unstable { lane: 0, seed, sentence: "it varies".into(), divergence: None });
            }
        }
    }
    Ok(results)
}

fn summary(results: &Results) -> String {
    serde_json::to_string_pretty(&Summary::of(&results.outcome())).unwrap()
}

fn union(a: &Results, b: &Results) -> Results {
    a.clone().union(b.clone()).unwrap()
}

#[test]
fn a_merge_is_associative_commutative_and_idempotent() {
    arbtest(|u| {
        let (a, b, c) = (results(u)?, results(u)?, results(u)?);
        assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
        assert_eq!(union(&a, &b), union(&b, &a));
        assert_eq!(union(&a, &a), a);
        assert_eq!(union(&union(&a, &b), &b), union(&a, &b));
        assert_eq!(summary(&union(&union(&a, &b), &c)), summary(&union(&c, &union(&b, &a))));
        Ok(())
    });
}

/// The results of one shard that runs what it should, lanes that stop at their first finding included.
fn shard(index: u32, count: u32) -> Results {
    let shard = Shard::new(index, count).unwrap();
    let lanes = vec![lane("a", "x", 0..40, false), lane("b", "x", 3..40, true)];
    let mut results = Results::new(Manifest::new(shard, lanes.clone()));
    results.manifest.state = Progressed::Complete;
    for config in lanes {
        let key = (config.scenario_name.clone(), config.engine.clone());
        let mut lane = Lane::new(config, shard);
        while let Some(seed) = lane.start() {
            lane.take(seed, ran(seed, 0));
            results.note(&key, Note::Ran { lane: 0, seed, death: None, ran: Box::new(ran(seed, 0)) });
        }
    }
    results
}

#[test]
fn one_shard_and_many_give_one_summary() {
    let whole = summary(&shard(1, 1));
    assert!(whole.contains("\"runs\": 43"), "40 seeds, and 3 to 5 of those that stop: {whole}");
    for count in [2, 3, 8, 11] {
        let merged = (1..=count).map(|index| shard(index, count)).reduce(|a, b| union(&a, &b)).unwrap();
        assert_eq!(summary(&merged), whole, "{count} shards");
    }
}

#[test]
fn a_missing_shard_is_named_and_what_is_there_counts() {
    let merged = union(&shard(1, 3), &shard(3, 3));
    let summary = Summary::of(&merged.outcome());
    assert_eq!(summary.shards_missing, [Shard::new(2, 3).unwrap()]);
    assert_eq!(summary.scenarios[0].tally.runs, 27);
    assert!(Summary::of(&union(&merged, &shard(2, 3)).outcome()).shards_missing.is_empty());
}

#[test]
fn two_hashes_for_one_seed_are_nondeterminism() {
    let mut other = shard(1, 1);
    let key = ("a".to_string(), "x".to_string());
    other.note(&key, Note::Ran { lane: 0, seed: 7, death: None, ran: Box::new(ran(7, 1)) });
    let outcome = union(&shard(1, 1), &other).outcome();
    let unstable: Vec<_> = outcome.unstable.iter().map(|one| (one.lane, one.seed)).collect();
    assert_eq!(unstable, [(0, 7)]);
    let expected = "have the hashes 0000000000001b58 and 0000000000001b59";
    assert!(outcome.unstable[0].sentence.contains(expected), "{}", outcome.unstable[0].sentence);
}

#[test]
fn shards_of_different_campaigns_do_not_fit() {
    let mut other = shard(2, 2);
    other.manifest.lanes[0].fingerprint = Fingerprint(2);
    assert_eq!(shard(1, 2).union(other).unwrap_err().scenario_name, "a");
}
