//! Histories as files: own JSON lines, Jepsen's EDN, Jepsen's JSON; both ways.
//!
//! The form is recognised by content, never by the file's name. The order of events is that of the
//! file; times written by clocks are ignored. Invariant: whatever is not understood is an error with
//! the line and what was expected, so that nothing is judged that was not read.

mod data;
mod jepsen;
mod own;
mod write;

pub use write::{edn, json, own_lines, txns_edn, txns_json, txns_own_lines};

use data::{Datum, Reader};

use super::history::History;
use super::txn::TxnHistory;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {expected}")]
pub struct FormatError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: String,
}

/// The forms a file can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One operation a line, `{"p":7,"call":1,"ret":3,"f":"write","k":"x","v":1}`.
    Own,
    /// Jepsen's events as EDN, one map a line or one vector.
    Edn,
    /// Jepsen's events as JSON, one object a line or one array.
    Json,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Single operations.
    Operations(History),
    /// Transactions on lists or registers.
    Transactions(TxnHistory),
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The form it had.
    pub form: Form,
    /// What it holds.
    pub content: Content,
    /// Per operation or transaction the line on which it begins.
    pub lines: Vec<u32>,
}

/// A position of the text and what was expected there.
type Fault = (usize, String);

/// Reads a history from a text; `file` is only for messages.
///
/// # Errors
/// The first thing that is not as expected, with its line.
pub fn read(file: &str, text: &str) -> Result<Loaded, FormatError> {
    load(text).map_err(|(at, expected)| FormatError { file: file.into(), line: line_of(text, at), expected })
}

fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Lines of ascending positions, in one pass.
fn lines_of(text: &str, positions: &[usize]) -> Vec<u32> {
    let mut lines = Vec::with_capacity(positions.len());
    let (mut at, mut line) = (0, 1u32);
    for &position in positions {
        let between = text.as_bytes().get(at.min(position)..position).unwrap_or(&[]);
        line += between.iter().filter(|&&byte| byte == b'\n').count() as u32;
        at = at.max(position);
        lines.push(line);
    }
    lines
}

fn load(text: &str) -> Result<Loaded, Fault> {
    let mut reader = Reader::new(text);
    let mut inside = reader.enter_vector();
    let Some(first) = reader.peek()? else {
        return Err((0, "expected a history, but there is nothing".into()));
    };
    let Datum::Map(entries) = &first else {
        return Err((reader.at(), "expected a map of one operation or event".into()));
    };
    let has = |name: &str| entries.iter().any(|entry| entry.0.is_name(name));
    let is_json = matches!(entries.first(), Some((Datum::Text(_), _)));
    let (form, own) = match (has("type"), has("call"), is_json) {
        (true, _, false) => (Form::Edn, false),
        (true, _, true) => (Form::Json, false),
        (false, true, _) => (Form::Own, true),
        _ => {
            let expected = "expected an operation with \"p\", \"call\" and \"f\", or an event \
                            with :type, :process and :value";
            return Err((reader.at(), expected.into()));
        }
    };
    let mut builder = if own { Builder::Own(Box::default()) } else { Builder::Jepsen(Box::default()) };
    loop {
        reader.skip();
        let at = reader.at();
        if inside && reader.leave_vector() {
            inside = false;
            continue;
        }
        let Some(datum) = reader.next_datum()? else {
            break;
        };
        let Datum::Map(entries) = datum else {
            return Err((at, "expected a map of one operation or event".into()));
        };
        match &mut builder {
            Builder::Own(own) => own.add(at, &entries)?,
            Builder::Jepsen(jepsen) => jepsen.add(at, entries)?,
        }
    }
    if inside {
        return Err((text.len(), "expected the vector's end".into()));
    }
    let (content, positions) = match builder {
        Builder::Own(own) => own.finish()?,
        Builder::Jepsen(jepsen) => jepsen.finish()?,
    };
    Ok(Loaded { form, content, lines: lines_of(text, &positions) })
}

enum Builder<'a> {
    Own(Box<own::Builder>),
    Jepsen(Box<jepsen::Builder<'a>>),
}
