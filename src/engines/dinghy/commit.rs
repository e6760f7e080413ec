//! A commit: validated, applied to the tree, logged, published.
//!
//! All of it happens under the commit latch, so what has been validated stays true until it is published.
//! Readers are not kept waiting: they go on with their snapshots.

use std::rc::Rc;
use std::vec::IntoIter;

use super::append::{Append, Appended};
use super::draft::Draft;
use super::edit::Edit;
use super::failure::Failure;
use super::latch::{Held, Request};
use super::meta::Meta;
use super::shared::Shared;
use super::transaction::Transaction;
use crate::aio::{Completion, IOResult, Resource};
use crate::engine::kv::Key;
use crate::history::Class;
use crate::{io_yield_one, return_if_io};

/// A commit under way.
pub(super) struct Commit {
    shared: Rc<Shared>,
    transaction: Transaction,
    held: Option<Held>,
    validated: bool,
    state: CommitState,
}

enum CommitState {
    /// Only for the bug `livelock-of-two-retries`.
    Announce {
        announced: bool,
    },
    Latch(Request),
    Validate,
    Apply(Apply),
    Append {
        meta: Meta,
        append: Append,
    },
    Publish {
        meta: Meta,
        appended: Appended,
    },
}

/// The changes of a transaction, made to the tree one after the other.
struct Apply {
    draft: Option<Draft>,
    changes: IntoIter<(Key, Option<Vec<u8>>)>,
    edit: Option<Edit>,
}

impl Commit {
    pub(super) fn new(shared: &Rc<Shared>, transaction: Transaction) -> Self {
        let state = match shared.config.bugs.livelock {
            false => CommitState::Latch(shared.commit_latch.request()),
            true => CommitState::Announce { announced: false },
        };
        Self { shared: Rc::clone(shared), transaction, held: None, validated: false, state }
    }

    /// The commit's place among all commits, once it is published.
    pub(super) fn poll(&mut self) -> Result<IOResult<u64>, Failure> {
        let outcome = self.advance();
        // BUG latch-order-deadlock: the latch is kept for the checkpoint that may follow.
        let keeps = self.shared.config.bugs.latch_order && outcome.is_ok();
        if !matches!(outcome, Ok(IOResult::IO(_))) && !keeps {
            self.held = None;
        }
        outcome
    }

    /// The commit latch, if it has been kept.
    pub(super) fn take_latch(&mut self) -> Option<Held> {
        self.held.take()
    }

    fn advance(&mut self) -> Result<IOResult<u64>, Failure> {
        loop {
            match &mut self.state {
                CommitState::Announce { announced } => {
                    // BUG livelock-of-two-retries: who sees that somebody else wants a key waits, and keeps its own
                    // announcement; two that see each other wait for ever.
                    if !std::mem::replace(announced, true) {
                        self.announce(1);
                        io_yield_one!(Completion::new_yield().touching(Resource::write("announced", 0)));
                    }
                    if self.somebody_else_wants_a_key() {
                        io_yield_one!(Completion::new_spin().touching(Resource::read("announced", 0)));
                    }
                    self.state = CommitState::Latch(self.shared.commit_latch.request());
                }
                CommitState::Latch(request) => {
                    // BUG flag-before-yield: validated, and then the wait in which it becomes untrue.
                    if self.shared.config.bugs.flag_before_yield && !self.validated {
                        self.validated = true;
                        self.validate()?;
                        continue;
                    }
                    self.held = Some(return_if_io!(Ok::<_, Failure>(request.poll())));
                    self.state = CommitState::Validate;
                }
                CommitState::Validate => {
                    // BUG publish-before-validate: not yet.
                    if !self.validated && !self.shared.config.bugs.publish_before_validate {
                        self.validate()?;
                        self.validated = true;
                    }
                    self.state = CommitState::Apply(self.apply());
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                CommitState::Apply(apply) => {
                    let draft = return_if_io!(apply.poll());
                    let (meta, pages) = draft.finish();
                    let append = Append::new(&self.shared, meta.sequence, pages)?;
                    self.state = CommitState::Append { meta, append };
                }
                CommitState::Append { meta, append } => {
                    let appended = return_if_io!(append.poll());
                    self.state = CommitState::Publish { meta: *meta, appended };
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                CommitState::Publish { meta, appended } => {
                    let meta = *meta;
                    self.shared.publish(meta, appended);
                    let late = if self.validated { Ok(()) } else { self.validate() };
                    let oldest = self.shared.snapshots.oldest_sequence();
                    self.shared.recent.borrow_mut().note(self.transaction.writes.keys(), meta.sequence, oldest);
                    late?;
                    return Ok(IOResult::Done(meta.sequence));
                }
            }
        }
    }

    /// Refuses the commit when somebody else has been faster.
    fn validate(&self) -> Result<(), Failure> {
        let (shared, transaction, bugs) = (&self.shared, &self.transaction, &self.shared.config.bugs);
        shared.writable()?;
        let nothing_happened = match bugs.aba {
            false => shared.published.get().sequence == transaction.snapshot.sequence(),
            // BUG aba-on-log-length: the log is as long as it was, so it must be the same.
            true => shared.log.borrow().len() == transaction.log_len,
        };
        if nothing_happened {
            return Ok(());
        }
        let recent = shared.recent.borrow();
        // BUG lost-update: nobody asks whether the same keys have been committed meanwhile.
        let writes_overtaken = !bugs.lost_update && recent.overtook_writes(transaction);
        // BUG write-skew: nobody asks about what has been read.
        let serializable = shared.config.serializable && !bugs.write_skew;
        if writes_overtaken || serializable && recent.overtook_reads(transaction) {
            return Err(Failure::refused(Class::Conflict, "somebody else has committed first"));
        }
        Ok(())
    }

    fn apply(&mut self) -> Apply {
        let changes = self.transaction.writes.iter_mut().map(|(key, value)| (Key::clone(key), value.take()));
        let changes: Vec<_> = changes.collect();
        Apply { draft: Some(Draft::new(&self.shared)), changes: changes.into_iter(), edit: None }
    }
}

/// Only for the bug `livelock-of-two-retries`.
impl Commit {
    fn announce(&self, by: i32) {
        let mut announced = self.shared.announced.borrow_mut();
        for key in self.transaction.writes.keys() {
            let wanted = announced.entry(Key::clone(key)).or_default();
            *wanted = wanted.saturating_add_signed(by);
        }
    }

    fn somebody_else_wants_a_key(&self) -> bool {
        let announced = self.shared.announced.borrow();
        self.transaction.writes.keys().any(|key| announced.get(key).is_some_and(|wanted| *wanted > 1))
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if self.shared.config.bugs.livelock && !matches!(self.state, CommitState::Announce { announced: false }) {
            self.announce(-1);
        }
        // BUG leaked-lock-after-abandonment: whoever is abandoned in the middle keeps the latch.
        if self.shared.config.bugs.leaked_lock {
            std::mem::forget(self.held.take());
        }
    }
}

impl Apply {
    fn poll(&mut self) -> Result<IOResult<Draft>, Failure> {
        let draft = self.draft.as_mut().expect("polled once after it was done");
        loop {
            if let Some(edit) = &mut self.edit {
                return_if_io!(edit.poll(draft));
            }
            let Some((key, change)) = self.changes.next() else { break };
            self.edit = Some(match change {
                Some(value) => Edit::put(draft.page_size(), key, value),
                None => Edit::remove(key),
            });
        }
        Ok(IOResult::Done(self.draft.take().expect("just used")))
    }
}
