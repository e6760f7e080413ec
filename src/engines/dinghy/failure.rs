//! Why an operation of the engine did not succeed, and whether it may have had an effect.
//!
//! Everything below the connection speaks of failures; the connection turns them into replies.

use crate::aio::{CompletionError, ErrorKind};
use crate::engine::{EngineError, Reply};
use crate::history::Class;

/// An operation that did not succeed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What the history records.
    pub class: Class,
    /// Nobody knows whether it had an effect; otherwise it surely had none.
    pub in_doubt: bool,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure that surely had no effect.
    pub(super) fn refused(class: Class, message: impl Into<String>) -> Self {
        Self { class, in_doubt: false, message: message.into() }
    }

    /// Damaged data was noticed.
    pub(super) fn corrupt(message: impl Into<String>) -> Self {
        Self::refused(Class::Corrupt, message)
    }

    /// The same failure, of an operation that may have had an effect.
    pub(super) fn in_doubt(self) -> Self {
        Self { in_doubt: true, ..self }
    }

    /// What the connection answers.
    pub(super) fn reply<V>(&self) -> Reply<V> {
        if self.in_doubt { Reply::Unknown(self.class) } else { Reply::Refused(self.class) }
    }
}

impl From<CompletionError> for Failure {
    fn from(error: CompletionError) -> Self {
        let class = match error.io_kind() {
            _ if error == CompletionError::Aborted => Class::Interrupted,
            Some(ErrorKind::NoSpace) => Class::Full,
            _ if matches!(error, CompletionError::NoMemory { .. }) => Class::Full,
            _ => Class::Io,
        };
        Self::refused(class, error.to_string())
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.class, failure.message)
    }
}
