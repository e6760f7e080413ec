//! Judges of histories: given who called what, when, and what came back, say whether a model
//! allows it.
//!
//! A judge answers *holds*, *violated* (with one short witness) or *inconclusive* (with the
//! reason). It knows nothing of the simulator: a history of any system can be judged. Invariants:
//! nothing else of this crate is used here; *holds* is never said for want of a comparison.
//!
//! | question | entry |
//! |---|---|
//! | is there an order of these operations on a known object? | [`Object::judge`] |
//! | is there an order of these operations on an object of my own? | [`linearizable`] |
//! | the same, while the operations go on? | [`Watch`] |
//! | does the bank's total stay? | [`total`] |
//! | which isolation do these transactions show? | [`list_append`] |
//!
//! ```
//! use squall::judge::{Function, History, Limits, Register, Value, linearizable};
//!
//! let mut history = History::new();
//! history.push(0, (0, Some(1)), Function::Write, "x", (1.into(), Value::Null));
//! history.push(1, (2, Some(3)), Function::Read, "x", (Value::Null, Value::Null));
//! let judgement = linearizable(&Register::default(), &history, &Limits::default());
//! let witness = judgement.witness().expect("the read is stale");
//! assert_eq!(witness.operations.len(), 2);
//! ```

pub mod check;
mod fast;
pub mod formats;
mod general;
mod hash;
mod history;
mod limits;
mod model;
mod object;
mod total;
pub mod txn;
mod value;
mod verdict;
mod watch;

pub use general::linearizable;
pub use history::{FUNCTIONS, Flaw, Function, History, NEVER, Operation};
pub use limits::Limits;
pub use model::{Bank, Call, Chain, Counter, ListAppend, Model, Part, PriorityQueue, Queue, Register, SetModel, Stack};
pub use object::{OBJECTS, Object};
pub use total::total;
pub use txn::{Consistency, Isolation, KeyOrder, Mop, Outcome, TxnHistory, list_append, rw_register, rw_register_for};
pub use value::{Value, Values};
pub use verdict::{Judgement, Named, Verdict, Witness};
pub use watch::{Ticket, Watch};
