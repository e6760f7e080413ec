//! The parts of the page that are words and tables.

use std::path::Path;

use super::{ROWS_MAX, count, escape, number, section, table, tag};
use crate::campaign::outcome::Outcome;
use crate::campaign::pace::Slow;
use crate::campaign::summary::{Inconclusive, Summary, SummaryFinding, SummaryLane, SummarySkipped};
use crate::scenario::Expect;

pub(super) fn findings(folder: &Path, summary: &Summary) -> String {
    let mut text = String::new();
    for found in summary.findings.iter().take(ROWS_MAX) {
        text += &finding(folder, found);
    }
    if summary.findings.len() > ROWS_MAX {
        text += &format!("<p class=\"note\">and {} more</p>", summary.findings.len() - ROWS_MAX);
    }
    section("Findings", "wide", &text)
}

fn finding(folder: &Path, finding: &SummaryFinding) -> String {
    let state = if finding.known { tag("doubt", "known") } else { tag("bad", "new") };
    let bugs: String = finding.bugs.iter().map(|bug| format!("+{bug}")).collect();
    let mut facts = vec![format!("{} on {}{bugs}", finding.scenario, finding.engine), format!("seed {}", finding.seed)];
    let runs: u64 = finding.seen.iter().map(|seen| seen.runs).sum();
    facts.push(format!("{} of {}", number(finding.seeds), count(runs, "seed")));
    if let Some(clean) = finding.findability.and_then(|one| one.clean_seeds) {
        facts.push(format!("{} would prove it fixed (95%)", count(clean, "clean seed")));
    }
    if finding.seen.len() > 1 {
        facts.push(format!("seen in {} scenarios", finding.seen.len()));
    }
    let mut links = Vec::new();
    for (file, name) in [("report.html", "report"), ("issue.md", "issue text"), ("failure.json", "data")] {
        if folder.join(&finding.bucket).join(file).exists() {
            links.push(format!("<a href=\"{}/{file}\">{name}</a>", escape(&finding.bucket)));
        }
    }
    if let Some(case) = &finding.case {
        links.push(format!("<a href=\"{0}\">{0}</a>", escape(case)));
    }
    format!(
        "<div class=\"finding\">{state} <b>{}: {}</b><p class=\"what\">{}</p><p class=\"where\">{}</p><p class=\"mono\">{}</p></div>",
        escape(&finding.property),
        escape(&finding.anomaly),
        escape(&finding.sentence),
        escape(&facts.join(" · ")),
        links.join(" · ")
    )
}

/// What did not repeat, and what cannot be called green.
pub(super) fn doubts(summary: &Summary) -> String {
    let unstable = summary.nondeterminism.iter().map(|one| {
        let place = format!("{} on {}, seed {}", one.scenario, one.engine, one.seed);
        let divergence = one.first_divergence.map(|divergence| format!("; {divergence}")).unwrap_or_default();
        vec![tag("bad", "not deterministic"), escape(&place), escape(&format!("{}{divergence}", one.sentence))]
    });
    let inconclusive = summary.inconclusive.iter().map(|one| {
        let place = format!("{} on {}", one.scenario, one.engine);
        vec![tag("doubt", "inconclusive"), escape(&place), escape(&format!("{}: {}", one.property, one.reason))]
    });
    let rows: Vec<_> = unstable.chain(inconclusive).collect();
    if rows.is_empty() {
        String::new()
    } else {
        section("Not to be relied on", "wide", &table(&["", "where", "why"], &rows))
    }
}

pub(super) fn corpus(summary: &Summary) -> String {
    let rows: Vec<_> = summary
        .corpus
        .iter()
        .map(|case| {
            let state = match (case.state.as_str(), case.recorded.as_str()) {
                ("open", "fixed") => tag("bad", "back"),
                ("fixed", _) => tag("good", "fixed"),
                ("diverged", _) => tag("bad", "diverged"),
                ("stale", _) => tag("doubt", "stale"),
                _ => tag("doubt", "known"),
            };
            let again = summary.findings.iter().any(|found| found.bucket == case.bucket);
            let again = if again { "found again in this campaign" } else { "" };
            vec![state, format!("<code>{}</code>", escape(&case.case)), again.to_string()]
        })
        .collect();
    if rows.is_empty() { String::new() } else { section("Corpus", "wide", &table(&["", "case", ""], &rows)) }
}

pub(super) fn scenarios(summary: &Summary) -> String {
    let row = |lane: &SummaryLane| {
        let state = match (lane.expect, lane.met) {
            _ if lane.tally.runs == 0 => tag("doubt", "did not run"),
            (Expect::Holds, Some(true)) => {
                let is_it = |one: &Inconclusive| one.scenario == lane.scenario && one.engine == lane.engine;
                if summary.inconclusive.iter().any(is_it) { tag("doubt", "inconclusive") } else { tag("good", "held") }
            }
            (Expect::Holds, Some(false)) => tag("bad", "violated"),
            (Expect::Violated, Some(true)) => tag("good", "violated, as expected"),
            (Expect::Violated, Some(false)) => tag("bad", "held, not as expected"),
            (_, None) => tag("doubt", "not finished"),
        };
        let tally = &lane.tally;
        let numbers = [
            tally.runs,
            tally.turns,
            tally.ops.total(),
            tally.compared.values().map(|one| one.answers).sum(),
            tally.crashes,
            tally.faults.values().sum(),
            tally.idle,
        ];
        let mut row = vec![state, escape(&lane.scenario), escape(&lane.engine)];
        row.extend(numbers.map(number));
        row
    };
    let rows: Vec<_> = summary.scenarios.iter().map(row).collect();
    let heads =
        ["", "scenario", "engine", "#runs", "#turns", "#operations", "#compared", "#crashes", "#faults", "#idle runs"];
    section("Scenarios", "wide", &table(&heads, &rows))
}

pub(super) fn slowest(outcome: &Outcome) -> String {
    let row = |slow: &Slow| {
        let place = format!("{} on {}", slow.scenario, slow.engine);
        vec![number(slow.ms), escape(&place), slow.seed.to_string(), number(slow.turns)]
    };
    let rows: Vec<_> = outcome.pace.slowest.iter().map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        section("Slowest seeds", "", &table(&["#ms", "where", "#seed", "#turns"], &rows))
    }
}

pub(super) fn skipped(summary: &Summary) -> String {
    let row = |one: &SummarySkipped| vec![escape(&one.scenario), escape(&one.engine), escape(&one.reason)];
    let rows: Vec<_> = summary.skipped.iter().map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        section("Not run", "wide", &table(&["scenario", "engine", "why"], &rows))
    }
}
