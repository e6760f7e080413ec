//! What a simulated disk may do wrong, as plain data. The default is calm: nothing.

use serde::{Deserialize, Serialize};

use crate::tape::Ratio;

/// The unit in which a write tears, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// The fault model of one run. `docs/faults.md` explains each key.
///
/// Ratios are probabilities per I/O unless something else is said. A ratio of 0 draws nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct DiskConfig {
    /// A read fails with EIO.
    pub read_eio: Ratio,
    /// A write fails with EIO; a drawn number of its sectors has been written.
    pub write_eio: Ratio,
    /// A sync fails with EIO.
    pub sync_eio: Ratio,
    /// A read returns fewer bytes than asked for, at least one.
    pub read_short: Ratio,
    /// A write takes fewer bytes than asked for, at least one.
    pub write_short: Ratio,
    /// An operation is slow.
    pub slow: Ratio,
    /// How long a slow operation takes, in ticks.
    pub slow_ticks: u64,
    /// An operation takes effect in one turn and reports it in another.
    pub split: Ratio,
    /// Bytes beside a write, in the same sector, are safe when it tears.
    pub powersafe_overwrite: bool,
    /// How likely each selection of survivors is at a crash.
    pub survivors: SurvivorWeights,
    /// At a crash, a file keeps its last length though the data that made it longer are lost.
    pub size_first: Ratio,
    /// How many writes a file may hold unsynced; the oldest beyond become durable by themselves.
    pub unsynced_writes_max: u32,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            read_eio: Ratio::ZERO,
            write_eio: Ratio::ZERO,
            sync_eio: Ratio::ZERO,
            read_short: Ratio::ZERO,
            write_short: Ratio::ZERO,
            slow: Ratio::ZERO,
            slow_ticks: 100,
            split: Ratio::ZERO,
            powersafe_overwrite: true,
            survivors: SurvivorWeights::default(),
            size_first: Ratio::new(1, 4),
            unsynced_writes_max: 4096,
        }
    }
}

/// How likely each selection of survivors is when the operating system or the power fails; 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SurvivorWeights {
    /// Nothing survives that was not durable.
    pub lose_all: u32,
    /// Everything survives.
    pub keep_all: u32,
    /// The oldest changes survive; the next one may be torn.
    pub prefix: u32,
    /// Any subset of sectors.
    pub sectors: u32,
    /// Any subset of whole operations.
    pub operations: u32,
    /// Any subset of sectors, and garbage in some of the others.
    pub garbage: u32,
}

impl SurvivorWeights {
    /// Never anything; a base to switch one kind on.
    pub const NONE: Self = Self { lose_all: 0, keep_all: 0, prefix: 0, sectors: 0, operations: 0, garbage: 0 };
}

impl Default for SurvivorWeights {
    fn default() -> Self {
        Self { lose_all: 15, keep_all: 10, prefix: 20, sectors: 35, operations: 10, garbage: 10 }
    }
}
