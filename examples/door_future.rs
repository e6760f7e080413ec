//! Rust futures under the simulator: a store that awaits, each poll a step, each waker the end of a wait.
//!
//! Each key is a file, replaced by renaming a new one over it. Try `cargo run --example door_future -- run replace`,
//! then add `--set engine.sync=false`, which leaves out the sync before the rename. `door_blocking.rs` is the same store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;

use squall::aio::{Buffer, Completion, IOResult};
use squall::disk::OpenMode;
use squall::engine::door::future::{Calls, FutureConnection, Polled, wait};
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::engine::{Durability, Engine, EngineError, EngineInfo, Env, Isolation, OptionInfo, Options};
use squall::engine::{Promises, Reply};
use squall::scenario::Registry;

const SCENARIO: &str = "about = 'files replaced by renaming'\nworkload = 'register'\n[crash]\nrate = '1/200'\n\
    [knobs]\ntransaction-ops = 0\nrollbacks-percent = 0\ncheckpoints-permille = 0\nvacuums-permille = 0";

struct Store {
    env: Env,
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    writing: Cell<bool>,
}

impl Store {
    async fn recover(&self) -> Result<(), EngineError> {
        for key in self.env.io.list("")?.into_iter().filter(|name| name != "new") {
            let file = self.env.io.open(&key, OpenMode::Existing)?;
            let value = Buffer::zeroed(file.size()? as usize);
            wait(file.pread(0, Completion::read(value.clone()))).await?;
            self.values.borrow_mut().insert(key, value.to_vec());
        }
        wait(self.env.io.sync_directory("", Completion::sync())).await?; // What is shown must not be lost later.
        Ok(())
    }

    async fn call(self: Rc<Self>, op: KvOp) -> Result<Reply<KvValue>, EngineError> {
        match op {
            KvOp::Get(key) => Ok(Reply::Ok(KvValue::Bytes(self.values.borrow().get(&*key).cloned()))),
            KvOp::Put(key, value) => self.put(&key, value.bytes()).await.map(|()| Reply::Ok(KvValue::Unit)),
            op => unreachable!("it does not serve {op:?}"),
        }
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), EngineError> {
        // One at a time. A lock of the standard library would not let the holder run.
        while self.writing.replace(true) {
            wait(Completion::new_spin()).await?;
        }
        let _unlock = Unlock(&self.writing);
        let file = self.env.io.open("new", OpenMode::Create)?;
        wait(file.truncate(0, Completion::truncate())).await?;
        wait(file.pwrite(0, value.clone().into(), Completion::write())).await?;
        if self.env.options.bool("sync") {
            wait(file.sync(Completion::sync())).await?;
        }
        wait(self.env.io.rename("new", key, Completion::truncate())).await?;
        wait(self.env.io.sync_directory("", Completion::sync())).await?;
        self.values.borrow_mut().insert(key.to_string(), value);
        Ok(())
    }
}

/// Gives the lock back, however the call ends: it may be dropped between two polls.
struct Unlock<'a>(&'a Cell<bool>);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct Replacing {
    store: Rc<Store>,
    opening: Polled<Result<(), EngineError>>,
}

impl Engine<Kv> for Replacing {
    type Connection = FutureConnection<Kv, Calls<Kv>>;

    fn info() -> EngineInfo {
        let (name, version, about, door) = ("replacing", "1", "a file for each key", "future");
        let options = &[OptionInfo::Bool { name: "sync", about: "sync before the rename", default: true }];
        EngineInfo { name, version, about, door, serves: &["read", "write"], options, bugs: &[] }
    }

    fn promises(_: &Options) -> Promises {
        Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit }
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        let store = Rc::new(Store { env: env.clone(), values: RefCell::default(), writing: Cell::new(false) });
        let opener = Rc::clone(&store);
        Ok(Self { store, opening: Polled::new(async move { opener.recover().await }) })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        self.opening.try_step()
    }

    fn connect(&mut self) -> Result<Self::Connection, EngineError> {
        let store = Rc::clone(&self.store);
        Ok(FutureConnection::new(Calls::new(move |op: &KvOp| Rc::clone(&store).call(op.clone()))))
    }
}

/// This program: the engine, and one scenario for it.
pub fn registry() -> Registry {
    let registry = Registry::new().program("door_future").engine::<Kv, Replacing>();
    registry.standard_workloads().standard_properties().scenario("replace", SCENARIO)
}

fn main() -> ExitCode {
    squall::cli::main(registry())
}
