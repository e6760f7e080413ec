//! What comes with the crate: engines, workloads, properties, and the scenarios of `workloads/`.

use super::registry::Registry;
use crate::engine::kv::Kv;
use crate::workload;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../workloads/", $name, ".toml")))),*]
    };
}

/// The scenarios of `workloads/`, by name. A test compares the list with the folder.
pub const SCENARIOS: &[(&str, &str)] = embedded!["smoke/register",];

impl Registry {
    /// Everything that is compiled in.
    #[must_use]
    pub fn standard() -> Self {
        let mut registry = Self::new().scenarios(SCENARIOS);
        for workload in workload::kv::all() {
            registry = registry.workload::<Kv>(workload);
        }
        #[cfg(feature = "sqlite")]
        {
            registry = registry.engine::<Kv, crate::engines::sqlite::Sqlite>();
        }
        registry
    }
}
