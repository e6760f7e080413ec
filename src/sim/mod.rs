//! The simulation: the only place where tape, scheduler, disk, engine, workload and properties meet.
//!
//! A run is a pure function of engine, configuration and tape. It has one thread, reads no clock and no
//! environment. While an engine's step or a completion's callback runs, no lock is held.

mod client;
mod config;
mod core;
mod ready;
mod result;
mod run;
#[cfg(test)]
mod tests;

pub use config::{CrashConfig, ImagesConfig, Limits, RunConfig, WorldConfig};
pub use result::{ImageCounts, Misfit, OpCounts, RunResult};
pub use run::{run, run_keeping_tape, run_observed};
