//! The samples under `reports/sample/` are what the program makes now.

use std::path::Path;
use std::process::Command;

const ANEW: &str = "make it anew by `reports/sample/make.sh --shown PROGRAM`, and look at what has changed";

#[test]
fn every_sample_is_what_the_program_makes_now() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "case")).collect();
    cases.sort();
    assert_eq!(cases.len(), 6, "{cases:?}");
    for case in cases {
        for form in ["md", "json"] {
            let mut show = Command::new(env!("CARGO_BIN_EXE_squall"));
            show.current_dir(&folder).arg("show").arg(case.file_name().unwrap()).arg(format!("--{form}"));
            // Time must not cut what is found out.
            show.args(["--explain-budget", "20m", "--hang-after", "60m"]);
            let done = show.output().unwrap();
            assert!(done.status.success(), "{}: {}", case.display(), String::from_utf8_lossy(&done.stderr));
            let (made, path) = (String::from_utf8(done.stdout).unwrap(), case.with_extension(form));
            let stored = std::fs::read_to_string(&path).unwrap();
            let differs = made.lines().zip(stored.lines()).find(|(made, stored)| made != stored);
            assert!(made == stored, "{}: {ANEW}; first {differs:?}", path.display());
        }
    }
}
