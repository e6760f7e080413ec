//! The engines that come with squall.
//!
//! They are built on the faces of [`engine`](crate::engine) like anybody else's; nothing in the crate below
//! the registry knows them.

pub mod dinghy;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "turso")]
pub mod turso;
