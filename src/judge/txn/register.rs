//! Registers: the order of versions is not in the reads, so it is deduced where it must be.
//!
//! | step | what it can say |
//! |---|---|
//! | reads by themselves | garbage, aborted, intermediate, internal, lost update |
//! | known dependencies: wr, the unwritten before every write, declared and reported orders | Elle's cycles |
//! | visibility: who is seen brings what it wrote | read atomic, causal |
//! | deduction: of two writers one order is impossible, so the other holds | snapshots, serial orders |
//! | a schedule that explains everything | holds |
//!
//! Deduction runs until nothing follows; a schedule is looked for with several preferences. What
//! neither decides is undecided, and said so. Invariant: a dependency deduced for one model is never
//! used against a weaker one.

use super::cycles::{self, Cycle, PLAIN, PROCESS, TIME};
use super::deduce::{self, Deduced};
use super::effects::Writers;
use super::graph::{Edges, Hubs, Kind};
use super::history::{Mop, NONE, Outcome, TxnHistory, Version};
use super::lattice::Consistency;
use super::report::{Anomaly, Isolation};
use super::schedule;
use super::visible;
use crate::judge::hash::Map;

const MODEL: &str = "rw-register";

/// What is known about the order of each key's versions, beside what follows from the reads. Each
/// is a promise of whoever declares it; a history that breaks it shows cyclic versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyOrder {
    /// A process sees each key's versions in their order.
    pub per_process: bool,
    /// Each key is linearizable: versions follow real time.
    pub real_time: bool,
    /// Who reads a version and then writes the key writes a later version.
    pub writes_follow_reads: bool,
}

/// Judges a history of reads and writes of registers.
#[must_use]
pub fn rw_register(history: &TxnHistory, order: KeyOrder) -> Isolation {
    judge(history, order, Consistency::StrictSerializable)
}

/// Judges only what the wanted model needs, which is much less for the models below snapshot
/// isolation. Models it does not imply are left undecided where nothing rules them out.
#[must_use]
pub fn rw_register_for(history: &TxnHistory, order: KeyOrder, wanted: Consistency) -> Isolation {
    judge(history, order, wanted)
}

fn judge(history: &TxnHistory, order: KeyOrder, wanted: Consistency) -> Isolation {
    let count = history.txns.len() as u64;
    let writers = match history.validate().and_then(|()| Writers::of(history)) {
        Ok(writers) => writers,
        Err(flaw) => return Isolation::unusable(MODEL, count, flaw.to_string()),
    };
    if history.has_lists() {
        let reason = "rw-register has only writes and reads of registers".into();
        return Isolation::unusable(MODEL, count, reason);
    }
    let mut registers = Registers::new(history, writers);
    registers.check_reads();
    let mut anomalies = std::mem::take(&mut registers.anomalies);
    let known = registers.known(order, &mut anomalies);
    Search { registers: &registers, known, order, wanted, anomalies, undecided: Vec::new() }.decide()
}

/// A read of what another transaction wrote; `version` is [`NONE`] for what nobody had written.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadFrom {
    pub(super) txn: u32,
    pub(super) key: u32,
    pub(super) version: Version,
    pub(super) writer: u32,
}

/// The facts of a history of registers.
pub(super) struct Registers<'a> {
    pub(super) history: &'a TxnHistory,
    pub(super) writers: Writers,
    /// Per transaction whether it surely took effect.
    pub(super) effective: Vec<bool>,
    /// Reads from others, each key once a transaction.
    pub(super) reads: Vec<ReadFrom>,
    /// Per key the transactions that wrote it and took effect, with the last version of each.
    pub(super) writes: Vec<Vec<(u32, Version)>>,
    anomalies: Vec<Anomaly>,
    compared: u64,
}

impl<'a> Registers<'a> {
    fn new(history: &'a TxnHistory, writers: Writers) -> Self {
        let committed = |txn: &super::Txn| txn.outcome == Outcome::Committed;
        Self {
            history,
            writers,
            effective: history.txns.iter().map(committed).collect(),
            reads: Vec::new(),
            writes: vec![Vec::new(); history.keys.len()],
            anomalies: Vec::new(),
            compared: 0,
        }
    }

    fn report(&mut self, kind: &str, txns: &[u32], summary: impl FnOnce(&TxnHistory) -> String) {
        if self.anomalies.iter().all(|known| known.kind != kind) {
            let summary = summary(self.history);
            self.anomalies.push(Anomaly::plain(self.history, kind, summary, txns));
        }
    }

    /// Every read by itself; then who took effect, and who wrote what.
    fn check_reads(&mut self) {
        let history = self.history;
        // Per key, the state inside the transaction being looked at: who, and the version.
        let mut own: Vec<(u32, Version, bool)> = vec![(NONE, NONE, false); history.keys.len()];
        let mut updaters: Map<(u32, Version), u32> = Map::default();
        for txn in 0..history.txns.len() as u32 {
            if history.txns[txn as usize].outcome != Outcome::Committed {
                continue;
            }
            for mop in history.steps(txn as usize) {
                match *mop {
                    Mop::Write { key, version } => {
                        let (who, read, wrote) = own[key as usize];
                        if who == txn && !wrote {
                            self.check_update(txn, key, read, &mut updaters);
                        }
                        own[key as usize] = (txn, version, true);
                    }
                    Mop::Read { key, version: Some(version) } => {
                        self.compared += 1;
                        let version = version.unwrap_or(NONE);
                        let (who, expected, _) = own[key as usize];
                        if who == txn {
                            self.check_internal(txn, key, expected, version);
                        } else {
                            own[key as usize] = (txn, version, false);
                            self.check_read(txn, key, version);
                        }
                    }
                    _ => {}
                }
            }
        }
        for txn in 0..history.txns.len() as u32 {
            if self.effective[txn as usize] {
                for mop in history.steps(txn as usize) {
                    if let Mop::Write { key, version } = *mop
                        && self.writers.last[version as usize]
                    {
                        self.writes[key as usize].push((txn, version));
                    }
                }
            }
        }
    }

    fn check_read(&mut self, txn: u32, key: u32, version: Version) {
        if version == NONE {
            let writer = NONE;
            self.reads.push(ReadFrom { txn, key, version, writer });
            return;
        }
        let writer = self.writers.writer[version as usize];
        let name = |history: &TxnHistory| (history.show(version), history.key_name(key));
        if writer == NONE {
            self.report("garbage-read", &[txn], |history| {
                let (value, key) = name(history);
                format!("T1 read {value} in {key}, which nobody wrote.")
            });
        } else if writer == txn {
            self.report("future-read", &[txn], |history| {
                let (value, key) = name(history);
                format!("T1 read {value} in {key} before it wrote it.")
            });
        } else if self.writers.aborted(self.history, version) {
            self.report("G1a", &[writer, txn], |history| {
                let (value, key) = name(history);
                format!("T2 read {value} in {key}, which T1 wrote, and T1 failed.")
            });
        } else {
            self.effective[writer as usize] = true;
            self.reads.push(ReadFrom { txn, key, version, writer });
            if !self.writers.last[version as usize] {
                self.report("G1b", &[writer, txn], |history| {
                    let (value, key) = name(history);
                    format!("T2 read {value} in {key}, which T1 wrote before it wrote {key} again.")
                });
            }
        }
    }

    fn check_internal(&mut self, txn: u32, key: u32, expected: Version, version: Version) {
        if expected != version {
            self.report("internal", &[txn], |history| {
                let (value, key) = (history.show(version), history.key_name(key));
                let expected = history.show(expected);
                format!("T1 read {value} in {key}, where its own steps before left {expected}.")
            });
        }
    }

    fn check_update(&mut self, txn: u32, key: u32, read: Version, updaters: &mut Map<(u32, Version), u32>) {
        if let Some(&other) = updaters.get(&(key, read)) {
            self.report("lost-update", &[other, txn], |history| {
                let (value, key) = (history.show(read), history.key_name(key));
                format!("T1 and T2 both read {value} in {key} and then wrote it.")
            });
        }
        updaters.insert((key, read), txn);
    }

    /// The facts about these transactions alone.
    fn only(&self, kept: &[u32]) -> Self {
        let mut effective = vec![false; self.effective.len()];
        for &txn in kept {
            effective[txn as usize] = true;
        }
        let has = |txn: u32| txn == NONE || effective[txn as usize];
        let reads = self.reads.iter().filter(|read| has(read.txn) && has(read.writer));
        let writes = self.writes.iter().map(|writes| {
            let kept = writes.iter().filter(|write| effective[write.0 as usize]);
            kept.copied().collect()
        });
        Self {
            history: self.history,
            writers: self.writers.clone(),
            reads: reads.copied().collect(),
            writes: writes.collect(),
            effective: effective.clone(),
            anomalies: Vec::new(),
            compared: 0,
        }
    }

    /// The dependencies that hold in every model: wr, the unwritten before every write, and orders
    /// of versions that were declared or reported.
    fn known(&self, order: KeyOrder, anomalies: &mut Vec<Anomaly>) -> Known {
        let mut edges = Edges::default();
        let mut vertices = self.history.txns.len() as u32;
        let mut hubs: Map<u32, Hubs> = Map::default();
        for read in &self.reads {
            if read.version != NONE {
                edges.add(read.writer, read.txn, Kind::Wr, read.version);
                continue;
            }
            let writes = &self.writes[read.key as usize];
            if writes.is_empty() {
                continue;
            }
            let hubs = hubs.entry(read.key).or_insert_with(|| Hubs::new(writes, &mut edges, &mut vertices));
            hubs.connect(read.txn, writes, &mut edges);
        }
        super::versions::add(self, order, &mut edges, anomalies);
        Known { edges, vertices }
    }
}

/// Dependencies, and how many vertices they are between.
pub(super) struct Known {
    pub(super) edges: Edges,
    pub(super) vertices: u32,
}

/// Which order beside data must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    Processes,
    Time,
}

/// The models decided by deduction and schedules, weaker ones first.
const TIERS: [(Keep, bool, Consistency, &str); 6] = [
    (Keep::Nothing, true, Consistency::SnapshotIsolation, "not-snapshot-isolation"),
    (Keep::Processes, true, Consistency::StrongSessionSnapshotIsolation, "not-strong-session-snapshot-isolation"),
    (Keep::Time, true, Consistency::StrongSnapshotIsolation, "not-strong-snapshot-isolation"),
    (Keep::Nothing, false, Consistency::Serializable, "not-serializable"),
    (Keep::Processes, false, Consistency::StrongSessionSerializable, "not-strong-session-serializable"),
    (Keep::Time, false, Consistency::StrictSerializable, "not-strict-serializable"),
];

struct Search<'a> {
    registers: &'a Registers<'a>,
    known: Known,
    order: KeyOrder,
    wanted: Consistency,
    anomalies: Vec<Anomaly>,
    undecided: Vec<Consistency>,
}

impl Search<'_> {
    fn decide(mut self) -> Isolation {
        let asked = self.wanted == Consistency::StrictSerializable;
        let strict = asked && self.anomalies.is_empty() && {
            let known = self.with(Keep::Time);
            schedule::exists(self.registers, &known, false)
        };
        if !strict {
            self.cycles();
            let (found, open) = visible::check(self.registers);
            self.anomalies.extend(found);
            if open {
                self.undecided.push(Consistency::Causal);
            }
            self.tiers();
        }
        let (count, compared) = (self.registers.history.txns.len() as u64, self.registers.compared);
        let mut isolation = Isolation::of(MODEL, count, compared, self.anomalies);
        if !self.undecided.is_empty() {
            let open = "the reads leave the order of some versions open, no schedule was found, \
                        and no contradiction either";
            let reason = if asked { open.into() } else { format!("only {} was asked for", self.wanted.name()) };
            isolation.strongest.retain(|m| !self.undecided.iter().any(|&u| m.implies(u)));
            isolation.undecided = Some((self.undecided, reason));
        }
        isolation
    }

    /// The known dependencies with the order to keep.
    fn with(&self, keep: Keep) -> Known {
        let history = self.registers.history;
        let mut edges = self.known.edges.clone();
        let mut vertices = self.known.vertices;
        match keep {
            Keep::Nothing => {}
            Keep::Processes => edges.processes(history, &self.registers.effective),
            Keep::Time => {
                vertices = edges.moments(history, &self.registers.effective, vertices);
            }
        }
        Known { edges, vertices }
    }

    /// Elle's cycles among known dependencies.
    fn cycles(&mut self) {
        let history = self.registers.history;
        let effective = &self.registers.effective;
        let mut known = self.with(Keep::Processes);
        known.vertices = known.edges.moments(history, effective, known.vertices);
        let graph = known.edges.graph(known.vertices, history.txns.len() as u32);
        let cycles = cycles::cycles(&graph, history, &[PLAIN, PROCESS, TIME]);
        self.add(&cycles);
        self.anomalies.extend(visible::stale(self.registers));
    }

    fn add(&mut self, cycles: &[Cycle]) {
        let history = self.registers.history;
        for cycle in cycles {
            self.anomalies.push(Anomaly::cycle(history, cycle));
        }
    }

    fn ruled_out(&self, model: Consistency) -> bool {
        self.anomalies.iter().any(|anomaly| model.forbids(&anomaly.kind))
    }

    fn tiers(&mut self) {
        let mut holds: Vec<Consistency> = Vec::new();
        // From the strongest down, a schedule settles everything below it.
        for (keep, snapshots, model, _) in TIERS.into_iter().rev() {
            let asked = self.wanted.implies(model);
            if asked && !self.ruled_out(model) && !holds.iter().any(|held| held.implies(model)) {
                let known = self.with(keep);
                if schedule::exists(self.registers, &known, snapshots) {
                    holds.push(model);
                }
            }
        }
        // From the weakest up, a contradiction settles everything above it.
        for (keep, snapshots, model, kind) in TIERS {
            if self.ruled_out(model) || holds.iter().any(|held| held.implies(model)) {
                continue;
            }
            if !self.wanted.implies(model) {
                self.undecided.push(model);
                continue;
            }
            match deduce::deduce(self.registers, self.with(keep), snapshots) {
                Deduced::Contradiction(..) => {
                    let anomaly = self.contradiction(keep, snapshots, kind);
                    self.anomalies.push(anomaly);
                }
                Deduced::Nothing(known) if schedule::exists(self.registers, &known, snapshots) => {
                    holds.push(model);
                }
                _ => self.undecided.push(model),
            }
        }
    }

    /// The fewest transactions that deduction finds contradictory, and its argument.
    fn contradiction(&self, keep: Keep, snapshots: bool, kind: &str) -> Anomaly {
        let history = self.registers.history;
        let deduce = |registers: &Registers<'_>| {
            let known = registers.known(self.order, &mut Vec::new());
            let search = Search {
                registers,
                known,
                order: self.order,
                wanted: self.wanted,
                anomalies: Vec::new(),
                undecided: Vec::new(),
            };
            deduce::deduce(registers, search.with(keep), snapshots)
        };
        let bad = |registers: &Registers<'_>| matches!(deduce(registers), Deduced::Contradiction(..));
        let few = reduce(self.registers, bad);
        let Deduced::Contradiction(hops, whys) = deduce(&few) else {
            unreachable!("only contradictory transactions are kept");
        };
        let mut order: Vec<u32> = (0..history.txns.len() as u32).collect();
        order.retain(|&txn| few.effective[txn as usize]);
        let cycle = Cycle { anomaly: kind.into(), hops };
        Anomaly::deduced(history, &cycle, &order, &whys)
    }
}

/// Work of reducing, in squares of the number of transactions.
const REDUCE_WORK_MAX: usize = 20_000_000;

/// Fewer transactions that are still bad. Leaving some out, with all reads from them, keeps what has
/// a schedule a history that has one.
fn reduce<'a>(whole: &Registers<'a>, bad: impl Fn(&Registers<'a>) -> bool) -> Registers<'a> {
    let count = whole.history.txns.len();
    let mut kept: Vec<u32> = (0..count as u32).filter(|&t| whole.effective[t as usize]).collect();
    let mut best = whole.only(&kept);
    let (mut work, mut size) = (0, kept.len().div_ceil(2));
    while size > 0 {
        let mut from = 0;
        while from < kept.len() && work < REDUCE_WORK_MAX {
            let mut fewer = kept.clone();
            fewer.drain(from..(from + size).min(kept.len()));
            work += fewer.len() * fewer.len();
            let registers = whole.only(&fewer);
            if bad(&registers) {
                (kept, best) = (fewer, registers);
            } else {
                from += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    best
}
