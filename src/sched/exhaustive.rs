//! Every schedule, for tiny scenarios: a proof instead of a sample.
//!
//! The odometer lives on the tape and chooses in the place of a policy, faults included. What is here is the
//! loop around it, and the policy that holds where there is no odometer: the calm choice, which is the
//! odometer's first run. As a rule of thumb 20 turns together can be seen in full, or 20 turns each with
//! at most 3 preemptions (Musuvathi, Qadeer, *Iterative Context Bounding for Systematic Testing of
//! Multithreaded Programs*, PLDI 2007).

use super::{Actors, Policy, Slot};
use crate::tape::{Odometer, Stream, Tape};

/// How far the odometer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Schedules run.
    pub runs: u64,
    /// Whether these were all.
    pub complete: bool,
}

/// Calls `run` with a tape for each schedule in turn, until it has seen all of them, `runs_max` of them, or
/// what it looked for. `run` gives the tape back, and says whether to go on.
///
/// # Panics
/// When `run` gives back another tape than it was given.
pub fn exhaust(
    seed: u64,
    preemptions_max: Option<u32>,
    runs_max: u64,
    mut run: impl FnMut(Tape) -> (Tape, bool),
) -> Exhausted {
    let mut odometer = Odometer::new(preemptions_max);
    let mut runs = 0;
    while runs < runs_max {
        let (tape, go_on) = run(Tape::exhaustive(seed, odometer));
        runs += 1;
        odometer = tape.into_odometer().expect("the tape that was given is given back");
        if !odometer.advance() {
            return Exhausted { runs, complete: true };
        }
        if !go_on {
            break;
        }
    }
    Exhausted { runs, complete: false }
}

/// The calm choice at each turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

impl Policy for Calm {
    fn begin(&mut self, _: &mut Stream) {}

    fn pick(&mut self, actors: &Actors, _: &mut Stream) -> Slot {
        actors.calm().expect("somebody is enabled")
    }
}
