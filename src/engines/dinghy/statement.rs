//! What each operation does to the key it names: pure, without I/O.

use super::failure::Failure;
use super::node::key_max;
use crate::engine::kv::{KvOp, KvValue, Value, pop_front};
use crate::history::Class;

/// What an operation answers, and what it writes.
pub(super) struct Effect {
    pub answer: KvValue,
    pub write: Write,
}

/// What becomes of the key.
pub(super) enum Write {
    /// Nothing.
    Keep,
    /// It holds this.
    Put(Vec<u8>),
    /// It goes.
    Remove,
}

/// Whether an operation has to see the key's value first.
pub(super) const fn reads(op: &KvOp) -> bool {
    !matches!(op, KvOp::Put(..))
}

/// The effect of an operation on a key that holds `current`.
pub(super) fn effect(op: &KvOp, current: Option<Vec<u8>>) -> Result<Effect, Failure> {
    Ok(match op {
        KvOp::Get(_) => Effect { answer: KvValue::Bytes(current), write: Write::Keep },
        KvOp::Put(_, value) => Effect { answer: KvValue::Unit, write: Write::Put(value.bytes()) },
        KvOp::Delete(_) => match current {
            Some(_) => Effect { answer: KvValue::Bool(true), write: Write::Remove },
            None => Effect { answer: KvValue::Bool(false), write: Write::Keep },
        },
        KvOp::Cas { expected, new, .. } => {
            let equal = current == expected.as_ref().map(Value::bytes);
            let write = if equal { Write::Put(new.bytes()) } else { Write::Keep };
            Effect { answer: KvValue::Bool(equal), write }
        }
        KvOp::Add(_, delta) => {
            let sum = number(current.as_deref())?.checked_add(*delta).ok_or_else(no_number)?;
            Effect { answer: KvValue::Int(sum), write: Write::Put(sum.to_string().into_bytes()) }
        }
        KvOp::Append(_, value) => {
            let mut list = current.unwrap_or_default();
            list.extend(value.element());
            Effect { answer: KvValue::Unit, write: Write::Put(list) }
        }
        KvOp::Pop(_) => match pop_front(current.as_deref().unwrap_or_default()) {
            (Some(first), rest) => {
                let write = if rest.is_empty() { Write::Remove } else { Write::Put(rest.to_vec()) };
                Effect { answer: KvValue::Bytes(Some(first.to_vec())), write }
            }
            (None, _) => Effect { answer: KvValue::Bytes(None), write: Write::Keep },
        },
        _ => unreachable!("the operation names no key"),
    })
}

/// Refuses keys that do not fit into a page.
pub(super) fn check_key(page_size: usize, key: &str) -> Result<(), Failure> {
    if key.len() > key_max(page_size) {
        let message = format!("a key of {} bytes is too long: at most {}", key.len(), key_max(page_size));
        return Err(Failure::refused(Class::Constraint, message));
    }
    Ok(())
}

fn number(bytes: Option<&[u8]>) -> Result<i64, Failure> {
    let Some(bytes) = bytes else { return Ok(0) };
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(no_number)
}

fn no_number() -> Failure {
    Failure::refused(Class::Constraint, "the key holds no number, or the sum is out of range")
}
