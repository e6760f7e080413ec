//! `bench-power` from outside: the same numbers every time, an interruption survived, and a page that is complete.

use std::path::Path;
use std::process::{Command, Output};

use squall::scenario::Registry;

/// Runs the program itself, whose engines have bugs; the example's engine has none in the folder of scenarios.
fn squall(args: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    let Output { status, stdout, stderr } = command.args(args.split_whitespace()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

const LITTLE: &str =
    "bench-power --quick --bugs lost-update,page-read-twice --contenders random,portfolio --format json";

#[test]
fn the_same_numbers_come_out_with_any_number_of_workers_and_in_two_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("starts.jsonl");
    let (code, whole, err) = squall(&format!("{LITTLE} --jobs 2"));
    assert_eq!(code, 0, "{err}");
    let resumed = format!("{LITTLE} --jobs 1 --resume {}", file.display());
    assert_eq!(squall(&resumed).1, whole);
    // As if somebody had ended it in the middle of a line.
    let text = std::fs::read_to_string(&file).unwrap();
    let starts = text.lines().count();
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    assert_eq!(squall(&resumed).1, whole);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), starts);
    let value: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let runs = |bug: usize| value["bugs"][bug]["contenders"][1]["runs_to_finding"].as_array().unwrap().clone();
    assert_eq!(runs(0).len(), 5);
    assert!(runs(0).iter().all(|runs| runs.as_u64().is_some_and(|runs| (1..=200).contains(&runs))), "{whole}");
    assert_eq!(runs(1), [serde_json::Value::Null], "nothing may be found in a harmless change");
}

#[test]
fn a_bug_that_does_not_exist_is_refused_with_the_nearest() {
    let (code, out, err) = squall("bench-power --quick --bugs lost-updaet");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("--bugs: `lost-updaet` is not known; did you mean `lost-update`?"), "{err}");
}

#[test]
fn the_page_of_figures_has_a_row_for_every_bug() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/power.md");
    let page = std::fs::read_to_string(page).unwrap();
    let registry = Registry::standard();
    let bugs = registry.engines().flat_map(|(info, _)| info.bugs);
    let missing: Vec<_> = bugs.map(|bug| bug.name).filter(|name| !page.contains(&format!("| {name} |"))).collect();
    assert!(missing.is_empty(), "`squall bench-power --md > docs/power.md`: {missing:?}");
}
