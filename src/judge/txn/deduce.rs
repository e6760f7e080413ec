//! Deduction of the order of versions, until nothing follows or a contradiction does.
//!
//! A transaction is two events, its snapshot and its commit, or one where the model is serial:
//!
//! ```text
//!   a ─ww/wr/order─► b :  commit(a) before snapshot(b)
//!   a ─rw─► b          :  snapshot(a) before commit(b)
//! ```
//!
//! If `w` and `o` both wrote a key, one committed before the other's snapshot. Where the events known
//! so far exclude one way, the other is added: `o` before `w`, or `w` before `o` and with it all
//! who read from `w`. Invariant: every dependency added holds in all schedules of the model.

use super::cycles::{self, Hop, PLAIN, PROCESS, TIME};
use super::graph::{Edge, Kind, Tarjan};
use super::history::NONE;
use super::register::{Known, Registers};
use crate::judge::hash::Set;

/// Largest table of reachability, in bits.
const BITS_MAX: u64 = 1 << 29;

/// One deduction: one writer of a key before another, and the reader that shows it, if one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) reader: Option<u32>,
    /// A version of the key, for its name.
    pub(super) version: u32,
    /// Whether the reader must see the first and sees the second, or else may not see the second.
    pub(super) sees_after: bool,
}

/// What deduction led to.
pub(super) enum Deduced {
    /// A cycle, and how its dependencies were deduced.
    Contradiction(Vec<Hop>, Vec<Why>),
    /// Nothing more follows; the dependencies with what was deduced.
    Nothing(Known),
    /// The history is too large for the table.
    TooLarge,
}

/// Dependencies added so far: from, to, and the version with a bit for rw.
type Added = Set<(u32, u32, u32)>;

/// Deduces until it ends.
pub(super) fn deduce(registers: &Registers<'_>, mut known: Known, snapshots: bool) -> Deduced {
    let txns = registers.history.txns.len() as u32;
    let mut added = Added::default();
    let mut whys: Vec<Why> = Vec::new();
    loop {
        let events = Events::of(&known, txns, snapshots);
        let bits = u64::from(events.count) * u64::from(events.columns);
        if bits > BITS_MAX {
            return Deduced::TooLarge;
        }
        let Some(reach) = Reach::of(&events) else {
            return match cycle(registers, known, snapshots) {
                Some(hops) => Deduced::Contradiction(hops, whys),
                None => Deduced::TooLarge,
            };
        };
        let before = added.len();
        follow(registers, &events, &reach, (&mut known, &mut added, &mut whys));
        if added.len() == before {
            return Deduced::Nothing(known);
        }
    }
}

/// Adds what follows from what is reached.
fn follow(
    registers: &Registers<'_>,
    events: &Events,
    reach: &Reach,
    (known, added, whys): (&mut Known, &mut Added, &mut Vec<Why>),
) {
    let mut add = |from: u32, to: u32, kind: Kind, version: u32| {
        let new = from != to && added.insert((from, to, version << 1 | u32::from(kind == Kind::Rw)));
        if new {
            known.edges.add(from, to, kind, version);
        }
        new
    };
    let mut note = |new: bool, before, after, reader, version, sees_after| {
        if new {
            whys.push(Why { before, after, reader, version, sees_after });
        }
    };
    for writes in &registers.writes {
        for &(w, version) in writes {
            for &(o, _) in writes {
                // `o` cannot come after `w`, so it comes before.
                if w != o && reach.has(events.begin(o), events.end(w)) {
                    note(add(o, w, Kind::Ww, version), o, w, None, version, false);
                }
            }
        }
    }
    for read in registers.reads.iter().filter(|read| read.version != NONE) {
        let (w, r) = (read.writer, read.txn);
        for &(o, version) in &registers.writes[read.key as usize] {
            if o == w {
                continue;
            }
            if o == r {
                // One's own write of what one read follows what was read.
                note(add(w, o, Kind::Ww, version), w, o, Some(r), version, false);
            } else if reach.has(events.end(o), events.begin(r)) {
                // The reader must see `o`, and sees `w` instead, so `w` came later.
                let new = add(o, w, Kind::Ww, read.version);
                note(new, o, w, Some(r), version, true);
            } else if reach.has(events.begin(w), events.end(o)) {
                add(w, o, Kind::Ww, version);
                note(add(r, o, Kind::Rw, version), w, o, Some(r), version, false);
            }
        }
    }
}

/// The cycle that the known dependencies have, as hops between transactions.
fn cycle(registers: &Registers<'_>, known: Known, snapshots: bool) -> Option<Vec<Hop>> {
    let history = registers.history;
    let graph = known.edges.graph(known.vertices, history.txns.len() as u32);
    let found = cycles::cycles(&graph, history, &[PLAIN, PROCESS, TIME]);
    let fits = |name: &str| !snapshots || !name.starts_with("G2");
    let fitting = found.into_iter().filter(|cycle| fits(&cycle.anomaly));
    fitting.min_by_key(|cycle| cycle.hops.len()).map(|cycle| cycle.hops)
}

/// The graph of events.
pub(super) struct Events {
    txns: u32,
    snapshots: bool,
    /// All events: those of transactions first, then those in between.
    pub(super) count: u32,
    /// How many of them are of transactions.
    pub(super) columns: u32,
    starts: Vec<u32>,
    to: Vec<u32>,
}

impl Events {
    pub(super) fn of(known: &Known, txns: u32, snapshots: bool) -> Self {
        let columns = if snapshots { txns * 2 } else { txns };
        let mut events = Self {
            txns,
            snapshots,
            count: columns + (known.vertices - txns),
            columns,
            starts: Vec::new(),
            to: Vec::new(),
        };
        let mut list: Vec<(u32, u32)> = known
            .edges
            .iter()
            .map(|&(from, Edge { to, kind, .. })| {
                let rw = kind == Kind::Rw;
                (events.side(from, rw), events.side(to, !rw))
            })
            .collect();
        if snapshots {
            list.extend((0..txns).map(|txn| (txn * 2, txn * 2 + 1)));
        }
        events.starts = vec![0; events.count as usize + 1];
        for &(from, _) in &list {
            events.starts[from as usize + 1] += 1;
        }
        for at in 1..events.starts.len() {
            events.starts[at] += events.starts[at - 1];
        }
        let mut places = events.starts.clone();
        events.to = vec![0; list.len()];
        for (from, to) in list {
            events.to[places[from as usize] as usize] = to;
            places[from as usize] += 1;
        }
        events
    }

    fn side(&self, vertex: u32, begin: bool) -> u32 {
        match (vertex < self.txns, begin) {
            (false, _) => self.columns + (vertex - self.txns),
            (true, true) => self.begin(vertex),
            (true, false) => self.end(vertex),
        }
    }

    /// The snapshot of a transaction.
    pub(super) fn begin(&self, txn: u32) -> u32 {
        if self.snapshots { txn * 2 } else { txn }
    }

    /// The commit of a transaction.
    pub(super) fn end(&self, txn: u32) -> u32 {
        if self.snapshots { txn * 2 + 1 } else { txn }
    }

    pub(super) fn after(&self, event: u32) -> &[u32] {
        let event = event as usize;
        &self.to[self.starts[event] as usize..self.starts[event + 1] as usize]
    }
}

/// Which events of transactions are reached from each event.
struct Reach {
    words: usize,
    bits: Vec<u64>,
}

impl Reach {
    /// `None` when there is a cycle.
    fn of(events: &Events) -> Option<Self> {
        let (_, cyclic) = Tarjan::run(events.count, |event, at| {
            let to = events.after(event).get(at as usize)?;
            Some((*to, at + 1))
        });
        if cyclic {
            return None;
        }
        let mut waiting = vec![0u32; events.count as usize];
        for &to in &events.to {
            waiting[to as usize] += 1;
        }
        let mut order: Vec<u32> = (0..events.count).filter(|&e| waiting[e as usize] == 0).collect();
        let mut at = 0;
        while at < order.len() {
            for &to in events.after(order[at]) {
                waiting[to as usize] -= 1;
                if waiting[to as usize] == 0 {
                    order.push(to);
                }
            }
            at += 1;
        }
        let words = events.columns.div_ceil(64) as usize;
        let mut reach = Self { words, bits: vec![0; words * events.count as usize] };
        for &event in order.iter().rev() {
            for &to in events.after(event) {
                reach.join(event as usize, to as usize);
                if to < events.columns {
                    reach.bits[event as usize * words + to as usize / 64] |= 1 << (to % 64);
                }
            }
        }
        Some(reach)
    }

    fn join(&mut self, into: usize, from: usize) {
        for word in 0..self.words {
            let bits = self.bits[from * self.words + word];
            self.bits[into * self.words + word] |= bits;
        }
    }

    fn has(&self, from: u32, to: u32) -> bool {
        self.bits[from as usize * self.words + to as usize / 64] >> (to % 64) & 1 == 1
    }
}
