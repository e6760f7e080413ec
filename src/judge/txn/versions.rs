//! Orders of a key's versions that somebody vouches for: the user who declares them, or the engine
//! that reports in which order it committed.
//!
//! Invariant: an order that contradicts itself is reported as cyclic versions and not used.

use super::effects::Writers;
use super::graph::{Edges, Kind, Tarjan};
use super::history::{Mop, NONE, TxnHistory, Version};
use super::register::{KeyOrder, Registers};
use super::report::Anomaly;
use crate::judge::hash::Map;

/// Adds ww and rw dependencies from the orders that are known.
pub(super) fn add(registers: &Registers<'_>, order: KeyOrder, edges: &mut Edges, anomalies: &mut Vec<Anomaly>) {
    let mut pairs: Vec<(Version, Version)> = Vec::new();
    reported(registers, &mut pairs);
    if order.writes_follow_reads {
        within(registers, &mut pairs);
    }
    if order.per_process {
        per_process(registers, &mut pairs);
    }
    if order.real_time {
        real_time(registers, &mut pairs);
    }
    if pairs.is_empty() {
        return;
    }
    pairs.sort_unstable();
    pairs.dedup();
    if let Some(version) = cyclic(registers.history, &pairs) {
        let key = registers.history.versions[version as usize].0;
        let (value, key) = (registers.history.show(version), registers.history.key_name(key));
        let summary = format!("The order of {key}'s versions leads from {value} back to it.");
        let writer = registers.writers.writer[version as usize];
        anomalies.push(Anomaly::plain(registers.history, "cyclic-versions", summary, &[writer]));
        return;
    }
    let mut readers: Map<Version, Vec<u32>> = Map::default();
    for read in &registers.reads {
        readers.entry(read.version).or_default().push(read.txn);
    }
    for (before, after) in pairs {
        let to = registers.writers.writer[after as usize];
        let from = registers.writers.writer[before as usize];
        edges.add(from, to, Kind::Ww, after);
        for &reader in readers.get(&before).into_iter().flatten() {
            edges.add(reader, to, Kind::Rw, after);
        }
    }
}

fn usable(writers: &Writers, history: &TxnHistory, version: Version) -> bool {
    version != NONE && writers.effective(history, version).is_some()
}

/// The engine's own order of commits.
fn reported(registers: &Registers<'_>, pairs: &mut Vec<(Version, Version)>) {
    for writes in &registers.writes {
        let txns = &registers.history.txns;
        let place = |write: &(u32, Version)| txns[write.0 as usize].commit.map(|at| (at, write.1));
        let mut placed: Vec<(u64, Version)> = writes.iter().filter_map(place).collect();
        placed.sort_unstable();
        pairs.extend(placed.windows(2).map(|pair| (pair[0].1, pair[1].1)));
    }
}

/// A transaction's read before its write of the key.
fn within(registers: &Registers<'_>, pairs: &mut Vec<(Version, Version)>) {
    let history = registers.history;
    for read in &registers.reads {
        if usable(&registers.writers, history, read.version) {
            for mop in history.steps(read.txn as usize) {
                if let Mop::Write { key, version } = *mop
                    && key == read.key
                    && registers.writers.last[version as usize]
                {
                    pairs.push((read.version, version));
                }
            }
        }
    }
}

/// What a transaction knows of each key: the version it found and the one it left.
fn touches(registers: &Registers<'_>, txn: u32) -> Vec<(u32, Version, Version)> {
    let history = registers.history;
    let mut touched: Vec<(u32, Version, Version)> = Vec::new();
    for mop in history.steps(txn as usize) {
        let (key, version) = match *mop {
            Mop::Write { key, version } => (key, version),
            Mop::Read { key, version: Some(Some(version)) } if usable(&registers.writers, history, version) => {
                (key, version)
            }
            _ => continue,
        };
        match touched.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => entry.2 = version,
            None => touched.push((key, version, version)),
        }
    }
    touched
}

fn per_process(registers: &Registers<'_>, pairs: &mut Vec<(Version, Version)>) {
    let mut order: Vec<u32> = (0..registers.history.txns.len() as u32).collect();
    order.retain(|&txn| registers.effective[txn as usize]);
    order.sort_by_key(|&txn| registers.history.txns[txn as usize].call);
    let mut last: Map<(u32, u32), Version> = Map::default();
    for txn in order {
        let process = registers.history.txns[txn as usize].process;
        for (key, found, left) in touches(registers, txn) {
            let before = last.insert((process, key), left);
            if let Some(before) = before.filter(|&before| before != found) {
                pairs.push((before, found));
            }
        }
    }
}

/// Per key, a sweep that keeps the versions known to be latest among what has ended.
fn real_time(registers: &Registers<'_>, pairs: &mut Vec<(Version, Version)>) {
    let history = registers.history;
    let mut events: Vec<(i64, bool, u32)> = Vec::new();
    for (txn, facts) in history.txns.iter().enumerate() {
        if registers.effective[txn] {
            events.push((facts.call, false, txn as u32));
            events.push((facts.ret, true, txn as u32));
        }
    }
    events.sort_unstable();
    let mut front: Vec<Vec<(i64, Version)>> = vec![Vec::new(); history.keys.len()];
    for (_, is_end, txn) in events {
        let call = history.txns[txn as usize].call;
        for (key, found, left) in touches(registers, txn) {
            let front = &mut front[key as usize];
            if is_end {
                let ends = |other: Version| {
                    let writer = registers.writers.writer[other as usize];
                    history.txns[writer as usize].ret < call
                };
                front.retain(|&(ended, version)| version != left && (ended >= call || !ends(version)));
                front.push((history.txns[txn as usize].ret, left));
            } else {
                let earlier = front.iter().filter(|entry| entry.0 < call && entry.1 != found);
                pairs.extend(earlier.map(|entry| (entry.1, found)));
            }
        }
    }
}

/// A version on a cycle of the order.
fn cyclic(history: &TxnHistory, pairs: &[(Version, Version)]) -> Option<Version> {
    let count = history.versions.len() as u32;
    let (component, any) = Tarjan::run(count, |version, at| {
        let from = pairs.partition_point(|pair| pair.0 < version) + at as usize;
        let pair = pairs.get(from).filter(|pair| pair.0 == version)?;
        Some((pair.1, at + 1))
    });
    if !any {
        return None;
    }
    (0..count).find(|&version| component[version as usize] != NONE)
}
