//! A campaign inside a GitHub workflow: annotations, and the summary of the step.

use std::io::Write;

use anyhow::Context;

use super::exit::Failure;
use super::markdown;
use super::screen::count;
use crate::campaign::Summary;

/// The annotations, one a line.
pub(super) fn annotations(summary: &Summary) -> String {
    let mut lines = String::new();
    for finding in &summary.findings {
        // What is known already should not cry as loud as what is new.
        let level = if finding.known { "warning" } else { "error" };
        let title = format!("{}: {} in {} on {}", finding.property, finding.anomaly, finding.scenario, finding.engine);
        let case = finding.case.as_deref().unwrap_or("no case");
        let message = format!("{} (seed {}, {}; {case})", finding.sentence, finding.seed, finding.bucket);
        lines += &annotation(level, &title, &message);
    }
    for one in &summary.nondeterminism {
        let title = format!("not deterministic: {} on {}", one.scenario, one.engine);
        lines += &annotation("error", &title, &format!("seed {}: {}", one.seed, one.sentence));
    }
    for one in &summary.inconclusive {
        let title = format!("inconclusive: {} on {}", one.scenario, one.engine);
        lines += &annotation("warning", &title, &format!("{}: {}", one.property, one.reason));
    }
    for case in summary.corpus.iter().filter(|case| case.state == "open" && case.recorded == "fixed") {
        lines += &annotation("error", "it was fixed and is found again", &format!("{} ({})", case.bucket, case.case));
    }
    if !summary.shards_missing.is_empty() {
        let missing: Vec<String> = summary.shards_missing.iter().map(ToString::to_string).collect();
        let title = format!("{} missing", count(missing.len() as u64, "shard"));
        lines += &annotation("warning", &title, &missing.join(", "));
    }
    lines
}

fn annotation(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={property}::{}\n", data(message))
}

/// Appends to the summary of the step, where there is one.
pub(super) fn append_step_summary(summary: &Summary) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(markdown::step_summary(summary).as_bytes()));
    written.with_context(|| format!("{}: cannot be written", path.to_string_lossy())).map_err(Failure::own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_is_said() {
        assert_eq!(
            annotation("error", "a: b, c", "50%\r\n::error::x"),
            "::error title=a%3A b%2C c::50%25%0D%0A::error::x\n"
        );
    }
}
