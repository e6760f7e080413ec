//! The parts of the page that are charts.

use serde_json::Value;

use super::chart::{Bar, Curve, bars, curves};
use super::{count, escape, number, section};
use crate::campaign::outcome::Outcome;
use crate::campaign::pace::Sample;
use crate::campaign::tally::Tally;

pub(super) fn compared(sum: &Tally) -> String {
    let rows: Vec<Bar> = sum
        .compared
        .iter()
        .map(|(name, one)| {
            let idle = if one.idle > 0 { format!(", {} idle", number(one.idle)) } else { String::new() };
            Bar { name: name.clone(), value: one.answers as f64, text: format!("{}{idle}", number(one.answers)) }
        })
        .collect();
    if rows.is_empty() {
        return section("What each property compared", "", "<p class=\"note\">Nothing was compared.</p>");
    }
    section("What each property compared", "", &bars("Answers compared, by property", &rows))
}

pub(super) fn throughput(outcome: &Outcome) -> String {
    let samples = &outcome.pace.samples;
    if samples.len() < 3 {
        return String::new();
    }
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let rate = |pair: &[Sample]| {
        let span = seconds(pair[1].ms - pair[0].ms).max(0.001);
        (seconds(pair[1].ms), pair[1].runs.saturating_sub(pair[0].runs) as f64 / span)
    };
    let marks: Vec<f64> =
        samples.windows(2).filter(|pair| pair[1].findings > pair[0].findings).map(|pair| seconds(pair[1].ms)).collect();
    // The last sample may come right after the one before it, and a rate over no time is none.
    let points: Vec<(f64, f64)> = samples.windows(2).filter(|pair| pair[1].ms >= pair[0].ms + 50).map(rate).collect();
    if points.len() < 2 {
        return String::new();
    }
    let runs = samples.iter().map(|sample| (seconds(sample.ms), sample.runs as f64)).collect();
    let lines = [Curve { name: "runs a second", points }, Curve { name: "runs finished", points: runs }];
    let note = if marks.is_empty() { "" } else { "<p class=\"note\">Dotted: a bucket was found.</p>" };
    section("Throughput", "", &format!("{}{note}", curves("Runs over time", &lines, &marks)))
}

/// Places and pairs of places reached, added up minute by minute.
pub(super) fn reached(coverage: Option<&Value>) -> String {
    let engines = coverage.and_then(|coverage| coverage["engines"].as_object());
    let mut text = String::new();
    for (name, engine) in engines.into_iter().flatten() {
        let minutes = engine["minutes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if minutes.is_empty() {
            continue;
        }
        let sum = |key: &str| {
            let mut total = 0.0;
            let mut points = vec![(0.0, 0.0)];
            for (minute, new) in minutes.iter().enumerate() {
                total += new[key].as_f64().unwrap_or(0.0);
                points.push(((minute + 1) as f64 * 60.0, total));
            }
            points
        };
        let (places, pairs) = (sum("places"), sum("pairs"));
        let known = engine["places"].as_array().map_or(0, Vec::len) as u64;
        let last = |points: &[(f64, f64)]| points.last().map_or(0, |point| point.1 as u64);
        text += &format!(
            "<p>{}: {} of {} known places, {} of places</p>",
            escape(name),
            number(last(&places)),
            number(known),
            count(last(&pairs), "pair")
        );
        if minutes.len() > 1 {
            text += &curves(
                "Places reached over time",
                &[Curve { name: "places", points: places }, Curve { name: "pairs", points: pairs }],
                &[],
            );
        }
    }
    section("Yields reached over time", "", &text)
}

pub(super) fn policies(sum: &Tally) -> String {
    let rows: Vec<Bar> = sum
        .policies
        .iter()
        .map(|(name, one)| {
            let found = if one.findings > 0 { format!(", {} found", number(one.findings)) } else { String::new() };
            Bar { name: name.clone(), value: one.runs as f64, text: format!("{}{found}", count(one.runs, "run")) }
        })
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        section("Policies and what they found", "", &bars("Runs by policy", &rows))
    }
}

pub(super) fn faults(sum: &Tally) -> String {
    let mut kinds: Vec<(&str, u64)> = sum.faults.iter().map(|(kind, times)| (kind.as_str(), *times)).collect();
    if sum.crashes > 0 {
        kinds.push(("crash", sum.crashes));
    }
    kinds.sort_by_key(|(name, times)| (std::cmp::Reverse(*times), *name));
    let bar =
        |(kind, times): &(&str, u64)| Bar { name: (*kind).to_string(), value: *times as f64, text: number(*times) };
    let rows: Vec<Bar> = kinds.iter().map(bar).collect();
    if rows.is_empty() {
        return section("Faults", "", "<p class=\"note\">No fault struck.</p>");
    }
    section("Faults", "", &bars("Faults that struck, by kind", &rows))
}
