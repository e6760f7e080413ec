//! Values as the judges see them: small, copyable, compared by identity.
//!
//! Texts and lists are interned in [`Values`], so a [`Value`] is sixteen bytes and equality is one
//! comparison. A value means nothing without the table it came from. There are no floating-point
//! numbers: equality is all a judge needs, and they do not have one to rely on.

use std::sync::Arc;

use serde_json::Value as Json;

use super::hash::Map;

/// One value of an operation. Texts and lists are numbers into a [`Values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing: an unset register, an empty queue's answer.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text of the table.
    Text(u32),
    /// A list of the table.
    List(u32),
}

impl Value {
    /// The whole number, if it is one.
    #[must_use]
    pub fn int(self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(n),
            _ => None,
        }
    }

    /// Whether it is [`Value::Null`].
    #[must_use]
    pub fn is_null(self) -> bool {
        self == Value::Null
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

/// The table of interned texts and lists of one history. Equal contents get equal numbers.
#[derive(Debug, Clone, Default)]
pub struct Values {
    texts: Vec<Arc<str>>,
    text_ids: Map<Arc<str>, u32>,
    lists: Vec<Arc<[Value]>>,
    list_ids: Map<Arc<[Value]>, u32>,
}

impl Values {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a text.
    pub fn text(&mut self, text: &str) -> Value {
        Value::Text(self.text_id(text))
    }

    /// The number of a text; keys are such numbers.
    pub fn text_id(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.text_ids.get(text) {
            return id;
        }
        let id = u32::try_from(self.texts.len()).expect("fewer than 2^32 texts");
        let shared: Arc<str> = text.into();
        self.texts.push(shared.clone());
        self.text_ids.insert(shared, id);
        id
    }

    /// The value of a list.
    pub fn list(&mut self, items: &[Value]) -> Value {
        if let Some(&id) = self.list_ids.get(items) {
            return Value::List(id);
        }
        let id = u32::try_from(self.lists.len()).expect("fewer than 2^32 lists");
        let shared: Arc<[Value]> = items.into();
        self.lists.push(shared.clone());
        self.list_ids.insert(shared, id);
        Value::List(id)
    }

    /// The text with this number.
    ///
    /// # Panics
    /// When the number is not of this table.
    #[must_use]
    pub fn text_of(&self, id: u32) -> &str {
        &self.texts[id as usize]
    }

    /// The items of a list; `None` for any other value.
    #[must_use]
    pub fn items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::List(id) => Some(&self.lists[id as usize]),
            _ => None,
        }
    }

    /// The two items of a list of two.
    #[must_use]
    pub fn pair(&self, value: Value) -> Option<(Value, Value)> {
        match self.items(value)? {
            &[first, second] => Some((first, second)),
            _ => None,
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self, value: Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(b),
            Value::Int(n) => Json::from(n),
            Value::Text(id) => Json::from(self.text_of(id)),
            Value::List(id) => self.lists[id as usize].iter().map(|&item| self.to_json(item)).collect(),
        }
    }

    /// The value of a JSON value; `None` for fractions, objects, and numbers beyond 64 bits.
    pub fn from_json(&mut self, json: &Json) -> Option<Value> {
        Some(match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => Value::Int(n.as_i64()?),
            Json::String(text) => self.text(text),
            Json::Array(items) => {
                let items: Option<Vec<Value>> = items.iter().map(|item| self.from_json(item)).collect();
                self.list(&items?)
            }
            Json::Object(_) => return None,
        })
    }

    /// The value as a reader wants it: `null`, `7`, `a text`, `[1 2 3]`.
    #[must_use]
    pub fn show(&self, value: Value) -> String {
        match value {
            Value::Null => "null".into(),
            Value::Bool(b) => b.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Text(id) => self.text_of(id).into(),
            Value::List(id) => {
                let items: Vec<String> = self.lists[id as usize].iter().map(|&item| self.show(item)).collect();
                format!("[{}]", items.join(" "))
            }
        }
    }
}
