//! Values as judges see them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tape::RunHash;

/// Who wrote a value: the connection, its transaction's ordinal, and the operation within it. No two
/// writes of a run share one, so a wrong answer says where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId {
    /// The connection; [`ENGINE`](crate::tape::ENGINE) for the set-up.
    pub connection: u16,
    /// The transaction's ordinal within the connection.
    pub transaction: u32,
    /// The operation's place within the transaction.
    pub op: u16,
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connection {
            crate::tape::ENGINE => write!(f, "s.{}.{}", self.transaction, self.op),
            connection => write!(f, "c{connection}.{}.{}", self.transaction, self.op),
        }
    }
}

impl FromStr for ValueId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let (Some(writer), Some(transaction), Some(op), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let connection = match writer {
            "s" => crate::tape::ENGINE,
            name => name.strip_prefix('c').ok_or(())?.parse().map_err(drop)?,
        };
        Ok(Self { connection, transaction: transaction.parse().map_err(drop)?, op: op.parse().map_err(drop)? })
    }
}

impl Serialize for ValueId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ValueId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("`{text}` is no value: expected `c2.17.0`")))
    }
}

/// Any value in a history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// Nothing there.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number, such as a balance.
    Int(i64),
    /// A value that names its writer.
    Value(ValueId),
    /// Text; also how bytes are shown that nobody can have written.
    Text(Arc<str>),
    /// A list, in order.
    List(Vec<Datum>),
    /// Keys with their values, in the order in which they came.
    Rows(Vec<(Arc<str>, Datum)>),
}

impl Datum {
    /// Folds the value into a run's hash.
    pub fn fold(&self, hash: &mut RunHash) {
        match self {
            Self::Null => hash.fold(1),
            Self::Bool(value) => hash.fold(2 + u64::from(*value)),
            Self::Int(value) => {
                hash.fold(4);
                hash.fold(value.cast_unsigned());
            }
            Self::Value(ValueId { connection, transaction, op }) => {
                hash.fold(5 | u64::from(*connection) << 16 | u64::from(*op) << 32);
                hash.fold(u64::from(*transaction));
            }
            Self::Text(text) => {
                hash.fold(6);
                hash.fold_bytes(text.as_bytes());
            }
            Self::List(items) => {
                hash.fold(7 | (items.len() as u64) << 8);
                items.iter().for_each(|item| item.fold(hash));
            }
            Self::Rows(rows) => {
                hash.fold(8 | (rows.len() as u64) << 8);
                for (key, value) in rows {
                    hash.fold_bytes(key.as_bytes());
                    value.fold(hash);
                }
            }
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Value(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Self::Rows(rows) => {
                f.write_str("{")?;
                for (index, (key, value)) in rows.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Value(value) => serializer.collect_str(value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Rows(rows) => serializer.collect_map(rows.iter().map(|(key, value)| (&**key, value))),
        }
    }
}
