//! List-append: the order of versions can be read off the lists.
//!
//! ```text
//!   reads of x:   [1]   [1 2]   [1 2 3]      order of x: 1 < 2 < 3 < (appended, never seen)
//! ```
//!
//! The longest read of a key gives the order, all others must be beginnings of it. Invariant: an
//! order that some read contradicts is used only for edges that this read does not take part in.

use super::cycles::{self, PLAIN, PROCESS, TIME};
use super::effects::Writers;
use super::graph::{Edges, Hubs, Kind};
use super::history::{Mop, NONE, Outcome, TxnHistory, Version};
use super::report::{Anomaly, Isolation};
use crate::judge::hash::Set;

const MODEL: &str = "list-append";

/// Judges a history of appends to lists and reads of whole lists.
#[must_use]
pub fn list_append(history: &TxnHistory) -> Isolation {
    let count = history.txns.len() as u64;
    let understood = history.validate().and_then(|()| Writers::of(history));
    let writers = match understood {
        Ok(writers) => writers,
        Err(flaw) => return Isolation::unusable(MODEL, count, flaw.to_string()),
    };
    if let Some(at) = foreign(history) {
        let reason = format!("transaction {at}: list-append has only appends and reads of lists");
        return Isolation::unusable(MODEL, count, reason);
    }
    let mut lists = Lists::new(history, writers);
    lists.find_orders();
    lists.check_orders();
    lists.check_reads();
    let mut anomalies = std::mem::take(&mut lists.anomalies);
    let compared = lists.compared;
    let graph = lists.graph();
    let cycles = cycles::cycles(&graph, history, &[PLAIN, PROCESS, TIME]);
    anomalies.extend(cycles.iter().map(|cycle| Anomaly::cycle(history, cycle)));
    Isolation::of(MODEL, count, compared, anomalies)
}

/// The first transaction with a step that is not of lists.
fn foreign(history: &TxnHistory) -> Option<usize> {
    let at = history.mops.iter().position(|mop| matches!(mop, Mop::Write { .. } | Mop::Read { .. }))? as u32;
    let holds = |txn: &super::Txn| (txn.steps.0..txn.steps.1).contains(&at);
    history.txns.iter().position(holds)
}

struct Lists<'a> {
    history: &'a TxnHistory,
    writers: Writers,
    /// Per key its versions in order: those of the longest read, each once.
    orders: Vec<Vec<Version>>,
    /// Per key the transaction with the longest read.
    longest: Vec<u32>,
    /// Per version its place in its key's order, [`NONE`] when no read shows it.
    place: Vec<u32>,
    /// Per transaction whether it surely took effect.
    effective: Vec<bool>,
    /// Per key what such transactions appended and no read shows.
    unseen: Vec<Vec<(u32, Version)>>,
    /// Reads (transaction, key) that are no beginning of their key's order.
    odd: Set<(u32, u32)>,
    anomalies: Vec<Anomaly>,
    compared: u64,
}

impl<'a> Lists<'a> {
    fn new(history: &'a TxnHistory, writers: Writers) -> Self {
        let keys = history.keys.len();
        Self {
            history,
            writers,
            orders: vec![Vec::new(); keys],
            longest: vec![NONE; keys],
            place: vec![NONE; history.versions.len()],
            effective: history.txns.iter().map(|txn| txn.outcome == Outcome::Committed).collect(),
            unseen: vec![Vec::new(); keys],
            odd: Set::default(),
            anomalies: Vec::new(),
            compared: 0,
        }
    }

    /// Reports an anomaly if it is the first of its kind.
    fn report(&mut self, kind: &str, transactions: &[u32], summary: impl FnOnce(&TxnHistory) -> String) {
        if self.anomalies.iter().all(|known| known.kind != kind) {
            let summary = summary(self.history);
            let anomaly = Anomaly::plain(self.history, kind, summary, transactions);
            self.anomalies.push(anomaly);
        }
    }

    fn committed(&self) -> impl Iterator<Item = u32> + use<'a> {
        let txns = self.history.txns.iter().enumerate();
        txns.filter(|(_, txn)| txn.outcome == Outcome::Committed).map(|(index, _)| index as u32)
    }

    /// Takes the longest read of each key as its order.
    fn find_orders(&mut self) {
        let history = self.history;
        let mut ranges: Vec<(u32, u32)> = vec![(0, 0); history.keys.len()];
        for txn in self.committed() {
            for mop in history.steps(txn as usize) {
                if let Mop::ReadList { key, elements: Some(range) } = *mop {
                    self.compared += 1;
                    let longest = &mut ranges[key as usize];
                    if self.longest[key as usize] == NONE || range.1 - range.0 > longest.1 - longest.0 {
                        *longest = range;
                        self.longest[key as usize] = txn;
                    }
                }
            }
        }
        for (key, range) in ranges.into_iter().enumerate() {
            let mut order = Vec::with_capacity((range.1 - range.0) as usize);
            for &version in history.list(range) {
                let place = &mut self.place[version as usize];
                if *place == NONE {
                    *place = order.len() as u32;
                    order.push(version);
                }
            }
            self.orders[key] = order;
        }
        self.find_unseen();
    }

    /// Which transactions took effect, and what they appended that no read shows.
    fn find_unseen(&mut self) {
        let history = self.history;
        // What a read shows has happened, whatever its process was told.
        for &version in self.orders.iter().flatten() {
            if let Some(writer) = self.writers.effective(history, version) {
                self.effective[writer as usize] = true;
            }
        }
        for index in 0..history.txns.len() {
            if !self.effective[index] {
                continue;
            }
            for mop in history.steps(index) {
                if let Mop::Append { key, version } = *mop
                    && self.place[version as usize] == NONE
                {
                    self.unseen[key as usize].push((index as u32, version));
                }
            }
        }
    }

    /// What the orders alone show: garbage, and updates on top of aborted ones.
    fn check_orders(&mut self) {
        let history = self.history;
        for key in 0..self.orders.len() {
            let reader = self.longest[key];
            let order = std::mem::take(&mut self.orders[key]);
            let mut aborted: Option<Version> = None;
            for &version in &order {
                let writer = self.writers.writer[version as usize];
                if writer == NONE {
                    self.garbage(reader, version);
                } else if self.writers.aborted(history, version) {
                    aborted = aborted.or(Some(version));
                } else if let Some(dirty) = aborted {
                    let failed = self.writers.writer[dirty as usize];
                    self.report("dirty-update", &[failed, writer, reader], |history| {
                        format!(
                            "T2 appended {} to {} after {}, which T1 appended and T1 failed.",
                            history.show(version),
                            history.key_name(key as u32),
                            history.show(dirty)
                        )
                    });
                }
            }
            self.orders[key] = order;
        }
    }

    fn garbage(&mut self, reader: u32, version: Version) {
        self.report("garbage-read", &[reader], |history| {
            format!(
                "T1 read {} in {}, which nobody appended.",
                history.show(version),
                history.key_name(history.versions[version as usize].0)
            )
        });
    }

    /// What each read shows by itself and against its key's order.
    fn check_reads(&mut self) {
        let history = self.history;
        // Per key the first place that is wrong for every longer read: an aborted append.
        let bad: Vec<u32> = (0..self.orders.len())
            .map(|key| {
                let mut places = self.orders[key].iter();
                let first = places.position(|&v| self.writers.aborted(history, v));
                first.map_or(NONE, |place| place as u32)
            })
            .collect();
        let mut touched = vec![NONE; history.keys.len()];
        let mut updaters: Vec<u32> = vec![NONE; history.versions.len() + history.keys.len()];
        for txn in self.committed() {
            let mut again = false;
            for mop in history.steps(txn as usize) {
                let (Mop::Append { key, .. }
                | Mop::ReadList { key, .. }
                | Mop::Write { key, .. }
                | Mop::Read { key, .. }) = *mop;
                again |= touched[key as usize] == txn;
                touched[key as usize] = txn;
                if let Mop::ReadList { elements: Some(range), .. } = *mop {
                    self.check_read(txn, key, history.list(range), bad[key as usize]);
                }
            }
            if again {
                self.check_within(txn, &mut updaters);
            }
        }
    }

    /// One read against its key's order.
    fn check_read(&mut self, txn: u32, key: u32, list: &[Version], bad: u32) {
        let order = &self.orders[key as usize];
        let beginning = order.get(..list.len()) == Some(list);
        if !beginning {
            self.check_odd_read(txn, key, list);
        } else if list.len() > bad as usize {
            let version = list[bad as usize];
            self.aborted_read(txn, version);
        }
        let Some(&last) = list.last() else {
            return;
        };
        let writer = self.writers.writer[last as usize];
        if writer != NONE && writer != txn && !self.writers.last[last as usize] {
            self.report("G1b", &[writer, txn], |history| {
                format!(
                    "T2 read {} up to {}, which T1 appended before it appended more.",
                    history.key_name(key),
                    history.show(last)
                )
            });
        }
    }

    fn aborted_read(&mut self, txn: u32, version: Version) {
        let writer = self.writers.writer[version as usize];
        self.report("G1a", &[writer, txn], |history| {
            format!(
                "T2 read {} in {}, which T1 appended, and T1 failed.",
                history.show(version),
                history.key_name(history.versions[version as usize].0)
            )
        });
    }

    /// A read that is no beginning of the order: garbage, something twice, or another order.
    fn check_odd_read(&mut self, txn: u32, key: u32, list: &[Version]) {
        self.odd.insert((txn, key));
        for &version in list {
            if self.writers.writer[version as usize] == NONE {
                self.garbage(txn, version);
            } else if self.writers.aborted(self.history, version) {
                self.aborted_read(txn, version);
            }
        }
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some(&[version, _]) = twice {
            self.report("duplicate-elements", &[txn], |history| {
                format!("T1 read {} twice in {}.", history.show(version), history.key_name(key))
            });
            return;
        }
        let longest = self.longest[key as usize];
        self.report("incompatible-order", &[longest, txn], |history| {
            let name = history.key_name(key);
            format!("T1 and T2 read {name}, and neither list is the beginning of the other.")
        });
    }

    /// A transaction that touches a key again: its own appends, its own reads, lost updates.
    fn check_within(&mut self, txn: u32, updaters: &mut [u32]) {
        let history = self.history;
        let steps = history.steps(txn as usize);
        for (at, mop) in steps.iter().enumerate() {
            match *mop {
                Mop::ReadList { key, elements: Some(range) } => {
                    self.check_internal(txn, key, &steps[..at], history.list(range))
                }
                Mop::Append { key, version } => {
                    let before = steps[..at].iter().filter_map(|mop| list_of(mop, key));
                    let mut before = before.map(|range| history.list(range));
                    if before.clone().any(|list| list.contains(&version)) {
                        self.report("future-read", &[txn], |history| {
                            format!(
                                "T1 read {} in {} before it appended it.",
                                history.show(version),
                                history.key_name(key)
                            )
                        });
                    }
                    let fresh = steps[..at].iter().all(|mop| !matches!(mop, Mop::Append { key: k, .. } if *k == key));
                    if let Some(list) = before.next()
                        && fresh
                    {
                        let slot = list.last().map_or(history.versions.len() + key as usize, |&v| v as usize);
                        self.check_update(txn, key, &mut updaters[slot]);
                    }
                }
                _ => {}
            }
        }
    }

    /// Two that read the same list and then append to it: one of them has lost.
    fn check_update(&mut self, txn: u32, key: u32, updater: &mut u32) {
        if *updater == NONE || *updater == txn {
            *updater = txn;
            return;
        }
        self.report("lost-update", &[*updater, txn], |history| {
            let name = history.key_name(key);
            format!("T1 and T2 read the same {name} and both appended to it.")
        });
    }

    /// A read against what the transaction itself read and appended before.
    fn check_internal(&mut self, txn: u32, key: u32, before: &[Mop], list: &[Version]) {
        let read = before.iter().rposition(|mop| list_of(mop, key).is_some());
        let own: Vec<Version> = before[read.map_or(0, |at| at + 1)..]
            .iter()
            .filter_map(|mop| match *mop {
                Mop::Append { key: k, version } if k == key => Some(version),
                _ => None,
            })
            .collect();
        let agrees = match read.and_then(|at| list_of(&before[at], key)) {
            Some(range) => {
                let base = self.history.list(range);
                list.len() == base.len() + own.len() && list.starts_with(base) && list.ends_with(&own)
            }
            None => list.ends_with(&own),
        };
        if !agrees {
            self.report("internal", &[txn], |history| {
                let name = history.key_name(key);
                format!("T1 read {name} otherwise than its own reads and appends before say.")
            });
        }
    }

    /// The dependencies, with processes and real time.
    fn graph(self) -> super::graph::Graph {
        let history = self.history;
        let mut edges = Edges::default();
        edges.processes(history, &self.effective);
        let txns = history.txns.len() as u32;
        let mut vertices = edges.moments(history, &self.effective, txns);
        let mut next: Vec<u32> = vec![NONE; history.versions.len()];
        let mut first: Vec<u32> = vec![NONE; self.orders.len()];
        for (key, order) in self.orders.iter().enumerate() {
            let mut before: Option<Version> = None;
            for &version in order {
                let Some(writer) = self.writers.effective(history, version) else {
                    continue;
                };
                match before {
                    None => first[key] = version,
                    Some(before) => {
                        let from = self.writers.writer[before as usize];
                        edges.add(from, writer, Kind::Ww, version);
                        next[before as usize] = version;
                    }
                }
                before = Some(version);
            }
            if let Some(last) = before {
                for &(to, version) in &self.unseen[key] {
                    let from = self.writers.writer[last as usize];
                    edges.add(from, to, Kind::Ww, version);
                }
            }
        }
        self.readers(&mut edges, &mut vertices, &first, &next);
        edges.graph(vertices, history.txns.len() as u32)
    }

    /// The edges of reads: from who wrote what was seen, to who wrote what was not.
    fn readers(&self, edges: &mut Edges, vertices: &mut u32, first: &[Version], next: &[Version]) {
        let history = self.history;
        let mut hubs: Vec<Option<Hubs>> = vec![None; self.orders.len()];
        for txn in self.committed() {
            for mop in history.steps(txn as usize) {
                let Mop::ReadList { key, elements: Some(range) } = *mop else {
                    continue;
                };
                let mut following = first[key as usize];
                if let Some(&last) = history.list(range).last() {
                    if let Some(writer) = self.writers.effective(history, last) {
                        edges.add(writer, txn, Kind::Wr, last);
                    }
                    following = self.following(key, last, next);
                }
                if !self.odd.is_empty() && self.odd.contains(&(txn, key)) {
                    continue;
                }
                if following != NONE {
                    let to = self.writers.writer[following as usize];
                    edges.add(txn, to, Kind::Rw, following);
                } else if !self.unseen[key as usize].is_empty() {
                    let unseen = &self.unseen[key as usize];
                    let hubs = hubs[key as usize].get_or_insert_with(|| Hubs::new(unseen, edges, vertices));
                    hubs.connect(txn, unseen, edges);
                }
            }
        }
    }

    /// The effective version after this one; a version that had no effect is followed by what
    /// follows the last effective one before it.
    fn following(&self, key: u32, last: Version, next: &[Version]) -> Version {
        if self.writers.effective(self.history, last).is_some() {
            return next[last as usize];
        }
        let place = self.place[last as usize];
        if place == NONE {
            return NONE;
        }
        let order = &self.orders[key as usize];
        let mut after = order[place as usize + 1..].iter();
        let found = after.find(|&&v| self.writers.effective(self.history, v).is_some());
        found.copied().unwrap_or(NONE)
    }
}

fn list_of(mop: &Mop, wanted: u32) -> Option<(u32, u32)> {
    match *mop {
        Mop::ReadList { key, elements: Some(range) } if key == wanted => Some(range),
        _ => None,
    }
}
