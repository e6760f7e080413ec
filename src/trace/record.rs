//! A trace in memory: the facts of one run, as many as its level lets through.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Fact, Observer, What};
use crate::tape::Actor;

/// So many turns on either side of the one asked for have their state recorded.
pub const WINDOW_TURNS: u64 = 50;

/// How much is recorded. Each level has all that the one before it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Operations, faults, crashes and recoveries.
    Ops,
    /// Every turn, every yield, the clock.
    Steps,
    /// Every I/O from submission to completion, and who else could have had each turn.
    #[default]
    Io,
    /// The files and the engine's memory after every turn that changed them.
    State,
}

impl Level {
    /// All, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Ops, Self::Steps, Self::Io, Self::State];

    /// The level's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ops => "ops",
            Self::Steps => "steps",
            Self::Io => "io",
            Self::State => "state",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|level| level.name() == text);
        known.ok_or_else(|| format!("`{text}` is no level: expected ops, steps, io or state"))
    }
}

/// The facts of one run, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// How much was recorded.
    pub level: Level,
    /// The facts.
    pub facts: Vec<Fact>,
}

impl Trace {
    /// The facts of a turn, the turn itself included.
    pub fn at(&self, turn: u64) -> impl Iterator<Item = &Fact> {
        let start = self.facts.partition_point(|fact| fact.turn < turn);
        self.facts[start..].iter().take_while(move |fact| fact.turn == turn)
    }

    /// The last turn.
    #[must_use]
    pub fn last_turn(&self) -> u64 {
        self.facts.last().map_or(0, |fact| fact.turn)
    }
}

/// Keeps what it is shown.
#[derive(Debug)]
pub struct Recorder {
    level: Level,
    around: Option<u64>,
    trace: Trace,
    /// The I/Os in flight, and where those that took effect without being reported did so.
    flying: BTreeMap<Actor, Option<usize>>,
}

impl Recorder {
    /// Records at this level. With `around`, the state is recorded near that turn only.
    #[must_use]
    pub fn new(level: Level, around: Option<u64>) -> Self {
        let level = if around.is_some() { Level::State } else { level };
        let trace = Trace { level, facts: Vec::new() };
        Self { level, around, trace, flying: BTreeMap::new() }
    }

    /// What was recorded.
    #[must_use]
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    fn wants(&self, what: &What) -> bool {
        let least = match what {
            What::Phase { .. }
            | What::Connected { .. }
            | What::Invoke { .. }
            | What::Return { .. }
            | What::CutOff { .. }
            | What::JobDone { .. }
            | What::Crash { .. }
            | What::Recovered
            | What::Ended { .. } => Level::Ops,
            What::Complete { fault: Some(_), .. } | What::Submit { slow_until: Some(_), .. } => Level::Ops,
            What::Turn { .. } | What::Yield { .. } | What::Advance { .. } => Level::Steps,
            What::Submit { .. } | What::Apply { .. } | What::Complete { .. } | What::Abort { .. } => Level::Io,
            What::State { .. } | What::Engine { .. } => Level::State,
        };
        self.level >= least
    }
}

impl Recorder {
    /// Follows I/Os from their submission on, and completes what can be known only later.
    fn follow(&mut self, fact: &mut Fact) {
        match &mut fact.what {
            What::Turn { enabled, .. } if self.level < Level::Io => {
                enabled.retain(|actor| matches!(actor, Actor::Connection(_)));
            }
            What::Submit { io, .. } => drop(self.flying.insert(*io, None)),
            What::Apply { io, .. } => drop(self.flying.insert(*io, Some(self.trace.facts.len()))),
            // The fault struck when the I/O took effect, and is known only when it is reported.
            What::Complete { io, fault, .. } => {
                if let Some(Some(at)) = self.flying.remove(io)
                    && let Some(Fact { what: What::Apply { fault: known, .. }, .. }) = self.trace.facts.get_mut(at)
                {
                    *known = *fault;
                }
            }
            What::Crash { .. } => {
                for (io, applied) in std::mem::take(&mut self.flying) {
                    let what = What::Abort { io, applied: applied.is_some() };
                    if self.wants(&what) {
                        self.trace.facts.push(Fact { turn: fact.turn, what });
                    }
                }
            }
            _ => {}
        }
    }
}

impl Observer for Recorder {
    fn level(&self) -> Level {
        self.level
    }

    fn wants_state(&self, turn: u64) -> bool {
        self.level >= Level::State && self.around.is_none_or(|around| around.abs_diff(turn) <= WINDOW_TURNS)
    }

    fn fact(&mut self, mut fact: Fact) {
        self.follow(&mut fact);
        if self.wants(&fact.what) {
            self.trace.facts.push(fact);
        }
    }
}
