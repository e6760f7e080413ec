//! A cell that holds one value at a time.
//!
//! What it holds must be the initial value or come from a write that may have happened, and no promised
//! write may have come surely after that.

use super::written::{Report, View, Written};
use crate::history::Datum;
use crate::property::cells::Deed;

/// With more writes of one value than this, only time is compared.
const SOURCES_MAX: usize = 8;

pub(super) fn judge(view: &View<'_, '_>) -> Report {
    let mut report = Report::default();
    let holds = |written: &&Written<'_>| written.deed == Deed::Write(view.state);
    let possible = |written: &Written<'_>| written.possible() && !written.overwritten;
    let sources: Vec<&Written<'_>> = view.live.iter().filter(holds).filter(|written| possible(written)).collect();
    let base = view.state == view.base.value;
    if sources.is_empty() && !base {
        if let Some(written) = view.live.iter().find(holds) {
            // Half of a transaction's writes to one key is a half too; otherwise it should not be there at all.
            match written.possible() {
                true => report.seen.extend([view.seen(written, true), view.seen(written, false)]),
                false => report.complain(|| view.unwanted(written.op)),
            }
            return report;
        }
        match (view.state, view.writers.get(view.state)) {
            (Datum::Value(_), Some(&op)) => {
                report.complain(|| view.unwanted(op));
                return report;
            }
            // A value nobody wrote is for `garbage` to explain.
            (Datum::Value(_) | Datum::Text(_), _) => return report,
            _ => {}
        }
    }
    let newest = Newest::of(view);
    let explained = sources.iter().any(|source| !newest.beats(source)) || base && !newest.any();
    if !explained {
        report.complain(|| newest.lost(&sources).map_or_else(|| view.changed(), |lost| view.lost("lost-write", lost)));
    }
    evidence(view, &sources, base, &mut report);
    report
}

/// The promised writes after which nothing older can be left, as far as time and the engine's order tell.
struct Newest<'v, 'a> {
    /// The one that began last.
    by_time: Option<&'v Written<'a>>,
    /// All that are ordered and last of their era.
    by_order: Vec<&'v Written<'a>>,
}

impl<'v, 'a> Newest<'v, 'a> {
    fn of(view: &'v View<'_, 'a>) -> Self {
        let mut newest = Self { by_time: None, by_order: Vec::new() };
        for written in view.required() {
            if newest.by_time.is_none_or(|other| other.from < written.from) {
                newest.by_time = Some(written);
            }
            match newest.by_order.iter_mut().find(|other| written.comparable(other)) {
                Some(other) if other.before(written) => *other = written,
                Some(_) => {}
                None => newest.by_order.push(written),
            }
        }
        newest
    }

    fn any(&self) -> bool {
        self.by_time.is_some()
    }

    fn all(&self) -> impl Iterator<Item = &'v Written<'a>> {
        self.by_time.into_iter().chain(self.by_order.iter().copied())
    }

    /// Whether one of them surely came after `source`.
    fn beats(&self, source: &Written<'_>) -> bool {
        self.all().any(|newest| newest.op != source.op && source.before(newest))
    }

    /// The one to name as lost.
    fn lost(&self, sources: &[&Written<'_>]) -> Option<usize> {
        let beaten = self.all().find(|newest| sources.iter().any(|source| source.before(newest)));
        beaten.or(self.by_time).map(|written| written.op)
    }
}

/// What the state says of each unit that may have written the cell.
fn evidence(view: &View<'_, '_>, sources: &[&Written<'_>], base: bool, report: &mut Report) {
    let explained = base || !sources.is_empty();
    let end = sources.iter().map(|source| source.to).max();
    let all_before = |written: &Written<'_>| match sources.len() {
        0..=SOURCES_MAX => sources.iter().all(|source| source.before(written)),
        _ => end.is_some_and(|end| end < written.from),
    };
    for written in view.live.iter().filter(|written| written.possible() && !written.overwritten) {
        let Deed::Write(value) = written.deed else { continue };
        if value == view.state {
            // Nothing tells a delete from having been absent all along.
            if matches!(value, Datum::Value(_)) {
                report.seen.push(view.seen(written, true));
            }
            continue;
        }
        if explained && !written.excused && all_before(written) {
            report.seen.push(view.seen(written, false));
        }
        report.excused.push(written.op);
    }
}
