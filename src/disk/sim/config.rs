//! What a simulated disk may do wrong, as plain data. The default is calm: nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::tape::{Draws, Ratio};

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
    /// What becomes of the writes that a failed sync covered; drawn once per run when nothing is said.
    pub failed_sync: Option<FailedSync>,
    /// The device says that a sync is done and keeps the bytes in a cache that a power loss empties.
    pub sync_lie: Ratio,
    /// A read or write fails with EINTR, without effect.
    pub interrupted: Ratio,
    /// A write that needs room fails with ENOSPC though there is some.
    pub no_space: Ratio,
    /// An allocation fails at a site that the engine has named by [`Io::allocate`](crate::disk::Io::allocate).
    pub no_memory: Ratio,
    /// The room on the disk, in bytes; a page of 4 KiB is the smallest part.
    pub capacity_bytes: Option<u64>,
    /// The media faults of which a run has one kind, drawn once.
    pub media: Vec<MediaFault>,
    /// How often that kind strikes, per read or write that it can strike.
    pub media_rate: Ratio,
    /// The clock that engines see jumps, forwards or back.
    pub clock_jump: Ratio,
    /// How far it jumps at most, in ticks.
    pub clock_jump_ticks_max: u64,
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
    /// Faults of the user's own, by the names of their [`FaultRule`](super::FaultRule)s.
    pub rules: Vec<String>,
}

/// A fault model that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{key}` does not fit: expected {expected}")]
pub struct DiskConfigError {
    /// The key in the wrong.
    pub key: &'static str,
    /// What is accepted there.
    pub expected: &'static str,
}

impl DiskConfig {
    /// Refuses what could only be a mistake: a fault that can never strike, or a disk that can hold nothing.
    ///
    /// # Errors
    /// Names the first key that does not fit.
    pub fn check(&self) -> Result<(), DiskConfigError> {
        let refuse = |wrong, key, expected| if wrong { Err(DiskConfigError { key, expected }) } else { Ok(()) };
        let room = self.capacity_bytes.unwrap_or(u64::MAX);
        refuse(room < super::PAGE_BYTES as u64, "capacity-bytes", "at least one page, 4096")?;
        refuse(!self.slow.is_zero() && self.slow_ticks == 0, "slow-ticks", "at least 1 when `slow` is not 0")?;
        let still = !self.clock_jump.is_zero() && self.clock_jump_ticks_max == 0;
        refuse(still, "clock-jump-ticks-max", "at least 1 when `clock-jump` is not 0")?;
        let kinds = self.media.is_empty();
        refuse(!self.media_rate.is_zero() && kinds, "media", "at least one kind when `media-rate` is not 0")?;
        refuse(self.media_rate.is_zero() && !kinds, "media-rate", "more than 0 when `media` names a kind")?;
        let policy = self.failed_sync.is_some() && self.sync_eio.is_zero();
        refuse(policy, "sync-eio", "more than 0 when `failed-sync` is set")?;
        refuse(self.survivors == SurvivorWeights::NONE, "survivors", "at least one weight above 0")?;
        refuse(self.unsynced_writes_max < 2, "unsynced-writes-max", "at least 2")
    }

    /// The faults of one run, drawn: of the classes that are on, each kind is absent in half of the runs,
    /// and rates vary. `docs/faults.md` has the ranges.
    #[must_use]
    pub fn drawn(classes: &FaultClasses, draws: &mut Draws) -> Self {
        // All is drawn, whatever the classes, so that switching one on leaves the others as they are.
        let mut rate = |class: bool, parts_min: u64, parts_max: u64| {
            let ratio = Ratio::new(1, draws.log_uniform(parts_min, parts_max) as u32);
            let absent = draws.chance(Ratio::new(1, 2));
            if absent || !class { Ratio::ZERO } else { ratio }
        };
        let FaultClasses { latency, partial, errors, failed_sync, no_space, media, lying_device, clock } = *classes;
        Self {
            slow: rate(latency, 20, 20),
            split: rate(latency, 4, 40),
            read_short: rate(partial, 20, 100),
            write_short: rate(partial, 20, 100),
            interrupted: rate(partial, 20, 100),
            read_eio: rate(errors, 100, 10_000),
            write_eio: rate(errors, 100, 10_000),
            sync_eio: rate(failed_sync, 10, 1000),
            no_space: rate(no_space, 100, 10_000),
            sync_lie: rate(lying_device, 2, 20),
            clock_jump: rate(clock, 100, 10_000),
            media_rate: rate(media, 100, 10_000),
            media: if media { MediaFault::ALL.to_vec() } else { Vec::new() },
            powersafe_overwrite: !draws.chance(Ratio::new(1, 10)),
            ..Self::default()
        }
        .without_empty_media()
    }

    fn without_empty_media(mut self) -> Self {
        if self.media_rate.is_zero() {
            self.media.clear();
        }
        self
    }
}

/// Classes of faults, for [`DiskConfig::drawn`]. None is on by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultClasses {
    /// Slow operations, and reports that come later than effects.
    pub latency: bool,
    /// Short transfers and interruptions.
    pub partial: bool,
    /// EIO on reads and writes.
    pub errors: bool,
    /// EIO on syncs.
    pub failed_sync: bool,
    /// ENOSPC though there is room.
    pub no_space: bool,
    /// Media faults, one kind in a run.
    pub media: bool,
    /// Syncs that are lies.
    pub lying_device: bool,
    /// A clock that jumps.
    pub clock: bool,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            read_eio: Ratio::ZERO,
            write_eio: Ratio::ZERO,
            sync_eio: Ratio::ZERO,
            failed_sync: None,
            sync_lie: Ratio::ZERO,
            interrupted: Ratio::ZERO,
            no_space: Ratio::ZERO,
            no_memory: Ratio::ZERO,
            capacity_bytes: None,
            media: Vec::new(),
            media_rate: Ratio::ZERO,
            clock_jump: Ratio::ZERO,
            clock_jump_ticks_max: 1000,
            read_short: Ratio::ZERO,
            write_short: Ratio::ZERO,
            slow: Ratio::ZERO,
            slow_ticks: 100,
            split: Ratio::ZERO,
            powersafe_overwrite: true,
            survivors: SurvivorWeights::default(),
            size_first: Ratio::new(1, 4),
            unsynced_writes_max: 1024,
            rules: Vec::new(),
        }
    }
}

/// What becomes of the writes that a failed sync covered, after the kernels examined by Rebello et al.
/// (USENIX ATC 2020). Of these writes a drawn prefix has reached the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedSync {
    /// Readers see the new bytes, no later sync will write them (ext4, XFS).
    CleanNew,
    /// Readers see the old bytes again (Btrfs).
    CleanOld,
    /// The sync succeeds although nothing was written; the next one of the file fails (ext4 with data journal).
    Late,
    /// They are still to be written; another sync may succeed.
    KeptDirty,
}

impl FailedSync {
    pub(super) const ALL: [Self; 4] = [Self::CleanNew, Self::CleanOld, Self::Late, Self::KeptDirty];
    /// In the order of [`ALL`](Self::ALL).
    pub(super) const WEIGHTS: [u32; 4] = [40, 20, 20, 20];
}

/// What a medium may do to bytes without an error, or with one that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaFault {
    /// A bit is wrong from now on, until its sector is rewritten.
    BitFlip,
    /// A bit is wrong in the answer to one read.
    FlipOnRead,
    /// A sector cannot be read until it is rewritten.
    LatentSector,
    /// A write lands elsewhere, in this file or another that is open.
    MisdirectedWrite,
    /// A read brings bytes from elsewhere in the file.
    MisdirectedRead,
    /// A write is acknowledged and not done.
    LostWrite,
    /// A read brings the bytes that were there before the last write.
    StaleRead,
    /// A page reads as zeros from now on, until it is rewritten.
    ZeroedPage,
}

impl MediaFault {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::BitFlip,
        Self::FlipOnRead,
        Self::LatentSector,
        Self::MisdirectedWrite,
        Self::MisdirectedRead,
        Self::LostWrite,
        Self::StaleRead,
        Self::ZeroedPage,
    ];

    /// The kind's name, in scenarios and draws.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BitFlip => "bit-flip",
            Self::FlipOnRead => "flip-on-read",
            Self::LatentSector => "latent-sector",
            Self::MisdirectedWrite => "misdirected-write",
            Self::MisdirectedRead => "misdirected-read",
            Self::LostWrite => "lost-write",
            Self::StaleRead => "stale-read",
            Self::ZeroedPage => "zeroed-page",
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
