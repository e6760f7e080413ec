//! What is compiled in: engines, workloads, properties and scenarios, known by name.
//!
//! The registry is the only place where types are erased: a run is generic over its engine up to here, and
//! above here an engine is a name. It runs nothing by itself and starts no process.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use toml::Table;

use super::configuration::Configuration;
use super::library::Library;
use super::run::{Bound, Job, RunError, Shelf, Target};
use super::serial::OnTarget;
use crate::audit::{Audit, AuditBounds};
use crate::disk::sim::{FaultRule, FaultRules};
use crate::engine::{Engine, EngineInfo, Family, Options, Promises};
use crate::property::Property;
use crate::property::differential::{self, Differential, Reference};
use crate::sched::{Estimates, PolicyConfig};
use crate::sim::{RunResult, WorldConfig};
use crate::tape::Tape;
use crate::trace::{Coverage, Level, Recorder, Trace, Watchers};
use crate::workload::Workload;

/// What is known of a workload without its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadInfo {
    /// The family it belongs to.
    pub family: &'static str,
    /// Its name.
    pub name: &'static str,
    /// One line for `list workloads`.
    pub about: &'static str,
}

/// What is known of a property before it judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyInfo {
    /// Its name.
    pub name: &'static str,
    /// One line for `list properties`.
    pub about: &'static str,
}

type MakeProperty = Box<dyn Fn() -> Box<dyn Property>>;

/// Everything a program can run.
pub struct Registry {
    program: String,
    shelves: BTreeMap<&'static str, Box<dyn Any>>,
    workloads: Vec<WorkloadInfo>,
    targets: Vec<Rc<dyn Target>>,
    properties: Vec<(PropertyInfo, MakeProperty)>,
    rules: FaultRules,
    library: Library,
}

impl Registry {
    /// A registry of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            program: "squall".to_string(),
            shelves: BTreeMap::new(),
            workloads: Vec::new(),
            targets: Vec::new(),
            properties: Vec::new(),
            rules: FaultRules::default(),
            library: Library::default(),
        }
    }

    /// The name of the program, as printed commands and cases show it.
    #[must_use]
    pub fn program(mut self, name: &str) -> Self {
        self.program = name.to_string();
        self
    }

    /// Adds an engine for a family.
    #[must_use]
    pub fn engine<F: Family, E: Engine<F>>(mut self) -> Self {
        self.targets.push(Rc::new(Bound::<F, E>::new()));
        self
    }

    /// Adds a workload of a family.
    ///
    /// # Panics
    /// When two families have one name: a mistake of the program.
    #[must_use]
    pub fn workload<F: Family>(mut self, workload: Box<dyn Workload<F>>) -> Self {
        let info = WorkloadInfo { family: F::NAME, name: workload.name(), about: workload.about() };
        self.workloads.retain(|known| (known.family, known.name) != (info.family, info.name));
        self.workloads.push(info);
        let shelf = self.shelves.entry(F::NAME).or_insert_with(|| Box::new(Shelf::<F> { workloads: Vec::new() }));
        let shelf = shelf.downcast_mut::<Shelf<F>>().expect("a family's name belongs to one family");
        shelf.workloads.retain(|known| known.name() != info.name);
        shelf.workloads.push(workload);
        self
    }

    /// Adds a property: each run gets a fresh one.
    #[must_use]
    pub fn property(mut self, make: impl Fn() -> Box<dyn Property> + 'static) -> Self {
        let one = make();
        let info = PropertyInfo { name: one.name(), about: one.about() };
        self.properties.retain(|(known, _)| known.name != info.name);
        self.properties.push((info, Box::new(make)));
        self
    }

    /// Adds a fault of the program's own, which scenarios switch on by its name: `disk.rules = ["worn-out"]`.
    #[must_use]
    pub fn fault_rule(mut self, rule: Arc<dyn FaultRule>) -> Self {
        self.rules.0.retain(|known| known.name() != rule.name());
        self.rules.0.push(rule);
        self
    }

    /// Adds a scenario or profile (`profiles/…`) under a name such as `smoke/bank`.
    #[must_use]
    pub fn scenario(mut self, name: &str, text: impl Into<Cow<'static, str>>) -> Self {
        self.library.add(name, text);
        self
    }

    /// Adds many scenarios, as pairs of a name and a text.
    #[must_use]
    pub fn scenarios<'a>(self, scenarios: impl IntoIterator<Item = &'a (&'static str, &'static str)>) -> Self {
        scenarios.into_iter().fold(self, |registry, (name, text)| registry.scenario(name, *text))
    }

    /// The program's name.
    #[must_use]
    pub fn program_name(&self) -> &str {
        &self.program
    }

    /// The scenarios known by name.
    #[must_use]
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// The engines, in the order in which they were added; one that serves two families appears twice.
    pub fn engines(&self) -> impl Iterator<Item = (&EngineInfo, &'static str)> {
        self.targets.iter().map(|target| (target.info(), target.family()))
    }

    /// The workloads.
    #[must_use]
    pub fn workloads(&self) -> &[WorkloadInfo] {
        &self.workloads
    }

    /// The properties.
    pub fn properties(&self) -> impl Iterator<Item = PropertyInfo> {
        self.properties.iter().map(|(info, _)| *info)
    }

    /// The names of the faults of the program's own.
    pub fn fault_rules(&self) -> impl Iterator<Item = &'static str> {
        self.rules.0.iter().map(|rule| rule.name())
    }

    /// Runs a configuration, with a stored plan or the one the seed makes.
    ///
    /// # Errors
    /// When something it names is not compiled in, or the plan is none.
    pub fn run(
        &self,
        configuration: &Configuration,
        seed: u64,
        plan: Option<&Table>,
        tape: Tape,
    ) -> Result<RunResult, RunError> {
        Ok(self.run_keeping_tape(configuration, seed, plan, tape, None)?.0)
    }

    /// The same run, recorded. It costs time and memory, so it is for failures that are known.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_traced(
        &self,
        configuration: &Configuration,
        seed: u64,
        plan: Option<&Table>,
        tape: Tape,
        level: Level,
        around: Option<u64>,
    ) -> Result<(RunResult, Trace), RunError> {
        let mut recorder = Recorder::new(level, around);
        let watchers = Watchers { coverage: None, observer: Some(&mut recorder) };
        let (result, _) = self.run_watched(configuration, seed, plan, tape, watchers)?;
        Ok((result, recorder.into_trace()))
    }

    /// Runs it and gives the tape back, for an odometer to be advanced. Notes in `coverage`, if there is one,
    /// in which places of the engine's code it waited.
    ///
    /// # Errors
    /// When something it names is not compiled in, or the plan is none.
    pub fn run_keeping_tape(
        &self,
        configuration: &Configuration,
        seed: u64,
        plan: Option<&Table>,
        tape: Tape,
        coverage: Option<&mut Coverage>,
    ) -> Result<(RunResult, Tape), RunError> {
        self.run_watched(configuration, seed, plan, tape, Watchers { coverage, observer: None })
    }

    fn run_watched(
        &self,
        configuration: &Configuration,
        seed: u64,
        plan: Option<&Table>,
        tape: Tape,
        watchers: Watchers<'_>,
    ) -> Result<(RunResult, Tape), RunError> {
        let target = self.target(configuration)?;
        let mut judges = Vec::new();
        for name in &configuration.properties {
            let found = self.properties.iter().find(|(info, _)| info.name == name);
            let judge = found.ok_or_else(|| self.no_property(name))?.1();
            judges.push(if name == differential::NAME { self.differential(target.family()) } else { judge });
        }
        let rules = self.rules_named(&configuration.world.disk.rules)?;
        target.run(&self.job(configuration, seed, plan), rules, &mut judges, tape, watchers)
    }

    /// The property that asks all engines of the family again, the engine of the run included.
    fn differential(&self, family: &str) -> Box<dyn Property> {
        let same = self.targets.iter().filter(|target| target.family() == family);
        let reference = |target| Box::new(OnTarget(Rc::clone(target))) as Box<dyn Reference>;
        Box::new(Differential::with(same.map(reference).collect()))
    }

    /// Whether operations can be taken out of the workload's transactions without breaking its promise.
    ///
    /// # Errors
    /// When something it names is not compiled in.
    pub fn is_separable(&self, configuration: &Configuration) -> Result<bool, RunError> {
        let target = self.target(configuration)?;
        target.is_separable(self.shelf(target.family()), &configuration.workload)
    }

    /// The plan that the seed makes, as the `[plan]` of a case.
    ///
    /// # Errors
    /// When something it names is not compiled in.
    pub fn plan_text(&self, configuration: &Configuration, seed: u64) -> Result<String, RunError> {
        self.target(configuration)?.plan_text(&self.job(configuration, seed, None))
    }

    /// A plan in the form that a person likes to read.
    ///
    /// # Errors
    /// When something it names is not compiled in, or the plan is none.
    pub fn plan_as_text(&self, configuration: &Configuration, plan: &Table) -> Result<String, RunError> {
        self.target(configuration)?.plan_text(&self.job(configuration, 0, Some(plan)))
    }

    /// Audits the engine: every operation of the workload's plan, with a wait forced at every place in turn.
    ///
    /// # Errors
    /// When something it names is not compiled in.
    pub fn audit(&self, configuration: &Configuration, bounds: AuditBounds) -> Result<Audit, RunError> {
        self.target(configuration)?.audit(&self.job(configuration, 0, None), bounds)
    }

    /// What a calm run of this configuration counts, for policies that want estimates of others.
    ///
    /// # Errors
    /// When something it names is not compiled in.
    pub fn pilot(&self, configuration: &Configuration, seed: u64) -> Result<Estimates, RunError> {
        let mut calm = configuration.clone();
        calm.properties.clear();
        let limits = calm.world.limits;
        calm.world = WorldConfig { policy: PolicyConfig::Pilot {}, limits, ..WorldConfig::default() };
        Ok(self.run(&calm, seed, None, Tape::seeded(seed))?.estimates.unwrap_or_default())
    }

    /// Gives the policy what it wants to know, from a pilot run of the same scenario, scaled to this plan.
    ///
    /// # Errors
    /// When something it names is not compiled in.
    pub fn with_estimates(
        &self,
        mut configuration: Configuration,
        seed: u64,
        pilot: &Estimates,
    ) -> Result<Configuration, RunError> {
        let kinds = self.target(&configuration)?.kinds(&self.job(&configuration, seed, None))?;
        let policy = configuration.world.policy.clone();
        configuration.world.policy = policy.with_estimates(&pilot.for_plan(kinds));
        Ok(configuration)
    }

    /// What the engine promises in this configuration.
    ///
    /// # Errors
    /// When the engine is not compiled in or does not take the options.
    pub fn promises(&self, configuration: &Configuration) -> Result<Promises, RunError> {
        let target = self.target(configuration)?;
        let (info, engine) = (target.info(), &configuration.engine);
        Ok(target.promises(&Options::resolve(info.options, info.bugs, &engine.options, &engine.bugs)?))
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &dyn Target> {
        self.targets.iter().map(AsRef::as_ref)
    }

    pub(super) fn shelf(&self, family: &str) -> Option<&dyn Any> {
        self.shelves.get(family).map(AsRef::as_ref)
    }

    /// The rules of these names, in their order.
    fn rules_named(&self, names: &[String]) -> Result<FaultRules, RunError> {
        let find = |name: &String| {
            let found = self.rules.0.iter().find(|rule| rule.name() == name);
            let known = || self.fault_rules().map(str::to_string).collect();
            found.cloned().ok_or_else(|| RunError::FaultRule { name: name.clone(), known: known() })
        };
        names.iter().map(find).collect::<Result<_, _>>().map(FaultRules)
    }

    pub(super) fn no_property(&self, name: &str) -> RunError {
        let known = self.properties().map(|known| known.name.to_string()).collect();
        RunError::Property { name: name.to_string(), known }
    }

    pub(super) fn target(&self, configuration: &Configuration) -> Result<&dyn Target, RunError> {
        let engine = &configuration.engine;
        let is_it = |target: &&dyn Target| target.info().name == engine.name && target.family() == engine.family;
        self.targets().find(is_it).ok_or_else(|| RunError::Engine {
            name: engine.name.clone(),
            known: self.engines().map(|(info, _)| info.name.to_string()).collect(),
        })
    }

    fn job<'a>(&'a self, configuration: &'a Configuration, seed: u64, plan: Option<&'a Table>) -> Job<'a> {
        Job { configuration, seed, plan, shelf: self.shelf(&configuration.engine.family) }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
