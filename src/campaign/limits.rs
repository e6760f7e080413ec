//! What a worker process allows itself, and what it holds. Only systems with the calls are asked.

/// Bounds the address space, so that an engine that allocates without end loses its own process only, and makes
/// the worker end with its parent, so that a killed campaign leaves no one behind.
#[cfg(unix)]
pub(super) fn confine(memory_max: Option<u64>) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if let Some(bytes) = memory_max {
        let maximum = getrlimit(Resource::As).maximum;
        let current = Some(maximum.map_or(bytes, |maximum| maximum.min(bytes)));
        // A system that refuses leaves us without the bound; the parent still watches.
        let _ = setrlimit(Resource::As, Rlimit { current, maximum });
    }
    // No core files: a campaign over a crashing engine would fill the disk.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

#[cfg(not(unix))]
pub(super) fn confine(_memory_max: Option<u64>) {}

/// The memory that process `id` holds, in bytes, where the system tells.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = status.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
