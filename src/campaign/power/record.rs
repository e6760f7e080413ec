//! Starts that have been made, and the file they are noted in, so that a measurement can be gone on with.
//!
//! The first line of the file says which program measured; numbers of two programs are never mixed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Start;
use crate::campaign::store::StoreError;
use crate::tape::Fingerprint;

/// A file of starts that cannot be gone on with.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It cannot be opened or read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}:{line}: {problem}: expected {expected}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Starts by bug, contender and number.
#[derive(Debug, Default)]
pub struct Record {
    starts: BTreeMap<(String, String, u64), Start>,
    file: Option<(PathBuf, File)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    v: u32,
    build: Option<Fingerprint>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    bug: String,
    contender: String,
    start: u64,
    runs: u64,
    found: bool,
    turns: u64,
    turns_most: u64,
}

const VERSION: u32 = 1;

impl Record {
    /// A record that is kept in a file too, and begins with what the file holds.
    ///
    /// # Errors
    /// When the file cannot be read or written, is no record, or is one of another program.
    pub fn in_file(path: &Path, build: Option<Fingerprint>) -> Result<Self, RecordError> {
        let unreadable = |reason| RecordError::Unreadable { path: path.to_path_buf(), reason };
        let text = if path.exists() { std::fs::read_to_string(path).map_err(unreadable)? } else { String::new() };
        // Somebody may have been killed in the middle of a line; that start is made again.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut record = Self::default();
        record.read(path, whole, build)?;
        let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(unreadable)?;
        file.set_len(whole.len() as u64).map_err(unreadable)?;
        if whole.is_empty() {
            let head = serde_json::to_string(&Head { v: VERSION, build }).expect("it has a JSON form");
            writeln!(file, "{head}").map_err(unreadable)?;
        }
        record.file = Some((path.to_path_buf(), file));
        Ok(record)
    }

    fn read(&mut self, path: &Path, text: &str, build: Option<Fingerprint>) -> Result<(), RecordError> {
        let wrong = |line: usize, problem: String, expected| {
            let path = path.to_path_buf();
            Err(RecordError::Wrong { path, line: line + 1, problem, expected })
        };
        for (number, line) in text.lines().enumerate() {
            if number == 0 {
                match serde_json::from_str::<Head>(line) {
                    Ok(head) if head.v == VERSION && head.build == build && build.is_some() => continue,
                    Ok(_) => {
                        let problem = "these starts were made by another build".to_string();
                        return wrong(number, problem, "a file of this very build, or one that does not exist yet");
                    }
                    Err(error) => return wrong(number, error.to_string(), "a file that `bench-power` has written"),
                }
            }
            match serde_json::from_str::<Line>(line) {
                Ok(Line { bug, contender, start, runs, found, turns, turns_most }) => {
                    self.starts.insert((bug, contender, start), Start { runs, found, turns, turns_most });
                }
                Err(error) => return wrong(number, error.to_string(), "a start, as `bench-power` writes it"),
            }
        }
        Ok(())
    }

    /// What a start came to, if it has been made.
    #[must_use]
    pub fn get(&self, bug: &str, contender: &str, start: u64) -> Option<Start> {
        self.starts.get(&(bug.to_string(), contender.to_string(), start)).copied()
    }

    /// Notes a start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&mut self, bug: &str, contender: &str, start: u64, made: Start) -> Result<(), StoreError> {
        self.starts.insert((bug.to_string(), contender.to_string(), start), made);
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let Start { runs, found, turns, turns_most } = made;
        let line =
            Line { bug: bug.to_string(), contender: contender.to_string(), start, runs, found, turns, turns_most };
        let line = serde_json::to_string(&line).expect("it has a JSON form");
        writeln!(file, "{line}").map_err(|reason| StoreError { path: path.clone(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: Option<Fingerprint> = Some(Fingerprint(7));

    #[test]
    fn a_record_goes_on_where_it_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("starts.jsonl");
        let made = |runs| Start { runs, found: true, turns: 10, turns_most: 5 };
        let mut record = Record::in_file(&path, BUILD).unwrap();
        (0..3).for_each(|start| record.note("bug", "random", start, made(start)).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut record = Record::in_file(&path, BUILD).unwrap();
        assert_eq!(record.get("bug", "random", 1), Some(made(1)));
        assert_eq!(record.get("bug", "random", 2), None);
        record.note("bug", "random", 2, made(2)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_file_of_another_build_or_of_something_else_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("starts.jsonl");
        drop(Record::in_file(&path, BUILD).unwrap());
        let refused = |build| Record::in_file(&path, build).unwrap_err().to_string();
        assert!(refused(Some(Fingerprint(8))).contains(":1: these starts were made by another build"));
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"bug\": 4}\n").unwrap();
        assert!(refused(BUILD).contains(":2: "));
        std::fs::write(&path, "about = \"a scenario\"\n").unwrap();
        assert!(refused(BUILD).contains(":1: "));
    }
}
