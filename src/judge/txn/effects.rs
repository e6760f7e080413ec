//! Who wrote each version, and which transactions count.
//!
//! Invariant: after [`Writers::of`] every version has at most one writer; a value written twice to
//! one key makes the history unusable, because reads of it mean nothing.

use super::history::{Mop, NONE, Outcome, TxnHistory, Version};
use crate::judge::history::Flaw;

/// Facts about versions.
#[derive(Debug, Clone)]
pub(crate) struct Writers {
    /// Per version its writer, [`NONE`] when nobody wrote it.
    pub(crate) writer: Vec<u32>,
    /// Per version whether it is the last its writer wrote to the key.
    pub(crate) last: Vec<bool>,
    /// Per version the step of its writer.
    pub(crate) step: Vec<u32>,
}

impl Writers {
    /// Collects the writers.
    ///
    /// # Errors
    /// The second transaction that writes a value to a key.
    pub(crate) fn of(history: &TxnHistory) -> Result<Self, Flaw> {
        let versions = history.versions.len();
        let mut writers =
            Self { writer: vec![NONE; versions], last: vec![false; versions], step: vec![NONE; versions] };
        let mut overwritten = vec![NONE; history.keys.len()];
        for (index, txn) in history.txns.iter().enumerate() {
            for step in (txn.steps.0..txn.steps.1).rev() {
                let (Mop::Append { key, version } | Mop::Write { key, version }) = history.mops[step as usize] else {
                    continue;
                };
                let at = version as usize;
                if writers.writer[at] != NONE {
                    return Err(twice(history, writers.writer[at], index, version));
                }
                writers.writer[at] = index as u32;
                writers.step[at] = step;
                writers.last[at] = overwritten[key as usize] != index as u32;
                overwritten[key as usize] = index as u32;
            }
        }
        Ok(writers)
    }

    /// Whether the version was written by a transaction that failed.
    pub(crate) fn aborted(&self, history: &TxnHistory, version: Version) -> bool {
        let writer = self.writer[version as usize];
        writer != NONE && history.txns[writer as usize].outcome == Outcome::Failed
    }

    /// The writer of a version, if it may have committed.
    pub(crate) fn effective(&self, history: &TxnHistory, version: Version) -> Option<u32> {
        let writer = self.writer[version as usize];
        (writer != NONE && history.txns[writer as usize].outcome != Outcome::Failed).then_some(writer)
    }
}

fn twice(history: &TxnHistory, first: u32, index: usize, version: Version) -> Flaw {
    let (key, _) = history.versions[version as usize];
    Flaw {
        index,
        what: format!(
            "writes {} to {}, which transaction {first} writes too: values must be unique",
            history.show(version),
            history.key_name(key)
        ),
    }
}
