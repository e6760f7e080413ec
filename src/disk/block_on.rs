//! The smallest driver: one re-entrant function, called until it is done.

use super::Io;
use crate::aio::{CompletionError, IOResult};

/// Calls `step` until it is done, and lets `io` make progress while it waits. For programs that use an engine
/// without the simulator.
///
/// # Errors
/// Those of `step`; and that of the disk, when `step` waits for something that nothing in flight will finish.
pub fn block_on<T, E: From<CompletionError>>(
    io: &dyn Io,
    mut step: impl FnMut() -> Result<IOResult<T>, E>,
) -> Result<T, E> {
    loop {
        match step()? {
            IOResult::Done(value) => return Ok(value),
            IOResult::IO(wait) if wait.completion().is_explicit_yield() => {
                // There may be nothing in flight, and that is all right: it only lets others run.
                let _ = io.step();
            }
            IOResult::IO(wait) => {
                while !wait.finished() {
                    match io.step() {
                        // Another thread may have finished the last of all between the question and the step.
                        Err(error) if !wait.finished() => return Err(error.into()),
                        _ => {}
                    }
                }
            }
        }
    }
}
