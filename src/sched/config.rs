//! Which policy a run uses, as data; stored in cases.

use serde::{Deserialize, Serialize};

use super::estimates::Estimates;
use super::{Calm, Park, Pct, Pilot, Policy, Pos, Random, RoundRobin, Surw, Urw};
use crate::tape::Ratio;

/// A policy with its parameters. `docs/policies.md` says what each is good at.
///
/// `estimates` is what a pilot run counted; empty until then, which each policy copes with. The braces of those
/// without parameters are there because serde lets any field pass for a variant that has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum PolicyConfig {
    /// The next connection in a fixed order, with all I/O completed in order first: the baseline.
    RoundRobin {},
    /// Uniform over the enabled actors.
    Random {
        /// How likely the current actor goes on without a draw among all.
        #[serde(default = "never")]
        sticky: Ratio,
    },
    /// Random priorities with a few changes.
    Pct {
        /// The number of ordering constraints of the bugs it is to find; one more than there are changes.
        #[serde(default = "depth")]
        depth: u32,
        /// Used: `turns`.
        #[serde(default, skip_serializing_if = "Estimates::is_empty")]
        estimates: Estimates,
    },
    /// Random priorities of pending events, drawn again where events conflict.
    Pos {},
    /// In proportion to the events that are left.
    Urw {
        /// Used: `connections`.
        #[serde(default, skip_serializing_if = "Estimates::is_empty")]
        estimates: Estimates,
    },
    /// As `urw`, on a few places only.
    Surw {
        /// At most so many places are chosen.
        #[serde(default = "spots_max")]
        spots_max: u32,
        /// Used: `spots` and `connections`.
        #[serde(default, skip_serializing_if = "Estimates::is_empty")]
        estimates: Estimates,
    },
    /// The random walk, with somebody held while others finish whole operations.
    Park {
        /// At most so many holds in a run.
        #[serde(default = "holds_max")]
        holds_max: u32,
        /// Each for at most so many operations.
        #[serde(default = "operations_max")]
        operations_max: u32,
        /// Used: `turns` and `connections`.
        #[serde(default, skip_serializing_if = "Estimates::is_empty")]
        estimates: Estimates,
    },
    /// Every schedule, one run after the other: see [`exhaust`](super::exhaust). A single run is the calm one.
    Exhaustive {
        /// How often a schedule may leave somebody who could go on; all schedules without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preemptions_max: Option<u32>,
        /// At most so many schedules of one seed.
        #[serde(default = "schedules_max")]
        schedules_max: u64,
    },
    /// The random walk of a pilot run, which counts what others want to know.
    Pilot {},
}

const fn never() -> Ratio {
    Ratio::ZERO
}

const fn depth() -> u32 {
    PolicyConfig::DEPTH
}

const fn spots_max() -> u32 {
    PolicyConfig::SPOTS_MAX
}

const fn holds_max() -> u32 {
    3
}

const fn operations_max() -> u32 {
    20
}

const fn schedules_max() -> u64 {
    PolicyConfig::SCHEDULES_MAX
}

impl PolicyConfig {
    /// The schedules that an odometer goes through at most when nobody says.
    pub const SCHEDULES_MAX: u64 = 100_000;
    /// The depth of PCT when nobody says.
    pub const DEPTH: u32 = 3;
    /// How many places SURW chooses at most when nobody says.
    pub const SPOTS_MAX: u32 = 3;
    /// The names that [`named`](Self::named) knows.
    pub const NAMES: [&'static str; 8] = ["round-robin", "random", "pct", "pos", "urw", "surw", "park", "exhaustive"];

    /// The policy of that name, with its usual parameters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let estimates = Estimates::default();
        Some(match name {
            "round-robin" => Self::RoundRobin {},
            "random" => Self::Random { sticky: never() },
            "pct" => Self::Pct { depth: depth(), estimates },
            "pos" => Self::Pos {},
            "urw" => Self::Urw { estimates },
            "surw" => Self::Surw { spots_max: spots_max(), estimates },
            "park" => Self::Park { holds_max: holds_max(), operations_max: operations_max(), estimates },
            "exhaustive" => Self::Exhaustive { preemptions_max: None, schedules_max: schedules_max() },
            _ => return None,
        })
    }

    /// The name by which flags and reports call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin {} => "round-robin",
            Self::Random { sticky } if sticky.is_zero() => "random",
            Self::Random { .. } => "random-sticky",
            Self::Pct { .. } => "pct",
            Self::Pos {} => "pos",
            Self::Urw { .. } => "urw",
            Self::Surw { .. } => "surw",
            Self::Park { .. } => "park",
            Self::Exhaustive { .. } => "exhaustive",
            Self::Pilot {} => "pilot",
        }
    }

    /// Whether it wants the estimates of a pilot run and has none.
    #[must_use]
    pub fn wants_estimates(&self) -> bool {
        match self {
            Self::Pct { estimates, .. }
            | Self::Urw { estimates }
            | Self::Surw { estimates, .. }
            | Self::Park { estimates, .. } => estimates.is_empty(),
            Self::RoundRobin {} | Self::Random { .. } | Self::Pos {} | Self::Exhaustive { .. } | Self::Pilot {} => {
                false
            }
        }
    }

    /// Keeps of a pilot run's estimates what this policy uses.
    #[must_use]
    pub fn with_estimates(mut self, pilot: &Estimates) -> Self {
        match &mut self {
            Self::Pct { estimates, .. } => {
                *estimates = Estimates { turns: pilot.turns, ..Estimates::default() };
            }
            Self::Urw { estimates } | Self::Park { estimates, .. } => {
                let (turns, connections) = (pilot.turns, pilot.connections.clone());
                *estimates = Estimates { turns, connections, ..Estimates::default() };
            }
            Self::Surw { estimates, .. } => {
                *estimates = Estimates { kinds: Default::default(), ..pilot.clone() };
            }
            Self::RoundRobin {} | Self::Random { .. } | Self::Pos {} | Self::Exhaustive { .. } | Self::Pilot {} => {}
        }
        self
    }

    /// The policy itself.
    #[must_use]
    pub fn build(&self) -> Box<dyn Policy> {
        match self {
            Self::RoundRobin {} => Box::new(RoundRobin::new()),
            Self::Random { sticky } => Box::new(Random::new(*sticky)),
            Self::Pct { depth, estimates } => Box::new(Pct::new(*depth, estimates.turns)),
            Self::Pos {} => Box::new(Pos::new()),
            Self::Urw { estimates } => Box::new(Urw::new(estimates)),
            Self::Surw { spots_max, estimates } => Box::new(Surw::new(*spots_max, estimates.clone())),
            Self::Park { holds_max, operations_max, estimates } => {
                Box::new(Park::new(*holds_max, *operations_max, estimates))
            }
            Self::Exhaustive { .. } => Box::new(Calm),
            Self::Pilot {} => Box::new(Pilot::new()),
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self::Random { sticky: Ratio::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_a_policy_that_survives_its_stored_form() {
        for name in PolicyConfig::NAMES {
            let policy = PolicyConfig::named(name).unwrap();
            assert_eq!(policy.name(), name);
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<PolicyConfig>(&text).unwrap(), policy);
            let bare = format!("{{\"name\": \"{name}\"}}");
            assert_eq!(serde_json::from_str::<PolicyConfig>(&bare).unwrap(), policy);
        }
        assert_eq!(PolicyConfig::named("fair"), None);
    }

    #[test]
    fn a_parameter_of_another_policy_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = toml::from_str::<PolicyConfig>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("name = \"pos\"\ndepth = 3", "unknown field `depth`");
        check("name = \"pct\"\ndeep = 3", "unknown field `deep`");
        check("name = \"best\"", "unknown variant `best`");
    }

    #[test]
    fn a_policy_keeps_of_a_pilot_what_it_uses() {
        let pilot = Estimates { turns: 9, ..Estimates::default() };
        for name in PolicyConfig::NAMES {
            let policy = PolicyConfig::named(name).unwrap();
            let wanted = policy.wants_estimates();
            assert_eq!(wanted, ["pct", "urw", "surw", "park"].contains(&name));
            assert!(!policy.with_estimates(&pilot).wants_estimates());
        }
    }
}
