//! How things stand after a turn: what every connection is in, what is in flight, how long files are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::table::{Marks, Table};
use super::words::{call_text, io_text, outcome_text};
use crate::disk::sim::FileShape;
use crate::scenario::StoredFinding;
use crate::tape::Actor;
use crate::trace::{Trace, What};

/// So many rows of the interleaving are shown before it.
const ROWS_SHOWN: usize = 12;

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// The turn.
    pub turn: u64,
    /// Whose turn it was.
    pub actor: String,
    /// Who could have had it.
    pub enabled: Vec<String>,
    /// What each connection is in or has done last.
    pub connections: BTreeMap<String, String>,
    /// I/Os in flight, with whether they have taken effect.
    pub in_flight: BTreeMap<String, String>,
    /// Files.
    pub files: BTreeMap<String, String>,
    /// What the engine holds in memory, where it tells.
    pub engine: BTreeMap<String, String>,
    /// The interleaving up to here.
    #[serde(skip)]
    table: Table,
}

impl Stand {
    /// After `turn`, or after the last turn when there are fewer.
    #[must_use]
    pub fn new(trace: &Trace, finding: &StoredFinding, turn: u64) -> Self {
        let end = trace.facts.partition_point(|fact| fact.turn <= turn);
        let facts = trace.facts[..end].iter().filter(|fact| !matches!(fact.what, What::Ended { .. })).cloned();
        let trace = Trace { level: trace.level, facts: facts.collect() };
        let mut stand = Self { turn: trace.last_turn(), ..Self::default() };
        trace.facts.iter().for_each(|fact| stand.fact(&fact.what));
        let mut table = Table::new(&trace, finding, &Marks::default());
        let cut = table.rows.len().saturating_sub(ROWS_SHOWN);
        table.cut += cut;
        table.rows.drain(..cut);
        stand.table = table;
        stand
    }

    fn fact(&mut self, what: &What) {
        let name = |connection: &u16| Actor::Connection(*connection).to_string();
        match what {
            What::Turn { actor, enabled, .. } => {
                self.actor = actor.to_string();
                self.enabled = enabled.iter().map(ToString::to_string).collect();
            }
            What::Connected { connection, .. } => {
                self.connections.insert(name(connection), "has asked nothing".to_string());
            }
            What::Invoke { connection, call, .. } => {
                self.connections.insert(name(connection), format!("in {}", call_text(call)));
            }
            What::Return { connection, outcome, .. } => {
                let known = self.connections.get(&name(connection)).cloned().unwrap_or_default();
                let call = known.strip_prefix("in ").unwrap_or(&known);
                let call = call.split(", ").next().unwrap_or_default();
                let is_read = call.starts_with("read ") || call.starts_with("pop ");
                self.connections.insert(name(connection), format!("{call} → {}", outcome_text(outcome, is_read)));
            }
            What::Yield { connection, op: Some(_), label, blocked, .. } => {
                let place = label.way();
                let waits = if *blocked { "waiting" } else { "between two steps" };
                if let Some(known) = self.connections.get_mut(&name(connection)) {
                    let call = known.split(", ").next().unwrap_or_default();
                    *known = format!("{call}, {waits} at {}; after that: {}", place, label.resource());
                }
            }
            What::Submit { io, kind, path, offset, len, .. } => {
                self.in_flight.insert(io.to_string(), io_text(*kind, path, *offset, *len));
            }
            What::Apply { io, .. } => {
                if let Some(known) = self.in_flight.get_mut(&io.to_string()) {
                    known.push_str(", has taken effect");
                }
            }
            What::Complete { io, .. } => drop(self.in_flight.remove(&io.to_string())),
            What::Crash { .. } => {
                self.in_flight.clear();
                self.connections.clear();
            }
            What::State { files, gone } => self.state(files, gone),
            What::Engine { changed, gone } => {
                self.engine.extend(changed.iter().cloned());
                gone.iter().for_each(|name| drop(self.engine.remove(name)));
            }
            _ => {}
        }
    }

    fn state(&mut self, files: &[FileShape], gone: &[Arc<str>]) {
        for FileShape { path, len, durable_len, unsynced } in files {
            let text = format!("{len} bytes, {durable_len} durable, {unsynced} changes not synced");
            self.files.insert(path.to_string(), text);
        }
        for path in gone {
            self.files.remove(&**path);
        }
    }

    /// For people.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut text = self.table.plain();
        text += &format!("\nafter turn {}, which {} had\n", self.turn, self.actor);
        let others = self.enabled.iter().filter(|name| **name != self.actor).cloned().collect::<Vec<_>>();
        let others = if others.is_empty() { "nobody".to_string() } else { others.join(", ") };
        text += &format!("  could have had it too: {others}\n");
        let lists = [
            ("", &self.connections),
            ("in flight: ", &self.in_flight),
            ("file ", &self.files),
            ("engine's ", &self.engine),
        ];
        for (title, list) in lists {
            for (name, what) in list {
                text += &format!("  {title}{name}: {what}\n");
            }
        }
        text
    }

    /// For programs: one object.
    #[must_use]
    pub fn json(&self, hash: &str) -> String {
        let value = serde_json::json!({ "v": 1, "type": "stand", "hash": hash, "stand": self });
        value.to_string()
    }
}
