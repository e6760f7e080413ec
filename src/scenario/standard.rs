//! What comes with the crate: engines, workloads, properties, and the scenarios of `workloads/`.

use super::registry::Registry;
use crate::engine::kv::Kv;
#[cfg(any(feature = "sqlite", feature = "turso"))]
use crate::engine::sql::OverSql;
use crate::engine::sql::Sql;
use crate::engines::dinghy::Dinghy;
#[cfg(feature = "sqlite")]
use crate::engines::sqlite::Sqlite;
#[cfg(feature = "turso")]
use crate::engines::turso::Turso;
use crate::{property, workload};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../workloads/", $name, ".toml")))),*]
    };
}

/// The scenarios of `workloads/`, by name. A test compares the list with the folder.
pub const SCENARIOS: &[(&str, &str)] = embedded![
    "smoke/bank",
    "smoke/cas",
    "smoke/churn",
    "smoke/counter",
    "smoke/differential",
    "smoke/list-append",
    "smoke/queue",
    "smoke/register",
    "smoke/rw-register",
    "smoke/scans",
    "smoke/set",
    "smoke/sql-append-rows",
    "smoke/sql-bank-rows",
    "smoke/sql-large-rows",
    "smoke/sql-queue-rows",
    "smoke/sql-savepoints",
    "smoke/sql-schema-change",
    "smoke/sql-secondary-index",
    "smoke/sql-sums",
    "smoke/sql-unique-index",
    "smoke/sql-user",
    "soak/abandonment",
    "soak/bank",
    "soak/crashes",
    "soak/everything",
    "soak/failed-sync",
    "soak/images",
    "soak/io-errors",
    "soak/latency",
    "soak/media",
    "soak/no-memory",
    "soak/no-space",
    "soak/partial-io",
    "planted/aba-on-log-length",
    "planted/acknowledge-before-sync",
    "planted/buffer-reused-in-flight",
    "planted/canary",
    "planted/checkpoint-overlooks-reader",
    "planted/checkpoint-sync-before-writes",
    "planted/commit-frame-not-waiting",
    "planted/commit-leaves-cache-alone",
    "planted/dirty-read",
    "planted/error-cached-as-empty-page",
    "planted/failed-sync-retried",
    "planted/flag-before-yield",
    "planted/header-before-frames",
    "planted/index-before-yield",
    "planted/insert-before-yield",
    "planted/latch-order-deadlock",
    "planted/leaked-lock-after-abandonment",
    "planted/livelock-of-two-retries",
    "planted/log-not-synced-before-checkpoint",
    "planted/log-reset-before-database-sync",
    "planted/lost-update",
    "planted/lost-wakeup",
    "planted/missing-directory-sync",
    "planted/new-log-header-unsynced",
    "planted/no-space-leaves-half",
    "planted/page-checksum-unread",
    "planted/page-number-not-in-checksum",
    "planted/page-read-twice",
    "planted/publish-before-validate",
    "planted/push-before-yield",
    "planted/recovery-not-idempotent",
    "planted/rollback-forgets-free-list",
    "planted/salt-unchanged-at-reset",
    "planted/short-read-taken-for-zeros",
    "planted/short-write-not-retried",
    "planted/snapshot-across-yield",
    "planted/stale-cache-after-log-reset",
    "planted/stale-checkpoint",
    "planted/state-advanced-before-fallible-call",
    "planted/torn-frame-accepted",
    "planted/truncate-before-sync",
    "planted/write-skew",
    "planted/writer-starved-by-readers",
    "profiles/calm",
    "profiles/crashes",
    "profiles/faults",
    "profiles/tiny",
];

impl Registry {
    /// Everything that is compiled in.
    #[must_use]
    pub fn standard() -> Self {
        let registry = Self::new().engine::<Kv, Dinghy>();
        #[cfg(feature = "sqlite")]
        let registry = registry.engine::<Kv, OverSql<Sqlite>>().engine::<Sql, Sqlite>();
        #[cfg(feature = "turso")]
        let registry = registry.engine::<Kv, OverSql<Turso>>().engine::<Sql, Turso>();
        registry.standard_workloads().standard_properties().scenarios(SCENARIOS)
    }

    /// The workloads that come with the crate, for an engine of one's own.
    #[must_use]
    pub fn standard_workloads(self) -> Self {
        let registry = workload::kv::all().into_iter().fold(self, Self::workload::<Kv>);
        let registry = registry.workload::<Kv>(Box::new(workload::kv::Audit));
        workload::sql::all().into_iter().fold(registry, Self::workload::<Sql>)
    }

    /// The properties that come with the crate.
    #[must_use]
    pub fn standard_properties(self) -> Self {
        property::all().into_iter().fold(self, |registry, one| {
            let name = one.name();
            registry.property(move || property::by_name(name).expect("it is one of all"))
        })
    }
}
