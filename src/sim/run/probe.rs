//! Whether the engine works again when all faults are over.
//!
//! A client that is alone asks for a change on a disk that works and has room. An engine owes it that: at once after a
//! full disk, a failed allocation or anything else that must do no lasting harm; after it has been opened anew when an
//! I/O has failed, because until then it may refuse what it cannot vouch for. Damage to the media excuses it.

use super::{Run, Stop};
use crate::engine::{Durability, Engine, Family};
use crate::history::{Class, Fact, Outcome};
use crate::property::Finding;

/// Faults after which an engine has to go on without being opened anew.
const HARMLESS: [&str; 8] =
    ["slow", "split", "read-short", "write-short", "interrupted", "no-space", "no-memory", "clock-jump"];

impl<F: Family, E: Engine<F>> Run<'_, F, E> {
    /// Asks for transaction number `nth` of the plan's probe, and wants it done.
    pub(super) fn probe(&mut self, nth: usize) -> Result<(), Stop> {
        let config = self.config;
        let Some(transaction) = config.plan.probe.get(nth..=nth) else { return Ok(()) };
        let before = self.history.events.len();
        self.play_script(transaction)?;
        if self.may_refuse() {
            return Ok(());
        }
        let refused = self.history.events[before..].iter().find_map(|event| match &event.fact {
            Fact::Return { op, outcome: Outcome::Refused(class) | Outcome::Unknown(class), .. } => Some((*op, *class)),
            _ => None,
        });
        let is_excused = |class| is_of_the_request(class) || class == Class::Other && self.may_lack_its_setup();
        let Some((op, class)) = refused.filter(|(_, class)| !is_excused(*class)) else { return Ok(()) };
        let when = if nth == 0 { "all faults are over" } else { "it has been opened anew on a disk that works" };
        self.findings.push(Finding {
            property: "no-breakdown".into(),
            anomaly: "does-not-work-again".into(),
            sentence: format!("A change is answered with `{class}` although {when}."),
            resources: vec![class.to_string()],
            ops: vec![op],
            turn: self.turn,
            proof: self.struck().map(|(kind, count)| format!("{kind} had struck {count} times")).collect(),
        });
        Err(Stop::Ended)
    }

    /// Whether what has happened to the engine allows it to refuse.
    fn may_refuse(&self) -> bool {
        let lasting = self.struck().any(|(kind, _)| !HARMLESS.contains(&kind));
        lasting || self.config.world.has_media_faults() || self.is_betrayed()
    }

    /// Whether a crash may have taken what was set up, such as the table that the change is for.
    fn may_lack_its_setup(&self) -> bool {
        self.crashes > 0 && E::promises(&self.config.options).durability != Durability::EveryCommit
    }

    /// The faults that have struck since the engine was opened.
    fn struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let before = self.faults_before.clone();
        let since = move |(kind, count)| {
            let count = count - before.get(kind).copied().unwrap_or(0);
            (count > 0).then_some((kind, count))
        };
        self.disk.stats().faults.into_iter().filter_map(since)
    }
}

/// Whether the refusal says something of the request rather than of the engine.
const fn is_of_the_request(class: Class) -> bool {
    matches!(class, Class::Conflict | Class::Busy | Class::Constraint | Class::Unsupported)
}
