//! Progress on standard error: a bar on a terminal, a line every 30 seconds in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::{count, number, plain, say};
use crate::campaign::{Progress, State};

/// How often a pipe gets a line.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Shows progress in the way that fits where it goes.
pub(super) enum Show {
    /// On a terminal.
    Bar(ProgressBar),
    /// In a pipe.
    Heartbeat { started: Instant, next: Instant },
}

impl Show {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Heartbeat { started: Instant::now(), next: Instant::now() + HEARTBEAT };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        bar.set_style(Self::style(false));
        Self::Bar(bar)
    }

    fn style(has_end: bool) -> ProgressStyle {
        let template = if has_end {
            "{wide_bar} {pos}/{len} runs, {per_sec}, {msg}, {eta} left"
        } else {
            "{spinner} {pos} runs, {per_sec}, {msg}, {elapsed}"
        };
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    }

    /// Takes the bar away, so that results stand alone.
    pub(super) fn finish(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| say(text)),
            Self::Heartbeat { .. } => say(text),
        }
    }
}

impl Progress for Show {
    fn tick(&mut self, state: State) {
        match self {
            Self::Bar(bar) => {
                if bar.length() != state.total {
                    bar.set_style(Self::style(state.total.is_some()));
                    if let Some(total) = state.total {
                        bar.set_length(total);
                    }
                }
                bar.set_position(state.runs);
                let pairs = count(state.reached.pairs, "pair");
                bar.set_message(format!("{}, {pairs} of places", count(state.findings, "finding")));
            }
            Self::Heartbeat { started, next } => {
                if Instant::now() >= *next {
                    *next += HEARTBEAT;
                    let elapsed = started.elapsed().as_secs();
                    let total = state.total.map(|total| format!(" of {}", number(total))).unwrap_or_default();
                    let turns = state.turns / elapsed.max(1);
                    let findings = count(state.findings, "finding");
                    let reached = count(state.reached.places, "place") + ", " + &count(state.reached.pairs, "pair");
                    say(&format!(
                        "{elapsed} s: {}{total} runs, {} turns/s, {findings}, {reached}",
                        number(state.runs),
                        number(turns)
                    ));
                }
            }
        }
    }

    fn found(&mut self, line: &str) {
        self.line(&format!("found: {}", plain(line)));
    }

    fn shrinking(&mut self, done: usize, of: usize) {
        match self {
            Self::Bar(bar) => {
                let style =
                    ProgressStyle::with_template("{spinner} making findings smaller, {pos} of {len}, {elapsed}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            Self::Heartbeat { next, .. } => {
                if Instant::now() >= *next {
                    *next += HEARTBEAT;
                    say(&format!("making findings smaller: {done} of {of} done"));
                }
            }
        }
    }

    fn note(&mut self, line: &str) {
        self.line(&plain(line));
    }
}
