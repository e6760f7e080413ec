//! Two objects that the key-value family has and the judges do not: a register that can be deleted, and a
//! list that can be appended to, taken from, deleted and read whole.

use std::sync::Arc;

use crate::judge::{Call, Function, Model, Part, Value, Values};

/// Deletes a key; the outcome says whether it was there.
pub(super) const DELETE: Function = Function::Other(0);

/// A register with compare-and-set and delete, per key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removable;

impl Model for Removable {
    type State = Value;

    fn name(&self) -> &'static str {
        "register"
    }

    fn initial(&self) -> Value {
        Value::Null
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Read | Function::Write | Function::Cas | DELETE => Ok(()),
            other => Err(format!("a register has no {}", other.name())),
        }
    }

    fn step(&self, state: &Value, call: &Call<'_>) -> Option<Value> {
        match call.f() {
            Function::Write => Some(call.value()),
            DELETE => call.agrees(Value::Bool(!state.is_null())).then_some(Value::Null),
            Function::Cas => {
                let (old, new) = call.values.pair(call.value())?;
                let fits = *state == old;
                call.agrees(Value::Bool(fits)).then_some(if fits { new } else { *state })
            }
            _ => call.agrees(*state).then_some(*state),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Read || call.out() == Some(Value::Bool(false))
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Write
    }

    fn show(&self, state: &Value, values: &Values) -> String {
        values.show(*state)
    }
}

/// A list per key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing;

impl Model for Listing {
    type State = Arc<[Value]>;

    fn name(&self) -> &'static str {
        "list"
    }

    fn initial(&self) -> Self::State {
        Arc::new([])
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Append | Function::Dequeue | Function::Read | DELETE => Ok(()),
            other => Err(format!("a list has no {}", other.name())),
        }
    }

    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State> {
        match call.f() {
            Function::Append => Some(state.iter().copied().chain([call.value()]).collect()),
            Function::Dequeue => match state.first() {
                None => call.agrees(Value::Null).then(|| state.clone()),
                Some(&first) => call.agrees(first).then(|| state[1..].into()),
            },
            // Whether an emptied list is still there is the engine's affair.
            DELETE if state.is_empty() => Some(state.clone()),
            DELETE => call.agrees(Value::Bool(true)).then(|| Arc::new([]) as Self::State),
            _ => {
                let seen = call.out().map(|out| call.values.items(out).unwrap_or_default());
                seen.is_none_or(|seen| seen == &state[..]).then(|| state.clone())
            }
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        match call.f() {
            Function::Read => true,
            Function::Dequeue => call.out() == Some(Value::Null),
            f => f == DELETE && call.out() == Some(Value::Bool(false)),
        }
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Append
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        32 + size_of_val(&**state)
    }

    fn show(&self, state: &Self::State, values: &Values) -> String {
        let items: Vec<String> = state.iter().map(|&item| values.show(item)).collect();
        format!("[{}]", items.join(" "))
    }
}
