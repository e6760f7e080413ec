//! A list per key, appended to and read whole.

use super::{Call, Chain, Function, Model, Part, Values, no_such, outcome_is};

/// A list that starts empty: `append`, and `read`, which gives all items in order. A null outcome
/// of a read is the empty list.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListAppend;

impl Model for ListAppend {
    type State = Chain;

    fn name(&self) -> &'static str {
        "list-append"
    }

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Append => Ok(()),
            Function::Read => {
                outcome_is(call, "a list or null", |out| out.is_null() || call.values.items(out).is_some())
            }
            _ => Err(no_such(self.name(), call, "append, read")),
        }
    }

    fn step(&self, state: &Chain, call: &Call<'_>) -> Option<Chain> {
        if call.f() == Function::Append {
            return Some(state.with(call.value()));
        }
        let agrees = call.out().is_none_or(|out| state.is(call.values.items(out).unwrap_or(&[])));
        agrees.then(|| state.clone())
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, super::Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Read
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Append
    }

    fn state_bytes(&self, _state: &Chain) -> usize {
        64
    }

    fn show(&self, state: &Chain, values: &Values) -> String {
        super::queue::show_items(state.to_vec(), values)
    }
}
