//! `explain`: which decisions a failure needs, where it became likely, and the nearest run that passes.

use std::time::Instant;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::{ExplainArgs, Format};
use super::exit::{Exit, Failure};
use super::screen::{Paint, count, plain, print};
use crate::explain::{ExplainBounds, Explanation, FlipKind, Mark, explain};
use crate::scenario::{Case, Registry};

/// A bar of the curve is so long at most.
const BAR: f64 = 40.0;

pub(super) fn run(registry: &Registry, args: &ExplainArgs) -> Result<Exit, Failure> {
    let case = Case::read(&args.case).map_err(Failure::usage)?;
    let bounds = ExplainBounds { continuations: args.continuations, ..ExplainBounds::default() };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (started, budget) = (Instant::now(), args.budget);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let explained = explain(registry, &case, bounds, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
        started.elapsed() < budget
    });
    std::panic::set_hook(hook);
    bar.finish_and_clear();
    let explained =
        explained.map_err(|error| Failure::usage(anyhow!("{}: cannot be run: {error}", args.case.display())))?;
    let Some(explanation) = explained else {
        let hint = format!("{} replay {}", registry.program_name(), args.case.display());
        let reason = anyhow!("{}: no longer fails in the same way; see what `{hint}` says", args.case.display());
        return Err(Failure { exit: Exit::STALE, error: reason });
    };
    print(&match args.format {
        Format::Human => human(registry, &case, &explanation, args),
        Format::Json | Format::Jsonl => machine(&case, &explanation),
    })?;
    Ok(Exit::FINDING)
}

fn machine(case: &Case, explanation: &Explanation) -> String {
    let Explanation { necessity, likelihood, no_return, nearest, cut, passing: _ } = explanation;
    let value = json!({
        "v": 1,
        "type": "explain",
        "finding": case.finding,
        "hash": case.head.hash,
        "necessity": necessity,
        "likelihood": likelihood,
        "no_return": no_return,
        "nearest": nearest,
        "cut": cut,
    });
    format!("{value}\n")
}

fn human(registry: &Registry, case: &Case, explanation: &Explanation, args: &ExplainArgs) -> String {
    let paint = Paint::for_stdout();
    let mut text = format!("{}: {}\n", plain(&case.finding.property), plain(&case.finding.anomaly));
    text += &format!("  {}\n", paint.strong(&plain(&case.finding.sentence)));
    text += &marks(explanation, paint);
    text += &curve(explanation, paint);
    if let Some(nearest) = &explanation.nearest {
        let who = |actor: &Option<String>| actor.clone().unwrap_or_else(|| "nobody".to_string());
        text += &format!("\n  nearest passing run: {}\n", plain(&nearest.edit));
        text += &match nearest.failing == nearest.passing {
            true => format!("    the two part at turn {}, by the fault alone\n", nearest.turn),
            false => format!(
                "    the two part at turn {}: {} has it where it fails, {} where it passes\n",
                nearest.turn,
                who(&nearest.failing),
                who(&nearest.passing)
            ),
        };
    }
    if let Some(cut) = &explanation.cut {
        text += &format!("  {}\n", paint.doubtful(&plain(cut)));
    }
    if case.shrunk.is_none() {
        let hint = format!("{} shrink {}", registry.program_name(), args.case.display());
        text += &format!("  it has not been made smaller yet, which makes this shorter: {hint}\n");
    }
    text
}

fn marks(explanation: &Explanation, paint: Paint) -> String {
    let necessity = &explanation.necessity;
    let needed = necessity.marks.iter().filter(|mark| mark.necessary).count();
    let of = necessity.marks.len();
    let mut text = format!("\n  necessary (★): {needed} of {}\n", count(of as u64, "decision"));
    for mark in &necessity.marks {
        let Mark { turn, kind, what, necessary } = mark;
        let star = if *necessary { paint.bad("★") } else { " ".to_string() };
        let turn = turn.map_or_else(|| "-".to_string(), |turn| turn.to_string());
        let kind = match kind {
            FlipKind::Switch => "switch",
            FlipKind::Fault => "fault",
            FlipKind::Crash => "crash",
        };
        text += &format!("    {star} turn {turn:>5}  {kind:6}  {}\n", plain(what));
    }
    text
}

fn curve(explanation: &Explanation, paint: Paint) -> String {
    let points = &explanation.likelihood;
    let Some(first) = points.first() else { return String::new() };
    let mut text = format!("\n  how likely it was after each turn ({} each)\n", count(first.runs, "continuation"));
    for point in points {
        let is_edge = explanation.no_return.is_some_and(|found| found.to.turn == point.turn);
        let bar = "█".repeat((point.share() * BAR).round() as usize);
        let note = if is_edge { " ← point of no return" } else { "" };
        text += &format!("    turn {:>5}  {:>3.0}%  {}{note}\n", point.turn, point.share() * 100.0, paint.faint(&bar));
    }
    text
}
