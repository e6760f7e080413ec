//! squall: a deterministic concurrent stress simulator for storage engines.

pub mod aio;
pub mod audit;
pub mod campaign;
#[cfg(feature = "cli")]
pub mod cli;
pub mod disk;
pub mod engine;
pub mod engines;
pub mod explain;
pub mod history;
pub mod judge;
pub mod property;
pub mod report;
pub mod scenario;
pub mod sched;
pub mod shrink;
pub mod sim;
pub mod tape;
pub mod trace;
pub mod workload;

/// The snippets of the guides are tests.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../docs/async-io.md")]
    mod async_io {}
}
