//! Scenarios as data: TOML files, what a seed draws from them, who can run them, and stored failures.
//!
//! [`Library`] finds scenarios, [`Scenario`] checks them and draws, [`Registry`] knows the engines, workloads and
//! properties that are compiled in and is the only place where their types are erased, [`Case`] is a failure
//! that replays without its scenario. Nothing here starts a process or prints.

pub mod keys;
pub mod value;

mod case;
mod configuration;
mod error;
mod library;
mod model;
mod pairing;
mod plan_text;
mod registry;
mod rerun;
mod run;
mod serial;
mod standard;
#[cfg(test)]
mod tests;
mod text;
mod user_sql;

pub use case::{CASE_MAX, Case, CaseError, FORMAT, Head, Known, ShrunkFacts, Size};
pub use configuration::{Configuration, EngineChoice, StoredFinding};
pub use error::{Place, ScenarioError, nearest_name};
pub use library::Library;
pub use model::{Drawn, EngineEntry, Expect, Scenario, draw_key, parse_seeds};
pub use pairing::{Pairing, Skipped};
pub use registry::{PropertyInfo, Registry, WorkloadInfo};
pub use rerun::CaseRun;
pub use run::RunError;
pub use standard::SCENARIOS;
pub use text::{Entry, TEXT_MAX, parse, parse_flag};
