//! The engine's own check of itself must find nothing.
//!
//! It does not check anything by itself. Where the media was damaged on purpose, a complaint is the engine
//! noticing it, which is what it owes, and no finding.

use super::{Finding, Judgement, Property, RunRecord};
use crate::history::Fact;

/// The engine finds nothing wrong with itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Integrity;

/// Problems beyond this many are only counted.
const PROBLEMS_MAX: usize = 20;

impl Property for Integrity {
    fn name(&self) -> &'static str {
        "integrity"
    }

    fn about(&self) -> &'static str {
        "the engine's own check of itself finds nothing wrong"
    }

    fn allows_for_damage(&self) -> bool {
        true
    }

    fn for_image(&self) -> Option<Box<dyn Property>> {
        Some(Box::<Self>::default())
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let mut compared = 0;
        for event in &run.history.events {
            let Fact::Checked { problems } = &event.fact else { continue };
            compared += 1;
            let [first, ..] = &problems[..] else { continue };
            if run.media_faults > 0 || run.betrayed {
                continue;
            }
            let others = match problems.len() - 1 {
                0 => String::new(),
                1 => " (and one problem more)".into(),
                more => format!(" (and {more} problems more)"),
            };
            let finding = Finding {
                property: self.name().into(),
                anomaly: "corruption".into(),
                sentence: format!(
                    "The engine found its own data damaged although no disk fault excuses it: {first}{others}."
                ),
                resources: Vec::new(),
                ops: Vec::new(),
                turn: event.turn,
                proof: problems.iter().take(PROBLEMS_MAX).cloned().collect(),
            };
            return Judgement::violated(finding, compared);
        }
        Judgement::settle(compared, "the engine never checked itself")
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{check, check_with, media};
    use super::Integrity;
    use expect_test::expect;

    #[test]
    fn an_engine_that_finds_nothing_holds() {
        check(&mut Integrity, "*: CHECK()   CHECK()", expect!["holds, 2 compared"]);
    }

    #[test]
    fn an_engine_that_finds_something_is_believed() {
        let text = "*:   CHECK()     CHECK(page 7 is used twice; page 9 is lost)";
        check(
            &mut Integrity,
            text,
            expect![[r#"
                corruption in turn 17: The engine found its own data damaged although no disk fault excuses it: page 7 is used twice (and one problem more).
                  page 7 is used twice
                  page 9 is lost"#]],
        );
    }

    #[test]
    fn damage_done_to_the_media_may_be_noticed() {
        check_with(&mut Integrity, "*: CHECK(page 7 has a bad checksum)", media(), expect!["holds, 1 compared"]);
    }

    #[test]
    fn an_engine_that_was_lied_to_cannot_help_it() {
        check_with(&mut Integrity, "*: CHECK(page 7 is lost)", |run| run.betrayed = true, expect!["holds, 1 compared"]);
    }

    #[test]
    fn an_engine_that_was_never_asked_proves_nothing() {
        check(&mut Integrity, "c0: |-- r x nil --|", expect!["inconclusive: the engine never checked itself"]);
    }
}
