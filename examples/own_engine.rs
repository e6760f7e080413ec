//! An engine of one's own under the simulator: a key-value store that appends one 512-byte record a write to a
//! file, syncs it, and reads the file back when it opens. It serves single reads and writes.
//!
//! It has a bug. `cargo run --example own_engine -- run appends` finds it in a few runs; `-- run reserves` runs
//! the corrected engine. `docs/own-engine.md` walks through this file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use squall::aio::{Buffer, Completion, CompletionGroup, IOResult};
use squall::disk::{File, OpenMode};
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::engine::{
    BugInfo, Connection, Durability, Engine, EngineError, EngineInfo, Env, Isolation, Options, Promises, Reply,
};
use squall::history::Class;
use squall::io_yield_one;
use squall::scenario::Registry;

const RECORD: u64 = 512;
const LATE: BugInfo = BugInfo {
    name: "end-moved-late",
    about: "the end of the file moves when a record is durable, not when its place is taken",
    class: "concurrency",
    depth: 2,
    harmless: false,
    public_issue: None,
};

struct Store {
    file: Arc<dyn File>,
    end: u64,
    /// Each value with the place of its record: of two records for one key the later in the file counts.
    values: BTreeMap<String, (u64, Vec<u8>)>,
}

struct Notebook {
    env: Env,
    store: Option<Rc<RefCell<Store>>>,
    loading: Option<Completion>,
    settling: Option<Completion>,
}

impl Engine<Kv> for Notebook {
    type Connection = Page;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "notebook",
            version: "1.0.0",
            about: "appends records to a file",
            door: "state machine",
            serves: &["read", "write"],
            options: &[],
            bugs: &[LATE],
        }
    }

    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit }
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        Ok(Self { env: env.clone(), store: None, loading: None, settling: None })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        let io = &self.env.io;
        // Called again until it is done, so everything before a yield must be safe to do twice.
        let file = io.open("notebook", OpenMode::Create)?;
        let read = self.loading.get_or_insert_with(|| {
            let bytes = Buffer::zeroed(file.size().unwrap_or(0) as usize);
            file.pread(0, Completion::read(bytes))
        });
        if !read.finished() {
            io_yield_one!(read.clone());
        }
        read.result().expect("finished")?;
        // What was read may not be durable yet, and neither is the file's name: a crash must not take back what
        // a client is about to see.
        let settled = self.settling.get_or_insert_with(|| {
            let mut both = CompletionGroup::new(|result| result);
            both.add(&file.sync(Completion::sync()));
            both.add(&io.sync_directory("", Completion::sync()));
            both.build()
        });
        if !settled.finished() {
            io_yield_one!(settled.clone());
        }
        settled.result().expect("finished")?;
        let bytes = read.buffer().expect("a read has a buffer").to_vec();
        let records = (0..).step_by(RECORD as usize).zip(bytes.chunks(RECORD as usize));
        let values = records.filter_map(|(at, record)| decode(record).map(|(key, value)| (key, (at, value)))).collect();
        let end = (bytes.len() as u64).next_multiple_of(RECORD);
        self.store = Some(Rc::new(RefCell::new(Store { file, end, values })));
        Ok(IOResult::Done(()))
    }

    fn connect(&mut self) -> Result<Page, EngineError> {
        let store = self.store.clone().expect("connections come after open");
        Ok(Page { store, late: self.env.options.bug(LATE.name), op: None, at: 0, state: State::Start })
    }
}

struct Page {
    store: Rc<RefCell<Store>>,
    late: bool,
    op: Option<KvOp>,
    at: u64,
    state: State,
}

enum State {
    Start,
    Writing(Completion),
    Syncing(Completion),
}

impl Connection<Kv> for Page {
    fn start(&mut self, op: &KvOp) {
        self.op = Some(op.clone());
        self.state = State::Start;
    }

    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        let mut store = self.store.borrow_mut();
        let (key, value) = match self.op.as_ref().expect("start comes first") {
            KvOp::Get(key) => {
                let value = store.values.get(&**key).map(|(_, value)| value.clone());
                return Ok(IOResult::Done(Reply::Ok(KvValue::Bytes(value))));
            }
            KvOp::Put(key, value) => (key, value.bytes()),
            _ => return Ok(IOResult::Done(Reply::Refused(Class::Unsupported))),
        };
        loop {
            match &self.state {
                State::Start => {
                    self.at = store.end;
                    if !self.late {
                        store.end += RECORD;
                    }
                    let record = Buffer::from(encode(key, &value));
                    self.state = State::Writing(store.file.pwrite(self.at, record, Completion::write()));
                }
                State::Writing(write) | State::Syncing(write) if !write.finished() => io_yield_one!(write.clone()),
                State::Writing(write) => {
                    write.result().expect("finished")?;
                    self.state = State::Syncing(store.file.sync(Completion::sync()));
                }
                State::Syncing(sync) => {
                    sync.result().expect("finished")?;
                    if self.late {
                        store.end = self.at + RECORD;
                    }
                    let newest = store.values.get(&**key).is_none_or(|(at, _)| *at < self.at);
                    if newest {
                        store.values.insert(key.to_string(), (self.at, value));
                    }
                    return Ok(IOResult::Done(Reply::Ok(KvValue::Unit)));
                }
            }
        }
    }
}

fn encode(key: &str, value: &[u8]) -> Vec<u8> {
    let mut record = [key.as_bytes(), b"=", value, b"\n"].concat();
    record.resize(RECORD as usize, 0);
    record
}

fn decode(record: &[u8]) -> Option<(String, Vec<u8>)> {
    let line = &record[..record.iter().position(|&byte| byte == b'\n')?];
    let equals = line.iter().position(|&byte| byte == b'=')?;
    Some((String::from_utf8(line[..equals].to_vec()).ok()?, line[equals + 1..].to_vec()))
}

const RESERVES: &str = r#"
about = "Single writes of a register, with crashes."
workload = "register"
connections = 3
transactions = 20

[knobs]
transaction-ops = 0
checkpoints-permille = 0
vacuums-permille = 0

[crash]
rate = "1/200"
"#;

fn main() -> ExitCode {
    let faulty = format!("[engine]\nbugs = [\"{}\"]\n", LATE.name);
    let appends = format!("expect = \"violated\"\nfound_within = 50\n{RESERVES}{faulty}");
    let registry = Registry::new().program("own_engine").engine::<Kv, Notebook>();
    let registry = registry.standard_workloads().standard_properties();
    squall::cli::main(registry.scenario("appends", appends).scenario("reserves", RESERVES))
}
