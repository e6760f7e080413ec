//! `check`: a history from elsewhere, judged without any run.

use super::args::{CheckArgs, Format};
use super::exit::{Exit, Failure};
use super::screen::{plain, print};
use crate::judge::check::{self, Options};

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let options = Options {
        model: args.model.clone(),
        consistency: args.consistency.clone(),
        time_max: args.time_max,
        ..Options::of(&args.history)
    };
    let report = check::run(&options).map_err(Failure::usage)?;
    print(&match args.format {
        Format::Human => plain(&report.to_string()),
        Format::Json | Format::Jsonl => report.to_json() + "\n",
    })?;
    Ok(Exit(report.exit_code()))
}
