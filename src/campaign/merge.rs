//! Results of shards, put together: a union by engine, scenario and seed.
//!
//! A union is associative, commutative and idempotent, so shards may be merged in any order, in several steps,
//! and twice. Nothing is added up before everything is there: sums are made of the seeds, as a campaign that ran
//! them all would have made them. Two results for one seed are both kept, for that is nondeterminism.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::journal::{JOURNAL_FILE, Journal, Note, read_manifest, read_notes};
use super::lane::{Lane, LaneConfig};
use super::manifest::{Manifest, Progressed};
use super::outcome::{Found, NotRepeated, Outcome};
use super::pool::DeathKind;
use super::protocol::{FirstDivergence, Ran};
use super::shard::Shard;
use super::store::{Store, StoreError};
use crate::scenario::Case;

/// Results that cannot be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// There are none.
    #[error("{}: no results of a campaign: {reason}: expected a folder that `run --out` or `merge --out` has written", path.display())]
    Unreadable {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong.
        reason: std::io::Error,
    },
    /// They are of different campaigns.
    #[error("{}: `{scenario}` on {engine} was run with other settings there than in the folders before it: expected shards of one campaign", path.display())]
    Other {
        /// The folder.
        path: PathBuf,
        /// The scenario.
        scenario: String,
        /// The engine.
        engine: String,
    },
    /// The result cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known of a campaign: all of its lanes, all of their seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    manifest: Manifest,
    /// By scenario and engine.
    lanes: BTreeMap<(String, String), Seeds>,
}

type Seeds = BTreeMap<u64, Seed>;

/// What is known of a seed. More than one result is one too many.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seed {
    /// The runs, as JSON: compact, and in an order that depends on nothing else.
    runs: BTreeSet<(String, Option<DeathKind>)>,
    repeated: bool,
    unstable: BTreeSet<(String, Option<FirstDivergence>)>,
}

impl Results {
    /// Nothing known yet of the campaign of a manifest.
    #[must_use]
    pub fn new(mut manifest: Manifest) -> Self {
        manifest.lanes.sort_by(|a, b| a.key().cmp(&b.key()));
        // Shards may come from machines that build differently; what they say of a seed is what counts.
        manifest.build = None;
        let key = |lane: &LaneConfig| (lane.scenario_name.clone(), lane.engine.clone());
        let lanes = manifest.lanes.iter().map(|lane| (key(lane), Seeds::new())).collect();
        Self { manifest, lanes }
    }

    /// Reads a folder of results.
    ///
    /// # Errors
    /// When it holds none, or they are damaged. A journal that was cut off is read as far as it goes.
    pub fn read(folder: &Path) -> Result<Self, MergeError> {
        let unreadable = |path: &Path, reason| MergeError::Unreadable { path: path.to_path_buf(), reason };
        let manifest = read_manifest(folder).map_err(|reason| unreadable(folder, reason))?;
        let keys: Vec<_> = manifest.lanes.iter().map(|lane| lane.key()).map(|(a, b)| (a.into(), b.into())).collect();
        let mut results = Self::new(manifest);
        let path = folder.join(JOURNAL_FILE);
        let mut file = File::open(&path).map_err(|reason| unreadable(&path, reason))?;
        let mut strange = None;
        let read = read_notes(&mut file, |note| {
            let (Note::Ran { lane, .. } | Note::Repeated { lane, .. } | Note::Unstable { lane, .. }) = &note;
            match keys.get(*lane) {
                Some(key) => results.note(key, note),
                None => strange = Some(*lane),
            }
        });
        read.map_err(|reason| unreadable(&path, reason))?;
        match strange {
            Some(lane) => Err(unreadable(&path, std::io::Error::other(format!("there is no lane {lane}")))),
            None => Ok(results),
        }
    }

    /// Takes note of something about a lane that the manifest has.
    pub fn note(&mut self, key: &(String, String), note: Note) {
        let Some(seeds) = self.lanes.get_mut(key) else { return };
        match note {
            Note::Ran { seed, death, ran, .. } => {
                let ran = serde_json::to_string(&ran).expect("a run has a JSON form");
                seeds.entry(seed).or_default().runs.insert((ran, death));
            }
            Note::Repeated { seed, .. } => seeds.entry(seed).or_default().repeated = true,
            Note::Unstable { seed, sentence, divergence, .. } => {
                seeds.entry(seed).or_default().unstable.insert((sentence, divergence));
            }
        }
    }

    /// Everything that either of two knows.
    ///
    /// # Errors
    /// Gives back the lane that the two do not mean in the same way.
    pub fn union(mut self, other: Self) -> Result<Self, Box<LaneConfig>> {
        for lane in other.manifest.lanes {
            match self.manifest.lanes.iter_mut().find(|known| known.key() == lane.key()) {
                Some(known) => unite(known, lane)?,
                None => self.manifest.lanes.push(lane),
            }
        }
        self.manifest.lanes.sort_by(|a, b| a.key().cmp(&b.key()));
        self.manifest.state = self.manifest.state.max(other.manifest.state);
        self.manifest.squall = self.manifest.squall.max(other.manifest.squall);
        self.manifest.shards.extend(other.manifest.shards);
        self.manifest.skipped.extend(other.manifest.skipped);
        self.manifest.corpus.extend(other.manifest.corpus);
        for (key, seeds) in other.lanes {
            let into = self.lanes.entry(key).or_default();
            for (seed, theirs) in seeds {
                let ours = into.entry(seed).or_default();
                ours.runs.extend(theirs.runs);
                ours.repeated |= theirs.repeated;
                ours.unstable.extend(theirs.unstable);
            }
        }
        Ok(self)
    }

    /// What the campaign came to, as if one process had run all of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let mut lanes = Vec::new();
        let mut unstable = Vec::new();
        let mut repeated = 0;
        for (index, config) in self.manifest.lanes.iter().enumerate() {
            let mut lane = Lane::new(config.clone(), Shard::WHOLE);
            for (seed, known) in self.seeds(config) {
                if let Some((ran, _)) = known.runs.first() {
                    lane.take(*seed, serde_json::from_str(ran).expect("it was written from a run"));
                }
            }
            lane.finish();
            for (seed, known) in self.seeds(config).filter(|(seed, _)| !lane.is_beyond(**seed)) {
                repeated += u64::from(known.repeated);
                unstable.extend(known.not_repeated(index, *seed));
            }
            lanes.push((lane.config, lane.tally));
        }
        let mut outcome = Outcome::of(self.manifest.clone(), lanes, unstable);
        outcome.pace.repeated = repeated;
        outcome
    }

    fn seeds(&self, config: &LaneConfig) -> impl Iterator<Item = (&u64, &Seed)> {
        self.lanes.get(&(config.scenario_name.clone(), config.engine.clone())).into_iter().flatten()
    }

    fn write(&self, store: &Store) -> Result<(), StoreError> {
        // What lies there is no campaign to go on with; a manifest of its own never equals this one.
        let running = Manifest { build: None, state: Progressed::Running, ..self.manifest.clone() };
        store.remove(super::manifest::MANIFEST_FILE);
        let (mut journal, _) = Journal::open(store, &running)?;
        for (lane, config) in self.manifest.lanes.iter().enumerate() {
            for (&seed, known) in self.seeds(config) {
                for (ran, death) in &known.runs {
                    let ran: Ran = serde_json::from_str(ran).expect("it was written from a run");
                    journal.add(&Note::Ran { lane, seed, death: *death, ran: Box::new(ran) });
                }
                if known.repeated {
                    journal.add(&Note::Repeated { lane, seed });
                }
                for (sentence, divergence) in &known.unstable {
                    let (sentence, divergence) = (sentence.clone(), *divergence);
                    journal.add(&Note::Unstable { lane, seed, sentence, divergence });
                }
            }
            journal.flush()?;
        }
        journal.close(store, &self.manifest)
    }
}

impl Seed {
    fn not_repeated(&self, lane: usize, seed: u64) -> Option<NotRepeated> {
        if self.runs.len() > 1 {
            let hash = |(ran, death): &(String, Option<DeathKind>)| {
                let hash = serde_json::from_str::<Ran>(ran).ok().and_then(|ran| ran.hash);
                hash.map_or_else(|| death.map_or("none", DeathKind::anomaly).to_string(), |hash| hash.to_string())
            };
            let hashes: BTreeSet<String> = self.runs.iter().map(hash).collect();
            let sentence = if hashes.len() > 1 {
                let hashes: Vec<String> = hashes.into_iter().collect();
                format!("the runs of one seed in different shards have the hashes {}", hashes.join(" and "))
            } else {
                "the runs of one seed in different shards have one hash and were judged differently".to_string()
            };
            return Some(NotRepeated { lane, seed, sentence, divergence: None });
        }
        let (sentence, divergence) = self.unstable.first()?.clone();
        Some(NotRepeated { lane, seed, sentence, divergence })
    }
}

/// One lane of two that mean the same. Only the seeds may differ; then all of them count.
fn unite(known: &mut LaneConfig, lane: LaneConfig) -> Result<(), Box<LaneConfig>> {
    let seeds = known.seeds.start.min(lane.seeds.start)..known.seeds.end.max(lane.seeds.end);
    let stop_at_first = known.stop_at_first && lane.stop_at_first;
    let same = LaneConfig {
        seeds: lane.seeds.clone(),
        stop_at_first: lane.stop_at_first,
        scenario: lane.scenario,
        ..known.clone()
    };
    if same != lane {
        return Err(Box::new(lane));
    }
    (known.seeds, known.stop_at_first) = (seeds, stop_at_first);
    Ok(())
}

/// Merges folders of results into another. Cases, and whatever lies beside them, are copied.
///
/// # Errors
/// When a folder holds no results, they are of different campaigns, or the merged ones cannot be written.
pub fn merge(folders: &[PathBuf], store: &Store) -> Result<Outcome, MergeError> {
    let mut all: Option<Results> = None;
    for path in folders {
        let results = Results::read(path)?;
        all = Some(match all {
            None => results,
            Some(all) => all.union(results).map_err(|lane| MergeError::Other {
                path: path.clone(),
                scenario: lane.scenario_name,
                engine: lane.engine,
            })?,
        });
    }
    let all = all.unwrap_or_else(|| Results::new(Manifest::new(Shard::WHOLE, Vec::new())));
    let mut outcome = all.outcome();
    for found in &mut outcome.findings {
        found.case = copy_bucket(folders, store, found)?;
        let case = found.case.as_ref().and_then(|case| Case::read(&store.path(case)).ok());
        found.sizes = case.map_or((None, None), |case| (case.original, case.shrunk));
    }
    all.write(store)?;
    Ok(outcome)
}

/// Copies the folder of a bucket from where its best case lies.
fn copy_bucket(folders: &[PathBuf], store: &Store, found: &Found) -> Result<Option<String>, StoreError> {
    let case = format!("{}/{}.case", found.bucket, found.seed);
    let Some(from) = folders.iter().find(|folder| folder.join(&case).is_file()) else { return Ok(None) };
    let error = |path: &Path, reason| StoreError { path: path.to_path_buf(), reason };
    let folder = from.join(&found.bucket);
    for entry in std::fs::read_dir(&folder).map_err(|reason| error(&folder, reason))?.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.') && entry.path().is_file()) else {
            continue;
        };
        let text = std::fs::read(entry.path()).map_err(|reason| error(&entry.path(), reason))?;
        store.write_bytes(&format!("{}/{name}", found.bucket), &text)?;
    }
    store.keep_case(&found.bucket, found.seed);
    Ok(Some(case))
}

#[cfg(test)]
mod tests;
