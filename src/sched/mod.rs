//! Who runs next.
//!
//! The scheduler sees [`Actors`] and nothing else: not the engine, not the disk. A [`Policy`] picks among the
//! enabled ones; a stored schedule or an odometer can stand in its place. The timer and the crash injector
//! are not left to the policies: they come at a low rate of their own.
//!
//! Words: the *pending event* of an actor is what it will do at its next turn, as far as its label says. The
//! *family* of an event is the connection on whose behalf it happens, whose I/O in flight belong to it.

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
///
/// All that a policy learns of a turn it sees before it: whoever is enabled, and their labels. An actor's
/// label changes in its own turn and at no other time.
pub trait Policy: Send {
    /// A run begins; draw what has to be drawn once.
    fn begin(&mut self, draws: &mut Stream);

    /// Chooses one of the enabled actors; there is at least one.
    fn pick(&mut self, actors: &Actors, draws: &mut Stream) -> Slot;

    /// The bound on waiting gives the turn to the enabled actor in `slot`, in the place of a pick.
    fn overruled(&mut self, _slot: Slot, _actors: &Actors, _draws: &mut Stream) {}

    /// The operation of the connection in `slot` is over; `kind` is its name.
    fn operation_ended(&mut self, _slot: Slot, _kind: &'static str, _actors: &Actors) {}
}
