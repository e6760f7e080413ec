//! Registers whose values are written once (Gibbons and Korach 1997).
//!
//! All operations of one value form a cluster: the write and its reads. Let `first` be the first
//! return in a cluster and `last` its last call. Cluster A can stand before B unless something of B
//! ended before something of A began, that is unless `first(B) < last(A)`. Two clusters of which
//! neither can stand before the other are a contradiction, and there is an order when no two are.
//!
//! ```text
//!   forward zone  (first < last):   the value is there from first to last; no two may overlap
//!   backward zone (last <= first):  the value fits at any one moment between; it must not lie
//!                                   strictly inside a forward zone
//! ```
//!
//! A write that never returned returns at the end of time, so it stands wherever its reads want it,
//! and nowhere when it has none. Invariant: one value, one cluster; a value written twice, or the
//! initial value written, is not of this shape.

use super::{Violation, conclude};
use crate::judge::hash::Map;
use crate::judge::history::{Function, History};
use crate::judge::value::Value;
use crate::judge::verdict::Judgement;

const METHOD: &str = "zones";
const NO: u32 = u32::MAX;

/// One operation, as much as is needed of it, beside those of the same key.
#[derive(Clone, Copy)]
struct Record {
    value: Value,
    call: i64,
    ret: i64,
    index: u32,
    write: bool,
}

/// The operations of one value.
#[derive(Clone, Copy)]
struct Cluster {
    first: i64,
    last: i64,
    first_op: u32,
    last_op: u32,
    write: u32,
    write_call: i64,
}

/// Judges a register per key; `None` when the history is not of this shape.
pub(crate) fn zones(model: &str, history: &History, initial: Value) -> Option<Judgement> {
    let fits = |f| matches!(f, Function::Read | Function::Write);
    if !history.operations.iter().all(|op| fits(op.f)) || history.validate().is_err() {
        return None;
    }
    let (starts, records) = records(history);
    let mut compared = 0;
    let mut violation = None;
    let mut judge = Key::default();
    for key in starts.windows(2) {
        let records = &records[key[0] as usize..key[1] as usize];
        compared += records.iter().filter(|r| !r.write).count() as u64;
        let found = judge.judge(history, records, initial)?;
        violation = Violation::earlier(violation, found);
    }
    Some(conclude(history, (model, METHOD), compared, violation))
}

/// What counts, by key: all writes, and the reads that returned.
fn records(history: &History) -> (Vec<u32>, Vec<Record>) {
    let counts = |op: &&crate::judge::Operation| op.f == Function::Write || op.returned();
    let ops = || history.operations.iter().filter(counts);
    let keys = ops().map(|op| op.key + 1).max().unwrap_or(0) as usize;
    let mut starts = vec![0u32; keys + 1];
    for op in ops() {
        starts[op.key as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut places = starts.clone();
    let filler = Record { value: Value::Null, call: 0, ret: 0, index: 0, write: false };
    let mut records = vec![filler; starts[keys] as usize];
    for (index, op) in history.operations.iter().enumerate() {
        if !counts(&op) {
            continue;
        }
        let write = op.f == Function::Write;
        let place = &mut places[op.key as usize];
        records[*place as usize] = Record {
            value: if write { op.value } else { op.out },
            call: op.call,
            ret: op.ret,
            index: index as u32,
            write,
        };
        *place += 1;
    }
    (starts, records)
}

/// Tables that are used for one key after the other.
#[derive(Default)]
struct Key {
    of_value: Map<Value, u32>,
    clusters: Vec<Cluster>,
    forward: Vec<u32>,
}

impl Key {
    /// One key's violation, if any; `None` outside when its values are not written once.
    fn judge(&mut self, history: &History, records: &[Record], initial: Value) -> Option<Option<Violation>> {
        self.of_value.clear();
        self.clusters.clear();
        // The initial value was written before everything.
        self.of_value.insert(initial, 0);
        self.clusters.push(Cluster {
            first: i64::MIN,
            last: i64::MIN,
            first_op: NO,
            last_op: NO,
            write: NO,
            write_call: i64::MIN,
        });
        for record in records.iter().filter(|record| record.write) {
            let number = self.clusters.len() as u32;
            if self.of_value.insert(record.value, number).is_some() {
                return None;
            }
            self.clusters.push(Cluster {
                first: record.ret,
                last: record.call,
                first_op: record.index,
                last_op: record.index,
                write: record.index,
                write_call: record.call,
            });
        }
        for record in records.iter().filter(|record| !record.write) {
            let Some(&number) = self.of_value.get(&record.value) else {
                return Some(Some(garbage(history, record)));
            };
            let cluster = &mut self.clusters[number as usize];
            if record.ret < cluster.write_call {
                return Some(Some(future(history, record, cluster.write)));
            }
            if record.ret < cluster.first {
                (cluster.first, cluster.first_op) = (record.ret, record.index);
            }
            if record.call > cluster.last {
                (cluster.last, cluster.last_op) = (record.call, record.index);
            }
        }
        Some(self.conflict(history))
    }

    /// Two clusters of which neither can stand before the other.
    fn conflict(&mut self, history: &History) -> Option<Violation> {
        let clusters = &self.clusters;
        self.forward.clear();
        let forward = |&n: &u32| clusters[n as usize].first < clusters[n as usize].last;
        self.forward.extend((0..clusters.len() as u32).filter(forward));
        self.forward.sort_unstable_by_key(|&n| clusters[n as usize].first);
        for pair in self.forward.windows(2) {
            let (a, b) = (&clusters[pair[0] as usize], &clusters[pair[1] as usize]);
            if b.first < a.last {
                return Some(contradiction(history, a, b));
            }
        }
        for b in clusters.iter().filter(|c| c.last <= c.first) {
            let before = |&n: &u32| clusters[n as usize].first < b.last;
            let at = self.forward.partition_point(before);
            let Some(&n) = at.checked_sub(1).and_then(|at| self.forward.get(at)) else {
                continue;
            };
            let a = &clusters[n as usize];
            if b.first < a.last {
                return Some(contradiction(history, a, b));
            }
        }
        None
    }
}

fn garbage(history: &History, record: &Record) -> Violation {
    let value = history.values.show(record.value);
    let summary = format!("#{} read {value}, which nobody wrote.", record.index);
    Violation::new(history, "garbage-read", summary, &[record.index])
}

fn future(history: &History, record: &Record, write: u32) -> Violation {
    let summary =
        format!("#{} read {} before #{write} began to write it.", record.index, history.values.show(record.value));
    Violation::new(history, "future-read", summary, &[record.index, write])
}

fn contradiction(history: &History, a: &Cluster, b: &Cluster) -> Violation {
    let value = |cluster: &Cluster| match (cluster.write, cluster.last_op) {
        (NO, NO) => "the initial value".into(),
        (NO, read) => history.values.show(history.operations[read as usize].out),
        (write, _) => history.values.show(history.operations[write as usize].value),
    };
    let mut ops = vec![a.first_op, a.last_op, b.first_op, b.last_op, a.write, b.write];
    ops.retain(|&op| op != NO);
    let (x, y) = (value(a), value(b));
    let began = match a.first_op {
        NO => "from the beginning".into(),
        op => format!("when #{op} ended"),
    };
    let seen = match b.first_op {
        op if op == b.write => "was written",
        _ => "was there",
    };
    let summary = format!("The value was {x} {began} and still when #{} began, but {y} {seen} in between.", a.last_op);
    Violation::new(history, "not-linearizable", summary, &ops)
}
