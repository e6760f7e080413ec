//! A scenario: which workload, on which engines, under which faults, and what is expected.
//!
//! A scenario is data. It holds what is still to be drawn ([`Spec`]) and where each key was written; it does not
//! know which engines exist. [`Scenario::draw`] is a pure function of the seed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::error::{Place, ScenarioError};
use super::keys::{KEYS, Kind, POLICY_PARAMETERS, find};
use super::text::Entry;
use super::user_sql;
use super::value::{Domain, Spec};
use crate::sched::portfolio;
use crate::sim::WorldConfig;
use crate::tape::Stream;
use crate::workload::Knobs;
use crate::workload::sql::UserSql;

/// What a scenario expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// No finding.
    Holds,
    /// A finding, within the scenario's number of seeds.
    Violated,
}

/// A scenario, read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, such as `smoke/bank`, or the path of its file.
    pub name: String,
    /// One line for `list scenarios`.
    pub about: String,
    /// What is expected.
    pub expect: Expect,
    /// Seeds within which a violation must be found.
    pub found_within: Option<u64>,
    /// Seeds to run when nothing else is said.
    pub seeds: Range<u64>,
    /// The engines it names; empty when it names none.
    pub engines: Vec<String>,
    /// The workload's name.
    pub workload: String,
    /// The properties it names; empty when it names none.
    pub properties: Vec<String>,
    /// How many answers a property must have compared over a campaign.
    pub compared_min: u64,
    /// What belongs to the engine.
    pub engine: Vec<EngineEntry>,
    /// The statements of `user-sql`.
    sql: Option<Arc<UserSql>>,
    /// What each seed draws.
    specs: BTreeMap<&'static str, Spec>,
    entries: Vec<Entry>,
}

/// A key of `[engine]`, or of `[engine.NAME]` for one engine alone.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineEntry {
    /// The engine it is for; `None`: for any.
    pub engine: Option<String>,
    /// The option, or `bugs`.
    pub option: String,
    /// The entry.
    pub entry: Entry,
}

/// What one seed has drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// How many connections.
    pub connections: u16,
    /// Transactions of each.
    pub transactions: u32,
    /// For the workload.
    pub knobs: Knobs,
    /// For the simulation.
    pub world: WorldConfig,
}

impl Scenario {
    /// Builds a scenario of entries in layers, the later of which win.
    ///
    /// # Errors
    /// The first key that does not exist, is given twice, or has a value that it does not accept.
    pub fn new(name: &str, layers: Vec<Vec<Entry>>) -> Result<Self, ScenarioError> {
        let entries = merge(layers)?;
        let mut scenario = Self {
            name: name.to_string(),
            about: String::new(),
            expect: Expect::Holds,
            found_within: None,
            seeds: 0..50,
            engines: Vec::new(),
            workload: String::new(),
            properties: Vec::new(),
            compared_min: 1,
            engine: Vec::new(),
            sql: None,
            specs: defaults(),
            entries: Vec::new(),
        };
        for entry in &entries {
            scenario.take(entry)?;
        }
        if scenario.workload.is_empty() {
            let what = "no `workload` is named";
            return Err(ScenarioError::new(&Place::file(name), what).expected("`workload = \"register\"` or another"));
        }
        scenario.sql = user_sql::take(&entries)?.map(Arc::new);
        scenario.entries = entries;
        scenario.check_together()?;
        Ok(scenario)
    }

    /// The entries the scenario was built of, merged; enough to build it again elsewhere.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The seeds to run when no flag says otherwise.
    #[must_use]
    pub fn default_seeds(&self) -> Range<u64> {
        match (self.expect, self.found_within) {
            (Expect::Violated, Some(within)) => 0..within,
            _ => self.seeds.clone(),
        }
    }

    /// The statements of `user-sql`.
    pub(super) fn sql(&self) -> Option<&UserSql> {
        self.sql.as_deref()
    }

    /// Where a key was written; the whole file when it was not.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        let entry = self.entries.iter().find(|entry| canonical(&entry.key) == key);
        entry.map_or_else(|| Place::file(&self.name), |entry| entry.value_at.clone())
    }

    /// What `seed` draws: a function of the scenario and the seed alone.
    #[must_use]
    pub fn draw(&self, seed: u64) -> Drawn {
        let mut root = toml::Table::new();
        for (name, spec) in &self.specs {
            let Some(Kind::Drawn(domain)) = find(name).map(|key| &key.kind) else { continue };
            insert(&mut root, name, draw_key(seed, name, domain, spec));
        }
        let number = |root: &mut toml::Table, key| root.remove(key).and_then(|value| value.as_integer()).unwrap_or(1);
        let connections = number(&mut root, "connections") as u16;
        let transactions = number(&mut root, "transactions") as u32;
        let knobs = root.remove("knobs").unwrap_or_else(|| Value::Table(toml::Table::new()));
        drop_what_cannot_be(&mut root);
        // The table of keys and the structures are compared by a test, so a misfit is our own mistake.
        let knobs: Knobs = knobs.try_into().expect("the table of keys fits the knobs");
        let knobs = Knobs { sql: self.sql.clone(), ..knobs };
        let mut world: WorldConfig = Value::Table(root).try_into().expect("the table of keys fits the world");
        if self.specs["policy.name"] == Spec::Swarm {
            world.policy = portfolio(seed);
        }
        Drawn { connections, transactions, knobs, world }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), ScenarioError> {
        if let Some(rest) = entry.key.strip_prefix("engine.") {
            let (engine, option) = match rest.split_once('.') {
                Some((engine, option)) => (Some(engine.to_string()), option),
                None => (None, rest),
            };
            let option = option.to_string();
            self.engine.push(EngineEntry { engine, option, entry: entry.clone() });
            return Ok(());
        }
        if entry.key.starts_with(user_sql::PREFIX) {
            // Taken all together, once they are all known.
            return Ok(());
        }
        let Some(key) = find(&entry.key) else { return Err(unknown(entry)) };
        let refused = |value: String| {
            let problem = format!("`{}` does not accept {value}", entry.key);
            ScenarioError::new(&entry.value_at, problem).expected(key.kind.accepted())
        };
        if let Kind::Drawn(domain) = &key.kind {
            let nearest = |value: String| {
                let word = value.trim_matches('"').to_string();
                refused(value).nearest_of(&word, domain.words())
            };
            let spec = domain.check(&entry.value).map_err(nearest)?;
            self.specs.insert(key.name, spec);
            return Ok(());
        }
        let refused = || refused(entry.value.to_string());
        match key.name {
            "about" => self.about = text(&entry.value).ok_or_else(refused)?,
            "workload" => self.workload = text(&entry.value).ok_or_else(refused)?,
            "expect" => {
                self.expect = match entry.value.as_str() {
                    Some("holds") => Expect::Holds,
                    Some("violated") => Expect::Violated,
                    word => return Err(refused().nearest_of(word.unwrap_or_default(), ["holds", "violated"])),
                }
            }
            "found-within" => self.found_within = Some(count(&entry.value, 1).ok_or_else(refused)?),
            "compared-min" => self.compared_min = count(&entry.value, 0).ok_or_else(refused)?,
            "seeds" => self.seeds = entry.value.as_str().and_then(parse_seeds).ok_or_else(refused)?,
            "engines" => self.engines = names(&entry.value).ok_or_else(refused)?,
            "properties" => self.properties = names(&entry.value).ok_or_else(refused)?,
            // The library has read it when it put the layers together.
            "extends" => drop(names(&entry.value).ok_or_else(refused)?),
            other => unreachable!("the key `{other}` is in the table and nobody takes it"),
        }
        Ok(())
    }

    /// What each key allows by itself and all together cannot be.
    fn check_together(&self) -> Result<(), ScenarioError> {
        let zero = |key: &str| match self.specs.get(key) {
            Some(Spec::Fixed(value)) => value.as_integer() == Some(0) || value.as_str() == Some("0/1"),
            Some(_) => false,
            None => true,
        };
        let refuse = |wrong: bool, key: &str, problem: &str, expected: &str| match wrong {
            true => Err(ScenarioError::new(&self.place_of(key), problem).expected(expected)),
            false => Ok(()),
        };
        user_sql::check(self)?;
        let written = |key: &str| self.entries.iter().any(|entry| canonical(&entry.key) == key);
        refuse(
            !zero("disk.no-space") && zero("disk.capacity-bytes"),
            "disk.no-space",
            "`disk.no-space` asks for a full disk and the disk has no bound",
            "`disk.capacity-bytes`, a whole number from 4096 to 1099511627776",
        )?;
        refuse(
            zero("disk.sync-eio") && written("disk.failed-sync"),
            "disk.failed-sync",
            "`disk.failed-sync` says how a sync fails and `disk.sync-eio` is 0",
            "`disk.sync-eio` above 0/1",
        )?;
        refuse(
            zero("disk.media-rate") && written("disk.media"),
            "disk.media",
            "`disk.media` names kinds of faults and `disk.media-rate` is 0",
            "`disk.media-rate` above 0/1",
        )?;
        let no_media =
            matches!(self.specs.get("disk.media"), Some(Spec::Fixed(Value::Array(kinds))) if kinds.is_empty());
        refuse(
            no_media && !zero("disk.media-rate"),
            "disk.media",
            "`disk.media-rate` asks for faults and `disk.media` names none",
            "at least one kind",
        )?;
        for key in ["crash.rate", "images.rate"].into_iter().filter(|key| !zero(key)) {
            let no_kind = zero("crash.kill") && zero("crash.os") && zero("crash.power");
            let problem = format!("`{key}` asks for crashes and every kind has the weight 0");
            refuse(no_kind, key, &problem, "`crash.kill`, `crash.os` or `crash.power` above 0")?;
            let survivors = |key: &&str| zero(&format!("disk.survivors.{key}"));
            let none = ["lose-all", "keep-all", "prefix", "sectors", "operations", "garbage"].iter().all(survivors);
            let problem = format!("`{key}` asks for crashes and every selection of survivors has the weight 0");
            refuse(none, key, &problem, "one of `disk.survivors.*` above 0")?;
        }
        let problem = "`crash.rate` asks for crashes and `crash.crashes-max` is 0";
        refuse(!zero("crash.rate") && zero("crash.crashes-max"), "crash.crashes-max", problem, "at least 1")?;
        for (parameter, owner) in POLICY_PARAMETERS {
            let key = format!("policy.{parameter}");
            let others = match &self.specs["policy.name"] {
                Spec::Fixed(name) => name.as_str() != Some(owner),
                Spec::OneOf(names) => names.iter().all(|name| name.as_str() != Some(owner)),
                _ => true,
            };
            if others && written(&key) {
                let problem = format!("`{key}` belongs to the policy `{owner}` alone");
                let expected = format!("`policy.name = \"{owner}\"`");
                return Err(ScenarioError::new(&self.place_of(&key), problem).expected(expected));
            }
        }
        if self.expect == Expect::Violated && self.found_within.is_none() {
            let problem = "`expect = \"violated\"` says nothing of how soon";
            return Err(ScenarioError::new(&self.place_of("expect"), problem)
                .expected("`found_within = N`, the seeds within which it must be found"));
        }
        Ok(())
    }
}

/// What one draw makes meaningless is left out: how a sync fails when none does, and the like.
fn drop_what_cannot_be(root: &mut toml::Table) {
    if let Some(Value::Table(policy)) = root.get_mut("policy") {
        let name = policy.get("name").and_then(Value::as_str).unwrap_or_default().to_string();
        for (parameter, owner) in POLICY_PARAMETERS {
            if *owner != name {
                policy.remove(*parameter);
            }
        }
    }
    let Some(Value::Table(disk)) = root.get_mut("disk") else { return };
    let never = |disk: &toml::Table, key: &str| disk.get(key).and_then(Value::as_str) == Some("0/1");
    if never(disk, "sync-eio") {
        disk.remove("failed-sync");
    }
    if never(disk, "media-rate") {
        disk.remove("media");
    } else if !disk.contains_key("media")
        && let Some(Kind::Drawn(domain)) = find("disk.media").map(|key| &key.kind)
    {
        disk.insert("media".to_string(), domain.words().into_iter().collect::<Vec<_>>().into());
    }
}

/// Draws one key from the stream that bears its name.
#[must_use]
pub fn draw_key(seed: u64, name: &str, domain: &Domain, spec: &Spec) -> Value {
    domain.draw(spec, &mut Stream::new(seed, &format!("swarm/{name}"), 0))
}

/// Reads `"A..B"`, B excluded.
#[must_use]
pub fn parse_seeds(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    let range = from.trim().parse().ok()?..to.trim().parse().ok()?;
    (range.start < range.end).then_some(range)
}

/// A key in the form of the table: `_` is `-`, but not within names of engines, options and statements.
#[must_use]
pub(super) fn canonical(key: &str) -> String {
    if key.starts_with("engine.") || key.starts_with(user_sql::PREFIX) {
        key.to_string()
    } else {
        key.replace('_', "-")
    }
}

fn merge(layers: Vec<Vec<Entry>>) -> Result<Vec<Entry>, ScenarioError> {
    let mut merged: BTreeMap<String, Entry> = BTreeMap::new();
    for layer in layers {
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for entry in layer {
            let name = canonical(&entry.key);
            if let Some(first) = seen.insert(name.clone(), entry.key_at.clone())
                && matches!(entry.key_at, Place::File { .. })
            {
                let problem = format!("`{}` is given twice, first at {first}", entry.key);
                return Err(ScenarioError::new(&entry.key_at, problem));
            }
            merged.insert(name, entry);
        }
    }
    Ok(merged.into_values().collect())
}

fn unknown(entry: &Entry) -> ScenarioError {
    let problem = format!("there is no key `{}`", entry.key);
    ScenarioError::new(&entry.key_at, problem).nearest_of(&entry.key, KEYS.iter().map(|key| key.name))
}

fn defaults() -> BTreeMap<&'static str, Spec> {
    let spec = |key: &'static super::keys::Key| {
        let Kind::Drawn(domain) = &key.kind else { return None };
        if key.default == "-" {
            return None;
        }
        let mut table: toml::Table = format!("v = {}", key.default).parse().expect("defaults are TOML");
        let value = table.remove("v").expect("there is one key");
        Some((key.name, domain.check(&value).expect("defaults are accepted")))
    };
    KEYS.iter().filter_map(spec).collect()
}

fn insert(root: &mut toml::Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(root.insert(name.to_string(), value)),
        Some((table, rest)) => {
            let inner = root.entry(table.to_string()).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

fn count(value: &Value, min: u64) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|&number| number >= min)
}

/// One name, several with commas between them (as a flag is written), or a list.
pub(super) fn names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(text.split(',').map(|name| name.trim().to_string()).collect()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_string)).collect(),
        _ => None,
    }
}
