//! Values of JSON and EDN, read by one reader.
//!
//! It is no complete reader of either: ratios, characters and tagged literals other than records are
//! refused with a message, because no history has them. Invariant: a datum borrows from the text
//! wherever no escape makes that impossible.

use std::borrow::Cow;

use super::Fault;
use crate::judge::value::{Value, Values};

/// Deepest nesting; a history needs five.
const DEPTH_MAX: u32 = 64;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    /// `:name` or a bare word.
    Name(&'a str),
    List(Vec<Datum<'a>>),
    Map(Vec<(Datum<'a>, Datum<'a>)>),
}

impl<'a> Datum<'a> {
    /// Whether it is this name, as a keyword or a text.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.name() == Some(name)
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Datum::Name(name) => Some(name),
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Datum::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Datum<'a>]> {
        match self {
            Datum::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Datum<'a>> {
        match self {
            Datum::Map(entries) => get(entries, name),
            _ => None,
        }
    }

    /// The value in a table; `None` for a map.
    pub(super) fn value(&self, values: &mut Values) -> Option<Value> {
        Some(match self {
            Datum::Nil => Value::Null,
            Datum::Bool(b) => Value::Bool(*b),
            Datum::Int(n) => Value::Int(*n),
            Datum::Text(text) => values.text(text),
            Datum::Name(name) => values.text(name),
            Datum::List(items) => {
                let items: Option<Vec<Value>> = items.iter().map(|item| item.value(values)).collect();
                values.list(&items?)
            }
            Datum::Map(_) => return None,
        })
    }
}

/// The value of a name in a map's entries.
pub(super) fn get<'m, 'a>(entries: &'m [(Datum<'a>, Datum<'a>)], name: &str) -> Option<&'m Datum<'a>> {
    let entry = entries.iter().find(|entry| entry.0.is_name(name));
    entry.map(|entry| &entry.1)
}

/// Reads one datum after the other.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips blanks, commas and comments.
    #[inline]
    pub(super) fn skip(&mut self) {
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' | b',' => self.at += 1,
                b';' => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => break,
            }
        }
    }

    /// Goes into a vector of maps, if the text begins with one.
    pub(super) fn enter_vector(&mut self) -> bool {
        self.skip();
        let enters = matches!(self.byte(), Some(b'[' | b'('));
        self.at += usize::from(enters);
        enters
    }

    /// Goes out of it, if this is its end.
    pub(super) fn leave_vector(&mut self) -> bool {
        let leaves = matches!(self.byte(), Some(b']' | b')'));
        self.at += usize::from(leaves);
        leaves
    }

    /// The next datum without passing it.
    pub(super) fn peek(&self) -> Result<Option<Datum<'a>>, Fault> {
        let mut ahead = self.clone();
        ahead.skip();
        if matches!(ahead.byte(), Some(b']' | b')')) {
            return Ok(None);
        }
        ahead.next_datum()
    }

    /// The next datum; `None` at the end of the text.
    pub(super) fn next_datum(&mut self) -> Result<Option<Datum<'a>>, Fault> {
        self.skip();
        if self.byte().is_none() {
            return Ok(None);
        }
        self.datum(0).map(Some)
    }

    fn datum(&mut self, depth: u32) -> Result<Datum<'a>, Fault> {
        self.skip();
        let start = self.at;
        if depth > DEPTH_MAX {
            return Err((start, format!("expected at most {DEPTH_MAX} levels of nesting")));
        }
        let Some(byte) = self.byte() else {
            return Err((start, "expected a value, but the text ends".into()));
        };
        match byte {
            b'{' => self.map(depth),
            b'[' | b'(' => self.list(if byte == b'[' { b']' } else { b')' }, depth),
            b'"' => self.string(),
            b':' => {
                self.at += 1;
                match self.word() {
                    "" => Err((start, "expected a name after :".into())),
                    name => Ok(Datum::Name(name)),
                }
            }
            b'#' => self.tagged(depth),
            b'-' | b'+' | b'0'..=b'9' => self.number(),
            _ => match self.word() {
                "nil" | "null" => Ok(Datum::Nil),
                "true" => Ok(Datum::Bool(true)),
                "false" => Ok(Datum::Bool(false)),
                "" => {
                    let found = self.text[start..].chars().next().unwrap_or(' ');
                    Err((start, format!("expected a value, not {found:?}")))
                }
                word => Ok(Datum::Name(word)),
            },
        }
    }

    fn word(&mut self) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' | b',' | b'{' | b'}' | b'[' | b']' | b'(' | b')' | b'"' | b';' | b':' => {
                    break;
                }
                _ => self.at += 1,
            }
        }
        &self.text[start..self.at]
    }

    fn number(&mut self) -> Result<Datum<'a>, Fault> {
        let start = self.at;
        let word = self.word();
        match word.strip_suffix('N').unwrap_or(word).parse() {
            Ok(number) => Ok(Datum::Int(number)),
            Err(_) => Err((start, format!("expected a whole number of 64 bits, not {word}"))),
        }
    }

    /// A set `#{…}` or a record `#some.Class{…}`, as what is inside.
    fn tagged(&mut self, depth: u32) -> Result<Datum<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let tag = self.word();
        match (tag, self.byte()) {
            ("", Some(b'{')) => self.list(b'}', depth),
            (_, Some(b'{')) if !tag.is_empty() => self.map(depth),
            _ => Err((start, "expected a set or a record after #".into())),
        }
    }

    fn list(&mut self, end: u8, depth: u32) -> Result<Datum<'a>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip();
            match self.byte() {
                Some(byte) if byte == end => {
                    self.at += 1;
                    return Ok(Datum::List(items));
                }
                Some(_) => items.push(self.datum(depth + 1)?),
                None => return Err((self.at, format!("expected {:?}", char::from(end)))),
            }
        }
    }

    fn map(&mut self, depth: u32) -> Result<Datum<'a>, Fault> {
        self.at += 1;
        let mut entries = Vec::with_capacity(8);
        loop {
            self.skip();
            match self.byte() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Datum::Map(entries));
                }
                Some(_) => {
                    let key = self.datum(depth + 1)?;
                    self.skip();
                    // JSON has a colon here. EDN could only have one when a text is the key and a
                    // keyword the value, which no history has.
                    if matches!(key, Datum::Text(_)) && self.byte() == Some(b':') {
                        self.at += 1;
                    }
                    let value = self.datum(depth + 1)?;
                    entries.push((key, value));
                }
                None => return Err((self.at, "expected '}'".into())),
            }
        }
    }

    fn string(&mut self) -> Result<Datum<'a>, Fault> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Datum::Text(Cow::Borrowed(text)));
                }
                b'\\' => break,
                _ => self.at += 1,
            }
        }
        // There is an escape: find the end and let the JSON library take it apart.
        while self.at < bytes.len() && bytes[self.at] != b'"' {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        if self.at >= bytes.len() {
            return Err((open, "expected the end of this text".into()));
        }
        self.at += 1;
        serde_json::from_str(&self.text[open..self.at])
            .map(|text: String| Datum::Text(Cow::Owned(text)))
            .map_err(|_| (open, "expected a text with JSON's escapes".into()))
    }
}
