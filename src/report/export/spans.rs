//! A trace as spans on tracks, which Perfetto and Chrome both show.
//!
//! Spans of one track nest or follow each other. I/Os in flight overlap, so each file has as many sub-tracks as
//! it has I/Os in flight at a time. One turn lasts one microsecond.

use std::collections::BTreeMap;

use crate::report::rows::{FactRow, KINDS, Kind, Rows, WHO_CONNECTION, WHO_ENGINE};

/// A row of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) name: String,
    /// The track that it belongs to.
    pub(super) parent: Option<usize>,
}

/// Something that takes time, or an instant when `end` is its `start`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) track: usize,
    pub(super) name: String,
    pub(super) category: &'static str,
    /// In turns.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Sorts spans that begin together: outer ones first.
    pub(super) depth: u8,
}

#[derive(Default)]
pub(super) struct Picture {
    pub(super) tracks: Vec<Track>,
    pub(super) spans: Vec<Span>,
    open_ops: BTreeMap<i64, usize>,
    open_yields: BTreeMap<u32, usize>,
    transactions: BTreeMap<i64, usize>,
    ios: Vec<Option<usize>>,
    lanes: BTreeMap<String, Vec<(usize, bool)>>,
}

impl Picture {
    pub(super) fn new(rows: &Rows) -> Self {
        let mut picture = Self::default();
        for fact in &rows.facts {
            picture.fact(rows, fact);
        }
        let last = rows.facts.last().map_or(0, |fact| fact.turn);
        picture.spans.iter_mut().filter(|span| span.end == u64::MAX).for_each(|span| span.end = last + 1);
        // A transaction lasts at least as long as its operations, so that they nest in it.
        picture.spans.sort_by_key(|span| (span.start, span.track, span.depth));
        picture
    }

    fn track(&mut self, name: &str, parent: Option<usize>) -> usize {
        let known = self.tracks.iter().position(|track| track.name == name && track.parent == parent);
        known.unwrap_or_else(|| {
            self.tracks.push(Track { name: name.to_string(), parent });
            self.tracks.len() - 1
        })
    }

    fn open(&mut self, track: usize, name: String, category: &'static str, start: u64, depth: u8) -> usize {
        self.spans.push(Span { track, name, category, start, end: u64::MAX, depth });
        self.spans.len() - 1
    }

    fn instant(&mut self, track: &str, name: String, category: &'static str, turn: u64) {
        let track = self.track(track, None);
        self.spans.push(Span { track, name, category, start: turn, end: turn, depth: 0 });
    }

    fn connection(&mut self, who: u32) -> usize {
        let name = if who == WHO_ENGINE { "engine".to_string() } else { Rows::who_text(who) };
        self.track(&name, None)
    }

    fn fact(&mut self, rows: &Rows, fact: &FactRow) {
        let (turn, [a0, a1, a2, ..]) = (fact.turn, fact.args);
        match fact.kind {
            Kind::Turn if fact.who < WHO_CONNECTION + 0xffff => self.end_yield(fact.who, turn),
            Kind::Invoke => {
                let track = self.connection(fact.who);
                if a1 > 0 && !self.transactions.contains_key(&a1) {
                    let track = self.track("transactions", Some(track));
                    let span = self.open(track, format!("transaction {}", a1 - 1), "transaction", turn, 0);
                    self.transactions.insert(a1, span);
                }
                let span = self.open(track, rows.word(a2).to_string(), "operation", turn, 1);
                self.open_ops.insert(a0, span);
                self.end_transaction(a1, u64::MAX);
            }
            Kind::Return => {
                self.end_yield(fact.who, turn);
                if let Some(span) = self.open_ops.remove(&a0) {
                    let ended = if a1 >= 3 { crate::report::rows::ENDS[a1 as usize % 5] } else { rows.word(a2) };
                    let span = &mut self.spans[span];
                    span.end = turn + 1;
                    span.name = format!("{} → {ended}", span.name);
                }
                self.close_transactions(fact.who, turn);
            }
            Kind::Yield => {
                self.end_yield(fact.who, turn);
                let track = self.connection(fact.who);
                let track = self.track("yields", Some(track));
                let what = if fact.args[3] & 1 != 0 { "waits" } else { "yields" };
                let span = self.open(track, format!("{what}: {} {}", rows.word(a1), rows.word(a2)), "yield", turn, 2);
                self.open_yields.insert(fact.who, span);
            }
            Kind::Crash => {
                self.instant("faults", rows.word(a0).to_string(), "crash", turn);
                let open: Vec<u32> = self.open_yields.keys().copied().collect();
                open.into_iter().for_each(|who| self.end_yield(who, turn));
            }
            Kind::Recovered => self.instant("faults", "recovered".to_string(), "crash", turn),
            Kind::Ended => self.instant("faults", rows.word(a0).to_string(), "finding", turn),
            _ => self.io(rows, fact),
        }
    }

    fn io(&mut self, rows: &Rows, fact: &FactRow) {
        let (turn, [a0, a1, ..]) = (fact.turn, fact.args);
        match fact.kind {
            Kind::Submit => {
                let path = rows.word(fact.args[2]).to_string();
                let kind = KINDS.get(fact.args[5] as usize).copied().unwrap_or("io");
                let name = format!("{}: {kind} {}+{}", Rows::who_text(fact.who), fact.args[3], fact.args[4]);
                let track = self.lane(&path);
                let span = self.open(track, name, "io", turn, 0);
                self.ios.push(Some(span));
            }
            Kind::Complete | Kind::Abort => {
                let span = usize::try_from(a0).ok().and_then(|number| self.ios.get_mut(number)?.take());
                if let Some(span) = span {
                    let outcome = if fact.kind == Kind::Abort { "lost at the crash" } else { rows.word(fact.args[4]) };
                    let span = &mut self.spans[span];
                    // What its callback submits in the same turn may take its lane.
                    span.end = turn.max(span.start + 1);
                    span.name = format!("{} → {outcome}", span.name);
                    let track = span.track;
                    self.lanes
                        .values_mut()
                        .flatten()
                        .filter(|(lane, _)| *lane == track)
                        .for_each(|lane| lane.1 = false);
                }
                if fact.kind == Kind::Complete && a1 > 0 {
                    self.instant("faults", rows.word(a1).to_string(), "fault", turn);
                }
            }
            Kind::Slow => self.instant("faults", format!("slow until tick {a1}"), "fault", turn),
            _ => {}
        }
    }

    /// A sub-track of the file on which nothing is in flight.
    fn lane(&mut self, path: &str) -> usize {
        let parent = self.track(if path.is_empty() { "/" } else { path }, None);
        let lanes = self.lanes.entry(path.to_string()).or_default();
        if let Some(lane) = lanes.iter_mut().find(|lane| !lane.1) {
            lane.1 = true;
            return lane.0;
        }
        let name = format!("in flight {}", lanes.len() + 1);
        let track = self.track(&name, Some(parent));
        self.lanes.entry(path.to_string()).or_default().push((track, true));
        track
    }

    fn end_yield(&mut self, who: u32, turn: u64) {
        if let Some(span) = self.open_yields.remove(&who) {
            let span = &mut self.spans[span];
            span.end = turn.max(span.start + 1);
        }
    }

    fn end_transaction(&mut self, number: i64, end: u64) {
        if let Some(&span) = self.transactions.get(&number) {
            self.spans[span].end = end;
        }
    }

    /// A transaction ends with the last of its operations: until another begins, with this one.
    fn close_transactions(&mut self, who: u32, turn: u64) {
        let Some(parent) = self.tracks.iter().position(|t| t.name == Rows::who_text(who) && t.parent.is_none()) else {
            return;
        };
        for &span in self.transactions.values() {
            let track = self.spans[span].track;
            if self.tracks[track].parent == Some(parent) && self.spans[span].end == u64::MAX {
                self.spans[span].end = turn + 1;
            }
        }
    }
}
