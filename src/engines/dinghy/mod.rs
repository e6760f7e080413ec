//! dinghy: a small transactional key-value store, written as re-entrant state machines.
//!
//! It is a real store (B+tree, write-ahead log, snapshots, several writers, recovery), small enough to be
//! read in an evening, and the example of how an engine for squall is written. It can be told to have the
//! bugs that such stores have. `docs/dinghy.md` has the file formats, the protocol and its invariants.
//!
//! In reading order: [`page`], [`node`] and [`log`] are bytes; [`file`] makes transfers complete; [`cache`]
//! and [`pager`] find pages; [`read`], [`scan`], [`draft`] and [`edit`] are the tree; [`transaction`], [`append`] and
//! [`commit`] change the database; [`checkpoint`], [`reset`] and [`recovery`] keep it; [`connection`] puts the
//! operations together. The engine does not know who gives it turns, nor what is checked.

mod append;
mod bugs;
mod cache;
mod carry;
mod check;
mod checkpoint;
mod checksum;
mod commit;
mod config;
mod connection;
mod draft;
mod edit;
mod failure;
mod file;
mod image;
mod latch;
mod log;
mod meta;
mod node;
mod page;
mod pager;
mod read;
mod recovery;
mod reset;
mod scan;
mod shared;
mod snapshot;
mod statement;
mod transaction;
mod vacuum;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::aio::IOResult;
use crate::engine::kv::{self, Kv};
use crate::engine::{Engine, EngineError, EngineInfo, Env, Options, Promises};
use crate::history::Class;
use crate::return_if_io;

pub use connection::DinghyConnection;

use check::Check;
use config::Config;
use recovery::Recovery;
use shared::Shared;

/// The engine.
pub struct Dinghy {
    state: State,
    check: Option<Check>,
}

enum State {
    Opening(Box<Recovery>),
    Open(Rc<Shared>),
}

impl Engine<Kv> for Dinghy {
    type Connection = DinghyConnection;

    fn info() -> EngineInfo {
        EngineInfo {
            name: "dinghy",
            version: "1",
            about: "the built-in key-value store: B+tree, write-ahead log, snapshots, bugs on demand",
            door: "state machine",
            serves: kv::OPERATIONS,
            options: config::OPTIONS,
            bugs: bugs::CATALOGUE,
        }
    }

    fn promises(options: &Options) -> Promises {
        config::promises(options)
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        let config = Config::new(&env.options)?;
        Ok(Self { state: State::Opening(Box::new(Recovery::new(config, env.io.clone()))), check: None })
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        if let State::Opening(recovery) = &mut self.state {
            let shared = return_if_io!(recovery.poll());
            self.state = State::Open(shared);
        }
        Ok(IOResult::Done(()))
    }

    fn connect(&mut self) -> Result<DinghyConnection, EngineError> {
        Ok(DinghyConnection::new(Rc::clone(self.shared()?)))
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        let shared = Rc::clone(self.shared()?);
        if shared.read_only.get() {
            // After a failed sync nobody knows what the files hold; recovery will find out.
            self.check = None;
            return Ok(IOResult::Done(Vec::new()));
        }
        let outcome = self.check.get_or_insert_with(|| Check::new(&shared)).poll();
        if !matches!(outcome, Ok(IOResult::IO(_))) {
            self.check = None;
        }
        Ok(outcome?)
    }

    fn state(&self) -> Vec<(String, String)> {
        match &self.state {
            State::Opening(_) => vec![("recovery".to_string(), "under way".to_string())],
            State::Open(shared) => shared.told(),
        }
    }
}

impl Dinghy {
    fn shared(&self) -> Result<&Rc<Shared>, EngineError> {
        match &self.state {
            State::Open(shared) => Ok(shared),
            State::Opening(_) => Err(EngineError::new(Class::Other, "the engine is not open")),
        }
    }
}
