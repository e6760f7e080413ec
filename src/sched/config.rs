//! Which policy a run uses, as data; stored in cases.

use serde::{Deserialize, Serialize};

use super::{Policy, Random, RoundRobin};
use crate::tape::Ratio;

/// A policy with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum PolicyConfig {
    /// The next connection in a fixed order, with all I/O completed in order first: the baseline.
    RoundRobin,
    /// Uniform over the enabled actors.
    Random {
        /// How likely the current actor goes on without a draw among all.
        #[serde(default = "never")]
        sticky: Ratio,
    },
}

const fn never() -> Ratio {
    Ratio::ZERO
}

impl PolicyConfig {
    /// The name by which flags and reports call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random { sticky } if sticky.is_zero() => "random",
            Self::Random { .. } => "random-sticky",
        }
    }

    /// The policy itself.
    #[must_use]
    pub fn build(&self) -> Box<dyn Policy> {
        match *self {
            Self::RoundRobin => Box::new(RoundRobin::new()),
            Self::Random { sticky } => Box::new(Random::new(sticky)),
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self::Random { sticky: Ratio::ZERO }
    }
}
