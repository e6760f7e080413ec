//! A scenario on one engine: can it be served, and what does a seed make of it.
//!
//! A scenario that an engine cannot serve is skipped with the reason. One that *no* engine could serve because
//! it asks for what does not exist is an error, at the line that asks.

use std::collections::BTreeMap;

use super::configuration::{Configuration, EngineChoice};
use super::error::{Place, ScenarioError, nearest_name};
use super::model::{EngineEntry, Scenario, draw_key, names};
use super::registry::Registry;
use super::run::{RunError, Target};
use super::value::{Domain, Spec};
use crate::engine::{OptionInfo, OptionValue, Options, Spared};
use crate::tape::Ratio;

/// Seeds looked at to see what a workload needs: knobs are drawn, and so are needs.
const SEEDS_PROBED: u64 = 64;

/// A scenario on an engine.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// The engine's name.
    pub engine: String,
    /// The family in which it is asked.
    pub family: &'static str,
    version: &'static str,
    bugs: Vec<String>,
    options: Vec<(&'static str, Domain, Spec)>,
    properties: Vec<String>,
}

/// A scenario that an engine cannot serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The scenario's name.
    pub scenario: String,
    /// The engine's name.
    pub engine: String,
    /// Why.
    pub reason: String,
}

impl Pairing {
    /// The engine with its bug switches, such as `dinghy+lost-update`.
    #[must_use]
    pub fn label(&self) -> String {
        self.bugs.iter().fold(self.engine.clone(), |label, bug| format!("{label}+{bug}"))
    }

    /// The bugs that are switched on.
    #[must_use]
    pub fn bugs(&self) -> &[String] {
        &self.bugs
    }

    /// The configuration of one seed: a function of the scenario, the engine and the seed.
    ///
    /// # Errors
    /// When the registry is not the one that paired them.
    pub fn configure(&self, registry: &Registry, scenario: &Scenario, seed: u64) -> Result<Configuration, RunError> {
        let drawn = scenario.draw(seed);
        let options = self.options.iter().map(|(name, domain, spec)| {
            let value = draw_key(seed, &format!("engine.{name}"), domain, spec);
            ((*name).to_string(), option_value(&value))
        });
        let mut configuration = Configuration {
            workload: scenario.workload.clone(),
            properties: self.properties.clone(),
            connections: drawn.connections,
            transactions: drawn.transactions,
            knobs: drawn.knobs,
            engine: EngineChoice {
                name: self.engine.clone(),
                version: self.version.to_string(),
                family: self.family.to_string(),
                bugs: self.bugs.clone(),
                options: options.collect(),
            },
            world: drawn.world,
        };
        let target = registry.target(&configuration)?;
        for spared in spared(scenario, target) {
            match spared {
                Spared::FailedSync => configuration.world.disk.sync_eio = Ratio::ZERO,
                Spared::LossAfterKill => configuration.world.crash.kill_writes_back = true,
            }
        }
        configuration.engine = complete(target, &configuration.engine)?;
        if configuration.properties.is_empty() {
            let shelf = registry.shelf(self.family);
            configuration.properties = target.properties(shelf, &configuration.workload, &configuration.knobs)?;
        }
        Ok(configuration)
    }
}

impl Pairing {
    /// The configurations in which an engine is audited: as the scenario says; and with every whole-number option of
    /// which it says nothing at its least, so that caches are small and everything is waited for.
    ///
    /// # Errors
    /// When the registry is not the one that paired them.
    pub fn audited(&self, registry: &Registry, scenario: &Scenario) -> Result<Vec<Configuration>, RunError> {
        let usual = self.configure(registry, scenario, 0)?;
        let mut least = usual.clone();
        for option in registry.target(&usual)?.info().options {
            if let OptionInfo::Int { name, min, .. } = option
                && !self.options.iter().any(|(said, ..)| said == name)
            {
                least.engine.options.insert((*name).to_string(), OptionValue::Int(*min));
            }
        }
        Ok(if least == usual { vec![usual] } else { vec![usual, least] })
    }
}

/// What the engine is spared of that which the scenario has for others.
fn spared(scenario: &Scenario, target: &dyn Target) -> impl Iterator<Item = Spared> {
    let unnamed = scenario.engines.is_empty();
    target.spared().iter().copied().filter(move |spared| {
        let key = spared_key(*spared).0;
        unnamed && scenario.entries().iter().any(|entry| entry.key == key)
    })
}

/// The key that asks for a fault, and what an engine does not promise that is spared it.
const fn spared_key(spared: Spared) -> (&'static str, &'static str) {
    match spared {
        Spared::FailedSync => {
            ("disk.sync-eio", "only `disk.sync-eio`: the engine does not promise to survive a failed sync")
        }
        Spared::LossAfterKill => (
            "crash.rate",
            "only the loss of what a killed process has left unsynced: the engine's recovery does not promise to sync it",
        ),
    }
}

/// Whether a scenario can run on an engine.
enum Served {
    Yes(Box<Pairing>),
    No(String),
}

impl Registry {
    /// The engines on which a scenario runs, and those on which it does not. `only` narrows them further.
    ///
    /// # Errors
    /// When the scenario asks for a workload, property, option or bug that nothing compiled in has.
    pub fn pair(&self, scenario: &Scenario, only: &[String]) -> Result<(Vec<Pairing>, Vec<Skipped>), ScenarioError> {
        self.check_workload(scenario)?;
        self.check_properties(scenario)?;
        self.check_rules(scenario)?;
        self.check_engine_names(scenario)?;
        let mut pairings = Vec::new();
        let mut skipped = Vec::new();
        let mut skip = |engine: &str, reason: String| {
            skipped.push(Skipped { scenario: scenario.name.clone(), engine: engine.to_string(), reason });
        };
        for name in &scenario.engines {
            if !self.engines().any(|(info, _)| info.name == name) {
                skip(name, "the engine is not compiled in".to_string());
            }
        }
        for target in self.targets() {
            let name = target.info().name;
            if !scenario.engines.is_empty() && !scenario.engines.iter().any(|wanted| wanted == name)
                || !only.is_empty() && !only.iter().any(|wanted| wanted == name)
            {
                continue;
            }
            if self.is_served_elsewhere(scenario, target) {
                continue;
            }
            match self.serves(scenario, target)? {
                Served::Yes(pairing) => {
                    pairings.push(*pairing);
                    for spared in spared(scenario, target) {
                        skip(name, spared_key(spared).1.to_string());
                    }
                }
                Served::No(reason) => skip(name, reason),
            }
        }
        Ok((pairings, skipped))
    }

    fn has_workload(&self, family: &str, name: &str) -> bool {
        self.workloads().iter().any(|known| known.family == family && known.name == name)
    }

    /// Whether the engine serves another family too, and the workload is that one's.
    fn is_served_elsewhere(&self, scenario: &Scenario, target: &dyn Target) -> bool {
        let has = |target: &dyn Target| self.has_workload(target.family(), &scenario.workload);
        let name = target.info().name;
        !has(target) && self.targets().any(|other| other.info().name == name && has(other))
    }

    fn serves(&self, scenario: &Scenario, target: &dyn Target) -> Result<Served, ScenarioError> {
        let (info, family) = (target.info(), target.family());
        if !self.has_workload(family, &scenario.workload) {
            let reason = format!("the family `{family}` has no workload `{}`", scenario.workload);
            return Ok(Served::No(reason));
        }
        let mut pairing = Pairing {
            engine: info.name.to_string(),
            family,
            version: info.version,
            bugs: Vec::new(),
            options: Vec::new(),
            properties: scenario.properties.clone(),
        };
        let mut given: BTreeMap<&str, &EngineEntry> = BTreeMap::new();
        for entry in &scenario.engine {
            if entry.engine.as_deref().is_none_or(|name| name == info.name) {
                // What is said for this engine alone wins over what is said for all.
                let known = given.get(entry.option.as_str());
                if known.is_none_or(|known| known.engine.is_none()) {
                    given.insert(&entry.option, entry);
                }
            }
        }
        for entry in given.values() {
            if let Some(reason) = self.take_option(&mut pairing, target, entry)? {
                return Ok(Served::No(reason));
            }
        }
        pairing.bugs.sort();
        pairing.bugs.dedup();
        let missing = self.missing(scenario, target, &pairing);
        Ok(match missing.map_err(|error| ScenarioError::new(&scenario.place_of("workload"), error.to_string()))? {
            missing if missing.is_empty() => Served::Yes(Box::new(pairing)),
            missing => Served::No(format!("the engine does not serve {}", missing.join(", "))),
        })
    }

    /// Takes one key of `[engine]`; answers why the engine cannot serve it when another one could.
    fn take_option(
        &self,
        pairing: &mut Pairing,
        target: &dyn Target,
        entry: &EngineEntry,
    ) -> Result<Option<String>, ScenarioError> {
        let info = target.info();
        let EngineEntry { option, entry: written, .. } = entry;
        if option == "bugs" {
            let refused = || {
                let problem = format!("`{}` does not accept {}", written.key, written.value);
                ScenarioError::new(&written.value_at, problem).expected("a list of names of bugs")
            };
            for bug in names(&written.value).ok_or_else(refused)?.into_iter().filter(|bug| !bug.is_empty()) {
                if !info.bugs.iter().any(|known| known.name == bug) {
                    return self.missing_bug(info.name, entry, &bug).map(Some);
                }
                pairing.bugs.push(bug);
            }
            return Ok(None);
        }
        let Some(known) = info.options.iter().find(|known| known.name() == option) else {
            return self.missing_option(info.name, entry).map(Some);
        };
        let domain = domain_of(known);
        let spec = domain.check(&written.value).map_err(|value| {
            let problem = format!("`{}` does not accept {value}", written.key);
            let near = value.trim_matches('"').to_string();
            let error = ScenarioError::new(&written.value_at, problem).expected(domain.accepted());
            error.nearest_of(&near, domain.words())
        })?;
        pairing.options.push((known.name(), domain, spec));
        Ok(None)
    }

    fn missing_bug(&self, engine: &str, entry: &EngineEntry, bug: &str) -> Result<String, ScenarioError> {
        let elsewhere = self.engines().any(|(info, _)| info.bugs.iter().any(|known| known.name == bug));
        if elsewhere && entry.engine.is_none() {
            return Ok(format!("the engine has no bug `{bug}`"));
        }
        let known: Vec<&str> = self.engines().flat_map(|(info, _)| info.bugs).map(|known| known.name).collect();
        let problem = format!("the engine `{engine}` has no bug `{bug}`");
        let error = ScenarioError::new(&entry.entry.value_at, problem);
        Err(error.expected("a name that `list bugs` shows").nearest_of(bug, known))
    }

    fn missing_option(&self, engine: &str, entry: &EngineEntry) -> Result<String, ScenarioError> {
        let has = |options: &[OptionInfo]| options.iter().any(|known| known.name() == entry.option);
        if entry.engine.is_none() && self.engines().any(|(info, _)| has(info.options)) {
            return Ok(format!("the engine has no option `{}`", entry.option));
        }
        let options = self.engines().filter(|(info, _)| info.name == engine).flat_map(|(info, _)| info.options);
        let known: Vec<&str> = options.map(OptionInfo::name).chain(["bugs"]).collect();
        let problem = format!("the engine `{engine}` has no option `{}`", entry.option);
        let error = ScenarioError::new(&entry.entry.key_at, problem);
        Err(error.expected(format!("one of {}", known.join(", "))).nearest_of(&entry.option, known))
    }

    fn missing(
        &self,
        scenario: &Scenario,
        target: &dyn Target,
        pairing: &Pairing,
    ) -> Result<Vec<&'static str>, RunError> {
        let mut missing = std::collections::BTreeSet::new();
        for seed in 0..SEEDS_PROBED {
            let knobs = scenario.draw(seed).knobs;
            missing.extend(target.missing(self.shelf(pairing.family), &scenario.workload, &knobs)?);
        }
        Ok(missing.into_iter().collect())
    }

    fn check_workload(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let name = &scenario.workload;
        if self.workloads().iter().any(|known| known.name == name) {
            return Ok(());
        }
        let known = self.workloads().iter().map(|known| known.name);
        let error = ScenarioError::new(&scenario.place_of("workload"), format!("there is no workload `{name}`"));
        let listed: Vec<&str> = known.clone().collect();
        Err(error.expected(format!("one of {}", listed.join(", "))).nearest_of(name, known))
    }

    fn check_properties(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        for name in &scenario.properties {
            if !self.properties().any(|known| known.name == name) {
                let known: Vec<&str> = self.properties().map(|known| known.name).collect();
                let place = scenario.place_of("properties");
                let error = ScenarioError::new(&place, format!("there is no property `{name}`"));
                return Err(error.expected(format!("one of {}", known.join(", "))).nearest_of(name, known));
            }
        }
        Ok(())
    }

    fn check_rules(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let known: Vec<&str> = self.fault_rules().collect();
        let asked = scenario.draw(0).world.disk.rules;
        let Some(name) = asked.iter().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
        let error = ScenarioError::new(&scenario.place_of("disk.rules"), format!("there is no fault rule `{name}`"));
        let expected = match known.is_empty() {
            true => "none: the program brings no rule of its own".to_string(),
            false => format!("one of {}", known.join(", ")),
        };
        Err(error.expected(expected).nearest_of(name, known))
    }

    /// An engine that is not compiled in is skipped; a name that is nearly one that is, is a mistake.
    fn check_engine_names(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let named = scenario.engines.iter().map(|name| (name, scenario.place_of("engines")));
        let tables =
            scenario.engine.iter().filter_map(|entry| Some((entry.engine.as_ref()?, entry.entry.key_at.clone())));
        for (name, place) in named.chain(tables) {
            self.check_engine_name(name, &place)?;
        }
        Ok(())
    }

    /// Refuses a name that is nearly an engine's.
    ///
    /// # Errors
    /// Names the engine that was meant.
    pub fn check_engine_name(&self, name: &str, place: &Place) -> Result<(), ScenarioError> {
        let known: Vec<&str> = self.engines().map(|(info, _)| info.name).collect();
        match nearest_name(name, known.iter().copied()) {
            Some(nearest) if !known.contains(&name) => {
                let error = ScenarioError::new(place, format!("there is no engine `{name}`"));
                Err(ScenarioError { nearest: Some(nearest), ..error.expected(format!("one of {}", known.join(", "))) })
            }
            _ => Ok(()),
        }
    }
}

fn domain_of(option: &OptionInfo) -> Domain {
    match *option {
        OptionInfo::Int { min, max, .. } => Domain::Whole { min, max, swarm: vec![(min, max, 1)].into() },
        OptionInfo::Bool { .. } => Domain::Flag(Ratio::new(1, 2)),
        OptionInfo::Choice { words, .. } => Domain::Choice(words),
    }
}

fn option_value(value: &toml::Value) -> OptionValue {
    match value {
        toml::Value::Integer(number) => OptionValue::Int(*number),
        toml::Value::Boolean(flag) => OptionValue::Bool(*flag),
        other => OptionValue::Text(other.as_str().unwrap_or_default().to_string()),
    }
}

/// The options complete: what the engine takes as its own, for a case to store.
fn complete(target: &dyn Target, choice: &EngineChoice) -> Result<EngineChoice, RunError> {
    let info = target.info();
    let options = Options::resolve(info.options, info.bugs, &choice.options, &choice.bugs)?;
    let values = options.values().map(|(key, value)| (key.to_string(), value.clone()));
    Ok(EngineChoice { options: values.collect(), ..choice.clone() })
}
