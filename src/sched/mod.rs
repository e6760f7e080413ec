//! Who runs next.
//!
//! The scheduler sees [`Actors`] and nothing else: not the engine, not the disk. A [`Policy`] picks among the
//! enabled ones; a stored schedule or an odometer can stand in its place. The timer and the crash injector
//! are not left to the policies: they come at a low rate of their own.

mod actors;
mod config;
mod random;
mod round_robin;
mod scheduler;

pub use actors::{Actors, Slot};
pub use config::PolicyConfig;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use scheduler::{Misfit, Pick, Scheduler, Special};

use crate::tape::Stream;

/// A way to choose among the enabled actors. One file each, with its paper.
pub trait Policy: Send {
    /// A run begins; draw what has to be drawn once.
    fn begin(&mut self, draws: &mut Stream);

    /// Chooses one of the enabled actors; there is at least one.
    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot;

    /// The actor in `slot` has had its turn, and what it will do next is known now.
    fn ran(&mut self, _slot: Slot, _actors: &Actors, _draws: &mut Stream) {}
}
