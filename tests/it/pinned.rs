//! Failures that were found once: each case under `workloads/pinned/` shows its finding for ever, in the same run, turn
//! for turn, as the process that stored it.

use std::path::{Path, PathBuf};

use squall::scenario::{Case, Registry};
use squall::tape::{Actor, ENGINE, Tape};

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            cases(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "case") {
            found.push(path);
        }
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn every_pinned_case_is_found_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/pinned");
    let (registry, mut found, mut skipped) = (Registry::standard(), Vec::new(), Vec::new());
    cases(&folder, &mut found);
    found.sort();
    assert!(found.len() >= 5, "the cases are gone: {found:?}");
    for path in &found {
        let case = Case::read(path).unwrap();
        let choice = &case.configuration.engine;
        let Some((info, _)) = registry.engines().find(|(info, _)| info.name == choice.name) else {
            skipped.push(format!("{} (needs the feature `{}`)", path.display(), choice.name));
            continue;
        };
        assert_eq!(info.version, choice.version, "{} is of another version of the engine", path.display());
        let tape = Tape::recorded(case.seed(), case.decisions.clone().expect("a case that was recorded"));
        let run = registry.run(&case.configuration, case.seed(), Some(&case.plan), tape).unwrap();
        assert_eq!(run.misfit, None, "{}", path.display());
        assert_eq!(Some(run.hash), case.head.hash, "{} is another run than the stored one", path.display());
        let finding = run.findings.first().unwrap_or_else(|| panic!("{} is no longer found", path.display()));
        let bucket = (finding.property.as_str(), finding.anomaly.as_str());
        assert_eq!(bucket, (case.finding.property.as_str(), case.finding.anomaly.as_str()), "{}", path.display());
    }
    if !skipped.is_empty() {
        println!("skipped, because their engine is not compiled in:\n  {}", skipped.join("\n  "));
    }
}

#[test]
fn a_decision_that_fits_no_more_is_named_with_its_turn_its_actor_and_the_place_where_it_stands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/pinned");
    let mut case = Case::read(&folder.join("dirty-read.case")).unwrap();
    // As if the engine had come to wait for an I/O that it did not wait for when the case was found.
    let schedule = &mut case.decisions.as_mut().unwrap().schedule;
    let asks = |actor: &Actor| matches!(actor, Actor::Io { connection, .. } if *connection != ENGINE);
    let io = schedule.iter().position(|segment| asks(&segment.actor)).expect("a connection waits for an I/O");
    let turn = schedule[..io].iter().map(|segment| u64::from(segment.turns)).sum::<u64>() + 1;
    let waits = Actor::Connection(schedule[io].actor.connection().unwrap());
    schedule[io].actor = waits;
    let rerun = Registry::standard().rerun(&case).unwrap();
    let misfit = rerun.misfit.expect("it does not fit");
    let expected = format!("at turn {turn} `{waits}` cannot run: {waits} waits at src/engines/dinghy/");
    assert!(misfit.starts_with(&expected) && misfit.contains("; after that: "), "{misfit}, and not {expected}");
    // The plan was tried under the same policy and seed.
    assert!(rerun.shows_it || rerun.from_plan, "{}", rerun.sentence);
}
