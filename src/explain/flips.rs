//! The decisions of a run, each with the run in which it alone is otherwise.

use serde::{Deserialize, Serialize};

use crate::tape::{Actor, Decisions, DrawKey, ENGINE, Segment};

/// What a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlipKind {
    /// Another connection went on than before, although that one had more to do.
    Switch,
    /// A draw that was not calm.
    Fault,
    /// A crash.
    Crash,
}

/// A decision, flipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// The turn at which it was taken, if it can be told.
    pub turn: Option<u64>,
    /// What it is.
    pub kind: FlipKind,
    /// In words.
    pub what: String,
    /// What was drawn, of a fault.
    pub key: Option<DrawKey>,
    /// All decisions, this one flipped.
    pub decisions: Decisions,
}

/// Every decision of a run, flipped alone.
#[must_use]
pub fn flips(decisions: &Decisions) -> Vec<Flip> {
    let mut flips = switches(decisions);
    flips.extend(crashes(decisions));
    flips.extend(decisions.draws.keys().map(|key| fault(decisions, key)));
    flips
}

/// The turn at which a segment begins.
fn turn_of(schedule: &[Segment], index: usize) -> u64 {
    schedule[..index].iter().map(|segment| u64::from(segment.turns)).sum()
}

/// Whose stretch a segment belongs to.
fn owner(segment: &Segment) -> Option<u16> {
    segment.actor.connection().filter(|&connection| connection != ENGINE)
}

/// A switch is flipped by letting the connection that was left do its next stretch first.
fn switches(decisions: &Decisions) -> Vec<Flip> {
    let schedule = &decisions.schedule;
    let mut flips = Vec::new();
    let mut last: Option<u16> = None;
    for (index, segment) in schedule.iter().enumerate() {
        if segment.actor == Actor::Crash {
            last = None;
        }
        let Some(connection) = owner(segment) else { continue };
        if let Some(left) = last.filter(|&left| left != connection)
            && let Some(stretch) = next_stretch(schedule, index, left)
        {
            let mut flipped = decisions.clone();
            let moved: Vec<Segment> = flipped.schedule.drain(stretch).collect();
            flipped.schedule.splice(index..index, moved);
            let (goes, stays) = (Actor::Connection(connection), Actor::Connection(left));
            flips.push(Flip {
                turn: Some(turn_of(schedule, index)),
                kind: FlipKind::Switch,
                what: format!("{goes} goes on before {stays} does; flipped, {stays} goes on first"),
                key: None,
                decisions: flipped,
            });
        }
        last = Some(connection);
    }
    flips
}

/// The next stretch of a connection from here, up to the next crash.
fn next_stretch(schedule: &[Segment], from: usize, connection: u16) -> Option<std::ops::Range<usize>> {
    let life = schedule[from..].iter().position(|segment| segment.actor == Actor::Crash);
    let life = life.map_or(schedule.len(), |crash| from + crash);
    let is_its = |segment: &Segment| owner(segment) == Some(connection);
    let start = from + schedule[from..life].iter().position(is_its)?;
    let len = schedule[start..life].iter().take_while(|segment| is_its(segment)).count();
    Some(start..start + len)
}

fn crashes(decisions: &Decisions) -> Vec<Flip> {
    let schedule = &decisions.schedule;
    let crashes = schedule.iter().enumerate().filter(|(_, segment)| segment.actor == Actor::Crash);
    crashes
        .map(|(index, _)| {
            let mut flipped = decisions.clone();
            flipped.schedule.remove(index);
            Flip {
                turn: Some(turn_of(schedule, index)),
                kind: FlipKind::Crash,
                what: "everything stops; flipped, it does not".to_string(),
                key: None,
                decisions: flipped,
            }
        })
        .collect()
}

/// The segment in which a draw strikes: the turn of its I/O or of its crash. What a crash leaves of an I/O is drawn
/// under the name of that I/O, and strikes at the crash that follows what was done last for the same operation.
fn strikes(schedule: &[Segment], key: &DrawKey) -> Option<usize> {
    let its = |actor: Actor| move |(_, segment): &(usize, &Segment)| segment.actor == actor;
    let mut all = schedule.iter().enumerate();
    match key.actor {
        // These are drawn under the number of a step, not of an I/O.
        _ if ["abandon", "close", "spurious-wakeup"].contains(&&*key.kind) => None,
        Actor::Crash => all.filter(its(Actor::Crash)).nth(key.n as usize).map(|(index, _)| index),
        Actor::Io { connection, op, .. } if key.kind.starts_with("kept") => {
            let same =
                |actor: &Actor| matches!(actor, Actor::Io { connection: c, op: o, .. } if (*c, *o) == (connection, op));
            let last = schedule.iter().rposition(|segment| same(&segment.actor)).unwrap_or(0);
            let crash = schedule[last..].iter().position(|segment| segment.actor == Actor::Crash);
            crash.map(|after| last + after)
        }
        actor => all.find(its(actor)).map(|(index, _)| index),
    }
}

fn fault(decisions: &Decisions, key: &DrawKey) -> Flip {
    let schedule = &decisions.schedule;
    let turn = strikes(schedule, key).map(|index| turn_of(schedule, index));
    let mut flipped = decisions.clone();
    let value = flipped.draws.remove(key).unwrap_or_default();
    let what = format!("{key} {value}; flipped, it is calm");
    Flip { turn, kind: FlipKind::Fault, what, key: Some(key.clone()), decisions: flipped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, draws: &str, expected: &[(Option<u64>, FlipKind, &str, &str)]) {
        let decisions = Decisions::parse(schedule, draws).unwrap();
        let flips = flips(&decisions);
        let told: Vec<_> = flips
            .iter()
            .map(|flip| (flip.turn, flip.kind, flip.decisions.schedule_text(), flip.decisions.draws_text()))
            .collect();
        let told: Vec<_> = told.iter().map(|(turn, kind, s, d)| (*turn, *kind, s.as_str(), d.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_switch_is_flipped_by_what_the_interrupted_connection_does_next() {
        check(
            "c0*3 c1*2 c0/op1/io0 c0 c1",
            "",
            &[
                (Some(3), FlipKind::Switch, "c0*3 c0/op1/io0 c0 c1*2 c1", ""),
                (Some(5), FlipKind::Switch, "c0*3 c1*2 c1 c0/op1/io0 c0", ""),
            ],
        );
    }

    #[test]
    fn who_has_nothing_more_to_do_was_not_interrupted() {
        check("engine c0*3 engine c1*2", "", &[]);
    }

    #[test]
    fn no_stretch_is_moved_across_a_crash() {
        check("c0 c1 crash c0", "", &[(Some(2), FlipKind::Crash, "c0 c1 c0", "")]);
    }

    #[test]
    fn what_a_crash_leaves_of_an_io_strikes_at_the_crash() {
        let draws = "c0/op1/io0 kept-sectors 3\nc0/op1/io1 kept-sectors 5\n";
        let decisions = Decisions::parse("c0 c0/op1/io0 c0 crash c0 crash", draws).unwrap();
        let all = flips(&decisions);
        let faults: Vec<_> = all.iter().filter(|flip| flip.kind == FlipKind::Fault).map(|flip| flip.turn).collect();
        assert_eq!(faults, [Some(3), Some(3)]);
    }

    #[test]
    fn a_fault_is_left_out_alone_and_knows_its_turn() {
        let io = "c0/op0/io0 write-eio 1\n";
        check(
            "c0 c0/op0/io0 crash",
            &format!("{io}crash kind 2\n"),
            &[
                (Some(2), FlipKind::Crash, "c0 c0/op0/io0", &format!("{io}crash kind 2\n")),
                (Some(1), FlipKind::Fault, "c0 c0/op0/io0 crash", "crash kind 2\n"),
                (Some(2), FlipKind::Fault, "c0 c0/op0/io0 crash", io),
            ],
        );
    }
}
