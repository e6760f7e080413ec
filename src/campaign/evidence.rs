//! What is kept of a seed that shows something: the run of a worker that did not survive it, and the case.

use super::pool::{Death, DeathKind};
use super::protocol::Ran;
use crate::scenario::{Case, StoredFinding};
use crate::tape::Fingerprint;

/// The run of a worker that went down at it.
pub(super) fn of_death(death: &Death) -> Ran {
    let what = match death.kind {
        DeathKind::Aborted => "The engine took its process down",
        DeathKind::StackOverflow => "The engine overflowed its stack",
        DeathKind::Hang => "The engine did not come back from a call",
        DeathKind::OutOfMemory => "The engine asked for more memory than it may have",
    };
    let finding = StoredFinding {
        property: "process".to_string(),
        anomaly: death.kind.anomaly().to_string(),
        sentence: format!("{what}: {}.", death.detail.trim_end_matches('.')),
        ..StoredFinding::default()
    };
    Ran { finding: Some(finding), ..Ran::default() }
}

/// The case with its bucket and build, and with the finding of a run that did not survive.
pub(super) fn finished_case(
    text: &str,
    bucket: &str,
    seen: &Ran,
    build: Option<Fingerprint>,
) -> Result<String, String> {
    let case = Case::parse("the case just recorded", text).map_err(|error| error.to_string())?;
    // The text is kept as it is, because its plan is laid out for people; two parts are filled in.
    let build = build.map(|build| format!("build = \"{build}\"\n")).unwrap_or_default();
    let text = text.replacen("bucket = \"\"", &format!("{build}bucket = \"{bucket}\""), 1);
    if case.finding.property.is_empty()
        && let (Some(finding), Some(from)) = (&seen.finding, text.find("[finding]"))
        && let Some(to) = text[from..].find("[configuration]")
    {
        let table = toml::Table::from_iter([(
            "finding".to_string(),
            toml::Value::try_from(finding).map_err(|error| error.to_string())?,
        )]);
        let finding = toml::to_string(&table).map_err(|error| error.to_string())?;
        return Ok(format!("{}{}\n{}", &text[..from], finding, &text[from + to..]));
    }
    Ok(text)
}
