//! The results of a campaign, written to its folder and to standard output.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Format, ReportArgs};
use super::exit::Failure;
use super::screen::{plain, print, say};
use super::{github, junit, markdown};
use crate::campaign::{self, COVERAGE_FILE, Coverage, EngineCoverage, New, Outcome, Progressed, Store, Summary};

/// What a campaign came to, and for whom it is written down.
pub(super) struct Results<'a> {
    pub(super) program: &'a str,
    pub(super) summary: &'a Summary,
    pub(super) outcome: &'a Outcome,
    pub(super) jobs: usize,
    pub(super) as_expected: bool,
    pub(super) format: Format,
}

impl Results<'_> {
    /// Writes the folder of results: the summary, what differs from machine to machine, a page, and an issue's
    /// body for each bucket.
    pub(super) fn write(&self, store: &Store) -> Result<(), Failure> {
        let Self { program, summary, outcome, .. } = self;
        let value = serde_json::to_value(summary).map_err(Failure::own)?;
        let write = |name: &str, text: &str| store.write(name, text).map(drop).map_err(Failure::own);
        write("summary.json", &pretty(&value))?;
        write("timing.json", &pretty(&timing(summary, outcome, self.jobs)))?;
        for (found, finding) in outcome.findings.iter().zip(&summary.findings) {
            let issue = markdown::issue(program, outcome, found, finding);
            write(&format!("{}/issue.md", finding.bucket), &issue)?;
        }
        let coverage = serde_json::to_string(&outcome.coverage).map_err(Failure::own)?;
        if !outcome.coverage.engines.is_empty() {
            write(COVERAGE_FILE, &format!("{coverage}\n"))?;
        }
        let coverage = Some(coverage.as_str()).filter(|_| !outcome.coverage.engines.is_empty());
        write("index.html", &campaign::page(store.folder(), summary, outcome, coverage))
    }

    /// Tells whoever runs the program.
    pub(super) fn report(&self, args: &ReportArgs) -> Result<(), Failure> {
        let Self { summary, outcome, .. } = self;
        if let Some(path) = &args.junit {
            let xml = junit::xml(summary, outcome, self.as_expected).map_err(Failure::own)?;
            let written = std::fs::write(path, xml);
            written.with_context(|| format!("{}: cannot be written", path.display())).map_err(Failure::own)?;
        }
        if args.github {
            let lines = github::annotations(summary);
            // A workflow reads both streams; programs that read results read only one.
            match self.format {
                Format::Human => print(&lines)?,
                Format::Json | Format::Jsonl => say(lines.trim_end()),
            }
            github::append_step_summary(summary)?;
        }
        Ok(())
    }
}

/// Places that an earlier campaign of this very program reached are known, and can be missed.
pub(super) fn recall_coverage(coverage: &mut Coverage, store: &Store) {
    coverage.build = campaign::build_fingerprint();
    let path = store.path(COVERAGE_FILE);
    let Ok(text) = std::fs::read_to_string(&path) else { return };
    match Coverage::parse(&text) {
        Ok(earlier) => coverage.remember(&earlier),
        Err(reason) => say(&format!("{}: {}; it is written anew", path.display(), plain(&reason))),
    }
}

fn timing(summary: &Summary, outcome: &Outcome, jobs: usize) -> Value {
    let pace = &outcome.pace;
    let elapsed = pace.elapsed.as_secs_f64().max(0.001);
    let last = pace.samples.last();
    let runs = last.map_or(summary.runs, |last| last.runs);
    json!({
        "v": campaign::VERSION,
        "type": "timing",
        "elapsed_ms": pace.elapsed.as_millis() as u64,
        "jobs": jobs,
        "runs_per_second": (runs as f64 / elapsed).round(),
        "turns_per_second": (summary.turns as f64 / elapsed).round(),
        "workers_lost": pace.workers_lost,
        "runs_repeated": pace.repeated,
        "runs_resumed": pace.resumed,
        "budget_spent": outcome.manifest.state == Progressed::BudgetSpent,
        "interrupted": outcome.is_interrupted(),
        "samples": pace.samples,
        "slowest": pace.slowest,
    })
}

/// A report that could not be made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ReportFailed {
    /// The case it should have lain beside.
    pub(super) case: String,
    pub(super) reason: String,
}

/// The summary as it is printed: cases as paths from here, reports that could not be made, and how long it took.
pub(super) fn with_run(summary: &Summary, outcome: &Outcome, out: &Path, failed: &[ReportFailed]) -> Value {
    let mut value = serde_json::to_value(summary).expect("a summary has a JSON form");
    if let Some(findings) = value.get_mut("findings").and_then(Value::as_array_mut) {
        for finding in findings {
            if let Some(case) = finding.get("case").and_then(Value::as_str) {
                finding["case"] = json!(out.join(case));
            }
        }
    }
    value["reports_failed"] = json!(failed);
    value["coverage"] = coverage(outcome);
    value["interrupted"] = json!(outcome.is_interrupted());
    value["elapsed_ms"] = json!(outcome.elapsed().as_millis() as u64);
    value
}

/// What was passed through, engine by engine, in numbers; the places themselves are in `coverage.json`.
fn coverage(outcome: &Outcome) -> Value {
    let one = |(name, engine): (&String, &EngineCoverage)| {
        let New { places, pairs } = engine.reached();
        json!({
            "engine": name, "places": places, "places_known": engine.places.len(), "pairs": pairs,
            "minutes": engine.minutes, "lost": engine.lost,
            "unreached": engine.unreached().map(|place| &place.place).collect::<Vec<_>>(),
        })
    };
    outcome.coverage.engines.iter().filter(|(_, engine)| engine.has_run()).map(one).collect()
}

/// One object a line, the summary last.
pub(super) fn lines(summary: &Summary, outcome: &Outcome, out: &Path, failed: &[ReportFailed]) -> String {
    let mut whole = with_run(summary, outcome, out, failed);
    let mut text = String::new();
    for (list, kind) in [
        ("skipped", "skipped"),
        ("scenarios", "scenario"),
        ("findings", "finding"),
        ("nondeterminism", "nondeterminism"),
        ("inconclusive", "inconclusive"),
        ("reports_failed", "report-failed"),
        ("coverage", "coverage"),
    ] {
        for item in whole[list].as_array().into_iter().flatten() {
            let mut line = json!({"v": campaign::VERSION, "type": kind});
            if let (Some(line), Some(item)) = (line.as_object_mut(), item.as_object()) {
                line.extend(item.clone());
            }
            text += &format!("{line}\n");
        }
    }
    // The last line stays short enough to read: the scenarios have had their own.
    if let Some(summary) = whole.as_object_mut() {
        summary.shift_remove("scenarios");
        summary.shift_remove("skipped");
        summary.shift_remove("coverage");
    }
    text += &format!("{whole}\n");
    text
}

pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value has a JSON form") + "\n"
}
