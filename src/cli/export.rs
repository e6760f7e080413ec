//! `export`: a stored failure, or a trace file, in the forms of other programs.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::args::{ExportArgs, ExportFormat};
use super::exit::{Exit, Failure};
use super::retrace::report;
use super::screen::{print, say};
use crate::report::{Rows, export, file};
use crate::scenario::Registry;

/// A trace file may be so long, in bytes.
const TRACE_MAX: u64 = 1 << 30;

pub(super) fn run(registry: &Registry, args: &ExportArgs) -> Result<Exit, Failure> {
    let bytes = match trace_of(&args.case)? {
        Some(rows) => of_trace(&rows, args)?,
        None => of_case(registry, args)?,
    };
    match &args.out {
        Some(out) => std::fs::write(out, bytes)
            .with_context(|| format!("{}: cannot be written", out.display()))
            .map_err(Failure::own)?,
        None => match String::from_utf8(bytes) {
            Ok(text) => print(&text)?,
            Err(bytes) => std::io::stdout().lock().write_all(&bytes.into_bytes()).map_err(Failure::own)?,
        },
    }
    Ok(Exit::HELD)
}

/// The rows of a trace file, when the file is one.
fn trace_of(path: &Path) -> Result<Option<Rows>, Failure> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| Failure::usage(anyhow!("{shown}: cannot be read: {error}"));
    let mut start = [0; 8];
    let begins = std::fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut start));
    if begins.map_err(unreadable)? < start.len() || !file::is_trace(&start) {
        return Ok(None);
    }
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > TRACE_MAX {
        return Err(Failure::usage(anyhow!(
            "{shown}: {length} bytes long: expected a trace of at most {TRACE_MAX} bytes"
        )));
    }
    let trace = file::read(&shown, &std::fs::read(path).map_err(unreadable)?).map_err(Failure::usage)?;
    if let Some(cut) = &trace.cut {
        say(&format!("{shown}: {cut}; what comes before is used, {} facts", trace.rows.facts.len()));
    }
    Ok(Some(trace.rows))
}

fn of_trace(rows: &Rows, args: &ExportArgs) -> Result<Vec<u8>, Failure> {
    match args.format {
        ExportFormat::Perfetto => Ok(export::perfetto(rows)),
        ExportFormat::Chrome => Ok(export::chrome(rows).into_bytes()),
        ExportFormat::Edn | ExportFormat::Dot | ExportFormat::Svg => Err(Failure::usage(anyhow!(
            "{}: a trace has no {}: expected a case, or the format perfetto or chrome",
            args.case.display(),
            args.format.name()
        ))),
    }
}

fn of_case(registry: &Registry, args: &ExportArgs) -> Result<Vec<u8>, Failure> {
    let (failure, retraced, _) = report(registry, &args.case, None)?;
    Ok(match args.format {
        ExportFormat::Perfetto => export::perfetto(&Rows::new(&retraced.trace)),
        ExportFormat::Chrome => export::chrome(&Rows::new(&retraced.trace)).into_bytes(),
        ExportFormat::Edn => {
            let promises = registry.promises(&retraced.case.configuration).map_err(Failure::usage)?;
            export::edn(&retraced.history, promises.durability).into_bytes()
        }
        ExportFormat::Dot => export::dot(&failure).into_bytes(),
        ExportFormat::Svg => export::svg(&failure).into_bytes(),
    })
}
