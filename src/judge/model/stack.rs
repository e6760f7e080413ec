//! A stack per key.

use super::{Call, Chain, Function, Model, Part, Value, Values, no_such};

/// A stack that starts empty: `push`, and `pop`, which gives null when there is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stack;

impl Model for Stack {
    type State = Chain;

    fn name(&self) -> &'static str {
        "stack"
    }

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Push if call.value().is_null() => Err("a push of null looks like an empty pop".into()),
            Function::Push | Function::Pop => Ok(()),
            _ => Err(no_such(self.name(), call, "push, pop")),
        }
    }

    fn step(&self, state: &Chain, call: &Call<'_>) -> Option<Chain> {
        if call.f() == Function::Push {
            return Some(state.with(call.value()));
        }
        match state.last() {
            None => call.agrees(Value::Null).then(Chain::default),
            Some((top, rest)) => call.agrees(top).then(|| rest.clone()),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Pop && call.out() == Some(Value::Null)
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Push
    }

    fn state_bytes(&self, _state: &Chain) -> usize {
        64
    }

    fn show(&self, state: &Chain, values: &Values) -> String {
        super::queue::show_items(state.to_vec(), values)
    }
}
