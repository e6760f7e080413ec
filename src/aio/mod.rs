//! The asynchronous I/O model: completions, groups, and functions that are called again until they are done.
//!
//! Engines here do not use `async`. A function that cannot go on returns [`IOResult::IO`] with the
//! completion it waits for, and is called again when that has finished; everything it did before the yield
//! happens again, unless its state says otherwise. `docs/async-io.md` is the guide.
//!
//! This floor knows no disk and no scheduler. A completion does not know who finishes it.

mod buffer;
mod completion;
mod error;
mod group;
mod label;
mod machine;
mod result;
mod shared;

pub use buffer::Buffer;
pub use completion::Completion;
pub use error::{CompletionError, ErrorKind, IoError};
pub use group::CompletionGroup;
pub use label::{FileId, IoKind, Label, Resource, SITES_MAX, Site};
pub use machine::{StateMachine, StateTransition, TransitionResult};
pub use result::{IOCompletions, IOResult};
pub use shared::Kind;
