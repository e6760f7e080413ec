//! What can go wrong before a run begins, and one engine of one family behind a face without types.

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use thiserror::Error;
use toml::Table;

use super::configuration::{Configuration, EngineChoice};
use super::plan_text;
use super::serial;
use crate::audit::{self, Audit, AuditBounds};
use crate::disk::sim::FaultRules;
use crate::engine::{Engine, EngineInfo, Family, OptionError, Options, Promises, Spared};
use crate::history::Call;
use crate::property::Property;
use crate::property::differential::Content;
use crate::sched::Origin;
use crate::sim::{self, RunConfig, RunResult};
use crate::tape::Tape;
use crate::trace::Watchers;
use crate::workload::{Knobs, Plan, Workload};

/// Why a run cannot be made. Never a finding: the case or the program is not the right one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// The engine is not compiled in.
    #[error("the engine `{name}` is not compiled into this program: expected {}", listed(known))]
    Engine {
        /// What is asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The workload is not compiled in.
    #[error("the workload `{name}` is not known to the family `{family}`: expected {}", listed(known))]
    Workload {
        /// What is asked for.
        name: String,
        /// The family of the engine.
        family: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The property is not compiled in.
    #[error("the property `{name}` is not compiled into this program: expected {}", listed(known))]
    Property {
        /// What is asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The rule is not compiled in.
    #[error("the fault rule `{name}` is not compiled into this program: expected {}", listed(known))]
    FaultRule {
        /// What is asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The engine does not take these options.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// The plan cannot be read or written.
    #[error("{0}")]
    Plan(String),
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "none, there is none".to_string() } else { format!("one of {}", known.join(", ")) }
}

/// The workloads of one family.
pub(super) struct Shelf<F: Family> {
    pub(super) workloads: Vec<Box<dyn Workload<F>>>,
}

impl<F: Family> Shelf<F> {
    fn find<'a>(shelf: Option<&'a dyn Any>, name: &str) -> Result<&'a dyn Workload<F>, RunError> {
        let workloads = shelf.and_then(<dyn Any>::downcast_ref::<Self>).map(|shelf| &shelf.workloads);
        let found = workloads.and_then(|list| list.iter().find(|workload| workload.name() == name));
        found.map(AsRef::as_ref).ok_or_else(|| RunError::Workload {
            name: name.to_string(),
            family: F::NAME.to_string(),
            known: workloads.iter().flat_map(|list| list.iter()).map(|known| known.name().to_string()).collect(),
        })
    }
}

/// What a run is made of, all of it found and checked.
pub(super) struct Job<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) seed: u64,
    /// The stored plan; without one it is made from the seed.
    pub(super) plan: Option<&'a Table>,
    /// The workloads of the engine's family.
    pub(super) shelf: Option<&'a dyn Any>,
}

/// An engine that serves a family, types erased. The registry is the only one who sees it.
pub(super) trait Target {
    fn info(&self) -> &EngineInfo;
    fn family(&self) -> &'static str;
    fn promises(&self, options: &Options) -> Promises;
    fn spared(&self) -> &'static [Spared];
    /// What the workload needs with these knobs and the engine does not serve.
    fn missing(&self, shelf: Option<&dyn Any>, workload: &str, knobs: &Knobs) -> Result<Vec<&'static str>, RunError>;
    /// The properties that judge the workload when nobody names others.
    fn properties(&self, shelf: Option<&dyn Any>, workload: &str, knobs: &Knobs) -> Result<Vec<String>, RunError>;
    /// Whether operations can be taken out of the workload's transactions.
    fn is_separable(&self, shelf: Option<&dyn Any>, workload: &str) -> Result<bool, RunError>;
    fn plan_text(&self, job: &Job<'_>) -> Result<String, RunError>;
    /// How many operations of each kind each connection is asked.
    fn kinds(&self, job: &Job<'_>) -> Result<Vec<(Origin, &'static str, u64)>, RunError>;
    /// Runs it, and gives the tape back.
    fn run(
        &self,
        job: &Job<'_>,
        rules: FaultRules,
        judges: &mut [Box<dyn Property>],
        tape: Tape,
        watchers: Watchers<'_>,
    ) -> Result<(RunResult, Tape), RunError>;
    /// What the engine holds after these transactions, asked calmly one after the other.
    fn replay(&self, transactions: &[Vec<Call>]) -> Result<Content, String>;
    fn audit(&self, job: &Job<'_>, bounds: AuditBounds) -> Result<Audit, RunError>;
}

pub(super) struct Bound<F, E> {
    info: EngineInfo,
    types: PhantomData<fn() -> (F, E)>,
}

impl<F: Family, E: Engine<F>> Bound<F, E> {
    pub(super) fn new() -> Self {
        Self { info: E::info(), types: PhantomData }
    }

    fn plan(job: &Job<'_>, workload: &dyn Workload<F>) -> Result<Plan<F>, RunError> {
        let Configuration { knobs, connections, transactions, .. } = job.configuration;
        match job.plan {
            Some(table) => plan_text::read(table),
            None => Ok(workload.plan(knobs, job.seed, *connections, *transactions)),
        }
    }
}

impl<F: Family, E: Engine<F>> Target for Bound<F, E> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn family(&self) -> &'static str {
        F::NAME
    }

    fn spared(&self) -> &'static [Spared] {
        E::spared()
    }

    fn promises(&self, options: &Options) -> Promises {
        E::promises(options)
    }

    fn missing(&self, shelf: Option<&dyn Any>, workload: &str, knobs: &Knobs) -> Result<Vec<&'static str>, RunError> {
        let needs = Shelf::<F>::find(shelf, workload)?.needs(knobs);
        Ok(needs.into_iter().filter(|need| !self.info.serves.contains(need)).collect())
    }

    fn properties(&self, shelf: Option<&dyn Any>, workload: &str, knobs: &Knobs) -> Result<Vec<String>, RunError> {
        let names = Shelf::<F>::find(shelf, workload)?.properties(knobs);
        Ok(names.iter().map(|name| (*name).to_string()).collect())
    }

    fn is_separable(&self, shelf: Option<&dyn Any>, workload: &str) -> Result<bool, RunError> {
        Ok(Shelf::<F>::find(shelf, workload)?.is_separable())
    }

    fn plan_text(&self, job: &Job<'_>) -> Result<String, RunError> {
        let workload = Shelf::<F>::find(job.shelf, &job.configuration.workload)?;
        plan_text::write(&Self::plan(job, workload)?)
    }

    fn kinds(&self, job: &Job<'_>) -> Result<Vec<(Origin, &'static str, u64)>, RunError> {
        let workload = Shelf::<F>::find(job.shelf, &job.configuration.workload)?;
        let plan = Self::plan(job, workload)?;
        let mut kinds = BTreeMap::new();
        for (connection, transactions) in (0u16..).zip(&plan.connections) {
            for op in transactions.iter().flat_map(|transaction| &transaction.ops) {
                *kinds.entry((Origin(connection), workload.call(op).f)).or_default() += 1;
            }
        }
        Ok(kinds.into_iter().map(|((origin, kind), count)| (origin, kind, count)).collect())
    }

    fn run(
        &self,
        job: &Job<'_>,
        rules: FaultRules,
        judges: &mut [Box<dyn Property>],
        tape: Tape,
        watchers: Watchers<'_>,
    ) -> Result<(RunResult, Tape), RunError> {
        let Configuration { engine, knobs, world, .. } = job.configuration;
        let workload = Shelf::<F>::find(job.shelf, &job.configuration.workload)?;
        let options = Options::resolve(self.info.options, self.info.bugs, &engine.options, &engine.bugs)?;
        let plan = Self::plan(job, workload)?;
        let config = RunConfig { seed: job.seed, options, plan, rules, world: world.clone() };
        let facts = workload.facts(knobs);
        Ok(sim::run_keeping_tape::<F, E>(&config, workload, &facts, judges, tape, watchers.for_a_while()))
    }

    fn replay(&self, transactions: &[Vec<Call>]) -> Result<Content, String> {
        serial::replay::<F, E>(&self.info, transactions)
    }

    fn audit(&self, job: &Job<'_>, bounds: AuditBounds) -> Result<Audit, RunError> {
        let EngineChoice { options, bugs, .. } = &job.configuration.engine;
        let workload = Shelf::<F>::find(job.shelf, &job.configuration.workload)?;
        let options = Options::resolve(self.info.options, self.info.bugs, options, bugs)?;
        let plan = Self::plan(job, workload)?;
        Ok(audit::audit::<F, E>(workload, &options, &plan, bounds))
    }
}
