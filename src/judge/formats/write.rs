//! Histories written as files.
//!
//! Jepsen's events have no times but their order, and a compare-and-set that was refused is `:fail`
//! there, which says no more than that it had no effect. Invariant: apart from these two, what is
//! written here is read back as the same history.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::judge::history::{Function, History};
use crate::judge::txn::{Mop, Outcome, TxnHistory};

/// Single operations, one a line.
#[must_use]
pub fn own_lines(history: &History) -> String {
    let mut text = String::new();
    for op in &history.operations {
        let values = &history.values;
        let ret = if op.returned() { op.ret } else { -1 };
        let out = if op.returned() { values.to_json(op.out) } else { Json::Null };
        let line = json!({
            "p": op.process, "call": op.call, "ret": ret, "f": op.f.name(),
            "k": values.text_of(op.key), "v": values.to_json(op.value), "out": out,
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Transactions, one a line.
#[must_use]
pub fn txns_own_lines(history: &TxnHistory) -> String {
    let mut text = String::new();
    for (index, txn) in history.txns().iter().enumerate() {
        let unknown = txn.outcome == Outcome::Unknown;
        let mut line = json!({
            "p": txn.process, "call": txn.call, "ret": if unknown { -1 } else { txn.ret },
            "f": "txn", "v": steps(history, index, true),
            "out": txn.outcome != Outcome::Failed,
        });
        if let (Some(place), Some(map)) = (txn.commit, line.as_object_mut()) {
            map.insert("commit".into(), place.into());
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Single operations as Jepsen's events in EDN, one a line.
#[must_use]
pub fn edn(history: &History) -> String {
    events(history).iter().map(|event| edn_of(event) + "\n").collect()
}

/// Single operations as Jepsen's events in JSON, one a line.
#[must_use]
pub fn json(history: &History) -> String {
    events(history).iter().map(|event| format!("{event}\n")).collect()
}

/// Transactions as Jepsen's events in EDN, one a line.
#[must_use]
pub fn txns_edn(history: &TxnHistory) -> String {
    txn_events(history).iter().map(|event| edn_of(event) + "\n").collect()
}

/// Transactions as Jepsen's events in JSON, one a line.
#[must_use]
pub fn txns_json(history: &TxnHistory) -> String {
    txn_events(history).iter().map(|event| format!("{event}\n")).collect()
}

/// Steps as they are invoked, or with what was read.
fn steps(history: &TxnHistory, txn: usize, completed: bool) -> Json {
    let value = |version| history.values.to_json(history.value(version));
    let key = |key: u32| history.values.to_json(history.keys[key as usize]);
    let step = |mop: &Mop| match *mop {
        Mop::Append { key: k, version } => json!(["append", key(k), value(version)]),
        Mop::Write { key: k, version } => json!(["w", key(k), value(version)]),
        Mop::Read { key: k, version } => {
            let read = version.flatten().filter(|_| completed).map(value);
            json!(["r", key(k), read])
        }
        Mop::ReadList { key: k, elements } => {
            let list = elements.filter(|_| completed).map(|range| {
                let items = history.list(range).iter().map(|&version| value(version));
                items.collect::<Json>()
            });
            json!(["r", key(k), list])
        }
    };
    history.steps(txn).iter().map(step).collect()
}

/// Events by time, calls first, numbered.
fn in_order(mut events: Vec<(i64, bool, usize, Json)>) -> Vec<Json> {
    events.sort_by_key(|event| (event.0, event.1, event.2));
    let mut numbered = Vec::with_capacity(events.len());
    for (index, (.., mut event)) in events.into_iter().enumerate() {
        if let Some(map) = event.as_object_mut() {
            map.insert("index".into(), index.into());
        }
        numbered.push(event);
    }
    numbered
}

fn txn_events(history: &TxnHistory) -> Vec<Json> {
    let mut events = Vec::new();
    for (index, txn) in history.txns().iter().enumerate() {
        let event = |kind: &str, completed: bool| {
            let value = steps(history, index, completed);
            json!({"type": kind, "f": "txn", "value": value, "process": txn.process})
        };
        events.push((txn.call, false, index, event("invoke", false)));
        match txn.outcome {
            Outcome::Committed => events.push((txn.ret, true, index, event("ok", true))),
            Outcome::Failed => events.push((txn.ret, true, index, event("fail", false))),
            Outcome::Unknown => events.push((i64::MAX, true, index, event("info", false))),
        }
    }
    in_order(events)
}

fn events(history: &History) -> Vec<Json> {
    let mut events = Vec::new();
    for (index, op) in history.operations.iter().enumerate() {
        let values = &history.values;
        let event = |kind: &str, value: Json| {
            let mut event = json!({"type": kind, "f": op.f.name(), "value": value, "process": op.process});
            let key = values.text_of(op.key);
            if let Some(map) = event.as_object_mut().filter(|_| !key.is_empty()) {
                map.insert("key".into(), key.into());
            }
            event
        };
        let argument = values.to_json(op.value);
        events.push((op.call, false, index, event("invoke", argument.clone())));
        let refused = op.f == Function::Cas && op.out == false.into();
        let answers = op.value.is_null() || op.out != crate::judge::Value::Null;
        let out = match op.f {
            Function::Cas => argument,
            _ if answers => values.to_json(op.out),
            _ => argument,
        };
        match (op.returned(), refused) {
            (false, _) => events.push((i64::MAX, true, index, event("info", Json::Null))),
            (true, true) => events.push((op.ret, true, index, event("fail", out))),
            (true, false) => events.push((op.ret, true, index, event("ok", out))),
        }
    }
    in_order(events)
}

/// A JSON value as EDN: names of fields, types and functions become keywords.
fn edn_of(json: &Json) -> String {
    match json {
        Json::Null => "nil".into(),
        Json::Array(items) => {
            let keyword = |(at, item): (usize, &Json)| match (at, item.as_str()) {
                (0, Some(name @ ("append" | "r" | "w"))) if items.len() == 3 => format!(":{name}"),
                _ => edn_of(item),
            };
            let items: Vec<String> = items.iter().enumerate().map(keyword).collect();
            format!("[{}]", items.join(" "))
        }
        Json::Object(map) => {
            let entry = |(name, value): (&String, &Json)| match value.as_str() {
                Some(text) if name == "type" || name == "f" => format!(":{name} :{text}"),
                _ => format!(":{name} {}", edn_of(value)),
            };
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
