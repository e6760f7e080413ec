//! The history of a run as Jepsen's events: what `check` and Elle read.
//!
//! Where there are reads and writes of registers or lists, an event is a transaction, as Elle wants it. Otherwise an
//! event is an operation by its own name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::engine::Durability;
use crate::history::{Call, Datum, Fact, History, OpId, Outcome};
use crate::judge::formats::txns_edn;
use crate::property::transactions;

/// The history as EDN, one event a line.
#[must_use]
pub fn edn(history: &History, durability: Durability) -> String {
    transactions(history, durability).map_or_else(|| operations(history), |history| txns_edn(&history))
}

fn operations(history: &History) -> String {
    let mut text = String::new();
    let mut calls: BTreeMap<OpId, &Call> = BTreeMap::new();
    let mut index = 0;
    for event in &history.events {
        let (kind, call, value) = match &event.fact {
            Fact::Invoke { op, call, .. } => {
                calls.insert(*op, call);
                ("invoke", call, &call.arg)
            }
            Fact::Return { op, outcome, .. } => {
                let Some(call) = calls.get(op).copied() else { continue };
                match outcome {
                    Outcome::Ok(Datum::Null) if call.arg != Datum::Null => ("ok", call, &call.arg),
                    Outcome::Ok(value) => ("ok", call, value),
                    Outcome::Refused(_) => ("fail", call, &call.arg),
                    Outcome::Unknown(_) => ("info", call, &call.arg),
                }
            }
            _ => continue,
        };
        let key = call.key.as_ref().map(|key| format!(":key {}, ", quoted(key))).unwrap_or_default();
        let _ = writeln!(
            text,
            "{{:index {index}, :type :{kind}, :process {}, :f :{}, {key}:value {}}}",
            event.process,
            call.f,
            edn_of(value)
        );
        index += 1;
    }
    text
}

fn edn_of(datum: &Datum) -> String {
    let all = |items: Vec<String>| items.join(" ");
    match datum {
        Datum::Null => "nil".to_string(),
        Datum::Bool(value) => value.to_string(),
        Datum::Int(value) => value.to_string(),
        Datum::Value(value) => quoted(&value.to_string()),
        Datum::Text(text) => quoted(text),
        Datum::List(items) => format!("[{}]", all(items.iter().map(edn_of).collect())),
        Datum::Rows(rows) => {
            let row = |(key, value): &(std::sync::Arc<str>, Datum)| format!("[{} {}]", quoted(key), edn_of(value));
            format!("[{}]", all(rows.iter().map(row).collect()))
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
