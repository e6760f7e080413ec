//! The family of key-value operations, and the byte forms in which its values travel.
//!
//! Keys are short texts. Values are bytes that say who wrote them; integers are decimal text; a list is its
//! elements, each followed by `;`, so that appending is adding bytes at the end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Family, Role};
use crate::history::{Call, Datum, ValueId};
use crate::tape::{ENGINE, mix};

/// What an engine with every operation serves, by the names of the history.
pub const OPERATIONS: &[&str] = &[
    "begin",
    "read",
    "write",
    "delete",
    "cas",
    "add",
    "append",
    "dequeue",
    "scan",
    "commit",
    "rollback",
    "checkpoint",
    "vacuum",
];

/// The same of an engine that gives no space back.
pub const OPERATIONS_BUT_VACUUM: &[&str] = OPERATIONS.split_last().unwrap().1;

/// A key.
pub type Key = Arc<str>;

/// A value to be written: who writes it, and how many bytes it is long at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The writer.
    pub id: ValueId,
    /// The length in bytes; shorter than the identity's text counts as that.
    pub len: u32,
}

/// The operations. Those between `Begin` and `Commit` belong to the transaction, others stand alone and
/// are each atomic and durable by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvOp {
    /// Opens a transaction. Answers [`KvValue::Unit`].
    Begin,
    /// Reads a key. Answers [`KvValue::Bytes`].
    Get(Key),
    /// Writes a key. Answers [`KvValue::Unit`].
    Put(Key, Value),
    /// Removes a key. Answers [`KvValue::Bool`]: was it there.
    Delete(Key),
    /// Writes a key if it holds `expected` (`None`: nothing). Answers [`KvValue::Bool`]: was it written.
    Cas {
        /// The key.
        key: Key,
        /// What it must hold.
        expected: Option<Value>,
        /// What is written.
        new: Value,
    },
    /// Adds to the integer under a key (absent counts as 0). Answers [`KvValue::Int`]: the sum.
    Add(Key, i64),
    /// Appends an element to the list under a key (absent counts as empty). Answers [`KvValue::Unit`].
    Append(Key, Value),
    /// Takes the first element off the list under a key. Answers [`KvValue::Bytes`].
    Pop(Key),
    /// Reads all keys from the first to the last, both included, in order. Answers [`KvValue::Rows`].
    Scan(Key, Key),
    /// Closes the transaction. Answers [`KvValue::Unit`].
    Commit,
    /// Gives the transaction up. Answers [`KvValue::Unit`].
    Rollback,
    /// Moves what the log holds into the database. Answers [`KvValue::Unit`].
    Checkpoint,
    /// Gives back pages that are not used any more. Answers [`KvValue::Unit`].
    Vacuum,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvValue {
    /// Nothing to say.
    Unit,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Int(i64),
    /// What is under a key, if anything.
    Bytes(Option<Vec<u8>>),
    /// Keys and what is under them, in order.
    Rows(Vec<(String, Vec<u8>)>),
}

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Kv;

impl Family for Kv {
    const NAME: &'static str = "kv";
    type Op = KvOp;
    type Value = KvValue;

    fn call(op: &KvOp) -> Call {
        let (key, arg) = match op {
            KvOp::Begin | KvOp::Commit | KvOp::Rollback | KvOp::Checkpoint | KvOp::Vacuum => (None, Datum::Null),
            KvOp::Get(key) | KvOp::Delete(key) | KvOp::Pop(key) => (Some(key), Datum::Null),
            KvOp::Put(key, value) | KvOp::Append(key, value) => (Some(key), Datum::Value(value.id)),
            KvOp::Cas { key, expected, new } => {
                let expected = expected.map_or(Datum::Null, |value| Datum::Value(value.id));
                (Some(key), Datum::List(vec![expected, Datum::Value(new.id)]))
            }
            KvOp::Add(key, delta) => (Some(key), Datum::Int(*delta)),
            KvOp::Scan(from, to) => (None, Datum::List(vec![Datum::Text(from.clone()), Datum::Text(to.clone())])),
        };
        Call { f: op.name(), key: key.cloned(), arg }
    }

    fn output(_: &KvOp, value: &KvValue) -> Datum {
        match value {
            KvValue::Unit => Datum::Null,
            KvValue::Bool(value) => Datum::Bool(*value),
            KvValue::Int(value) => Datum::Int(*value),
            KvValue::Bytes(bytes) => bytes.as_deref().map_or(Datum::Null, decode),
            KvValue::Rows(rows) => {
                Datum::Rows(rows.iter().map(|(key, bytes)| (key.as_str().into(), decode(bytes))).collect())
            }
        }
    }

    fn recall(call: &Call) -> Option<KvOp> {
        let value = |datum: &Datum| if let Datum::Value(id) = datum { Some(Value { id: *id, len: 0 }) } else { None };
        let key = || call.key.clone();
        Some(match (call.f, &call.arg) {
            ("begin", _) => KvOp::Begin,
            ("commit", _) => KvOp::Commit,
            ("rollback", _) => KvOp::Rollback,
            ("checkpoint", _) => KvOp::Checkpoint,
            ("vacuum", _) => KvOp::Vacuum,
            ("read", _) => KvOp::Get(key()?),
            ("delete", _) => KvOp::Delete(key()?),
            ("dequeue", _) => KvOp::Pop(key()?),
            ("write", arg) => KvOp::Put(key()?, value(arg)?),
            ("append" | "enqueue", arg) => KvOp::Append(key()?, value(arg)?),
            ("add", Datum::Int(delta)) => KvOp::Add(key()?, *delta),
            ("cas", Datum::List(pair)) => {
                let [expected, new] = &pair[..] else { return None };
                let expected = if *expected == Datum::Null { None } else { Some(value(expected)?) };
                KvOp::Cas { key: key()?, expected, new: value(new)? }
            }
            ("scan", Datum::List(range)) => {
                let [Datum::Text(from), Datum::Text(to)] = &range[..] else { return None };
                KvOp::Scan(from.clone(), to.clone())
            }
            _ => return None,
        })
    }

    fn role(op: &KvOp) -> Role {
        match op {
            KvOp::Begin => Role::Begin,
            KvOp::Commit => Role::Commit,
            KvOp::Rollback => Role::Rollback,
            KvOp::Checkpoint | KvOp::Vacuum => Role::Maintenance,
            _ => Role::Member,
        }
    }

    fn rollback() -> Option<KvOp> {
        Some(KvOp::Rollback)
    }
}

impl KvOp {
    /// The operation's name in a history.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Get(_) => "read",
            Self::Put(..) => "write",
            Self::Delete(_) => "delete",
            Self::Cas { .. } => "cas",
            Self::Add(..) => "add",
            Self::Append(..) => "append",
            Self::Pop(_) => "dequeue",
            Self::Scan(..) => "scan",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Checkpoint => "checkpoint",
            Self::Vacuum => "vacuum",
        }
    }
}

impl Value {
    /// The bytes: the writer's text, then `~` and a filler that follows from it up to `len`.
    ///
    /// Every byte is a function of the identity and the place, so that a value made of two halves is noticed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_string().into_bytes();
        if bytes.len() < self.len as usize {
            bytes.push(b'~');
            bytes.extend(self.filler(bytes.len()));
        }
        bytes
    }

    /// The bytes from this place on, which must be in the filler.
    fn filler(&self, from: usize) -> impl Iterator<Item = u8> {
        let writer = (u64::from(self.id.connection) << 48) | (u64::from(self.id.transaction) << 16);
        // The length takes part, so that a value cut short is noticed too.
        let base = mix(mix(writer | u64::from(self.id.op)) ^ u64::from(self.len));
        (from..self.len as usize).map(move |at| b'a' + (mix(base ^ at as u64) % 26) as u8)
    }

    /// The bytes of the value as an element of a list.
    #[must_use]
    pub fn element(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes.push(b';');
        bytes
    }
}

/// Splits the first element off a list's bytes.
#[must_use]
pub fn pop_front(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match list.iter().position(|&byte| byte == b';') {
        Some(at) => (Some(&list[..at]), &list[at + 1..]),
        None => (None, list),
    }
}

/// Reads a value's bytes back. What nobody can have written comes back as text that shows it.
#[must_use]
pub fn decode(bytes: &[u8]) -> Datum {
    if let Some((b';', elements)) = bytes.split_last() {
        return Datum::List(elements.split(|&byte| byte == b';').map(decode_one).collect());
    }
    decode_one(bytes)
}

fn decode_one(bytes: &[u8]) -> Datum {
    written_value(bytes).map(Datum::Value).or_else(|| number(bytes).map(Datum::Int)).unwrap_or_else(|| {
        Datum::Text(format!("garbage: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)])).into())
    })
}

fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The writer of a value, if these are all of its bytes. A long list has thousands, so nothing is put together only to
/// be compared.
fn written_value(bytes: &[u8]) -> Option<ValueId> {
    let (writer, rest) = bytes.split_first()?;
    let (connection, rest) = match writer {
        b's' => (u64::from(ENGINE), rest),
        b'c' => digits(rest, u64::from(ENGINE) - 1)?,
        _ => return None,
    };
    let (transaction, rest) = digits(rest.strip_prefix(b".")?, u64::from(u32::MAX))?;
    let (op, rest) = digits(rest.strip_prefix(b".")?, u64::from(u16::MAX))?;
    let id = ValueId { connection: connection as u16, transaction: transaction as u32, op: op as u16 };
    let whole = match rest.split_first() {
        None => true,
        Some((b'~', filler)) => {
            let value = Value { id, len: u32::try_from(bytes.len()).ok()? };
            value.filler(bytes.len() - filler.len()).eq(filler.iter().copied())
        }
        Some(_) => false,
    };
    whole.then_some(id)
}

/// The number at the front, written as numbers of values are, and what comes after it.
fn digits(bytes: &[u8], max: u64) -> Option<(u64, &[u8])> {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 || len > 10 || (len > 1 && bytes[0] == b'0') {
        return None;
    }
    let (digits, rest) = bytes.split_at(len);
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= max).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ValueId = ValueId { connection: 2, transaction: 17, op: 3 };

    #[test]
    fn values_come_back_as_who_wrote_them() {
        for len in [0, 7, 8, 9, 400, 9000] {
            let value = Value { id: ID, len };
            assert_eq!(decode(&value.bytes()), Datum::Value(ID), "{len} bytes");
            assert!(value.bytes().len() >= len as usize);
        }
        assert_eq!(decode(b"-42"), Datum::Int(-42));
        let list = [Value { id: ID, len: 0 }.element(), Value { id: ID, len: 30 }.element()].concat();
        assert_eq!(decode(&list), Datum::List(vec![Datum::Value(ID), Datum::Value(ID)]));
        assert_eq!(pop_front(&list).0.map(decode), Some(Datum::Value(ID)));
    }

    #[test]
    fn what_nobody_can_have_written_comes_back_as_text() {
        let long = Value { id: ID, len: 40 }.bytes();
        for (at, _) in long.iter().enumerate() {
            let mut changed = long.clone();
            changed[at] ^= 0x10;
            assert!(matches!(decode(&changed), Datum::Text(_)), "byte {at}");
        }
        let others: [&[u8]; 9] =
            [&long[..39], b"", b"c2.17", b"c2.17.3x", b"c2.17.3.", b"c2.017.3", b"c.1.2", b"c65536.1.2", b"s.1.\xff"];
        for bytes in others {
            assert!(matches!(decode(bytes), Datum::Text(_)), "{bytes:?}");
        }
        let of_engine = ValueId { connection: ENGINE, transaction: 1, op: u16::MAX };
        assert_eq!(decode(of_engine.to_string().as_bytes()), Datum::Value(of_engine));
    }

    #[test]
    fn an_operation_is_recalled_from_a_history() {
        let (key, value): (Key, Value) = ("k".into(), Value { id: ID, len: 0 });
        let ops = [
            KvOp::Begin,
            KvOp::Get(key.clone()),
            KvOp::Put(key.clone(), value),
            KvOp::Delete(key.clone()),
            KvOp::Cas { key: key.clone(), expected: None, new: value },
            KvOp::Cas { key: key.clone(), expected: Some(value), new: value },
            KvOp::Add(key.clone(), -3),
            KvOp::Append(key.clone(), value),
            KvOp::Pop(key.clone()),
            KvOp::Scan("a".into(), "z".into()),
            KvOp::Commit,
            KvOp::Rollback,
            KvOp::Checkpoint,
            KvOp::Vacuum,
        ];
        for op in ops {
            assert_eq!(Kv::recall(&Kv::call(&op)), Some(op));
        }
    }

    #[test]
    fn bytes_nobody_wrote_are_shown_as_garbage() {
        let torn = |at: usize| {
            let mut bytes = Value { id: ID, len: 100 }.bytes();
            bytes[at] ^= 1;
            bytes
        };
        for bytes in
            [vec![], vec![0; 16], torn(0), torn(50), torn(99), Value { id: ID, len: 100 }.bytes()[..60].to_vec()]
        {
            assert!(matches!(decode(&bytes), Datum::Text(text) if text.starts_with("garbage")));
        }
    }
}
