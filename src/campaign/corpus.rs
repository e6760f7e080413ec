//! A corpus: a folder of cases that is kept with the code, and what becomes of each when it is replayed.
//!
//! A case is *open* when it shows its finding still, *fixed* when its decisions fit and nothing is violated any
//! more, and *stale* when they fit no more. What is known of it is written in the case itself.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::hunt::CampaignError;
use super::manifest::CorpusState;
use super::pool::PoolConfig;
use super::protocol::CaseText;
use super::replay::{ReplayVerdict, Rerun, replay};
use super::store::{Store, StoreError};
use crate::scenario::{Case, CaseError, Known};
use crate::tape::Fingerprint;

/// A case of a corpus.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its place in the corpus.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The case.
    pub case: Case,
}

/// A corpus that cannot be used.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The folder cannot be read.
    #[error("{}: cannot be read: {reason}: expected a folder of cases", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// A case is damaged.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A case names a bucket that is no name.
    #[error("{}: its bucket `{bucket}` is fit for no file: expected small letters, digits and hyphens", path.display())]
    Bucket {
        /// The case.
        path: PathBuf,
        /// What it says.
        bucket: String,
    },
    /// Something cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a case that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there now, under this name.
    New(String),
    /// It took the place of one that took more turns.
    Shorter(String),
    /// One of its bucket is there that takes no more turns.
    Kept(String),
}

/// The cases under a folder, by name.
///
/// # Errors
/// When the folder cannot be read or a case is damaged.
pub fn corpus(folder: &Path) -> Result<Vec<Member>, CorpusError> {
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|reason| CorpusError::Unreadable { path: folder.to_path_buf(), reason })?;
    files.sort();
    let member = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        Ok(Member { name, case: Case::read(&path)?, path })
    };
    files.into_iter().map(member).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "case") {
            files.push(path);
        }
    }
    Ok(())
}

impl Member {
    /// Replays it.
    ///
    /// # Errors
    /// When no worker can be started, or the case cannot be run at all.
    pub fn replay(&self, config: &PoolConfig, build: Option<Fingerprint>) -> Result<Rerun, CampaignError> {
        let text = self.case.to_text().map_err(|error| CampaignError::Task(error.to_string()))?;
        replay(config, build, &self.case, &CaseText { name: self.name.clone(), text, from_seed: false, history: false })
    }

    /// What a replay makes of it, for the manifest.
    #[must_use]
    pub fn state(&self, rerun: &Rerun) -> CorpusState {
        CorpusState {
            bucket: self.case.head.bucket.clone(),
            case: self.name.clone(),
            state: state_name(rerun.verdict).to_string(),
            recorded: self.case.head.known.name().to_string(),
        }
    }

    /// Writes into the case what is known of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mark(&self, known: Known) -> Result<(), CorpusError> {
        let shown = self.path.display().to_string();
        let unreadable =
            |error: std::io::Error| CaseError::Unreadable { path: shown.clone(), reason: error.to_string() };
        let text = std::fs::read_to_string(&self.path).map_err(unreadable)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Store::new(folder).write(&name, &marked(&text, known))?;
        Ok(())
    }
}

/// The state that a replay gives a case.
#[must_use]
pub const fn state_name(verdict: ReplayVerdict) -> &'static str {
    match verdict {
        ReplayVerdict::Again => "open",
        ReplayVerdict::NoLonger => "fixed",
        ReplayVerdict::Stale => "stale",
        ReplayVerdict::Diverged => "diverged",
    }
}

/// The text of a case with what is known of it; everything else stays as it was laid out.
fn marked(text: &str, known: Known) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let new = format!("known = \"{}\"", known.name());
    let mut in_head = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_head = line == "[case]";
        }
        if in_head && line.starts_with("known = ") {
            continue;
        }
        lines.push(line);
        if in_head && line.starts_with("bucket = ") {
            lines.push(&new);
        }
    }
    lines.join("\n") + "\n"
}

/// Puts a case into a corpus, as `BUCKET.case`. At most one case of a bucket is kept, the one that takes fewest
/// turns.
///
/// # Errors
/// When it is no case, its bucket is no name, or it cannot be written.
pub fn add(folder: &Path, path: &Path) -> Result<Added, CorpusError> {
    let case = Case::read(path)?;
    let bucket = case.head.bucket.clone();
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if bucket.is_empty() || bucket.len() > 100 || !bucket.chars().all(is_name) {
        return Err(CorpusError::Bucket { path: path.to_path_buf(), bucket });
    }
    let members = if folder.exists() { corpus(folder)? } else { Vec::new() };
    let same = members.iter().find(|member| member.case.head.bucket == bucket);
    if let Some(same) = same.filter(|same| same.case.head.turns <= case.head.turns) {
        return Ok(Added::Kept(same.name.clone()));
    }
    let unreadable =
        |error: std::io::Error| CaseError::Unreadable { path: path.display().to_string(), reason: error.to_string() };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let name = same.map_or_else(|| format!("{bucket}.case"), |same| same.name.clone());
    Store::new(folder).write(&name, &marked(&text, Known::Open))?;
    Ok(if same.is_some() { Added::Shorter(name) } else { Added::New(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_changes_one_line_and_only_in_the_head() {
        let text =
            "# A failure\n\n[case]\nformat = 1\nbucket = \"b\"\nturns = 3\n\n[plan]\nbucket = \"no\"\nknown = \"no\"\n";
        let open = marked(text, Known::Open);
        assert_eq!(open, text.replace("bucket = \"b\"\n", "bucket = \"b\"\nknown = \"open\"\n"));
        assert_eq!(marked(&open, Known::Fixed), open.replace("known = \"open\"", "known = \"fixed\""));
        assert_eq!(marked(&open, Known::Open), open);
    }
}
