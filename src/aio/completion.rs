//! The handle on one I/O operation in flight, or a request to let others run.
//!
//! Whoever performs the operation finishes it once, with [`complete`](Completion::complete),
//! [`error`](Completion::error) or [`abort`](Completion::abort); whoever comes later is ignored. What all
//! handles of one operation have in common lies in `shared.rs`; a handle owns nothing but its label.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::buffer::Buffer;
use super::error::CompletionError;
use super::label::{Label, Resource, Site};
use super::result::{IOCompletions, IOResult};
use super::shared::{Callback, Kind, Outcome, Shared, settle};

/// A handle on one operation. Clones are the same operation; each handle has its own [`Label`].
#[derive(Clone)]
pub struct Completion {
    operation: Operation,
    label: Label,
}

#[derive(Clone)]
enum Operation {
    /// `polled` is for `Future`: a yield is pending once.
    Yield {
        polled: bool,
        spin: bool,
    },
    Shared(Arc<Shared>),
}

impl Completion {
    /// A read into `buffer`. The callback gets the number of bytes and may turn success into an error.
    #[track_caller]
    pub fn new_read<F>(buffer: Buffer, callback: F) -> Self
    where
        F: FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static,
    {
        Self::shared(Kind::Read, Some(Box::new(callback)), Some(buffer))
    }

    /// A read into `buffer` without a callback.
    #[track_caller]
    #[must_use]
    pub fn read(buffer: Buffer) -> Self {
        Self::shared(Kind::Read, None, Some(buffer))
    }

    /// A write. The callback gets the number of bytes written, which may be fewer than asked for.
    #[track_caller]
    pub fn new_write<F>(callback: F) -> Self
    where
        F: FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static,
    {
        Self::shared(Kind::Write, Some(Box::new(callback)), None)
    }

    /// A write without a callback.
    #[track_caller]
    #[must_use]
    pub fn write() -> Self {
        Self::shared(Kind::Write, None, None)
    }

    /// A sync of a file or directory.
    #[track_caller]
    pub fn new_sync<F>(callback: F) -> Self
    where
        F: FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static,
    {
        Self::shared(Kind::Sync, Some(Box::new(callback)), None)
    }

    /// A sync without a callback.
    #[track_caller]
    #[must_use]
    pub fn sync() -> Self {
        Self::shared(Kind::Sync, None, None)
    }

    /// A change of a file's size, or of a directory.
    #[track_caller]
    pub fn new_truncate<F>(callback: F) -> Self
    where
        F: FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static,
    {
        Self::shared(Kind::Truncate, Some(Box::new(callback)), None)
    }

    /// A truncate without a callback.
    #[track_caller]
    #[must_use]
    pub fn truncate() -> Self {
        Self::shared(Kind::Truncate, None, None)
    }

    /// A deadline; made by `Io::timer`.
    #[track_caller]
    #[must_use]
    pub fn timer() -> Self {
        Self::shared(Kind::Timer, None, None)
    }

    /// Something that another actor does and then [`complete`](Self::complete)s, such as the release of a latch.
    #[track_caller]
    #[must_use]
    pub fn new_wait() -> Self {
        Self::shared(Kind::Wait, None, None)
    }

    /// Let others run. Allocates nothing, and is finished from the start.
    #[inline]
    #[track_caller]
    #[must_use]
    pub const fn new_yield() -> Self {
        Self { operation: Operation::Yield { polled: false, spin: false }, label: Label::at(Location::caller()) }
    }

    /// A busy retry: like a yield, but nothing will change until somebody else has run, so schedulers and
    /// the livelock bound treat it as spinning.
    #[inline]
    #[track_caller]
    #[must_use]
    pub const fn new_spin() -> Self {
        Self { operation: Operation::Yield { polled: false, spin: true }, label: Label::at(Location::caller()) }
    }

    #[track_caller]
    fn shared(kind: Kind, callback: Option<Callback>, buffer: Option<Buffer>) -> Self {
        Self::from_shared(Arc::new(Shared::new(kind, callback, buffer, None)))
    }

    #[track_caller]
    pub(super) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { operation: Operation::Shared(shared), label: Label::at(Location::caller()) }
    }

    pub(super) const fn as_shared(&self) -> Option<&Arc<Shared>> {
        match &self.operation {
            Operation::Shared(shared) => Some(shared),
            Operation::Yield { .. } => None,
        }
    }

    /// What the completion stands for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.operation {
            Operation::Shared(shared) => shared.kind(),
            Operation::Yield { spin: true, .. } => Kind::Spin,
            Operation::Yield { spin: false, .. } => Kind::Yield,
        }
    }

    /// Whether this is an explicit "let others run", spinning included.
    #[inline]
    #[must_use]
    pub const fn is_explicit_yield(&self) -> bool {
        matches!(self.operation, Operation::Yield { .. })
    }

    /// Whether this is a busy retry.
    #[inline]
    #[must_use]
    pub const fn is_spin(&self) -> bool {
        matches!(self.operation, Operation::Yield { spin: true, .. })
    }

    /// Whether it has succeeded or failed; its callback has then run.
    #[inline]
    #[must_use]
    pub fn finished(&self) -> bool {
        match &self.operation {
            Operation::Shared(shared) => shared.finished(),
            Operation::Yield { .. } => true,
        }
    }

    /// The number of bytes or the error, once finished.
    #[must_use]
    pub fn result(&self) -> Option<Result<usize, CompletionError>> {
        self.outcome().cloned()
    }

    fn outcome(&self) -> Option<&Outcome> {
        match &self.operation {
            Operation::Shared(shared) => shared.outcome(),
            Operation::Yield { .. } => Some(&Ok(0)),
        }
    }

    /// Whether it has finished without an error.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome(), Some(Ok(_)))
    }

    /// Whether it has finished with an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.outcome(), Some(Err(_)))
    }

    /// The error it finished with, if it did.
    #[must_use]
    pub fn get_error(&self) -> Option<CompletionError> {
        self.outcome().and_then(|outcome| outcome.as_ref().err().cloned())
    }

    /// The answer of a function that waits for nothing but this: `Done` with the number of bytes once it has
    /// finished, `IO` with this handle until then.
    ///
    /// # Errors
    /// The one it finished with.
    #[track_caller]
    pub fn wait(&self) -> Result<IOResult<usize>, CompletionError> {
        match self.outcome() {
            None => Ok(IOResult::IO(IOCompletions::Single(self.clone().seen_here()))),
            Some(Ok(bytes)) => Ok(IOResult::Done(*bytes)),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    /// The buffer a read fills.
    #[must_use]
    pub fn buffer(&self) -> Option<&Buffer> {
        self.as_shared().and_then(|shared| shared.buffer())
    }

    /// Finishes with `bytes` transferred. Ignored when already finished, for yields, and for groups
    /// (a group finishes with its children).
    pub fn complete(&self, bytes: usize) {
        self.finish(Ok(bytes));
    }

    /// Finishes with an error. Ignored like [`complete`](Self::complete).
    pub fn error(&self, error: CompletionError) {
        self.finish(Err(error));
    }

    /// Gives it up: finishes with [`CompletionError::Aborted`]; of a group, every unfinished child does.
    pub fn abort(&self) {
        if let Operation::Shared(shared) = &self.operation {
            super::group::abort(shared);
        }
    }

    fn finish(&self, outcome: Outcome) {
        if let Operation::Shared(shared) = &self.operation
            && !shared.is_group()
        {
            settle(shared, outcome);
        }
    }

    /// Wakes `waker` when it finishes, at once if it has. Earlier wakers are kept: everybody is woken.
    pub fn set_waker(&self, waker: &Waker) {
        match &self.operation {
            Operation::Shared(shared) => shared.set_waker(waker),
            Operation::Yield { .. } => waker.wake_by_ref(),
        }
    }

    /// Where this handle's yield stands and what comes after it.
    #[inline]
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// Says what the code after this yield touches. Without it the yield conflicts with everything.
    #[must_use]
    pub const fn touching(mut self, resource: Resource) -> Self {
        self.label.touching(resource);
        self
    }

    /// Adds the caller's place to the label; `return_if_io!` does it on the way up.
    #[inline]
    #[track_caller]
    #[must_use]
    pub fn seen_here(mut self) -> Self {
        let site: Site = Location::caller();
        self.label.push(site);
        self
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completion({:?}, {:?}, {:?})", self.kind(), self.result(), self.label)
    }
}

impl Future for Completion {
    type Output = Result<usize, CompletionError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Operation::Yield { polled, .. } = &mut this.operation
            && !*polled
        {
            *polled = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(outcome) = this.result() {
            return Poll::Ready(outcome);
        }
        // It may finish while the waker is being set; `set_waker` then wakes at once.
        this.set_waker(context.waker());
        this.result().map_or(Poll::Pending, Poll::Ready)
    }
}
