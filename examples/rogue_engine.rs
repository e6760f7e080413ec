//! An engine that misbehaves on demand, to see what squall makes of it: a run that takes its process down loses
//! its own seed only, and whatever does not repeat is said to be so.
//!
//! ```sh
//! cargo run --example rogue_engine -- run rogue --set engine.way=abort
//! ```
//!
//! It is no example of how to write an engine: it keeps nothing on its disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;

use squall::aio::{Completion, IOCompletions, IOResult};
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::engine::{
    Connection, Durability, Engine, EngineError, EngineInfo, Env, Isolation, OptionInfo, Options, Promises, Reply,
};
use squall::history::{Class, Datum, Fact, Outcome};
use squall::property::{Finding, Judgement, Property, RunRecord, Verdict};
use squall::scenario::Registry;

const WAYS: &[&str] =
    &["good", "lie", "refuse", "panic", "abort", "overflow", "hoard", "loop", "loop-yielding", "dice", "chatter"];

/// What it does at its third operation, in about half of the runs.
#[derive(Clone)]
struct Rogue {
    way: String,
    strikes: bool,
    content: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
}

struct Client {
    rogue: Rogue,
    op: Option<KvOp>,
    count: u32,
    yields: u32,
}

impl Engine<Kv> for Rogue {
    type Connection = Client;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "rogue",
            version: "1",
            about: "misbehaves on demand",
            door: "state machine",
            serves: &["read", "write"],
            options: &[OptionInfo::Choice { name: "way", about: "how it misbehaves", words: WAYS }],
            bugs: &[],
        }
    }

    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::None }
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        let way = env.options.text("way").to_string();
        Ok(Self { strikes: env.io.random().is_multiple_of(2), content: Rc::default(), way })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        Ok(IOResult::Done(()))
    }

    fn connect(&mut self) -> Result<Client, EngineError> {
        Ok(Client { rogue: self.clone(), op: None, count: 0, yields: 0 })
    }
}

impl Connection<Kv> for Client {
    fn start(&mut self, op: &KvOp) {
        self.op = Some(op.clone());
        self.count += 1;
        self.yields = 1;
        if self.rogue.way == "dice" && self.strikes() {
            // What no engine may do: ask the world outside.
            self.yields = std::time::SystemTime::now().elapsed().map_or(1, |time| time.subsec_nanos() % 7 + 1);
        }
    }

    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        if self.yields > 0 {
            self.yields -= 1;
            return Ok(IOResult::IO(IOCompletions::Single(Completion::new_yield())));
        }
        if self.strikes() {
            match self.rogue.way.as_str() {
                "panic" => panic!("the rogue panics at operation {}", self.count),
                "abort" => std::process::abort(),
                "overflow" => return Err(EngineError::new(Class::Other, format!("depth {}", deep(u64::MAX)))),
                "hoard" => hoard(),
                "loop" => forever(),
                "loop-yielding" => return Ok(IOResult::IO(IOCompletions::Single(Completion::new_yield()))),
                "chatter" => chatter(),
                _ => {}
            }
        }
        if self.rogue.way == "refuse" {
            return Ok(IOResult::Done(Reply::Refused(Class::Busy)));
        }
        let mut content = self.rogue.content.borrow_mut();
        let value = match self.op.take() {
            Some(KvOp::Put(key, value)) => {
                if self.rogue.way != "lie" || !self.rogue.strikes {
                    content.insert(key.to_string(), value.bytes());
                }
                KvValue::Unit
            }
            Some(KvOp::Get(key)) => KvValue::Bytes(content.get(&*key).cloned()),
            _ => return Ok(IOResult::Done(Reply::Refused(Class::Unsupported))),
        };
        Ok(IOResult::Done(Reply::Ok(value)))
    }
}

impl Client {
    const fn strikes(&self) -> bool {
        self.rogue.strikes && self.count == 3
    }
}

fn deep(left: u64) -> u64 {
    let place = [left; 64];
    if left == 0 { 0 } else { std::hint::black_box(place)[7] ^ deep(left - 1) }
}

fn hoard() {
    let mut heap = Vec::new();
    loop {
        heap.push(std::hint::black_box(Vec::<u8>::with_capacity(32 << 20)));
    }
}

fn forever() {
    loop {
        std::hint::spin_loop();
    }
}

#[allow(clippy::print_stdout)]
fn chatter() {
    print!("an engine that prints @squall {{\"half\": a line");
}

/// With one connection, a read brings what was written last, until a crash.
#[derive(Default)]
struct LastWrite {
    pending: Option<(String, Datum)>,
    written: BTreeMap<String, Datum>,
    read: Option<String>,
}

impl Property for LastWrite {
    fn name(&self) -> &'static str {
        "last-write"
    }

    fn about(&self) -> &'static str {
        "With one connection, a read brings what was written last, until a crash."
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let mut compared = 0;
        for event in &run.history.events {
            match &event.fact {
                Fact::Invoke { call, .. } => {
                    let key = call.key.as_deref().unwrap_or_default().to_string();
                    (self.pending, self.read) = match call.f {
                        "write" => (Some((key, call.arg.clone())), None),
                        _ => (None, Some(key)),
                    };
                }
                Fact::Return { op, outcome: Outcome::Ok(value), .. } => {
                    if let Some((key, written)) = self.pending.take() {
                        self.written.insert(key, written);
                    } else if let Some(key) = self.read.take() {
                        compared += 1;
                        let expected = self.written.get(&key).unwrap_or(&Datum::Null);
                        if value != expected {
                            let finding = Finding {
                                property: "last-write".into(),
                                anomaly: "stale-read".into(),
                                sentence: format!("A read of {key} brought {value}, and {expected} was written last."),
                                resources: vec![key],
                                ops: vec![*op],
                                turn: event.turn,
                                proof: vec![],
                            };
                            return Judgement { verdict: Verdict::Violated(Box::new(finding)), compared };
                        }
                    }
                }
                // It promises nothing beyond this.
                Fact::Crash { .. } => break,
                _ => {}
            }
        }
        Judgement { verdict: Verdict::Holds, compared }
    }
}

const SCENARIO: &str = r#"
about = "One connection that writes and reads."
workload = "register"
properties = "last-write"
seeds = "0..8"
connections = 1
transactions = 12

[knobs]
keys = 2
transaction-ops = 0
checkpoints-permille = 0

[limits]
turns-max = 20000
"#;

fn main() -> ExitCode {
    let registry = Registry::new()
        .program("rogue_engine")
        .engine::<Kv, Rogue>()
        .standard_workloads()
        .property(|| Box::new(LastWrite::default()))
        .scenario("rogue", SCENARIO);
    squall::cli::main(registry)
}
