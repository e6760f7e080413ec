//! How fast the judges are: the table of `docs/checking.md`, with time and memory.
//!
//! Histories are generated: good ones by an object that works, bad ones by one planted violation
//! near the end. The time is that of judging, the history in memory, the best of three,
//! as processor time (elsewhere than on Linux as elapsed time); the memory is
//! what the process grew by at its peak meanwhile (Linux only). Nothing here passes or fails.
//!
//! `cargo bench --bench judge [-- part of a row's name]`; with `-- --write FOLDER` it judges only what Porcupine can
//! judge too, and leaves the histories there as files (`benches/porcupine/compare.sh`).

#![allow(clippy::type_complexity)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use squall::judge::{
    Consistency, Function, History, KeyOrder, Limits, NEVER, Object, Outcome, TxnHistory, Value, Verdict, formats,
    list_append, rw_register, rw_register_for,
};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut table = Table { wanted: None, write: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => table.write = Some(arguments.next().expect("a folder after --write").into()),
            _ => table.wanted = Some(argument),
        }
    }
    println!("| history | verdict | method | ms | grew by MB |");
    println!("|---|---|---|---|---|");
    registers(&table);
    containers(&table);
    if table.write.is_none() {
        transactions(&table);
        files(&table);
    }
}

struct Table {
    wanted: Option<String>,
    write: Option<PathBuf>,
}

impl Table {
    /// A row about a history of single operations.
    fn history(&self, name: &str, object: Object, make: impl FnOnce() -> History) {
        let make = || {
            let history = make();
            if let Some(folder) = &self.write {
                let file = name.replace(',', "").replace(' ', "-") + ".jsonl";
                std::fs::write(folder.join(file), formats::own_lines(&history)).expect("the folder takes files");
            }
            history
        };
        self.row(name, make, |history| judged(object, history));
    }

    /// Prints a row: makes the input, then runs the judge three times.
    fn row<T>(&self, name: &str, make: impl FnOnce() -> T, judge: impl Fn(&T) -> (String, String)) {
        if self.wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            return;
        }
        let input = make();
        let before = memory("VmRSS:");
        // Resets the peak; without the right to do so the peak is that of the generator too.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let mut best = f64::MAX;
        let mut answer = (String::new(), String::new());
        for _ in 0..3 {
            let start = (processor_ms(), Instant::now());
            answer = judge(&input);
            let elapsed = start.1.elapsed().as_secs_f64() * 1000.0;
            let busy = processor_ms().zip(start.0).map(|(end, start)| end - start);
            // The system counts processor time in pieces too large for short runs.
            best = best.min(busy.filter(|_| elapsed > 50.0).unwrap_or(elapsed));
        }
        let grew = memory("VmHWM:").zip(before).map(|(peak, before)| peak.saturating_sub(before) / 1024);
        let grew = grew.map_or("-".into(), |grew| grew.to_string());
        println!("| {name} | {} | {} | {best:.1} | {grew} |", answer.0, answer.1);
    }
}

/// Milliseconds this process has been on a processor, where the system tells; it is shared.
fn processor_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

/// A figure of the process in kilobytes.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

/// What an object does when it is asked.
trait Works {
    fn call(&mut self, draws: &mut Draws, history: &mut History) -> (Function, u32, Value);
    fn effect(&mut self, f: Function, key: u32, value: Value, history: &History) -> Value;
}

/// Clients take turns at random: one begins, its operation takes effect, it ends.
fn generate(works: &mut impl Works, operations: usize, clients: u64, lost: usize) -> History {
    let mut draws = Draws(0x1234_5678_9abc_def1);
    let mut history = History::new();
    let mut running: Vec<Option<(usize, bool)>> = vec![None; clients as usize];
    let mut process: Vec<u32> = (0..clients as u32).collect();
    let mut time = 0;
    let mut lost_left = lost;
    while history.len() < operations || running.iter().any(Option::is_some) {
        time += 1;
        let client = draws.below(clients) as usize;
        match running[client] {
            None if history.len() < operations => {
                let (f, key, value) = works.call(&mut draws, &mut history);
                let index = history.len();
                history.operations.push(squall::judge::Operation {
                    process: process[client],
                    key,
                    call: time,
                    ret: NEVER,
                    f,
                    value,
                    out: Value::Null,
                });
                running[client] = Some((index, false));
            }
            None => {}
            Some((index, false)) => {
                let op = history.operations[index];
                history.operations[index].out = works.effect(op.f, op.key, op.value, &history);
                running[client] = Some((index, true));
            }
            Some((index, true)) => {
                running[client] = None;
                let write = history.operations[index].f == Function::Write;
                if lost_left > 0 && write && draws.below(100) == 0 {
                    lost_left -= 1;
                    process[client] = (clients as usize + lost - lost_left) as u32;
                } else {
                    history.operations[index].ret = time;
                }
            }
        }
    }
    history
}

#[derive(Default)]
struct Store {
    keys: u64,
    values: u64,
    fresh: i64,
    now: BTreeMap<u32, Value>,
}

impl Works for Store {
    fn call(&mut self, draws: &mut Draws, history: &mut History) -> (Function, u32, Value) {
        let key = history.values.text_id(&format!("k{}", draws.below(self.keys)));
        if self.values > 0 {
            let mut value = || Value::Int(draws.below(self.values) as i64);
            let pair = [value(), value()];
            return match draws.below(4) {
                0 => (Function::Read, key, Value::Null),
                1 => (Function::Write, key, pair[0]),
                _ => (Function::Cas, key, history.values.list(&pair)),
            };
        }
        if draws.below(2) == 0 {
            return (Function::Read, key, Value::Null);
        }
        self.fresh += 1;
        (Function::Write, key, Value::Int(self.fresh))
    }

    fn effect(&mut self, f: Function, key: u32, value: Value, history: &History) -> Value {
        let now = self.now.entry(key).or_insert(Value::Null);
        match f {
            Function::Read => *now,
            Function::Write => {
                *now = value;
                Value::Null
            }
            _ => {
                let (old, new) = history.values.pair(value).expect("a pair");
                let set = *now == old;
                if set {
                    *now = new;
                }
                set.into()
            }
        }
    }
}

/// A read near the end gives what another read gave near the middle.
fn plant_stale_read(history: &mut History) {
    let key = history.operations[history.len() / 2].key;
    let read = |op: &squall::judge::Operation| op.f == Function::Read && op.key == key && op.returned();
    let reads: Vec<usize> = (0..history.len()).filter(|&i| read(&history.operations[i])).collect();
    let (old, late) = (reads[reads.len() / 2], reads[reads.len() * 9 / 10]);
    history.operations[late].out = history.operations[old].out;
}

fn judged(object: Object, history: &History) -> (String, String) {
    let judgement = object.judge(history, &Limits::default());
    (said(&judgement.verdict), judgement.method)
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "holds".into(),
        Verdict::Violated(_) => "violated".into(),
        Verdict::Inconclusive(reason) => format!("inconclusive: {reason}"),
    }
}

fn registers(table: &Table) {
    let store = |keys, values| Store { keys, values, ..Store::default() };
    for lost in [0, 30] {
        for bad in [false, true] {
            let kind = if bad { "bad" } else { "good" };
            let name = format!("register 10,000 x 50, {lost} never returned, {kind}");
            let make = || {
                let mut history = generate(&mut store(1, 0), 10_000, 50, lost);
                if bad {
                    plant_stale_read(&mut history);
                }
                history
            };
            table.history(&name, Object::Register, make);
        }
    }
    for bad in [false, true] {
        let name = format!("kv 1,000,000 x 100, 1,000 keys, {}", if bad { "bad" } else { "good" });
        let make = || {
            let mut history = generate(&mut store(1_000, 0), 1_000_000, 100, 0);
            if bad {
                plant_stale_read(&mut history);
            }
            history
        };
        table.history(&name, Object::KeyValue, make);
    }
    for operations in [1_000, 20_000] {
        let name = format!("cas over 5 values, {operations} x 20, good");
        table.history(&name, Object::Register, || generate(&mut store(1, 5), operations, 20, 0));
    }
    let make = || {
        let mut history = generate(&mut store(1, 5), 1_000, 20, 0);
        let at = history.operations.iter().rposition(|op| op.f == Function::Read).expect("a read");
        history.operations[at].out = Value::Int(99);
        history
    };
    table.history("cas over 5 values, 1000 x 20, bad", Object::Register, make);
}

struct Container {
    object: Object,
    fresh: i64,
    inside: std::collections::VecDeque<i64>,
    heap: std::collections::BinaryHeap<i64>,
}

impl Works for Container {
    fn call(&mut self, draws: &mut Draws, history: &mut History) -> (Function, u32, Value) {
        let key = history.values.text_id("");
        let (way_in, way_out) = match self.object {
            Object::Queue => (Function::Enqueue, Function::Dequeue),
            Object::Stack => (Function::Push, Function::Pop),
            _ => (Function::Insert, Function::Poll),
        };
        if draws.below(2) == 0 {
            return (way_out, key, Value::Null);
        }
        self.fresh += 1;
        (way_in, key, Value::Int(self.fresh.wrapping_mul(2_654_435_761) % 1_000_003_337))
    }

    fn effect(&mut self, f: Function, _: u32, value: Value, _: &History) -> Value {
        let number = value.int();
        let out = match (self.object, f) {
            (_, Function::Enqueue | Function::Push) => {
                self.inside.extend(number);
                return Value::Null;
            }
            (_, Function::Insert) => {
                self.heap.extend(number);
                return Value::Null;
            }
            (Object::Queue, _) => self.inside.pop_front(),
            (Object::Stack, _) => self.inside.pop_back(),
            _ => self.heap.pop(),
        };
        out.map_or(Value::Null, Value::Int)
    }
}

fn containers(table: &Table) {
    let all = [Object::Queue, Object::Stack, Object::PriorityQueue];
    let objects = if table.write.is_some() { &all[..1] } else { &all };
    for &object in objects {
        for bad in [false, true] {
            let kind = if bad { "bad" } else { "good" };
            let name = format!("{} 100,000 x 16, {kind}", object.name());
            let make = || {
                let mut container =
                    Container { object, fresh: 0, inside: Default::default(), heap: Default::default() };
                let mut history = generate(&mut container, 100_000, 16, 0);
                if bad {
                    let full = |op: &squall::judge::Operation| matches!(op.out, Value::Int(_));
                    let outs: Vec<usize> = (0..history.len()).filter(|&i| full(&history.operations[i])).collect();
                    let (a, b) = (outs[outs.len() * 8 / 10], outs[outs.len() * 9 / 10]);
                    let out = history.operations[a].out;
                    history.operations[a].out = history.operations[b].out;
                    history.operations[b].out = out;
                }
                history
            };
            table.history(&name, object, make);
        }
    }
}

/// Begin, end, place, client, and steps: a key and what was written to it or read from it.
type Plan = (i64, i64, i64, u32, Vec<(i64, Option<i64>, Vec<i64>)>);

/// Transactions of clients that run at the same time; each takes effect at one moment, reading from
/// `stale` commits ago at most.
fn txns(count: usize, lists: bool, stale: u64) -> TxnHistory {
    reported(count, lists, stale, false)
}

/// The same, perhaps with the order of commits.
fn reported(count: usize, lists: bool, stale: u64, places: bool) -> TxnHistory {
    const CLIENTS: u64 = 20;
    const KEYS: u64 = 10;
    const WRITES_PER_KEY: usize = 32;
    let mut draws = Draws(0xfeed_beef_1234_5679);
    let mut history = TxnHistory::new();
    // A key is left for a new one when it has been written often enough.
    let mut keys: Vec<i64> = (0..KEYS as i64).collect();
    let mut next_key = KEYS as i64;
    let mut lists_now: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut fresh = 0;
    let mut plans: Vec<Plan> = Vec::new();
    let mut ends = vec![0i64; CLIENTS as usize];
    for index in 0..count as i64 {
        let moment = index * 10;
        let client = draws.below(CLIENTS) as usize;
        let call = (moment - draws.below(60) as i64).max(ends[client] + 1);
        let ret = call.max(moment) + 1 + draws.below(60) as i64;
        if call > moment {
            continue;
        }
        ends[client] = ret;
        let mut steps = Vec::new();
        for _ in 0..1 + draws.below(4) {
            let slot = draws.below(KEYS) as usize;
            let key = keys[slot];
            let list = lists_now.entry(key).or_default();
            if draws.below(2) == 0 {
                fresh += 1;
                list.push(fresh);
                steps.push((key, Some(fresh), Vec::new()));
                if list.len() >= WRITES_PER_KEY {
                    lists_now.remove(&key);
                    keys[slot] = next_key;
                    next_key += 1;
                }
            } else {
                let back = if stale > 0 { draws.below(stale + 1) as usize } else { 0 };
                let seen = list.len().saturating_sub(back);
                let from = if lists { 0 } else { seen.saturating_sub(1) };
                steps.push((key, None, list[from..seen].to_vec()));
            }
        }
        plans.push((call, ret, moment, client as u32, steps));
    }
    plans.sort_by_key(|plan| plan.0);
    for (call, ret, place, client, steps) in plans {
        history.begin(client, (call, Some(ret)), Outcome::Committed);
        if places {
            history.committed_at(place as u64);
        }
        for (key, written, seen) in steps {
            let key = Value::Int(key);
            match written {
                Some(value) if lists => history.append(key, value.into()),
                Some(value) => history.write(key, value.into()),
                None if lists => {
                    let seen: Vec<Value> = seen.into_iter().map(Value::Int).collect();
                    history.read_list(key, Some(&seen));
                }
                None => history.read(key, Some(seen.last().map_or(Value::Null, |&n| n.into()))),
            }
        }
    }
    history
}

fn isolation(history: &TxnHistory, lists: bool, model: Consistency) -> (String, String) {
    let isolation = if lists { list_append(history) } else { rw_register(history, KeyOrder::default()) };
    let kinds: Vec<&str> = isolation.anomalies.iter().map(|anomaly| anomaly.kind.as_str()).collect();
    (format!("{} {}", said(&isolation.judge(model).verdict), kinds.join(" ")), isolation.method)
}

fn transactions(table: &Table) {
    let strict = Consistency::StrictSerializable;
    let lists = |history: &TxnHistory| isolation(history, true, strict);
    table.row("list-append 100,000, good", || txns(125_000, true, 0), lists);
    let planted = || {
        let mut history = txns(125_000, true, 0);
        history.begin(1_000_000, (2_000_000, Some(2_000_001)), Outcome::Committed);
        let key = Value::Int(3);
        history.read_list(key, Some(&[]));
        history
    };
    table.row("list-append 100,000, bad", planted, lists);
    table.row("list-append 10,000, many anomalies", || txns(12_500, true, 3), lists);
    table.row("list-append 1,000,000, good", || txns(1_250_000, true, 0), lists);
    let registers = |history: &TxnHistory| isolation(history, false, strict);
    table.row("rw-register 100,000, good", || txns(125_000, false, 0), registers);
    let make = || reported(125_000, false, 0, true);
    table.row("rw-register 100,000, good, commit order reported", make, registers);
    for model in [Consistency::ReadCommitted, Consistency::ReadAtomic, Consistency::Causal] {
        let name = format!("rw-register 100,000, good, {}", model.name());
        let weak = |history: &TxnHistory| {
            let isolation = rw_register_for(history, KeyOrder::default(), model);
            (said(&isolation.judge(model).verdict), isolation.method)
        };
        table.row(&name, || txns(125_000, false, 0), weak);
    }
    let planted = || {
        let mut history = txns(125_000, false, 0);
        history.begin(1_000_000, (2_000_000, Some(2_000_001)), Outcome::Committed);
        history.read(Value::Int(3), Some(Value::Null));
        history
    };
    table.row("rw-register 100,000, bad", planted, registers);
    table.row("rw-register 10,000, many anomalies", || txns(12_500, false, 3), registers);
}

fn files(table: &Table) {
    let read = |text: &String| {
        let loaded = formats::read("bench", text).expect("a history");
        let megabytes = text.len() as f64 / 1e6;
        (format!("{:?} of {megabytes:.1} MB, {} entries", loaded.form, loaded.lines.len()), "read".into())
    };
    let store = || Store { keys: 1_000, ..Store::default() };
    table.row("file of own lines", || formats::own_lines(&generate(&mut store(), 300_000, 100, 0)), read);
    table.row("file of Jepsen's EDN", || formats::txns_edn(&txns(60_000, true, 0)), read);
    table.row("file of Jepsen's JSON", || formats::txns_json(&txns(60_000, true, 0)), read);
}
