//! A latch: one holder at a time, the others wait in the order in which they came.
//!
//! Waiting is not polling: a waiter gets a completion that the releaser finishes, so a circle of waiters is
//! seen by the scheduler as the deadlock it is. Requests and holds are guards. Dropping one, at any yield,
//! gives up the place in the queue or passes the latch on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::bugs::Bugs;
use crate::aio::{Completion, IOCompletions, IOResult, Resource};

/// The latch. Clones are the same latch.
#[derive(Clone)]
pub(super) struct Latch(Rc<Inner>);

struct Inner {
    name: &'static str,
    bugs: Bugs,
    holder: Cell<Option<u64>>,
    next_ticket: Cell<u64>,
    queue: RefCell<VecDeque<Waiter>>,
}

struct Waiter {
    ticket: u64,
    woken: Completion,
}

/// Somebody who wants the latch.
pub(super) struct Request {
    latch: Latch,
    state: RequestState,
}

enum RequestState {
    Fresh,
    /// Seen busy, but not in the queue yet: only the lost wake-up knows this state.
    SeenBusy,
    Queued {
        ticket: u64,
        woken: Completion,
    },
    Over,
}

/// Somebody who has the latch; dropping it passes it on.
pub(super) struct Held {
    latch: Latch,
    ticket: u64,
}

impl Latch {
    pub(super) fn new(name: &'static str, bugs: Bugs) -> Self {
        let inner = Inner { name, bugs, holder: Cell::new(None), next_ticket: Cell::new(0), queue: RefCell::default() };
        Self(Rc::new(inner))
    }

    /// Asks for the latch; poll the request.
    pub(super) fn request(&self) -> Request {
        Request { latch: self.clone(), state: RequestState::Fresh }
    }

    /// Takes the latch if nobody has it.
    pub(super) fn try_take(&self) -> Option<Held> {
        self.0.holder.get().is_none().then(|| self.take())
    }

    fn take(&self) -> Held {
        let ticket = self.ticket();
        self.0.holder.set(Some(ticket));
        Held { latch: self.clone(), ticket }
    }

    fn ticket(&self) -> u64 {
        let ticket = self.0.next_ticket.get();
        self.0.next_ticket.set(ticket + 1);
        ticket
    }

    fn enqueue(&self) -> RequestState {
        let (ticket, woken) = (self.ticket(), Completion::new_wait().touching(self.resource()));
        self.0.queue.borrow_mut().push_back(Waiter { ticket, woken: woken.clone() });
        RequestState::Queued { ticket, woken }
    }

    /// Its name, and how it stands, for people.
    pub(super) fn told(&self) -> (&'static str, String) {
        let waiting = self.0.queue.borrow().len();
        let state = if self.0.holder.get().is_some() { "held" } else { "free" };
        (self.0.name, if waiting == 0 { state.to_string() } else { format!("{state}, {waiting} waiting") })
    }

    /// What whoever runs after a yield at this latch touches.
    fn resource(&self) -> Resource {
        Resource::write(self.0.name, 0)
    }

    /// Passes the latch to whoever has waited longest.
    fn release(&self) {
        let heir = self.0.queue.borrow_mut().pop_front();
        self.0.holder.set(heir.as_ref().map(|heir| heir.ticket));
        // No borrow is held here: whoever is woken may look at the latch at once.
        if let Some(heir) = heir {
            heir.woken.complete(0);
        }
    }
}

impl Request {
    /// The latch, once it is ours.
    pub(super) fn poll(&mut self) -> IOResult<Held> {
        match &self.state {
            RequestState::Fresh => match self.latch.try_take() {
                Some(held) => {
                    self.state = RequestState::Over;
                    IOResult::Done(held)
                }
                // BUG lost-wakeup: looks, lets others run, and only then joins the queue; a release in between
                // finds nobody to wake.
                None if self.latch.0.bugs.lost_wakeup => {
                    self.state = RequestState::SeenBusy;
                    IOResult::IO(IOCompletions::Single(Completion::new_yield().touching(self.latch.resource())))
                }
                None => self.wait(),
            },
            RequestState::SeenBusy => self.wait(),
            RequestState::Queued { ticket, woken } if self.latch.0.holder.get() != Some(*ticket) => {
                IOResult::IO(IOCompletions::Single(woken.clone()))
            }
            RequestState::Queued { ticket, .. } => {
                let held = Held { latch: self.latch.clone(), ticket: *ticket };
                self.state = RequestState::Over;
                IOResult::Done(held)
            }
            RequestState::Over => panic!("a latch request was polled after it had been granted"),
        }
    }

    fn wait(&mut self) -> IOResult<Held> {
        self.state = self.latch.enqueue();
        let RequestState::Queued { woken, .. } = &self.state else { unreachable!("just queued") };
        IOResult::IO(IOCompletions::Single(woken.clone()))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let RequestState::Queued { ticket, .. } = self.state else { return };
        if self.latch.0.holder.get() == Some(ticket) {
            self.latch.release();
        } else {
            self.latch.0.queue.borrow_mut().retain(|waiter| waiter.ticket != ticket);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.latch.0.holder.get() == Some(self.ticket) {
            self.latch.release();
        }
    }
}
