//! A trace as rows of numbers and a dictionary: what a trace file holds, and what the page and the exports read.
//!
//! Every row has the same columns, so that each can be stored by itself; what `args` mean is said at [`Kind`].
//! Words are numbers in the dictionary, I/Os are numbers in the order of submission. Nothing here knows bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::words::{call_text, crash_text, io_outcome_text, is_read, outcome_text, touch_text};
use crate::aio::IoKind;
use crate::history::Outcome;
use crate::tape::{Actor, ENGINE};
use crate::trace::{Fact, Trace, What};

/// How many numbers a row has beside its kind, turn and owner.
pub const ARGS: usize = 6;

/// What a row says. The numbers are those of the file and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A part of the run begins: word.
    Phase = 1,
    /// A turn: word of what it touches, how many were enabled, tick, 1 when given inside a call; `others`.
    Turn = 2,
    /// A connection was made: process.
    Connected = 3,
    /// An operation begins: its number, transaction + 1 or 0, words of the call, ordinal.
    Invoke = 4,
    /// An operation ends: its number, how ([`ENDS`]), words of the answer, place among commits + 1 or 0.
    Return = 5,
    /// A yield: operation + 1 or 0, words of what comes after, words of where, 1 blocked + 2 spinning.
    Yield = 6,
    /// The engine's own job is over: word, words of complaints.
    Job = 7,
    /// An I/O is submitted: ordinal of the operation, nth, word of the path, offset, length, [`KINDS`] number.
    Submit = 8,
    /// An I/O took effect, not reported yet: its number, word of the fault or 0.
    Apply = 9,
    /// An I/O is reported: its number, word of the fault or 0, 1 when it succeeded, bytes, words of the outcome.
    Complete = 10,
    /// An I/O was in flight at a crash: its number, 1 when it had taken effect.
    Abort = 11,
    /// The clock moves: tick, timers that came due.
    Advance = 12,
    /// A crash: words, word of the kind.
    Crash = 13,
    /// The engine has recovered.
    Recovered = 14,
    /// A file: word of the path, length, durable length, unsynced changes, 1 when it is gone.
    State = 15,
    /// Why the run ended: words.
    Ended = 16,
    /// An I/O is slow: its number, the tick until which it may not run.
    Slow = 17,
    /// The engine's memory: word of the name, words, 1 when it is told no more.
    Engine = 18,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Phase,
        Self::Turn,
        Self::Connected,
        Self::Invoke,
        Self::Return,
        Self::Yield,
        Self::Job,
        Self::Submit,
        Self::Apply,
        Self::Complete,
        Self::Abort,
        Self::Advance,
        Self::Crash,
        Self::Recovered,
        Self::State,
        Self::Ended,
        Self::Slow,
        Self::Engine,
    ];

    /// The kind of this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// How an operation ended, by the number of a [`Kind::Return`].
pub const ENDS: [&str; 5] = ["ok", "refused", "unknown", "abandoned", "cut off"];

/// The kinds of I/O, by the number of a [`Kind::Submit`].
pub const KINDS: [&str; 6] = ["read", "write", "sync", "truncate", "directory", "sync-directory"];

/// Owners beside the connections: nobody, the clock, crashes, the engine itself. Connection `n` is `4 + n`.
pub const WHO_CONNECTION: u32 = 4;
/// The clock.
pub const WHO_TIMER: u32 = 1;
/// Crashes.
pub const WHO_CRASH: u32 = 2;
/// The engine itself, the set-up and the reading back.
pub const WHO_ENGINE: u32 = 3;
/// In `others`, I/O number `n` is `OTHER_IO + n`.
pub const OTHER_IO: u32 = 1 << 20;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRow {
    /// What it says.
    pub kind: Kind,
    /// The turn.
    pub turn: u64,
    /// Whose it is.
    pub who: u32,
    /// See [`Kind`].
    pub args: [i64; ARGS],
    /// Who else could have had the turn.
    pub others: Vec<u32>,
}

/// A whole trace in rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The facts, oldest first.
    pub facts: Vec<FactRow>,
    /// The words; number 0 is the empty one.
    pub words: Vec<String>,
}

impl Rows {
    /// The rows of a trace.
    #[must_use]
    pub fn new(trace: &Trace) -> Self {
        let mut fill = Fill {
            rows: Self::default(),
            numbers: HashMap::new(),
            ios: BTreeMap::new(),
            reads: BTreeSet::new(),
            count: 0,
        };
        fill.word("");
        trace.facts.iter().for_each(|fact| fill.fact(fact));
        fill.rows
    }

    /// The word of this number; empty when there is none.
    #[must_use]
    pub fn word(&self, number: i64) -> &str {
        usize::try_from(number).ok().and_then(|at| self.words.get(at)).map_or("", String::as_str)
    }

    /// An owner's name.
    #[must_use]
    pub fn who_text(who: u32) -> String {
        match who {
            0 => String::new(),
            WHO_TIMER => "timer".to_string(),
            WHO_CRASH => "crash".to_string(),
            WHO_ENGINE => "engine".to_string(),
            connection => format!("c{}", connection - WHO_CONNECTION),
        }
    }
}

/// An I/O as later rows need it: its number, kind and length.
type Io = (i64, IoKind, u64);

struct Fill {
    rows: Rows,
    numbers: HashMap<String, i64>,
    ios: BTreeMap<Actor, Io>,
    /// Operations whose answer of nothing means that nothing was there.
    reads: BTreeSet<u32>,
    count: i64,
}

const fn who_of(connection: u16) -> u32 {
    if connection == ENGINE { WHO_ENGINE } else { WHO_CONNECTION + connection as u32 }
}

fn who(actor: Actor) -> u32 {
    match actor {
        Actor::Connection(connection) | Actor::Io { connection, .. } => who_of(connection),
        Actor::Timer => WHO_TIMER,
        Actor::Crash => WHO_CRASH,
    }
}

const fn io_kind(kind: IoKind) -> i64 {
    match kind {
        IoKind::Read => 0,
        IoKind::Write => 1,
        IoKind::Sync => 2,
        IoKind::Truncate => 3,
        IoKind::Directory => 4,
        IoKind::SyncDirectory => 5,
    }
}

impl Fill {
    fn word(&mut self, text: &str) -> i64 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.rows.words.len() as i64;
        self.rows.words.push(text.to_string());
        self.numbers.insert(text.to_string(), number);
        number
    }

    fn push<const N: usize>(&mut self, kind: Kind, turn: u64, who: u32, given: [i64; N]) {
        let mut args = [0; ARGS];
        args[..N].copy_from_slice(&given);
        self.rows.facts.push(FactRow { kind, turn, who, args, others: Vec::new() });
    }

    fn fact(&mut self, fact: &Fact) {
        let turn = fact.turn;
        match &fact.what {
            What::Turn { actor, enabled, enabled_count, touches, tick, pumped } => {
                let touches = match actor {
                    Actor::Io { .. } => String::new(),
                    _ => touch_text(touches).unwrap_or_default(),
                };
                let words = self.word(&touches);
                let who = match actor {
                    Actor::Io { .. } => self.ios.get(actor).map_or(0, |io| OTHER_IO + io.0 as u32),
                    actor => who(*actor),
                };
                let args = [words, *enabled_count as i64, *tick as i64, i64::from(*pumped)];
                self.push(Kind::Turn, turn, who, args);
                let others = enabled.iter().filter(|other| *other != actor).map(|other| self.other(*other)).collect();
                self.rows.facts.last_mut().expect("just pushed").others = others;
            }
            What::Invoke { op, connection, ordinal, transaction, call } => {
                if is_read(call) {
                    self.reads.insert(op.0);
                }
                let words = self.word(&call_text(call));
                let transaction = transaction.map_or(0, |number| i64::from(number) + 1);
                let args = [i64::from(op.0), transaction, words, i64::from(*ordinal)];
                self.push(Kind::Invoke, turn, who_of(*connection), args);
            }
            What::Return { op, connection, outcome, order, abandoned } => {
                let words = self.word(&outcome_text(outcome, self.reads.contains(&op.0)));
                let end = match outcome {
                    _ if *abandoned => 3,
                    Outcome::Ok(_) => 0,
                    Outcome::Refused(_) => 1,
                    Outcome::Unknown(_) => 2,
                };
                let order = order.map_or(0, |order| order as i64 + 1);
                self.push(Kind::Return, turn, who_of(*connection), [i64::from(op.0), end, words, order]);
            }
            What::CutOff { op, connection } => {
                self.push(Kind::Return, turn, who_of(*connection), [i64::from(op.0), 4]);
            }
            What::Yield { connection, op, label, blocked, spinning } => {
                let (after, sites) = (self.word(&label.resource().to_string()), self.word(&label.way()));
                let op = op.map_or(0, |op| i64::from(op.0) + 1);
                let flags = i64::from(*blocked) + 2 * i64::from(*spinning);
                self.push(Kind::Yield, turn, who_of(*connection), [op, after, sites, flags]);
            }
            what => self.other_fact(turn, what),
        }
    }

    fn other_fact(&mut self, turn: u64, what: &What) {
        match what {
            What::Phase { name } => {
                let word = self.word(name);
                self.push(Kind::Phase, turn, 0, [word]);
            }
            What::Connected { connection, process } => {
                self.push(Kind::Connected, turn, who_of(*connection), [i64::from(*process)]);
            }
            What::JobDone { job, problems } => {
                let args = [self.word(job), self.word(&problems.join("; "))];
                self.push(Kind::Job, turn, WHO_ENGINE, args);
            }
            What::Advance { tick, due } => {
                self.push(Kind::Advance, turn, WHO_TIMER, [*tick as i64, *due as i64]);
            }
            What::Crash { report } => {
                let args = [self.word(&crash_text(report)), self.word(report.kind.name())];
                self.push(Kind::Crash, turn, WHO_CRASH, args);
            }
            What::Recovered => self.push(Kind::Recovered, turn, WHO_ENGINE, []),
            What::State { files, gone } => {
                for file in files {
                    let path = self.word(&file.path);
                    let args = [path, file.len as i64, file.durable_len as i64, file.unsynced as i64];
                    self.push(Kind::State, turn, 0, args);
                }
                for path in gone {
                    let path = self.word(path);
                    self.push(Kind::State, turn, 0, [path, 0, 0, 0, 1]);
                }
            }
            What::Engine { changed, gone } => {
                for (name, words) in changed {
                    let args = [self.word(name), self.word(words)];
                    self.push(Kind::Engine, turn, WHO_ENGINE, args);
                }
                for name in gone {
                    let name = self.word(name);
                    self.push(Kind::Engine, turn, WHO_ENGINE, [name, 0, 1]);
                }
            }
            What::Ended { reason } => {
                let words = self.word(reason);
                self.push(Kind::Ended, turn, 0, [words]);
            }
            what => self.io_fact(turn, what),
        }
    }

    fn io_fact(&mut self, turn: u64, what: &What) {
        match what {
            What::Submit { io, kind, path, offset, len, slow_until } => {
                let number = self.count;
                self.count += 1;
                self.ios.insert(*io, (number, *kind, *len));
                let Actor::Io { op, nth, .. } = *io else { return };
                let path = self.word(path);
                let args = [i64::from(op), i64::from(nth), path, *offset as i64, *len as i64, io_kind(*kind)];
                self.push(Kind::Submit, turn, who(*io), args);
                if let Some(tick) = slow_until {
                    self.push(Kind::Slow, turn, who(*io), [number, *tick as i64]);
                }
            }
            What::Apply { io, fault } => {
                let args = [self.number(*io), self.word(fault.unwrap_or_default())];
                self.push(Kind::Apply, turn, who(*io), args);
            }
            What::Complete { io, outcome, fault } => {
                let known = self.ios.get(io).copied();
                let (kind, len) = known.map_or((None, 0), |(_, kind, len)| (Some(kind), len));
                let words = self.word(&io_outcome_text(kind, len, outcome));
                let fault = self.word(fault.unwrap_or_default());
                let bytes = outcome.as_ref().map_or(0, |bytes| *bytes as i64);
                let args = [self.number(*io), fault, i64::from(outcome.is_ok()), bytes, words];
                self.push(Kind::Complete, turn, who(*io), args);
            }
            What::Abort { io, applied } => {
                let args = [self.number(*io), i64::from(*applied)];
                self.push(Kind::Abort, turn, who(*io), args);
            }
            _ => {}
        }
    }

    /// The number of an I/O; −1 when its submission was not recorded.
    fn number(&self, io: Actor) -> i64 {
        self.ios.get(&io).map_or(-1, |io| io.0)
    }

    fn other(&self, actor: Actor) -> u32 {
        match actor {
            Actor::Io { .. } => self.ios.get(&actor).map_or(0, |io| OTHER_IO + io.0 as u32),
            actor => who(actor),
        }
    }
}
