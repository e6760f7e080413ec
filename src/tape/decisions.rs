//! What a case stores of a run: whose turn it was, and every draw that was not calm.
//!
//! Actors are named by what they are, never by a place in a table, so that deleting one leaves the names
//! of the others alone. The form in a file is text that a person can read and edit:
//!
//! ```text
//! c0*3 c0/op0/io1 c2 timer crash c0*2            the schedule: an actor and how many turns in a row
//! c2/op7/io1 write-eio 1                          a draw: actor, kind (and #n from the second on), value
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::generator::mix;

/// The number that stands for the engine itself where a connection's number is expected: opening,
/// recovery and checks are its operations.
pub const ENGINE: u16 = u16::MAX;

/// Who can be given a turn. The order is that of the calm choice among strangers: connections first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A virtual connection, or [`ENGINE`].
    Connection(u16),
    /// An I/O in flight: the `nth` that operation `op` of `connection` has issued.
    Io {
        /// Who issued it; [`ENGINE`] for opening and recovery.
        connection: u16,
        /// The ordinal of the operation within the connection's life, crashes included.
        op: u32,
        /// Counted from 0 within the operation.
        nth: u32,
    },
    /// The virtual clock, which moves on to the next deadline.
    Timer,
    /// The injector of crashes.
    Crash,
}

impl Actor {
    /// A word that is different for every actor; what enters hashes.
    #[inline]
    #[must_use]
    pub const fn word(self) -> u64 {
        match self {
            Self::Connection(connection) => connection as u64,
            Self::Io { connection, op, nth } => {
                (1 << 63) | ((connection as u64) << 47) | ((op as u64) << 16) ^ nth as u64
            }
            Self::Timer => 1 << 20,
            Self::Crash => 1 << 21,
        }
    }

    /// The word, scrambled: the actor's share of the hash over the set of enabled actors.
    #[inline]
    #[must_use]
    pub const fn share(self) -> u64 {
        mix(self.word())
    }

    /// The connection on whose behalf the actor works, if any.
    #[must_use]
    pub const fn connection(self) -> Option<u16> {
        match self {
            Self::Connection(connection) | Self::Io { connection, .. } => Some(connection),
            Self::Timer | Self::Crash => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Connection(ENGINE) => f.write_str("engine"),
            Self::Connection(connection) => write!(f, "c{connection}"),
            Self::Io { connection, op, nth } => write!(f, "{}/op{op}/io{nth}", Self::Connection(connection)),
            Self::Timer => f.write_str("timer"),
            Self::Crash => f.write_str("crash"),
        }
    }
}

/// A text that names no actor, segment or draw.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no {what}: expected {expected}")]
pub struct ParseDecisionError {
    text: String,
    what: &'static str,
    expected: &'static str,
}

impl FromStr for Actor {
    type Err = ParseDecisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseDecisionError {
            text: text.chars().take(40).collect(),
            what: "actor",
            expected: "`c2`, `c2/op7/io1`, `engine`, `timer` or `crash`",
        };
        match text {
            "timer" => return Ok(Self::Timer),
            "crash" => return Ok(Self::Crash),
            _ => {}
        }
        let mut parts = text.split('/');
        let connection = match parts.next().ok_or_else(bad)? {
            "engine" => ENGINE,
            name => name.strip_prefix('c').and_then(|n| n.parse().ok()).ok_or_else(bad)?,
        };
        match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Ok(Self::Connection(connection)),
            (Some(op), Some(nth), None) => Ok(Self::Io {
                connection,
                op: op.strip_prefix("op").and_then(|n| n.parse().ok()).ok_or_else(bad)?,
                nth: nth.strip_prefix("io").and_then(|n| n.parse().ok()).ok_or_else(bad)?,
            }),
            _ => Err(bad()),
        }
    }
}

/// Some turns in a row of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose turns.
    pub actor: Actor,
    /// How many; never 0.
    pub turns: u32,
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.turns {
            1 => write!(f, "{}", self.actor),
            turns => write!(f, "{}*{turns}", self.actor),
        }
    }
}

impl FromStr for Segment {
    type Err = ParseDecisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (actor, turns) = match text.split_once('*') {
            None => (text, 1),
            Some((actor, turns)) => {
                let turns = turns.parse().ok().filter(|&turns| turns > 0);
                (
                    actor,
                    turns.ok_or_else(|| ParseDecisionError {
                        text: text.chars().take(40).collect(),
                        what: "segment of a schedule",
                        expected: "an actor and a count, such as `c0*3`",
                    })?,
                )
            }
        };
        Ok(Self { actor: actor.parse()?, turns })
    }
}

/// Which draw about the world this is. Past draws of other actors do not shift it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DrawKey {
    /// Whom it concerns.
    pub actor: Actor,
    /// What is drawn, such as `write-eio`; one word.
    pub kind: Cow<'static, str>,
    /// The how-many-eth draw of this kind for this actor, from 0.
    pub n: u32,
}

impl fmt::Display for DrawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.n {
            0 => write!(f, "{} {}", self.actor, self.kind),
            n => write!(f, "{} {}#{n}", self.actor, self.kind),
        }
    }
}

/// The stored half of a tape: all that was decided. Whatever is absent is calm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Whose turn it was, run-length coded. Past its end the current actor goes on, else the calmest.
    pub schedule: Vec<Segment>,
    /// Draws about the world that were not 0.
    pub draws: BTreeMap<DrawKey, u64>,
}

impl Decisions {
    /// Notes one more turn of `actor`.
    pub fn push_turn(&mut self, actor: Actor) {
        match self.schedule.last_mut() {
            Some(last) if last.actor == actor && last.turns < u32::MAX => last.turns += 1,
            _ => self.schedule.push(Segment { actor, turns: 1 }),
        }
    }

    /// The number of turns in the schedule.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.schedule.iter().map(|segment| u64::from(segment.turns)).sum()
    }

    /// The schedule as text, wrapped at 110 columns.
    #[must_use]
    pub fn schedule_text(&self) -> String {
        let mut text = String::new();
        let mut column = 0;
        for segment in &self.schedule {
            let word = segment.to_string();
            if column > 0 && column + word.len() >= 110 {
                text.push('\n');
                column = 0;
            } else if column > 0 {
                text.push(' ');
                column += 1;
            }
            column += word.len();
            text.push_str(&word);
        }
        text
    }

    /// The draws as text, one a line.
    #[must_use]
    pub fn draws_text(&self) -> String {
        self.draws.iter().map(|(key, value)| format!("{key} {value}\n")).collect()
    }

    /// Reads both texts back.
    ///
    /// # Errors
    /// Names the word that is no segment or draw.
    pub fn parse(schedule: &str, draws: &str) -> Result<Self, ParseDecisionError> {
        let schedule = schedule.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let draws = draws.lines().filter(|line| !line.trim().is_empty()).map(parse_draw).collect::<Result<_, _>>()?;
        Ok(Self { schedule, draws })
    }
}

fn parse_draw(line: &str) -> Result<(DrawKey, u64), ParseDecisionError> {
    let bad = || ParseDecisionError {
        text: line.chars().take(60).collect(),
        what: "draw",
        expected: "an actor, a kind and a value, such as `c2/op7/io1 write-eio 1`",
    };
    let mut words = line.split_whitespace();
    let (Some(actor), Some(kind), Some(value), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(bad());
    };
    let (kind, n) = match kind.split_once('#') {
        None => (kind, 0),
        Some((kind, n)) => (kind, n.parse().map_err(|_| bad())?),
    };
    let key = DrawKey { actor: actor.parse()?, kind: Cow::Owned(kind.to_string()), n };
    Ok((key, value.parse().map_err(|_| bad())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_survive_their_text_form() {
        let mut decisions = Decisions::default();
        let io = Actor::Io { connection: 2, op: 7, nth: 1 };
        let turns =
            [Actor::Connection(0), Actor::Connection(0), io, Actor::Timer, Actor::Crash, Actor::Connection(ENGINE)];
        turns.into_iter().for_each(|actor| decisions.push_turn(actor));
        decisions.draws.insert(DrawKey { actor: io, kind: "write-eio".into(), n: 0 }, 1);
        decisions.draws.insert(DrawKey { actor: Actor::Crash, kind: "survivors".into(), n: 3 }, 17);
        assert_eq!(decisions.schedule_text(), "c0*2 c2/op7/io1 timer crash engine");
        assert_eq!(decisions.draws_text(), "c2/op7/io1 write-eio 1\ncrash survivors#3 17\n");
        assert_eq!(decisions.turns(), 6);
        assert_eq!(Decisions::parse(&decisions.schedule_text(), &decisions.draws_text()), Ok(decisions));
    }

    #[test]
    fn a_word_that_is_no_decision_is_named_with_what_was_expected() {
        let check = |schedule, draws, expected: &str| {
            let error = Decisions::parse(schedule, draws).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("c0 d7", "", "`d7` is no actor: expected `c2`");
        check("c0*0", "", "`c0*0` is no segment");
        check("c0/op1", "", "`c0/op1` is no actor");
        check("", "c0 write-eio", "`c0 write-eio` is no draw");
        check("", "c0 write-eio -1", "is no draw");
        check("c99999999", "", "is no actor");
    }

    #[test]
    fn every_actor_has_a_word_of_its_own() {
        let mut words = std::collections::BTreeSet::from([Actor::Timer.word(), Actor::Crash.word()]);
        let mut count = 2;
        for connection in [0, 1, 63, ENGINE] {
            words.insert(Actor::Connection(connection).word());
            count += 1;
            for (op, nth) in [(0, 0), (0, 1), (1, 0), (1, 1), (900_000, 0)] {
                words.insert(Actor::Io { connection, op, nth }.word());
                count += 1;
            }
        }
        assert_eq!(words.len(), count);
    }
}
