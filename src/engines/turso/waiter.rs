//! What a connection waits for: woken by Turso's completions, parked on one of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use parking_lot::Mutex;
use turso_core::CompletionError;
use turso_core::types::IOCompletions as TheirCompletions;

use crate::aio::{Completion, IOCompletions};

/// One connection's bell.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    parked: Mutex<Option<Completion>>,
}

/// The connection's side of it.
pub(super) struct Waiter {
    bell: Arc<Bell>,
    waker: Waker,
    /// What a state machine of Turso's waits for that must not be called before it has finished.
    pending: Option<TheirCompletions>,
}

impl Waiter {
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell::default());
        Self { waker: Waker::from(Arc::clone(&bell)), bell, pending: None }
    }

    /// The waker for the next step.
    pub(super) fn arm(&self) -> &Waker {
        self.bell.rung.store(false, Ordering::Relaxed);
        &self.waker
    }

    /// Whether the bell has rung since it was armed.
    pub(super) fn has_rung(&self) -> bool {
        self.bell.rung.load(Ordering::Relaxed)
    }

    /// What to wait for after a step that said it waits: until the bell rings, which it may have done already. A
    /// group of I/O rings for each of its parts; the step after that says that it still waits.
    #[track_caller]
    pub(super) fn wait(&self) -> IOCompletions {
        if self.has_rung() {
            return IOCompletions::Single(Completion::new_yield());
        }
        let parked = Completion::new_wait();
        *self.bell.parked.lock() = Some(parked.clone());
        IOCompletions::Single(parked)
    }

    /// What to wait for after a state machine has said for what: all of it, though the bell rings for each part.
    #[track_caller]
    pub(super) fn wait_for_all_of(&mut self, pending: TheirCompletions) -> IOCompletions {
        if pending.is_explicit_yield() {
            return IOCompletions::Single(Completion::new_yield());
        }
        pending.set_waker(Some(self.arm()));
        self.pending = Some(pending);
        self.wait()
    }

    /// What is still to be waited for before that state machine may be called again.
    ///
    /// # Errors
    /// What was waited for has failed. Turso's own blocking callers give up then, so that the machine need not notice.
    #[track_caller]
    pub(super) fn unfinished(&mut self) -> Result<Option<IOCompletions>, CompletionError> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        if pending.finished() {
            return pending.get_error().map_or(Ok(None), Err);
        }
        Ok(Some(self.wait_for_all_of(pending)))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Relaxed);
        let parked = self.parked.lock().take();
        if let Some(parked) = parked {
            parked.complete(0);
        }
    }
}
