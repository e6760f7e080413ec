//! Every value that is read was written before, to the key under which it is read.
//!
//! It does not ask whether the value should still be there, nor in which order things happened. It watches
//! the run as it goes by, so that a run ends at its first garbage.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Finding, Judgement, Property, RunRecord};
use crate::history::{Call, Datum, Event, Fact, OpId, Outcome, ValueId};

/// Where a value may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Home {
    /// Under this key.
    Key(Option<Arc<str>>),
    /// Wherever a statement of the user's own has put it.
    Anywhere,
}

/// No value comes from nowhere.
#[derive(Clone, Debug, Default)]
pub struct Garbage {
    /// Who asked for each value to be written, and where.
    written: BTreeMap<ValueId, (Home, OpId)>,
    /// What each operation under way is about, by its process: a process does one thing at a time.
    under_way: BTreeMap<u32, (OpId, &'static str, Option<Arc<str>>)>,
    seen: usize,
    compared: u64,
    found: Option<Finding>,
}

impl Property for Garbage {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn about(&self) -> &'static str {
        "every value that is read was written before, under that key, and is whole"
    }

    fn observe(&mut self, event: &Event) -> Option<Finding> {
        self.seen += 1;
        match &event.fact {
            Fact::Invoke { op, call, .. } => {
                self.under_way.insert(event.process, (*op, call.f, call.key.clone()));
                if call.f == STATEMENT {
                    let values =
                        if let Datum::List(values) = &call.arg { values } else { std::slice::from_ref(&call.arg) };
                    let named =
                        values.iter().filter_map(|value| if let Datum::Value(id) = value { Some(*id) } else { None });
                    self.written.extend(named.map(|id| (id, (Home::Anywhere, *op))));
                } else if let Some(value) = writes(call) {
                    self.written.insert(value, (Home::Key(call.key.clone()), *op));
                }
                None
            }
            Fact::Return { op, outcome: Outcome::Ok(answer), .. } => {
                let (asked, f, key) = self.under_way.remove(&event.process)?;
                if asked != *op || self.found.is_some() {
                    return None;
                }
                // A statement's own name is no key.
                let place = if f == STATEMENT { Home::Anywhere } else { Home::Key(key) };
                let wrong = self.wrong(&place, answer)?;
                let finding = self.finding(event, f, &wrong);
                self.found = Some(finding.clone());
                Some(finding)
            }
            _ => None,
        }
    }

    fn allows_for_damage(&self) -> bool {
        true
    }

    fn for_image(&self) -> Option<Box<dyn Property>> {
        Some(Box::<Self>::default())
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        for event in run.history.events.iter().skip(self.seen) {
            self.observe(event);
        }
        let Self { compared, found, .. } = std::mem::take(self);
        match found {
            Some(finding) => Judgement::violated(finding, compared),
            None => Judgement::settle(compared, "no operation answered a value that names its writer"),
        }
    }
}

/// What is wrong with a value: the anomaly, the key, what was seen, why, and who else is concerned.
struct Wrong {
    anomaly: &'static str,
    key: Option<Arc<str>>,
    seen: String,
    why: String,
    writer: Option<OpId>,
}

impl Garbage {
    fn wrong(&mut self, place: &Home, answer: &Datum) -> Option<Wrong> {
        let key = if let Home::Key(key) = place { key.as_deref() } else { None };
        match answer {
            Datum::Value(value) => {
                self.compared += 1;
                let (anomaly, why, writer) = match self.written.get(value) {
                    None => ("value-from-nowhere", "nobody had asked for that value to be written".to_string(), None),
                    Some((home, writer)) if home != place && ![home, place].contains(&&Home::Anywhere) => {
                        let home = if let Home::Key(Some(home)) = home { home } else { "no key" };
                        ("misplaced-value", format!("that value was written to {home}"), Some(*writer))
                    }
                    Some(_) => return None,
                };
                Some(Wrong { anomaly, key: key.map(Arc::from), seen: value.to_string(), why, writer })
            }
            Datum::Text(text) if text.starts_with("garbage") => {
                self.compared += 1;
                let bytes = text.trim_start_matches("garbage").trim_start_matches(": ");
                let why = "no operation wrote these bytes".into();
                let (anomaly, seen) = ("garbage", format!("{bytes:?}"));
                Some(Wrong { anomaly, key: key.map(Arc::from), seen, why, writer: None })
            }
            Datum::List(items) => items.iter().find_map(|item| self.wrong(place, item)),
            Datum::Rows(rows) => rows.iter().find_map(|(key, value)| self.wrong(&Home::Key(Some(key.clone())), value)),
            _ => None,
        }
    }

    fn finding(&self, event: &Event, f: &str, wrong: &Wrong) -> Finding {
        let Fact::Return { op, .. } = &event.fact else { unreachable!("only answers are looked at") };
        let key = wrong.key.as_deref().unwrap_or("nothing in particular");
        let mut ops: Vec<OpId> = wrong.writer.into_iter().chain([*op]).collect();
        ops.sort_unstable();
        let mut proof =
            vec![format!("operation {} of process {}: {f} answered {} under {key}", op.0, event.process, wrong.seen)];
        proof.push(
            wrong
                .writer
                .map_or_else(|| wrong.why.clone(), |writer| format!("{}, by operation {}", wrong.why, writer.0)),
        );
        Finding {
            property: self.name().into(),
            anomaly: wrong.anomaly.into(),
            sentence: format!("A {f} answered {} under {key}, but {}.", wrong.seen, wrong.why),
            resources: vec![key.into()],
            ops,
            turn: event.turn,
            proof,
        }
    }
}

/// A statement of which nothing is known but its parameters.
const STATEMENT: &str = "statement";

/// The value that a call asks to be written, if it names its writer.
fn writes(call: &Call) -> Option<ValueId> {
    match (&call.arg, call.f) {
        (Datum::Value(value), _) => Some(*value),
        (Datum::List(pair), "cas") => match pair.get(1)? {
            Datum::Value(value) => Some(*value),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::check;
    use super::Garbage;
    use expect_test::expect;

    #[test]
    fn what_was_asked_for_may_be_read_even_before_it_is_acknowledged() {
        let text = "
            c0: |------- w x 1 -------|  |- a l 2 -|                   |- cas y nil 3 = yes -|
            c1:     |- r x 1 -|                     |- r l [2] -|                                |- scan a z {x:1 y:3} -|
        ";
        check(&mut Garbage::default(), text, expect!["holds, 4 compared"]);
    }

    #[test]
    fn a_value_nobody_wrote_is_garbage() {
        check(
            &mut Garbage::default(),
            "c0: |- w x 1 -|  |- r x 2 -|",
            expect![[r#"
                value-from-nowhere in turn 27 at x by [1]: A read answered c0.2.0 under x, but nobody had asked for that value to be written.
                  operation 1 of process 0: read answered c0.2.0 under x
                  nobody had asked for that value to be written"#]],
        );
    }

    #[test]
    fn a_value_that_is_only_expected_was_not_written() {
        check(
            &mut Garbage::default(),
            "c0: |- cas x 1 2 = no -|  |- r x 1 -|",
            expect![[r#"
                value-from-nowhere in turn 36 at x by [1]: A read answered c0.1.0 under x, but nobody had asked for that value to be written.
                  operation 1 of process 0: read answered c0.1.0 under x
                  nobody had asked for that value to be written"#]],
        );
    }

    #[test]
    fn a_value_read_before_it_was_asked_for_comes_from_nowhere() {
        check(
            &mut Garbage::default(),
            "
            c0:              |- w x 1 -|
            c1:  |- r x 1 -|",
            expect![[r#"
                value-from-nowhere in turn 27 at x by [0]: A read answered c0.1.0 under x, but nobody had asked for that value to be written.
                  operation 0 of process 1: read answered c0.1.0 under x
                  nobody had asked for that value to be written"#]],
        );
    }

    #[test]
    fn a_value_of_another_key_is_misplaced() {
        check(
            &mut Garbage::default(),
            "c0: |- w x 1 -|  |- w y 2 -|  |- scan a z {x:2} -|",
            expect![[r#"
                misplaced-value in turn 49 at x by [1, 2]: A scan answered c0.2.0 under x, but that value was written to y.
                  operation 2 of process 0: scan answered c0.2.0 under x
                  that value was written to y, by operation 1"#]],
        );
    }

    #[test]
    fn bytes_of_nobody_are_shown() {
        check(
            &mut Garbage::default(),
            "c0: |- a x 1 -|  |- r x [1 'garbage: zz'] -|",
            expect![[r#"
                garbage in turn 43 at x by [1]: A read answered "zz" under x, but no operation wrote these bytes.
                  operation 1 of process 0: read answered "zz" under x
                  no operation wrote these bytes"#]],
        );
    }

    #[test]
    fn numbers_say_nothing_about_their_writers() {
        check(
            &mut Garbage::default(),
            "c0: |- add x #1 = #1 -|",
            expect!["inconclusive: no operation answered a value that names its writer"],
        );
    }
}
