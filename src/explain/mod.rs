//! Why a failure happens: which of its decisions it needs, where it became likely, and the nearest run that passes.
//!
//! A decision is *necessary* when the run passes once that decision alone is flipped: a context switch by letting
//! the connection that was interrupted do its next stretch first, a fault or a crash by leaving it out. How likely
//! the failure is from a turn on is counted: the decisions up to there, then fresh draws of the case's policy. All
//! of it is a function of the case; nothing here knows time, processes or how it is shown.

mod flips;

use serde::{Deserialize, Serialize};

use crate::scenario::{Case, Configuration, Registry, RunError};
use crate::shrink::Failure;
use crate::sim::RunResult;
use crate::tape::{Actor, Decisions, Segment, Tape};

pub use flips::{Flip, FlipKind, flips};

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct ExplainBounds {
    /// At most so many decisions are flipped, the first ones.
    pub flips_max: usize,
    /// At so many turns the likelihood is measured.
    pub prefixes: u64,
    /// With so many continuations each.
    pub continuations: u64,
}

impl Default for ExplainBounds {
    fn default() -> Self {
        Self { flips_max: 500, prefixes: 40, continuations: 64 }
    }
}

/// A decision, and whether the failure needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The turn at which it was taken; none for a fault of an I/O that had no turn.
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
    /// The first turn that is drawn afresh.
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
    /// Measured before this turn, it was this likely.
    pub from: Point,
    /// And before this one, this.
    pub to: Point,
}

/// A run that passes, one decision away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearest {
    /// The decision that was flipped, in words.
    pub edit: String,
    /// The first turn at which the two runs part.
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
    let (necessity, nearest) = scene.necessity(bounds, watch)?;
    let (likelihood, cut) = scene.likelihood(bounds, watch)?;
    let no_return = no_return(&likelihood);
    let cut = cut.or_else(|| necessity.cut.clone());
    Ok(Some(Explanation { necessity, likelihood, no_return, nearest, cut }))
}

/// The steepest rise.
fn no_return(points: &[Point]) -> Option<NoReturn> {
    let rise = |pair: &[Point]| pair[1].share() - pair[0].share();
    let steepest = points.windows(2).max_by(|a, b| rise(a).total_cmp(&rise(b)))?;
    (rise(steepest) > 0.0).then(|| NoReturn { from: steepest[0], to: steepest[1] })
}

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
}

impl<'a> Scene<'a> {
    fn new(registry: &'a Registry, case: &'a Case) -> Result<Option<Self>, RunError> {
        let failure = Failure::of(&case.finding);
        let configuration = case.configuration.clone();
        let stored = case.decisions.clone();
        let mut scene =
            Self { registry, case, configuration, failure, decisions: Decisions::default(), end: 0, runs: 0 };
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
        self.runs += 1;
        self.registry.run(&self.configuration, self.case.seed(), Some(&self.case.plan), tape)
    }

    fn fails(&self, result: &RunResult) -> bool {
        result.findings.first().is_some_and(|finding| self.failure.is(finding))
    }

    /// Flips each decision alone; of the runs that pass, the one that parts last is the nearest.
    fn necessity(&mut self, bounds: ExplainBounds, watch: Watch<'_>) -> Result<(Necessity, Option<Nearest>), RunError> {
        let all = flips(&self.decisions);
        let (total, before) = (all.len(), self.runs);
        let mut necessity = Necessity::default();
        let mut nearest: Option<Nearest> = None;
        for flip in all.into_iter().take(bounds.flips_max) {
            if !watch(self.runs, total as u64) {
                necessity.cut =
                    Some(format!("stopped by its time limit after {} of {total} decisions", necessity.marks.len()));
                break;
            }
            let Flip { turn, kind, what, decisions } = flip;
            let tape = Tape::recorded(self.case.seed(), decisions).recording();
            let mut result = self.run(tape)?;
            let necessary = !self.fails(&result);
            if necessary {
                let passing = result.decisions.take().unwrap_or_default();
                let parts = self.parts(&what, turn, &passing);
                if nearest.as_ref().is_none_or(|known| known.turn < parts.turn) {
                    nearest = Some(parts);
                }
            }
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

    /// Where a run that passes parts from the one that fails.
    fn parts(&self, edit: &str, turn: Option<u64>, passing: &Decisions) -> Nearest {
        let (mut mine, mut theirs) = (turns(&self.decisions.schedule), turns(&passing.schedule));
        let mut at = 0;
        loop {
            let (failing, passes) = (mine.next(), theirs.next());
            let is_fault = turn == Some(at) && failing == passes && self.decisions.draws != passing.draws;
            if failing != passes || failing.is_none() || is_fault {
                let name = |actor: Option<Actor>| actor.map(|actor| actor.to_string());
                return Nearest { edit: edit.to_string(), turn: at, failing: name(failing), passing: name(passes) };
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
        let total = (bounds.prefixes + 1) * bounds.continuations;
        for step in 0..=bounds.prefixes {
            let turn = self.end * step / bounds.prefixes.max(1);
            if points.last().is_some_and(|last| last.turn == turn) {
                continue;
            }
            let schedule = beginning(&self.decisions.schedule, turn);
            let mut failed = 0;
            for continuation in 0..bounds.continuations {
                if !watch(points.len() as u64 * bounds.continuations + continuation, total) {
                    return Ok((points, Some("the likelihood was stopped by its time limit".to_string())));
                }
                let decisions = Decisions { schedule: schedule.clone(), draws: self.decisions.draws.clone() };
                let result = self.run(Tape::resumed(self.case.seed(), decisions, continuation))?;
                failed += u64::from(self.fails(&result));
            }
            points.push(Point { turn, failed, runs: bounds.continuations });
        }
        Ok((points, None))
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
