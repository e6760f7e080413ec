//! A set, which is one flag per element.

use super::{Call, Function, Model, Part, Value, is_flag, is_flag_or_null, no_such, outcome_is};

/// A set that starts empty. `add` and `remove` answer whether they changed it (or null: they do
/// not tell), `contains` whether the element is there. Every element is an object of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetModel;

impl Model for SetModel {
    type State = bool;

    fn name(&self) -> &'static str {
        "set"
    }

    fn initial(&self) -> bool {
        false
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Add | Function::Remove => outcome_is(call, "true or false", is_flag_or_null),
            Function::Contains => outcome_is(call, "true or false", is_flag),
            _ => Err(no_such(self.name(), call, "add, remove, contains")),
        }
    }

    fn step(&self, there: &bool, call: &Call<'_>) -> Option<bool> {
        match call.f() {
            Function::Add => call.agrees_or_silent(Value::Bool(!there)).then_some(true),
            Function::Remove => call.agrees_or_silent(Value::Bool(*there)).then_some(false),
            _ => call.agrees(Value::Bool(*there)).then_some(*there),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, call.value())
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Contains || call.out() == Some(false.into())
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() != Function::Contains && call.out().is_some_and(Value::is_null)
    }

    fn show(&self, there: &bool, _values: &super::Values) -> String {
        if *there { "present" } else { "absent" }.into()
    }
}
