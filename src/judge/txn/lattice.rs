//! The isolation models, which implies which, and which anomaly rules out which.
//!
//! The order and the table are Adya's (1999), Cerone, Bernardi and Gotsman's (2015) and Kingsbury
//! and Alvaro's (2020). Invariant: what rules out a model rules out everything above it.

use serde::Serialize;

/// A consistency model of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Consistency {
    /// Writes do not cross (PL-1).
    ReadUncommitted,
    /// The same, with the order within each process.
    StrongSessionReadUncommitted,
    /// The same, with real time.
    StrongReadUncommitted,
    /// Reads see committed, final values (PL-2).
    ReadCommitted,
    /// The same, with the order within each process.
    StrongSessionReadCommitted,
    /// The same, with real time.
    StrongReadCommitted,
    /// Once something of a transaction was seen, all of it is (RAMP's sense, per Adya's successors).
    MonotonicAtomicView,
    /// Adya's PL-2L.
    MonotonicView,
    /// Adya's monotonic snapshot reads.
    MonotonicSnapshotRead,
    /// No lost update through a cursor.
    CursorStability,
    /// A transaction's effects are seen all or not at all.
    ReadAtomic,
    /// Read atomic without lost updates.
    UpdateAtomic,
    /// Read atomic, and everything seen brings what it saw.
    Causal,
    /// Causal, and a process sees what it did.
    StrongSessionCausal,
    /// Causal, and all agree on prefixes of one order.
    Prefix,
    /// Snapshots without lost updates, but no common order of snapshots.
    ParallelSnapshotIsolation,
    /// Adya's PL-2+.
    ConsistentView,
    /// Adya's PL-FCV.
    ForwardConsistentView,
    /// Transactions that write are serializable.
    UpdateSerializable,
    /// What was read stays (PL-2.99).
    RepeatableRead,
    /// Reads from a snapshot, and the first committer wins.
    SnapshotIsolation,
    /// Snapshots that see what their process did before.
    StrongSessionSnapshotIsolation,
    /// Snapshots as of a moment after the begin.
    StrongSnapshotIsolation,
    /// As if one after the other.
    Serializable,
    /// As if one after the other, in each process's own order.
    StrongSessionSerializable,
    /// As if one after the other, in real time.
    StrictSerializable,
}

use Consistency as C;

/// Every model, weaker ones before stronger ones, with its name and what it directly implies.
const MODELS: [(Consistency, &str, &[Consistency]); 26] = [
    (C::ReadUncommitted, "read-uncommitted", &[]),
    (C::StrongSessionReadUncommitted, "strong-session-read-uncommitted", &[C::ReadUncommitted]),
    (C::StrongReadUncommitted, "strong-read-uncommitted", &[C::StrongSessionReadUncommitted]),
    (C::ReadCommitted, "read-committed", &[C::ReadUncommitted]),
    (
        C::StrongSessionReadCommitted,
        "strong-session-read-committed",
        &[C::ReadCommitted, C::StrongSessionReadUncommitted],
    ),
    (C::StrongReadCommitted, "strong-read-committed", &[C::StrongSessionReadCommitted, C::StrongReadUncommitted]),
    (C::MonotonicAtomicView, "monotonic-atomic-view", &[C::ReadCommitted]),
    (C::MonotonicView, "monotonic-view", &[C::ReadCommitted]),
    (C::MonotonicSnapshotRead, "monotonic-snapshot-read", &[C::ReadCommitted]),
    (C::CursorStability, "cursor-stability", &[C::ReadCommitted]),
    (C::ReadAtomic, "read-atomic", &[C::ReadCommitted]),
    (C::UpdateAtomic, "update-atomic", &[C::ReadAtomic]),
    (C::Causal, "causal", &[C::ReadAtomic]),
    (C::StrongSessionCausal, "strong-session-causal", &[C::Causal, C::StrongSessionReadCommitted]),
    (C::Prefix, "prefix", &[C::Causal]),
    (C::ParallelSnapshotIsolation, "parallel-snapshot-isolation", &[C::Causal, C::UpdateAtomic]),
    (C::ConsistentView, "consistent-view", &[C::CursorStability, C::MonotonicView]),
    (C::ForwardConsistentView, "forward-consistent-view", &[C::ConsistentView]),
    (C::UpdateSerializable, "update-serializable", &[C::ForwardConsistentView]),
    (C::RepeatableRead, "repeatable-read", &[C::CursorStability, C::MonotonicAtomicView]),
    (
        C::SnapshotIsolation,
        "snapshot-isolation",
        &[
            C::ForwardConsistentView,
            C::MonotonicAtomicView,
            C::MonotonicSnapshotRead,
            C::ParallelSnapshotIsolation,
            C::Prefix,
        ],
    ),
    (
        C::StrongSessionSnapshotIsolation,
        "strong-session-snapshot-isolation",
        &[C::SnapshotIsolation, C::StrongSessionCausal],
    ),
    (
        C::StrongSnapshotIsolation,
        "strong-snapshot-isolation",
        &[C::StrongSessionSnapshotIsolation, C::StrongReadCommitted],
    ),
    (C::Serializable, "serializable", &[C::RepeatableRead, C::SnapshotIsolation, C::UpdateSerializable]),
    (
        C::StrongSessionSerializable,
        "strong-session-serializable",
        &[C::Serializable, C::StrongSessionSnapshotIsolation],
    ),
    (C::StrictSerializable, "strict-serializable", &[C::StrongSessionSerializable, C::StrongSnapshotIsolation]),
];

/// Per anomaly the weakest models it rules out.
const RULED_OUT: [(&str, &[Consistency]); 36] = [
    ("garbage-read", &[C::ReadUncommitted]),
    ("duplicate-elements", &[C::ReadUncommitted]),
    ("cyclic-versions", &[C::ReadUncommitted]),
    ("commit-order", &[C::Serializable]),
    ("future-read", &[C::ReadCommitted]),
    ("incompatible-order", &[C::ReadCommitted]),
    ("dirty-update", &[C::ReadCommitted]),
    ("G1a", &[C::ReadCommitted]),
    ("G1b", &[C::ReadCommitted]),
    ("non-monotonic-read", &[C::ReadCommitted]),
    ("internal", &[C::ReadAtomic]),
    ("fractured-read", &[C::ReadAtomic]),
    ("causality", &[C::Causal]),
    ("lost-update", &[C::CursorStability, C::UpdateAtomic]),
    ("G0", &[C::ReadUncommitted]),
    ("G0-process", &[C::StrongSessionReadUncommitted]),
    ("G0-realtime", &[C::StrongReadUncommitted]),
    ("G1c", &[C::ReadCommitted]),
    ("G1c-process", &[C::StrongSessionReadCommitted]),
    ("G1c-realtime", &[C::StrongReadCommitted]),
    ("G-single-item", &[C::ConsistentView, C::RepeatableRead]),
    ("G-single-item-process", &[C::StrongSessionSnapshotIsolation]),
    ("G-single-item-realtime", &[C::StrongSnapshotIsolation]),
    ("G-nonadjacent-item", &[C::SnapshotIsolation, C::RepeatableRead]),
    ("G-nonadjacent-item-process", &[C::StrongSessionSnapshotIsolation]),
    ("G-nonadjacent-item-realtime", &[C::StrongSnapshotIsolation]),
    ("G2-item", &[C::RepeatableRead]),
    ("G2-item-process", &[C::StrongSessionSerializable]),
    ("G2-item-realtime", &[C::StrictSerializable]),
    ("not-serializable", &[C::Serializable]),
    ("not-strong-session-serializable", &[C::StrongSessionSerializable]),
    ("not-strict-serializable", &[C::StrictSerializable]),
    ("not-snapshot-isolation", &[C::SnapshotIsolation]),
    ("causality-process", &[C::StrongSessionCausal]),
    ("not-strong-session-snapshot-isolation", &[C::StrongSessionSnapshotIsolation]),
    ("not-strong-snapshot-isolation", &[C::StrongSnapshotIsolation]),
];

impl Consistency {
    /// The model with this name; some have two.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = match name {
            "strong-serializable" => "strict-serializable",
            "causal-cerone" | "causal-consistency" => "causal",
            other => other,
        };
        MODELS.iter().find(|model| model.1 == name).map(|model| model.0)
    }

    /// Every model, weaker ones before stronger ones.
    pub fn all() -> impl Iterator<Item = Self> {
        MODELS.iter().map(|model| model.0)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// Whether a history of this model is also one of the other.
    #[must_use]
    pub fn implies(self, weaker: Self) -> bool {
        self == weaker || self.entry().2.iter().any(|below| below.implies(weaker))
    }

    fn entry(self) -> &'static (Consistency, &'static str, &'static [Consistency]) {
        MODELS.iter().find(|model| model.0 == self).expect("every model is in the table")
    }

    /// Whether this anomaly rules the model out.
    #[must_use]
    pub fn forbids(self, anomaly: &str) -> bool {
        weakest_ruled_out(anomaly).iter().any(|&ruled_out| self.implies(ruled_out))
    }
}

impl Serialize for Consistency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// The weakest models an anomaly rules out.
pub(crate) fn weakest_ruled_out(anomaly: &str) -> &'static [Consistency] {
    RULED_OUT.iter().find(|entry| entry.0 == anomaly).map_or(&[], |entry| entry.1)
}

/// The weakest models these anomalies rule out, then all others they rule out, then the strongest
/// that are left.
pub(crate) fn standing<'a>(
    anomalies: impl Iterator<Item = &'a str>,
) -> (Vec<Consistency>, Vec<Consistency>, Vec<Consistency>) {
    let mut roots: Vec<Consistency> = anomalies.flat_map(weakest_ruled_out).copied().collect();
    roots.sort_unstable();
    roots.dedup();
    let out = |model: Consistency| roots.iter().any(|&root| model.implies(root));
    let weakest = |model: Consistency| out(model) && !roots.iter().any(|&root| root != model && model.implies(root));
    let not: Vec<_> = Consistency::all().filter(|&m| weakest(m)).collect();
    let also: Vec<_> = Consistency::all().filter(|&m| out(m) && !weakest(m)).collect();
    let left = |model: Consistency| !out(model);
    let strongest = Consistency::all()
        .filter(|&m| left(m) && !Consistency::all().any(|s| s != m && left(s) && s.implies(m)))
        .collect();
    (not, also, strongest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(models: &[Consistency]) -> String {
        let names: Vec<&str> = models.iter().map(|model| model.name()).collect();
        names.join(" ")
    }

    #[test]
    fn every_model_implies_the_weakest_and_is_implied_by_the_strongest() {
        for model in Consistency::all() {
            assert!(model.implies(C::ReadUncommitted) && C::StrictSerializable.implies(model));
        }
    }

    #[test]
    fn a_write_skew_leaves_snapshot_isolation() {
        let (not, also, strongest) = standing(["G2-item"].into_iter());
        assert_eq!(names(&not), "repeatable-read");
        let stronger = "serializable strong-session-serializable strict-serializable";
        assert_eq!(names(&also), stronger);
        assert_eq!(names(&strongest), "update-serializable strong-snapshot-isolation");
    }

    #[test]
    fn nothing_found_leaves_the_strongest() {
        let (not, _, strongest) = standing([].into_iter());
        assert!(not.is_empty());
        assert_eq!(strongest, [C::StrictSerializable]);
    }
}
