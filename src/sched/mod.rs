//! Who runs next.
//!
//! The scheduler sees [`Actors`] and nothing else: not the engine, not the disk. A [`Policy`] picks among the
//! enabled ones; a stored schedule or an odometer can stand in its place. The timer and the crash injector
//! are not left to the policies: they come at a low rate of their own. At its end a run is [`Mode::Fair`], and
//! nobody chooses any more.
//!
//! Words: the *pending event* of an actor is what it will do at its next turn, as far as its label says. The
//! *origin* of an event is the connection on whose behalf it happens, to which its I/O belong.

mod actors;
mod config;
mod estimates;
mod exhaustive;
mod keys;
mod park;
mod pct;
mod pilot;
mod portfolio;
mod pos;
mod random;
mod round_robin;
mod scheduler;
mod surw;
mod table;
mod urw;
mod weights;

pub use actors::{Actors, Slot};
pub use config::PolicyConfig;
pub use estimates::{Estimates, KindEstimate, Origin, Spot};
pub use exhaustive::{Calm, Exhausted, exhaust};
pub use park::Park;
pub use pct::Pct;
pub use pilot::Pilot;
pub use portfolio::portfolio;
pub use pos::Pos;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use scheduler::{Misfit, Mode, Pick, Scheduler, Special};
pub use surw::Surw;
pub use urw::Urw;

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

    /// Whether it wants to be told of operations that end: most do not, and then nobody is asked their names.
    fn hears_operations(&self) -> bool {
        false
    }

    /// The operation of the connection in `slot` is over; `kind` is its name.
    fn operation_ended(&mut self, _slot: Slot, _kind: &'static str, _actors: &Actors) {}

    /// What a pilot run has counted, when the run is over.
    fn take_estimates(&mut self) -> Option<Estimates> {
        None
    }
}
