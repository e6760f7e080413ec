//! Yields that Turso makes at places where it might have waited for I/O, drawn for each.
//!
//! Turso's feature `simulator` has such places; they are hooks of its own tests. A finding that needs one may be the
//! hook's fault and not the engine's, so the option is off unless a scenario asks.

use std::sync::atomic::{AtomicU64, Ordering};

use turso_core::mvcc::yield_points::{YieldInjector, YieldPoint};

use crate::tape::mix;

/// This place's hook forgets the write it has just issued, which no engine without hooks does. (Another place of
/// the same number, in a scan backwards, goes with it.)
const FAULTY_HOOK: YieldPoint = YieldPoint { ordinal: 8, point_count: 9 };
/// At most so many for one operation, so that it ends.
const YIELDS_MAX: u64 = 64;

/// The draws of one connection.
#[derive(Debug)]
pub(super) struct Yields {
    per_thousand: u64,
    /// The operation's own stream.
    stream: AtomicU64,
    asked: AtomicU64,
    given: AtomicU64,
}

impl Yields {
    pub(super) const fn new(per_thousand: u64) -> Self {
        Self { per_thousand, stream: AtomicU64::new(0), asked: AtomicU64::new(0), given: AtomicU64::new(0) }
    }

    /// Another operation begins.
    pub(super) fn begin(&self, stream: u64) {
        self.stream.store(stream, Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
        self.given.store(0, Ordering::Relaxed);
    }
}

impl YieldInjector for Yields {
    fn should_yield(&self, _instance_id: u64, _selection_key: u64, point: YieldPoint) -> bool {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        let drawn = mix(self.stream.load(Ordering::Relaxed) ^ nth) % 1_000 < self.per_thousand;
        drawn && point != FAULTY_HOOK && self.given.fetch_add(1, Ordering::Relaxed) < YIELDS_MAX
    }
}
