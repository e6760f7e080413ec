//! Where scenarios come from: files, folders, and those embedded in the program.
//!
//! An argument that names an existing path is that; anything else is the name of an embedded scenario or
//! folder. Both give the same names, so that a campaign's summary does not tell where its files lay.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{Place, ScenarioError, nearest_name};
use super::model::{Scenario, canonical, names};
use super::text::{self, Entry, TEXT_MAX};

/// Profiles may extend profiles so deep.
const EXTENDS_MAX: usize = 8;

/// The folder of profiles: they are extended, never run.
const PROFILES: &str = "profiles/";

/// The scenarios known by name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    texts: BTreeMap<String, Cow<'static, str>>,
}

/// A scenario's text and where it came from.
struct Origin<'a> {
    /// Shown in errors.
    shown: String,
    /// Files that `extends` names are relative to this; none for embedded scenarios.
    folder: Option<&'a Path>,
}

impl Library {
    /// Makes a scenario known by name, such as `smoke/bank`. A later one of the same name replaces an earlier.
    pub fn add(&mut self, name: &str, text: impl Into<Cow<'static, str>>) {
        self.texts.insert(name.to_string(), text.into());
    }

    /// The names of all scenarios, profiles left out, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str).filter(|name| !name.starts_with(PROFILES))
    }

    /// The scenarios that an argument names, with the flags applied.
    ///
    /// # Errors
    /// When it names nothing, a file cannot be read, or a scenario is wrong.
    pub fn find(&self, argument: &str, flags: &[Entry]) -> Result<Vec<Scenario>, ScenarioError> {
        let path = Path::new(argument);
        if path.is_dir() {
            let files = files_under(path).map_err(|error| unreadable(argument, &error))?;
            if files.is_empty() {
                return Err(ScenarioError::new(&Place::Flag(argument.to_string()), "the folder holds no scenario"));
            }
            return files.iter().map(|file| self.read(file, flags)).collect();
        }
        if path.exists() {
            return Ok(vec![self.read(path, flags)?]);
        }
        let name = argument.trim_end_matches('/').trim_end_matches(".toml");
        let name = name.strip_prefix("workloads/").unwrap_or(if name == "workloads" { "" } else { name });
        let inside = |known: &&str| {
            let folder = known.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
            *known == name || folder || name.is_empty()
        };
        let found: Vec<&str> = self.names().filter(inside).collect();
        if found.is_empty() {
            let known: Vec<&str> = self.names().chain(self.folders()).collect();
            let problem = "neither a path nor the name of an embedded scenario or folder";
            let error = ScenarioError::new(&Place::Flag(argument.to_string()), problem);
            return Err(ScenarioError { nearest: nearest_name(name, known), ..error });
        }
        found.into_iter().map(|name| self.embedded(name, flags)).collect()
    }

    /// The scenario embedded under exactly this name.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn embedded(&self, name: &str, flags: &[Entry]) -> Result<Scenario, ScenarioError> {
        let text = self.texts.get(name).ok_or_else(|| ScenarioError::new(&Place::file(name), "no such scenario"))?;
        self.build(name, text, &Origin { shown: format!("{name}.toml"), folder: None }, flags)
    }

    fn folders(&self) -> impl Iterator<Item = &str> {
        self.names().filter_map(|name| name.split_once('/').map(|(folder, _)| folder))
    }

    fn read(&self, path: &Path, flags: &[Entry]) -> Result<Scenario, ScenarioError> {
        let shown = path.display().to_string();
        let text = read_text(path)?;
        self.build(&name_of(path), &text, &Origin { shown, folder: path.parent() }, flags)
    }

    fn build(&self, name: &str, text: &str, origin: &Origin<'_>, flags: &[Entry]) -> Result<Scenario, ScenarioError> {
        let mut layers = Vec::new();
        self.layers(text, origin, 0, &mut layers)?;
        layers.push(flags.to_vec());
        Scenario::new(name, layers).map_err(|error| match error.place {
            // An error about the scenario as a whole knows its name alone; show where it came from.
            Place::File { name: place, .. } if place == name => {
                ScenarioError { place: Place::file(&origin.shown), ..error }
            }
            _ => error,
        })
    }

    /// The layers of a text: those it extends, then its own.
    fn layers(
        &self,
        text: &str,
        origin: &Origin<'_>,
        depth: usize,
        into: &mut Vec<Vec<Entry>>,
    ) -> Result<(), ScenarioError> {
        let entries = text::parse(&origin.shown, text)?;
        if let Some(entry) = entries.iter().find(|entry| canonical(&entry.key) == "extends") {
            if depth >= EXTENDS_MAX {
                let problem = format!("`extends` goes on for more than {EXTENDS_MAX} files");
                return Err(ScenarioError::new(&entry.value_at, problem));
            }
            for profile in names(&entry.value).unwrap_or_default() {
                self.extend(&profile, entry, origin, depth, into)?;
            }
        }
        into.push(entries);
        Ok(())
    }

    fn extend(
        &self,
        profile: &str,
        entry: &Entry,
        origin: &Origin<'_>,
        depth: usize,
        into: &mut Vec<Vec<Entry>>,
    ) -> Result<(), ScenarioError> {
        if let Some(folder) = origin.folder
            && profile.ends_with(".toml")
        {
            let path = folder.join(profile);
            let text = read_text(&path)?;
            let inner = Origin { shown: path.display().to_string(), folder: path.parent() };
            return self.layers(&text, &inner, depth + 1, into);
        }
        // In a checkout, the profile that lies there is meant, not the one that was embedded some time ago.
        let beside = origin.folder.into_iter().flat_map(|folder| [folder.join(".."), folder.to_path_buf()]);
        let mut candidates = beside.map(|folder| folder.join(PROFILES).join(format!("{profile}.toml")));
        if let Some(path) = candidates.find(|path| profile.chars().all(is_plain) && path.is_file()) {
            let text = read_text(&path)?;
            let inner = Origin { shown: path.display().to_string(), folder: path.parent() };
            return self.layers(&text, &inner, depth + 1, into);
        }
        let name = format!("{PROFILES}{profile}");
        let Some(text) = self.texts.get(&name) else {
            let known = self.texts.keys().filter_map(|known| known.strip_prefix(PROFILES));
            let error = ScenarioError::new(&entry.value_at, format!("there is no profile `{profile}`"));
            let listed: Vec<&str> = known.clone().collect();
            return Err(error.expected(format!("one of {}", listed.join(", "))).nearest_of(profile, known));
        };
        self.layers(text, &Origin { shown: format!("{name}.toml"), folder: None }, depth + 1, into)
    }
}

/// Letters of a profile's name; no path is made of anything else.
const fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'
}

/// A file's name as a scenario: what follows the last folder `workloads`, or the file's own name.
fn name_of(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let from = parts.iter().rposition(|part| part == "workloads").map_or(parts.len() - 1, |at| at + 1);
    parts[from.min(parts.len() - 1)..].join("/")
}

fn files_under(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "profiles") {
            files.extend(files_under(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_text(path: &Path) -> Result<String, ScenarioError> {
    let shown = path.display().to_string();
    let length = std::fs::metadata(path).map_err(|error| unreadable(&shown, &error))?.len();
    if length > TEXT_MAX as u64 {
        let problem = format!("the scenario is {length} bytes long");
        return Err(ScenarioError::new(&Place::file(&shown), problem).expected(format!("at most {TEXT_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(&shown, &error))
}

fn unreadable(shown: &str, error: &std::io::Error) -> ScenarioError {
    ScenarioError::new(&Place::Flag(shown.to_string()), format!("cannot be read: {error}"))
}
