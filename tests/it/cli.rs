//! The command line from outside: a program, its exit codes, what it prints and what it leaves behind.
//!
//! Most of it drives `examples/rogue_engine.rs`, whose engine misbehaves on demand.

#[path = "cli/campaigns.rs"]
mod campaigns;
#[path = "cli/cases.rs"]
mod cases;
#[path = "cli/exits.rs"]
mod exits;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/power.rs"]
mod power;
#[path = "cli/reports.rs"]
mod reports;
#[path = "cli/scenarios.rs"]
mod scenarios;
#[path = "cli/verbs.rs"]
mod verbs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// The example, built with the profile of this test.
fn rogue() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "rogue_engine"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        // The test's own features, so that nothing is compiled that is not there already.
        if !cfg!(feature = "sqlite") {
            build.args(["--no-default-features", "--features", "cli"]);
        }
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(folder.parent().unwrap());
        assert!(build.status().unwrap().success(), "the example does not build");
        folder.join("examples/rogue_engine")
    })
}

/// What a program did.
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// A folder to run programs in.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(rogue());
        command.args(args.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the rogue with these arguments.
    fn run(&self, args: &str) -> Done {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// The cases that a campaign left, sorted.
    fn cases(&self, out: &str) -> Vec<String> {
        let mut cases = Vec::new();
        for bucket in std::fs::read_dir(self.path().join(out)).unwrap().map(|entry| entry.unwrap().path()) {
            if bucket.is_dir() {
                let files = std::fs::read_dir(&bucket).unwrap().map(|entry| entry.unwrap().path());
                let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "case"));
                cases.extend(files.map(|file| file.strip_prefix(self.path()).unwrap().to_str().unwrap().to_string()));
            }
        }
        cases.sort();
        cases
    }

    fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}
