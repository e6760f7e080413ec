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
    /// Until it is validated; its snapshot is given up then.
    transaction: Option<Transaction>,
    keys: Vec<Key>,
    held: Option<Held>,
    validated: bool,
    state: CommitState,
}

enum CommitState {
    Latch(Request),
    Validate,
    Apply(Apply),
    Append { meta: Meta, append: Append },
    Publish { meta: Meta, appended: Appended },
}

/// The changes of a transaction, made to the tree one after the other.
struct Apply {
    draft: Option<Draft>,
    changes: IntoIter<(Key, Option<Vec<u8>>)>,
    edit: Option<Edit>,
}

impl Commit {
    pub(super) fn new(shared: &Rc<Shared>, transaction: Transaction) -> Self {
        Self {
            shared: Rc::clone(shared),
            transaction: Some(transaction),
            keys: Vec::new(),
            held: None,
            validated: false,
            state: CommitState::Latch(shared.commit_latch.request()),
        }
    }

    /// The commit's place among all commits, once it is published.
    pub(super) fn poll(&mut self) -> Result<IOResult<u64>, Failure> {
        let outcome = self.advance();
        if !matches!(outcome, Ok(IOResult::IO(_))) {
            self.held = None;
        }
        outcome
    }

    fn advance(&mut self) -> Result<IOResult<u64>, Failure> {
        loop {
            match &mut self.state {
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
                    if !self.validated {
                        self.validate()?;
                        self.validated = true;
                    }
                    self.state = CommitState::Apply(self.apply());
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                CommitState::Apply(apply) => {
                    let draft = return_if_io!(apply.poll());
                    let (meta, pages) = draft.finish();
                    let append = Append::new(&self.shared, meta.sequence, pages);
                    self.state = CommitState::Append { meta, append };
                }
                CommitState::Append { meta, append } => {
                    let appended = return_if_io!(append.poll());
                    self.state = CommitState::Publish { meta: *meta, appended };
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                CommitState::Publish { meta, appended } => {
                    self.shared.publish(*meta, appended);
                    let oldest = self.shared.snapshots.oldest_sequence();
                    self.shared.recent.borrow_mut().note(self.keys.iter(), meta.sequence, oldest);
                    return Ok(IOResult::Done(meta.sequence));
                }
            }
        }
    }

    /// Refuses the commit when somebody else has been faster.
    fn validate(&self) -> Result<(), Failure> {
        let transaction = self.transaction.as_ref().expect("it is given up after this");
        let config = &self.shared.config;
        self.shared.writable()?;
        let recent = self.shared.recent.borrow();
        // BUG lost-update: nobody asks whether the same keys have been committed meanwhile.
        let overtaken = (!config.bugs.lost_update && recent.overtook_writes(transaction))
            || (config.serializable && recent.overtook_reads(transaction));
        if overtaken {
            return Err(Failure::refused(Class::Conflict, "somebody else has committed first"));
        }
        Ok(())
    }

    fn apply(&mut self) -> Apply {
        let mut transaction = self.transaction.take().expect("a commit is applied once");
        let changes: Vec<_> = std::mem::take(&mut transaction.writes).into_iter().collect();
        self.keys = changes.iter().map(|(key, _)| Key::clone(key)).collect();
        Apply { draft: Some(Draft::new(&self.shared)), changes: changes.into_iter(), edit: None }
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
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
