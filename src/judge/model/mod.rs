//! Sequential models as data: what an object does when its operations come one after another.
//!
//! A model knows nothing of time, processes or concurrency; that is the judges' part. Invariant: a
//! model is deterministic, so the outcome of an operation is a function of state and argument, and
//! `step` merely says whether the outcome in the history is that one.

mod bank;
mod chain;
mod counter;
mod list;
mod priority;
mod queue;
mod register;
mod set;
mod stack;

use std::fmt::Debug;
use std::hash::Hash;

pub use bank::Bank;
pub use chain::Chain;
pub use counter::Counter;
pub use list::ListAppend;
pub use priority::PriorityQueue;
pub use queue::Queue;
pub use register::Register;
pub use set::SetModel;
pub use stack::Stack;

use super::history::{Function, Operation};
use super::value::{Value, Values};

/// The object an operation belongs to. Objects are judged apart, because linearizability is local.
pub type Part = (u32, Value);

/// One operation, with the table its values come from.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The operation.
    pub op: &'a Operation,
    /// The table of its texts and lists.
    pub values: &'a Values,
}

impl Call<'_> {
    /// What was called.
    #[must_use]
    pub fn f(&self) -> Function {
        self.op.f
    }

    /// The argument.
    #[must_use]
    pub fn value(&self) -> Value {
        self.op.value
    }

    /// The outcome; `None` when the operation never returned (or has not yet).
    #[must_use]
    pub fn out(&self) -> Option<Value> {
        self.op.returned().then_some(self.op.out)
    }

    /// Whether this outcome agrees with the one in the history: equal, or not known.
    #[must_use]
    pub fn agrees(&self, outcome: Value) -> bool {
        self.out().is_none_or(|out| out == outcome)
    }

    /// As [`Call::agrees`], and a returned null agrees too: the system does not tell.
    #[must_use]
    pub fn agrees_or_silent(&self, outcome: Value) -> bool {
        self.out().is_none_or(|out| out == outcome || out.is_null())
    }
}

/// A sequential object. Write your own to judge histories of it.
///
/// ```
/// use squall::judge::{Call, Function, History, Limits, Model, Value, linearizable};
///
/// /// A flag that can be raised once; raising answers whether it was down.
/// struct Flag;
///
/// impl Model for Flag {
///     type State = bool;
///     fn name(&self) -> &'static str {
///         "flag"
///     }
///     fn initial(&self) -> bool {
///         false
///     }
///     fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
///         match call.f() {
///             Function::Other(0) => Ok(()),
///             other => Err(format!("a flag has no {}", other.name())),
///         }
///     }
///     fn step(&self, raised: &bool, call: &Call<'_>) -> Option<bool> {
///         call.agrees(Value::Bool(!raised)).then_some(true)
///     }
/// }
///
/// let raise = Function::Other(0);
/// let mut history = History::new();
/// history.push(0, (0, Some(2)), raise, "", (Value::Null, true.into()));
/// history.push(1, (1, Some(3)), raise, "", (Value::Null, true.into()));
/// let judgement = linearizable(&Flag, &history, &Limits::default());
/// assert!(judgement.witness().is_some(), "two cannot both be first");
/// ```
pub trait Model {
    /// Everything the object remembers.
    type State: Clone + Eq + Hash + Debug;

    /// The model's name in findings.
    fn name(&self) -> &'static str;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Whether the operation is one of this object's, with an argument and outcome of the right
    /// shape. Nothing else ever reaches `step`.
    ///
    /// # Errors
    /// What was expected.
    fn accepts(&self, call: &Call<'_>) -> Result<(), String>;

    /// The state after the operation, or `None` when its outcome is not possible in this state.
    /// An operation without a known outcome is possible wherever the object allows the call.
    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State>;

    /// The object the operation belongs to. By default the whole history is of one object.
    fn part(&self, _call: &Call<'_>) -> Part {
        (0, Value::Null)
    }

    /// Whether the operation, with the outcome it had, leaves every state as it is in which it is
    /// possible: a read, a compare-and-set that answered false, a pop that found nothing. It may
    /// then be taken as soon as it is possible. (That this very state stays as it is would not be
    /// enough: writing a value that is already there must perhaps come later, after another write.)
    fn reads_only(&self, _call: &Call<'_>) -> bool {
        false
    }

    /// Whether the operation is possible in every state, whatever came out, so that its outcome
    /// is not compared with anything.
    fn blind(&self, _call: &Call<'_>) -> bool {
        false
    }

    /// An estimate of a state's size in bytes, for the limit of memory.
    fn state_bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// A state for a reader.
    fn show(&self, state: &Self::State, _values: &Values) -> String {
        format!("{state:?}")
    }
}

/// The message for a function the object does not have.
fn no_such(name: &str, call: &Call<'_>, known: &str) -> String {
    format!("a {name} has no {}, only {known}", call.f().name())
}

/// The message for an outcome of the wrong shape; nothing when the outcome is unknown.
fn outcome_is(call: &Call<'_>, expected: &str, right: impl Fn(Value) -> bool) -> Result<(), String> {
    match call.out() {
        Some(out) if !right(out) => {
            Err(format!("the outcome of {} is {expected}, not {}", call.f().name(), call.values.show(out)))
        }
        _ => Ok(()),
    }
}

fn is_flag(value: Value) -> bool {
    matches!(value, Value::Bool(_))
}

fn is_flag_or_null(value: Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Null)
}
