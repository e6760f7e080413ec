//! A failure as text: Markdown for an issue, plain text for a terminal.

use super::failure::{Extent, Failure};
use super::table::escape;
use super::why;

/// A hidden line by which an issue is known again.
fn marker(failure: &Failure) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    format!("<!-- squall-bucket: {} -->", failure.bucket.chars().filter(|&letter| safe(letter)).collect::<String>())
}

/// The failure in Markdown, as the text of an issue.
#[must_use]
pub fn markdown(failure: &Failure) -> String {
    let finding = &failure.finding;
    let mut text = format!("{}\n**{}: {}**", marker(failure), escape(&finding.property), escape(&finding.anomaly));
    text += &format!(" in `{}` on `{}`\n\n", code(&failure.scenario), code(&failure.engine));
    text += &format!("{}\n\n", escape(&failure.verdict));
    text += &format!("    {}\n\n", one_line(&failure.reproduce.replay));
    text += &failure.table.markdown();
    if !failure.proof.lines.is_empty() {
        text += "\nWhy this cannot be:\n\n";
        failure.proof.lines.iter().for_each(|line| text += &format!("- {}\n", escape(line)));
    }
    let why = why::lines(failure);
    if !why.is_empty() {
        text += "\nWhat it takes:\n\n";
        why.iter().for_each(|line| text += &format!("- {}\n", escape(line)));
    }
    text += &format!("\nSeed {}, {}", code(&failure.seed), extents(failure));
    text += &format!(", hash `{}`.\n", code(failure.hash.as_deref().unwrap_or("none")));
    text
}

/// The failure in plain text.
#[must_use]
pub fn plain(failure: &Failure) -> String {
    let finding = &failure.finding;
    let mut text = format!("{}: {} · {} on {}\n", finding.property, finding.anomaly, failure.scenario, failure.engine);
    text += &format!("{}\n\n{}\n", failure.verdict, failure.table.plain());
    failure.proof.lines.iter().for_each(|line| text += &format!("{line}\n"));
    why::lines(failure).iter().for_each(|line| text += &format!("{line}\n"));
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    text += &format!("seed {} · {}", failure.seed, extents(failure));
    text += &format!(" · hash {}\nreplay: {}\n", failure.hash.as_deref().unwrap_or("none"), failure.reproduce.replay);
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter }).collect()
}

fn extents(failure: &Failure) -> String {
    match &failure.shrunk {
        Some(shrunk) => format!("{}; found with {}", extent(shrunk), extent(&failure.original)),
        None => extent(&failure.original),
    }
}

fn extent(extent: &Extent) -> String {
    let Extent { connections, operations, switches, faults, crashes, turns } = extent;
    format!(
        "{connections} connections, {operations} operations, {switches} context switches, {faults} faults, \
         {crashes} crashes, {turns} turns"
    )
}

fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn code(text: &str) -> String {
    one_line(text).replace('`', "'")
}
