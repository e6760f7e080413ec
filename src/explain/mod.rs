//! Why a failure happens: which of its decisions it needs, where it became likely, and the nearest run that passes.
//!
//! A decision is *necessary* when the run passes once that decision alone is flipped: a context switch by letting
//! the connection that was interrupted do its next stretch first, a fault or a crash by leaving it out. How likely
//! the failure is from a turn on is counted: the decisions up to there, then fresh draws of the case's policy. All
//! of it is a function of the case; nothing here knows time, processes or how it is shown.

mod flips;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::{Case, Configuration, Registry, RunError};
use crate::shrink::Failure;
use crate::sim::RunResult;
use crate::tape::{Actor, Decisions, DrawKey, Segment, Tape};
use crate::trace::{Level, What};

pub use flips::{Flip, FlipKind, flips};

/// Fewer continuations than these say nothing about a likelihood.
const CONTINUATIONS_MIN: u64 = 8;

/// When to stop. No bound is a time, so that what comes out is the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainBounds {
    /// At most so many decisions are flipped, the first ones.
    pub flips_max: usize,
    /// At so many turns the likelihood is measured.
    pub prefixes: u64,
    /// With so many continuations each; fewer where [`turns_max`](Self::turns_max) would be exceeded, and the
    /// likelihood is left out where they are 0.
    pub continuations: u64,
    /// No run is begun after so many turns of all runs together.
    pub turns_max: u64,
}

impl Default for ExplainBounds {
    fn default() -> Self {
        Self { flips_max: 500, prefixes: 40, continuations: 64, turns_max: u64::MAX }
    }
}

impl ExplainBounds {
    /// For the report of a failure: what costs about as much as making it smaller did.
    #[must_use]
    pub const fn of_report() -> Self {
        Self { flips_max: 500, prefixes: 40, continuations: 32, turns_max: 2_000_000 }
    }
}

/// A decision, and whether the failure needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The turn at which it was taken, counted from 1; none for a fault of an I/O that had no turn.
    pub turn: Option<u64>,
    /// What it is.
    pub kind: FlipKind,
    /// In words: what was done, and what the flipped run does instead.
    pub what: String,
    /// The run passes without it.
    pub necessary: bool,
}

/// Which decisions a failure needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Necessity {
    /// Every context switch, fault and crash, in the order of their turns.
    pub marks: Vec<Mark>,
    /// Runs made.
    pub runs: u64,
    /// Why not every decision was flipped, if so.
    pub cut: Option<String>,
}

impl Necessity {
    /// The turns of necessary decisions.
    pub fn turns(&self) -> impl Iterator<Item = u64> + '_ {
        self.marks.iter().filter(|mark| mark.necessary).filter_map(|mark| mark.turn)
    }
}

/// How likely the failure is from a turn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// After this turn, counted from 1, all is drawn afresh; 0 is before the first.
    pub turn: u64,
    /// Continuations that fail in the same way.
    pub failed: u64,
    /// Continuations in all.
    pub runs: u64,
}

impl Point {
    /// The share of continuations that fail.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.failed as f64 / self.runs.max(1) as f64
    }
}

/// Between two turns, the failure became likelier than between any others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoReturn {
    /// After this turn it was this likely.
    pub from: Point,
    /// And after this one, this.
    pub to: Point,
}

/// A run that passes, one decision away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearest {
    /// The decision that was flipped, in words.
    pub edit: String,
    /// The first turn at which the two runs part, counted from 1.
    pub turn: u64,
    /// Who has that turn in the run that fails.
    pub failing: Option<String>,
    /// Who has it in the run that passes.
    pub passing: Option<String>,
}

/// All that is known of why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which decisions it needs.
    pub necessity: Necessity,
    /// How likely it was, turn by turn.
    pub likelihood: Vec<Point>,
    /// Where it became unavoidable, or nearly so.
    pub no_return: Option<NoReturn>,
    /// The nearest run that passes.
    pub nearest: Option<Nearest>,
    /// The decisions of that run.
    #[serde(skip)]
    pub passing: Option<Decisions>,
    /// Why it is not complete, if so.
    pub cut: Option<String>,
}

/// How far it has come: runs made, of so many. Answer false to stop.
pub type Watch<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Which decisions a case's failure needs. `None` when the case does not fail from its decisions.
///
/// # Errors
/// When the case cannot be run at all.
pub fn necessity(registry: &Registry, case: &Case, bounds: ExplainBounds) -> Result<Option<Necessity>, RunError> {
    let Some(mut scene) = Scene::new(registry, case)? else { return Ok(None) };
    Ok(Some(scene.necessity(bounds, &mut |_, _| true)?.0))
}

/// Explains a case. `None` when it does not fail from its decisions.
///
/// # Errors
/// When the case cannot be run at all.
pub fn explain(
    registry: &Registry,
    case: &Case,
    bounds: ExplainBounds,
    watch: Watch<'_>,
) -> Result<Option<Explanation>, RunError> {
    let Some(mut scene) = Scene::new(registry, case)? else { return Ok(None) };
    let (necessity, parted) = scene.necessity(bounds, watch)?;
    let (likelihood, cut) = scene.likelihood(bounds, watch)?;
    let no_return = no_return(&likelihood);
    let cut = necessity.cut.clone().or(cut);
    let (nearest, passing) = parted.unzip();
    Ok(Some(Explanation { necessity, likelihood, no_return, nearest, passing, cut }))
}

/// The steepest rise.
fn no_return(points: &[Point]) -> Option<NoReturn> {
    let rise = |pair: &[Point]| pair[1].share() - pair[0].share();
    let steepest = points.windows(2).max_by(|a, b| rise(a).total_cmp(&rise(b)))?;
    (rise(steepest) > 0.0).then(|| NoReturn { from: steepest[0], to: steepest[1] })
}

/// A run that passes, and its decisions.
type Parted = (Nearest, Decisions);

/// A case that fails, and what it was decided by.
struct Scene<'a> {
    registry: &'a Registry,
    case: &'a Case,
    configuration: Configuration,
    failure: Failure,
    decisions: Decisions,
    /// The turn at which it is found.
    end: u64,
    runs: u64,
    /// Turns of all runs.
    turns: u64,
}

impl<'a> Scene<'a> {
    fn new(registry: &'a Registry, case: &'a Case) -> Result<Option<Self>, RunError> {
        let failure = Failure::of(&case.finding);
        let configuration = case.configuration.clone();
        let stored = case.decisions.clone();
        let mut scene =
            Self { registry, case, configuration, failure, decisions: Decisions::default(), end: 0, runs: 0, turns: 0 };
        let tape = match stored {
            Some(decisions) => Tape::recorded(case.seed(), decisions),
            None => Tape::seeded(case.seed()),
        };
        let mut result = scene.run(tape.recording())?;
        if !scene.fails(&result) {
            return Ok(None);
        }
        scene.decisions = result.decisions.take().unwrap_or_default();
        let found = result.findings.first().map_or(result.turns, |finding| finding.turn);
        scene.end = found.clamp(1, result.turns.max(1));
        // Nothing much longer than the failure is worth running to its end.
        let turns_max = &mut scene.configuration.world.limits.turns_max;
        *turns_max = result.turns.saturating_mul(4).saturating_add(2_000).min(*turns_max);
        Ok(Some(scene))
    }

    fn run(&mut self, tape: Tape) -> Result<RunResult, RunError> {
        let result = self.registry.run(&self.configuration, self.case.seed(), Some(&self.case.plan), tape)?;
        self.runs += 1;
        self.turns += result.turns;
        Ok(result)
    }

    /// Why no further run may be begun, if so.
    fn spent(&self, bounds: ExplainBounds) -> Option<String> {
        (self.turns >= bounds.turns_max).then(|| format!("stopped after {} runs of {} turns", self.runs, self.turns))
    }

    fn fails(&self, result: &RunResult) -> bool {
        result.findings.first().is_some_and(|finding| self.failure.is(finding))
    }

    /// Flips each decision alone; of the runs that pass, the one that parts last is the nearest.
    fn necessity(&mut self, bounds: ExplainBounds, watch: Watch<'_>) -> Result<(Necessity, Option<Parted>), RunError> {
        let all = flips(&self.decisions);
        let given_up = self.given_up(&all)?;
        let (total, before) = (all.len(), self.runs);
        let mut necessity = Necessity::default();
        let mut nearest: Option<Parted> = None;
        for flip in all.into_iter().take(bounds.flips_max) {
            let timed_out = || "stopped by its time limit".to_string();
            let is_late = !watch(self.runs, total as u64);
            if let Some(reason) = is_late.then(timed_out).or_else(|| self.spent(bounds)) {
                necessity.cut = Some(format!("{reason}: {} of {total} decisions were flipped", necessity.marks.len()));
                break;
            }
            let Flip { turn, kind, what, key, decisions } = flip;
            let tape = Tape::recorded(self.case.seed(), decisions).recording();
            let mut result = self.run(tape)?;
            let necessary = !self.fails(&result);
            if necessary {
                let passing = result.decisions.take().unwrap_or_default();
                let parts = self.parts(&what, turn, &passing);
                if nearest.as_ref().is_none_or(|(known, _)| known.turn < parts.turn) {
                    nearest = Some((parts, passing));
                }
            }
            // Who gives an operation up does so in a turn of its own, which only the run itself tells.
            let given_up = || key.as_ref().and_then(|key| given_up.get(&operation(key)?).copied());
            let turn = turn.map(|turn| turn + 1).or_else(given_up);
            necessity.marks.push(Mark { turn, kind, what, necessary });
        }
        if total > bounds.flips_max {
            let max = bounds.flips_max;
            necessity.cut.get_or_insert_with(|| format!("the first {max} of {total} decisions were flipped"));
        }
        necessity.runs = self.runs - before;
        necessity.marks.sort_by_key(|mark| mark.turn.unwrap_or(u64::MAX));
        Ok((necessity, nearest))
    }

    /// The turns in which operations were given up, by connection and ordinal; looked for when a draw says that one was.
    fn given_up(&self, flips: &[Flip]) -> Result<BTreeMap<(u16, u32), u64>, RunError> {
        let mut turns = BTreeMap::new();
        if !flips.iter().any(|flip| flip.key.as_ref().and_then(operation).is_some()) {
            return Ok(turns);
        }
        let (case, seed) = (self.case, self.case.seed());
        let tape = Tape::recorded(seed, self.decisions.clone());
        let (configuration, plan) = (&self.configuration, Some(&case.plan));
        let (_, trace) = self.registry.run_traced(configuration, seed, plan, tape, Level::Ops, None)?;
        let mut places = BTreeMap::new();
        for fact in trace.facts {
            match fact.what {
                What::Invoke { op, connection, ordinal, .. } => drop(places.insert(op.0, (connection, ordinal))),
                What::Return { op, abandoned: true, .. } | What::CutOff { op, .. } => {
                    turns.extend(places.get(&op.0).map(|place| (*place, fact.turn)));
                }
                _ => {}
            }
        }
        Ok(turns)
    }

    /// Where a run that passes parts from the one that fails.
    fn parts(&self, edit: &str, turn: Option<u64>, passing: &Decisions) -> Nearest {
        let (mut mine, mut theirs) = (turns(&self.decisions.schedule), turns(&passing.schedule));
        let mut at = 0;
        loop {
            let (failing, passes) = (mine.next(), theirs.next());
            let is_fault = turn == Some(at) && failing == passes && self.decisions.draws != passing.draws;
            if failing != passes || failing.is_none() || is_fault {
                let name = |actor: Option<Actor>| actor.map(|actor| actor.to_string());
                // Where nobody's turn differs, they differ by the last one.
                let turn = if failing.is_none() && passes.is_none() { at.max(1) } else { at + 1 };
                return Nearest { edit: edit.to_string(), turn, failing: name(failing), passing: name(passes) };
            }
            at += 1;
        }
    }

    fn likelihood(
        &mut self,
        bounds: ExplainBounds,
        watch: Watch<'_>,
    ) -> Result<(Vec<Point>, Option<String>), RunError> {
        let mut points: Vec<Point> = Vec::new();
        let left = bounds.turns_max.saturating_sub(self.turns) / (bounds.prefixes + 1) / self.end;
        let continuations = bounds.continuations.min(left.max(CONTINUATIONS_MIN));
        if continuations == 0 {
            return Ok((points, None));
        }
        let total = (bounds.prefixes + 1) * continuations;
        for step in 0..=bounds.prefixes {
            let turn = self.end * step / bounds.prefixes.max(1);
            if points.last().is_some_and(|last| last.turn == turn) {
                continue;
            }
            let schedule = beginning(&self.decisions.schedule, turn);
            let mut failed = 0;
            for continuation in 0..continuations {
                if !watch(points.len() as u64 * continuations + continuation, total) {
                    return Ok((points, Some("the likelihood was stopped by its time limit".to_string())));
                }
                if let Some(reason) = self.spent(bounds) {
                    return Ok((points, Some(format!("the likelihood was {reason}"))));
                }
                let decisions = Decisions { schedule: schedule.clone(), draws: self.decisions.draws.clone() };
                let result = self.run(Tape::resumed(self.case.seed(), decisions, continuation))?;
                failed += u64::from(self.fails(&result));
            }
            points.push(Point { turn, failed, runs: continuations });
        }
        Ok((points, None))
    }
}

/// The operation that is given up by a draw.
fn operation(key: &DrawKey) -> Option<(u16, u32)> {
    match key.actor {
        Actor::Io { connection, op, .. } if matches!(&*key.kind, "abandon" | "close") => Some((connection, op)),
        _ => None,
    }
}

/// Turn by turn.
fn turns(schedule: &[Segment]) -> impl Iterator<Item = Actor> + '_ {
    schedule.iter().flat_map(|segment| std::iter::repeat_n(segment.actor, segment.turns as usize))
}

/// The first turns of a schedule.
fn beginning(schedule: &[Segment], turns: u64) -> Vec<Segment> {
    let mut left = turns;
    let taken = schedule.iter().map_while(|segment| {
        let turns = left.min(u64::from(segment.turns)) as u32;
        left -= u64::from(turns);
        (turns > 0).then_some(Segment { actor: segment.actor, turns })
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_of_no_return_is_where_the_failure_became_likelier_fastest() {
        let points = |failed: &[u64]| -> Vec<Point> {
            (0..).zip(failed).map(|(turn, &failed)| Point { turn: turn * 10, failed, runs: 64 }).collect()
        };
        let turns = |failed: &[u64]| no_return(&points(failed)).map(|found| (found.from.turn, found.to.turn));
        assert_eq!(turns(&[1, 2, 40, 64, 64]), Some((10, 20)));
        assert_eq!(turns(&[64, 64, 64]), None);
        assert_eq!(turns(&[3]), None);
    }

    #[test]
    fn a_beginning_cuts_within_a_segment() {
        let decisions = Decisions::parse("c0*3 c1 c0*2", "").unwrap();
        let text = |turns| {
            let schedule = beginning(&decisions.schedule, turns);
            Decisions { schedule, ..Decisions::default() }.schedule_text()
        };
        assert_eq!(
            (text(0).as_str(), text(2).as_str(), text(4).as_str(), text(9).as_str()),
            ("", "c0*2", "c0*3 c1", "c0*3 c1 c0*2")
        );
    }
}
