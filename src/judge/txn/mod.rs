//! Judging transactions: which isolation models a history of transactions rules out.
//!
//! ```text
//!  history ──► dependencies ──► components ──► one shortest cycle per kind ──► models ruled out
//!          └─► anomalies that need no cycle (garbage, aborted, intermediate, …) ─┘
//! ```
//!
//! Not for single operations; those have [`crate::judge::linearizable`]. Invariant: every anomaly
//! named here is one in every order of versions that the history admits; where the order is not
//! known, nothing is assumed.

mod cycles;
mod deduce;
mod effects;
mod graph;
mod history;
mod lattice;
mod list;
mod register;
mod report;
mod schedule;
mod versions;
mod visible;

pub use history::{Mop, Outcome, Txn, TxnHistory, Version};
pub use lattice::Consistency;
pub use list::list_append;
pub use register::{KeyOrder, rw_register, rw_register_for};
pub use report::{Anomaly, Isolation, NamedTxn, Step};
