//! Two more ways into the simulator, for engines that are not state machines.
//!
//! [`blocking`] takes plain blocking code and gives each connection a stack of its own; [`future`] takes Rust
//! futures and polls them. Both end at the same face as every engine: [`Connection`](super::Connection), whose
//! `step` answers [`IOResult::IO`](crate::aio::IOResult::IO) where the code waits. A door knows no scheduler
//! and no disk; it never runs anything by itself.

#[cfg(feature = "coroutine")]
pub mod blocking;
pub mod future;
#[cfg(feature = "coroutine")]
mod task;

#[cfg(feature = "coroutine")]
pub use task::{Shared, Task, local, stopped, wait, yield_now};
