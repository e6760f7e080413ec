//! How facts are said: one wording for the table, the page and the exports.

use std::sync::Arc;

use crate::aio::{CompletionError, IoKind, Resource};
use crate::disk::sim::CrashReport;
use crate::history::{Call, Datum, Outcome};

/// An operation as people would write it: `write k0001 c0.3.0`.
#[must_use]
pub fn call_text(call: &Call) -> String {
    let mut text = call.f.to_string();
    if let Some(key) = &call.key {
        text += &format!(" {key}");
    }
    match &call.arg {
        Datum::Null => {}
        arg => text += &format!(" {arg}"),
    }
    text
}

/// How an operation ended: `ok`, its answer, or why not.
#[must_use]
pub fn outcome_text(outcome: &Outcome, is_read: bool) -> String {
    match outcome {
        Outcome::Ok(Datum::Null) if !is_read => "ok".to_string(),
        Outcome::Ok(value) => value.to_string(),
        Outcome::Refused(class) => format!("refused: {class}"),
        Outcome::Unknown(class) => format!("in doubt: {class}"),
    }
}

/// Whether an answer of nothing means that nothing was there.
pub(super) fn is_read(call: &Call) -> bool {
    matches!(call.f, "read" | "pop" | "dequeue" | "scan" | "get" | "peek")
}

/// What an I/O does: `write wal 0+4096`, `sync wal`.
#[must_use]
pub fn io_text(kind: IoKind, path: &Arc<str>, offset: u64, len: u64) -> String {
    match kind {
        IoKind::Read | IoKind::Write => format!("{kind} {path} {offset}+{len}"),
        IoKind::Truncate => format!("truncate {path} to {offset}"),
        IoKind::Sync => format!("sync {path}"),
        IoKind::Directory => format!("change directory entry {path}"),
        IoKind::SyncDirectory => format!("sync directory {}", if path.is_empty() { "/" } else { path }),
    }
}

/// What came of an I/O: a number of bytes where it matters, or the error.
pub(super) fn io_outcome_text(kind: Option<IoKind>, len: u64, outcome: &Result<usize, CompletionError>) -> String {
    match outcome {
        Ok(bytes) if matches!(kind, Some(IoKind::Read | IoKind::Write)) && *bytes as u64 != len => {
            format!("done, {bytes} bytes")
        }
        Ok(_) => "done".to_string(),
        Err(error) => error.io_kind().map_or_else(|| error.to_string(), |kind| kind.name().to_string()),
    }
}

/// What a connection's turn touches, when its author gave it a name.
pub(super) fn touch_text(touches: &Resource) -> Option<String> {
    match touches {
        Resource::Named { name, index, write: false } => Some(format!("reads {name} {index}")),
        Resource::Named { name, index, write: true } => Some(format!("changes {name} {index}")),
        Resource::Unknown | Resource::File { .. } => None,
    }
}

/// A crash in one line.
pub(super) fn crash_text(report: &CrashReport) -> String {
    report.to_string().replace('\n', "; ")
}

/// Text in HTML and XML, without what XML cannot hold.
pub(super) fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push(' '),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}
