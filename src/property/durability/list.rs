//! A cell that holds a list or a queue.
//!
//! Element by element: what was promised is there once, unless something may have taken it; what was taken
//! for good is not; elements that did not overlap are in the order in which they came.

use std::collections::BTreeMap;

use super::written::{Complaint, Report, View, Written, brief, name};
use crate::history::Datum;
use crate::property::cells::Deed;

pub(super) fn judge(view: &View<'_, '_>) -> Report {
    let mut report = Report::default();
    let items = match view.state {
        Datum::Null => &[][..],
        Datum::List(items) => items,
        // Bytes that are no list are for `garbage` to explain.
        _ => return report,
    };
    let mut places = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if places.insert(item, place).is_some() {
            report.complain(|| twice(view, item));
        }
    }
    let takers = Takers::of(view);
    let mut known = BTreeMap::new();
    for element in elements(view) {
        let present = places.contains_key(element.item);
        weigh(view, &takers, &element, present, &mut report);
        known.insert(element.item, element);
    }
    let too_many = takers.missing.get(takers.anything).and(takers.missing.first());
    if let Some(&lost) = takers.lost.as_ref().or(too_many) {
        report.complain(|| view.lost("lost-append", lost));
    }
    strangers(view, items, &known, &mut report);
    let oldest = known.values().filter(|element| places.contains_key(element.item)).map(|element| element.to).min();
    let undone = takers.deletes.iter().filter(|delete| oldest.is_some_and(|oldest| oldest < delete.from));
    let pops = takers.pops.iter().filter(|(item, _)| places.contains_key(item)).map(|(_, pop)| pop);
    report.seen.extend(undone.chain(pops).map(|taker| view.seen(taker, false)));
    order(view, items, &known, &mut report);
    report
}

/// An element that may be in the list.
struct Element<'v, 'a> {
    item: &'a Datum,
    /// What appended it; nothing when it was there from the beginning.
    by: Option<&'v Written<'a>>,
    from: i64,
    to: i64,
    required: bool,
}

fn elements<'v, 'a>(view: &View<'v, 'a>) -> Vec<Element<'v, 'a>> {
    let base = if let Datum::List(items) = view.base.value { &items[..] } else { &[] };
    let (from, to) = (view.base.from, view.base.to);
    let mut elements: Vec<Element<'_, '_>> =
        base.iter().map(|item| Element { item, by: None, from, to, required: true }).collect();
    for written in view.live.iter().filter(|written| written.possible()) {
        if let Deed::Append(item) = written.deed {
            let required = (view.required)(written);
            elements.push(Element { item, by: Some(written), from: written.from, to: written.to, required });
        }
    }
    elements
}

/// What may have taken elements away.
struct Takers<'v, 'a> {
    /// The last time at which a delete may have taken effect.
    delete_to_max: i64,
    /// The promised delete that began last.
    delete: Option<&'v Written<'a>>,
    deletes: Vec<&'v Written<'a>>,
    pops: Vec<(&'a Datum, &'v Written<'a>)>,
    popped: BTreeMap<&'a Datum, &'v Written<'a>>,
    /// How many elements were taken of which nobody knows the name.
    anything: usize,
    /// Operations whose elements are missing although nobody is known to have taken them.
    missing: Vec<usize>,
    /// One whose element nobody can have taken.
    lost: Option<usize>,
}

impl<'v, 'a> Takers<'v, 'a> {
    fn of(view: &View<'v, 'a>) -> Self {
        let mut takers = Self {
            delete_to_max: i64::MIN,
            delete: None,
            deletes: Vec::new(),
            pops: Vec::new(),
            popped: BTreeMap::new(),
            anything: 0,
            missing: Vec::new(),
            lost: None,
        };
        for written in view.live.iter().filter(|written| written.possible()) {
            match written.deed {
                Deed::Write(_) => {
                    takers.deletes.push(written);
                    takers.delete_to_max = takers.delete_to_max.max(written.to);
                    if (view.required)(written) && takers.delete.is_none_or(|other| other.from < written.from) {
                        takers.delete = Some(written);
                    }
                }
                Deed::Pop(Some(item)) => {
                    takers.pops.push((item, written));
                    takers.popped.insert(item, written);
                }
                Deed::Pop(None) => takers.anything += 1,
                _ => {}
            }
        }
        takers.count_missing(view);
        takers
    }

    /// Elements that only a nameless taker can explain.
    fn count_missing(&mut self, view: &View<'v, 'a>) {
        let items = if let Datum::List(items) = view.state { &items[..] } else { &[] };
        let there: std::collections::BTreeSet<&Datum> = items.iter().collect();
        let elements = elements(view);
        let oldest = elements.iter().filter(|element| there.contains(element.item)).map(|element| element.to).min();
        for element in elements {
            if element.required && !there.contains(element.item) && !self.may_have(&element) {
                let writer = || view.writers.get(element.item).copied().unwrap_or(view.read);
                let op = element.by.map_or_else(writer, |by| by.op);
                // Who takes, takes the first: nothing is gone while something surely older is still there.
                match oldest.is_some_and(|oldest| oldest < element.from) {
                    true => self.lost = self.lost.or(Some(op)),
                    false => self.missing.push(op),
                }
            }
        }
    }

    /// Whether somebody may have taken this very element.
    fn may_have(&self, element: &Element<'_, '_>) -> bool {
        self.popped.contains_key(element.item) || self.delete_to_max >= element.from
    }
}

/// Compares one element's presence with what it has to be.
fn weigh(view: &View<'_, '_>, takers: &Takers<'_, '_>, element: &Element<'_, '_>, present: bool, report: &mut Report) {
    let pop = takers.popped.get(element.item).copied().filter(|pop| (view.required)(pop));
    let delete = takers.delete.filter(|delete| delete.from > element.to);
    if present && let Some(taker) = pop.or(delete) {
        report.complain(|| came_back(view, element.item, taker));
    }
    let Some(by) = element.by else { return };
    if present {
        report.seen.push(view.seen(by, true));
    } else {
        report.excused.push(by.op);
        if !by.excused && takers.anything == 0 && !takers.may_have(element) {
            report.seen.push(view.seen(by, false));
        }
    }
}

/// Elements that are there and should not be.
fn strangers(view: &View<'_, '_>, items: &[Datum], known: &BTreeMap<&Datum, Element<'_, '_>>, report: &mut Report) {
    for item in items.iter().filter(|item| !known.contains_key(item)) {
        // An element nobody appended is for `garbage` to explain.
        if let Some(&op) = view.writers.get(item) {
            report.complain(|| view.unwanted(op));
        }
    }
}

/// Elements of which one was surely there before the other came.
fn order(view: &View<'_, '_>, items: &[Datum], known: &BTreeMap<&Datum, Element<'_, '_>>, report: &mut Report) {
    let mut latest: Option<&Element<'_, '_>> = None;
    for element in items.iter().filter_map(|item| known.get(item)) {
        if let Some(earlier) = latest.filter(|earlier| earlier.from > element.to) {
            report.complain(|| reordered(view, element, earlier));
        }
        if latest.is_none_or(|latest| latest.from < element.from) {
            latest = Some(element);
        }
    }
}

fn twice(view: &View<'_, '_>, item: &Datum) -> Complaint {
    let ops = view.writers.get(item).copied().into_iter().chain([view.read]).collect();
    let sentence = format!("After the crash {} holds the element {item} twice.", view.cell.name());
    Complaint { anomaly: "duplicate-element", sentence, ops, proof: vec![format!("it holds {}", view.state)] }
}

fn came_back(view: &View<'_, '_>, item: &Datum, taker: &Written<'_>) -> Complaint {
    let taker = taker.op;
    let sentence = format!(
        "{} took {item} away and was acknowledged, but after the crash {} holds {} again.",
        name(view.digest, taker),
        view.cell.name(),
        brief(item)
    );
    let proof = vec![format!("it holds {}", view.state)];
    Complaint { anomaly: "lost-removal", sentence, ops: vec![taker, view.read], proof }
}

fn reordered(view: &View<'_, '_>, first: &Element<'_, '_>, second: &Element<'_, '_>) -> Complaint {
    let sentence = format!(
        "After the crash {} holds {} before {}, although {} was acknowledged before the other was appended.",
        view.cell.name(),
        second.item,
        first.item,
        first.item
    );
    let ops = [first, second].iter().filter_map(|element| element.by.map(|by| by.op)).chain([view.read]).collect();
    Complaint { anomaly: "reordered", sentence, ops, proof: vec![format!("it holds {}", view.state)] }
}
