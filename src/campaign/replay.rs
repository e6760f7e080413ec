//! A stored failure, run again in a worker of its own.
//!
//! Stale is not nondeterministic: where the engine is another build than the one the case was found with, a
//! different run is what one expects, and only the finding counts.

use std::time::Duration;

use super::hunt::CampaignError;
use super::pool::{Event, Placement, Pool, PoolConfig};
use super::protocol::{Answer, CaseText, FirstDivergence, Hello, Ran, Task};
use crate::scenario::{Case, StoredFinding};
use crate::tape::Fingerprint;

/// What a replay says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayVerdict {
    /// The same finding again.
    Again,
    /// The engine has changed, and the finding is gone.
    NoLonger,
    /// The engine is the same, and the run is another.
    Diverged,
    /// The engine has changed, and the decisions fit no more.
    Stale,
}

impl ReplayVerdict {
    /// The verdict's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::NoLonger => "no-longer",
            Self::Diverged => "diverged",
            Self::Stale => "stale",
        }
    }
}

/// A case run again.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// What it says.
    pub verdict: ReplayVerdict,
    /// The run's hash is the stored one.
    pub same: bool,
    /// The run; its numbers are empty when the process did not survive.
    pub ran: Ran,
    /// Where the run parts from the stored one.
    pub divergence: Option<FirstDivergence>,
    /// The first stored decision that did not fit.
    pub misfit: Option<String>,
    /// How the engine differs from the one the case was found with.
    pub identity_differs: Option<String>,
    /// The decisions fit no more, and the plan alone, with the same policy and seed, shows the finding still.
    pub from_plan: bool,
    /// The history as EDN, where it was asked for and the run has one.
    pub history: Option<String>,
}

/// Runs a case again.
///
/// # Errors
/// When a worker cannot be started, or the case cannot be run at all.
pub fn replay(
    config: &PoolConfig,
    build: Option<Fingerprint>,
    case: &Case,
    text: &CaseText,
) -> Result<Rerun, CampaignError> {
    let first = once(config, build, text)?;
    let mut rerun = judge(case, first);
    if rerun.verdict == ReplayVerdict::Stale && case.decisions.is_some() {
        let again = once(config, build, &CaseText { from_seed: true, ..text.clone() })?;
        if shows(&again.ran, &case.finding) {
            rerun = Rerun {
                verdict: ReplayVerdict::Again,
                from_plan: true,
                ran: again.ran,
                history: again.history,
                ..rerun
            };
        }
    }
    Ok(rerun)
}

fn judge(case: &Case, replayed: super::protocol::Replayed) -> Rerun {
    let same = replayed.ran.hash == case.head.hash;
    let found = shows(&replayed.ran, &case.finding);
    let verdict = match (&replayed.identity_differs, same, found) {
        (_, true, true) => ReplayVerdict::Again,
        (None, ..) => ReplayVerdict::Diverged,
        (Some(_), _, true) => ReplayVerdict::Again,
        (Some(_), _, false) if replayed.misfit.is_some() => ReplayVerdict::Stale,
        (Some(_), _, false) => ReplayVerdict::NoLonger,
    };
    Rerun {
        verdict,
        same,
        ran: replayed.ran,
        divergence: replayed.divergence.filter(|_| !same),
        misfit: replayed.misfit,
        identity_differs: replayed.identity_differs,
        from_plan: false,
        history: replayed.history,
    }
}

/// Whether a run shows the finding of a case: the same complaint, whatever its numbers say.
fn shows(ran: &Ran, finding: &StoredFinding) -> bool {
    ran.finding.as_ref().is_some_and(|found| found.property == finding.property && found.anomaly == finding.anomaly)
}

fn once(
    config: &PoolConfig,
    build: Option<Fingerprint>,
    text: &CaseText,
) -> Result<super::protocol::Replayed, CampaignError> {
    let hello = Hello { scenarios: Vec::new(), memory_max: config.memory_max, build };
    let mut pool = Pool::new(config.clone(), hello);
    pool.send(1, &Task::Replay(text.clone()), Placement::Any, 1)?;
    loop {
        for event in pool.next(Duration::from_millis(100)) {
            match event {
                Event::Answered { answer: Answer::Replayed(replayed), .. } => return Ok(*replayed),
                Event::Answered { answer: Answer::Failed(reason), .. } => return Err(CampaignError::Task(reason)),
                Event::Answered { answer, .. } => return Err(CampaignError::Task(format!("{answer:?}"))),
                Event::Lost { death, .. } => {
                    return Ok(super::protocol::Replayed {
                        ran: super::evidence::of_death(&death),
                        misfit: None,
                        divergence: None,
                        timeline: None,
                        identity_differs: None,
                        history: None,
                    });
                }
                Event::HandedBack { .. } => {}
            }
        }
    }
}
