//! The words in which a cell's judges speak: what was asked for, what was found, what is wrong.

use std::collections::BTreeMap;

use crate::history::Datum;
use crate::property::cells::{Cell, Deed, Touch};
use crate::property::digest::{Digest, Fate};

/// Something that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Written<'a> {
    pub(super) op: usize,
    pub(super) unit: usize,
    pub(super) deed: Deed<'a>,
    pub(super) fate: Fate,
    /// It takes effect not before this …
    pub(super) from: i64,
    /// … and not after that.
    pub(super) to: i64,
    /// The engine's own place among the commits of an era.
    order: Option<(u32, u64)>,
    /// An earlier recovery has shown that it is lost.
    pub(super) dead: bool,
    /// After an earlier recovery it was not to be seen, lost or covered: nobody can tell.
    pub(super) excused: bool,
    /// Its own transaction writes the cell again.
    pub(super) overwritten: bool,
}

impl<'a> Written<'a> {
    pub(super) fn new(digest: &Digest<'a>, touch: &Touch<'a>) -> Self {
        let at = digest.ops[touch.op].unit;
        let unit = &digest.units[at];
        Self {
            op: touch.op,
            unit: at,
            deed: touch.deed,
            fate: digest.fate(touch.op),
            from: unit.from,
            to: unit.to,
            order: unit.order.map(|order| (unit.era, order)),
            dead: false,
            excused: false,
            overwritten: false,
        }
    }

    /// Whether it may have happened.
    pub(super) fn possible(&self) -> bool {
        self.fate != Fate::Never && !self.dead
    }

    /// Whether the engine tells which of the two came first.
    pub(super) fn comparable(&self, other: &Self) -> bool {
        matches!((self.order, other.order), (Some(a), Some(b)) if a.0 == b.0)
    }

    /// Whether it took effect before `later` did, if both did.
    pub(super) fn before(&self, later: &Self) -> bool {
        if self.comparable(later) { self.order < later.order } else { self.to < later.from }
    }
}

/// What a cell held when the account was opened: nothing, or what an earlier recovery has shown.
#[derive(Clone, Debug)]
pub(super) struct Base<'a> {
    pub(super) value: &'a Datum,
    /// The read that showed it.
    pub(super) read: Option<usize>,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A cell after a recovery, and all there is to compare it with.
pub(super) struct View<'v, 'a> {
    pub(super) digest: &'v Digest<'a>,
    pub(super) cell: &'v Cell<'a>,
    pub(super) base: &'v Base<'a>,
    pub(super) live: &'v [Written<'a>],
    /// What the cell holds …
    pub(super) state: &'a Datum,
    /// … and the read that shows it.
    pub(super) read: usize,
    /// The operation that asked for each value, anywhere in the history.
    pub(super) writers: &'v BTreeMap<&'a Datum, usize>,
    /// Whether the engine has promised to keep this.
    pub(super) required: &'v dyn Fn(&Written<'_>) -> bool,
}

impl<'a> View<'_, 'a> {
    pub(super) fn required(&self) -> impl Iterator<Item = &Written<'a>> {
        self.live.iter().filter(|written| (self.required)(written))
    }

    /// Something acknowledged is not there.
    pub(super) fn lost(&self, anomaly: &'static str, op: usize) -> Complaint {
        let had = match self.digest.fate(op) {
            Fate::Sure => "was acknowledged",
            _ => "had survived an earlier crash",
        };
        let sentence = format!(
            "{} {had}, but after the crash {} holds {}.",
            name(self.digest, op),
            self.cell.name(),
            brief(self.state)
        );
        Complaint { anomaly, sentence, ops: vec![op, self.read], proof: self.shows() }
    }

    /// Something is there that was given up, or that an earlier recovery had shown to be gone.
    pub(super) fn unwanted(&self, op: usize) -> Complaint {
        let (anomaly, why) = match self.digest.fate(op) {
            Fate::Never => ("aborted-write", "never took effect"),
            _ => ("resurrected-write", "was already gone after an earlier recovery"),
        };
        let name = name(self.digest, op);
        let sentence = format!("{name} {why}, but after the crash {} shows it.", self.cell.name());
        Complaint { anomaly, sentence, ops: vec![op, self.read], proof: self.shows() }
    }

    /// What an earlier recovery had shown is not there any more, and nobody was asked to change it.
    pub(super) fn changed(&self) -> Complaint {
        let sentence = format!(
            "{} held {} when it was last read back and nobody changed it since, but after the crash it holds {}.",
            self.cell.name(),
            brief(self.base.value),
            brief(self.state)
        );
        let ops = self.base.read.into_iter().chain([self.read]).collect();
        Complaint { anomaly: "lost-write", sentence, ops, proof: self.shows() }
    }

    fn shows(&self) -> Vec<String> {
        vec![format!("{} holds {} after the recovery", self.cell.name(), self.state)]
    }

    pub(super) fn seen(&self, written: &Written<'_>, present: bool) -> Seen {
        Seen { unit: written.unit, present, op: written.op, read: self.read }
    }
}

/// What a cell shows of a unit: that it happened, or that it did not.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) unit: usize,
    pub(super) present: bool,
    /// The unit's operation on the cell.
    pub(super) op: usize,
    pub(super) read: usize,
}

/// What a cell's judge has to say.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) complaint: Option<Complaint>,
    pub(super) seen: Vec<Seen>,
    /// Operations whose values are not to be seen, for whatever reason, and need not be later.
    pub(super) excused: Vec<usize>,
}

impl Report {
    /// Keeps the first complaint.
    pub(super) fn complain(&mut self, complaint: impl FnOnce() -> Complaint) {
        if self.complaint.is_none() {
            self.complaint = Some(complaint());
        }
    }
}

/// Something is wrong.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) anomaly: &'static str,
    pub(super) sentence: String,
    pub(super) ops: Vec<usize>,
    pub(super) proof: Vec<String>,
}

/// What was asked, in a few words.
pub(super) fn name(digest: &Digest<'_>, op: usize) -> String {
    let call = digest.ops[op].call;
    let key = call.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
    let arg = if call.arg == Datum::Null { String::new() } else { format!(" {}", brief(&call.arg)) };
    format!("`{}{key}{arg}`", call.f)
}

/// A value in a few words.
pub(super) fn brief(value: &Datum) -> String {
    match value {
        Datum::List(items) if items.len() > 6 => format!("a list of {} elements", items.len()),
        value => value.to_string(),
    }
}
