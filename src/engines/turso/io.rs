//! Turso's view of the world: clock, files and random numbers, all of them the run's.
//!
//! Invariant: whatever Turso's code waits for in the middle of a call is waited for by [`Io::step`], a turn of the
//! scheduler's, and never by the thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use turso_core::io::FileId;
use turso_core::{Clock, LimboError, MonotonicInstant, OpenFlags, WallClockInstant};

use super::errors::refusal;
use super::file::SimulatedFile;
use crate::aio::Completion;
use crate::disk::{Io, OpenMode};
use crate::tape::name_hash;

/// What a tick is to Turso. Its busy handler waits for milliseconds at first, so a wait is some tens of turns.
pub(super) const TICK: Duration = Duration::from_micros(100);
/// The first instant of every run, in seconds since 1970.
const EPOCH_SECONDS: i64 = 1_700_000_000;
/// How often code that is dead already may ask for I/O before it is ended by force.
const DEAD_CALLS_MAX: u32 = 100_000;
/// The folder of Turso's paths. It exists on no host, so nothing that goes past us finds a file there.
const ROOT: &str = "/squall/";

/// Turso's path of a file on the simulated disk.
pub(super) fn path_of(name: &str) -> String {
    format!("{ROOT}{name}")
}

/// The disk behind Turso's trait.
pub(super) struct SimulatedIo {
    io: Arc<dyn Io>,
    /// Whether a file's first sync makes its name durable too, as ext4 and XFS do.
    names_durable: bool,
    dead_calls: AtomicU32,
}

impl SimulatedIo {
    pub(super) fn new(io: &Arc<dyn Io>, names_durable: bool) -> Arc<Self> {
        Arc::new(Self { io: Arc::clone(io), names_durable, dead_calls: AtomicU32::new(0) })
    }

    /// Lets I/O make progress from inside a call.
    fn pump(&self) -> Result<(), LimboError> {
        self.io.step().map_err(|error| {
            let calls = self.dead_calls.fetch_add(1, Ordering::Relaxed);
            assert!(calls < DEAD_CALLS_MAX, "code of a dead process goes on waiting for I/O");
            refusal(&error, "step")
        })
    }

    /// Waits inside a call. When the process dies meanwhile, there is nothing to go back to.
    fn pump_until(&self, completion: &Completion) {
        while !completion.finished() {
            assert!(self.pump().is_ok(), "the process has died inside a call");
        }
    }

    fn elapsed(&self) -> Duration {
        TICK.saturating_mul(u32::try_from(self.io.now()).unwrap_or(u32::MAX))
    }
}

fn name_on_disk(path: &str) -> &str {
    path.strip_prefix(ROOT).unwrap_or(path)
}

impl Clock for SimulatedIo {
    fn current_time_monotonic(&self) -> MonotonicInstant {
        MonotonicInstant::from_nanos(self.elapsed().as_nanos())
    }

    fn current_time_wall_clock(&self) -> WallClockInstant {
        let elapsed = self.elapsed();
        WallClockInstant { secs: EPOCH_SECONDS + elapsed.as_secs() as i64, micros: elapsed.subsec_micros() }
    }
}

impl turso_core::IO for SimulatedIo {
    fn open_file(&self, path: &str, flags: OpenFlags, _direct: bool) -> Result<Arc<dyn turso_core::File>, LimboError> {
        let name = name_on_disk(path);
        let mode = if flags.contains(OpenFlags::Create) { OpenMode::Create } else { OpenMode::Existing };
        let file = self.io.open(name, mode).map_err(|error| refusal(&error, "open"))?;
        // Not for new files only: a process before this one may have made it, and died before it synced it.
        let directory = self.names_durable.then(|| Arc::clone(&self.io));
        Ok(Arc::new(SimulatedFile::new(file, directory)))
    }

    fn remove_file(&self, path: &str) -> Result<(), LimboError> {
        let removed = self.io.remove(name_on_disk(path), Completion::truncate());
        while !removed.finished() {
            self.pump()?;
        }
        removed.get_error().map_or(Ok(()), |error| Err(refusal(&error, "remove_file")))
    }

    fn step(&self) -> Result<(), LimboError> {
        self.pump()
    }

    fn generate_random_number(&self) -> i64 {
        self.io.random().cast_signed()
    }

    fn fill_bytes(&self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(8) {
            chunk.copy_from_slice(&self.io.random().to_le_bytes()[..chunk.len()]);
        }
    }

    fn yield_now(&self) {
        assert!(self.pump().is_ok(), "the process has died inside a call");
    }

    fn sleep(&self, duration: Duration) {
        self.pump_until(&self.io.timer(ticks(duration)));
    }

    fn file_id(&self, path: &str) -> Result<FileId, LimboError> {
        match self.io.exists(name_on_disk(path)) {
            Ok(true) => Ok(FileId { dev: 0, ino: name_hash(name_on_disk(path)) }),
            _ => Err(LimboError::InternalError("there is no such file".into())),
        }
    }
}

/// A duration in ticks, at least one.
pub(super) fn ticks(duration: Duration) -> u64 {
    (duration.as_micros() / TICK.as_micros()).try_into().unwrap_or(u64::MAX).max(1)
}
