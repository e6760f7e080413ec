//! Judging a file: what the command `check` does, without the command line.
//!
//! It reads, chooses the judge by the model named or by the content, and reports. Invariant: the
//! report's exit code is 0 only when the judge said *holds*.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::formats::{self, Content, FormatError};
use super::history::{Function, History};
use super::limits::Limits;
use super::object::{OBJECTS, Object};
use super::txn::{Anomaly, Consistency, Isolation, KeyOrder, TxnHistory, list_append, rw_register, rw_register_for};
use super::verdict::{Judgement, Named, Verdict};

/// What to judge, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file with the history.
    pub file: PathBuf,
    /// The model's name; by default it follows from the operations.
    pub model: Option<String>,
    /// For transactions, the consistency model's name; by default `strict-serializable`.
    pub consistency: Option<String>,
    /// For registers, what is known about the order of a key's versions.
    pub key_order: KeyOrder,
    /// Configurations a search may visit.
    pub states_max: u64,
    /// Memory a search may take, in bytes.
    pub memory_bytes_max: u64,
    /// Time judging may take.
    pub time_max: Option<Duration>,
}

impl Options {
    /// The file, judged by its content, with the default limits and no limit of time.
    #[must_use]
    pub fn of(file: impl Into<PathBuf>) -> Self {
        let limits = Limits::default();
        Self {
            file: file.into(),
            model: None,
            consistency: None,
            key_order: KeyOrder::default(),
            states_max: limits.states_max,
            memory_bytes_max: limits.memory_bytes_max,
            time_max: None,
        }
    }
}

/// Why a file could not be judged at all: the user or the machine is wrong.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file could not be read.
    #[error("{file}: {error}")]
    Io {
        /// Its name.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not a history.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A name is not known, or does not fit the file.
    #[error("{0}")]
    Usage(String),
}

/// The answer, in the form that programs read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Version of this form.
    pub v: u32,
    /// `holds`, `violated` or `inconclusive`.
    pub verdict: &'static str,
    /// The model judged against.
    pub model: String,
    /// For transactions, the consistency model.
    pub consistency: Option<&'static str>,
    /// The method that decided.
    pub method: String,
    /// Operations or transactions in the file.
    pub operations: u64,
    /// Outcomes compared.
    pub compared: u64,
    /// The kinds of anomaly found, with their arguments.
    pub anomalies: Vec<Anomaly>,
    /// The weakest consistency models ruled out.
    pub not: Vec<Consistency>,
    /// All others ruled out.
    pub also_not: Vec<Consistency>,
    /// The strongest that are left.
    pub strongest: Vec<Consistency>,
    /// The operations that contradict the model.
    pub witness: Vec<Witnessed>,
    /// The argument, a line a step.
    pub proof: Vec<String>,
    /// What was violated, or why there is no answer.
    pub reason: Option<String>,
    /// Time of judging, reading not counted.
    pub elapsed_ms: u64,
}

/// An operation of the witness, with its place in the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Witnessed {
    /// Its line.
    pub line: Option<u32>,
    /// What it was.
    #[serde(flatten)]
    pub operation: Named,
}

impl CheckReport {
    /// 0 holds, 1 violated, 5 inconclusive.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            "holds" => 0,
            "violated" => 1,
            _ => 5,
        }
    }

    /// The report as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report has only texts, numbers and lists")
    }

    fn of(judgement: Judgement, lines: &[u32], elapsed: Duration) -> Self {
        let (verdict, witness, reason) = match judgement.verdict {
            Verdict::Holds => ("holds", None, None),
            Verdict::Violated(witness) => ("violated", Some(witness), None),
            Verdict::Inconclusive(reason) => ("inconclusive", None, Some(reason)),
        };
        let reason = reason.or_else(|| witness.as_ref().map(|witness| witness.summary.clone()));
        let place = |operation: Named| Witnessed { line: lines.get(operation.index).copied(), operation };
        let (operations, proof) = witness.map_or_else(Default::default, |w| (w.operations, w.proof));
        Self {
            v: 1,
            verdict,
            model: judgement.model,
            consistency: None,
            method: judgement.method,
            operations: judgement.operations,
            compared: judgement.compared,
            anomalies: Vec::new(),
            not: Vec::new(),
            also_not: Vec::new(),
            strongest: Vec::new(),
            witness: operations.into_iter().map(place).collect(),
            proof,
            reason,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consistency = self.consistency.map(|name| format!(" under {name}"));
        writeln!(
            to,
            "{}: {}{} ({} operations, {} compared, by {}, {} ms)",
            self.verdict,
            self.model,
            consistency.unwrap_or_default(),
            self.operations,
            self.compared,
            self.method,
            self.elapsed_ms
        )?;
        if let Some(reason) = &self.reason {
            writeln!(to, "  {reason}")?;
        }
        for Witnessed { line, operation } in &self.witness {
            let line = line.map_or(String::new(), |line| format!("line {line}: "));
            writeln!(to, "  {line}{operation}")?;
        }
        for line in &self.proof {
            writeln!(to, "  {line}")?;
        }
        let names = |models: &[Consistency]| {
            let names: Vec<&str> = models.iter().map(|model| model.name()).collect();
            names.join(", ")
        };
        if self.consistency.is_some() {
            let kinds: Vec<&str> = self.anomalies.iter().map(|a| a.kind.as_str()).collect();
            writeln!(to, "  anomalies: {}", none_or(kinds.join(", ")))?;
            writeln!(to, "  not: {}", none_or(names(&self.not)))?;
            writeln!(to, "  strongest left: {}", none_or(names(&self.strongest)))?;
        }
        Ok(())
    }
}

fn none_or(text: String) -> String {
    if text.is_empty() { "none".into() } else { text }
}

/// Reads and judges a file.
///
/// # Errors
/// When the file cannot be read, is no history, or a name does not fit.
pub fn run(options: &Options) -> Result<CheckReport, CheckError> {
    let file = options.file.display().to_string();
    let text = read(&options.file).map_err(|error| CheckError::Io { file: file.clone(), error })?;
    judge_text(&file, &text, options)
}

fn read(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(path)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("expected a text in UTF-8"))
}

/// Judges a text as if it were the file's content; `file` is only for messages.
///
/// # Errors
/// When the text is no history, or a name does not fit.
pub fn judge_text(file: &str, text: &str, options: &Options) -> Result<CheckReport, CheckError> {
    let loaded = formats::read(file, text)?;
    match &loaded.content {
        Content::Operations(history) => operations(history, &loaded.lines, options),
        Content::Transactions(history) => transactions(history, &loaded.lines, options),
    }
}

fn operations(history: &History, lines: &[u32], options: &Options) -> Result<CheckReport, CheckError> {
    let object = match options.model.as_deref() {
        Some(name) => Object::named(name).ok_or_else(|| unknown_model(name))?,
        None => guess(history)
            .ok_or_else(|| CheckError::Usage("these operations fit several models; name one with --model".into()))?,
    };
    if options.consistency.is_some() {
        let message = "--consistency is for transactions; these are single operations";
        return Err(CheckError::Usage(message.into()));
    }
    let start = Instant::now();
    let limits = Limits {
        states_max: options.states_max,
        memory_bytes_max: options.memory_bytes_max,
        deadline: options.time_max.map(|time| start + time),
    };
    let mut judgement = object.judge(history, &limits);
    if let Verdict::Inconclusive(reason) = &mut judgement.verdict {
        *reason = with_line(reason, lines);
    }
    Ok(CheckReport::of(judgement, lines, start.elapsed()))
}

/// The model that fits the functions that occur.
fn guess(history: &History) -> Option<Object> {
    let has = |f: Function| history.operations.iter().any(|op| op.f == f);
    let one_of = |fs: &[Function]| fs.iter().any(|&f| has(f));
    let keyed = history.operations.iter().any(|op| !history.values.text_of(op.key).is_empty());
    let choices = [
        (one_of(&[Function::Transfer]), Object::Bank),
        (one_of(&[Function::Append]), Object::ListAppend),
        (one_of(&[Function::Remove, Function::Contains]), Object::Set),
        (one_of(&[Function::Enqueue, Function::Dequeue]), Object::Queue),
        (one_of(&[Function::Push, Function::Pop]), Object::Stack),
        (one_of(&[Function::Insert, Function::Poll]), Object::PriorityQueue),
        (one_of(&[Function::Write, Function::Cas]) && keyed, Object::KeyValue),
        (one_of(&[Function::Write, Function::Cas]), Object::Register),
        (has(Function::Add) && has(Function::Read), Object::Counter),
        (has(Function::Read), Object::Register),
    ];
    choices.iter().find(|choice| choice.0).map(|choice| choice.1)
}

fn unknown_model(name: &str) -> CheckError {
    let mut known: Vec<&str> = OBJECTS.iter().map(|object| object.0).collect();
    known.push("rw-register");
    CheckError::Usage(format!("expected --model to be one of {}, not {name}", known.join(", ")))
}

/// Puts the line into a message that names an operation by its position.
fn with_line(reason: &str, lines: &[u32]) -> String {
    let number = |word: &str| word.parse::<usize>().ok();
    let place = reason
        .strip_prefix("operation ")
        .and_then(|rest| rest.split(':').next())
        .and_then(number)
        .and_then(|index| lines.get(index));
    place.map_or_else(|| reason.into(), |line| format!("line {line}: {reason}"))
}

fn transactions(history: &TxnHistory, lines: &[u32], options: &Options) -> Result<CheckReport, CheckError> {
    let name = options.consistency.as_deref().unwrap_or("strict-serializable");
    let model = Consistency::named(name).ok_or_else(|| {
        let known: Vec<&str> = Consistency::all().map(Consistency::name).collect();
        let known = known.join(", ");
        CheckError::Usage(format!("expected --consistency to be one of {known}, not {name}"))
    })?;
    // The expensive part is only done when it is asked for, or when nothing is.
    let weak = !model.implies(Consistency::SnapshotIsolation);
    let registers = |history: &TxnHistory| match weak {
        true => rw_register_for(history, options.key_order, model),
        false => rw_register(history, options.key_order),
    };
    let lists = history.has_lists();
    let start = Instant::now();
    let isolation: Isolation = match options.model.as_deref() {
        Some("list-append") => list_append(history),
        Some("rw-register") => registers(history),
        None if lists => list_append(history),
        None => registers(history),
        Some(other) if Object::named(other).is_some() => {
            let message = format!("{other} is of single operations; these are transactions");
            return Err(CheckError::Usage(message));
        }
        Some(other) => return Err(unknown_model(other)),
    };
    let elapsed = start.elapsed();
    let mut judgement = isolation.judge(model);
    judgement.model.clone_from(&isolation.model);
    if let Verdict::Inconclusive(reason) = &mut judgement.verdict {
        *reason = with_line(reason, lines);
    }
    let mut report = CheckReport::of(judgement, lines, elapsed);
    report.consistency = Some(model.name());
    report.anomalies = isolation.anomalies;
    report.not = isolation.not;
    report.also_not = isolation.also_not;
    report.strongest = isolation.strongest;
    Ok(report)
}
