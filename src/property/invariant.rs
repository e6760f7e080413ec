//! A query that must always answer the same does.
//!
//! It looks at operations named `invariant`, of which the argument is the answer they must have: the cells, row by
//! row. Alone or in a transaction that committed, each must hold in whatever state it was answered. Where an engine
//! promises that nothing survives a crash, what came after the first proves nothing.

use super::digest::{Digest, Fate, Op};
use super::{Finding, Judgement, Property, RunRecord};
use crate::engine::{Durability, Isolation};
use crate::history::Datum;

/// Queries answer what they must.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invariant;

impl Property for Invariant {
    fn name(&self) -> &'static str {
        "invariant"
    }

    fn about(&self) -> &'static str {
        "every query that must always answer the same does"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        if run.promises.isolation == Isolation::ReadCommitted {
            return Judgement::inconclusive("read committed does not promise that a query sees one state");
        }
        let digest = Digest::new(run.history);
        let eras = if run.promises.durability == Durability::None { 1 } else { u32::MAX };
        let mut compared = 0;
        for (index, op) in digest.ops.iter().enumerate().filter(|(_, op)| op.call.f == "invariant" && op.era < eras) {
            let (Some(Datum::List(rows)), Datum::List(expected)) = (op.answer(), &op.call.arg) else { continue };
            if digest.fate(index) != Fate::Sure {
                continue;
            }
            compared += 1;
            let cells = rows.iter().flat_map(|row| if let Datum::List(cells) = row { &cells[..] } else { &[] });
            if !cells.eq(expected) {
                return Judgement::violated(finding(&digest, index, op, rows), compared);
            }
        }
        Judgement::settle(compared, "no query that must always answer the same was answered")
    }
}

fn finding(digest: &Digest<'_>, index: usize, op: &Op<'_>, rows: &[Datum]) -> Finding {
    let name = op.call.key.as_deref().unwrap_or("without a name");
    let shown = match rows {
        [] => "no row".to_string(),
        [Datum::List(cells)] if cells.len() == 1 => cells[0].to_string(),
        rows => rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    };
    let expected = match &op.call.arg {
        Datum::List(cells) if cells.is_empty() => "no row".to_string(),
        Datum::List(cells) => cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    Finding {
        property: "invariant".into(),
        anomaly: "broken-invariant".into(),
        sentence: format!("The query {name} answered {shown} instead of {expected}."),
        resources: vec![name.to_string()],
        ops: digest.ids([index]),
        turn: op.turn,
        proof: vec![digest.say(index)],
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::history::{Call, CrashKind, Fact, History, Outcome};

    /// Queries that must answer `[4]`, and what they answered; `CRASH` between them.
    fn check(durability: Durability, answers: &str, expected: Expect) {
        let mut history = History::new();
        for (turn, word) in (1..).zip(answers.split_whitespace()) {
            if word == "CRASH" {
                history.push(turn, 0, Fact::Crash { kind: CrashKind::Power });
                history.push(turn, 0, Fact::Recovered);
                continue;
            }
            let four = Datum::List(vec![Datum::Int(4)]);
            let op = history.invoke(turn, 0, None, Call { f: "invariant", key: Some("sum".into()), arg: four });
            let rows =
                word.split(',').filter_map(|cell| cell.parse().ok()).map(|cell| Datum::List(vec![Datum::Int(cell)]));
            let outcome = Outcome::Ok(Datum::List(rows.collect()));
            history.push(turn, 0, Fact::Return { op, outcome, order: None });
        }
        let isolation = Isolation::StrictSerializable;
        let promised = crate::engine::Promises { isolation, durability };
        let record = RunRecord { history: &history, promises: promised, facts: &[], media_faults: 0, betrayed: false };
        let judgement = Invariant.judge(&record);
        let shown = match judgement.verdict {
            super::super::Verdict::Holds => "holds".to_string(),
            super::super::Verdict::Violated(finding) => finding.sentence.clone(),
            super::super::Verdict::Inconclusive(reason) => reason,
        };
        expected.assert_eq(&format!("{shown} ({} compared)", judgement.compared));
    }

    #[test]
    fn the_same_answer_every_time_holds() {
        check(Durability::EveryCommit, "4 4 CRASH 4", expect!["holds (3 compared)"]);
    }

    #[test]
    fn another_answer_is_noticed_and_so_is_a_row_too_many_or_too_few() {
        check(Durability::EveryCommit, "4 5", expect!["The query sum answered 5 instead of 4. (2 compared)"]);
        check(Durability::EveryCommit, "4,4", expect!["The query sum answered [4] [4] instead of 4. (1 compared)"]);
        check(Durability::EveryCommit, "-", expect!["The query sum answered no row instead of 4. (1 compared)"]);
    }

    #[test]
    fn what_survives_a_crash_is_nobodys_business_where_nothing_is_promised() {
        check(Durability::None, "4 CRASH 5", expect!["holds (1 compared)"]);
        check(Durability::AtCheckpoint, "4 CRASH 5", expect!["The query sum answered 5 instead of 4. (2 compared)"]);
    }

    #[test]
    fn a_history_without_such_queries_proves_nothing() {
        let nothing = expect!["no query that must always answer the same was answered (0 compared)"];
        check(Durability::EveryCommit, "", nothing);
    }
}
