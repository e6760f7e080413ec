//! A state machine under the simulator: a step goes on as far as it can, and answers what it waits for. Each write
//! appends a record to a file. Try `cargo run --example door_machine -- run replace`, then `--set engine.sync=false`.
//! `docs/async-io.md` has all about writing code this way.

use std::{cell::RefCell, collections::BTreeMap, process::ExitCode, rc::Rc, sync::Arc};

use squall::aio::{Buffer, Completion, IOResult};
use squall::disk::{File, OpenMode};
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::{engine::*, io_yield_one, scenario::Registry};

const SCENARIO: &str = "about = 'records appended'\nworkload = 'register'\n[crash]\nrate = '1/200'\n\
    [knobs]\ntransaction-ops = 0\nrollbacks-percent = 0\ncheckpoints-permille = 0\nvacuums-permille = 0";
const RECORD: usize = 512;

struct Log {
    file: Arc<dyn File>,
    end: u64,
    values: BTreeMap<String, (u64, Vec<u8>)>, // With the places of their records, of which the latest counts.
}

struct Appending {
    env: Env,
    opening: Vec<Completion>, // A read of all, and the syncs after which what was read is not lost any more.
    log: Option<Rc<RefCell<Log>>>,
}

impl Engine<Kv> for Appending {
    type Connection = Client;
    fn info() -> EngineInfo {
        let (name, version, about, door) = ("appending", "1", "records in one file", "state machine");
        let options = &[OptionInfo::Bool { name: "sync", about: "sync each record", default: true }];
        EngineInfo { name, version, about, door, serves: &["read", "write"], options, bugs: &[] }
    }
    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit }
    }
    fn new(env: &Env) -> Result<Self, EngineError> {
        Ok(Self { env: env.clone(), opening: Vec::new(), log: None })
    }
    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        let file = self.env.io.open("log", OpenMode::Create)?;
        if self.opening.is_empty() {
            let bytes = Buffer::zeroed(file.size()? as usize);
            self.opening = vec![file.pread(0, Completion::read(bytes)), file.sync(Completion::sync())];
            self.opening.push(self.env.io.sync_directory("", Completion::sync()));
        }
        if let Some(waited) = self.opening.iter().find(|waited| !waited.finished()) {
            io_yield_one!(waited.clone());
        }
        self.opening.iter().try_for_each(|done| done.result().expect("finished").map(drop))?;
        let bytes = self.opening[0].buffer().expect("a read has a buffer").to_vec();
        let (end, mut values) = ((bytes.len() as u64).next_multiple_of(RECORD as u64), BTreeMap::new());
        for (at, record) in (0..).step_by(RECORD).zip(bytes.chunks(RECORD)) {
            let line = record.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let Some(equals) = line.iter().position(|&byte| byte == b'=') else { continue };
            values.insert(String::from_utf8_lossy(&line[..equals]).into_owned(), (at, line[equals + 1..].to_vec()));
        }
        self.log = Some(Rc::new(RefCell::new(Log { file, end, values })));
        Ok(IOResult::Done(()))
    }
    fn connect(&mut self) -> Result<Client, EngineError> {
        Ok(Client {
            log: self.log.clone().expect("opened"),
            sync: self.env.options.bool("sync"),
            op: None,
            state: None,
        })
    }
}

struct Client {
    log: Rc<RefCell<Log>>,
    sync: bool,
    op: Option<KvOp>,
    state: Option<(Completion, bool, u64)>, // What a write waits for, whether that is the last, and its place.
}

impl Connection<Kv> for Client {
    fn start(&mut self, op: &KvOp) {
        (self.op, self.state) = (Some(op.clone()), None);
    }
    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        let mut log = self.log.borrow_mut();
        let (key, value) = match self.op.as_ref().expect("`start` comes first") {
            KvOp::Put(key, value) => (key, value.bytes()),
            KvOp::Get(key) => {
                return Ok(IOResult::Done(Reply::Ok(KvValue::Bytes(log.values.get(&**key).map(|it| it.1.clone())))));
            }
            op => unreachable!("it does not serve {op:?}"),
        };
        loop {
            match &self.state {
                None => {
                    let at = log.end;
                    log.end += RECORD as u64;
                    let mut record = [key.as_bytes(), b"=", &value, b"\n"].concat();
                    record.resize(RECORD, 0);
                    self.state = Some((log.file.pwrite(at, record.into(), Completion::write()), !self.sync, at));
                }
                Some((io, ..)) if !io.finished() => io_yield_one!(io.clone()),
                &Some((ref io, last, place)) => {
                    io.result().expect("finished")?;
                    if last {
                        let newest = log.values.get(&**key).is_none_or(|(at, _)| *at < place);
                        newest.then(|| log.values.insert(key.to_string(), (place, value)));
                        return Ok(IOResult::Done(Reply::Ok(KvValue::Unit)));
                    }
                    self.state = Some((log.file.sync(Completion::sync()), true, place));
                }
            }
        }
    }
}

/// This program: the engine, and one scenario for it.
pub fn registry() -> Registry {
    let registry = Registry::new().program("door_machine").engine::<Kv, Appending>();
    registry.standard_workloads().standard_properties().scenario("replace", SCENARIO)
}

fn main() -> ExitCode {
    squall::cli::main(registry())
}
