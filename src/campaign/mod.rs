//! Campaigns: many runs, in many processes, and what they came to.
//!
//! [`run`] hands seeds to worker processes ([`serve`] is their side), confirms what they find by repeating it,
//! and adds up. It shows nothing: [`Progress`] is told. Threads and clocks live here and nowhere lower; neither
//! reaches a run, and what a campaign comes to does not depend on them.

mod bucket;
mod build;
mod coverage;
mod hunt;
mod lane;
mod limits;
mod pool;
pub mod power;
mod progress;
mod protocol;
mod replay;
mod smaller;
mod store;
mod summary;
mod suspect;
mod tally;
mod worker;

pub use bucket::{bucket, fault_classes};
pub use build::build_fingerprint;
pub use coverage::{COVERAGE_FILE, COVERAGE_VERSION, Coverage, EngineCoverage, New, Place};
pub use hunt::{
    Aim, CampaignConfig, CampaignError, Found, Interrupts, NotRepeated, Outcome, REPEAT_ONE_IN, is_repeated, run,
};
pub use lane::LaneConfig;
pub use limits::resident_bytes;
pub use pool::{Death, DeathKind, Event, Placement, Pool, PoolConfig, Ticket, WorkerCommand, WorkerId};
pub use progress::{Progress, Silent, State};
pub use protocol::{
    Answer, CaseText, FirstDivergence, Hello, Judged, MARK, Pilot, Ran, Recorded, Replayed, Request, Response,
    ScenarioText, Schedules, ShrinkTask, Smaller, Spot, Sweep, Swept, Task,
};
pub use replay::{ReplayVerdict, Rerun, replay};
pub use store::{Store, StoreError};
pub use summary::{Inconclusive, Summary, SummaryFinding, SummaryLane, SummarySkipped, SummaryUnstable, VERSION};
pub use tally::{Compared, Exhausted, Hit, Ops, PolicyTally, Tally};
pub use worker::serve;
