//! Explanations of pinned failures.

use squall::explain::{ExplainBounds, Explanation, FlipKind, explain, necessity};
use squall::scenario::{Case, Registry};

const BOUNDS: ExplainBounds = ExplainBounds { flips_max: 200, prefixes: 6, continuations: 8, turns_max: u64::MAX };

fn case(name: &str) -> Case {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/pinned");
    Case::read(&folder.join(format!("{name}.case"))).unwrap()
}

fn explained(name: &str) -> Explanation {
    explain(&Registry::standard(), &case(name), BOUNDS, &mut |_, _| true).unwrap().expect("it fails")
}

#[test]
fn a_race_needs_a_switch_and_the_nearest_passing_run_is_one_switch_away() {
    let explanation = explained("dirty-read");
    let needed = explanation.necessity.marks.iter().filter(|mark| mark.necessary);
    assert!(needed.clone().count() > 0, "{explanation:#?}");
    assert!(needed.clone().all(|mark| mark.kind == FlipKind::Switch), "{explanation:#?}");
    let nearest = explanation.nearest.expect("a run that passes is one decision away");
    assert!(needed.clone().any(|mark| mark.what == nearest.edit && mark.turn == Some(nearest.turn)), "{nearest:?}");
    assert_ne!(nearest.failing, nearest.passing);
}

#[test]
fn a_lock_leaked_by_an_abandonment_needs_the_abandonment() {
    let registry = Registry::standard();
    let found = necessity(&registry, &case("leaked-lock-after-abandonment"), BOUNDS).unwrap().expect("it fails");
    let faults: Vec<_> = found.marks.iter().filter(|mark| mark.kind == FlipKind::Fault).collect();
    assert!(
        !faults.is_empty() && faults.iter().all(|mark| mark.necessary && mark.what.contains("abandon")),
        "{found:#?}"
    );
}

#[test]
fn once_all_decisions_are_made_the_failure_is_certain() {
    for name in ["dirty-read", "lost-update", "push-before-yield"] {
        let explanation = explained(name);
        let last = explanation.likelihood.last().unwrap();
        assert_eq!((last.failed, last.runs), (8, 8), "{name}: {explanation:#?}");
        assert!(explanation.cut.is_none());
    }
}

#[test]
fn an_explanation_is_a_function_of_its_case() {
    assert_eq!(explained("lost-update"), explained("lost-update"));
}

#[test]
fn a_case_that_fails_no_more_is_not_explained() {
    let mut fixed = case("dirty-read");
    fixed.configuration.engine.bugs.clear();
    let explanation = explain(&Registry::standard(), &fixed, BOUNDS, &mut |_, _| true).unwrap();
    assert_eq!(explanation, None);
}
