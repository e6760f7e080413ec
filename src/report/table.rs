//! The interleaving as a table: one row per turn in which an operation begins or ends, a value is read or
//! written, an I/O is issued or completed, or a fault strikes; a column per connection, and one for I/O and faults.
//!
//! People are shown fewer: an I/O that is reported in the turn after it was issued, or right after others of that
//! turn, has no line of its own but stands in the line in which it was issued.
//!
//! Opening, setting up and reading back are the same in every run, so of these only the operations that the
//! finding names are shown, and what went wrong; how many rows that leaves out is counted. The table does not
//! find out what is necessary: it is told, as turns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::words::{call_text, crash_text, io_outcome_text, io_text, is_read, outcome_text, touch_text};
use crate::aio::IoKind;
use crate::scenario::StoredFinding;
use crate::tape::{Actor, ENGINE};
use crate::trace::{Fact, Trace, What};

/// A table has at most so many rows, those up to the violation; what is left out is counted.
pub const ROWS_MAX: usize = 2_000;

/// So many of them come after the last that is marked.
const ROWS_AFTER: usize = 100;

/// Which turns are marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Turns without which the failure does not happen: ★.
    pub necessary: BTreeSet<u64>,
    /// Turns at which the violation shows: ✗.
    pub violated: BTreeSet<u64>,
}

/// The interleaving of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The connections that did something, in order; the column of I/O and faults comes after them.
    pub columns: Vec<Column>,
    /// The rows, in the order of time.
    pub rows: Vec<Row>,
    /// Rows left out because they belong to opening, setting up and reading back.
    pub omitted: usize,
    /// Rows left out because there were more than [`ROWS_MAX`].
    pub cut: usize,
}

/// A connection's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The connection's name, such as `c0`; `engine` for what the engine and the set-up do.
    pub name: String,
}

/// What happened in one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The turn.
    pub turn: u64,
    /// Whose turn it was.
    pub actor: String,
    /// What the connections did, one text for each column; empty where nothing happened.
    pub cells: Vec<String>,
    /// What I/O and faults did.
    pub io: String,
    /// Faults and crashes that struck.
    pub faults: Vec<String>,
    /// The failure does not happen without this turn.
    pub necessary: bool,
    /// Here the violation shows.
    pub violated: bool,
    /// It says no more than that I/Os of the line before are done, and people see it there.
    #[serde(default)]
    pub folded: bool,
}

impl Marks {
    /// Marks where the finding shows: at the answers of its operations that came last, else at its own turn.
    #[must_use]
    pub fn of(finding: &StoredFinding, trace: &Trace) -> Self {
        let returned = trace.facts.iter().filter_map(|fact| match &fact.what {
            What::Return { op, .. } if finding.ops.contains(&op.0) => Some(fact.turn),
            _ => None,
        });
        let violated = returned.max().unwrap_or(finding.turn);
        Self { necessary: BTreeSet::new(), violated: BTreeSet::from([violated]) }
    }

    /// Adds the turns without which the failure does not happen.
    #[must_use]
    pub fn necessary(mut self, turns: impl IntoIterator<Item = u64>) -> Self {
        self.necessary.extend(turns);
        self
    }
}

/// A row while it is filled.
#[derive(Default)]
struct Draft {
    actor: Option<Actor>,
    cells: BTreeMap<u16, Vec<String>>,
    io: Vec<String>,
    faults: Vec<String>,
    /// It is shown also outside the run proper.
    matters: bool,
    in_run: bool,
}

/// What has to be remembered from one fact to later ones.
struct Fill<'a> {
    finding: &'a StoredFinding,
    rows: BTreeMap<u64, Draft>,
    calls: BTreeMap<u32, (String, bool, u64)>,
    ios: BTreeMap<Actor, (IoKind, Arc<str>, u64, u64)>,
    in_run: bool,
}

impl Table {
    /// The table of a run.
    #[must_use]
    pub fn new(trace: &Trace, finding: &StoredFinding, marks: &Marks) -> Self {
        let mut fill =
            Fill { finding, rows: BTreeMap::new(), calls: BTreeMap::new(), ios: BTreeMap::new(), in_run: false };
        trace.facts.iter().for_each(|fact| fill.fact(fact));
        let marked = |turn: &u64| marks.violated.contains(turn) || marks.necessary.contains(turn);
        marks.necessary.iter().for_each(|turn| fill.goes_on(*turn));
        let rows = fill.rows.into_iter().filter(|(_, row)| !row.is_empty());
        let (shown, left_out): (Vec<_>, Vec<_>) =
            rows.partition(|(turn, row)| row.in_run || row.matters || marked(turn));
        let cut = shown.len().saturating_sub(ROWS_MAX);
        // What is kept ends some rows after the last that is marked.
        let last_marked = shown.iter().rposition(|(turn, _)| marked(turn)).unwrap_or(shown.len());
        let begin = cut.min((last_marked + ROWS_AFTER).saturating_sub(ROWS_MAX));
        let shown = &shown[begin..shown.len().min(begin + ROWS_MAX)];
        let ids: BTreeSet<u16> = shown.iter().flat_map(|(_, row)| row.cells.keys().copied()).collect();
        let columns = ids.iter().map(|&id| Column { name: Actor::Connection(id).to_string() }).collect();
        let mut rows: Vec<Row> = shown.iter().map(|(turn, draft)| draft.finish(*turn, &ids, marks)).collect();
        fold(&mut rows);
        Self { columns, rows, omitted: left_out.len(), cut }
    }

    /// The rows as people see them: what is folded stands in the row before.
    #[must_use]
    pub fn lines(&self) -> Vec<Row> {
        let mut lines: Vec<Row> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            match lines.last_mut().filter(|_| row.folded) {
                None => lines.push(row.clone()),
                Some(line) => {
                    let io = row.io.strip_suffix(DONE).unwrap_or(&row.io);
                    line.io = line.io.replacen(&issued(io), &format!("{io}, done in turn {}", row.turn), 1);
                }
            }
        }
        lines
    }

    /// The table in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("| turn |");
        let names = || self.columns.iter().map(|column| column.name.as_str()).chain(["I/O and faults"]);
        names().for_each(|name| text += &format!(" {} |", escape(name)));
        text += "\n|---:|";
        names().for_each(|_| text += "---|");
        text.push('\n');
        for row in &self.lines() {
            let _ = write!(text, "| {}{} |", row.marks(), row.turn);
            row.texts().for_each(|cell| text += &format!(" {} |", escape(cell)));
            text.push('\n');
        }
        text + &self.note()
    }

    /// The table in plain text, its columns aligned.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut lines = vec![vec!["turn".to_string(), String::new()]];
        lines[0].extend(self.columns.iter().map(|column| column.name.clone()));
        lines[0].push("I/O and faults".to_string());
        for row in &self.lines() {
            let mut line = vec![row.turn.to_string(), row.marks().trim_end().to_string()];
            line.extend(row.texts().map(ToString::to_string));
            lines.push(line);
        }
        let count = lines[0].len();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let mut shown = String::new();
            for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                match at {
                    0 => shown += &format!("{pad}{cell}"),
                    _ => shown += &format!("  {cell}{pad}"),
                }
            }
            text += shown.trim_end();
            text.push('\n');
        }
        text + &self.note()
    }

    /// What is not shown, and what the marks mean.
    #[must_use]
    pub fn note(&self) -> String {
        let mut notes = Vec::new();
        if self.rows.iter().any(|row| row.necessary) {
            notes.push("★ the failure does not happen without it".to_string());
        }
        if self.rows.iter().any(|row| row.violated) {
            notes.push("✗ here it shows".to_string());
        }
        if self.omitted > 0 {
            notes.push(format!("{} turns of opening, setting up and reading back are not shown", self.omitted));
        }
        if self.cut > 0 {
            notes.push(format!("{} more rows are cut off", self.cut));
        }
        if notes.is_empty() { String::new() } else { format!("\n{}\n", notes.join("; ")) }
    }
}

impl Row {
    fn marks(&self) -> &'static str {
        match (self.necessary, self.violated) {
            (true, true) => "★✗ ",
            (true, false) => "★ ",
            (false, true) => "✗ ",
            (false, false) => "",
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(String::as_str).chain([self.io.as_str()])
    }
}

/// How a row ends that says no more than that an I/O is done.
const DONE: &str = ": done";

/// What the row says in which an I/O was issued.
fn issued(io: &str) -> String {
    format!("{io} issued")
}

/// Marks the rows that people see in the row before: nothing but the end of an I/O that was issued there, with no turn
/// in between but those of its like.
fn fold(rows: &mut [Row]) {
    // The line that is open, the last turn in it, and the I/Os issued there that are still in flight.
    let mut open: (u64, Vec<String>) = (0, Vec::new());
    for row in rows {
        let (turn, flying) = &mut open;
        let bare = row.cells.iter().all(String::is_empty) && row.faults.is_empty() && !row.necessary && !row.violated;
        let done = row.io.strip_suffix(DONE).filter(|_| bare && row.turn == *turn + 1);
        let place = done.and_then(|io| flying.iter().position(|issued| issued == io));
        *turn = row.turn;
        match place {
            Some(place) => {
                flying.remove(place);
                row.folded = true;
            }
            None => {
                *flying = row.io.split("; ").filter_map(|io| io.strip_suffix(" issued")).map(String::from).collect()
            }
        }
    }
}

/// Text in a cell of a Markdown table: nothing in it may end the cell, or be taken for markup.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.cells.values().all(Vec::is_empty) && self.io.is_empty()
    }

    fn finish(&self, turn: u64, ids: &BTreeSet<u16>, marks: &Marks) -> Row {
        let cell = |id: &u16| self.cells.get(id).map(|parts| parts.join("; ")).unwrap_or_default();
        Row {
            turn,
            actor: self.actor.map(|actor| actor.to_string()).unwrap_or_default(),
            cells: ids.iter().map(cell).collect(),
            io: self.io.join("; "),
            faults: self.faults.clone(),
            necessary: marks.necessary.contains(&turn),
            violated: marks.violated.contains(&turn),
            folded: false,
        }
    }
}

impl Fill<'_> {
    fn row(&mut self, turn: u64) -> &mut Draft {
        let in_run = self.in_run;
        let row = self.rows.entry(turn).or_default();
        row.in_run |= in_run;
        row
    }

    /// A turn in which nothing is seen from outside, and which is shown because the failure needs it.
    fn goes_on(&mut self, turn: u64) {
        let Some(row) = self.rows.get_mut(&turn).filter(|row| row.is_empty()) else { return };
        match row.actor {
            Some(Actor::Connection(connection)) => row.cells.entry(connection).or_default().push("goes on".to_string()),
            Some(actor) => row.io.push(format!("turn of {actor}")),
            None => {}
        }
    }

    fn cell(&mut self, turn: u64, connection: u16, text: String) {
        self.row(turn).cells.entry(connection).or_default().push(text);
    }

    fn fact(&mut self, fact: &Fact) {
        let turn = fact.turn;
        match &fact.what {
            What::Phase { name } => self.in_run = *name == "run",
            What::Turn { actor, touches, pumped: false, .. } => {
                self.row(turn).actor = Some(*actor);
                if let (Actor::Connection(connection), Some(text)) = (actor, touch_text(touches))
                    && *connection != ENGINE
                {
                    self.cell(turn, *connection, text);
                }
            }
            What::Invoke { op, connection, call, .. } => {
                let text = call_text(call);
                self.calls.insert(op.0, (text.clone(), is_read(call), turn));
                self.names(turn, op.0);
                self.cell(turn, *connection, text);
            }
            What::Return { op, connection, outcome, abandoned, .. } => {
                self.returned(turn, op.0, *connection, |is_read| match abandoned {
                    true => "abandoned".to_string(),
                    false => outcome_text(outcome, is_read),
                });
            }
            What::CutOff { op, connection } => {
                self.returned(turn, op.0, *connection, |_| "cut off, in doubt".to_string());
            }
            What::Ended { reason } => {
                self.row(turn).io.push(reason.clone());
                self.row(turn).matters = true;
            }
            What::Recovered => {
                self.row(turn).io.push("recovered".to_string());
                self.row(turn).matters = true;
            }
            what => self.disk_fact(turn, what),
        }
    }

    fn disk_fact(&mut self, turn: u64, what: &What) {
        match what {
            What::Submit { io, kind, path, offset, len, slow_until } => {
                self.ios.insert(*io, (*kind, Arc::clone(path), *offset, *len));
                self.row(turn).io.push(format!("{} issued", io_text(*kind, path, *offset, *len)));
                if let Some(tick) = slow_until {
                    self.fault(turn, format!("slow until tick {tick}"));
                }
            }
            What::Apply { io, fault } => self.io(turn, io, "takes effect", *fault),
            What::Complete { io, outcome, fault } => {
                let (kind, len) = self.ios.get(io).map_or((None, 0), |(kind, .., len)| (Some(*kind), *len));
                self.io(turn, io, &io_outcome_text(kind, len, outcome), *fault);
            }
            What::Abort { io, applied } => {
                let what = if *applied { "took effect, never reported" } else { "in flight at the crash" };
                self.io(turn, io, what, None);
            }
            What::Crash { report } => self.fault(turn, crash_text(report)),
            What::JobDone { job, problems } if !problems.is_empty() => {
                self.row(turn).io.push(format!("{job}: {}", problems.join(", ")));
                self.row(turn).matters = true;
            }
            _ => {}
        }
    }

    fn io(&mut self, turn: u64, io: &Actor, what: &str, fault: Option<&'static str>) {
        let name = self
            .ios
            .get(io)
            .map_or_else(|| io.to_string(), |(kind, path, offset, len)| io_text(*kind, path, *offset, *len));
        self.row(turn).io.push(format!("{name}: {what}"));
        if let Some(fault) = fault {
            self.fault(turn, fault.to_string());
        }
    }

    fn fault(&mut self, turn: u64, fault: String) {
        let row = self.row(turn);
        row.matters = true;
        row.io.push(format!("⚡ {fault}"));
        row.faults.push(fault);
    }

    /// An operation ends; in the turn in which it began, its answer goes with what was asked.
    fn returned(&mut self, turn: u64, op: u32, connection: u16, outcome: impl Fn(bool) -> String) {
        let (call, is_read, began) = self.calls.get(&op).cloned().unwrap_or_default();
        let answer = outcome(is_read);
        self.names(turn, op);
        let parts = self.row(turn).cells.entry(connection).or_default();
        match parts.last_mut() {
            Some(last) if began == turn && *last == call => *last = format!("{call} → {answer}"),
            _ => parts.push(format!("{} → {answer}", call.split(' ').next().unwrap_or_default())),
        }
    }

    /// A row with an operation that the finding names is shown whatever part of the run it belongs to.
    fn names(&mut self, turn: u64, op: u32) {
        let named = self.finding.ops.contains(&op);
        self.row(turn).matters |= named;
    }
}
