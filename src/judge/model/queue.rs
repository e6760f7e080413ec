//! A first-in, first-out queue per key.

use std::sync::Arc;

use super::{Call, Function, Model, Part, Value, Values, no_such};

/// A queue that starts empty: `enqueue`, and `dequeue`, which gives null when there is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue;

impl Model for Queue {
    type State = Arc<[Value]>;

    fn name(&self) -> &'static str {
        "queue"
    }

    fn initial(&self) -> Self::State {
        Arc::new([])
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Enqueue if call.value().is_null() => Err("an enqueue of null looks like an empty dequeue".into()),
            Function::Enqueue | Function::Dequeue => Ok(()),
            _ => Err(no_such(self.name(), call, "enqueue, dequeue")),
        }
    }

    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State> {
        if call.f() == Function::Enqueue {
            return Some(state.iter().copied().chain([call.value()]).collect());
        }
        match state.first() {
            None => call.agrees(Value::Null).then(|| state.clone()),
            Some(&front) => call.agrees(front).then(|| state[1..].into()),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Dequeue && call.out() == Some(Value::Null)
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Enqueue
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        32 + size_of_val(&**state)
    }

    fn show(&self, state: &Self::State, values: &Values) -> String {
        show_items(state.to_vec(), values)
    }
}

/// Values in brackets.
pub(super) fn show_items(items: Vec<Value>, values: &Values) -> String {
    let items: Vec<String> = items.into_iter().map(|v| values.show(v)).collect();
    format!("[{}]", items.join(" "))
}
