//! `failure.json`, the page and the exports of planted bugs.

use squall::explain::{ExplainBounds, explain};
use squall::report::{self, Extent, Failure, Row, Rows, Table, export, file};
use squall::scenario::{Case, FORMAT, Head, Known, Registry};
use squall::tape::Tape;
use squall::trace::Level;

use super::{Failed, failure};

/// The report of a failure, as if its case lay in `7.case`.
fn of(failed: &Failed) -> Failure {
    let (configuration, seed, result, trace, finding) = failed;
    let head = Head {
        format: FORMAT,
        squall: "0.1.0".into(),
        program: "squall".into(),
        build: None,
        scenario: "planted/one".into(),
        seed: seed.to_string(),
        bucket: "bucket-1".into(),
        known: Known::default(),
        hash: Some(result.hash),
        turns: result.turns,
    };
    let case = Case {
        head,
        finding: finding.clone(),
        original: None,
        shrunk: None,
        configuration: configuration.clone(),
        plan: toml::Table::new(),
        decisions: None,
        timeline: None,
    };
    let original = Extent { turns: result.turns, ..Extent::default() };
    Failure::new(&case, "7.case", original, trace, None)
}

/// The report of a pinned case, as `run` writes it.
fn pinned(name: &str) -> Failure {
    let registry = Registry::standard();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("workloads/pinned/{name}.case"));
    let case = Case::read(&path).unwrap();
    let why = explain(&registry, &case, ExplainBounds::of_report(), &mut |_, _| true).unwrap().expect("it fails");
    let tape = Tape::recorded(case.seed(), case.decisions.clone().expect("it was recorded"));
    let traced = registry.run_traced(&case.configuration, case.seed(), Some(&case.plan), tape, Level::State, None);
    Failure::new(&case, "7.case", Extent::default(), &traced.unwrap().1, Some(&why))
}

fn schema() -> jsonschema::Validator {
    let schema = std::fs::read_to_string("reports/schema/failure.v1.json").unwrap();
    jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
}

#[test]
fn a_lost_update_needs_the_switch_between_anothers_read_and_its_write() {
    let failure = pinned("lost-update");
    let Table { columns, rows, .. } = &failure.table;
    let says = |rows: &[Row], column: usize, word: &str| rows.iter().any(|row| row.cells[column].contains(word));
    // One of the two has begun and added what it read; its commit comes after the turn in which the other goes on.
    let between = rows.iter().enumerate().filter(|(_, row)| row.necessary).any(|(at, row)| {
        (0..columns.len()).filter(|&column| columns[column].name != row.actor).any(|column| {
            says(&rows[..at], column, "add k0000")
                && !says(&rows[..at], column, "commit")
                && says(&rows[at..], column, "commit → ok")
        })
    });
    assert!(between, "{}", failure.table.plain());
    assert!(failure.table.plain().contains("★") && failure.table.markdown().contains("★"));
}

#[test]
fn a_report_says_what_the_failure_needs_and_where_it_became_likely() {
    let schema = schema();
    for name in ["lost-update", "dirty-read", "leaked-lock-after-abandonment"] {
        let failure = pinned(name);
        let json: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert_eq!(serde_json::from_value::<Failure>(json.clone()).unwrap(), failure, "{name}");
        let necessity = failure.necessity.as_ref().unwrap();
        // Every decision that is necessary has its row, with its star.
        for turn in necessity.turns() {
            let row = failure.table.rows.iter().find(|row| row.turn == turn);
            assert!(row.is_some_and(|row| row.necessary), "{name}, turn {turn}:\n{}", failure.table.plain());
        }
        assert!(necessity.marks.iter().any(|mark| mark.necessary), "{name}: {necessity:?}");
        let likelihood = failure.likelihood.as_ref().unwrap();
        let last = likelihood.points.last().unwrap();
        assert!(likelihood.points.len() > 5 && last.failed == last.runs && likelihood.cut.is_none(), "{likelihood:?}");
        for text in [report::markdown(&failure), report::plain(&failure)] {
            for says in ["how likely it was after turns 0 to ", "nearest run that passes: ", "★"] {
                assert!(text.contains(says), "{name}: no {says} in\n{text}");
            }
        }
        let mut bad = json;
        bad["likelihood"]["points"][0]["failed"] = serde_json::json!("all");
        assert!(!schema.is_valid(&bad), "the schema lets anything through");
    }
}

#[test]
fn failure_json_keeps_to_its_schema_and_is_read_back() {
    let schema = schema();
    for name in ["lost-update", "acknowledge-before-sync", "lost-wakeup"] {
        let failure = of(&failure(&format!("planted/{name}")));
        let json: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert_eq!(serde_json::from_value::<Failure>(json.clone()).unwrap(), failure, "{name}");
        let mut bad = json;
        bad["original"]["turns"] = serde_json::json!(-1);
        assert!(!schema.is_valid(&bad), "the schema lets anything through");
    }
}

#[test]
fn whatever_an_engine_says_stays_data_in_the_page_and_text_in_the_exports() {
    let mut failure = of(&failure("planted/lost-update"));
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{1b}[2J {{trace}}";
    failure.verdict = evil.into();
    failure.finding.property = evil.into();
    failure.table.rows[0].io = evil.into();
    failure.proof.lines = vec![evil.into()];
    let page = report::page(&failure, b"trace", None);
    assert_eq!(page.matches("</script").count(), 4, "an element ends early");
    assert!(!page.contains("<img") && !page.contains("<script>alert"));
    assert_eq!(page.matches(&*base64(b"trace")).count(), 1, "what is put in was looked at again");
    // A backslash makes a mark of Markdown a plain letter.
    for text in [export::svg(&failure), report::markdown(&failure).replace("\\<", "")] {
        assert!(!text.contains("<img") && !text.contains("<script>"), "{text}");
    }
    assert!(!report::plain(&failure).contains('\u{1b}'));
    assert!(!export::dot(&failure).lines().any(|line| line.contains("\"'&") && !line.contains("\\\"'&")));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn the_page_asks_for_nothing_and_runs_only_its_own_script() {
    let failed = failure("planted/lost-update");
    let failure = of(&failed);
    let rows = Rows::new(&failed.3);
    let page = report::page(&failure, &file::write(&failure.header(Level::State, 1), &rows), None);
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    for request in ["<link", "@import", "url(", "http://", "https://", "fetch(", "XMLHttpRequest", "innerHTML"] {
        let allowed = page.matches("http://www.w3.org/2000/svg").count();
        let found = page.matches(request).count() - if request == "http://" { allowed } else { 0 };
        assert_eq!(found, 0, "{request}");
    }
}

#[test]
fn the_history_of_a_run_survives_its_export_to_edn() {
    let (_, _, result, ..) = failure("planted/dirty-read");
    let text = export::edn(&result.history, squall::engine::Durability::EveryCommit);
    let loaded = squall::judge::formats::read("a.edn", &text).unwrap();
    let squall::judge::formats::Content::Transactions(history) = loaded.content else { panic!("no transactions") };
    assert!(history.txns().len() > 10);
}

#[test]
fn slices_of_an_export_end_and_none_overlaps_another_of_its_track() {
    let (_, _, _, trace, _) = failure("planted/acknowledge-before-sync");
    let rows = Rows::new(&trace);
    let value: serde_json::Value = serde_json::from_str(&export::chrome(&rows)).unwrap();
    let mut ends = std::collections::BTreeMap::new();
    let mut slices = 0;
    for event in value["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X") {
        let (start, duration) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap());
        let end = ends.entry(event["tid"].as_u64().unwrap()).or_insert(0);
        assert!(*end <= start, "{event} begins before {end}");
        *end = start + duration;
        slices += 1;
    }
    assert!(slices > 100 && !export::perfetto(&rows).is_empty(), "{slices}");
}
