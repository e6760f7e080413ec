//! A stored failure: readable TOML that replays without its scenario and without flags.
//!
//! A case comes from anybody, so nothing in it is trusted: its length is bounded before it is read, every value
//! is checked against what a scenario could have said, and no part of it is ever used as a path.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Table;

use super::configuration::{Configuration, StoredFinding};
use super::error::{Place, ScenarioError};
use super::run::RunError;
use crate::tape::{Decisions, Fingerprint, ParseDecisionError, Timeline};

/// The version of the form this program writes, and the latest that it reads.
pub const FORMAT: u64 = 1;

/// A case may be so long, in bytes.
pub const CASE_MAX: u64 = 64 << 20;

/// What a file must begin with to be taken for a case.
const FIRST_LINE: &str = "# A failure found by squall.";

/// A stored failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is known of where it came from, and what it showed.
    pub head: Head,
    /// What was violated.
    pub finding: StoredFinding,
    /// How everything was set up.
    pub configuration: Configuration,
    /// What was asked, as the table `plan`.
    pub plan: Table,
    /// What was decided. Without it the case replays from its seed, as when the engine took its process down.
    pub decisions: Option<Decisions>,
    /// The hash turn by turn.
    pub timeline: Option<Timeline>,
    /// How large the failure was when it was found, if somebody has tried to make it smaller.
    pub original: Option<Size>,
    /// What came of trying.
    pub shrunk: Option<ShrunkFacts>,
}

/// How large a failure is; compared from the first field to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Size {
    /// Connections that ask something.
    pub connections: usize,
    /// Operations in the plan: those of connections, and those that set up and read back.
    pub ops: usize,
    /// Crashes.
    pub crashes: usize,
    /// Draws that were not calm.
    pub faults: usize,
    /// Context switches: turns at which another connection than before goes on, itself or through its I/O.
    pub switches: usize,
    /// The numbers in the plan, such as lengths of values, each as long as it is in bits.
    pub bits: usize,
    /// Segments of the schedule.
    pub segments: usize,
    /// Turns.
    pub turns: u64,
}

/// What came of making a failure smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShrunkFacts {
    /// Runs made for it.
    pub replays: u64,
    /// Why it stopped before nothing more could be taken away, or was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// How large the failure is now; unknown when it could not be tried at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
}

/// Where a case came from, and what it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Head {
    /// The version of the form.
    pub format: u64,
    /// The version of squall that wrote it.
    pub squall: String,
    /// The name of the program that has the engine.
    pub program: String,
    /// A fingerprint of the program's own bytes: another build is another engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Fingerprint>,
    /// The scenario's name. For people; the case does not need it.
    pub scenario: String,
    /// The seed, for what the engine draws.
    pub seed: String,
    /// The failure's bucket.
    pub bucket: String,
    /// What is known of it, where it is kept in a corpus.
    #[serde(default, skip_serializing_if = "Known::is_open")]
    pub known: Known,
    /// The run's hash; none when the engine took its process down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Fingerprint>,
    /// How many turns the run took.
    pub turns: u64,
}

/// What is known of a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The engine has it.
    #[default]
    Open,
    /// The engine had it.
    Fixed,
}

impl Known {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixed => "fixed",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// What is wrong with a file that should be a case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaseError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// It is too long to be one.
    #[error("{path}: {length} bytes long: expected a case of at most {CASE_MAX} bytes")]
    TooLong {
        /// The file.
        path: String,
        /// Its length.
        length: u64,
    },
    /// It is something else.
    #[error("{path}: not a case: {reason}: expected a file `<seed>.case` that `run` has written")]
    Foreign {
        /// The file.
        path: String,
        /// Why it is not.
        reason: String,
    },
    /// A later squall has written it.
    #[error("{path}: a case of format {format}: expected at most {FORMAT}; a later version of squall has written it")]
    Later {
        /// The file.
        path: String,
        /// The version of its form.
        format: u64,
    },
    /// It is one, but damaged.
    #[error("{place}: damaged: {reason}")]
    Damaged {
        /// Where.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

/// The file, part by part.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Parts {
    case: Head,
    finding: StoredFinding,
    configuration: Configuration,
    plan: Table,
    decisions: Option<DecisionsText>,
    original: Option<Size>,
    shrunk: Option<ShrunkFacts>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DecisionsText {
    schedule: String,
    draws: String,
    timeline: Option<Timeline>,
}

impl Case {
    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.head.seed.parse().unwrap_or_default()
    }

    /// The case as text.
    ///
    /// # Errors
    /// When something in it has no TOML form, such as an operation of a user's own family.
    pub fn to_text(&self) -> Result<String, RunError> {
        let plan = toml::to_string(&Table::from_iter([("plan".to_string(), self.plan.clone().into())]));
        self.with_plan_text(&plan.map_err(|error| RunError::Plan(error.to_string()))?)
    }

    /// The case as text, its plan given as text already: the form a person likes to read.
    ///
    /// # Errors
    /// When something in it has no TOML form.
    pub fn with_plan_text(&self, plan: &str) -> Result<String, RunError> {
        let bad = |error: toml::ser::Error| RunError::Plan(format!("the case has no TOML form: {error}"));
        let program = &self.head.program;
        let mut text =
            format!("{FIRST_LINE} It says all that is needed to replay it:\n# {program} replay THIS_FILE\n\n");
        let table = |name: &str, value: toml::Value| toml::to_string(&Table::from_iter([(name.to_string(), value)]));
        let mut push = |part: &str| {
            text.push_str(part.trim_end());
            text.push_str("\n\n");
        };
        push(&table("case", toml::Value::try_from(&self.head).map_err(bad)?).map_err(bad)?);
        push(&table("finding", toml::Value::try_from(&self.finding).map_err(bad)?).map_err(bad)?);
        if let Some(original) = &self.original {
            push(&table("original", toml::Value::try_from(original).map_err(bad)?).map_err(bad)?);
        }
        if let Some(shrunk) = &self.shrunk {
            push(&table("shrunk", toml::Value::try_from(shrunk).map_err(bad)?).map_err(bad)?);
        }
        push(&table("configuration", toml::Value::try_from(&self.configuration).map_err(bad)?).map_err(bad)?);
        push(plan);
        if let Some(decisions) = &self.decisions {
            push("# Whose turn it was, and every draw that was not calm. Whatever is absent is calm.");
            let mut part = String::from("[decisions]\n");
            let _ = writeln!(part, "schedule = '''\n{}'''", decisions.schedule_text());
            let _ = writeln!(part, "draws = '''\n{}'''", decisions.draws_text());
            if let Some(timeline) = &self.timeline {
                let _ = writeln!(part, "timeline = \"{timeline}\"");
            }
            push(&part);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        Ok(text)
    }

    /// Reads a case from a file.
    ///
    /// # Errors
    /// Says what was expected; never a panic, and never an allocation beyond the length of the file.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let shown = path.display().to_string();
        let unreadable =
            |error: &std::io::Error| CaseError::Unreadable { path: shown.clone(), reason: error.to_string() };
        let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let about = file.metadata().map_err(|error| unreadable(&error))?;
        if about.is_dir() {
            return Err(CaseError::Foreign { path: shown, reason: "it is a folder".to_string() });
        }
        let mut bytes = Vec::new();
        file.take(CASE_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > CASE_MAX {
            return Err(CaseError::TooLong { path: shown, length: about.len().max(bytes.len() as u64) });
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| CaseError::Foreign { path: shown.clone(), reason: "it is not text".to_string() })?;
        Self::parse(&shown, &text)
    }

    /// Reads a case from text; `name` is shown in errors.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: &str) -> Result<Self, CaseError> {
        let damaged = |offset: usize, reason: String| CaseError::Damaged {
            place: Place::in_text(name, text, offset).to_string(),
            reason,
        };
        let of_toml = |error: toml::de::Error| {
            damaged(error.span().map_or(0, |span| span.start), error.message().trim().replace('\n', ", "))
        };
        let foreign = |reason: &str| CaseError::Foreign { path: name.to_string(), reason: reason.to_string() };
        if !text.starts_with("# A failure found by") {
            return Err(foreign("its first line is not that of a case"));
        }
        // The version is looked at before anything else, because a later form may have other parts.
        let parts: Table = text.parse().map_err(of_toml)?;
        let format = parts.get("case").and_then(|case| case.get("format")).and_then(toml::Value::as_integer);
        let format = format.ok_or_else(|| damaged(0, "`case.format` is missing: expected a number".to_string()))?;
        if u64::try_from(format).is_ok_and(|format| format > FORMAT) {
            return Err(CaseError::Later { path: name.to_string(), format: format as u64 });
        }
        if format < 1 {
            return Err(damaged(0, format!("`case.format` cannot be {format}: expected 1 to {FORMAT}")));
        }
        let parts: Parts = toml::from_str(text).map_err(of_toml)?;
        let at = |part: &str| text.find(&format!("[{part}]")).unwrap_or(0);
        parts.configuration.check(&Place::in_text(name, text, at("configuration"))).map_err(
            |error: ScenarioError| CaseError::Damaged {
                place: error.place.to_string(),
                reason: format!("{}: expected {}", error.problem, error.expected),
            },
        )?;
        if parts.case.seed.parse::<u64>().is_err() {
            return Err(damaged(
                at("case"),
                format!("`case.seed` cannot be \"{}\": expected a whole number", parts.case.seed),
            ));
        }
        let of_decisions = |error: ParseDecisionError| damaged(at("decisions"), error.to_string());
        let (decisions, timeline) = match parts.decisions {
            None => (None, None),
            Some(DecisionsText { schedule, draws, timeline }) => {
                (Some(Decisions::parse(&schedule, &draws).map_err(of_decisions)?), timeline)
            }
        };
        Ok(Self {
            head: parts.case,
            finding: parts.finding,
            configuration: parts.configuration,
            plan: parts.plan,
            decisions,
            timeline,
            original: parts.original,
            shrunk: parts.shrunk,
        })
    }
}
