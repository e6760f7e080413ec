//! What is seen after a disturbance, held against what is seen without it.

use std::collections::BTreeMap;

use super::stage::{Part, Said, Seen};
use super::trial::{Include, Record};
use crate::history::{Call, Datum, Outcome};

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// In words, with where it was seen.
    pub(super) text: String,
}

/// The kinds of differences; each is read in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Twice,
    Missing,
    Other,
    Damage,
    Stuck,
    Breakdown,
}

/// What may be expected of things that are in doubt.
pub(super) struct Fates {
    pub(super) subject: Vec<bool>,
    pub(super) follows: Vec<Vec<bool>>,
}

/// A disturbance that may change nothing: everything must be as without it.
pub(super) fn same(expected: &Record, got: &Record) -> Option<Difference> {
    if let Some(end) = the_end(got) {
        return Some(end);
    }
    let mut pairs = expected.seen.iter().zip(&got.seen);
    pairs.find(|(expected, got)| expected != got).map(|(expected, got)| difference(expected, got)).or_else(|| {
        (expected.seen.len() != got.seen.len())
            .then(|| Difference { kind: Kind::Other, text: "fewer operations could be asked afterwards".into() })
    })
}

/// A disturbance after which an operation may be in doubt: it must be wholly done or wholly not.
pub(super) fn whole_or_not(got: &Record, mut reference: impl FnMut(&Include) -> Record) -> Option<Difference> {
    if let Some(end) = the_end(got) {
        return Some(end);
    }
    let fates = Fates::of(got);
    let candidates: Vec<Record> = fates.all().iter().map(&mut reference).collect();
    let best = |after_restart: bool| {
        let of = |candidate: &Record| mismatches(candidate, got, after_restart);
        candidates.iter().map(of).min_by_key(Vec::len).unwrap_or_default().into_iter().next()
    };
    best(false).or_else(|| best(true)).map(|difference| match fates.subject.len() {
        2 => {
            Difference { text: format!("{}; it is neither wholly done nor wholly not", difference.text), ..difference }
        }
        _ => difference,
    })
}

/// What two connections have seen must be what they see one after the other.
pub(super) fn one_after_the_other(got: &Record, orders: &[Record]) -> Option<Difference> {
    if let Some(end) = the_end(got) {
        return Some(end);
    }
    let of = |order: &Record| mismatches(order, got, false).into_iter().chain(mismatches(order, got, true)).collect();
    let best: Vec<Difference> = orders.iter().map(of).min_by_key(Vec::len).unwrap_or_default();
    best.into_iter().next().map(|difference| Difference {
        text: format!("{}; no order of the two explains it", difference.text),
        ..difference
    })
}

impl Fates {
    fn of(got: &Record) -> Self {
        let fate = |wanted: &dyn Fn(Part) -> bool| {
            let mut fate = vec![true];
            for seen in got.seen.iter().filter(|seen| wanted(seen.part)) {
                match &seen.said {
                    Said::Answer(Outcome::Unknown(_)) => return vec![true, false],
                    Said::Answer(Outcome::Refused(_)) => fate = vec![false],
                    _ => {}
                }
            }
            fate
        };
        let follows = got.seen.iter().filter_map(|seen| match seen.part {
            Part::Follow(index) => Some(index + 1),
            _ => None,
        });
        let count = follows.max().unwrap_or(0);
        Self {
            subject: fate(&|part| matches!(part, Part::Target | Part::Rest)),
            follows: (0..count).map(|index| fate(&|part| part == Part::Follow(index))).collect(),
        }
    }

    /// Every combination.
    pub(super) fn all(&self) -> Vec<Include> {
        let mut all: Vec<Include> =
            self.subject.iter().map(|&subject| Include { subject, follows: Vec::new() }).collect();
        for fate in &self.follows {
            let with = |include: &Include, follow: bool| {
                let mut include = include.clone();
                include.follows.push(follow);
                include
            };
            all = all.iter().flat_map(|include| fate.iter().map(|&follow| with(include, follow))).collect();
        }
        all
    }
}

/// The fates of a meeting: the subject's, and the other's.
pub(super) fn meeting_fates(got: &Record) -> (Vec<bool>, Vec<bool>) {
    let other = got.seen.iter().find(|seen| seen.part == Part::Meanwhile).map(|seen| &seen.said);
    let other = match other {
        Some(Said::Answer(Outcome::Refused(_))) => vec![false],
        Some(Said::Answer(Outcome::Unknown(_))) => vec![true, false],
        _ => vec![true],
    };
    (Fates::of(got).subject, other)
}

/// A trial that could not go on.
fn the_end(got: &Record) -> Option<Difference> {
    let last = got.seen.last().filter(|seen| seen.said.is_the_end())?;
    let place = place(last);
    let (kind, what) = match &last.said {
        Said::Stuck(label) => (Kind::Stuck, format!("waits for ever, at {label}")),
        Said::Endless => (Kind::Stuck, "never ends".to_string()),
        Said::Panic(text) => (Kind::Breakdown, format!("panicked: {text}")),
        Said::Closed(text) => (Kind::Breakdown, format!("does not open: {text}")),
        Said::Answer(_) | Said::Problems(_) => return None,
    };
    Some(Difference { kind, text: format!("{place} {what}") })
}

/// What differs, as far as it was answered at all.
fn mismatches(expected: &Record, got: &Record, after_restart: bool) -> Vec<Difference> {
    let concerned = |seen: &&Seen| seen.part.is_after_restart() == after_restart;
    let mut found = Vec::new();
    for seen in got.seen.iter().filter(concerned) {
        // A refusal is no answer; what it may leave undone is part of the fates.
        let unmade =
            matches!(&seen.said, Said::Problems(lines) if lines.iter().any(|line| line.contains("could not be made")));
        if (!seen.said.is_ok() || unmade) && !after_restart {
            continue;
        }
        let same_call = |other: &&Seen| other.part == seen.part && other.call == seen.call;
        match expected.seen.iter().find(same_call) {
            Some(wanted) if wanted.said != seen.said => found.push(difference(wanted, seen)),
            _ => {}
        }
    }
    found
}

fn place(seen: &Seen) -> String {
    let call = seen.call.as_ref().map_or_else(|| "the engine".to_string(), |call| format!("`{}`", words(call)));
    match seen.part {
        Part::Before => format!("{call} before it"),
        Part::Target => call,
        Part::Rest => format!("{call} after it"),
        Part::Meanwhile => format!("the other connection's {call}"),
        Part::ReadBack | Part::Follow(_) => format!("{call} afterwards"),
        Part::ReadAgain => format!("{call}, later,"),
        Part::Check => "the engine's check".to_string(),
        Part::Reopened => "after a restart the engine".to_string(),
        Part::CheckReopened => "after a restart the engine's check".to_string(),
        Part::ReadReopened => format!("after a restart {call}"),
    }
}

/// A call, for people.
pub(super) fn words(call: &Call) -> String {
    let key = call.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
    let arg = match &call.arg {
        Datum::Null => String::new(),
        arg => format!(" {arg}"),
    };
    format!("{}{key}{arg}", call.f)
}

fn difference(expected: &Seen, got: &Seen) -> Difference {
    let place = place(got);
    let said = |kind, what: String| Difference { kind, text: format!("{place} {what}") };
    if expected.call != got.call {
        return Difference {
            kind: Kind::Other,
            text: format!("{place} is asked instead of {}", self::place(expected)),
        };
    }
    match (&expected.said, &got.said) {
        (Said::Problems(wanted), Said::Problems(problems)) => {
            let new: Vec<&String> = problems.iter().filter(|problem| !wanted.contains(problem)).collect();
            match new.first() {
                Some(first) => said(Kind::Damage, format!("says: {first}{}", more(new.len()))),
                None => said(Kind::Other, "says less than without it".to_string()),
            }
        }
        (Said::Answer(Outcome::Ok(wanted)), Said::Answer(Outcome::Ok(answer))) => {
            let (kind, what) = data(wanted, answer);
            said(kind, what)
        }
        (wanted, answer) => said(Kind::Other, format!("answers {} instead of {}", outcome(answer), outcome(wanted))),
    }
}

fn outcome(said: &Said) -> String {
    match said {
        Said::Answer(Outcome::Ok(value)) => short(&value.to_string()),
        Said::Answer(Outcome::Refused(class)) => format!("a refusal ({class})"),
        Said::Answer(Outcome::Unknown(class)) => format!("an error ({class})"),
        other => format!("{other:?}"),
    }
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_string() } else { text.chars().take(57).collect::<String>() + "…" }
}

/// How two answers differ, as specifically as can be said.
fn data(wanted: &Datum, got: &Datum) -> (Kind, String) {
    match (wanted, got) {
        (Datum::Rows(wanted), Datum::Rows(got)) => rows(wanted, got),
        (Datum::List(wanted), Datum::List(got)) => items(wanted, got),
        _ => (Kind::Other, format!("answers {} instead of {}", short(&got.to_string()), short(&wanted.to_string()))),
    }
}

type Row = (std::sync::Arc<str>, Datum);

fn rows(wanted: &[Row], got: &[Row]) -> (Kind, String) {
    let count = |rows: &[Row]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        rows.iter().for_each(|(key, _)| *counts.entry(key.to_string()).or_default() += 1);
        counts
    };
    let (expected, found) = (count(wanted), count(got));
    let times = |n: usize| if n == 2 { "twice".to_string() } else { format!("{n} times") };
    if let Some((key, n)) = found.iter().find(|&(key, &n)| n > expected.get(key).copied().unwrap_or(1)) {
        return (Kind::Twice, format!("brings `{key}` {}", times(*n)));
    }
    if let Some(key) = expected.keys().find(|key| !found.contains_key(*key)) {
        return (Kind::Missing, format!("does not bring `{key}`"));
    }
    if let Some(key) = found.keys().find(|key| !expected.contains_key(*key)) {
        return (Kind::Other, format!("brings `{key}`, which should not be there"));
    }
    let changed = wanted.iter().zip(got).find(|(wanted, got)| wanted != got);
    match changed {
        Some(((key, wanted), (other, got))) if key == other => {
            let (kind, what) = data(wanted, got);
            (kind, format!("for `{key}` {what}"))
        }
        _ => (Kind::Other, "brings the rows in another order".to_string()),
    }
}

fn items(wanted: &[Datum], got: &[Datum]) -> (Kind, String) {
    let count = |items: &[Datum], item: &Datum| items.iter().filter(|other| *other == item).count();
    if let Some(item) = got.iter().find(|item| count(got, item) > count(wanted, item).max(1)) {
        return (Kind::Twice, format!("holds {item} {} times", count(got, item)));
    }
    if let Some(item) = wanted.iter().find(|item| count(got, item) < count(wanted, item)) {
        return (Kind::Missing, format!("does not hold {item}"));
    }
    let (got, wanted) = (Datum::List(got.to_vec()).to_string(), Datum::List(wanted.to_vec()).to_string());
    (Kind::Other, format!("holds {} instead of {}", short(&got), short(&wanted)))
}
