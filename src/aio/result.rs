//! What a re-entrant function answers, and the macros that pass it on.

use super::completion::Completion;

/// What a function waits for.
#[derive(Clone, Debug)]
pub enum IOCompletions {
    /// One completion; a group where it is many.
    Single(Completion),
}

impl IOCompletions {
    /// The completion to wait for.
    #[must_use]
    pub const fn completion(&self) -> &Completion {
        match self {
            Self::Single(completion) => completion,
        }
    }

    /// The completion to wait for.
    #[must_use]
    pub fn into_completion(self) -> Completion {
        match self {
            Self::Single(completion) => completion,
        }
    }

    /// Whether there is nothing left to wait for.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.completion().finished()
    }

    /// Adds the caller's place to the label.
    #[inline]
    #[track_caller]
    #[must_use]
    pub fn seen_here(self) -> Self {
        match self {
            Self::Single(completion) => Self::Single(completion.seen_here()),
        }
    }
}

/// The answer of a function that may have to wait.
#[derive(Clone, Debug)]
#[must_use = "an `IO` that is dropped is work nobody waits for"]
pub enum IOResult<T> {
    /// Finished, with this value.
    Done(T),
    /// Not finished: call again when the completion has.
    IO(IOCompletions),
}

impl<T> IOResult<T> {
    /// Applies `f` to the value of `Done`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> IOResult<U> {
        match self {
            Self::Done(value) => IOResult::Done(f(value)),
            Self::IO(io) => IOResult::IO(io),
        }
    }

    /// Whether it has to wait.
    #[must_use]
    pub const fn is_io(&self) -> bool {
        matches!(self, Self::IO(_))
    }

    /// What it waits for, if it does.
    #[must_use]
    pub fn io(self) -> Option<IOCompletions> {
        match self {
            Self::Done(_) => None,
            Self::IO(io) => Some(io),
        }
    }
}

/// The value of `Done`; on `IO` and on `Err` returns from the function.
///
/// The expression is `Result<IOResult<T>, E>`, the function's `E` is made from it with `into()`. Everything
/// above this line in the function happens again when it is called again.
#[macro_export]
macro_rules! return_if_io {
    ($e:expr) => {
        match $e {
            Ok($crate::aio::IOResult::Done(value)) => value,
            Ok($crate::aio::IOResult::IO(io)) => return Ok($crate::aio::IOResult::IO(io.seen_here())),
            Err(error) => return Err(error.into()),
        }
    };
}

/// Like [`return_if_io!`], but puts `saved` back into `field` first, on `IO` and on `Err`, for functions that
/// take their state out to work on it.
#[macro_export]
macro_rules! return_and_restore_if_io {
    ($field:expr, $saved:expr, $e:expr) => {
        match $e {
            Ok($crate::aio::IOResult::Done(value)) => value,
            Ok($crate::aio::IOResult::IO(io)) => {
                $field = $saved;
                return Ok($crate::aio::IOResult::IO(io.seen_here()));
            }
            Err(error) => {
                $field = $saved;
                return Err(error.into());
            }
        }
    };
}

/// Returns from the function to wait for one completion.
#[macro_export]
macro_rules! io_yield_one {
    ($c:expr) => {
        return Ok($crate::aio::IOResult::IO($crate::aio::IOCompletions::Single($c.seen_here())))
    };
}
