//! Many operations as one.
//!
//! A group waits for *all* its children, also when one has failed: their buffers are still in flight. It
//! then fails with the error that came first in time, where a child that had failed before it was added
//! counts from the moment it was added. A child points at its groups and keeps them alive; a group only
//! remembers its children, so there is no cycle, and when a child is dropped, all its groups are told.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::completion::Completion;
use super::error::CompletionError;
use super::shared::{Kind, Outcome, Shared, settle};

/// Collects completions, then [`build`](Self::build)s one that stands for all.
pub struct CompletionGroup {
    shared: Arc<Shared>,
}

/// What makes a completion a group.
pub(super) struct GroupPart {
    progress: Mutex<Progress>,
    children: Mutex<Vec<Weak<Shared>>>,
}

struct Progress {
    /// Children not finished, and one more until the group is built.
    remaining: usize,
    built: bool,
    bytes: usize,
    first_error: Option<CompletionError>,
}

impl CompletionGroup {
    /// An empty group. The callback runs once, when the group is built and all children have finished.
    pub fn new<F>(callback: F) -> Self
    where
        F: FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static,
    {
        let progress = Mutex::new(Progress { remaining: 1, built: false, bytes: 0, first_error: None });
        let part = GroupPart { progress, children: Mutex::default() };
        Self { shared: Arc::new(Shared::new(Kind::Group, Some(Box::new(callback)), None, Some(part))) }
    }

    /// Adds a child, counted once per call. It may be finished, a yield, or a group itself.
    pub fn add(&mut self, completion: &Completion) {
        // A yield is finished from the start; it has nothing to wait for.
        let Some(child) = completion.as_shared() else { return };
        let part = part(&self.shared);
        part.progress.lock().remaining += 1;
        match child.join(&self.shared) {
            Some(outcome) => {
                let whole = part.child_finished(&outcome);
                debug_assert!(whole.is_none(), "a group that is not built is not finished");
            }
            None => part.children.lock().push(Arc::downgrade(child)),
        }
    }

    /// The completion that stands for all children; finished at once when they all are.
    #[track_caller]
    #[must_use]
    pub fn build(self) -> Completion {
        let part = part(&self.shared);
        part.progress.lock().built = true;
        if let Some(whole) = part.child_finished(&Ok(0)) {
            settle(&self.shared, whole);
        }
        Completion::from_shared(self.shared)
    }

    /// Aborts every child that has not finished. What is built afterwards has failed with `Aborted`, unless
    /// another error came first or there was nothing left to abort.
    pub fn cancel(&self) {
        abort(&self.shared);
    }
}

impl GroupPart {
    /// Counts one child; the group's outcome when it was the last.
    pub(super) fn child_finished(&self, outcome: &Outcome) -> Option<Outcome> {
        let mut progress = self.progress.lock();
        match outcome {
            Ok(bytes) => progress.bytes = progress.bytes.saturating_add(*bytes),
            Err(error) if progress.first_error.is_none() => progress.first_error = Some(error.clone()),
            Err(_) => {}
        }
        progress.remaining -= 1;
        (progress.remaining == 0).then(|| progress.first_error.take().map_or(Ok(progress.bytes), Err))
    }

    /// From now on the group fails, whatever its children make of being aborted; nothing changes when there
    /// is nothing left to abort.
    fn give_up(&self) {
        let mut progress = self.progress.lock();
        let unfinished = progress.remaining - usize::from(!progress.built);
        if unfinished > 0 {
            progress.first_error.get_or_insert(CompletionError::Aborted);
        }
    }

    pub(super) fn forget_children(&self) {
        self.children.lock().clear();
    }
}

fn part(shared: &Arc<Shared>) -> &GroupPart {
    shared.group().expect("built as a group")
}

/// Aborts an operation, or all unfinished leaves of a group: a loop, because groups nest deeply.
pub(super) fn abort(root: &Arc<Shared>) {
    let mut stack = vec![Arc::clone(root)];
    while let Some(shared) = stack.pop() {
        match shared.group() {
            None => settle(&shared, Err(CompletionError::Aborted)),
            Some(part) => {
                part.give_up();
                let children = part.children.lock().clone();
                // The last is popped first; reversed, children are aborted in the order they were added.
                stack.extend(children.iter().rev().filter_map(Weak::upgrade).filter(|child| !child.finished()));
            }
        }
    }
}
