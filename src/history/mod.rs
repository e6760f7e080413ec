//! The history of a run: what connections asked and were answered, in order, in one form for every family.
//!
//! Types are erased here: a judge sees names and [`Datum`]s, never an engine's own types. A history holds
//! facts only. It does not know what is right.

mod datum;
mod event;

pub use datum::{Datum, ValueId};
pub use event::{Call, Class, CrashKind, Event, Fact, History, HistoryMark, OpId, Outcome};
