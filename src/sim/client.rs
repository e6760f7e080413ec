//! A client: one connection and the list of what it will ask.

use std::task::Waker;

use crate::aio::{Completion, Kind, Label};
use crate::engine::{Family, Role};
use crate::history::OpId;
use crate::workload::Transaction;

/// Who asks, what has been asked, and what the connection waits for.
pub(super) struct Client<'a, F: Family, C> {
    /// Its number among connections, or [`ENGINE`](crate::tape::ENGINE) for set-up and settling.
    pub(super) id: u16,
    /// Its number in the history; a new one after each crash.
    pub(super) process: u32,
    /// Its connection, while it has one.
    pub(super) connection: Option<C>,
    pub(super) waker: Waker,
    /// What the connection waits for.
    pub(super) waiting: Option<Completion>,
    /// Where its operation has yielded last, when somebody may ask.
    pub(super) place: Option<Label>,
    /// What it does in its next turn, though it may be waiting.
    pub(super) upset: Option<Upset>,
    /// The operation under way.
    pub(super) running: Option<Running<F>>,
    /// The ordinal of the operation under way; part of the identity of its I/O. It is the operation's place in
    /// the plan, not a count, so that an operation that is taken out of a plan renames no other.
    pub(super) ordinal: u32,
    /// The transaction under way, as numbered in the history.
    pub(super) open: Option<u32>,
    rollback_due: bool,
    /// It asks nothing any more, but for the end of what is open.
    stopped: bool,
    script: &'a [Transaction<F>],
    at: (usize, usize),
    /// The transaction that the operation under way belongs to.
    open_at: usize,
}

/// How many ordinals a transaction has; the last is its rollback's. Longer transactions run into the next
/// one's numbers, which costs a name, not a mistake: one connection does one thing at a time.
const ORDINALS_PER_TRANSACTION: u32 = 100;

fn place(transaction: usize, op: usize) -> u32 {
    (transaction as u32).saturating_mul(ORDINALS_PER_TRANSACTION).saturating_add(op as u32)
}

/// What a client does that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upset {
    /// It gives up the operation.
    Abandon,
    /// It goes away, and comes again on another connection.
    Close,
    /// It has been woken for nothing.
    Wake,
}

/// An operation under way.
pub(super) struct Running<F: Family> {
    pub(super) id: OpId,
    pub(super) op: F::Op,
    pub(super) role: Role,
    pub(super) since_turn: u64,
    pub(super) steps: u32,
}

impl<'a, F: Family, C> Client<'a, F, C> {
    /// Whether it waits for something that no I/O and no timer will bring.
    pub(super) fn waits_for_others(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| !waiting.finished() && waiting.kind() == Kind::Wait)
    }

    pub(super) fn new(id: u16, waker: Waker, script: &'a [Transaction<F>]) -> Self {
        let mut client = Self {
            id,
            process: 0,
            connection: None,
            waker,
            waiting: None,
            place: None,
            upset: None,
            running: None,
            ordinal: 0,
            open: None,
            rollback_due: false,
            stopped: false,
            script,
            at: (0, 0),
            open_at: 0,
        };
        client.skip_empty();
        client
    }

    /// Gives it something else to ask, from the beginning.
    pub(super) fn rewind(&mut self, script: &'a [Transaction<F>]) {
        self.script = script;
        self.at = (0, 0);
        self.skip_empty();
    }

    /// It is to ask nothing new; an open transaction is given up once the operation under way is over.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.at = (self.script.len(), 0);
        self.rollback_due |= self.running.is_none() && self.open.is_some() && F::rollback().is_some();
    }

    /// Whether everything has been asked and answered.
    pub(super) fn is_done(&self) -> bool {
        self.running.is_none() && !self.rollback_due && self.at.0 >= self.script.len()
    }

    /// The next operation, and moves on.
    pub(super) fn next_op(&mut self) -> Option<F::Op> {
        if std::mem::take(&mut self.rollback_due) {
            self.ordinal = place(self.open_at, ORDINALS_PER_TRANSACTION as usize - 1);
            return F::rollback();
        }
        let op = self.script.get(self.at.0)?.ops.get(self.at.1)?.clone();
        self.ordinal = place(self.at.0, self.at.1);
        self.open_at = self.at.0;
        self.at.1 += 1;
        self.skip_empty();
        Some(op)
    }

    /// Moves on to where there is an operation, so that "done" is known as soon as it is true.
    fn skip_empty(&mut self) {
        while self.script.get(self.at.0).is_some_and(|transaction| self.at.1 >= transaction.ops.len()) {
            self.at = (self.at.0 + 1, 0);
        }
    }

    /// The operation under way is over. `failed` means it was refused, or nobody knows.
    pub(super) fn finished(&mut self, role: Role, failed: bool) {
        self.running = None;
        self.waiting = None;
        self.upset = None;
        match role {
            Role::Commit | Role::Rollback => self.open = None,
            Role::Begin | Role::Member | Role::Maintenance => {
                if (failed || self.stopped) && self.open.is_some() {
                    self.give_up();
                    // A transaction that could not even begin has nothing to roll back.
                    self.rollback_due = (role != Role::Begin || !failed) && F::rollback().is_some();
                    if role == Role::Begin && failed {
                        self.open = None;
                    }
                }
            }
        }
        // What follows a begin that failed, or a commit that was refused, belongs to a transaction that is over.
        if self.open.is_none() && failed {
            self.give_up();
        }
    }

    /// Skips the rest of the current transaction.
    pub(super) fn give_up(&mut self) {
        if self.at.1 > 0 {
            self.at = (self.at.0 + 1, 0);
            self.skip_empty();
        }
    }

    /// The connection is gone, and with it whatever it was doing.
    pub(super) fn disconnect(&mut self) {
        self.running = None;
        self.waiting = None;
        self.upset = None;
        self.open = None;
        self.rollback_due = false;
        self.connection = None;
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kv::{Kv, KvOp};

    fn script() -> [Transaction<Kv>; 2] {
        [0, 1].map(|_| Transaction { ops: vec![KvOp::Begin, KvOp::Get("k".into()), KvOp::Commit] })
    }

    fn client(script: &[Transaction<Kv>]) -> Client<'_, Kv, ()> {
        Client::new(0, Waker::noop().clone(), script)
    }

    #[test]
    fn a_refusal_inside_a_transaction_rolls_back_and_goes_on_with_the_next() {
        let script = script();
        let mut client = client(&script);
        assert_eq!(client.next_op(), Some(KvOp::Begin));
        client.open = Some(0);
        client.finished(Role::Begin, false);
        assert_eq!(client.next_op(), Some(KvOp::Get("k".into())));
        client.finished(Role::Member, true);
        assert_eq!(client.next_op(), Some(KvOp::Rollback));
        client.finished(Role::Rollback, false);
        assert_eq!(client.next_op(), Some(KvOp::Begin));
        assert!(!client.is_done());
    }

    #[test]
    fn a_begin_that_fails_skips_its_transaction_without_a_rollback() {
        let script = script();
        let mut client = client(&script);
        client.next_op();
        client.open = Some(0);
        client.finished(Role::Begin, true);
        assert_eq!(client.next_op(), Some(KvOp::Begin));
        client.disconnect();
        assert_eq!(client.next_op(), None);
        assert!(client.is_done());
    }

    #[test]
    fn a_client_that_is_stopped_gives_up_what_is_open_and_asks_no_more() {
        let script = script();
        // Between two operations, and in the middle of one.
        for in_the_middle in [false, true] {
            let mut client = client(&script);
            client.next_op();
            client.open = Some(0);
            if in_the_middle {
                let running = Running { id: OpId(0), op: KvOp::Begin, role: Role::Begin, since_turn: 0, steps: 1 };
                client.running = Some(running);
                client.stop();
                assert!(!client.is_done());
                client.finished(Role::Begin, false);
            } else {
                client.finished(Role::Begin, false);
                client.stop();
            }
            assert!(!client.is_done());
            assert_eq!(client.next_op(), Some(KvOp::Rollback));
            client.finished(Role::Rollback, false);
            assert!(client.is_done());
        }
        let mut idle = client(&script);
        idle.stop();
        assert!(idle.is_done());
    }

    #[test]
    fn a_commit_that_is_refused_needs_no_rollback() {
        let script = script();
        let mut client = client(&script);
        (0..3).for_each(|_| drop(client.next_op()));
        client.open = Some(0);
        client.finished(Role::Commit, true);
        assert_eq!(client.next_op(), Some(KvOp::Begin));
    }
}
