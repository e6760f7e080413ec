//! What a campaign has finished, seed by seed, appended to `runs.jsonl` as it goes.
//!
//! The journal is what a campaign that was killed goes on from, and what shards are merged from. It is only ever
//! appended to, whole lines at a time; a line that was cut off by whatever killed the campaign is left out when
//! it is read and overwritten when the campaign goes on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Error, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{MANIFEST_FILE, Manifest, Progressed};
use super::pool::DeathKind;
use super::protocol::{FirstDivergence, Ran};
use super::store::{Store, StoreError};

/// The file's name.
pub const JOURNAL_FILE: &str = "runs.jsonl";

/// Something that a campaign has finished. Lanes are counted as in the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// A seed was run.
    Ran {
        /// Its lane.
        lane: usize,
        /// The seed.
        seed: u64,
        /// How its worker went down, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        death: Option<DeathKind>,
        /// What it came to.
        ran: Box<Ran>,
    },
    /// A seed was run again in another process, and it was the same.
    Repeated {
        /// Its lane.
        lane: usize,
        /// The seed.
        seed: u64,
    },
    /// A seed did not repeat.
    Unstable {
        /// Its lane.
        lane: usize,
        /// The seed.
        seed: u64,
        /// What differed.
        sentence: String,
        /// Where.
        divergence: Option<FirstDivergence>,
    },
}

/// The journal of a campaign under way.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
    /// Up to here every line is whole, in bytes.
    length: u64,
}

impl Journal {
    /// Opens the journal of a campaign: the one that lies there when the same campaign has not come to its end,
    /// with what it has finished, or else a new one.
    ///
    /// # Errors
    /// When it cannot be written, or another campaign is writing it.
    pub fn open(store: &Store, manifest: &Manifest) -> Result<(Self, Vec<Note>), StoreError> {
        let path = store.path(JOURNAL_FILE);
        let error = |reason| StoreError { path: path.clone(), reason };
        std::fs::create_dir_all(store.folder()).map_err(error)?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(error)?;
        // A file system without locks is no reason not to run.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            let reason = "another campaign is writing to this folder: expected an `--out` of its own for each";
            return Err(error(Error::other(reason)));
        }
        let goes_on = read_manifest(store.folder()).is_ok_and(|earlier| {
            earlier.is_same_as(manifest) && matches!(earlier.state, Progressed::Running | Progressed::Interrupted)
        });
        let mut notes = Vec::new();
        let mut length = 0;
        if goes_on {
            length = read_notes(&mut file, |note| notes.push(note)).map_err(|reason| {
                error(Error::other(format!("{reason}: expected the journal of a campaign; remove it to begin anew")))
            })?;
        } else {
            // What lies there tells of another campaign, which must not be taken for this one's.
            ["summary.json", "timing.json", "index.html"].iter().for_each(|name| store.remove(name));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(error)?;
        write_manifest(store, manifest)?;
        Ok((Self { path, file, waiting: Vec::new(), length }, notes))
    }

    /// Adds a note; it is written with the next [`flush`](Self::flush).
    pub fn add(&mut self, note: &Note) {
        let line = serde_json::to_string(note).expect("notes have a JSON form");
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
    }

    /// Hands what was added to the operating system, so that it outlives this process.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk. What was written before is still there, and whole.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if let Err(reason) = self.file.write_all(&self.waiting) {
            let _ = self.file.set_len(self.length);
            return Err(StoreError { path: self.path.clone(), reason });
        }
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Notes how the campaign ended. One that did not come to its end goes on when it is started again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(mut self, store: &Store, manifest: &Manifest) -> Result<(), StoreError> {
        self.flush()?;
        self.file.sync_all().map_err(|reason| StoreError { path: self.path.clone(), reason })?;
        write_manifest(store, manifest)
    }
}

pub(super) fn write_manifest(store: &Store, manifest: &Manifest) -> Result<(), StoreError> {
    let text = serde_json::to_string_pretty(manifest).expect("a manifest has a JSON form") + "\n";
    store.write(MANIFEST_FILE, &text).map(|_| ())
}

/// The manifest in a folder of results.
pub(super) fn read_manifest(folder: &Path) -> std::io::Result<Manifest> {
    let text = std::fs::read_to_string(folder.join(MANIFEST_FILE))?;
    serde_json::from_str(&text).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// Reads notes up to the first line that is not whole; returns how many bytes that were.
///
/// # Errors
/// When the file cannot be read, or a whole line is no note.
pub(super) fn read_notes(file: &mut File, mut take: impl FnMut(Note)) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut lines = BufReader::new(file);
    let mut length = 0;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let note = serde_json::from_slice(&line).map_err(|error| {
            Error::new(ErrorKind::InvalidData, format!("line {number} is no note of a campaign: {error}"))
        })?;
        take(note);
        length += line.len() as u64;
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::super::lane::LaneConfig;
    use super::super::shard::Shard;
    use super::*;
    use crate::scenario::Expect;
    use crate::tape::Fingerprint;

    fn note(seed: u64) -> Note {
        Note::Ran { lane: 0, seed, death: None, ran: Box::new(Ran { turns: seed * 7, ..Ran::default() }) }
    }

    fn room() -> (tempfile::TempDir, Store, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("out"));
        // Two scenarios: the places that they have in this process are not written down.
        let lanes = (0..2).map(|scenario| LaneConfig {
            scenario,
            scenario_name: format!("s{scenario}"),
            engine: "e".into(),
            label: "e".into(),
            bugs: Vec::new(),
            fingerprint: Fingerprint(0),
            seeds: 0..u64::MAX,
            expect: Expect::Holds,
            compared_min: 1,
            stop_at_first: false,
        });
        (folder, store, Manifest::new(Shard::WHOLE, lanes.collect()))
    }

    #[test]
    fn a_campaign_goes_on_from_whole_lines_and_overwrites_a_torn_one() {
        let (_folder, store, manifest) = room();
        let (mut journal, notes) = Journal::open(&store, &manifest).unwrap();
        assert_eq!(notes, []);
        (0..3).for_each(|seed| journal.add(&note(seed)));
        journal.flush().unwrap();
        drop(journal);
        let path = store.path(JOURNAL_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        let (mut journal, notes) = Journal::open(&store, &manifest).unwrap();
        assert_eq!(notes, [note(0), note(1)]);
        journal.add(&note(9));
        journal.flush().unwrap();
        drop(journal);
        let (_, notes) = Journal::open(&store, &manifest).unwrap();
        assert_eq!(notes, [note(0), note(1), note(9)]);
    }

    #[test]
    fn a_campaign_that_came_to_its_end_or_was_another_is_begun_anew() {
        let (_folder, store, manifest) = room();
        let begin = |manifest: &Manifest| {
            let (mut journal, notes) = Journal::open(&store, manifest).unwrap();
            journal.add(&note(0));
            journal.flush().unwrap();
            (journal, notes.len())
        };
        assert_eq!(begin(&manifest).1, 0);
        let other = Manifest { build: Some(Fingerprint(7)), ..manifest.clone() };
        let (journal, notes) = begin(&other);
        assert_eq!(notes, 0);
        journal.close(&store, &Manifest { state: Progressed::Interrupted, ..other.clone() }).unwrap();
        let (journal, notes) = begin(&other);
        assert_eq!(notes, 1);
        journal.close(&store, &Manifest { state: Progressed::Complete, ..other.clone() }).unwrap();
        assert_eq!(begin(&other).1, 0);
    }

    #[test]
    fn two_campaigns_never_write_to_one_folder() {
        let (_folder, store, manifest) = room();
        let _first = Journal::open(&store, &manifest).unwrap();
        let error = Journal::open(&store, &manifest).unwrap_err().to_string();
        assert!(error.contains("another campaign is writing to this folder"), "{error}");
    }
}
