//! Events in the order in which they happened.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::datum::Datum;

/// An operation's number in its history, from 0 in the order of invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct OpId(pub u32);

/// What was asked. The usual `f` are those of `docs/checking.md`: `read`, `write`, `cas`, `append`, `scan`, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function's name.
    pub f: &'static str,
    /// The key, where there is one.
    pub key: Option<Arc<str>>,
    /// The argument.
    pub arg: Datum,
}

/// Why an operation was refused or is in doubt. No error text decides anything; this does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Another transaction was in the way; try again.
    Conflict,
    /// A lock was held; try again.
    Busy,
    /// A constraint was violated.
    Constraint,
    /// No room, on the disk or in memory.
    Full,
    /// The engine accepts no writes until it is reopened.
    ReadOnly,
    /// The disk failed.
    Io,
    /// The engine noticed damaged data.
    Corrupt,
    /// Interrupted or abandoned.
    Interrupted,
    /// The engine does not offer this operation.
    Unsupported,
    /// Anything else.
    Other,
}

impl Class {
    /// The class's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Constraint => "constraint",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Io => "io",
            Self::Corrupt => "corrupt",
            Self::Interrupted => "interrupted",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an operation ended. One that has no outcome in the history was cut off and is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect and answered this.
    Ok(Datum),
    /// It surely had no effect.
    Refused(Class),
    /// Nobody knows whether it had, has, or will have an effect.
    Unknown(Class),
}

/// The three ways in which everything stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// The process ends; the page cache survives.
    Kill,
    /// The operating system stops; what was synced survives, and a selection of the rest.
    Os,
    /// Power is lost; the device's cache goes too.
    Power,
}

impl CrashKind {
    /// The kind's name, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "process kill",
            Self::Os => "operating system crash",
            Self::Power => "power loss",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An operation began.
    Invoke {
        /// Its number.
        op: OpId,
        /// The transaction it belongs to, numbered through the history; `None` when it stands alone.
        transaction: Option<u32>,
        /// What was asked.
        call: Call,
    },
    /// An operation ended.
    Return {
        /// Its number.
        op: OpId,
        /// How.
        outcome: Outcome,
        /// The engine's own place of this commit among all commits, if it tells.
        order: Option<u64>,
    },
    /// Everything stopped. Operations without an outcome are in doubt from here on.
    Crash {
        /// How.
        kind: CrashKind,
    },
    /// The engine has been opened again and recovered; from here on reads tell what survived.
    Recovered,
    /// The engine has checked itself.
    Checked {
        /// What it complained about; empty when all is well.
        problems: Vec<String>,
    },
}

/// One fact with its place in logical time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The scheduler's turn.
    pub turn: u64,
    /// Who: a number that is never used again after a crash, so that a process does one thing at a time.
    pub process: u32,
    /// What.
    pub fact: Fact,
}

/// A place in a history that it can be taken back to.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryMark {
    events: usize,
    ops: u32,
}

/// All events of a run, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The events; an event's index is its logical time.
    pub events: Vec<Event>,
    ops: u32,
}

impl History {
    /// A history of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { events: Vec::new(), ops: 0 }
    }

    /// The number that the next operation to be invoked gets.
    #[must_use]
    pub const fn next_op(&self) -> OpId {
        OpId(self.ops)
    }

    /// Notes a fact.
    ///
    /// # Panics
    /// When an invocation does not carry the number from [`next_op`](Self::next_op).
    pub fn push(&mut self, turn: u64, process: u32, fact: Fact) {
        if let Fact::Invoke { op, .. } = &fact {
            assert_eq!(*op, self.next_op(), "operations are numbered in the order of invocation");
            self.ops += 1;
        }
        self.events.push(Event { turn, process, fact });
    }

    /// Notes that an operation begins and gives it its number.
    pub fn invoke(&mut self, turn: u64, process: u32, transaction: Option<u32>, call: Call) -> OpId {
        let op = self.next_op();
        self.push(turn, process, Fact::Invoke { op, transaction, call });
        op
    }

    /// How far it has come, for [`rewind`](Self::rewind).
    #[must_use]
    pub const fn mark(&self) -> HistoryMark {
        HistoryMark { events: self.events.len(), ops: self.ops }
    }

    /// Forgets everything noted since the mark was taken.
    pub fn rewind(&mut self, mark: HistoryMark) {
        self.events.truncate(mark.events);
        self.ops = mark.ops;
    }

    /// The number of operations invoked so far.
    #[must_use]
    pub const fn ops(&self) -> u32 {
        self.ops
    }
}
