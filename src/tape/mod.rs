//! The tape: the one owner of every choice of a run.
//!
//! A run is a pure function of engine, scenario and tape. The tape has two layers. *Policy draws* come
//! from the seed and are never stored. *Decisions* are what a case stores: whose turn it was, and every
//! draw about the world (a fault, a crash's survivors) that was not the calm 0.
//!
//! This floor knows no disk, no scheduler, no engine: it knows numbers and names.

mod decisions;
mod generator;
mod hash;
mod source;

pub use decisions::{Actor, Decisions, DrawKey, ENGINE, ParseDecisionError, Segment};
pub(crate) use generator::name_hash;
pub use generator::{Draws, Ratio, Stream, mix, stream_seed};
pub use hash::{Divergence, Fingerprint, RunHash, Timeline};
pub use source::{Chooser, Odometer, Scope, Tape};
