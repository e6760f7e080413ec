//! The `squall` program: the command line over the engines that come with the crate.

use std::process::ExitCode;

use squall::scenario::Registry;

fn main() -> ExitCode {
    squall::cli::main(Registry::standard())
}
