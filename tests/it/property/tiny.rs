//! A small store that is right, and can be told to be wrong, for the fuzz tests of properties.
//!
//! It is not an engine: it has no disk and no state machines. Several clients carry out a workload's plan;
//! a seed decides who goes on. An operation is asked for, then done, then answered, with others in between.
//! Transactions read from the snapshot of their begin and are validated at their commit. Crashes cut
//! everything off and keep what the promise says.

use std::collections::{BTreeMap, BTreeSet};

use squall::engine::kv::{Key, Kv, KvOp, KvValue, pop_front};
use squall::engine::{Durability, Family, Isolation, Promises};
use squall::history::{Class, CrashKind, Datum, Fact, History, OpId, Outcome};
use squall::property::{Judgement, RunRecord, Verdict, by_name};
use squall::tape::Stream;
use squall::workload::{Knobs, Transaction, Workload};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Commits are never refused.
    LostUpdate,
    /// Commits are refused for what they write only, whatever was promised.
    WriteSkew,
    /// Reads see what others have not committed.
    DirtyRead,
    /// Some reads that stand alone answer from the version before.
    StaleRead,
    /// A crash forgets an acknowledged commit in the middle.
    ForgetsCommit,
    /// A crash keeps the first write of the last transaction only.
    HalfCommit,
    /// A rollback commits.
    AppliesRollback,
    /// Some scans leave out a row.
    ScanSkips,
    /// Some scans read their second half from the version before.
    ScanTears,
    /// Some reads come back with a byte changed.
    FlipsByte,
    /// Some pops do not remove.
    PopsTwice,
    /// Some appends put the element first.
    Prepends,
}

/// A store and how it is used.
#[derive(Clone, Debug)]
pub(crate) struct Tiny {
    pub(crate) promises: Promises,
    pub(crate) bug: Option<Bug>,
    pub(crate) tells_order: bool,
    pub(crate) knobs: Knobs,
    pub(crate) clients: u16,
    pub(crate) transactions: u32,
    pub(crate) crashes: u32,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            promises: Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit },
            bug: None,
            tells_order: false,
            knobs: Knobs { keys: 4, rollbacks_percent: 20, checkpoints_permille: 50, ..Knobs::default() },
            clients: 4,
            transactions: 15,
            crashes: 2,
        }
    }
}

impl Tiny {
    pub(crate) fn alone(mut self) -> Self {
        self.knobs.transaction_ops = 0;
        self
    }

    pub(crate) fn with(self, bug: Bug) -> Self {
        Self { bug: Some(bug), ..self }
    }

    pub(crate) fn promising(self, isolation: Isolation, durability: Durability) -> Self {
        Self { promises: Promises { isolation, durability }, ..self }
    }

    /// Runs a workload and asks one of the properties.
    pub(crate) fn judged(&self, workload: &dyn Workload<Kv>, property: &str, seed: u64) -> (Judgement, History) {
        let history = self.run(workload, seed);
        let facts = workload.facts(&self.knobs);
        let run =
            RunRecord { history: &history, promises: self.promises, facts: &facts, media_faults: 0, betrayed: false };
        let judgement = by_name(property).expect("the property exists").judge(&run);
        (judgement, history)
    }

    /// Runs a workload.
    pub(crate) fn run(&self, workload: &dyn Workload<Kv>, seed: u64) -> History {
        let mut world = World {
            tiny: self,
            workload,
            draws: Stream::new(seed, "tiny", 0),
            history: History::new(),
            store: Store::default(),
            process: 0,
            transaction: 0,
        };
        let plan = workload.plan(&self.knobs, seed, self.clients, self.transactions);
        world.play(vec![plan.setup], None);
        let mut left = plan.connections;
        for _ in 0..self.crashes {
            let steps = world.draws.below(u64::from(self.transactions * u32::from(self.clients)) * 6);
            left = world.play(left, Some(steps));
            world.crash();
            world.play(vec![plan.settle.clone()], None);
        }
        world.play(left, None);
        world.crash();
        world.play(vec![plan.settle], None);
        world.history
    }
}

/// What a transaction writes; nothing for a key that it deletes.
type Writes = BTreeMap<String, Option<Vec<u8>>>;

/// Committed data, and how it came to be.
#[derive(Clone, Debug, Default)]
struct Store {
    data: BTreeMap<String, Vec<u8>>,
    /// All commits; a version is a length of this.
    log: Vec<Writes>,
    /// The version that wrote each key last.
    versions: BTreeMap<String, usize>,
    /// The version that the last checkpoint has made durable.
    checkpoint: usize,
}

impl Store {
    fn commit(&mut self, writes: Writes) -> usize {
        for (key, value) in &writes {
            self.versions.insert(key.clone(), self.log.len() + 1);
            match value {
                Some(value) => drop(self.data.insert(key.clone(), value.clone())),
                None => drop(self.data.remove(key)),
            }
        }
        self.log.push(writes);
        self.log.len()
    }

    /// The data as they were at a version.
    fn at(&self, version: usize) -> BTreeMap<String, Vec<u8>> {
        let mut past = Self::default();
        for writes in &self.log[..version] {
            past.commit(writes.clone());
        }
        past.data
    }
}

/// An open transaction.
#[derive(Clone, Debug, Default)]
struct Open {
    number: Option<u32>,
    snapshot: BTreeMap<String, Vec<u8>>,
    version: usize,
    read: BTreeSet<String>,
    ranges: Vec<(Key, Key)>,
    writes: Writes,
}

/// An operation under way: asked for, then done.
struct Pending {
    id: OpId,
    op: KvOp,
    done: Option<(Outcome, Option<u64>)>,
}

struct Client {
    process: u32,
    left: Vec<Transaction<Kv>>,
    /// Operations of the current transaction that are still to be asked for, last first.
    ops: Vec<KvOp>,
    open: Option<Open>,
    pending: Option<Pending>,
}

struct World<'a> {
    tiny: &'a Tiny,
    workload: &'a dyn Workload<Kv>,
    draws: Stream,
    history: History,
    store: Store,
    process: u32,
    transaction: u32,
}

impl World<'_> {
    /// Gives steps until all is asked and answered, or for so many; answers what is left.
    fn play(&mut self, plans: Vec<Vec<Transaction<Kv>>>, steps: Option<u64>) -> Vec<Vec<Transaction<Kv>>> {
        let mut clients: Vec<Client> = plans
            .into_iter()
            .map(|mut left| {
                left.reverse();
                self.process += 1;
                Client { process: self.process - 1, left, ops: Vec::new(), open: None, pending: None }
            })
            .collect();
        let mut step = 0;
        while steps.is_none_or(|steps| step < steps) {
            let busy = |client: &Client| client.pending.is_some() || !client.ops.is_empty() || !client.left.is_empty();
            let able: Vec<usize> = (0..clients.len()).filter(|&index| busy(&clients[index])).collect();
            if able.is_empty() {
                break;
            }
            let index = able[self.draws.below(able.len() as u64) as usize];
            self.step(&mut clients, index);
            step += 1;
        }
        let mut left: Vec<Vec<Transaction<Kv>>> = clients.into_iter().map(|client| client.left).collect();
        left.iter_mut().for_each(|left| left.reverse());
        left
    }

    fn turn(&self) -> u64 {
        self.history.events.len() as u64
    }

    fn step(&mut self, clients: &mut [Client], index: usize) {
        match clients[index].pending.take() {
            None => self.ask(&mut clients[index]),
            Some(pending) if pending.done.is_none() => {
                let done = self.perform(clients, index, &pending.op);
                clients[index].pending = Some(Pending { done: Some(done), ..pending });
            }
            Some(Pending { id, op, done }) => {
                let (outcome, order) = done.expect("it is done");
                let client = &mut clients[index];
                let refused = !matches!(outcome, Outcome::Ok(_));
                if refused && client.open.is_some() && op != KvOp::Rollback {
                    client.ops = vec![KvOp::Rollback];
                }
                if matches!(op, KvOp::Commit | KvOp::Rollback) {
                    client.open = None;
                    client.ops.clear();
                }
                let (turn, process) = (self.turn(), client.process);
                let order = order.filter(|_| self.tiny.tells_order);
                self.history.push(turn, process, Fact::Return { op: id, outcome, order });
            }
        }
    }

    fn ask(&mut self, client: &mut Client) {
        if client.ops.is_empty() {
            let Some(transaction) = client.left.pop() else { return };
            client.ops = transaction.ops;
            client.ops.reverse();
        }
        let Some(op) = client.ops.pop() else { return };
        if op == KvOp::Begin {
            client.open = Some(Open { number: Some(self.transaction), ..Open::default() });
            self.transaction += 1;
        }
        let number = client.open.as_ref().and_then(|open| open.number);
        let id = self.history.invoke(self.turn(), client.process, number, self.workload.call(&op));
        client.pending = Some(Pending { id, op, done: None });
    }

    fn perform(&mut self, clients: &mut [Client], index: usize, op: &KvOp) -> (Outcome, Option<u64>) {
        let done = (Outcome::Ok(Datum::Null), None);
        match op {
            KvOp::Begin => {
                let open = clients[index].open.as_mut().expect("it was asked for");
                (open.snapshot, open.version) = (self.store.data.clone(), self.store.log.len());
                done
            }
            KvOp::Checkpoint => {
                self.store.checkpoint = self.store.log.len();
                done
            }
            KvOp::Vacuum => done,
            KvOp::Rollback if self.tiny.bug != Some(Bug::AppliesRollback) => done,
            KvOp::Commit | KvOp::Rollback => self.commit(clients[index].open.as_ref().expect("it is open")),
            _ => self.member(clients, index, op),
        }
    }

    fn commit(&mut self, open: &Open) -> (Outcome, Option<u64>) {
        let newer = |key: &String| self.store.versions.get(key).is_some_and(|&version| version > open.version);
        let in_range = |range: &(Key, Key)| {
            self.store.versions.iter().any(|(key, _)| *range.0 <= **key && **key <= *range.1 && newer(key))
        };
        let reads = open.read.iter().any(newer) || open.ranges.iter().any(in_range);
        let reads = reads && self.tiny.promises.isolation >= Isolation::Serializable && !open.writes.is_empty();
        let reads = reads && self.tiny.bug != Some(Bug::WriteSkew);
        let conflict = open.writes.keys().any(newer) || reads;
        if conflict && self.tiny.bug != Some(Bug::LostUpdate) && self.tiny.bug != Some(Bug::DirtyRead) {
            return (Outcome::Refused(Class::Conflict), None);
        }
        if open.writes.is_empty() {
            return (Outcome::Ok(Datum::Null), None);
        }
        let order = self.store.commit(open.writes.clone());
        (Outcome::Ok(Datum::Null), Some(order as u64))
    }

    fn strikes(&mut self, bug: Bug) -> bool {
        self.tiny.bug == Some(bug) && self.draws.below(6) == 0
    }

    fn member(&mut self, clients: &mut [Client], index: usize, op: &KvOp) -> (Outcome, Option<u64>) {
        let dirty: Vec<Writes> = match self.tiny.bug {
            Some(Bug::DirtyRead) => {
                clients.iter().filter_map(|client| Some(client.open.as_ref()?.writes.clone())).collect()
            }
            _ => Vec::new(),
        };
        let mut view = match &clients[index].open {
            Some(open) => open.snapshot.clone(),
            None if self.strikes(Bug::StaleRead) && matches!(op, KvOp::Get(_)) => {
                self.store.at(self.store.log.len().saturating_sub(1))
            }
            None => self.store.data.clone(),
        };
        let own = clients[index].open.as_ref().map(|open| &open.writes);
        for (key, value) in dirty.iter().flatten().chain(own.into_iter().flatten()) {
            match value {
                Some(value) => drop(view.insert(key.clone(), value.clone())),
                None => drop(view.remove(key)),
            }
        }
        let (value, writes) = self.apply(op, &view);
        let outcome = Outcome::Ok(self.workload.output(op, &value));
        match &mut clients[index].open {
            Some(open) => {
                match op {
                    KvOp::Scan(from, to) => open.ranges.push((from.clone(), to.clone())),
                    op => open.read.extend(key_of(op)),
                }
                open.writes.extend(writes);
                (outcome, None)
            }
            None if writes.is_empty() => (outcome, None),
            None => {
                let order = self.store.commit(writes);
                (outcome, Some(order as u64))
            }
        }
    }

    fn apply(&mut self, op: &KvOp, view: &BTreeMap<String, Vec<u8>>) -> (KvValue, Writes) {
        let write = |key: &Key, value| Writes::from([(key.to_string(), value)]);
        match op {
            KvOp::Get(key) => {
                let mut bytes = view.get(&**key).cloned();
                if let (Some(bytes), true) = (&mut bytes, self.strikes(Bug::FlipsByte)) {
                    bytes[0] ^= 1;
                }
                (KvValue::Bytes(bytes), Writes::new())
            }
            KvOp::Put(key, value) => (KvValue::Unit, write(key, Some(value.bytes()))),
            KvOp::Delete(key) => match view.contains_key(&**key) {
                true => (KvValue::Bool(true), write(key, None)),
                false => (KvValue::Bool(false), Writes::new()),
            },
            KvOp::Cas { key, expected, new } => {
                let same = view.get(&**key) == expected.map(|value| value.bytes()).as_ref();
                (KvValue::Bool(same), if same { write(key, Some(new.bytes())) } else { Writes::new() })
            }
            KvOp::Add(key, delta) => {
                let old = view.get(&**key).and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
                let sum = old.unwrap_or(0) + delta;
                (KvValue::Int(sum), write(key, Some(sum.to_string().into_bytes())))
            }
            KvOp::Append(key, value) => {
                let mut list = view.get(&**key).cloned().unwrap_or_default();
                let at = if self.strikes(Bug::Prepends) { 0 } else { list.len() };
                list.splice(at..at, value.element());
                (KvValue::Unit, write(key, Some(list)))
            }
            KvOp::Pop(key) => {
                let list = view.get(&**key).cloned().unwrap_or_default();
                let (front, rest) = pop_front(&list);
                let keeps = front.is_none() || self.strikes(Bug::PopsTwice);
                let rest = (!rest.is_empty()).then(|| rest.to_vec());
                let writes = if keeps { Writes::new() } else { write(key, rest) };
                (KvValue::Bytes(front.map(<[u8]>::to_vec)), writes)
            }
            KvOp::Scan(from, to) => (KvValue::Rows(self.scan(view, from, to)), Writes::new()),
            other => unreachable!("{other:?} is no member"),
        }
    }

    fn scan(&mut self, view: &BTreeMap<String, Vec<u8>>, from: &Key, to: &Key) -> Vec<(String, Vec<u8>)> {
        if from > to {
            return Vec::new();
        }
        let range = || from.to_string()..=to.to_string();
        let mut rows: Vec<_> = view.range(range()).map(|(key, value)| (key.clone(), value.clone())).collect();
        if !rows.is_empty() && self.strikes(Bug::ScanSkips) {
            rows.remove(self.draws.below(rows.len() as u64) as usize);
        }
        if self.strikes(Bug::ScanTears) {
            let old = self.store.at(self.store.log.len().saturating_sub(1));
            let middle = rows.get(rows.len() / 2).map_or(String::new(), |row| row.0.clone());
            rows.retain(|row| row.0 < middle);
            rows.extend(
                old.range(range()).filter(|row| *row.0 >= middle).map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        rows
    }

    fn crash(&mut self) {
        let turn = self.turn();
        self.history.push(turn, u32::MAX, Fact::Crash { kind: CrashKind::Power });
        let version = self.store.log.len();
        let kept = match self.tiny.promises.durability {
            Durability::EveryCommit => version,
            Durability::AtCheckpoint => {
                self.store.checkpoint + self.draws.below((version - self.store.checkpoint) as u64 + 1) as usize
            }
            Durability::None => self.draws.below(version as u64 + 1) as usize,
        };
        let mut log = std::mem::take(&mut self.store).log;
        log.truncate(kept);
        match self.tiny.bug {
            Some(Bug::ForgetsCommit) if kept > 1 => drop(log.remove(kept - 2)),
            Some(Bug::HalfCommit) => {
                if let Some(last) = log.last_mut() {
                    *last = last.iter().take(1).map(|(key, value)| (key.clone(), value.clone())).collect();
                }
            }
            _ => {}
        }
        for writes in log {
            self.store.commit(writes);
        }
        // What a recovery has found is durable.
        self.store.checkpoint = self.store.log.len();
        let turn = self.turn();
        self.history.push(turn, u32::MAX, Fact::Recovered);
    }
}

fn key_of(op: &KvOp) -> Option<String> {
    Kv::call(op).key.map(|key| key.to_string())
}

/// Judges good runs of every workload, which must not be found wrong, and counts what was compared.
pub(crate) fn accepts(property: &str, workloads: &[&str], shapes: &[Tiny], seeds: u64) -> u64 {
    let mut compared = 0;
    for name in workloads {
        let workload = squall::workload::kv::by_name(name).expect("the workload exists");
        for shape in shapes {
            for seed in 0..seeds {
                let (judgement, _) = shape.judged(&*workload, property, seed);
                match &judgement.verdict {
                    Verdict::Violated(finding) => panic!("{name}, seed {seed}, {shape:?}: {finding:#?}"),
                    // To have had nothing to compare is no shame; not to have understood is.
                    Verdict::Inconclusive(reason) if !reason.starts_with("no") => {
                        panic!("{name}, seed {seed}, {shape:?}: {reason}");
                    }
                    _ => {}
                }
                compared += judgement.compared;
            }
        }
    }
    compared
}

/// In how many of the seeds the property finds a store with this bug wrong, and the anomalies it names.
pub(crate) fn finds(property: &str, workload: &str, shape: &Tiny, bug: Bug, seeds: u64) -> (u64, BTreeSet<String>) {
    let workload = squall::workload::kv::by_name(workload).expect("the workload exists");
    let shape = shape.clone().with(bug);
    let (mut found, mut anomalies) = (0, BTreeSet::new());
    for seed in 0..seeds {
        if let Verdict::Violated(finding) = shape.judged(&*workload, property, seed).0.verdict {
            found += 1;
            anomalies.insert(finding.anomaly);
        }
    }
    (found, anomalies)
}
