//! Histories drawn as text: a line a process, columns are time.
//!
//! ```text
//! |--write 1--|      |--read 2--|
//!       |--write 2--->
//! ```
//!
//! An operation runs from its `|` to the next one, or to `>` when it never returned. Inside stand
//! the function, its argument, and its outcome where it has one; `-` is null.

use squall::judge::{Function, History, Value};

/// The history of a drawing, on one object without a name.
pub(crate) fn history(drawing: &str) -> History {
    let mut history = History::new();
    let lines = drawing.lines().filter(|line| !line.trim().is_empty());
    for (process, line) in lines.enumerate() {
        let mut rest = line;
        let mut column = 0;
        while let Some(from) = rest.find('|') {
            let body = &rest[from + 1..];
            let length = body.find(['|', '>']).expect("an operation ends with | or >");
            let call = (column + from) as i64;
            let end = call + 1 + length as i64;
            let ret = body[length..].starts_with('|').then_some(end);
            operation(&mut history, process as u32, (call, ret), &body[..length]);
            column += from + 1 + length + 1;
            rest = &body[length + 1..];
        }
    }
    history
}

fn operation(history: &mut History, process: u32, span: (i64, Option<i64>), text: &str) {
    let text = text.trim_matches('-');
    let mut words = text.split_whitespace();
    let name = words.next().expect("an operation has a name");
    let f = Function::named(name).unwrap_or_else(|| panic!("no function {name}"));
    let mut words: Vec<Value> = words.map(|word| value(history, word)).collect();
    let has_outcome = match f {
        Function::Write
        | Function::Enqueue
        | Function::Push
        | Function::Insert
        | Function::Append
        | Function::Transfer => false,
        _ => span.1.is_some(),
    };
    let out = if has_outcome { words.pop().expect("an outcome") } else { Value::Null };
    let argument = match words[..] {
        [] => Value::Null,
        [one] => one,
        _ => history.values.list(&words),
    };
    history.push(process, span, f, "", (argument, out));
}

fn value(history: &mut History, word: &str) -> Value {
    match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match word.strip_prefix('[') {
            Some(items) => {
                let items = items.trim_end_matches(']').split(',');
                let items: Vec<Value> = items
                    .filter(|item| !item.is_empty())
                    .map(|item| Value::Int(item.parse().expect("a number")))
                    .collect();
                history.values.list(&items)
            }
            None => Value::Int(word.parse().expect("a number")),
        },
    }
}
