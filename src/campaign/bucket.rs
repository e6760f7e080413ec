//! Which failures are one and the same: property, anomaly, resources and fault kinds, on one engine.
//!
//! Digits are left out of resources, so that key `k3` and key `k7` are one bucket; fault kinds are taken by
//! class, so that a slow disk beside the crash makes no second one. A panic is told from another by its message
//! and the functions it came from. The name is fit for a folder.

use std::collections::BTreeSet;

use super::protocol::Ran;
use crate::scenario::StoredFinding;
use crate::tape::RunHash;

/// The bucket of a finding of a run on an engine, such as `durability-lost-commit-1f3a90c2`.
#[must_use]
pub fn bucket(engine: &str, finding: &StoredFinding, ran: &Ran) -> String {
    let mut hash = RunHash::new();
    hash.fold_bytes(engine.as_bytes());
    hash.fold_bytes(finding.property.as_bytes());
    hash.fold_bytes(finding.anomaly.as_bytes());
    let resources: BTreeSet<String> = finding.resources.iter().map(|resource| without_digits(resource)).collect();
    resources.iter().for_each(|resource| hash.fold_bytes(resource.as_bytes()));
    if finding.anomaly == "panic" {
        hash.fold_bytes(without_digits(&finding.sentence).as_bytes());
        ran.frames.iter().for_each(|frame| hash.fold_bytes(without_digits(frame).as_bytes()));
    }
    fault_classes(ran).iter().for_each(|class| hash.fold_bytes(class.as_bytes()));
    let name = slug(&format!("{}-{}", finding.property, finding.anomaly));
    format!("{name}-{:08x}", hash.fingerprint().0 as u32)
}

/// The classes of the faults that struck, as `docs/faults.md` tells them apart.
#[must_use]
pub fn fault_classes(ran: &Ran) -> BTreeSet<&'static str> {
    let class = |kind: &str| match kind {
        kind if kind.contains("sync") => Some("failed-sync"),
        kind if kind.contains("eio") => Some("io-error"),
        kind if kind.contains("space") => Some("no-space"),
        kind if kind.contains("flip") || kind.contains("lost") || kind.contains("misdirected") => Some("media"),
        // Latency, reordering and short transfers must change nothing, so they tell nothing apart.
        _ => None,
    };
    let struck = ran.faults.iter().filter(|(_, count)| **count > 0);
    let mut classes: BTreeSet<&'static str> = struck.filter_map(|(kind, _)| class(kind)).collect();
    if ran.crashes > 0 {
        classes.insert("crash");
    }
    classes
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn slug(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).take(60).collect();
    let name = name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if name.is_empty() { "finding".to_string() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(anomaly: &str, resource: &str) -> StoredFinding {
        StoredFinding {
            property: "durability".into(),
            anomaly: anomaly.into(),
            resources: vec![resource.into()],
            ..StoredFinding::default()
        }
    }

    #[test]
    fn what_differs_in_numbers_alone_is_one_bucket() {
        let calm = Ran::default();
        let slow = Ran { faults: [("slow".to_string(), 3)].into(), ..Ran::default() };
        let crashed = Ran { crashes: 1, ..Ran::default() };
        let first = bucket("dinghy", &finding("lost-commit", "k3"), &calm);
        assert_eq!(bucket("dinghy", &finding("lost-commit", "k17"), &calm), first);
        assert_eq!(bucket("dinghy", &finding("lost-commit", "k3"), &slow), first);
        assert_ne!(bucket("dinghy", &finding("lost-commit", "page 3"), &calm), first);
        assert_ne!(bucket("dinghy", &finding("torn-commit", "k3"), &calm), first);
        assert_ne!(bucket("dinghy", &finding("lost-commit", "k3"), &crashed), first);
        assert_ne!(bucket("dinghy+lost-update", &finding("lost-commit", "k3"), &calm), first);
    }

    #[test]
    fn panics_are_told_apart_by_message_and_function() {
        let name = |sentence: &str, frames: &[&str]| {
            let finding = StoredFinding { sentence: sentence.into(), ..finding("panic", "") };
            let frames = frames.iter().map(ToString::to_string).collect();
            bucket("dinghy", &finding, &Ran { frames, ..Ran::default() })
        };
        let first = name("c0 panicked: page 7 is not pinned", &["pager::read"]);
        assert_eq!(name("c12 panicked: page 31 is not pinned", &["pager::read"]), first);
        assert_ne!(name("c0 panicked: page 7 is not clean", &["pager::read"]), first);
        assert_ne!(name("c0 panicked: page 7 is not pinned", &["tree::split"]), first);
        assert_ne!(name("c0 panicked: page 7 is not pinned", &[]), first);
    }

    #[test]
    fn a_bucket_is_fit_for_a_folder_whatever_a_property_calls_itself() {
        let check = |property: &str, expected: &str| {
            let finding = StoredFinding { property: property.into(), anomaly: "x".into(), ..finding("", "") };
            let name = bucket("e", &finding, &Ran::default());
            assert_eq!(&name[..name.len() - 9], expected);
        };
        check("../../etc/passwd", "etc-passwd-x");
        check("Naïve Property", "na-ve-property-x");
        check(&"long".repeat(40), &"long".repeat(15));
    }
}
