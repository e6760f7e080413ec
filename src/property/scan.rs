//! A scan shows its range as it was at one moment: every key that was there, none that was not, in order.
//!
//! ```text
//!                 scan        [──────────────────]
//!  a = 1, written then        ├─────────┤             overwritten here at the latest
//!  b = 2                                     ├────────────
//!                                                 no moment for both: the scan is torn
//! ```
//!
//! What single keys may hold at a moment follows from the calls and answers of their writes. Transactions
//! count only where the engine promises real time; otherwise the dependencies between them decide, as for
//! `rw-register`. Lists are not looked at here.

use std::collections::BTreeMap;

use super::cells::{Cell, Deed, Kind, cells};
use super::digest::{Digest, Fate, NEVER, Op};
use super::isolation::{self, Doomed, Shape};
use super::{Finding, Judgement, Property, RunRecord, Verdict};
use crate::engine::{Durability, Isolation};
use crate::history::Datum;

/// Scans are whole and of one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan;

impl Property for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn about(&self) -> &'static str {
        "a scan shows its range as it was at one moment: all keys, no phantoms, in order"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let cells = cells(&digest);
        let mut compared = 0;
        let shown = |op: &Op<'_>| op.call.f == "scan" && op.answer().is_some();
        for op in digest.ops.iter().filter(|op| shown(op)) {
            compared += 1;
            if let Some(finding) = order(&digest, op) {
                return Judgement::violated(finding, compared);
            }
        }
        if compared == 0 {
            return Judgement::inconclusive("nobody scanned anything");
        }
        if let Some(finding) = moments(run, &digest, &cells) {
            return Judgement::violated(finding, compared);
        }
        let isolation = isolation::judge_as((Shape::Registers, Doomed::Writes), self.name(), run, &digest, &cells);
        match isolation.verdict {
            Verdict::Violated(_) => isolation,
            Verdict::Inconclusive(reason) if isolation.compared > 0 => {
                Judgement { compared, ..Judgement::inconclusive(reason) }
            }
            _ => Judgement { verdict: Verdict::Holds, compared },
        }
    }
}

fn finding(digest: &Digest<'_>, anomaly: &str, sentence: String, keys: Vec<String>, ops: Vec<usize>) -> Finding {
    let ids = digest.ids(ops.iter().copied());
    Finding {
        property: "scan".into(),
        anomaly: anomaly.into(),
        sentence,
        resources: keys,
        proof: ids.iter().map(|id| digest.say(id.0 as usize)).collect(),
        turn: digest.last_turn(ops),
        ops: ids,
    }
}

/// Rows in order, each once, within the range.
fn order(digest: &Digest<'_>, op: &Op<'_>) -> Option<Finding> {
    let (Some(Datum::Rows(rows)), Datum::List(range)) = (op.answer(), &op.call.arg) else { return None };
    let [Datum::Text(from), Datum::Text(to)] = &range[..] else { return None };
    let bad = |anomaly: &str, key: &str, what: &str| {
        let sentence = format!("A scan from {from} to {to} {what}.");
        Some(finding(digest, anomaly, sentence, vec![key.to_string()], vec![op.id.0 as usize]))
    };
    if let Some((key, _)) = rows.iter().find(|(key, _)| key < from || key > to) {
        return bad("out-of-range", key, &format!("shows {key}, which is outside of it"));
    }
    let pair = rows.windows(2).find(|pair| pair[0].0 >= pair[1].0)?;
    match pair[0].0 == pair[1].0 {
        true => bad("duplicate-row", &pair[0].0, &format!("shows {} twice", pair[0].0)),
        false => bad("disorder", &pair[1].0, &format!("shows {} before {}", pair[0].0, pair[1].0)),
    }
}

/// A stretch of time, both ends included.
type Span = (i64, i64);

/// When a cell may have held each value.
struct Versions<'a> {
    /// Per value the write and the stretches.
    spans: BTreeMap<&'a Datum, Vec<Span>>,
}

impl<'a> Versions<'a> {
    /// Of a cell of which all is known; `real_time` says whether that goes for transactions too.
    fn of(digest: &Digest<'a>, cell: &Cell<'a>, real_time: bool) -> Option<Self> {
        let mut writes: Vec<(Span, Fate, &'a Datum)> = vec![((-1, -1), Fate::Sure, cell.initial())];
        for touch in &cell.touches {
            let unit = &digest.units[digest.ops[touch.op].unit];
            match (touch.deed, digest.fate(touch.op)) {
                (Deed::Write(_), _) if unit.transaction && !real_time => return None,
                (Deed::Write(value), fate) if fate != Fate::Never => writes.push(((unit.from, unit.to), fate, value)),
                _ => {}
            }
        }
        // Sure writes by their beginnings, and from each on the earliest end: what is surely over by when.
        let mut covers: Vec<Span> = writes.iter().filter(|write| write.1 == Fate::Sure).map(|write| write.0).collect();
        covers.sort_unstable();
        for at in (1..covers.len()).rev() {
            covers[at - 1].1 = covers[at - 1].1.min(covers[at].1);
        }
        let mut spans: BTreeMap<&Datum, Vec<Span>> = BTreeMap::new();
        for ((from, to), _, value) in &writes {
            let next = covers.partition_point(|cover| cover.0 <= *to);
            let until = covers.get(next).map_or(NEVER, |cover| cover.1);
            spans.entry(value).or_default().push((*from, until));
        }
        for spans in spans.values_mut() {
            spans.sort_unstable();
        }
        Some(Self { spans })
    }

    fn when(&self, value: &Datum) -> &[Span] {
        self.spans.get(value).map_or(&[], Vec::as_slice)
    }
}

/// Reads of one unit have one moment in common.
fn moments(run: &RunRecord<'_>, digest: &Digest<'_>, cells: &[Cell<'_>]) -> Option<Finding> {
    let real_time = run.promises.isolation == Isolation::StrictSerializable;
    if run.promises.durability != Durability::EveryCommit && !digest.crashes.is_empty() {
        // What a crash may take away is left to the judges of single stretches.
        return None;
    }
    let plain = |cell: &&Cell<'_>| cell.kind(digest) == Kind::Register && cell.element.is_none();
    let mut reads: BTreeMap<usize, Vec<(usize, usize, &Datum)>> = BTreeMap::new();
    let mut versions = BTreeMap::new();
    for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| plain(cell)) {
        let Some(known) = Versions::of(digest, cell, real_time) else { continue };
        versions.insert(index, known);
        // What a unit has written itself it must read, and no moment tells of that.
        let mut own = std::collections::BTreeSet::new();
        for touch in &cell.touches {
            let unit = digest.ops[touch.op].unit;
            match touch.deed {
                Deed::Read(value) if !own.contains(&unit) => {
                    reads.entry(unit).or_default().push((touch.op, index, value))
                }
                Deed::Write(_) => drop(own.insert(unit)),
                _ => {}
            }
        }
    }
    for (unit, reads) in reads {
        let scans = reads.iter().any(|read| digest.ops[read.0].call.f == "scan");
        let judged = scans && digest.units[unit].fate == Fate::Sure && (real_time || !digest.units[unit].transaction);
        if let Some(guilty) = judged.then(|| torn(digest, unit, &reads, &versions)).flatten() {
            return Some(complaint(digest, cells, &reads, guilty));
        }
    }
    None
}

/// The reads that leave no moment: the one that takes the last, and one it contradicts if there is one.
fn torn(
    digest: &Digest<'_>,
    unit: usize,
    reads: &[(usize, usize, &Datum)],
    versions: &BTreeMap<usize, Versions<'_>>,
) -> Option<(usize, Option<usize>)> {
    let all = vec![(digest.units[unit].from, digest.units[unit].to)];
    let mut left = all.clone();
    for (at, read) in reads.iter().enumerate() {
        left = common(&left, versions[&read.1].when(read.2));
        if left.is_empty() {
            let here = common(&all, versions[&read.1].when(read.2));
            let against = |other: &usize| common(&here, versions[&reads[*other].1].when(reads[*other].2)).is_empty();
            return Some((at, if here.is_empty() { None } else { (0..at).find(against) }));
        }
    }
    None
}

/// What two lists of stretches have in common; both are sorted, and the first is short.
fn common(left: &[Span], right: &[Span]) -> Vec<Span> {
    let mut found = Vec::new();
    for &(from, to) in left {
        for &(start, end) in &right[..right.partition_point(|span| span.0 <= to)] {
            if end >= from {
                found.push((from.max(start), to.min(end)));
            }
        }
    }
    found.sort_unstable();
    found.dedup_by(|next, last| {
        let joined = next.0 <= last.1;
        if joined {
            last.1 = last.1.max(next.1);
        }
        joined
    });
    found
}

fn complaint(
    digest: &Digest<'_>,
    cells: &[Cell<'_>],
    reads: &[(usize, usize, &Datum)],
    (guilty, against): (usize, Option<usize>),
) -> Finding {
    let (op, cell, value) = reads[guilty];
    let writer = |index: usize, value: &Datum| {
        let wrote = |touch: &&super::cells::Touch<'_>| touch.deed == Deed::Write(value);
        cells[index].touches.iter().find(wrote).map(|touch| touch.op)
    };
    let mut ops = vec![op];
    ops.extend(writer(cell, value));
    let name = cells[cell].name();
    let Some(other) = against.map(|at| reads[at]) else {
        let (anomaly, what) = match value {
            Datum::Null => ("missing-row", format!("does not show {name}, which was there all the time")),
            value => ("phantom", format!("shows {value} under {name}, which was not there at any moment of it")),
        };
        // The write that must have been seen says more than the one that was.
        let last = |touch: &&super::cells::Touch<'_>| {
            touch.deed.writes()
                && digest.fate(touch.op) == Fate::Sure
                && digest.units[digest.ops[touch.op].unit].to < digest.units[digest.ops[op].unit].from
        };
        ops.extend(cells[cell].touches.iter().rev().find(last).map(|touch| touch.op));
        return finding(digest, anomaly, format!("A scan {what}."), vec![name], ops);
    };
    ops.push(other.0);
    ops.extend(writer(other.1, other.2));
    let (first, second) = (cells[other.1].name(), name);
    let sentence =
        format!("A scan is torn: there was no moment at which {first} held {} and {second} held {value}.", other.2);
    finding(digest, "torn-scan", sentence, vec![first, second], ops)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Scan;
    use crate::engine::{Durability, Isolation};
    use crate::property::drawn::{check_with, promises};

    fn check(text: &str, expected: Expect) {
        check_with(&mut Scan, text, |_| {}, expected);
    }

    #[test]
    fn a_scan_may_see_what_is_under_way_or_not() {
        for rows in ["{a:1 b:2}", "{a:1}", "{a:1 b:2 c:3}"] {
            let text = format!(
                "
                c0: |- w a 1 -|   |------ w b 2 ------|
                c1:                 |-- w c 3 --|
                c2:               |--- scan a z {rows} ---|"
            );
            check(&text, expect!["holds, 1 compared"]);
        }
    }

    #[test]
    fn a_row_that_was_there_all_the_time_is_shown() {
        let text = "
            c0: |- w a 1 -|  |- w b 2 -|
            c1:                           |- scan a z {b:2} -|";
        check(
            text,
            expect![[r#"
            missing-row in turn 61 at a by [0, 2]: A scan does not show a, which was there all the time.
              operation 0 of process 0: write a c0.1.0, acknowledged in turn 26
              operation 2 of process 1: scan ["a" "z"], answered {b: c0.2.0} in turn 61"#]],
        );
    }

    #[test]
    fn a_row_that_was_deleted_before_is_a_phantom() {
        let text = "
            c0: |- w a 1 -|  |- del a -|
            c1:                           |- scan a z {a:1} -|";
        check(
            text,
            expect![[r#"
            phantom in turn 61 at a by [0, 1, 2]: A scan shows c0.1.0 under a, which was not there at any moment of it.
              operation 0 of process 0: write a c0.1.0, acknowledged in turn 26
              operation 1 of process 0: delete a, answered true in turn 39
              operation 2 of process 1: scan ["a" "z"], answered {a: c0.1.0} in turn 61"#]],
        );
    }

    #[test]
    fn a_scan_of_two_moments_is_torn() {
        let text = "
            c0: |- w a 1 -|  |- w b 2 -|     |- w a 3 -|  |- w b 4 -|
            c1:                           |---- scan a z {a:1 b:4} -----|";
        check(
            text,
            expect![[r#"
            torn-scan in turn 72 at a, b by [0, 2, 4]: A scan is torn: there was no moment at which a held c0.1.0 and b held c0.4.0.
              operation 0 of process 0: write a c0.1.0, acknowledged in turn 26
              operation 2 of process 1: scan ["a" "z"], answered {a: c0.1.0, b: c0.4.0} in turn 72
              operation 4 of process 0: write b c0.4.0, acknowledged in turn 68"#]],
        );
    }

    #[test]
    fn rows_come_in_order_once_and_from_the_range() {
        let text = |rows: &str| format!("c0: |- [w a 1, w b 2] -|  |- scan a b {rows} -|");
        check(
            &text("{b:2 a:1}"),
            expect![[r#"
            disorder in turn 49 at a by [4]: A scan from a to b shows b before a.
              operation 4 of process 0: scan ["a" "b"], answered {b: c0.2.0, a: c0.1.0} in turn 49"#]],
        );
        check(
            &text("{a:1 a:1 b:2}"),
            expect![[r#"
            duplicate-row in turn 53 at a by [4]: A scan from a to b shows a twice.
              operation 4 of process 0: scan ["a" "b"], answered {a: c0.1.0, a: c0.1.0, b: c0.2.0} in turn 53"#]],
        );
        check(
            &text("{a:1 b:2 c:3}"),
            expect![[r#"
            out-of-range in turn 53 at c by [4]: A scan from a to b shows c, which is outside of it.
              operation 4 of process 0: scan ["a" "b"], answered {a: c0.1.0, b: c0.2.0, c: c0.3.0} in turn 53"#]],
        );
        check(&text("{a:1 b:2}"), expect!["holds, 1 compared"]);
    }

    #[test]
    fn a_transaction_reads_from_one_moment() {
        let text = "
            c0: |- [w a 1, w b 2] -|       |- [w a 3, w b 4] -|
            c1:                         |------ [r a 1, scan b z {b:4}] ------|";
        check(
            text,
            expect![[r#"
            G-single-item in turn 78 at a, b by [4, 5, 6, 7, 8, 9, 10, 11]: 2 transactions on a, b cannot have happened in any order: each comes before the next and the last before the first, which strict-serializable forbids (G-single-item).
              Let T1 = operations 4 to 7 by p1 (r a c0.1.0, r b c0.4.0), T2 = operations 8 to 11 by p0 (w a c0.3.0, w b c0.4.0).
              T1 comes before T2, because T1 read a before T2 wrote c0.3.0 to it.
              However, T1 comes after T2, because T1 read c0.4.0 in b, which T2 wrote: contradiction."#]],
        );
    }

    #[test]
    fn a_snapshot_may_be_old_but_not_of_two_moments() {
        let text = |rows: &str| {
            format!(
                "
                c0: |- [w a 1, w b 2] -|  |- [r a 1, r b 2, w a 3, w b 4] -|
                c1:                                                           |-- [scan a z {rows}] --|"
            )
        };
        let snapshot = |text: &str, expected| {
            check_with(&mut Scan, text, promises(Isolation::Snapshot, Durability::EveryCommit), expected);
        };
        snapshot(&text("{a:1 b:2}"), expect!["holds, 1 compared"]);
        snapshot(
            &text("{a:1 b:4}"),
            expect![[r#"
            G-single-item in turn 105 at a, b by [4, 5, 6, 7, 8, 9, 10, 11, 12]: 2 transactions on a, b cannot have happened in any order: each comes before the next and the last before the first, which snapshot-isolation forbids (G-single-item).
              Let T1 = operations 10 to 12 by p1 (r a c0.1.0, r b c0.4.0), T2 = operations 4 to 9 by p0 (r a c0.1.0, r b c0.2.0, w a c0.3.0, w b c0.4.0).
              T1 comes before T2, because T1 read a before T2 wrote c0.3.0 to it.
              However, T1 comes after T2, because T1 read c0.4.0 in b, which T2 wrote: contradiction."#]],
        );
        check(
            &text("{a:1 b:2}"),
            expect![[r#"
            phantom in turn 78 at a by [1, 7, 11]: A scan shows c0.1.0 under a, which was not there at any moment of it.
              operation 1 of process 0: write a c0.1.0, acknowledged in turn 20; its transaction committed
              operation 7 of process 0: write a c0.3.0, acknowledged in turn 42; its transaction committed
              operation 11 of process 1: scan ["a" "z"], answered {a: c0.1.0, b: c0.2.0} in turn 78; its transaction committed"#]],
        );
    }

    #[test]
    fn what_a_transaction_wrote_itself_it_reads_without_a_moment() {
        check("c0: |- [w a 1, scan a z {a:1}] -|", expect!["holds, 1 compared"]);
    }

    #[test]
    fn without_a_scan_nothing_is_compared() {
        check("c0: |- w a 1 -|  |- r a 1 -|", expect!["inconclusive: nobody scanned anything"]);
    }
}
