//! Campaigns: many runs, in many processes, and what they came to.
//!
//! [`run`] hands seeds to worker processes ([`serve`] is their side), confirms what they find by repeating it,
//! and adds up. It shows nothing: [`Progress`] is told. Threads and clocks live here and nowhere lower; neither
//! reaches a run, and what a campaign comes to does not depend on them.

mod bucket;
mod build;
mod corpus;
mod coverage;
mod evidence;
mod hunt;
mod journal;
mod lane;
mod limits;
mod manifest;
mod merge;
mod outcome;
mod pace;
mod page;
mod panics;
mod pool;
pub mod power;
mod progress;
mod protocol;
mod replay;
mod shard;
mod smaller;
mod store;
mod summary;
mod suspect;
mod tally;
mod why;
mod words;
mod worker;

pub use bucket::{bucket, fault_classes};
pub use build::build_fingerprint;
pub use corpus::{Added, CorpusError, Member, add, corpus, state_name};
pub use coverage::{COVERAGE_FILE, COVERAGE_VERSION, Coverage, EngineCoverage, New, Place};
pub use hunt::{Aim, CampaignConfig, CampaignError, Interrupts, REPEAT_ONE_IN, is_repeated, run};
pub use journal::{JOURNAL_FILE, Journal, Note};
pub use lane::{LaneConfig, fingerprint};
pub use limits::resident_bytes;
pub use manifest::{CorpusState, MANIFEST_FILE, Manifest, Progressed};
pub use merge::{MergeError, Results, merge};
pub use outcome::{Findability, Found, NotRepeated, Outcome, Seen};
pub use pace::{Pace, Sample, Slow};
pub use page::page;
pub use pool::{Death, DeathKind, Event, Placement, Pool, PoolConfig, Ticket, WorkerCommand, WorkerId};
pub use progress::{Progress, Silent, State};
pub use protocol::{
    Answer, CaseText, ExplainTask, Explained, FirstDivergence, Hello, Judged, MARK, Pilot, Ran, Recorded, Replayed,
    Request, Response, ScenarioText, Schedules, ShrinkTask, Smaller, Spot, Sweep, Swept, Task,
};
pub use replay::{ReplayVerdict, Rerun, replay};
pub use shard::Shard;
pub use store::{Store, StoreError};
pub use summary::{
    Inconclusive, Summary, SummaryFindability, SummaryFinding, SummaryLane, SummarySeen, SummarySkipped,
    SummaryUnstable, VERSION,
};
pub use tally::{Compared, Exhausted, Hit, Ops, PolicyTally, Tally};
pub use why::explain_case;
#[cfg(feature = "cli")]
pub(crate) use words::{count, number};
pub use worker::serve;
