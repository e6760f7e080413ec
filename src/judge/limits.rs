//! How much a judge may spend before it says *inconclusive*.
//!
//! Inside a run only states and memory are limited, because a limit of time would make a run's
//! verdict depend on the machine. Invariant: the clock is read only when a deadline is set.

use std::time::Instant;

/// Bounds of one judgement.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Configurations visited.
    pub states_max: u64,
    /// Memory of the search in bytes, the history itself not counted; an estimate.
    pub memory_bytes_max: u64,
    /// When to stop; only for judging files, never inside a run.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    /// Ten million states, one gigabyte, no deadline.
    fn default() -> Self {
        Self { states_max: 10_000_000, memory_bytes_max: 1 << 30, deadline: None }
    }
}

/// What has been spent of some [`Limits`].
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    limits: Limits,
    states: u64,
    bytes: u64,
}

impl Spent {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, states: 0, bytes: 0 }
    }

    /// One configuration more; the reason to stop when that is one too many.
    #[inline]
    pub(crate) fn state(&mut self) -> Result<(), String> {
        self.states += 1;
        if self.states > self.limits.states_max {
            return Err(format!("the limit of {} states was reached", self.limits.states_max));
        }
        if self.states.is_multiple_of(4096) {
            self.time()?;
        }
        Ok(())
    }

    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    /// Memory taken.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes as u64;
        if self.bytes > self.limits.memory_bytes_max {
            let max = self.limits.memory_bytes_max;
            return Err(format!("the limit of {max} bytes of memory was reached"));
        }
        Ok(())
    }

    /// Memory given back.
    pub(crate) fn give(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    /// The reason to stop when the deadline has passed.
    pub(crate) fn time(&self) -> Result<(), String> {
        match self.limits.deadline {
            Some(deadline) if Instant::now() >= deadline => Err("the limit of time was reached".into()),
            _ => Ok(()),
        }
    }
}
