//! `failure.json`: all that a report says, for programs. The page, `--md` and `--plain` are made from it too.
//!
//! The form is versioned and only ever added to; its schema is `reports/schema/failure.v1.json`. What nobody has
//! computed yet is `null`. It holds no time, host or path of the machine it was made on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cycle::Proof;
use super::file::Header;
use super::table::{Marks, Table};
use crate::explain::{Explanation, Nearest, Necessity, NoReturn, Point};
use crate::scenario::{Case, StoredFinding};
use crate::trace::{Level, Trace};

/// The version of the form.
pub const FAILURE_VERSION: u32 = 1;

/// All that a report says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// [`FAILURE_VERSION`].
    pub v: u32,
    /// Always `failure`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was violated, in one sentence.
    pub verdict: String,
    /// What was violated, in parts.
    pub finding: StoredFinding,
    /// The scenario's name.
    pub scenario: String,
    /// The engine with its bugs.
    pub engine: String,
    /// The seed, as text because programs that read JSON may not keep 64 bits.
    pub seed: String,
    /// The failure's bucket.
    pub bucket: String,
    /// How everything was set up.
    pub configuration: Value,
    /// How large the failure was when it was found.
    pub original: Extent,
    /// How large it is after shrinking; `null` when it was not shrunk.
    pub shrunk: Option<Extent>,
    /// The interleaving, of the shrunk run where there is one.
    pub table: Table,
    /// The argument.
    pub proof: Proof,
    /// Without which switches, faults and crashes the failure does not happen; `null` until computed.
    pub necessity: Option<Necessity>,
    /// How likely the failure was after each turn; `null` until computed.
    pub likelihood: Option<Likelihood>,
    /// The nearest run that passes; `null` until computed, and where no run is one decision away.
    pub nearest: Option<Nearest>,
    /// What to type.
    pub reproduce: Reproduce,
    /// The run's hash; `null` when the engine took its process down.
    pub hash: Option<String>,
    /// What it was found with.
    pub environment: Environment,
}

/// How likely a failure was on the way to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// Turn by turn; none when it was not measured.
    pub points: Vec<Point>,
    /// Where it became likelier than anywhere else.
    pub no_return: Option<NoReturn>,
    /// Why it is not complete, if so.
    pub cut: Option<String>,
}

/// How large a failure is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Connections that ask something.
    pub connections: u64,
    /// Operations in the plan.
    pub operations: u64,
    /// Context switches.
    pub switches: u64,
    /// Faults, and other draws that were not calm.
    pub faults: u64,
    /// Crashes that were drawn.
    pub crashes: u64,
    /// Turns of the run.
    pub turns: u64,
}

/// What to type. A case is named as the reader has to name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reproduce {
    /// Replays it.
    pub replay: String,
    /// Replays it up to a turn: `{turn}` stands for the turn.
    pub until: String,
    /// Makes it smaller.
    pub shrink: String,
    /// Finds out why.
    pub explain: String,
    /// Shows it.
    pub show: String,
    /// Finds it again from its scenario and seed.
    pub run: String,
}

/// What it was found with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The version of squall.
    pub squall: String,
    /// The program's name.
    pub program: String,
    /// A fingerprint of the program's bytes.
    pub build: Option<String>,
    /// The engine's name.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
}

impl Reproduce {
    /// The commands of a program for a case of this name.
    #[must_use]
    pub fn new(program: &str, case: &str, scenario: &str, seed: &str) -> Self {
        let case = quoted(case);
        Self {
            replay: format!("{program} replay {case}"),
            until: format!("{program} replay {case} --until {{turn}}"),
            shrink: format!("{program} shrink {case}"),
            explain: format!("{program} explain {case}"),
            show: format!("{program} show {case}"),
            run: format!("{program} run {} --seed {seed}", quoted(scenario)),
        }
    }
}

/// A word as a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl Failure {
    /// What a case says, with the trace of its run and, where somebody has found out, why it fails. `name` is how the
    /// reader names the case in commands.
    #[must_use]
    pub fn new(case: &Case, name: &str, original: Extent, trace: &Trace, why: Option<&Explanation>) -> Self {
        let marks = Marks::of(&case.finding, trace);
        let marks = marks.necessary(why.iter().flat_map(|why| why.necessity.turns()));
        let head = &case.head;
        let engine = &case.configuration.engine;
        Self {
            v: FAILURE_VERSION,
            kind: "failure".to_string(),
            verdict: case.finding.sentence.clone(),
            finding: case.finding.clone(),
            scenario: head.scenario.clone(),
            engine: engine.label(),
            seed: head.seed.clone(),
            bucket: head.bucket.clone(),
            configuration: serde_json::to_value(&case.configuration).unwrap_or(Value::Null),
            original,
            shrunk: None,
            table: Table::new(trace, &case.finding, &marks),
            proof: Proof::new(&case.finding.proof),
            necessity: why.map(|why| why.necessity.clone()),
            likelihood: why.map(|why| Likelihood {
                points: why.likelihood.clone(),
                no_return: why.no_return,
                cut: why.cut.clone(),
            }),
            nearest: why.and_then(|why| why.nearest.clone()),
            reproduce: Reproduce::new(&head.program, name, &head.scenario, &head.seed),
            hash: head.hash.map(|hash| hash.to_string()),
            environment: Environment {
                squall: head.squall.clone(),
                program: head.program.clone(),
                build: head.build.map(|build| build.to_string()),
                engine: engine.name.clone(),
                engine_version: engine.version.clone(),
            },
        }
    }

    /// The header of a trace file of this failure's run.
    #[must_use]
    pub fn header(&self, level: Level, turns: u64) -> Header {
        Header {
            program: self.environment.program.clone(),
            squall: self.environment.squall.clone(),
            engine: self.engine.clone(),
            scenario: self.scenario.clone(),
            seed: self.seed.clone(),
            hash: self.hash.clone().unwrap_or_default(),
            level: level.to_string(),
            turns,
        }
    }

    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a failure is plain text and numbers");
        text + "\n"
    }
}
