//! A stored failure as a regression test that a user can paste: self-contained, the case and all.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::args::ShowArgs;
use super::exit::{Exit, Failure};
use super::screen::print;
use crate::scenario::{Case, EngineChoice};

/// `show --rust`.
pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let path = &args.case;
    let case = Case::read(path).map_err(Failure::usage)?;
    // It has just been read as a case, so it is text and no longer than one may be.
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string()).map_err(Failure::own)?;
    print(&rust_test(&case, &text))?;
    Ok(Exit::HELD)
}

/// The test's source. It fails as long as the failure is there.
fn rust_test(case: &Case, text: &str) -> String {
    let EngineChoice { name, .. } = &case.configuration.engine;
    let hashes = "#".repeat(1 + longest_run(text));
    let sentence = words(&case.finding.sentence);
    let mut source = String::new();
    let _ = write!(
        source,
        "//! Found by squall in the scenario `{scenario}`, seed {seed}:\n\
         //! {sentence}\n\
         \n\
         use squall::scenario::{{Case, Registry}};\n\
         \n\
         /// Everything that this test can run. An engine of your own is added here, as your program does it:\n\
         /// `Registry::standard().engine::<squall::engine::kv::Kv, YourEngine>()`.\n\
         fn registry() -> Registry {{\n    \
             Registry::standard()\n\
         }}\n\
         \n\
         /// Fails as long as the engine `{engine}` shows it.\n\
         #[test]\n\
         fn {test}() {{\n    \
             let case = Case::parse(\"the case in this test\", CASE).unwrap();\n    \
             let rerun = registry().rerun(&case).unwrap();\n    \
             assert!(!rerun.shows_it, \"{{}}\", rerun.sentence);\n\
         }}\n\
         \n\
         const CASE: &str = r{hashes}\"{text}\"{hashes};\n",
        scenario = words(&case.head.scenario),
        seed = words(&case.head.seed),
        engine = words(name),
        test = name_of(case),
    );
    source
}

/// One line that ends no comment.
fn words(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A function's name made of property and anomaly.
fn name_of(case: &Case) -> String {
    let text = format!("{}_{}", case.finding.property, case.finding.anomaly);
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let name: String = text.chars().take(80).map(plain).collect();
    let name = name.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    match name.chars().next() {
        None => "finding".to_string(),
        Some(first) if first.is_ascii_digit() => format!("finding_{name}"),
        Some(_) => name,
    }
}

/// The longest run of `#` in the text: a raw string needs one more.
fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '#').map(str::len).max().unwrap_or(0)
}
