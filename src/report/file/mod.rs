//! A trace as a file: columns, a dictionary, gzip blocks with checksums. `docs/trace-format.md` describes every
//! byte, and the page reads the same bytes.
//!
//! A block depends on the blocks before it and on nothing after it, so a file whose tail is cut off or damaged
//! is readable up to there. What could not be read is said, never guessed.

mod read;
mod write;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use read::{TraceFile, is_trace, read};
pub use write::write;

/// The first bytes of a trace file.
pub const MAGIC: [u8; 8] = *b"\x89SQTRC\r\n";

/// The version that this program writes, and the latest that it reads.
pub const VERSION: u16 = 1;

/// So many facts are in a block at most.
pub const BLOCK_FACTS: usize = 65_536;

/// A block may be so long when it is unpacked, in bytes: a damaged file must not fill the memory.
pub const BLOCK_MAX: u64 = 256 << 20;

/// The CRC-32 of a block: of its tag and its packed bytes.
fn checksum(tag: u8, packed: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[tag]);
    sum.update(packed);
    sum.finalize()
}

const TAG_HEADER: u8 = b'H';
const TAG_FACTS: u8 = b'F';
const TAG_END: u8 = b'E';

/// What a trace is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name of the program that has the engine.
    pub program: String,
    /// The version of squall that wrote it.
    pub squall: String,
    /// The engine with its bugs.
    pub engine: String,
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: String,
    /// The run's hash.
    pub hash: String,
    /// How much was recorded.
    pub level: String,
    /// The turns of the run.
    pub turns: u64,
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceFileError {
    /// It is something else.
    #[error("{name}: not a trace: expected a file that `replay --trace` has written")]
    Foreign {
        /// The file.
        name: String,
    },
    /// A later squall has written it.
    #[error(
        "{name}: a trace of version {version}: expected at most {VERSION}; a later version of squall has written it"
    )]
    Later {
        /// The file.
        name: String,
        /// The version of its form.
        version: u16,
    },
    /// Not even its header can be read.
    #[error("{name}: damaged: {reason}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
}
