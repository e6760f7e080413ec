//! What the workloads of all families have in common: how a transaction is framed, how keys and values are chosen.
//!
//! It is not a workload. Invariant: everything is a function of the knobs, the place (connection, ordinal)
//! and the place's own draws, so that leaving one transaction out changes no other.

use crate::engine::Family;
use crate::engine::kv::{Key, Kv, KvOp, Value};
use crate::engine::sql::{Sql, SqlOp, Statement, Verb};
use crate::history::ValueId;
use crate::tape::{Draws, mix};
use crate::workload::{KeyChoice, Knobs, Transaction};

/// Before and after every key a workload uses: a scan between them sees keys that nobody wrote, too.
pub(super) const FIRST: &str = "!";
pub(super) const LAST: &str = "~";

/// A family with the operations that stand around others.
pub(super) trait Framed: Family {
    fn begin() -> Self::Op;
    fn commit() -> Self::Op;
    fn give_up() -> Self::Op;
    fn checkpoint() -> Self::Op;
    fn vacuum() -> Self::Op;
}

impl Framed for Kv {
    fn begin() -> KvOp {
        KvOp::Begin
    }

    fn commit() -> KvOp {
        KvOp::Commit
    }

    fn give_up() -> KvOp {
        KvOp::Rollback
    }

    fn checkpoint() -> KvOp {
        KvOp::Checkpoint
    }

    fn vacuum() -> KvOp {
        KvOp::Vacuum
    }
}

impl Framed for Sql {
    fn begin() -> SqlOp {
        SqlOp::Begin
    }

    fn commit() -> SqlOp {
        SqlOp::Commit
    }

    fn give_up() -> SqlOp {
        SqlOp::Rollback
    }

    fn checkpoint() -> SqlOp {
        SqlOp::Checkpoint
    }

    fn vacuum() -> SqlOp {
        SqlOp::Maintain(Statement::new("VACUUM").means(Verb::Vacuum, None, []))
    }
}

/// A transaction being planned.
pub(super) struct Draft<'a, F: Framed> {
    pub(super) knobs: &'a Knobs,
    pub(super) connection: u16,
    pub(super) ordinal: u32,
    pub(super) draws: &'a mut Draws,
    ops: Vec<F::Op>,
}

impl<'a, F: Framed> Draft<'a, F> {
    pub(super) const fn new(knobs: &'a Knobs, connection: u16, ordinal: u32, draws: &'a mut Draws) -> Self {
        Self { knobs, connection, ordinal, draws, ops: Vec::new() }
    }

    /// A checkpoint or a vacuum instead of a transaction, at their rates. Always takes one draw.
    pub(super) fn maintenance(&mut self) -> Option<Transaction<F>> {
        let draw = self.draws.below(1000) as u32;
        let checkpoints = self.knobs.checkpoints_permille;
        let op = match draw {
            draw if draw < checkpoints => F::checkpoint(),
            draw if draw - checkpoints < self.knobs.vacuums_permille => F::vacuum(),
            _ => return None,
        };
        Some(Transaction { ops: vec![op] })
    }

    /// The usual shape: maintenance, or one to `transaction_ops` members between begin and commit, or one
    /// member alone.
    pub(super) fn transaction(mut self, mut member: impl FnMut(&mut Self)) -> Transaction<F> {
        if let Some(maintenance) = self.maintenance() {
            return maintenance;
        }
        if self.knobs.transaction_ops == 0 {
            member(&mut self);
            // A member may plan several operations; alone, only its last has a meaning of its own.
            return Transaction { ops: self.ops.split_off(self.ops.len() - 1) };
        }
        let members = 1 + self.draws.below(u64::from(self.knobs.transaction_ops)) as usize;
        self.push(F::begin());
        while self.ops.len() <= members {
            member(&mut self);
        }
        self.close()
    }

    /// Ends with a commit, or a rollback at its rate.
    pub(super) fn close(mut self) -> Transaction<F> {
        let gives_up = self.draws.below(100) < u64::from(self.knobs.rollbacks_percent);
        self.push(if gives_up { F::give_up() } else { F::commit() });
        Transaction { ops: self.ops }
    }

    pub(super) fn push(&mut self, op: F::Op) {
        self.ops.push(op);
    }

    pub(super) fn reads(&mut self) -> bool {
        self.draws.below(100) < u64::from(self.knobs.reads_percent)
    }

    /// A key's number, by the knob's choice.
    pub(super) fn key_index(&mut self) -> u32 {
        let keys = u64::from(self.knobs.keys.max(1));
        let index = match self.knobs.key_choice {
            KeyChoice::Hot => {
                let hot = keys.div_ceil(5);
                if self.draws.below(5) < 4 { self.draws.below(hot) } else { self.draws.below(keys) }
            }
            KeyChoice::Cold => self.draws.below(keys),
            // Two neighbours that change every second transaction: connections at about the same place
            // meet on them, in either order.
            KeyChoice::Colliding => mix(u64::from(self.ordinal / 2)).wrapping_add(self.draws.below(2)) % keys,
            KeyChoice::Ascending => {
                let step = u64::from(self.knobs.transaction_ops.max(1));
                let place = self.ops.len().saturating_sub(1) as u64;
                (u64::from(self.ordinal) * step + place) % keys
            }
        };
        index as u32
    }

    pub(super) fn key(&mut self) -> Key {
        key(self.key_index())
    }

    /// A value that names this place, its length drawn.
    pub(super) fn value(&mut self) -> Value {
        let len = self.draws.log_uniform(1, u64::from(self.knobs.value_bytes.max(1)));
        Value { len: len as u32, ..self.short_value() }
    }

    /// A value that names this place and is no longer than that takes.
    pub(super) fn short_value(&self) -> Value {
        Value { id: id(self.connection, self.ordinal, self.ops.len()), len: 0 }
    }
}

/// The identity of what the operation `at` of a transaction writes.
pub(super) const fn id(connection: u16, transaction: u32, at: usize) -> ValueId {
    ValueId { connection, transaction, op: at as u16 }
}

/// The key of this number. Numbers up to 9,999 sort as they count.
pub(super) fn key(index: u32) -> Key {
    format!("k{index:04}").into()
}
