//! The page of a campaign: one HTML file that asks for nothing else.
//!
//! It is made of the summary, of what differs from machine to machine, and of what was passed through. Every
//! string of a run reaches it as text. Its skeleton and style are in `reports/campaign/`.

mod chart;
mod graphs;
mod lists;

use std::path::Path;

use serde_json::Value;

use self::graphs::{compared, faults, policies, reached, throughput};
use self::lists::{corpus, doubts, findings, scenarios, skipped, slowest};
use super::manifest::Progressed;
use super::outcome::Outcome;
use super::summary::{Summary, SummaryFinding, SummaryLane};
use super::tally::Tally;
use super::words::{count, number};
use crate::scenario::Expect;

const SKELETON: &str = include_str!("../../../reports/campaign/page.html");
const STYLE: &str = include_str!("../../../reports/campaign/page.css");

/// Rows of a list beyond which it is cut, and says so.
const ROWS_MAX: usize = 200;

/// The page of an outcome whose results lie in `folder`; `coverage` is what its runs passed through, as JSON.
#[must_use]
pub fn page(folder: &Path, summary: &Summary, outcome: &Outcome, coverage: Option<&str>) -> String {
    let mut sum = Tally::default();
    outcome.lanes.iter().for_each(|(_, tally)| sum.merge(tally));
    let coverage: Option<Value> = coverage.and_then(|text| serde_json::from_str(text).ok());
    let mut body = verdict(summary, outcome);
    body += &facts(summary, outcome, &sum);
    body += &findings(folder, summary);
    body += &doubts(summary);
    body += &corpus(summary);
    body += &scenarios(summary);
    let charts = [
        compared(&sum),
        throughput(outcome),
        reached(coverage.as_ref()),
        policies(&sum),
        faults(&sum),
        slowest(outcome),
    ];
    body += &format!("<div class=\"grid\">{}</div>", charts.concat());
    body += &skipped(summary);
    let title = format!("squall: {}", words(summary));
    // The parts go in last to first: what a run says may look like the name of a part.
    let (head, tail) = SKELETON.split_once("{{body}}").unwrap_or((SKELETON, ""));
    let head = head.replace("{{style}}", STYLE).replace("{{title}}", &escape(&title));
    format!("{head}{body}{tail}")
}

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            '\n' | '\t' => safe.push(' '),
            letter if letter.is_control() => safe.extend(letter.escape_default()),
            letter => safe.push(letter),
        }
    }
    safe
}

fn section(title: &str, class: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("<section class=\"{class}\"><h2>{}</h2>{body}</section>", escape(title))
}

fn tag(class: &str, text: &str) -> String {
    format!("<span class=\"tag {class}\">{}</span>", escape(text))
}

/// Heads and rows of cells that are HTML already; heads that begin with `#` stand over numbers.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let class = |column: usize| if heads[column].starts_with('#') { " class=\"n\"" } else { "" };
    let mut text = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (column, head) in heads.iter().enumerate() {
        text += &format!("<th{}>{}</th>", class(column), escape(head.trim_start_matches('#')));
    }
    text += "</tr></thead><tbody>";
    for row in rows.iter().take(ROWS_MAX) {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("<td{}>{cell}</td>", class(column)));
        text += &format!("<tr>{}</tr>", cells.collect::<String>());
    }
    text += "</tbody></table></div>";
    if rows.len() > ROWS_MAX {
        text += &format!(
            "<p class=\"note\">and {} more, in <code>summary.json</code></p>",
            number((rows.len() - ROWS_MAX) as u64)
        );
    }
    text
}

/// Findings that no scenario expects.
fn unexpected(summary: &Summary) -> usize {
    let violated = |scenario: &str, engine: &str| {
        let is_it = |lane: &&SummaryLane| lane.scenario == scenario && lane.engine == engine;
        summary.scenarios.iter().find(is_it).is_some_and(|lane| lane.expect == Expect::Violated)
    };
    let is_expected =
        |finding: &&SummaryFinding| finding.seen.iter().all(|seen| violated(&seen.scenario, &seen.engine));
    summary.findings.iter().filter(|finding| !is_expected(finding)).count()
}

fn words(summary: &Summary) -> String {
    let runs = count(summary.runs, "run");
    let found = summary.findings.len();
    let expected = found - unexpected(summary);
    match (summary.nondeterminism.len(), found, summary.inconclusive.len()) {
        (unstable @ 1.., ..) => format!("{} not deterministic in {runs}", count(unstable as u64, "seed")),
        _ if summary.runs == 0 => "nothing ran".to_string(),
        (_, 1.., _) if expected > 0 => {
            format!("{}, {expected} of them expected, in {runs}", count(found as u64, "finding"))
        }
        (_, 1.., _) => format!("{} in {runs}", count(found as u64, "finding")),
        (_, _, 1..) => format!("no finding in {runs}, but not everything was compared"),
        _ => format!("held in {runs}"),
    }
}

fn verdict(summary: &Summary, outcome: &Outcome) -> String {
    let is_bad = !summary.nondeterminism.is_empty() || unexpected(summary) > 0;
    let missed =
        summary.scenarios.iter().filter(|lane| lane.met == Some(false) && lane.expect == Expect::Violated).count();
    let is_doubtful = summary.runs == 0 || !summary.inconclusive.is_empty() || missed > 0;
    let class = if is_bad {
        "bad"
    } else if is_doubtful {
        "doubt"
    } else {
        ""
    };
    let mut notes = Vec::new();
    match outcome.manifest.state {
        Progressed::Complete => {}
        Progressed::BudgetSpent => notes.push("the budget was spent before the seeds were".to_string()),
        Progressed::Interrupted => notes.push("it was interrupted".to_string()),
        Progressed::Running => notes.push("a part of it was killed, or is still running".to_string()),
    }
    if missed > 0 {
        notes.push(format!("{} held where a finding was expected", count(missed as u64, "scenario")));
    }
    if !summary.shards_missing.is_empty() {
        let missing: Vec<String> = summary.shards_missing.iter().take(20).map(ToString::to_string).collect();
        notes.push(format!("missing shards: {}", missing.join(", ")));
    }
    let notes: String = notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect();
    let head = words(summary);
    let head: String = head.chars().take(1).flat_map(char::to_uppercase).chain(head.chars().skip(1)).collect();
    format!("<div class=\"verdict {class}\"><h1>{}</h1>{notes}</div>", escape(&head))
}

fn facts(summary: &Summary, outcome: &Outcome, sum: &Tally) -> String {
    let seconds = outcome.elapsed().as_secs_f64();
    let mut facts = vec![
        (number(summary.runs), "runs"),
        (number(summary.turns), "turns"),
        (number(sum.ops.total()), "operations"),
        (number(sum.compared.values().map(|one| one.answers).sum()), "answers compared"),
        (number(summary.crashes), "crashes"),
        (number(sum.faults.values().sum()), "faults"),
        (number(outcome.pace.repeated), "repeated, equal"),
    ];
    if seconds > 0.0 {
        facts.push((format!("{seconds:.1} s"), "wall time"));
    }
    let items: String =
        facts.iter().map(|(value, name)| format!("<li><b>{value}</b><span>{name}</span></li>")).collect();
    format!("<ul class=\"facts\">{items}</ul><p class=\"note\">Hash of all runs <code>{}</code></p>", summary.hash)
}

#[cfg(test)]
mod tests {
    use super::super::manifest::Manifest;
    use super::super::shard::Shard;
    use super::*;

    #[test]
    fn whatever_a_run_says_is_text_and_the_page_asks_for_nothing() {
        let outcome = Outcome::of(Manifest::new(Shard::WHOLE, Vec::new()), Vec::new(), Vec::new());
        let mut summary = Summary::of(&outcome);
        let evil = "</script><img src=x onerror=alert(1)> {{style}} \u{1b}[2J";
        summary.findings.push(SummaryFinding {
            bucket: "b".into(),
            property: evil.into(),
            anomaly: evil.into(),
            sentence: evil.into(),
            scenario: evil.into(),
            engine: evil.into(),
            bugs: vec![evil.into()],
            seed: 1,
            seeds: 1,
            seen: Vec::new(),
            findability: None,
            known: false,
            case: Some("b/1.case".into()),
        });
        let page = page(Path::new("nowhere"), &summary, &outcome, Some("no JSON"));
        assert!(!page.contains("<img") && !page.contains("</script") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; {{style}}"));
        assert!(page.contains("<a href=\"b/1.case\">") && page.contains("default-src 'none'"));
        for request in ["http:", "https:", "url(", "@import", "<script", "src=\""] {
            assert!(!page.contains(request), "{request}");
        }
    }
}
