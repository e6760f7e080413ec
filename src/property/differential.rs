//! The same commits, one after the other, end in the same content on every engine.
//!
//! The transactions that a run has committed are put into the order in which the engine says it committed them, and
//! asked again, calmly and by one connection, of other engines (and of the same one). What they hold then is what
//! the run must have ended with. It does not look at answers on the way, nor at who could have gone first. A run in
//! which a commit stayed in doubt, or in which the engine does not tell the order, proves nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::digest::{Digest, Fate, NEVER, Unit};
use super::{Finding, Judgement, Property, RunRecord};
use crate::history::{Call, Datum};

/// Keys and what is under them.
pub type Content = BTreeMap<Arc<str>, Datum>;

/// Another engine to ask.
pub trait Reference {
    /// Its name.
    fn name(&self) -> &str;

    /// What it holds after these transactions, each a list of calls, begin and commit included where there are any.
    ///
    /// # Errors
    /// Why it cannot say, as a clause.
    fn replay(&self, transactions: &[Vec<Call>]) -> Result<Content, String>;
}

/// Every engine ends with the same content.
#[derive(Default)]
pub struct Differential {
    references: Vec<Box<dyn Reference>>,
}

impl Differential {
    /// Compares with these.
    #[must_use]
    pub fn with(references: Vec<Box<dyn Reference>>) -> Self {
        Self { references }
    }
}

/// The property's name.
pub const NAME: &str = "differential";

impl Property for Differential {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "the commits of a run, asked again one after the other of other engines, end in the same content"
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let digest = Digest::new(run.history);
        let units = match serial(&digest) {
            Ok(units) => units,
            Err(reason) => return Judgement::inconclusive(reason),
        };
        let calls = |unit: &&Unit| {
            // What found nothing to change is left out: under snapshots another order may give it something.
            let done = |&op: &usize| digest.fate(op) == Fate::Sure && !found_nothing(&digest, op);
            unit.ops.iter().copied().filter(done).map(|op| digest.ops[op].call.clone()).collect()
        };
        let transactions: Vec<Vec<Call>> = units.iter().map(calls).collect();
        let mut compared = 0;
        for reference in &self.references {
            let content = match reference.replay(&transactions) {
                Ok(content) => content,
                Err(reason) => return Judgement { compared, ..Judgement::inconclusive(reason) },
            };
            match compare(&digest, reference.name(), &content) {
                Ok(keys) => compared += keys,
                Err(finding) => return Judgement::violated(*finding, compared + 1),
            }
        }
        Judgement::settle(compared, "there was no other engine, or nothing was read back at the end")
    }
}

/// Whether an operation may change anything.
fn writes(digest: &Digest<'_>, index: usize) -> bool {
    let op = &digest.ops[index];
    let looks =
        matches!(op.call.f, "begin" | "commit" | "rollback" | "read" | "scan" | "contains" | "checkpoint" | "vacuum");
    !looks && !found_nothing(digest, index)
}

/// Whether an operation that may change something says that it did not.
fn found_nothing(digest: &Digest<'_>, op: usize) -> bool {
    let op = &digest.ops[op];
    op.answer() == Some(&Datum::Bool(false)) || op.call.f == "dequeue" && op.answer() == Some(&Datum::Null)
}

/// The units that have committed and may have changed anything, in the order in which the engine says they did.
fn serial<'d>(digest: &'d Digest<'_>) -> Result<Vec<&'d Unit>, String> {
    // What is asked after the last recovery comes after it has been read back.
    let end = digest.recovered.last().copied().flatten().unwrap_or(NEVER);
    let changes =
        |unit: &&Unit| unit.fate != Fate::Never && unit.from < end && unit.ops.iter().any(|&op| writes(digest, op));
    let mut ordered = Vec::new();
    for unit in digest.units.iter().filter(changes) {
        match (unit.fate, unit.order) {
            (Fate::Maybe, _) => return Err("a commit is in doubt".into()),
            (_, None) => return Err("the engine does not say in which order it has committed".into()),
            (_, Some(order)) => ordered.push(((unit.era, order), unit)),
        }
    }
    ordered.sort_by_key(|(place, _)| *place);
    Ok(ordered.into_iter().map(|(_, unit)| unit).collect())
}

/// Compares what was read back after the last recovery; answers how many keys that were.
fn compare(digest: &Digest<'_>, reference: &str, content: &Content) -> Result<u64, Box<Finding>> {
    let Some(recovered) = digest.recovered.last().copied().flatten() else { return Ok(0) };
    let mut compared = 0;
    for (index, op) in digest.ops.iter().enumerate().filter(|(_, op)| op.from > recovered) {
        let Some(answer) = op.answer().filter(|_| digest.fate(index) == Fate::Sure) else { continue };
        let found: Vec<(Arc<str>, &Datum)> = match (op.call.f, &op.call.arg, answer) {
            ("read", _, value) => op.call.key.iter().map(|key| (Arc::clone(key), value)).collect(),
            ("scan", Datum::List(range), Datum::Rows(rows)) => {
                let [Datum::Text(from), Datum::Text(to)] = &range[..] else { continue };
                let found: BTreeMap<&Arc<str>, &Datum> = rows.iter().map(|(key, value)| (key, value)).collect();
                let expected = content.keys().filter(|key| *key >= from && *key <= to);
                let keys: std::collections::BTreeSet<&Arc<str>> = expected.chain(found.keys().copied()).collect();
                keys.into_iter().map(|key| (Arc::clone(key), found.get(key).copied().unwrap_or(&Datum::Null))).collect()
            }
            _ => continue,
        };
        for (key, value) in found {
            compared += 1;
            let expected = content.get(&key).unwrap_or(&Datum::Null);
            if value != expected {
                return Err(Box::new(finding(digest, index, (&key, value), (reference, expected))));
            }
        }
    }
    Ok(compared)
}

fn finding(digest: &Digest<'_>, read: usize, found: (&Arc<str>, &Datum), expected: (&str, &Datum)) -> Finding {
    let (key, value) = found;
    let (reference, other) = expected;
    let touches = |&op: &usize| digest.ops[op].call.key.as_ref() == Some(key) && writes(digest, op);
    let mut ops: Vec<usize> =
        (0..digest.ops.len()).filter(touches).filter(|&op| digest.fate(op) == Fate::Sure).collect();
    // The latest say most.
    ops.drain(..ops.len().saturating_sub(LAST_WRITES));
    ops.push(read);
    Finding {
        property: NAME.into(),
        anomaly: "other-content".into(),
        sentence: format!(
            "The run ends with {value} under {key}; {reference}, asked the same commits one after the other, ends with {other}."
        ),
        resources: vec![key.to_string()],
        proof: ops.iter().map(|&op| digest.say(op)).collect(),
        turn: digest.ops[read].turn,
        ops: digest.ids(ops),
    }
}

/// So many writes of a key are shown.
const LAST_WRITES: usize = 6;

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::property::drawn;

    /// A register that remembers the last write of each key.
    struct Registers;

    impl Reference for Registers {
        fn name(&self) -> &str {
            "registers"
        }

        fn replay(&self, transactions: &[Vec<Call>]) -> Result<Content, String> {
            let mut content = Content::new();
            for call in transactions.iter().flatten().filter(|call| call.f == "write") {
                content.insert(call.key.clone().expect("a key"), call.arg.clone());
            }
            Ok(content)
        }
    }

    fn check(text: &str, expected: Expect) {
        drawn::check(&mut Differential::with(vec![Box::new(Registers)]), text, expected);
    }

    const END: &str = "
            *:                                                                     CRASH  RECOVERED";

    #[test]
    fn the_order_of_commits_decides_and_not_that_of_answers() {
        check(
            &format!("
            c0: |------------- [w x 1] ------------|@2
            c1:    |- [w x 2] -|@1    |- [w x 3] -!{END}
            c2:                                                                                       |- scan a z {{x:1}} -|"),
            expect!["holds, 1 compared"],
        );
        check(
            &format!(
                "
            c0: |------------- [w x 1] ------------|@1
            c1:    |- [w x 2] -|@2{END}
            c2:                                                                                       |- [r x 1] -|"
            ),
            expect![[r#"
                other-content in turn 102 at x by [1, 4, 7]: The run ends with c0.1.0 under x; registers, asked the same commits one after the other, ends with c0.2.0.
                  operation 1 of process 0: write x c0.1.0, acknowledged in turn 16; its transaction committed
                  operation 4 of process 1: write x c0.2.0, acknowledged in turn 19; its transaction committed
                  operation 7 of process 2: read x, answered c0.1.0 in turn 102; its transaction committed"#]],
        );
    }

    #[test]
    fn a_row_too_many_or_too_few_differs() {
        check(
            &format!("
            c0: |- [w x 1] -|@1{END}
            c2:                                                                                       |- scan a z {{}} -|"),
            expect![[r#"
                other-content in turn 118 at x by [1, 3]: The run ends with nil under x; registers, asked the same commits one after the other, ends with c0.1.0.
                  operation 1 of process 0: write x c0.1.0, acknowledged in turn 16; its transaction committed
                  operation 3 of process 2: scan ["a" "z"], answered {} in turn 118"#]],
        );
    }

    #[test]
    fn doubt_and_silence_prove_nothing() {
        check(
            &format!(
                "
            c0: |- [w x 1] -?{END}
            c2:                                                                                       |- [r x 1] -|"
            ),
            expect!["inconclusive: a commit is in doubt"],
        );
        check(
            &format!(
                "
            c0: |- [w x 1] -|{END}
            c2:                                                                                       |- [r x 1] -|"
            ),
            expect!["inconclusive: the engine does not say in which order it has committed"],
        );
    }
}
