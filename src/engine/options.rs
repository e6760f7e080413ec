//! The `[engine]` table of a scenario: checked once, then read without fuss.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::BugInfo;

/// A value of an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// One word out of several.
    Text(String),
}

/// An option that an engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionInfo {
    /// A whole number.
    Int {
        /// Its key.
        name: &'static str,
        /// One line of explanation, with the unit.
        about: &'static str,
        /// The smallest that is accepted.
        min: i64,
        /// The largest that is accepted.
        max: i64,
        /// What holds when nothing is said.
        default: i64,
    },
    /// Yes or no.
    Bool {
        /// Its key.
        name: &'static str,
        /// One line of explanation.
        about: &'static str,
        /// What holds when nothing is said.
        default: bool,
    },
    /// One word out of several.
    Choice {
        /// Its key.
        name: &'static str,
        /// One line of explanation.
        about: &'static str,
        /// The words accepted; the first holds when nothing is said.
        words: &'static [&'static str],
    },
}

impl OptionInfo {
    /// Its key.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Int { name, .. } | Self::Bool { name, .. } | Self::Choice { name, .. } => name,
        }
    }

    /// One line of explanation.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        match self {
            Self::Int { about, .. } | Self::Bool { about, .. } | Self::Choice { about, .. } => about,
        }
    }

    /// What is accepted, in words.
    #[must_use]
    pub fn accepted(&self) -> String {
        match self {
            Self::Int { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Bool { .. } => "true or false".to_string(),
            Self::Choice { words, .. } => format!("one of \"{}\"", words.join("\", \"")),
        }
    }

    fn default_value(&self) -> OptionValue {
        match self {
            Self::Int { default, .. } => OptionValue::Int(*default),
            Self::Bool { default, .. } => OptionValue::Bool(*default),
            Self::Choice { words, .. } => OptionValue::Text(words[0].to_string()),
        }
    }

    fn accepts(&self, value: &OptionValue) -> bool {
        match (self, value) {
            (Self::Int { min, max, .. }, OptionValue::Int(value)) => (min..=max).contains(&value),
            (Self::Bool { .. }, OptionValue::Bool(_)) => true,
            (Self::Choice { words, .. }, OptionValue::Text(value)) => words.contains(&value.as_str()),
            _ => false,
        }
    }
}

/// An option that the engine does not have, or a value it does not accept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// No such option.
    #[error("the engine has no option `{key}`")]
    Unknown {
        /// What was written.
        key: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A value out of range or of the wrong kind.
    #[error("`{key}` does not accept this value: expected {expected}")]
    Value {
        /// The key.
        key: String,
        /// What is accepted.
        expected: String,
    },
    /// No such bug.
    #[error("the engine has no bug `{name}`")]
    Bug {
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
}

/// The options of one engine in one run, complete: every key has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    values: BTreeMap<&'static str, OptionValue>,
    bugs: BTreeSet<&'static str>,
}

impl Options {
    /// Checks what a scenario says against what the engine has, and fills in the rest.
    ///
    /// # Errors
    /// Names the first key, value or bug that does not fit, and what would.
    pub fn resolve(
        infos: &[OptionInfo],
        bugs: &[BugInfo],
        given: &BTreeMap<String, OptionValue>,
        switched_on: &[String],
    ) -> Result<Self, OptionError> {
        let mut values: BTreeMap<_, _> = infos.iter().map(|info| (info.name(), info.default_value())).collect();
        for (key, value) in given {
            let Some(info) = infos.iter().find(|info| info.name() == key) else {
                return Err(OptionError::Unknown {
                    key: key.clone(),
                    known: infos.iter().map(OptionInfo::name).collect(),
                });
            };
            if !info.accepts(value) {
                return Err(OptionError::Value { key: key.clone(), expected: info.accepted() });
            }
            values.insert(info.name(), value.clone());
        }
        let find = |name: &String| {
            let known = || bugs.iter().map(|bug| bug.name).collect();
            let bug = bugs.iter().find(|bug| bug.name == name);
            bug.map(|bug| bug.name).ok_or_else(|| OptionError::Bug { name: name.clone(), known: known() })
        };
        Ok(Self { values, bugs: switched_on.iter().map(find).collect::<Result<_, _>>()? })
    }

    /// A number.
    ///
    /// # Panics
    /// When the engine has declared no such number: a mistake in the engine.
    #[must_use]
    pub fn int(&self, key: &str) -> i64 {
        match self.values.get(key) {
            Some(OptionValue::Int(value)) => *value,
            other => panic!("option `{key}` is not declared as a number: {other:?}"),
        }
    }

    /// A yes or no.
    ///
    /// # Panics
    /// When the engine has declared no such option.
    #[must_use]
    pub fn bool(&self, key: &str) -> bool {
        match self.values.get(key) {
            Some(OptionValue::Bool(value)) => *value,
            other => panic!("option `{key}` is not declared as true or false: {other:?}"),
        }
    }

    /// A word.
    ///
    /// # Panics
    /// When the engine has declared no such option.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(OptionValue::Text(value)) => value,
            other => panic!("option `{key}` is not declared as a word: {other:?}"),
        }
    }

    /// Whether a bug is switched on.
    #[must_use]
    pub fn bug(&self, name: &str) -> bool {
        self.bugs.contains(name)
    }

    /// The bugs that are switched on.
    pub fn bugs(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.bugs.iter().copied()
    }

    /// All keys with their values, sorted.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &OptionValue)> {
        self.values.iter().map(|(key, value)| (*key, value))
    }
}
