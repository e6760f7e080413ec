//! Markdown for people who read a campaign on a forge: the body of an issue, the summary of a workflow's step.
//!
//! Nothing that a run says is markup here: an engine's message may contain any.

use super::screen::{count, number};
use crate::campaign::{Found, Outcome, Summary, SummaryFinding};

/// Lines of a finding's argument that are shown.
const PROOF_MAX: usize = 40;

/// The body of an issue about a bucket. Its first line is a mark by which the issue is found again.
pub(super) fn issue(program: &str, outcome: &Outcome, found: &Found, finding: &SummaryFinding) -> String {
    let label = &outcome.lanes[found.lane].0.label;
    let mut text = format!("<!-- squall-bucket: {} -->\n", finding.bucket);
    text += &format!("## {}: {}\n\n", plain(&finding.property), plain(&finding.anomaly));
    text += &format!("**{}**\n\n", plain(&finding.sentence));
    let proof = &found.finding.proof;
    if !proof.is_empty() {
        let mut lines = proof.iter().take(PROOF_MAX).cloned().collect::<Vec<_>>();
        if proof.len() > PROOF_MAX {
            lines.push(format!("… {} more lines in the case", proof.len() - PROOF_MAX));
        }
        text += &format!("{}\n", fenced(&lines.join("\n")));
    }
    let mut row = |name: &str, value: String| text += &format!("| {name} | {value} |\n");
    row("", String::new());
    row("---", "---".to_string());
    row("scenario", code(&finding.scenario));
    row("engine", code(label));
    row("seed", finding.seed.to_string());
    row("turns", number(found.turns));
    row("crashes", number(found.crashes));
    let faults: Vec<String> = found.faults.iter().map(|(kind, times)| format!("{} {times}", plain(kind))).collect();
    row("faults", if faults.is_empty() { "none".to_string() } else { faults.join(", ") });
    let elsewhere = finding.seen.iter().map(|seen| {
        format!(
            "{} on {}: {} of {}",
            code(&seen.scenario),
            code(&seen.engine),
            number(seen.seeds),
            count(seen.runs, "seed")
        )
    });
    row("seen in", elsewhere.collect::<Vec<_>>().join(", "));
    if let Some(clean) = finding.findability.and_then(|one| one.clean_seeds) {
        row("proof of a repair", format!("{} without it (95%)", count(clean, "seed")));
    }
    row("bucket", code(&finding.bucket));
    if finding.case.is_some() {
        let file = format!("{}.case", finding.seed);
        text += &format!(
            "\nThe attached case says all that is needed to see it again:\n\n```sh\n{program} replay {file}\n```\n"
        );
    }
    text
}

/// The summary of a workflow's step.
pub(super) fn step_summary(summary: &Summary) -> String {
    let runs = count(summary.runs, "run");
    let mut text = match (summary.findings.len(), summary.nondeterminism.len(), summary.inconclusive.len()) {
        (_, unstable @ 1.., _) => format!("## {} not deterministic in {runs}\n\n", count(unstable as u64, "seed")),
        (0, 0, 0) if summary.runs == 0 => "## Nothing ran\n\n".to_string(),
        (0, 0, 0) => format!("## Held in {runs}\n\n"),
        (0, 0, _) => format!("## No finding in {runs}, but not everything was compared\n\n"),
        (found, ..) => format!("## {} in {runs}\n\n", count(found as u64, "finding")),
    };
    if !summary.findings.is_empty() {
        text += "| | finding | where | seeds | clean seeds that prove a repair |\n|---|---|---|---|---|\n";
    }
    for finding in &summary.findings {
        let clean = finding.findability.and_then(|one| one.clean_seeds).map(number).unwrap_or_default();
        text += &format!(
            "| {} | **{}: {}** {} | {} on {} | {} | {clean} |\n",
            if finding.known { "known" } else { "new" },
            plain(&finding.property),
            plain(&finding.anomaly),
            plain(&finding.sentence),
            code(&finding.scenario),
            code(&finding.engine),
            number(finding.seeds),
        );
    }
    text += "\n| scenario | engine | runs | compared | crashes | |\n|---|---|---|---|---|---|\n";
    for lane in &summary.scenarios {
        let met = match lane.met {
            Some(true) => "as expected",
            Some(false) => "**not as expected**",
            None => "not finished",
        };
        let compared = lane.tally.compared.values().map(|one| one.answers).sum();
        text += &format!(
            "| {} | {} | {} | {} | {} | {met} |\n",
            code(&lane.scenario),
            code(&lane.engine),
            number(lane.tally.runs),
            number(compared),
            number(lane.tally.crashes)
        );
    }
    for one in &summary.inconclusive {
        text += &format!(
            "\n- inconclusive: {} on {}: {}: {}\n",
            code(&one.scenario),
            code(&one.engine),
            plain(&one.property),
            plain(&one.reason)
        );
    }
    for shard in &summary.shards_missing {
        text += &format!("\n- shard {shard} is missing\n");
    }
    text + &format!("\nHash `{}`.\n", summary.hash)
}

/// Text that stays text, in one line.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '&' => plain += "&amp;",
            '<' => plain += "&lt;",
            '>' => plain += "&gt;",
            // Nobody is to be called upon by an engine.
            '@' => plain += "&#64;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => plain.extend(['\\', letter]),
            letter if letter.is_control() => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    plain
}

/// A name, as code. Names have no backticks worth keeping.
fn code(text: &str) -> String {
    let name: String = text.chars().filter(|letter| !letter.is_control() && !"`|".contains(*letter)).collect();
    format!("`{name}`")
}

/// A block of code, in a fence that nothing in it closes.
fn fenced(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_no_markup() {
        assert_eq!(
            plain("<img src=x> @you [a](b) `c` #1|2\n"),
            "&lt;img src=x&gt; &#64;you \\[a\\](b) \\`c\\` \\#1\\|2 "
        );
        assert_eq!(code("a`|b"), "`ab`");
        assert_eq!(fenced("x\n````\ny"), "`````text\nx\n````\ny\n`````\n");
        assert_eq!(fenced("x"), "```text\nx\n```\n");
    }
}
