//! What all runs of a campaign have passed through together, engine by engine, and since when.
//!
//! It depends on how often a worker was replaced and on which seeds were still running at the end, so it has a
//! file of its own, `coverage.json`, beside the summary and is no part of it. The places of an earlier campaign of
//! the same program stay known, which is how it can say what was *not* reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pool::WorkerId;
use crate::tape::Fingerprint;
use crate::trace::Gain;

/// The version of the form; it is only ever added to.
pub const COVERAGE_VERSION: u32 = 1;

/// The name of the file.
pub const COVERAGE_FILE: &str = "coverage.json";

/// What a campaign passed through, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The version of the form.
    pub v: u32,
    /// The program; lines mean nothing in another.
    pub build: Option<Fingerprint>,
    /// By engine's name.
    pub engines: BTreeMap<String, EngineCoverage>,
}

/// What was passed through of one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineCoverage {
    /// The places that are known, by file and line.
    pub places: Vec<Place>,
    /// Places and pairs that were new in each minute of the campaign.
    pub minutes: Vec<New>,
    /// Yields that were counted under no place, because there were too many ways to get there.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A place where a connection of the engine has waited, in this campaign or an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File and line.
    pub place: String,
    /// Yields that passed through it in this campaign, by scenario; empty when it was not reached.
    pub yields: BTreeMap<String, u64>,
    /// Where another connection came to wait right after one came to wait here: numbers of places.
    pub then: Vec<u32>,
}

/// What was new in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// Places.
    pub places: u64,
    /// Pairs.
    pub pairs: u64,
}

impl EngineCoverage {
    /// Whether it was run in this campaign.
    #[must_use]
    pub const fn has_run(&self) -> bool {
        !self.minutes.is_empty()
    }

    /// Places and pairs that were reached.
    #[must_use]
    pub fn reached(&self) -> New {
        let places = self.places.iter().filter(|place| place.is_reached()).count() as u64;
        New { places, pairs: self.places.iter().map(|place| place.then.len() as u64).sum() }
    }

    /// Places that one scenario reached.
    #[must_use]
    pub fn reached_by(&self, scenario: &str) -> u64 {
        self.places.iter().filter(|place| place.yields.contains_key(scenario)).count() as u64
    }

    /// Places that are known and were not reached.
    pub fn unreached(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| !place.is_reached())
    }
}

impl Place {
    /// Whether a connection has waited here in this campaign.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        !self.yields.is_empty()
    }
}

impl Coverage {
    /// Reads a stored form.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let coverage: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if coverage.v != COVERAGE_VERSION {
            return Err(format!("it is of version {}: expected version {COVERAGE_VERSION}", coverage.v));
        }
        let is_torn = |engine: &EngineCoverage| {
            engine.places.iter().flat_map(|place| &place.then).any(|&place| place as usize >= engine.places.len())
        };
        match coverage.engines.iter().find(|(_, engine)| is_torn(engine)) {
            Some((name, _)) => Err(format!("a pair of `{name}` names a place that is not there")),
            None => Ok(coverage),
        }
    }

    /// Takes in the places of an earlier campaign, if it was one of the same program.
    pub fn remember(&mut self, earlier: &Self) {
        if self.build.is_none() || self.build != earlier.build {
            return;
        }
        for (name, old) in &earlier.engines {
            let mut known = Merging::default();
            let engine = self.engines.entry(name.clone()).or_default();
            std::mem::take(&mut engine.places).into_iter().for_each(|place| known.add_place(place));
            old.places
                .iter()
                .for_each(|place| known.add_place(Place { place: place.place.clone(), ..Place::default() }));
            engine.places = known.sorted();
        }
    }
}

/// Places in the making, whose numbers stay as they are until all are there.
#[derive(Clone, Debug, Default)]
struct Merging {
    places: Vec<Place>,
    numbers: BTreeMap<String, u32>,
}

impl Merging {
    fn number(&mut self, place: &str) -> u32 {
        if let Some(&number) = self.numbers.get(place) {
            return number;
        }
        let number = self.places.len() as u32;
        self.numbers.insert(place.to_string(), number);
        self.places.push(Place { place: place.to_string(), ..Place::default() });
        number
    }

    /// Adds one whose pairs have the numbers of those added before it and after it already.
    fn add_place(&mut self, place: Place) {
        let known = self.places.len() as u32;
        if self.number(&place.place) == known {
            self.places[known as usize] = place;
        }
    }

    /// The places by file and line, their pairs renumbered.
    fn sorted(self) -> Vec<Place> {
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        order.sort_by_key(|&number| by_line(&self.places[number as usize].place));
        let mut new_numbers = vec![0; order.len()];
        (0..).zip(&order).for_each(|(new, &old)| new_numbers[old as usize] = new);
        let moved = |&old: &u32| {
            let mut place = self.places[old as usize].clone();
            place.then.iter_mut().for_each(|number| *number = new_numbers[*number as usize]);
            place.then.sort_unstable();
            place
        };
        order.iter().map(moved).collect()
    }
}

/// `file:9` before `file:10`.
fn by_line(place: &str) -> (String, u32) {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    (file.to_string(), line.parse().unwrap_or(0))
}

/// The coverage of a campaign under way.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    engines: BTreeMap<String, Gathered>,
    /// What a worker's numbers stand for, by worker, scenario and engine.
    tables: BTreeMap<(WorkerId, usize, String), Vec<u32>>,
}

#[derive(Debug, Default)]
struct Gathered {
    places: Merging,
    pairs: BTreeSet<(u32, u32)>,
    minutes: Vec<New>,
    lost: u64,
}

/// Where a gain comes from.
pub(super) struct Source<'a> {
    pub(super) worker: WorkerId,
    pub(super) scenario: usize,
    pub(super) scenario_name: &'a str,
    pub(super) engine: &'a str,
}

impl Gathering {
    /// Takes what a worker has added, `elapsed` after the beginning.
    pub(super) fn add(&mut self, source: &Source<'_>, gain: &Gain, elapsed: Duration) {
        let engine = self.engines.entry(source.engine.to_string()).or_default();
        let before = engine.places.places.len();
        let table = self.tables.entry((source.worker, source.scenario, source.engine.to_string())).or_default();
        table.extend(gain.places.iter().map(|place| engine.places.number(place)));
        let known = |number: u32| table.get(number as usize).copied();
        for &(place, count) in &gain.yields {
            let Some(place) = known(place) else { continue };
            let yields = &mut engine.places.places[place as usize].yields;
            match yields.get_mut(source.scenario_name) {
                Some(sum) => *sum += count,
                None => {
                    yields.insert(source.scenario_name.to_string(), count);
                }
            }
        }
        let mut new = New { places: (engine.places.places.len() - before) as u64, pairs: 0 };
        for &(a, b) in &gain.pairs {
            if let (Some(a), Some(b)) = (known(a), known(b)) {
                new.pairs += u64::from(engine.pairs.insert((a, b)));
            }
        }
        engine.lost += gain.lost;
        let minute = (elapsed.as_secs() / 60) as usize;
        engine.minutes.resize(engine.minutes.len().max(minute + 1), New::default());
        engine.minutes[minute].places += new.places;
        engine.minutes[minute].pairs += new.pairs;
    }

    /// Places and pairs of all engines so far.
    pub(super) fn reached(&self) -> New {
        self.engines.values().fold(New::default(), |sum, engine| New {
            places: sum.places + engine.places.places.len() as u64,
            pairs: sum.pairs + engine.pairs.len() as u64,
        })
    }

    /// The whole, in the form in which it is stored; `build` is filled in by who knows it.
    pub(super) fn finish(self, elapsed: Duration) -> Coverage {
        let minutes = (elapsed.as_secs() / 60) as usize + 1;
        let one = |(name, mut engine): (String, Gathered)| {
            for &(a, b) in &engine.pairs {
                engine.places.places[a as usize].then.push(b);
            }
            engine.minutes.resize(minutes, New::default());
            (name, EngineCoverage { places: engine.places.sorted(), minutes: engine.minutes, lost: engine.lost })
        };
        Coverage { v: COVERAGE_VERSION, build: None, engines: self.engines.into_iter().map(one).collect() }
    }
}
