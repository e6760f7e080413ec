//! A priority queue per key.

use std::sync::Arc;

use super::{Call, Function, Model, Part, Value, Values, no_such, outcome_is};

/// A priority queue of numbers that starts empty: `insert`, and `poll`, which gives the largest,
/// or null when there is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct PriorityQueue;

impl Model for PriorityQueue {
    /// The numbers, ascending.
    type State = Arc<[i64]>;

    fn name(&self) -> &'static str {
        "priority-queue"
    }

    fn initial(&self) -> Self::State {
        Arc::new([])
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Insert if call.value().int().is_none() => {
                Err("the value of insert is a number, for it has a priority".into())
            }
            Function::Insert => Ok(()),
            Function::Poll => outcome_is(call, "a number or null", |out| out.int().is_some() || out.is_null()),
            _ => Err(no_such(self.name(), call, "insert, poll")),
        }
    }

    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State> {
        if call.f() == Function::Insert {
            let number = call.value().int()?;
            let at = state.partition_point(|&n| n <= number);
            let (low, high) = state.split_at(at);
            return Some(low.iter().chain([&number]).chain(high).copied().collect());
        }
        match state.last() {
            None => call.agrees(Value::Null).then(|| state.clone()),
            Some(&most) => call.agrees(most.into()).then(|| state[..state.len() - 1].into()),
        }
    }

    fn part(&self, call: &Call<'_>) -> Part {
        (call.op.key, Value::Null)
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Poll && call.out() == Some(Value::Null)
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Insert
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        32 + size_of_val(&**state)
    }

    fn show(&self, state: &Self::State, _values: &Values) -> String {
        format!("{state:?}")
    }
}
