//! The engines that come with the crate.

#[cfg(feature = "sqlite")]
pub mod sqlite;
