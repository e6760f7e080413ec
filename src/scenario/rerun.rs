//! A case run again in this process, as a regression test does it.

use super::case::Case;
use super::registry::Registry;
use super::run::RunError;
use crate::sim::RunResult;
use crate::tape::Tape;

/// What running a case again came to.
#[derive(Clone, Debug)]
pub struct CaseRun {
    /// The run shows the case's finding: the same property and anomaly.
    pub shows_it: bool,
    /// The run is the stored one, turn for turn.
    pub same: bool,
    /// The first stored decision that did not fit, in words.
    pub misfit: Option<String>,
    /// The decisions did not fit, so the plan was run under the same policy and seed.
    pub from_plan: bool,
    /// What happened, for an assertion.
    pub sentence: String,
    /// The run.
    pub result: RunResult,
}

impl Registry {
    /// Runs a case again. When its decisions do not fit any more, because the engine has changed, the plan is tried
    /// under the same policy and seed before the failure counts as gone.
    ///
    /// # Errors
    /// When something it names is not compiled in, or its plan is none.
    pub fn rerun(&self, case: &Case) -> Result<CaseRun, RunError> {
        let stored = case.decisions.clone().map(|decisions| Tape::recorded(case.seed(), decisions));
        let from_plan = stored.is_none();
        let first = self.run_case(case, stored.unwrap_or_else(|| Tape::seeded(case.seed())), from_plan)?;
        if first.shows_it || first.misfit.is_none() {
            return Ok(first);
        }
        let again = self.run_case(case, Tape::seeded(case.seed()), true)?;
        let misfit = first.misfit.clone();
        let sentence = match again.shows_it {
            true => again.sentence,
            false => format!("{}; {}", first.sentence, misfit.as_deref().unwrap_or_default()),
        };
        Ok(CaseRun { misfit, sentence, ..again })
    }

    fn run_case(&self, case: &Case, tape: Tape, from_plan: bool) -> Result<CaseRun, RunError> {
        let result = self.run(&case.configuration, case.seed(), Some(&case.plan), tape)?;
        let is_it = |found: &crate::property::Finding| {
            found.property == case.finding.property && found.anomaly == case.finding.anomaly
        };
        let found = result.findings.first();
        let shows_it = found.is_some_and(is_it);
        let sentence = found.map_or_else(|| "nothing was found".to_string(), |found| found.sentence.clone());
        let misfit = result.misfit.as_ref().map(ToString::to_string);
        let same = Some(result.hash) == case.head.hash;
        Ok(CaseRun { shows_it, same, misfit, from_plan, sentence, result })
    }
}
