//! What a judge answers: holds, violated with one short witness, or inconclusive with the reason.
//!
//! Invariant: *holds* is never said when nothing was compared, a limit was reached, or the history
//! was not understood; [`Judgement::settle`] is the one place where *holds* is made.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

use super::history::History;

/// The three answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict", content = "because")]
pub enum Verdict {
    /// Everything that was compared agrees with the model.
    Holds,
    /// The witness cannot be explained by the model.
    Violated(Box<Witness>),
    /// No answer, and why.
    Inconclusive(String),
}

/// A verdict, how it was found, and how much it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The answer.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The model that was judged against.
    pub model: String,
    /// The method that decided.
    pub method: String,
    /// How many operations or transactions were in the history.
    pub operations: u64,
    /// How many outcomes were compared with what the model allows.
    pub compared: u64,
}

impl Judgement {
    /// *Holds*, or *inconclusive* when nothing was compared.
    #[must_use]
    pub fn settle(model: &str, method: &str, operations: u64, compared: u64) -> Self {
        let verdict = if compared == 0 {
            Verdict::Inconclusive("nothing was compared: no operation's outcome says anything".into())
        } else {
            Verdict::Holds
        };
        Self::new(verdict, model, method, operations, compared)
    }

    /// A judgement of these parts.
    #[must_use]
    pub fn new(verdict: Verdict, model: &str, method: &str, operations: u64, compared: u64) -> Self {
        Self { verdict, model: model.into(), method: method.into(), operations, compared }
    }

    /// Whether the answer is *holds*.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    /// The witness of a violation.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        match &self.verdict {
            Verdict::Violated(witness) => Some(witness),
            _ => None,
        }
    }
}

/// One operation of a witness, readable without its history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Position in the history.
    pub index: usize,
    /// Who called.
    #[serde(rename = "p")]
    pub process: u32,
    /// Logical time of the call.
    pub call: i64,
    /// Logical time of the return, −1 when it never returned.
    pub ret: i64,
    /// What was called.
    pub f: String,
    /// The object.
    pub k: String,
    /// The argument.
    pub v: Json,
    /// The outcome.
    pub out: Json,
}

impl Named {
    /// The operation at this position of the history.
    #[must_use]
    pub fn of(history: &History, index: usize) -> Self {
        let op = &history.operations[index];
        let returned = op.returned();
        Self {
            index,
            process: op.process,
            call: op.call,
            ret: if returned { op.ret } else { -1 },
            f: op.f.name(),
            k: history.values.text_of(op.key).into(),
            v: history.values.to_json(op.value),
            out: if returned { history.values.to_json(op.out) } else { Json::Null },
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "#{} p{} {}", self.index, self.process, self.f)?;
        if !self.k.is_empty() {
            write!(to, " {}", self.k)?;
        }
        if !self.v.is_null() {
            write!(to, " {}", self.v)?;
        }
        if self.ret < 0 {
            write!(to, " (never returned) [{}..", self.call)?;
        } else {
            write!(to, " -> {} [{}..{}", self.out, self.call, self.ret)?;
        }
        to.write_str("]")
    }
}

/// The operations of the smallest window that was found not to have an order, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Witness {
    /// What is wrong, in one sentence.
    pub summary: String,
    /// A short name of the kind of violation.
    pub anomaly: String,
    /// The operations, by their calls.
    pub operations: Vec<Named>,
    /// The argument, a line a step.
    pub proof: Vec<String>,
    /// The logical time by which the violation had become unavoidable, where the method tells.
    pub time: Option<i64>,
}

impl Witness {
    /// A witness of these operations of the history, ordered by their calls.
    #[must_use]
    pub fn of(history: &History, anomaly: &str, summary: String, indexes: &[usize]) -> Self {
        let mut indexes = indexes.to_vec();
        indexes.sort_unstable_by_key(|&i| (history.operations[i].call, i));
        indexes.dedup();
        Self {
            summary,
            anomaly: anomaly.into(),
            operations: indexes.iter().map(|&i| Named::of(history, i)).collect(),
            proof: Vec::new(),
            time: None,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.summary)?;
        for operation in &self.operations {
            writeln!(to, "  {operation}")?;
        }
        for line in &self.proof {
            writeln!(to, "  {line}")?;
        }
        Ok(())
    }
}
