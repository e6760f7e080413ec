//! The one integration test binary, because every further one links the whole library again.

mod aio;
mod audit;
mod case_files;
#[cfg(feature = "cli")]
mod cli;
mod differential;
mod dinghy;
mod disk;
#[cfg(all(feature = "cli", feature = "coroutine"))]
mod doors;
mod explain;
mod faults;
mod floors;
#[cfg(feature = "cli")]
mod guide;
mod images;
mod judge;
#[cfg(unix)]
mod parity;
mod pasted;
mod pinned;
mod property;
#[cfg(unix)]
mod real;
mod report;
mod sched;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "turso")]
mod turso;
