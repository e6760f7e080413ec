//! What has been submitted and not yet performed, and the timers.
//!
//! ```text
//! submit ──► waiting ──(step)──► performed ──► finished: the callback runs, and may submit and step
//! timer  ──► timers  ──(step, when due)──────►
//! ```
//!
//! An operation whose completion was aborted meanwhile is performed all the same: like a device, the queue
//! cannot be called back.
//!
//! Invariant: no lock is held while a completion is finished. Operations take effect one at a time, also
//! when several threads step.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Outcome;
use crate::aio::{Completion, CompletionError};

/// The longest wait for a timer in one step, in ticks: whoever steps may be waiting for something else.
const WAIT_TICKS_MAX: u64 = 1000;

type Work = Box<dyn FnOnce() -> Outcome + Send>;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Held while an operation takes effect, so that effects have the order of submission.
    performing: Mutex<()>,
    /// Something was submitted or finished.
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Completion, Work)>,
    /// By deadline, then by the order of asking.
    timers: BTreeMap<(u64, u64), Completion>,
    timers_asked: u64,
    /// Threads that have taken something out and not yet finished it.
    busy: Vec<ThreadId>,
}

enum Next {
    Finish(Completion, Outcome),
    /// Nothing is due before so many ticks have gone.
    Wait(u64),
    /// Another thread is at work on the last that is left.
    Elsewhere,
    Nothing,
}

impl Queue {
    pub(super) fn submit(&self, completion: Completion, work: impl FnOnce() -> Outcome + Send + 'static) -> Completion {
        self.state.lock().waiting.push_back((completion.clone(), Box::new(work)));
        self.news.notify_all();
        completion
    }

    pub(super) fn timer(&self, deadline: u64) -> Completion {
        let completion = Completion::timer();
        let mut state = self.state.lock();
        let place = (deadline, state.timers_asked);
        state.timers_asked += 1;
        state.timers.insert(place, completion.clone());
        drop(state);
        self.news.notify_all();
        completion
    }

    /// Finishes the timer that is due, or performs the oldest operation; waits a little for the next timer
    /// when there is nothing else.
    pub(super) fn step(&self, now: impl Fn() -> u64) -> Result<(), CompletionError> {
        match self.next(now()) {
            Next::Finish(completion, outcome) => {
                let _busy = Busy(self);
                match outcome {
                    Ok(bytes) => completion.complete(bytes),
                    Err(error) => completion.error(error),
                }
                Ok(())
            }
            Next::Wait(ticks) => {
                let mut state = self.state.lock();
                if state.waiting.is_empty() {
                    self.news.wait_for(&mut state, Duration::from_micros(ticks.min(WAIT_TICKS_MAX)));
                }
                Ok(())
            }
            Next::Elsewhere => {
                std::thread::yield_now();
                Ok(())
            }
            Next::Nothing => Err(CompletionError::Rejected("nothing is in flight")),
        }
    }

    fn next(&self, now: u64) -> Next {
        let _effect = self.performing.lock();
        let mut state = self.state.lock();
        let me = std::thread::current().id();
        if let Some(timer) = state.timers.first_entry()
            && timer.key().0 <= now
        {
            let completion = timer.remove();
            state.busy.push(me);
            return Next::Finish(completion, Ok(0));
        }
        if let Some((completion, work)) = state.waiting.pop_front() {
            state.busy.push(me);
            drop(state);
            return Next::Finish(completion, work());
        }
        match state.timers.first_key_value() {
            Some(((deadline, _), _)) => Next::Wait(deadline - now),
            None if state.busy.iter().any(|thread| *thread != me) => Next::Elsewhere,
            None => Next::Nothing,
        }
    }
}

/// Takes this thread off the list of the busy, also when a callback panics.
struct Busy<'a>(&'a Queue);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let me = std::thread::current().id();
        let mut state = self.0.state.lock();
        if let Some(at) = state.busy.iter().position(|thread| *thread == me) {
            state.busy.swap_remove(at);
        }
        drop(state);
        self.0.news.notify_all();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        write!(f, "Queue({} waiting, {} timers)", state.waiting.len(), state.timers.len())
    }
}
