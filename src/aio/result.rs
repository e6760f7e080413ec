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
/// The expression is a `Result<IOResult<T>, E>`; the function's own error is made from `E` with `into()`.
/// Everything above this line in the function happens again when it is called again.
///
/// ```
/// use squall::aio::{Completion, CompletionError, IOResult};
/// use squall::{io_yield_one, return_if_io};
///
/// /// Waits for a read of a number, which lies in the first byte.
/// fn number(read: &Completion) -> Result<IOResult<u8>, CompletionError> {
///     if !read.finished() {
///         io_yield_one!(read.clone());
///     }
///     Ok(IOResult::Done(read.buffer().map_or(0, |buffer| buffer.lock()[0])))
/// }
///
/// fn twice(read: &Completion) -> Result<IOResult<u8>, CompletionError> {
///     let number = return_if_io!(number(read));
///     Ok(IOResult::Done(2 * number))
/// }
///
/// let read = Completion::read(vec![21].into());
/// assert!(twice(&read)?.is_io());
/// read.complete(1);
/// assert!(matches!(twice(&read)?, IOResult::Done(42)));
/// # Ok::<(), CompletionError>(())
/// ```
#[macro_export]
macro_rules! return_if_io {
    ($e:expr) => {
        match $e {
            ::core::result::Result::Ok($crate::aio::IOResult::Done(value)) => value,
            ::core::result::Result::Ok($crate::aio::IOResult::IO(io)) => {
                return ::core::result::Result::Ok($crate::aio::IOResult::IO(io.seen_here()));
            }
            ::core::result::Result::Err(error) => return ::core::result::Result::Err(error.into()),
        }
    };
}

/// Like [`return_if_io!`], but puts `saved` back into `field` first, on `IO` and on `Err`, for functions that
/// take their state out to work on it.
///
/// ```
/// use squall::aio::{Completion, CompletionError, IOResult};
/// use squall::{io_yield_one, return_and_restore_if_io};
///
/// /// Collects what it is given while it waits.
/// struct Collector {
///     seen: Vec<u8>,
/// }
///
/// fn wait(read: &Completion) -> Result<IOResult<usize>, CompletionError> {
///     match read.result() {
///         None => io_yield_one!(read.clone()),
///         Some(outcome) => Ok(IOResult::Done(outcome?)),
///     }
/// }
///
/// impl Collector {
///     fn step(&mut self, read: &Completion) -> Result<IOResult<Vec<u8>>, CompletionError> {
///         let mut seen = std::mem::take(&mut self.seen);
///         // Without the restoring, what was collected so far would be gone at the second call.
///         let bytes = return_and_restore_if_io!(self.seen, seen, wait(read));
///         seen.push(bytes as u8);
///         Ok(IOResult::Done(seen))
///     }
/// }
///
/// let mut collector = Collector { seen: vec![1, 2] };
/// let read = Completion::read(vec![0; 3].into());
/// assert!(collector.step(&read)?.is_io());
/// read.complete(3);
/// assert!(matches!(collector.step(&read)?, IOResult::Done(seen) if seen == [1, 2, 3]));
/// # Ok::<(), CompletionError>(())
/// ```
#[macro_export]
macro_rules! return_and_restore_if_io {
    ($field:expr, $saved:expr, $e:expr) => {
        match $e {
            ::core::result::Result::Ok($crate::aio::IOResult::Done(value)) => value,
            ::core::result::Result::Ok($crate::aio::IOResult::IO(io)) => {
                $field = $saved;
                return ::core::result::Result::Ok($crate::aio::IOResult::IO(io.seen_here()));
            }
            ::core::result::Result::Err(error) => {
                $field = $saved;
                return ::core::result::Result::Err(error.into());
            }
        }
    };
}

/// Returns from the function to wait for one completion.
///
/// ```
/// use squall::aio::{Completion, CompletionError, IOResult, Resource};
/// use squall::io_yield_one;
///
/// /// Lets others run once before it answers.
/// fn polite(asked: &mut bool) -> Result<IOResult<&'static str>, CompletionError> {
///     if !*asked {
///         *asked = true;
///         io_yield_one!(Completion::new_yield().touching(Resource::read("door", 0)));
///     }
///     Ok(IOResult::Done("after you"))
/// }
///
/// let mut asked = false;
/// let first = polite(&mut asked)?.io().expect("it yields");
/// assert_eq!(first.completion().label().resource(), Resource::read("door", 0));
/// assert!(matches!(polite(&mut asked)?, IOResult::Done("after you")));
/// # Ok::<(), CompletionError>(())
/// ```
#[macro_export]
macro_rules! io_yield_one {
    ($c:expr) => {
        return ::core::result::Result::Ok($crate::aio::IOResult::IO($crate::aio::IOCompletions::Single($c.seen_here())))
    };
}
