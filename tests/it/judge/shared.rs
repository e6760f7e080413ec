//! Histories with known verdicts, read from the folder that `SQUALL_HISTORIES` names.

use std::path::PathBuf;

use serde_json::Value as Json;
use squall::judge::check::{self, Options};
use squall::judge::formats::{self, Content};
use squall::judge::{Consistency, Isolation, KeyOrder, Verdict, list_append, rw_register};

/// The folder, if it is there.
#[allow(clippy::print_stderr)]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SQUALL_HISTORIES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: SQUALL_HISTORIES is not set");
    }
    folder
}

/// One line of the file of cases.
struct Case {
    id: String,
    isolation: Isolation,
    json: Json,
}

fn cases(kind: &str) -> Option<Vec<Case>> {
    let text = std::fs::read_to_string(folder()?.join("isolation_cases.jsonl")).expect("the cases");
    let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    let wanted = lines.filter(|json| json["kind"] == kind && json["unstable"] != Json::Bool(true));
    Some(wanted.map(case).collect())
}

/// Events without invocations are taken as transactions that all ran at the same time.
fn case(json: Json) -> Case {
    let mut events = json["history"].as_array().expect("events").clone();
    if !events.iter().any(|event| event["type"] == "invoke") {
        let mut both = Vec::new();
        for (at, event) in events.iter_mut().enumerate() {
            event["process"] = at.into();
            let mut invoke = event.clone();
            invoke["type"] = "invoke".into();
            both.push(invoke);
        }
        both.append(&mut events);
        events = both;
    }
    let text = Json::Array(events).to_string();
    let id = json["id"].as_str().expect("an id").to_string();
    let loaded = formats::read(&id, &text).unwrap_or_else(|error| panic!("{error}"));
    let Content::Transactions(history) = loaded.content else { panic!("{id}: transactions") };
    let isolation = if json["checker"] == "list-append" {
        list_append(&history)
    } else {
        rw_register(&history, KeyOrder::default())
    };
    Case { id, isolation, json }
}

/// Where Elle misses something: the case, and what. `docs/checking.md` has the arguments.
const ELLE_IS_WRONG: [(&str, &str); 13] = [
    ("elle-test/067/models", "garbage-read"),
    ("elle-test/068/models", "garbage-read"),
    ("elle-test/070/models", "causality-process"),
    ("elle-test/086/models", "garbage-read"),
    ("elle-test/087/models", "garbage-read"),
    ("elle-test/090/models", "garbage-read"),
    ("elle-test/091/models", "garbage-read"),
    ("elle-test/092/models", "causality-process"),
    ("elle-test/093/models", "garbage-read"),
    ("probe/thin-air register read (2 never written)", "garbage-read"),
    ("probe/elle-cli #47: swapped stale reads", "causality-process"),
    ("probe/stale read on a register after newer write completed (real time)", "G-single-item-realtime"),
    ("probe/non-serializable rw with unknown version order: w1 w2 concurrent, readers disagree", "fractured-read"),
];

fn verdict(isolation: &Isolation, model: &str) -> Option<bool> {
    let model = Consistency::named(model).unwrap_or_else(|| panic!("no model {model}"));
    match isolation.judge(model).verdict {
        Verdict::Holds => Some(true),
        Verdict::Violated(_) => Some(false),
        Verdict::Inconclusive(_) => None,
    }
}

#[test]
fn the_truth_is_found_where_it_is_given() {
    for case in cases("models").into_iter().flatten() {
        for model in ["serializable", "strict-serializable"] {
            if let Some(truth) = case.json["truth"][model].as_bool() {
                assert_eq!(verdict(&case.isolation, model), Some(truth), "{} {model}", case.id);
            }
        }
    }
}

#[test]
fn every_model_is_judged_as_by_elle_where_elle_is_right() {
    let mut differ = Vec::new();
    for case in cases("models").into_iter().flatten() {
        let missed = ELLE_IS_WRONG.iter().find(|(id, _)| case.id == *id);
        for (model, elle) in case.json["by_model"]["default"].as_object().expect("models") {
            let given = case.json["truth"][model.as_str()].as_bool();
            let Some(valid) = given.or_else(|| elle["valid"].as_bool()) else {
                continue;
            };
            let ours = verdict(&case.isolation, model);
            // Nothing to compare is not green here.
            let idle = ours.is_none() && valid;
            let shows = |kind: &str| case.isolation.anomalies.iter().any(|a| a.kind == kind);
            let known = valid && ours == Some(false) && missed.is_some_and(|(_, kind)| shows(kind));
            if ours != Some(valid) && !idle && !known {
                let kinds: Vec<&str> = case.isolation.anomalies.iter().map(|a| a.kind.as_str()).collect();
                differ.push(format!("{} {model}: Elle {valid}, ours {ours:?} {kinds:?}", case.id));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn whoppers_files_are_judged_as_they_are() {
    let Some(folder) = folder() else {
        return;
    };
    for (file, consistency, expected) in [
        ("whopper-wal-list-append.edn", "serializable", "holds"),
        ("whopper-wal-list-append.edn", "strict-serializable", "violated"),
        ("whopper-mvcc-rw-register.edn", "snapshot-isolation", "holds"),
        // Elle finds nothing here; six of the transactions have no serial order.
        ("whopper-mvcc-rw-register.edn", "serializable", "violated"),
        ("whopper-mvcc-rw-register.edn", "strong-snapshot-isolation", "holds"),
    ] {
        let options = Options { consistency: Some(consistency.into()), ..Options::of(folder.join(file)) };
        let report = check::run(&options).expect("a history");
        assert_eq!(report.verdict, expected, "{file} {consistency}: {report}");
    }
}
