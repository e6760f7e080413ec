//! Visibility: what a transaction saw, it saw whole, and with all that those had seen.
//!
//! The rules of read atomic and causal consistency (Biswas and Enea 2019), checked as in AWDIT (PLDI
//! 2025): if `t` reads a key from `w`, and `o`, which wrote the key too, is visible to `t`, then `o`
//! comes before `w`. Together with what is visible this must not be a cycle. For causality a clock
//! per process tells what is visible.
//!
//! Sessions count here (a process sees what it did), so the anomalies are named after the process.
//! Where the contradiction needs no session it is named plainly. Invariant: a plain name is only
//! given to a cycle whose every step is a read or follows from reads alone.

use super::cycles::{self, Cycle, PLAIN, PROCESS};
use super::graph::{Edges, Kind};
use super::history::{NONE, TxnHistory};
use super::register::Registers;
use super::report::Anomaly;
use crate::judge::hash::Map;

/// Anomalies of visibility, the weakest kind that shows.
///
/// The second answer is whether causality without sessions is left open, for want of room.
pub(super) fn check(registers: &Registers<'_>) -> (Vec<Anomaly>, bool) {
    let mut found = Vec::new();
    let direct = seen_directly(registers);
    if let Some(cycle) = cycle(registers, &direct, false, "fractured-read") {
        found.push(Anomaly::cycle(registers.history, &cycle));
        return (found, false);
    }
    let causal = seen_causally(registers, true);
    let Some(session) = cycle(registers, &causal, true, "causality-process") else {
        return (found, false);
    };
    found.push(Anomaly::cycle(registers.history, &session));
    // Without sessions every transaction needs a place of its own in every clock.
    if registers.history.txns.len() > ALONE_MAX {
        return (found, true);
    }
    let causal = seen_causally(registers, false);
    if let Some(plain) = cycle(registers, &causal, false, "causality") {
        found.push(Anomaly::cycle(registers.history, &plain));
    }
    (found, false)
}

/// Most transactions for which causality is decided without sessions.
const ALONE_MAX: usize = 3_000;

/// A later writer, the earlier one it was taken for, and the version the reader saw.
type Before = (u32, u32, u32);

/// Orders of writers from direct reads: `t` read from both.
fn seen_directly(registers: &Registers<'_>) -> Vec<Before> {
    let mut before = Vec::new();
    for reads in registers.reads.chunk_by(|a, b| a.txn == b.txn) {
        let mut others: Vec<u32> = reads.iter().map(|read| read.writer).collect();
        others.retain(|&writer| writer != NONE);
        others.sort_unstable();
        others.dedup();
        for read in reads.iter().filter(|read| read.version != NONE) {
            for &other in others.iter().filter(|&&other| other != read.writer) {
                if wrote(registers.history, other, read.key) {
                    before.push((other, read.writer, read.version));
                }
            }
        }
    }
    before
}

fn wrote(history: &TxnHistory, txn: u32, wanted: u32) -> bool {
    let steps = history.steps(txn as usize).iter();
    let mut keys = steps.filter_map(|mop| match *mop {
        super::Mop::Write { key, .. } => Some(key),
        _ => None,
    });
    keys.any(|key| key == wanted)
}

/// Orders of writers from everything visible: per reader and process the last writer of the key in
/// the reader's past; the earlier ones are before that one anyway.
fn seen_causally(registers: &Registers<'_>, sessions: bool) -> Vec<Before> {
    let history = registers.history;
    let mut processes: Map<u32, u32> = Map::default();
    let mut position = vec![(NONE, 0u32); history.txns.len()];
    let mut lengths: Vec<u32> = Vec::new();
    let mut order: Vec<u32> = (0..history.txns.len() as u32).collect();
    order.retain(|&txn| registers.effective[txn as usize]);
    order.sort_by_key(|&txn| history.txns[txn as usize].call);
    let mut previous = vec![NONE; history.txns.len()];
    let mut tails: Vec<u32> = Vec::new();
    for &txn in &order {
        let next = processes.len() as u32;
        let alone = if sessions { history.txns[txn as usize].process } else { txn };
        let process = *processes.entry(alone).or_insert(next);
        if process == next {
            lengths.push(0);
            tails.push(NONE);
        }
        let length = &mut lengths[process as usize];
        position[txn as usize] = (process, *length);
        *length += 1;
        previous[txn as usize] = std::mem::replace(&mut tails[process as usize], txn);
    }
    let Some(topological) = topological(registers, &order, &previous) else {
        return Vec::new();
    };
    // Per key and process, its writers by position.
    let mut writers: Vec<Map<u32, Vec<(u32, u32)>>> = vec![Map::default(); history.keys.len()];
    for (key, writes) in registers.writes.iter().enumerate() {
        for &(txn, _) in writes {
            let (process, at) = position[txn as usize];
            writers[key].entry(process).or_default().push((at, txn));
        }
        for list in writers[key].values_mut() {
            list.sort_unstable();
        }
    }
    let width = lengths.len();
    let mut clocks: Vec<u32> = vec![0; width * history.txns.len()];
    let mut reads_of: Vec<(u32, u32)> = vec![(0, 0); history.txns.len()];
    let mut at = 0;
    for reads in registers.reads.chunk_by(|a, b| a.txn == b.txn) {
        reads_of[reads[0].txn as usize] = (at, at + reads.len() as u32);
        at += reads.len() as u32;
    }
    let mut before = Vec::new();
    for txn in topological {
        let (from, to) = reads_of[txn as usize];
        let reads = &registers.reads[from as usize..to as usize];
        let mut clock = vec![0u32; width];
        let sources = reads.iter().map(|read| read.writer).chain([previous[txn as usize]]);
        for source in sources.filter(|&source| source != NONE) {
            let (process, at) = position[source as usize];
            let theirs = &clocks[source as usize * width..][..width];
            for (mine, theirs) in clock.iter_mut().zip(theirs) {
                *mine = (*mine).max(*theirs);
            }
            clock[process as usize] = clock[process as usize].max(at + 1);
        }
        for read in reads {
            for (&process, list) in &writers[read.key as usize] {
                let seen = list.partition_point(|entry| entry.0 < clock[process as usize]);
                let last = list[..seen].iter().rev().map(|entry| entry.1);
                let Some(other) = last.into_iter().find(|&other| other != read.writer) else {
                    continue;
                };
                if read.version == NONE {
                    before.push((other, NONE, read.txn));
                } else if list[..seen].last().is_some_and(|entry| entry.1 == other) {
                    before.push((other, read.writer, read.version));
                }
            }
        }
        clocks[txn as usize * width..][..width].copy_from_slice(&clock);
    }
    before.sort_unstable();
    before.dedup();
    before
}

/// Transactions so that what is seen comes first; `None` when seeing is a cycle.
fn topological(registers: &Registers<'_>, order: &[u32], previous: &[u32]) -> Option<Vec<u32>> {
    let count = registers.history.txns.len();
    let mut waiting = vec![0u32; count];
    let mut after: Vec<Vec<u32>> = vec![Vec::new(); count];
    let reads = registers.reads.iter().map(|read| (read.writer, read.txn));
    let sessions = order.iter().map(|&txn| (previous[txn as usize], txn));
    for (from, to) in reads.chain(sessions).filter(|edge| edge.0 != NONE) {
        after[from as usize].push(to);
        waiting[to as usize] += 1;
    }
    let mut sorted: Vec<u32> = order.iter().copied().filter(|&t| waiting[t as usize] == 0).collect();
    let mut at = 0;
    while at < sorted.len() {
        for &to in &after[sorted[at] as usize] {
            waiting[to as usize] -= 1;
            if waiting[to as usize] == 0 {
                sorted.push(to);
            }
        }
        at += 1;
    }
    (sorted.len() == order.len()).then_some(sorted)
}

/// A cycle of what is visible and these orders.
fn cycle(registers: &Registers<'_>, before: &[Before], sessions: bool, name: &str) -> Option<Cycle> {
    let history = registers.history;
    let mut edges = Edges::default();
    for read in registers.reads.iter().filter(|read| read.version != NONE) {
        edges.add(read.writer, read.txn, Kind::Wr, read.version);
    }
    for &(other, writer, version) in before {
        if writer == NONE {
            // Here the third is a reader that saw nothing where it should have seen something.
            let wrote = registers.history.steps(other as usize).iter().find_map(|mop| match *mop {
                super::Mop::Write { version, .. } => Some(version),
                _ => None,
            });
            edges.add(version, other, Kind::Rw, wrote.unwrap_or(NONE));
        } else {
            edges.add(other, writer, Kind::Ww, version);
        }
    }
    if sessions {
        edges.processes(history, &registers.effective);
    }
    let count = history.txns.len() as u32;
    let levels: &[cycles::Level] = if sessions { &[PLAIN, PROCESS] } else { &[PLAIN] };
    let mut found = cycles::cycles(&edges.graph(count, count), history, levels);
    // What is a cycle of reads alone has a name already.
    found.retain(|cycle| cycle.hops.iter().any(|hop| matches!(hop.kind, Kind::Ww | Kind::Rw)));
    let shortest = found.into_iter().min_by_key(|cycle| cycle.hops.len())?;
    Some(Cycle { anomaly: name.into(), hops: shortest.hops })
}

/// Reads of a version although another, begun after that one's writer had ended, had ended before
/// the reader began.
pub(super) fn stale(registers: &Registers<'_>) -> Option<Anomaly> {
    let history = registers.history;
    let ends = |txn: u32| history.txns[txn as usize].ret;
    let calls = |txn: u32| history.txns[txn as usize].call;
    // Per key its writers by their ends, each with the one begun last so far.
    let by_end: Vec<Vec<(i64, u32, u32)>> = registers
        .writes
        .iter()
        .map(|writes| {
            let mut sorted: Vec<(i64, u32, u32)> =
                writes.iter().map(|&(txn, version)| (ends(txn), txn, version)).collect();
            sorted.sort_unstable();
            for at in 1..sorted.len() {
                let (_, best, version) = sorted[at - 1];
                if calls(best) > calls(sorted[at].1) {
                    (sorted[at].1, sorted[at].2) = (best, version);
                }
            }
            sorted
        })
        .collect();
    registers.reads.iter().filter(|read| read.version != NONE).find_map(|read| {
        let list = &by_end[read.key as usize];
        let ended = list.partition_point(|entry| entry.0 < calls(read.txn));
        let &(_, other, version) = list.get(ended.checked_sub(1)?)?;
        (other != read.writer && calls(other) > ends(read.writer)).then(|| {
            let hop = |from, to, kind, version| cycles::Hop { from, to, kind, version };
            let cycle = Cycle {
                anomaly: "G-single-item-realtime".into(),
                hops: vec![
                    hop(read.writer, other, Kind::Time, NONE),
                    hop(other, read.txn, Kind::Time, NONE),
                    hop(read.txn, other, Kind::Rw, version),
                ],
            };
            Anomaly::cycle(history, &cycle)
        })
    })
}
