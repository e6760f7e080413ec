//! The time that this thread has spent on a processor.

use std::sync::OnceLock;
use std::time::Instant;

/// Seconds on a processor since the thread began, as Linux counts them; elsewhere those on the clock.
pub(crate) fn seconds() -> f64 {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = counted.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    nanos.map_or_else(on_the_clock, |nanos| nanos as f64 / 1e9)
}

fn on_the_clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}
