//! A counter per key.

use super::{Call, Function, Model, Part, Value, no_such, outcome_is};

/// A counter that starts at 0: `add` answers the new value (or null: it does not tell), `read` the
/// present one. Arithmetic wraps, so that no history can make the judge panic.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counter;

impl Model for Counter {
    type State = i64;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn initial(&self) -> i64 {
        0
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Read => outcome_is(call, "a number", |out| out.int().is_some()),
            Function::Add if call.value().int().is_none() => Err("the value of add is a number".into()),
            Function::Add => outcome_is(call, "the new value", |out| out.int().is_some() || out.is_null()),
            _ => Err(no_such(self.name(), call, "add, read")),
        }
    }

    fn step(&self, state: &i64, call: &Call<'_>) -> Option<i64> {
        match call.f() {
            Function::Add => {
                let next = state.wrapping_add(call.value().int()?);
                call.agrees_or_silent(next.into()).then_some(next)
            }
            _ => call.agrees((*state).into()).then_some(*state),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Read
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Add && call.out().is_some_and(Value::is_null)
    }
}
