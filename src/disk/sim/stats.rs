//! Counts of what a disk did. They decide nothing.

use std::collections::BTreeMap;

/// What a disk did since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Reads that took their turn, failed ones included.
    pub reads: u64,
    /// Writes that took their turn, failed ones included.
    pub writes: u64,
    /// Syncs of files and directories that took their turn, failed ones included.
    pub syncs: u64,
    /// Bytes handed to readers.
    pub bytes_read: u64,
    /// Bytes taken from writers.
    pub bytes_written: u64,
    /// The most pages of 4 KiB that held bytes at one time.
    pub pages_touched: u64,
    /// Syncs that answered for something which was lost all the same, because the device lied or the error
    /// came late: no engine can keep what it promised on their word.
    pub syncs_betrayed: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}
