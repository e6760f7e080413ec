//! What a run needs to know, all of it already drawn.

use serde::{Deserialize, Serialize};

use crate::disk::sim::{DiskConfig, FaultRules};
use crate::engine::{Family, Options};
use crate::sched::PolicyConfig;
use crate::tape::Ratio;
use crate::workload::Plan;

/// A run, but for its tape.
#[derive(Clone, Debug)]
pub struct RunConfig<F: Family> {
    /// The seed, for the engine's own random numbers.
    pub seed: u64,
    /// The engine's options and bug switches.
    pub options: Options,
    /// What is asked.
    pub plan: Plan<F>,
    /// The rules that [`DiskConfig::rules`] names.
    pub rules: FaultRules,
    /// Everything else.
    pub world: WorldConfig,
}

/// How the world around the engine behaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WorldConfig {
    /// Who runs next.
    pub policy: PolicyConfig,
    /// The disk and its faults.
    pub disk: DiskConfig,
    /// When everything stops.
    pub crash: CrashConfig,
    /// Crashes on the side.
    pub images: ImagesConfig,
    /// How likely a client gives up an operation at each of its yields.
    pub abandon: Ratio,
    /// How likely it goes away there, without a word, and comes again on a new connection.
    pub close: Ratio,
    /// How likely a connection that waits is woken though what it waits for has not finished.
    pub spurious_wakeup: Ratio,
    /// When to give up.
    pub limits: Limits,
}

impl WorldConfig {
    /// Whether the media may fail: an engine may then refuse, but must not answer wrongly.
    #[must_use]
    pub fn has_media_faults(&self) -> bool {
        !self.disk.media.is_empty() && !self.disk.media_rate.is_zero()
    }
}

/// When and how everything stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CrashConfig {
    /// How likely a crash is at a turn; ten times as likely while a write, sync, truncate, removal or rename is in
    /// flight, and right after any of those but a write.
    pub rate: Ratio,
    /// At most so many crashes in a run, those during recovery included.
    pub crashes_max: u32,
    /// The weight of a process kill.
    pub kill: u32,
    /// The weight of an operating system crash.
    pub os: u32,
    /// The weight of a power loss.
    pub power: u32,
    /// What a killed process has left in the page cache reaches the medium before anything else stops.
    pub kill_writes_back: bool,
    /// How likely recovery is struck by another crash.
    pub in_recovery: Ratio,
}

impl Default for CrashConfig {
    fn default() -> Self {
        Self {
            rate: Ratio::ZERO,
            crashes_max: 3,
            kill: 2,
            os: 3,
            power: 3,
            kill_writes_back: false,
            in_recovery: Ratio::new(3, 10),
        }
    }
}

/// Crash images: at drawn points the disk is copied as a crash would leave it, and the copy is recovered and judged
/// while the run goes on as if nothing had happened. A point comes after an I/O that changes the disk or makes it
/// durable has had its turn, and after an operation has been answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ImagesConfig {
    /// How likely images are taken at such a point.
    pub rate: Ratio,
    /// How many are taken there, each of a crash of its own.
    pub count: u32,
    /// At most so many points in a run.
    pub points_max: u32,
    /// How likely the recovery of an image is struck by a crash, once.
    pub in_recovery: Ratio,
}

impl Default for ImagesConfig {
    fn default() -> Self {
        Self { rate: Ratio::ZERO, count: 2, points_max: 8, in_recovery: Ratio::new(3, 10) }
    }
}

/// Bounds that end a run. Each that is reached is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Turns in all.
    pub turns_max: u64,
    /// Turns without any operation finishing, beyond which it is a livelock.
    pub livelock_turns: u64,
    /// Turns that one operation may take while others finish, beyond which it is starvation.
    pub starvation_turns: u64,
    /// Turns that an enabled actor may be passed over.
    pub fairness_turns: u64,
    /// Turns without any operation ending when faults are off, nothing new is asked and everybody has their turn,
    /// beyond which it never comes to rest.
    pub rest_turns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns_max: 1_000_000,
            livelock_turns: 20_000,
            starvation_turns: 100_000,
            fairness_turns: 10_000,
            rest_turns: 20_000,
        }
    }
}
