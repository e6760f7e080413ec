//! One I/O operation in flight, or a request to let others run.
//!
//! Whoever performs the operation finishes it once, with [`complete`](Completion::complete),
//! [`error`](Completion::error) or [`abort`](Completion::abort); whoever comes later is ignored. The order
//! is always: the callback runs (no lock held), the outcome becomes visible, groups are told, wakers woken.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::buffer::Buffer;
use super::error::CompletionError;
use super::group::GroupPart;
use super::label::{Label, Resource, Site};

/// A number of bytes, or why not.
pub(super) type Outcome = Result<usize, CompletionError>;
pub(super) type Callback = Box<dyn FnOnce(Outcome) -> Outcome + Send>;

/// What a completion stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes from a file into its buffer.
    Read,
    /// Bytes to a file.
    Write,
    /// A file or directory made durable.
    Sync,
    /// A file's size set, or a directory changed.
    Truncate,
    /// A deadline of the virtual clock.
    Timer,
    /// Many operations as one.
    Group,
    /// Let others run, then go on.
    Yield,
    /// A busy retry: let others run, nothing will change until they do.
    Spin,
}

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

const PENDING: u8 = 0;
const FINISHING: u8 = 1;
const FINISHED: u8 = 2;

pub(super) struct Shared {
    kind: Kind,
    state: AtomicU8,
    outcome: OnceLock<Outcome>,
    callback: Mutex<Option<Callback>>,
    links: Mutex<Links>,
    buffer: Option<Buffer>,
    pub(super) group: Option<GroupPart>,
}

/// Who is to be told. Once `closed`, whoever comes is told at once.
#[derive(Default)]
struct Links {
    closed: bool,
    wakers: Vec<Waker>,
    groups: Vec<Arc<Shared>>,
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
            Operation::Shared(shared) => shared.kind,
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
        match &self.operation {
            Operation::Shared(shared) if shared.finished() => shared.outcome.get().cloned(),
            Operation::Shared(_) => None,
            Operation::Yield { .. } => Some(Ok(0)),
        }
    }

    /// Whether it has finished without an error.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.result(), Some(Ok(_)))
    }

    /// Whether it has finished with an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.result(), Some(Err(_)))
    }

    /// The error it finished with, if it did.
    #[must_use]
    pub fn get_error(&self) -> Option<CompletionError> {
        self.result().and_then(Result::err)
    }

    /// The buffer a read fills.
    #[must_use]
    pub fn buffer(&self) -> Option<&Buffer> {
        self.as_shared().and_then(|shared| shared.buffer.as_ref())
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
            && shared.group.is_none()
        {
            settle(shared, outcome);
        }
    }

    /// Wakes `waker` when it finishes, at once if it has. Earlier wakers are kept: everybody is woken.
    pub fn set_waker(&self, waker: &Waker) {
        let Operation::Shared(shared) = &self.operation else {
            return waker.wake_by_ref();
        };
        let mut links = shared.links.lock();
        if links.closed {
            drop(links);
            waker.wake_by_ref();
        } else if !links.wakers.iter().any(|known| known.will_wake(waker)) {
            links.wakers.push(waker.clone());
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

impl Shared {
    pub(super) fn new(
        kind: Kind,
        callback: Option<Callback>,
        buffer: Option<Buffer>,
        group: Option<GroupPart>,
    ) -> Self {
        Self {
            kind,
            state: AtomicU8::new(PENDING),
            outcome: OnceLock::new(),
            callback: Mutex::new(callback),
            links: Mutex::default(),
            buffer,
            group,
        }
    }

    #[inline]
    pub(super) fn finished(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }

    /// Registers a group to be told; `Some` when it is finished already and the group must count it now.
    pub(super) fn join(&self, group: &Arc<Self>) -> Option<Outcome> {
        let mut links = self.links.lock();
        if links.closed {
            return self.outcome.get().cloned();
        }
        links.groups.push(Arc::clone(group));
        None
    }

    /// Finishes this one alone and answers which groups have to be told; `None` if somebody else finishes it.
    fn close(&self, outcome: Outcome) -> Option<(Outcome, Links)> {
        self.state.compare_exchange(PENDING, FINISHING, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let callback = self.callback.lock().take();
        let outcome = match callback {
            Some(callback) => callback(outcome),
            None => outcome,
        };
        self.outcome.set(outcome.clone()).expect("the claim makes this the only writer");
        self.state.store(FINISHED, Ordering::Release);
        if let Some(group) = &self.group {
            group.forget_children();
        }
        let mut links = self.links.lock();
        links.closed = true;
        let told = Links {
            closed: true,
            wakers: std::mem::take(&mut links.wakers),
            groups: std::mem::take(&mut links.groups),
        };
        Some((outcome, told))
    }
}

/// Finishes `shared` and every group that becomes finished by it: a loop, because groups nest deeply.
pub(super) fn settle(shared: &Shared, outcome: Outcome) {
    let mut ready = Vec::new();
    tell(shared, outcome, &mut ready);
    while let Some((group, outcome)) = ready.pop() {
        tell(&group, outcome, &mut ready);
    }
}

fn tell(shared: &Shared, outcome: Outcome, ready: &mut Vec<(Arc<Shared>, Outcome)>) {
    let Some((outcome, told)) = shared.close(outcome) else { return };
    for group in told.groups {
        let part = group.group.as_ref().expect("only groups are joined");
        if let Some(whole) = part.child_finished(&outcome) {
            ready.push((group, whole));
        }
    }
    told.wakers.into_iter().for_each(Waker::wake);
}

impl Drop for Shared {
    /// Nobody can finish it any more: whoever waits is told so, and the callback has run once.
    fn drop(&mut self) {
        if *self.state.get_mut() == PENDING {
            // A callback that panics here would abort the process if a panic is under way already.
            let _ = catch_unwind(AssertUnwindSafe(|| settle(self, Err(CompletionError::Aborted))));
        }
    }
}
