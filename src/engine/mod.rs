//! The face of an engine under test: four small traits, of which an engine implements two.
//!
//! A [`Family`] is a set of operations; [`kv`] is one. An [`Engine`] serves a family through
//! [`Connection`]s, each driven one call at a time. The simulation is generic over the engine; nothing here
//! knows how turns are given or what is right.

pub mod door;
pub mod kv;
mod options;
pub mod sql;

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::aio::{CompletionError, ErrorKind, IOResult};
use crate::disk::Io;
use crate::history::{Call, Class, Datum};

pub use options::{OptionError, OptionInfo, OptionValue, Options};

/// A set of operations that engines serve and workloads use.
pub trait Family: Sized + 'static {
    /// The family's name, such as `kv`.
    const NAME: &'static str;
    /// An operation with all its arguments; it is stored in cases.
    type Op: Clone + Debug + PartialEq + Serialize + DeserializeOwned + 'static;
    /// What a successful operation answers.
    type Value: Debug + 'static;

    /// The operation as the history records it.
    fn call(op: &Self::Op) -> Call;
    /// The answer as the history records it.
    fn output(op: &Self::Op, value: &Self::Value) -> Datum;
    /// The operation that a history records like this, but for what a history leaves out, such as the length of a
    /// value. A family that cannot be asked again from a history has none.
    fn recall(_call: &Call) -> Option<Self::Op> {
        None
    }
    /// The operation's part in a transaction.
    fn role(op: &Self::Op) -> Role;
    /// The operation that gives up a transaction after a refusal in it, if the family has transactions.
    fn rollback() -> Option<Self::Op>;
}

/// An operation's part in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens a transaction.
    Begin,
    /// Belongs to the open transaction, or stands alone when there is none.
    Member,
    /// Closes the transaction for good.
    Commit,
    /// Gives the transaction up.
    Rollback,
    /// Never part of a transaction, such as a checkpoint.
    Maintenance,
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<V> {
    /// Done, with its value.
    Ok(V),
    /// Done, and the engine says which place this commit has among all commits.
    Committed(V, u64),
    /// Surely without effect.
    Refused(Class),
    /// In doubt.
    Unknown(Class),
}

/// An engine that broke down in the middle of a call. The operation is recorded as in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{class}: {message}")]
pub struct EngineError {
    /// The class the history records.
    pub class: Class,
    /// For people; decides nothing.
    pub message: String,
}

impl EngineError {
    /// An error of this class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl From<CompletionError> for EngineError {
    fn from(error: CompletionError) -> Self {
        let class = match &error {
            CompletionError::Aborted => Class::Interrupted,
            CompletionError::Io(io) if io.kind == ErrorKind::NoSpace => Class::Full,
            CompletionError::NoMemory { .. } => Class::Full,
            _ => Class::Io,
        };
        Self::new(class, error.to_string())
    }
}

/// What an engine is given to live on.
#[derive(Clone)]
pub struct Env {
    /// The shared disk, the clock, and random numbers.
    pub io: Arc<dyn Io>,
    /// The scenario's `[engine]` table, checked against [`EngineInfo::options`].
    pub options: Options,
}

/// The isolation an engine promises for transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// No dirty or intermediate read.
    ReadCommitted,
    /// Reads from one snapshot, first committer wins.
    Snapshot,
    /// As if one after the other.
    Serializable,
    /// As if one after the other, in an order that respects real time.
    StrictSerializable,
}

/// Which acknowledged commits must be there after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// None.
    None,
    /// Those before the last acknowledged checkpoint; the rest as a prefix.
    AtCheckpoint,
    /// Every one.
    EveryCommit,
}

/// What an engine with these options promises. It is held to that, and to no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Promises {
    /// For transactions.
    pub isolation: Isolation,
    /// For acknowledged commits.
    pub durability: Durability,
}

/// A fault that an engine may ask to be spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spared {
    /// A failed sync: what is acknowledged after it may build upon what it lost.
    FailedSync,
    /// The loss of what a killed process had left in the page cache: what recovery found there and answered
    /// from, without a sync of its own, may vanish when the system or the power fails.
    LossAfterKill,
}

/// A bug that an engine can be told to have, to measure the tool that looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BugInfo {
    /// The switch's name, such as `lost-update`.
    pub name: &'static str,
    /// One line of story.
    pub about: &'static str,
    /// Its class: `re-entrancy`, `concurrency`, `io-order`, `crash`, `io-error`, `media`, `liveness`.
    pub class: &'static str,
    /// How many ordering constraints a schedule must meet to show it.
    pub depth: u32,
    /// Looks like a bug and is none: the tool must stay silent.
    pub harmless: bool,
    /// Where a public engine had this bug or one of its kind, such as `etcd-io/bbolt#797`.
    pub public_issue: Option<&'static str>,
}

/// What is fixed about an engine.
#[derive(Clone, Debug)]
pub struct EngineInfo {
    /// The name by which scenarios and flags call it.
    pub name: &'static str,
    /// The engine's own version.
    pub version: &'static str,
    /// One line for `list engines`.
    pub about: &'static str,
    /// How it waits: `state machine`, `coroutine` or `future`.
    pub door: &'static str,
    /// The names of the operations it serves (as [`Call::f`]); a workload that needs others skips it.
    pub serves: &'static [&'static str],
    /// The keys of its `[engine]` table.
    pub options: &'static [OptionInfo],
    /// The bugs it can be told to have, by the key `bugs`.
    pub bugs: &'static [BugInfo],
}

/// An engine that serves the family `F`.
///
/// The order of calls is `new`, `open` until it is done, then `connect`, `check` and the connections' own
/// calls in any order. A crash drops connections, then the engine, and begins anew with `new` on what
/// survived. All state that outlives a crash must lie on `env.io`.
pub trait Engine<F: Family>: Sized + 'static {
    /// Its connections.
    type Connection: Connection<F>;

    /// What is fixed about it.
    fn info() -> EngineInfo;

    /// What it promises with these options.
    fn promises(options: &Options) -> Promises;

    /// The faults under which it does not keep its promises. It is spared them unless a scenario names it in
    /// `engines`; what is left out is listed with the skipped.
    fn spared() -> &'static [Spared] {
        &[]
    }

    /// Whether every connection is a process of its own, so that one which goes away in the middle of an operation
    /// does so as a process does: what it had in flight happens at once or never, and its locks go, while others
    /// live on. Otherwise they all live in one process, which goes on with what was in flight.
    fn connections_are_processes() -> bool {
        false
    }

    /// Builds it; nothing is read or written yet.
    ///
    /// # Errors
    /// When the options contradict each other.
    fn new(env: &Env) -> Result<Self, EngineError>;

    /// Opens the database and recovers it; called until done.
    ///
    /// # Errors
    /// When it cannot; the run then judges whether it had a reason.
    fn open(&mut self) -> Result<IOResult<()>, EngineError>;

    /// A new connection.
    ///
    /// # Errors
    /// When it cannot.
    fn connect(&mut self) -> Result<Self::Connection, EngineError>;

    /// Checks its own integrity; called until done, while no connection is in the middle of a call. Answers
    /// what is wrong. The default has nothing to say.
    ///
    /// # Errors
    /// When the check itself cannot be made.
    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        Ok(IOResult::Done(Vec::new()))
    }

    /// What it holds in memory, as names and words for people: pages cached, latches held, marks of its log. It is
    /// asked between turns of runs that are recorded, so that a report shows what a turn has changed; it must change
    /// nothing. The default tells nothing.
    fn state(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Ends it in a crash: the disk is dead already, nothing has an effect any more. The default drops it;
    /// an engine that cannot be dropped in the middle of its work forgets itself here and documents its leak.
    fn crash(self) {
        drop(self);
    }
}

/// One virtual connection, driven a call at a time.
pub trait Connection<F: Family>: 'static {
    /// Begins an operation. Called only when the one before has been answered.
    fn start(&mut self, op: &F::Op);

    /// Goes on with it as far as possible. It may be called although what it waits for has not finished: a spurious
    /// wake-up, after which it waits again.
    ///
    /// # Errors
    /// When the engine broke down; the operation is then in doubt, and the connection must accept another.
    fn step(&mut self) -> Result<IOResult<Reply<F::Value>>, EngineError>;

    /// Gives up the operation under way between two steps, as a client that goes away or resets a statement
    /// does. The connection must then accept another, with no transaction open. The default does nothing;
    /// the operation's state machine is dropped by the next `start`.
    fn abandon(&mut self) {}

    /// Ends it in a crash, before its engine; see [`Engine::crash`].
    fn crash(self)
    where
        Self: Sized,
    {
        drop(self);
    }
}
