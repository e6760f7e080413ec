//! Errors, there and back. No text of Turso's decides anything.

use std::io;

use turso_core::{CompletionError as TheirError, LimboError};

use crate::aio::{CompletionError, ErrorKind};
use crate::engine::EngineError;
use crate::history::Class;

/// Our error as Turso's file layer would report it. None for what died with the process: nobody is told.
pub(super) fn theirs(error: &CompletionError, what: &'static str) -> Option<TheirError> {
    let kind = match error {
        CompletionError::Aborted => return None,
        CompletionError::Io(error) => kind_of(error.kind),
        CompletionError::NoMemory { .. } => io::ErrorKind::OutOfMemory,
        CompletionError::Short { .. } | CompletionError::Rejected(_) => io::ErrorKind::Other,
    };
    Some(TheirError::IOError(kind, what))
}

/// Our error as the answer of a call that fails at once.
pub(super) fn refusal(error: &CompletionError, what: &'static str) -> LimboError {
    theirs(error, what).unwrap_or(TheirError::Aborted).into()
}

const fn kind_of(kind: ErrorKind) -> io::ErrorKind {
    match kind {
        ErrorKind::NoSpace => io::ErrorKind::StorageFull,
        ErrorKind::Interrupted => io::ErrorKind::Interrupted,
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
        ErrorKind::BadPath => io::ErrorKind::InvalidInput,
        ErrorKind::Io | ErrorKind::Other => io::ErrorKind::Other,
    }
}

/// The class the history records.
pub(super) const fn class(error: &LimboError) -> Class {
    match error {
        LimboError::Busy
        | LimboError::TableLocked
        | LimboError::StatementsInProgress(_)
        | LimboError::LockingError(_) => Class::Busy,
        LimboError::BusySnapshot
        | LimboError::Conflict(_)
        | LimboError::WriteWriteConflict
        | LimboError::CommitDependencyAborted
        | LimboError::TxTerminated
        | LimboError::SchemaUpdated
        | LimboError::SchemaConflict => Class::Conflict,
        LimboError::Constraint(_) | LimboError::ForeignKeyConstraint(_) => Class::Constraint,
        LimboError::DatabaseFull | LimboError::CompletionError(TheirError::IOError(io::ErrorKind::StorageFull, _)) => {
            Class::Full
        }
        LimboError::ReadOnly => Class::ReadOnly,
        LimboError::Interrupt | LimboError::CompletionError(TheirError::Aborted) => Class::Interrupted,
        LimboError::Corrupt(_)
        | LimboError::NotADB
        | LimboError::CompletionError(TheirError::ChecksumMismatch { .. } | TheirError::WalFramePageMismatch { .. }) => {
            Class::Corrupt
        }
        LimboError::CompletionError(_) | LimboError::CheckpointFailed(_) => Class::Io,
        _ => Class::Other,
    }
}

/// Whether a statement that answers so has surely changed nothing: it lost against others, or was refused.
pub(super) const fn without_effect(class: Class) -> bool {
    matches!(class, Class::Conflict | Class::Busy | Class::Constraint | Class::ReadOnly | Class::Interrupted)
}

/// A statement that Turso does not accept: a mistake in its text, or a name that another connection has just taken
/// away. Nothing has been done.
pub(super) const fn is_not_accepted(error: &LimboError) -> bool {
    matches!(
        error,
        LimboError::ParseError(_)
            | LimboError::LexerError(_)
            | LimboError::PlanningError(_)
            | LimboError::SqlError(_)
            | LimboError::InvalidArgument(_)
    )
}

/// The error for the run.
pub(super) fn broken(error: &LimboError) -> EngineError {
    EngineError::new(class(error), format!("Turso answered: {error}"))
}
