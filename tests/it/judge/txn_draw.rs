//! Histories of transactions as text: a line each.
//!
//! ```text
//! 0 0..5 append x 1, r y [1 2]
//! 1 2..7 fail append x 2
//! 2 3..? append x 3
//! ```
//!
//! Process, begin and end (`?` never ended), `fail` where it failed, and the steps. `w x 1` writes a
//! register, `r x 1` and `r x null` read one, `r x [1]` reads a list, `r x ?` read what is not known.
//! `@7` before the steps is the engine's place for the commit.

use squall::judge::{Outcome, TxnHistory, Value};

pub(crate) fn history(text: &str) -> TxnHistory {
    let mut history = TxnHistory::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let process = words.next().and_then(|w| w.parse().ok()).expect("a process");
        let (call, ret) = words.next().and_then(|w| w.split_once("..")).expect("a span");
        let mut steps = words.next().unwrap_or("");
        let ret: Option<i64> = ret.parse().ok();
        let mut outcome = if ret.is_some() { Outcome::Committed } else { Outcome::Unknown };
        if let Some(rest) = steps.strip_prefix("fail ") {
            outcome = Outcome::Failed;
            steps = rest;
        }
        history.begin(process, (call.parse().expect("a time"), ret), outcome);
        if let Some(rest) = steps.strip_prefix('@') {
            let (place, rest) = rest.split_once(' ').expect("a place and steps");
            history.committed_at(place.parse().expect("a place"));
            steps = rest;
        }
        for part in steps.split(',').map(str::trim).filter(|step| !step.is_empty()) {
            step(&mut history, part);
        }
    }
    history
}

fn step(history: &mut TxnHistory, text: &str) {
    let mut words = text.splitn(3, ' ');
    let (f, key) = (words.next().expect("a function"), words.next().expect("a key"));
    let key = history.values.text(key);
    let rest = words.next().expect("a value");
    let number = |word: &str| Value::Int(word.parse().expect("a number"));
    match (f, rest.strip_prefix('[')) {
        ("append", _) => history.append(key, number(rest)),
        ("w", _) => history.write(key, number(rest)),
        (_, Some(items)) => {
            let items = items.trim_end_matches(']').split_whitespace();
            let items: Vec<Value> = items.map(number).collect();
            history.read_list(key, Some(&items));
        }
        _ if rest == "?" => history.read(key, None),
        _ if rest == "null" => history.read(key, Some(Value::Null)),
        _ => history.read(key, Some(number(rest))),
    }
}
