//! Why a stored failure happens, found out in a worker: a decision that is flipped may take its process down.
//!
//! What comes out is a function of the case, unless time cuts it, which is then said.

use std::time::Duration;

use super::hunt::CampaignError;
use super::pool::{DeathKind, Event, Placement, Pool, PoolConfig};
use super::protocol::{Answer, ExplainTask, Hello, Task};
use crate::explain::{ExplainBounds, Explanation, Necessity};
use crate::tape::Decisions;

/// Explains a case, in at most `budget`. `None` when it does not fail from its decisions. When a run on the way
/// takes its process down, the likelihood is left out; when that does not help, everything is, and it is said why.
///
/// # Errors
/// When a worker cannot be started, or the case cannot be run at all.
pub fn explain_case(
    config: &PoolConfig,
    text: &str,
    bounds: ExplainBounds,
    budget: Duration,
) -> Result<Option<Explanation>, CampaignError> {
    let budget = budget.min(config.hang_after / 2);
    let mut death = None;
    for bounds in [bounds, ExplainBounds { continuations: 0, ..bounds }] {
        let task = ExplainTask { text: text.to_string(), bounds, budget_ms: budget.as_millis() as u64 };
        match once(config, task)? {
            Ok(mut explained) => {
                let lost = death.map(|kind| format!("the likelihood is left out: {}", taken_down(kind)));
                if let Some(explanation) = &mut explained {
                    explanation.cut = lost.or(explanation.cut.take());
                }
                return Ok(explained);
            }
            Err(kind) => death = Some(kind),
        }
    }
    let cut = death.map(|kind| format!("not computed: {}", taken_down(kind)));
    let necessity = Necessity { cut: cut.clone(), ..Necessity::default() };
    let nothing = Explanation { necessity, likelihood: Vec::new(), no_return: None, nearest: None, passing: None, cut };
    Ok(Some(nothing))
}

fn taken_down(kind: DeathKind) -> String {
    format!("a run with another decision took its process down ({})", kind.anomaly())
}

type Once = Result<Option<Explanation>, DeathKind>;

fn once(config: &PoolConfig, task: ExplainTask) -> Result<Once, CampaignError> {
    let hello = Hello { scenarios: Vec::new(), memory_max: config.memory_max, build: None };
    let mut pool = Pool::new(config.clone(), hello);
    pool.send(1, &Task::Explain(task), Placement::Any, 1)?;
    loop {
        for event in pool.next(Duration::from_millis(100)) {
            match event {
                Event::Answered { answer: Answer::Explained(explained), .. } => {
                    return Ok(Ok(explained.map(|explained| {
                        let passing = explained.passing.and_then(|(schedule, draws)| {
                            // What a worker has written is read back, or left out.
                            Decisions::parse(&schedule, &draws).ok()
                        });
                        Explanation { passing, ..explained.explanation }
                    })));
                }
                Event::Answered { answer: Answer::Failed(reason), .. } => return Err(CampaignError::Task(reason)),
                Event::Answered { answer, .. } => return Err(CampaignError::Task(format!("{answer:?}"))),
                Event::Lost { death, .. } => return Ok(Err(death.kind)),
                Event::HandedBack { .. } => {}
            }
        }
    }
}
