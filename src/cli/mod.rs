//! The command line. [`main`] gives a user all of it over an engine of their own:
//!
//! ```no_run
//! use squall::scenario::Registry;
//!
//! fn main() -> std::process::ExitCode {
//!     squall::cli::main(Registry::standard().program("mine"))
//! }
//! ```
//!
//! What was typed is kept apart from what it means: `args` reads, the verbs decide. Results go to standard
//! output, all else to standard error.

mod args;
mod audit;
mod bench_power;
mod check;
mod corpus;
mod doctor;
mod exit;
mod explain;
mod export;
mod github;
mod junit;
mod list;
mod markdown;
mod merge;
mod power_text;
mod progress;
mod replay;
mod results;
mod retrace;
mod run;
mod rust_test;
mod screen;
mod shard;
mod show;
mod shrink;
mod signals;
mod summary_text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Verb};
use self::exit::{Exit, Failure};
use self::screen::say;
use crate::scenario::Registry;

/// Runs the program over what the registry holds.
#[must_use]
pub fn main(registry: Registry) -> ExitCode {
    let program = registry.program_name().to_string();
    let outcome = catch_unwind(AssertUnwindSafe(|| go(&registry)));
    let exit = match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            say(&format!("{program}: {}", screen::plain(&failure.to_string())));
            failure.exit
        }
        Err(_) => {
            say(&format!("{program}: this is a defect of squall itself, not of the engine; please report it"));
            Exit::OWN_FAILURE
        }
    };
    ExitCode::from(exit.0)
}

fn go(registry: &Registry) -> Result<Exit, Failure> {
    let program: &'static str = Box::leak(registry.program_name().to_string().into_boxed_str());
    let command = Cli::command().name(program).bin_name(program);
    let typed = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match typed {
        Ok(cli) => cli,
        Err(help) => {
            let code = help.exit_code();
            // Help goes to standard output, complaints to standard error; clap knows which is which.
            let _ = help.print();
            return Ok(if code == 0 { Exit::HELD } else { Exit::USAGE });
        }
    };
    match &cli.verb {
        Verb::Run(args) => run::run(registry, args),
        Verb::Merge(args) => merge::run(registry, args),
        Verb::Corpus(args) => corpus::run(registry, args),
        Verb::Replay(args) => replay::run(registry, args),
        Verb::Check(args) => check::run(args),
        Verb::Show(args) => show::run(registry, args),
        Verb::Export(args) => export::run(registry, args),
        Verb::Shrink(args) => shrink::run(registry, args),
        Verb::Explain(args) => explain::run(registry, args),
        Verb::Audit(args) => audit::run(registry, args),
        Verb::List(args) => list::run(registry, args),
        Verb::Doctor(args) => doctor::run(registry, args),
        Verb::BenchPower(args) => bench_power::run(registry, args),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut visible(program), program, &mut script);
            screen::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::HELD)
        }
        Verb::Worker => {
            // A panic of the engine is caught and becomes a finding; its usual message would only be noise.
            let (input, output) = (std::io::stdin().lock(), std::io::stdout());
            crate::campaign::serve(registry, input, output).map_err(Failure::own)?;
            Ok(Exit::HELD)
        }
    }
}

/// The command without its hidden verb, which no shell should offer.
fn visible(program: &'static str) -> clap::Command {
    let full = Cli::command();
    let verbs = full.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    clap::Command::new(program).version(env!("CARGO_PKG_VERSION")).subcommands(verbs.collect::<Vec<_>>())
}
