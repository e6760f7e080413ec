//! `shrink`: a stored failure, smaller.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::{Format, ShrinkArgs};
use super::exit::{Exit, Failure};
use super::screen::{Paint, count, number, plain, print};
use crate::campaign::build_fingerprint;
use crate::scenario::{Case, Registry};
use crate::shrink::{Bounds, Shrunk, Size, shrink};

pub(super) fn run(registry: &Registry, args: &ShrinkArgs) -> Result<Exit, Failure> {
    let case = Case::read(&args.case).map_err(Failure::usage)?;
    let out = args.out.clone().unwrap_or_else(|| beside(&args.case));
    let bar = progress(args.replays);
    let (started, budget) = (Instant::now(), args.budget);
    // An engine's panics are findings here; their usual messages would only break the bar.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let shrunk = shrink(registry, &case, Bounds { replays_max: args.replays }, &mut |replays, size| {
        bar.set_position(replays);
        bar.set_message(words(size));
        started.elapsed() < budget
    });
    std::panic::set_hook(hook);
    bar.finish_and_clear();
    let shrunk = shrunk.map_err(|error| Failure::usage(anyhow!("{}: cannot be run: {error}", args.case.display())))?;
    let Some(shrunk) = shrunk else {
        let hint = format!("{} replay {}", registry.program_name(), args.case.display());
        let reason = anyhow!("{}: no longer fails in the same way; see what `{hint}` says", args.case.display());
        return Err(Failure { exit: Exit::STALE, error: reason });
    };
    let mut smaller = shrunk.case(&case);
    smaller.head.build = build_fingerprint();
    let plan = registry.plan_as_text(&smaller.configuration, &smaller.plan).map_err(Failure::own)?;
    std::fs::write(&out, smaller.with_plan_text(&plan).map_err(Failure::own)?)
        .with_context(|| format!("{}: cannot be written", out.display()))
        .map_err(Failure::own)?;
    print(&match args.format {
        Format::Human => human(registry, &smaller, &shrunk, &out, started.elapsed()),
        Format::Json | Format::Jsonl => machine(&smaller, &shrunk, &out),
    })?;
    Ok(Exit::FINDING)
}

/// `a/7.case` becomes `a/7.small.case`.
fn beside(case: &Path) -> PathBuf {
    case.with_extension("small.case")
}

fn progress(replays: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(replays), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} replays, {msg}, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

pub(super) fn words(size: &Size) -> String {
    let parts = [
        count(size.connections as u64, "connection"),
        count(size.ops as u64, "operation"),
        count(size.switches as u64, "switch").replace("switchs", "switches"),
        count(size.faults as u64, "fault"),
        count(size.crashes as u64, "crash").replace("crashs", "crashes"),
    ];
    parts.join(", ")
}

fn machine(case: &Case, shrunk: &Shrunk, out: &Path) -> String {
    let value = json!({
        "v": 1,
        "type": "shrink",
        "case": out,
        "finding": case.finding,
        "hash": case.head.hash,
        "before": shrunk.before,
        "after": shrunk.after,
        "replays": shrunk.replays,
        "cut": shrunk.cut,
    });
    format!("{value}\n")
}

fn human(registry: &Registry, case: &Case, shrunk: &Shrunk, out: &Path, took: Duration) -> String {
    let paint = Paint::for_stdout();
    let finding = &case.finding;
    let mut text = format!("{} {}: {}\n", paint.good("SMALLER"), plain(&finding.property), plain(&finding.anomaly));
    text += &format!("  {}\n", paint.strong(&plain(&finding.sentence)));
    finding.proof.iter().for_each(|line| text += &format!("    {}\n", plain(line)));
    text += &format!("  before  {}, {} turns\n", words(&shrunk.before), number(shrunk.before.turns));
    text += &format!("  after   {}, {} turns\n", words(&shrunk.after), number(shrunk.after.turns));
    text += &format!("  {} in {:.1} s", count(shrunk.replays, "replay"), took.as_secs_f64());
    if let Some(cut) = &shrunk.cut {
        text += &format!("; {}: there may be a smaller one", paint.doubtful(cut));
    }
    text += &format!("\n  replay: {} replay {}\n", registry.program_name(), out.display());
    text
}
