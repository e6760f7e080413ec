//! Turso (`turso_core`), unmodified, as an engine under test: its own state machines over the simulated disk.
//!
//! It serves the family `sql`, and `kv` through [`OverSql`](crate::engine::sql::OverSql). [`io`] and [`file`] are what
//! Turso calls, [`client`] steps its statements, [`session`] turns errors into replies. `docs/turso.md` says what is promised and what was found.
//!
//! Invariant: every I/O of Turso's is one of the run's; what it waits for in the middle of a call is a turn too.

mod client;
mod errors;
mod file;
mod io;
mod session;
mod settings;
mod values;
mod waiter;
mod yields;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use turso_core::storage::database::DatabaseFile;
use turso_core::{
    Database, IOResult as TheirResult, LimboError, OpenDbAsyncState, OpenFlags, OpenOptions, SqliteDialect,
};

use crate::aio::IOResult;
use crate::disk::Io;
use crate::engine::sql::{self, Sql};
use crate::engine::{Engine, EngineError, EngineInfo, Env, Options, Promises, Spared};
use crate::return_if_io;

use errors::broken;
use io::SimulatedIo;
use session::Session;
use settings::Settings;
use waiter::Waiter;

/// The database's file on the simulated disk.
const FILE: &str = "main.db";

/// The engine: one Turso database, with a connection of its own for opening and checking.
pub struct Turso {
    /// Before the database: connections end first.
    keeper: Option<Session>,
    opening: Option<(OpenDbAsyncState, OpenOptions)>,
    database: Option<Arc<Database>>,
    /// What the first connection still has to say, the next last.
    first_words: Vec<String>,
    waiter: Waiter,
    settings: Rc<Settings>,
    world: Arc<SimulatedIo>,
    io: Arc<dyn Io>,
}

impl Turso {
    /// Opens the database and recovers it; called until done.
    fn opened(&mut self) -> Result<IOResult<()>, LimboError> {
        if self.database.is_none() {
            let io: Arc<dyn turso_core::IO> = Arc::clone(&self.world) as _;
            if self.opening.is_none() {
                let file = io.open_file(&io::path_of(FILE), OpenFlags::Create, true)?;
                let options = OpenOptions::new(Arc::new(SqliteDialect)).storage(Arc::new(DatabaseFile::new(file)));
                self.opening = Some((OpenDbAsyncState::new(), options));
            }
            if let Some(wait) = self.waiter.unfinished()? {
                return Ok(IOResult::IO(wait));
            }
            let (state, options) = self.opening.as_mut().expect("just set");
            match Database::do_open_async(state, io, &io::path_of(FILE), options)? {
                TheirResult::Done(database) => self.database = Some(database),
                TheirResult::IO(io) => return Ok(IOResult::IO(self.waiter.wait_for_all_of(io))),
            }
            self.opening = None;
        }
        let database = self.database.as_ref().expect("just opened");
        let keeper = self.keeper.get_or_insert_with(|| Session::new(&self.io, database, &self.settings));
        while let Some(words) = self.first_words.last() {
            return_if_io!(keeper.say(words));
            self.first_words.pop();
        }
        Ok(IOResult::Done(()))
    }
}

impl Engine<Sql> for Turso {
    type Connection = Session;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "turso",
            version: "0.8.3",
            about: "Turso as shipped, over a file layer of ours",
            door: "state machine",
            serves: sql::OPERATIONS_BUT_VACUUM,
            options: settings::OPTIONS,
            bugs: &[],
        }
    }

    /// It ends its process when a sync fails, unless told otherwise; a process that ends is a finding here. What its
    /// recovery finds it does not promise to sync, no more than SQLite does.
    fn spared() -> &'static [Spared] {
        &[Spared::FailedSync, Spared::LossAfterKill]
    }

    fn promises(options: &Options) -> Promises {
        settings::promises(options)
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        let settings = Rc::new(Settings::new(&env.options));
        let mut first_words = settings.first_words();
        first_words.reverse();
        Ok(Self {
            keeper: None,
            opening: None,
            database: None,
            first_words,
            waiter: Waiter::new(),
            world: SimulatedIo::new(&env.io, settings.names_durable),
            settings,
            io: Arc::clone(&env.io),
        })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        self.opened().map_err(|error| broken(&error))
    }

    fn connect(&mut self) -> Result<Session, EngineError> {
        let database = self.database.as_ref().expect("opened");
        Ok(Session::new(&self.io, database, &self.settings))
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        self.keeper.as_mut().expect("opened").check().map_err(|error| broken(&error))
    }

    fn crash(mut self) {
        if let Some(keeper) = self.keeper.take() {
            crate::engine::Connection::crash(keeper);
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
    }
}
