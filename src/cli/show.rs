//! `show`: the report of a stored failure, as a page or as text.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::ShowArgs;
use super::exit::{Exit, Failure};
use super::retrace::{Retraced, report};
use super::rust_test;
use super::screen::{print, say};
use crate::report::{self, Failure as Report, Rows, file};
use crate::scenario::Registry;
use crate::trace::{Level, Trace};

pub(super) fn run(registry: &Registry, args: &ShowArgs) -> Result<Exit, Failure> {
    if args.rust {
        return rust_test::run(args);
    }
    let (failure, retraced, passing) = report(registry, &args.case, Some((args.explain_budget, &args.workers)))?;
    if args.md {
        print(&report::markdown(&failure))?;
    } else if args.plain {
        print(&report::plain(&failure))?;
    } else if args.json {
        print(&failure.json())?;
    } else if let Some(folder) = &args.report {
        write_page(&folder.join("report.html"), &failure, &retraced, passing.as_ref())?;
        write(&folder.join("failure.json"), failure.json())?;
    } else {
        let out = args.html.clone().unwrap_or_else(|| args.case.with_extension("html"));
        write_page(&out, &failure, &retraced, passing.as_ref())?;
        print(&format!("{}\n", out.display()))?;
        if args.open {
            open(&out);
        }
    }
    Ok(Exit::HELD)
}

/// Writes the page of a failure, with the nearest run that passes beside it where there is one.
fn write_page(
    out: &Path,
    failure: &Report,
    retraced: &Retraced,
    passing: Option<&(Trace, u64)>,
) -> Result<(), Failure> {
    let bytes = |trace: &Trace, turns| file::write(&failure.header(Level::State, turns), &Rows::new(trace));
    let trace = bytes(&retraced.trace, retraced.case.head.turns);
    let passing = passing.map(|(trace, turns)| bytes(trace, *turns));
    write(out, report::page(failure, &trace, passing.as_deref()))
}

fn write(out: &Path, text: String) -> Result<(), Failure> {
    std::fs::write(out, text).with_context(|| format!("{}: cannot be written", out.display())).map_err(Failure::own)
}

/// Asks the desktop to show the page; where there is none, the path that was printed is enough.
fn open(page: &Path) {
    let page: PathBuf = page.canonicalize().unwrap_or_else(|_| page.to_path_buf());
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(program).arg(&page).stderr(std::process::Stdio::null()).spawn();
    if started.is_err() {
        say(&format!("`{program}` cannot be started; open the file in a browser"));
    }
}
