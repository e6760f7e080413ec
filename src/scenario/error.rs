//! What is wrong with a scenario, where, and what would be right.
//!
//! Every error says four things: the place (file, line, column, or the flag), the key, what was expected, and
//! the nearest thing that exists. None of them is ever a finding, and none a panic.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In a file, or in a scenario embedded under that name. Lines and columns count from 1.
    File {
        /// The file.
        name: String,
        /// The line.
        line: u32,
        /// The column, in characters.
        column: u32,
    },
    /// On the command line, as it was typed.
    Flag(String),
}

impl Place {
    /// The place of byte `offset` of `text`.
    #[must_use]
    pub fn in_text(name: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::File { name: name.to_string(), line: line as u32, column: column as u32 }
    }

    /// A file as a whole.
    #[must_use]
    pub fn file(name: &str) -> Self {
        Self::File { name: name.to_string(), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A scenario that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}{}{}", expected_text(expected), nearest_text(nearest.as_deref()))]
pub struct ScenarioError {
    /// Where.
    pub place: Place,
    /// What is wrong; names the key.
    pub problem: String,
    /// What would be right; may be empty.
    pub expected: String,
    /// The nearest name that exists.
    pub nearest: Option<String>,
}

fn expected_text(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": expected {text}") }
}

fn nearest_text(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl ScenarioError {
    /// A problem without a hint.
    pub fn new(place: &Place, problem: impl Into<String>) -> Self {
        Self { place: place.clone(), problem: problem.into(), expected: String::new(), nearest: None }
    }

    /// Says what would be right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Names the nearest of the names that exist, if one is near.
    #[must_use]
    pub fn nearest_of<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = self::nearest_name(word, known);
        self
    }
}

/// The known name that a misspelt word most likely stands for; none when nothing is near.
pub fn nearest_name<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.replace('_', "-").to_lowercase();
    let near = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(&word, &name.to_lowercase());
        // `eio-read` for `disk.read-eio`: the last part alone may be what was meant.
        let last = name.rsplit(['.', '/']).next().unwrap_or(name);
        let part = strsim::normalized_damerau_levenshtein(word.rsplit(['.', '/']).next().unwrap_or(&word), last);
        whole.max(part * 0.95)
    };
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        let score = near(name);
        if score >= 0.6 && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, name));
        }
    }
    best.map(|(_, name)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named_and_a_far_one_is_not() {
        let check = |word, expected: Option<&str>| {
            let known = ["connections", "disk.read-eio", "disk.write-eio", "found_within"];
            assert_eq!(nearest_name(word, known).as_deref(), expected, "{word}");
        };
        check("conections", Some("connections"));
        check("found-within", Some("found_within"));
        check("read-eio", Some("disk.read-eio"));
        check("disk.write_eoi", Some("disk.write-eio"));
        check("zebra", None);
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let check = |offset, expected: &str| {
            assert_eq!(Place::in_text("a.toml", "x = 1\nä = 2\n", offset).to_string(), expected);
        };
        check(0, "a.toml:1:1");
        check(4, "a.toml:1:5");
        check(6, "a.toml:2:1");
        check(11, "a.toml:2:5");
        check(999, "a.toml:3:1");
    }
}
