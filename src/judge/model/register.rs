//! A register per key, with compare-and-set; a key-value store is nothing else.

use super::{Call, Function, Model, Part, Value, Values, is_flag, no_such, outcome_is};

/// A register: read, write, and `cas` with `[old, new]` and a flag as outcome. Each key is one.
#[derive(Debug, Clone, Copy)]
pub struct Register {
    /// What a read gives before the first write.
    pub initial: Value,
}

impl Default for Register {
    fn default() -> Self {
        Self { initial: Value::Null }
    }
}

impl Model for Register {
    type State = Value;

    fn name(&self) -> &'static str {
        "register"
    }

    fn initial(&self) -> Value {
        self.initial
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Read | Function::Write => Ok(()),
            Function::Cas if call.values.pair(call.value()).is_none() => {
                Err(format!("the value of cas is [old, new], not {}", call.values.show(call.value())))
            }
            Function::Cas => outcome_is(call, "true or false", is_flag),
            _ => Err(no_such(self.name(), call, "read, write, cas")),
        }
    }

    fn step(&self, state: &Value, call: &Call<'_>) -> Option<Value> {
        match call.f() {
            Function::Write => Some(call.value()),
            Function::Cas => {
                let (old, new) = call.values.pair(call.value())?;
                let set = *state == old;
                call.agrees(Value::Bool(set)).then_some(if set { new } else { *state })
            }
            _ => call.agrees(*state).then_some(*state),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        match call.f() {
            Function::Read => true,
            Function::Cas => call.out() == Some(false.into()),
            _ => false,
        }
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Write
    }

    fn show(&self, state: &Value, values: &Values) -> String {
        values.show(*state)
    }
}
