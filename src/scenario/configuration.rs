//! A run's configuration with everything drawn: what a case stores, and what a worker is asked to run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{Place, ScenarioError};
use super::keys::{KEYS, Kind};
use crate::engine::OptionValue;
use crate::property::Finding;
use crate::sim::WorldConfig;
use crate::workload::Knobs;

/// All that decides a run beside its seed and its tape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Configuration {
    /// The workload's name.
    pub workload: String,
    /// The properties that judge.
    pub properties: Vec<String>,
    /// How many connections.
    pub connections: u16,
    /// Transactions of each.
    pub transactions: u32,
    /// For the workload.
    pub knobs: Knobs,
    /// The engine.
    pub engine: EngineChoice,
    /// For the simulation.
    pub world: WorldConfig,
}

/// An engine as a case knows it again: its identity and how it was set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EngineChoice {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The family of operations in which it is asked.
    pub family: String,
    /// The bugs it is told to have, sorted.
    pub bugs: Vec<String>,
    /// All its options.
    pub options: BTreeMap<String, OptionValue>,
}

impl EngineChoice {
    /// The engine with its bugs, such as `dinghy+lost-update`: what buckets and tables show.
    #[must_use]
    pub fn label(&self) -> String {
        self.bugs.iter().fold(self.name.clone(), |label, bug| format!("{label}+{bug}"))
    }
}

impl Configuration {
    /// Checks a configuration that comes from a file against what a scenario could have said.
    ///
    /// # Errors
    /// The first value that no scenario could give.
    pub fn check(&self, place: &Place) -> Result<(), ScenarioError> {
        let world = toml::Value::try_from(&self.world).map_err(|error| ScenarioError::new(place, error.to_string()))?;
        let knobs = toml::Value::try_from(&self.knobs).map_err(|error| ScenarioError::new(place, error.to_string()))?;
        for key in KEYS {
            let Kind::Drawn(domain) = &key.kind else { continue };
            let value = match key.name {
                "connections" => Some(toml::Value::Integer(i64::from(self.connections))),
                "transactions" => Some(toml::Value::Integer(i64::from(self.transactions))),
                name => match name.strip_prefix("knobs.") {
                    Some(name) => at(&knobs, name),
                    None => at(&world, name),
                },
            };
            if let Some(value) = value {
                domain.check(&value).map_err(|value| {
                    let problem = format!("`{}` cannot be {value}", key.name);
                    ScenarioError::new(place, problem).expected(domain.accepted())
                })?;
            }
        }
        Ok(())
    }
}

fn at(value: &toml::Value, path: &str) -> Option<toml::Value> {
    path.split('.').try_fold(value, |value, part| value.get(part)).cloned()
}

/// A finding in the form in which it is stored and sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StoredFinding {
    /// The property that complained.
    pub property: String,
    /// What kind of wrong it is.
    pub anomaly: String,
    /// One sentence for people.
    pub sentence: String,
    /// The keys, pages or places concerned.
    pub resources: Vec<String>,
    /// The turn at which it became unavoidable.
    pub turn: u64,
    /// The operations that show it, by their numbers in the history.
    pub ops: Vec<u32>,
    /// The argument, line by line.
    pub proof: Vec<String>,
}

impl StoredFinding {
    /// Whether two findings are one and the same complaint, whatever turn they came at.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.property == other.property && self.anomaly == other.anomaly && self.sentence == other.sentence
    }
}

impl From<&Finding> for StoredFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            property: finding.property.clone(),
            anomaly: finding.anomaly.clone(),
            sentence: finding.sentence.clone(),
            resources: finding.resources.clone(),
            turn: finding.turn,
            ops: finding.ops.iter().map(|op| op.0).collect(),
            proof: finding.proof.clone(),
        }
    }
}
