//! Chrome's trace events as JSON: an array of `X` and `i` events, with names for the tracks.

use serde_json::{Value, json};

use super::spans::Picture;
use crate::report::rows::Rows;

/// The trace as Chrome's JSON.
#[must_use]
pub fn chrome(rows: &Rows) -> String {
    let picture = Picture::new(rows);
    let mut events: Vec<Value> = Vec::new();
    for (at, track) in picture.tracks.iter().enumerate() {
        let name = match track.parent {
            Some(parent) => format!("{} · {}", picture.tracks[parent].name, track.name),
            None => track.name.clone(),
        };
        events.push(json!({ "ph": "M", "pid": 1, "tid": at + 1, "name": "thread_name", "args": { "name": name } }));
        events.push(
            json!({ "ph": "M", "pid": 1, "tid": at + 1, "name": "thread_sort_index", "args": { "sort_index": at } }),
        );
    }
    for span in &picture.spans {
        let (tid, ts) = (span.track + 1, span.start);
        events.push(if span.end == span.start {
            json!({ "ph": "i", "s": "g", "pid": 1, "tid": tid, "ts": ts, "name": span.name, "cat": span.category })
        } else {
            let duration = span.end - span.start;
            json!({ "ph": "X", "pid": 1, "tid": tid, "ts": ts, "dur": duration, "name": span.name, "cat": span.category })
        });
    }
    let text = serde_json::to_string(&json!({ "traceEvents": events, "displayTimeUnit": "ns" }));
    text.expect("events are plain text and numbers") + "\n"
}
