//! The extension point for a user's own fault: one small trait.

use std::fmt;
use std::sync::Arc;

use crate::aio::{ErrorKind, IoKind};
use crate::tape::{Actor, Ratio, Tape};

/// A fault of the user's own. The disk asks every rule before an I/O is applied; the first that strikes
/// decides, and the disk's own faults are not drawn for that I/O.
///
/// A rule keeps no state between calls and knows no clock: all it decides by are the facts and its dice,
/// so that a stored case strikes again.
///
/// ```
/// use squall::aio::{ErrorKind, IoKind};
/// use squall::disk::sim::{Dice, FaultRule, IoFacts, Strike};
/// use squall::tape::Ratio;
///
/// /// A device whose second megabyte often refuses writes.
/// struct WornOut;
///
/// impl FaultRule for WornOut {
///     fn name(&self) -> &'static str {
///         "worn-out"
///     }
///
///     fn strike(&self, io: &IoFacts<'_>, dice: &mut Dice<'_>) -> Option<Strike> {
///         let worn = io.kind == IoKind::Write && (1 << 20..2 << 20).contains(&io.offset);
///         (worn && dice.chance(Ratio::new(1, 10))).then_some(Strike::Fail(ErrorKind::Io))
///     }
/// }
/// ```
pub trait FaultRule: Send + Sync {
    /// One word, which names the rule's draws in cases and its strikes in reports. It must differ from the
    /// names of other faults.
    fn name(&self) -> &'static str;

    /// Whether and how the fault strikes this I/O. A rule that is not concerned draws nothing.
    fn strike(&self, io: &IoFacts<'_>, dice: &mut Dice<'_>) -> Option<Strike>;
}

/// Some rules, in the order in which they are asked.
#[derive(Clone, Default)]
pub struct FaultRules(pub Vec<Arc<dyn FaultRule>>);

impl fmt::Debug for FaultRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|rule| rule.name())).finish()
    }
}

/// What a rule is told about an I/O.
#[derive(Clone, Copy, Debug)]
pub struct IoFacts<'a> {
    /// Its identity.
    pub actor: Actor,
    /// What it does.
    pub kind: IoKind,
    /// To which file or directory.
    pub path: &'a str,
    /// From which byte.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// The length of the file, in bytes; 0 for directories.
    pub file_len: u64,
    /// The time, in ticks.
    pub now: u64,
}

/// How a rule strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The I/O fails with this error, without effect.
    Fail(ErrorKind),
    /// A read or write transfers at most so many bytes, but at least one.
    Short(usize),
    /// The I/O is acknowledged and has no effect; a read leaves its buffer as it was.
    Lose,
    /// A read brings, or a write leaves, byte `at` (counted from `offset`) with these bits turned over.
    Corrupt {
        /// Which byte; beyond the transfer nothing happens.
        at: usize,
        /// Which bits.
        mask: u8,
    },
}

/// A rule's draws: from the run's tape, in the name of the I/O and the rule. 0 is calm.
pub struct Dice<'a> {
    tape: &'a mut Tape,
    actor: Actor,
    kind: &'static str,
    n: u32,
}

impl<'a> Dice<'a> {
    pub(super) const fn new(tape: &'a mut Tape, actor: Actor, kind: &'static str) -> Self {
        Self { tape, actor, kind, n: 0 }
    }

    /// True with the probability `ratio`.
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        let n = self.next();
        self.tape.chance(self.actor, self.kind, n, ratio)
    }

    /// A number in `0..bound`, uniform.
    pub fn below(&mut self, bound: u64) -> u64 {
        let n = self.next();
        self.tape.draw(self.actor, self.kind, n, bound)
    }

    const fn next(&mut self) -> u32 {
        self.n += 1;
        self.n - 1
    }
}

/// The guide's example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/faults.md")]
struct Guide;
