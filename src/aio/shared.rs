//! What all handles of one operation have in common: its outcome, its callback, and who is to be told.
//!
//! The order of finishing is always the same: the callback runs, the outcome becomes visible, groups are
//! told, wakers are woken. No lock is held while a callback or a waker runs, so either may submit, finish
//! or build whatever it likes.
//!
//! ```text
//! PENDING --claimed by the first to finish it--> FINISHING --callback has run--> FINISHED
//! ```

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::Mutex;

use super::buffer::Buffer;
use super::error::CompletionError;
use super::group::GroupPart;

/// A number of bytes, or why not.
pub(super) type Outcome = Result<usize, CompletionError>;
pub(super) type Callback = Box<dyn FnOnce(Outcome) -> Outcome + Send>;
type Panic = Box<dyn Any + Send>;

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
    /// Something that another actor does, such as the release of a latch.
    Wait,
    /// Many operations as one.
    Group,
    /// Let others run, then go on.
    Yield,
    /// A busy retry: let others run, nothing will change until they do.
    Spin,
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
    group: Option<GroupPart>,
}

/// Who is to be told. Once `closed`, whoever comes is told at once.
#[derive(Default)]
struct Links {
    closed: bool,
    wakers: Vec<Waker>,
    groups: Vec<Arc<Shared>>,
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

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn buffer(&self) -> Option<&Buffer> {
        self.buffer.as_ref()
    }

    pub(super) const fn is_group(&self) -> bool {
        self.group.is_some()
    }

    pub(super) const fn group(&self) -> Option<&GroupPart> {
        self.group.as_ref()
    }

    #[inline]
    pub(super) fn finished(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }

    /// How it ended, once it has. The callback has the last word, so its outcome is not shown before.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        if self.finished() { self.outcome.get() } else { None }
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

    pub(super) fn set_waker(&self, waker: &Waker) {
        // Cloning and dropping a waker runs code of its author, so both happen outside the lock.
        let waker = waker.clone();
        let mut links = self.links.lock();
        if links.closed {
            drop(links);
            waker.wake();
        } else if !links.wakers.iter().any(|known| known.will_wake(&waker)) {
            links.wakers.push(waker);
        }
    }

    /// Finishes this one alone and answers who has to be told; `None` if somebody else finishes it.
    fn close(&self, outcome: Outcome, panic: &mut Option<Panic>) -> Option<(Outcome, Links)> {
        self.state.compare_exchange(PENDING, FINISHING, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let callback = self.callback.lock().take();
        let outcome = match callback {
            Some(callback) => catch_unwind(AssertUnwindSafe(|| callback(outcome))).unwrap_or_else(|payload| {
                panic.get_or_insert(payload);
                Err(CompletionError::Rejected("the callback panicked"))
            }),
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
///
/// A callback that panics fails its completion. Everybody is told before the panic goes on, so that nobody
/// waits for ever for an operation whose author has broken down.
pub(super) fn settle(shared: &Shared, outcome: Outcome) {
    let mut ready = Vec::new();
    let mut panic = None;
    tell(shared, outcome, &mut ready, &mut panic);
    while let Some((group, outcome)) = ready.pop() {
        tell(&group, outcome, &mut ready, &mut panic);
    }
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

fn tell(shared: &Shared, outcome: Outcome, ready: &mut Vec<(Arc<Shared>, Outcome)>, panic: &mut Option<Panic>) {
    let Some((outcome, told)) = shared.close(outcome, panic) else { return };
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
