//! A cell that holds a number: the sum of what was promised, and of any of the rest.
//!
//! Units in doubt count whole or not at all. With many of them only the range is compared.

use std::collections::{BTreeMap, BTreeSet};

use super::written::{Complaint, Report, View, brief};
use crate::history::Datum;
use crate::property::cells::Deed;

/// Up to so many units in doubt every combination is tried.
const EXACT_MAX: usize = 12;

pub(super) fn judge(view: &View<'_, '_>) -> Report {
    let mut report = Report::default();
    let (Some(found), Some(base)) = (number(view.state), number(view.base.value)) else { return report };
    let (mut sure, mut optional) = (base, BTreeMap::new());
    for written in view.live.iter().filter(|written| written.possible()) {
        let Deed::Add(delta) = written.deed else { continue };
        match (view.required)(written) {
            true => sure += i128::from(delta),
            false => *optional.entry(written.unit).or_insert(0) += i128::from(delta),
        }
    }
    let optional: Vec<i128> = optional.into_values().collect();
    if !reachable(found - sure, &optional) {
        report.complain(|| complaint(view, sure, &optional));
    }
    report
}

fn complaint(view: &View<'_, '_>, sure: i128, optional: &[i128]) -> Complaint {
    let mut ops: Vec<usize> = view.required().map(|written| written.op).collect();
    // The last few are the likeliest to be missing, and enough to look at.
    ops.drain(..ops.len().saturating_sub(4));
    ops.push(view.read);
    let name = view.cell.name();
    let doubt = if optional.is_empty() { "" } else { ", and nothing that may be missing explains the difference" };
    let found = brief(view.state);
    let sentence = format!("After the crash {name} holds {found}, but what must be there adds up to {sure}{doubt}.");
    let optional: Vec<String> = optional.iter().take(EXACT_MAX).map(ToString::to_string).collect();
    let proof = match optional.is_empty() {
        true => Vec::new(),
        false => vec![format!("each of these may be missing: {}", optional.join(", "))],
    };
    Complaint { anomaly: "wrong-sum", sentence, ops, proof }
}

/// Whether some of these numbers add up to `target`.
fn reachable(target: i128, optional: &[i128]) -> bool {
    if optional.len() > EXACT_MAX {
        let low: i128 = optional.iter().filter(|&&delta| delta < 0).sum();
        let high: i128 = optional.iter().filter(|&&delta| delta > 0).sum();
        return (low..=high).contains(&target);
    }
    let mut sums = BTreeSet::from([0]);
    for delta in optional {
        sums.extend(sums.iter().map(|sum| sum + delta).collect::<Vec<_>>());
    }
    sums.contains(&target)
}

fn number(value: &Datum) -> Option<i128> {
    match value {
        Datum::Null => Some(0),
        Datum::Int(value) => Some(i128::from(*value)),
        _ => None,
    }
}
