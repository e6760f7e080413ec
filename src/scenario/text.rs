//! A scenario's text, taken apart into keys with their places. What the keys mean is decided elsewhere.
//!
//! Tables are flattened: `[disk]` with `read-eio` becomes `disk.read-eio`. An entry keeps the place of its key
//! and of its value, so that an error found much later still points at the line.

use serde::{Deserialize, Serialize};
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::error::{Place, ScenarioError};

/// A scenario's text may be so long, in bytes.
pub const TEXT_MAX: usize = 1 << 20;

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The key with the names of its tables before it, such as `disk.read-eio`.
    pub key: String,
    /// The value as it was written; never a table.
    pub value: Value,
    /// Where the key stands.
    pub key_at: Place,
    /// Where the value stands.
    pub value_at: Place,
}

/// Takes a scenario's text apart.
///
/// # Errors
/// When it is no TOML, too long, or holds a value that no key could take.
pub fn parse(name: &str, text: &str) -> Result<Vec<Entry>, ScenarioError> {
    if text.len() > TEXT_MAX {
        let problem = format!("the scenario is {} bytes long", text.len());
        return Err(ScenarioError::new(&Place::file(name), problem).expected(format!("at most {TEXT_MAX} bytes")));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().trim().replace('\n', ", ");
        ScenarioError::new(&Place::in_text(name, text, offset), format!("not TOML: {message}"))
    })?;
    let mut entries = Vec::new();
    flatten(&Source { name, text }, "", table.get_ref(), &mut entries)?;
    Ok(entries)
}

/// Reads one `key=value` of the command line. A value that is no TOML is taken as a word.
///
/// # Errors
/// When there is no `=` or no key.
pub fn parse_flag(flag: &str) -> Result<Entry, ScenarioError> {
    let place = Place::Flag(format!("--set {flag}"));
    let (key, value) = flag.split_once('=').map(|(key, value)| (key.trim(), value.trim())).unwrap_or_default();
    if key.is_empty() {
        return Err(ScenarioError::new(&place, "no key").expected("`key=value`, such as `connections=4`"));
    }
    let read = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = read.filter(|value| !value.is_table()).unwrap_or_else(|| Value::String(value.to_string()));
    Ok(Entry { key: key.to_string(), value, key_at: place.clone(), value_at: place })
}

struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

fn flatten(source: &Source<'_>, prefix: &str, table: &DeTable<'_>, into: &mut Vec<Entry>) -> Result<(), ScenarioError> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(source, &name, inner, into)?;
            continue;
        }
        let key_at = Place::in_text(source.name, source.text, key.span().start);
        let value_at = Place::in_text(source.name, source.text, value.span().start);
        let value =
            plain(value.get_ref()).map_err(|problem| ScenarioError::new(&value_at, format!("`{name}` {problem}")))?;
        into.push(Entry { key: name, value, key_at, value_at });
    }
    Ok(())
}

fn plain(value: &DeValue<'_>) -> Result<Value, &'static str> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let value = i64::from_str_radix(number.as_str(), number.radix());
            Value::Integer(value.map_err(|_| "is too large for a number")?)
        }
        DeValue::Float(number) => Value::Float(number.as_str().parse().map_err(|_| "is no number")?),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => return Err("is a date, and no key takes one"),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| plain(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(_) => return Err("holds a table inside a list, and no key takes one"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_dotted_keys_with_places() {
        let entries = parse("a.toml", "about = \"x\"\n[disk]\nread-eio = \"1/9\"\n").unwrap();
        let show = |entry: &Entry| format!("{} {} {}", entry.key, entry.value, entry.value_at);
        let shown: Vec<_> = entries.iter().map(show).collect();
        assert_eq!(shown, ["about \"x\" a.toml:1:9", "disk.read-eio \"1/9\" a.toml:3:12"]);
    }

    #[test]
    fn what_is_no_scenario_text_is_refused_with_its_place() {
        let check = |text: &str, expected: &str| assert_eq!(parse("a.toml", text).unwrap_err().to_string(), expected);
        check("x = ", "a.toml:1:5: not TOML: string values must be quoted, expected literal string");
        check("x = 1\nx = 2\n", "a.toml:2:1: not TOML: duplicate key");
        check("x = 99999999999999999999", "a.toml:1:5: `x` is too large for a number");
        check("[t]\nx = 2020-01-01", "a.toml:2:5: `t.x` is a date, and no key takes one");
        check("x = [{}]", "a.toml:1:5: `x` holds a table inside a list, and no key takes one");
        let long = format!("#{}", "x".repeat(TEXT_MAX));
        check(&long, "a.toml:1:1: the scenario is 1048577 bytes long: expected at most 1048576 bytes");
    }

    #[test]
    fn a_flag_is_read_as_toml_and_else_as_a_word() {
        let check = |flag: &str, expected: &str| {
            let shown = match parse_flag(flag) {
                Ok(entry) => format!("{} = {}", entry.key, entry.value),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        };
        check("connections=4", "connections = 4");
        check("disk.read-eio=1/1000", "disk.read-eio = \"1/1000\"");
        check("key-choice = [\"hot\", \"cold\"]", "key-choice = [\"hot\", \"cold\"]");
        check("x", "--set x: no key: expected `key=value`, such as `connections=4`");
        check("=4", "--set =4: no key: expected `key=value`, such as `connections=4`");
    }
}
