//! Failures that were found once: each case under `workloads/pinned/` shows its finding for ever.

use std::path::{Path, PathBuf};

use squall::scenario::{Case, Registry};
use squall::tape::Tape;

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
        let finding = run.findings.first().unwrap_or_else(|| panic!("{} is no longer found", path.display()));
        let bucket = (finding.property.as_str(), finding.anomaly.as_str());
        assert_eq!(bucket, (case.finding.property.as_str(), case.finding.anomaly.as_str()), "{}", path.display());
    }
    if !skipped.is_empty() {
        println!("skipped, because their engine is not compiled in:\n  {}", skipped.join("\n  "));
    }
}
