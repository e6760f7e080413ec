//! SQLite, unmodified, as an engine under test: its own C code over the simulated disk, a stack per connection.
//!
//! It serves the family `sql`, and `kv` through [`OverSql`](crate::engine::sql::OverSql). [`vfs`] and [`methods`] are
//! what SQLite calls, [`open_file`] what a file does, [`world`] what connections share; [`session`] hands statements
//! over and turns result codes into replies. `docs/sqlite.md` says what is promised and what was measured.
//!
//! Invariant: SQLite is called inside a blocking task only, so every effect it has on the disk is a turn of the
//! scheduler's.

mod db;
mod locks;
mod methods;
mod open_file;
mod session;
mod settings;
mod shm;
mod vfs;
mod world;

use std::rc::Rc;
use std::sync::Arc;

use crate::aio::IOResult;
use crate::disk::Io;
use crate::engine::door::blocking::{BlockingConnection, Host};
use crate::engine::door::{Shared, Task};
use crate::engine::sql::{self, Sql};
use crate::engine::{Engine, EngineError, EngineInfo, Env, Options, Promises, Spared};

use session::Session;
use settings::Settings;
use world::World;

/// The engine: one SQLite database, with a connection of its own for opening and checking.
pub struct Sqlite {
    /// Before `keeper`: a call under way ends before its connection does.
    opening: Option<Task<Result<(), EngineError>>>,
    checking: Option<Task<Result<Vec<String>, EngineError>>>,
    keeper: Host<Session>,
    world: Rc<World>,
    settings: Rc<Settings>,
    io: Arc<dyn Io>,
}

impl Engine<Sql> for Sqlite {
    type Connection = BlockingConnection<Sql, Session>;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "sqlite",
            version: VERSION,
            about: "SQLite as shipped, over a file layer of ours",
            door: "coroutine",
            serves: sql::OPERATIONS,
            options: settings::OPTIONS,
            bugs: &[],
        }
    }

    /// It writes on after a sync that failed, as if the pages were still there to be synced; after the next crash
    /// its index and table may differ. Its recovery believes the journal and the log as it finds them and syncs
    /// neither: a commit that a killed process had written but not synced can be read, and then be lost.
    fn spared() -> &'static [Spared] {
        &[Spared::FailedSync, Spared::LossAfterKill]
    }

    fn connections_are_processes() -> bool {
        true
    }

    fn promises(options: &Options) -> Promises {
        settings::promises(options)
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        vfs::register();
        let settings = Rc::new(Settings::new(&env.options));
        let world = World::new(Arc::clone(&env.io));
        let keeper = Host::new(Session::new(&world, &settings));
        Ok(Self { opening: None, checking: None, keeper, world, settings, io: Arc::clone(&env.io) })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        let opening = self.opening.get_or_insert_with(|| self.keeper.task(Session::create));
        finish(opening.try_step(), &mut self.opening)
    }

    fn connect(&mut self) -> Result<Self::Connection, EngineError> {
        Ok(BlockingConnection::new(Arc::clone(&self.io), Session::new(&self.world, &self.settings)))
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        let checking = self.checking.get_or_insert_with(|| self.keeper.task(Session::check));
        finish(checking.try_step(), &mut self.checking)
    }
}

impl Drop for Sqlite {
    /// A dropped engine is a process that has died: nothing it does from here on reaches the disk.
    fn drop(&mut self) {
        self.keeper.shared().kill();
    }
}

/// Runs `setup` on a database in memory, outside of any simulation, and compiles `texts` against it.
///
/// # Errors
/// The first text that SQLite does not take, counted through `setup` and then `texts`, with SQLite's own words.
pub fn try_out(setup: &[String], texts: &[&str]) -> Result<(), (usize, String)> {
    db::try_out(setup, texts)
}

const VERSION: &str = match libsqlite3_sys::SQLITE_VERSION.to_str() {
    Ok(version) => version,
    Err(_) => "unknown",
};

/// Passes a step's answer on; a task that is over is forgotten, so that the next call begins anew.
fn finish<T>(
    step: Result<IOResult<T>, EngineError>,
    task: &mut Option<Task<Result<T, EngineError>>>,
) -> Result<IOResult<T>, EngineError> {
    if !matches!(step, Ok(IOResult::IO(_))) {
        *task = None;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{DiskConfig, SimDisk};
    use crate::engine::Connection;
    use crate::engine::kv::{KvOp, Value};
    use crate::engine::sql::OverSql;
    use crate::history::ValueId;

    /// Opens a database, begins a write, and drops everything after `steps` steps of it.
    fn live_and_die(steps: u32) {
        let disk = SimDisk::new(DiskConfig::default(), 1);
        let io = disk.io();
        let options = Options::resolve(settings::OPTIONS, &[], &Default::default(), &[]).expect("the defaults");
        let mut engine = OverSql::<Sqlite>::new(&Env { io: Arc::clone(&io), options }).expect("an engine");
        while let IOResult::IO(waits) = engine.open().expect("opens") {
            while !waits.finished() {
                io.step().expect("something is in flight");
            }
        }
        let mut connection = engine.connect().expect("connects");
        let id = ValueId { connection: 0, transaction: 0, op: 0 };
        connection.start(&KvOp::Put("k".into(), Value { id, len: 9_000 }));
        for _ in 0..steps {
            match connection.step().expect("no error") {
                IOResult::IO(waits) => while !waits.finished() && io.step().is_ok() {},
                IOResult::Done(_) => break,
            }
        }
        drop(connection);
        drop(engine);
        assert_eq!(Arc::strong_count(&io), 1, "somebody still holds the disk after {steps} steps");
    }

    #[test]
    fn memory_stays_flat_over_a_thousand_lives() {
        let _alone = world::alone();
        live_and_die(u32::MAX);
        let before = db::memory_used();
        (0..1_000).for_each(|life| live_and_die(life % 60));
        assert_eq!(db::memory_used(), before);
    }
}
