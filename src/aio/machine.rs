//! A wrapper for state machines that take one transition at a time.

use super::result::{IOCompletions, IOResult};

/// What one transition came to.
#[derive(Debug)]
pub enum TransitionResult<T> {
    /// Wait for this, then take the same transition again.
    Io(IOCompletions),
    /// Take the next transition at once.
    Continue,
    /// Finished, with this value.
    Done(T),
}

/// A machine that moves by transitions.
pub trait StateTransition {
    /// What it gives in the end.
    type Output;
    /// How it fails.
    type Error;
    /// What it works on, handed in at each transition.
    type Context;

    /// Takes one transition.
    ///
    /// # Errors
    /// Its own; the machine can be stepped again unless it says otherwise.
    fn transition(&mut self, context: &mut Self::Context) -> Result<TransitionResult<Self::Output>, Self::Error>;
}

/// Drives a [`StateTransition`]: loops on `Continue`, returns on `Io`, and refuses to be stepped after `Done`.
#[derive(Debug)]
pub struct StateMachine<M> {
    machine: M,
    done: bool,
}

impl<M: StateTransition> StateMachine<M> {
    /// A machine at its first state.
    pub const fn new(machine: M) -> Self {
        Self { machine, done: false }
    }

    /// Whether it has given its value.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Goes on as far as possible.
    ///
    /// # Errors
    /// Those of the machine.
    ///
    /// # Panics
    /// When it has given its value already: the caller has lost track of its own state.
    pub fn step(&mut self, context: &mut M::Context) -> Result<IOResult<M::Output>, M::Error> {
        assert!(!self.done, "the state machine `{}` was stepped after it was done", std::any::type_name::<M>());
        loop {
            match self.machine.transition(context)? {
                TransitionResult::Continue => {}
                TransitionResult::Io(io) => return Ok(IOResult::IO(io)),
                TransitionResult::Done(value) => {
                    self.done = true;
                    return Ok(IOResult::Done(value));
                }
            }
        }
    }
}
