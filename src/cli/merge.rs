//! `merge`: the results of shards, put together.

use super::args::{Format, MergeArgs};
use super::exit::{Exit, Failure};
use super::results::{self, Results};
use super::run::exit;
use super::screen::{Paint, print, say};
use super::summary_text;
use crate::campaign::{MergeError, Progressed, Store, Summary, merge};
use crate::scenario::Registry;

pub(super) fn run(registry: &Registry, args: &MergeArgs) -> Result<Exit, Failure> {
    let store = Store::new(&args.out);
    let outcome = merge(&args.folders, &store).map_err(|error| match error {
        MergeError::Store(error) => Failure::own(error),
        error => Failure::usage(error),
    })?;
    let summary = Summary::of(&outcome);
    if !summary.shards_missing.is_empty() {
        let missing: Vec<String> = summary.shards_missing.iter().map(ToString::to_string).collect();
        say(&format!("not everything is here: the shards {} are missing", missing.join(", ")));
    }
    if outcome.manifest.state == Progressed::Running {
        say("not everything is here: a campaign was killed, or is still running");
    }
    let results = Results {
        program: registry.program_name(),
        summary: &summary,
        outcome: &outcome,
        jobs: args.folders.len(),
        as_expected: args.as_expected,
        format: args.format,
    };
    results.write(&store)?;
    print(&match args.format {
        Format::Human => summary_text::human(registry, &summary, &outcome, &args.out, Paint::for_stdout()),
        Format::Json => results::pretty(&results::with_run(&summary, &outcome, &args.out, &[])),
        Format::Jsonl => results::lines(&summary, &outcome, &args.out, &[]),
    })?;
    results.report(&args.reports)?;
    Ok(exit(args.as_expected, &summary, &outcome, None))
}
