//! Crash images: what they find, what they leave alone, and that a case repeats them.

use squall::property::Finding;
use squall::scenario::{Configuration, Registry};
use squall::sim::RunResult;
use squall::tape::{Decisions, Tape};

const SCENARIO: &str = r#"
workload = "churn"
connections = "1..3"
transactions = 12
[knobs]
keys = 6
value-bytes = [16, 700]
checkpoints-permille = 80
[images]
rate = "1/10"
count = 3
points-max = 100
"#;

/// The configuration of `seed` on dinghy with these lines added to the scenario.
fn configured(registry: &Registry, more: &str, flags: &[&str], seed: u64) -> Configuration {
    let text = format!("engines = \"dinghy\"\n{SCENARIO}{more}");
    let folder = tempfile::tempdir().expect("room for a directory");
    let file = folder.path().join("images.toml");
    std::fs::write(&file, text).expect("room for a file");
    let flags: Result<Vec<_>, _> = flags.iter().map(|flag| squall::scenario::parse_flag(flag)).collect();
    let found = registry.library().find(file.to_str().expect("a plain name"), &flags.expect("sound flags"));
    let scenario = found.expect("a sound scenario").remove(0);
    let (pairings, _) = registry.pair(&scenario, &[]).expect("it exists");
    pairings[0].configure(registry, &scenario, seed).expect("it can be run")
}

fn run(registry: &Registry, configuration: &Configuration, tape: Tape, seed: u64) -> RunResult {
    registry.run(configuration, seed, None, tape).expect("it can be run")
}

/// Faults of the disk beside the images.
const STORM: &str = "[disk]\nread-eio = \"1/200\"\nwrite-eio = \"1/200\"\nsync-eio = \"1/50\"\nsplit = \"1/5\"\n\
    write-short = \"1/20\"\nslow = \"1/20\"\npowersafe-overwrite = false\n[crash]\nrate = \"1/200\"\n";

#[test]
fn images_leave_the_run_as_it_is() {
    let registry = Registry::standard();
    let (mut recovered, mut struck) = (0, 0);
    for seed in 0..40 {
        let with = run(&registry, &configured(&registry, STORM, &[], seed), Tape::seeded(seed), seed);
        let off = configured(&registry, STORM, &["images.rate=0/1"], seed);
        let without = run(&registry, &off, Tape::seeded(seed), seed);
        assert!(with.findings.is_empty(), "seed {seed}: {:?}", with.findings);
        assert_eq!(
            (with.hash, with.turns, with.crashes),
            (without.hash, without.turns, without.crashes),
            "seed {seed}"
        );
        assert_eq!(with.history.events, without.history.events, "seed {seed}");
        assert_eq!(without.images.points, 0);
        assert_eq!(with.images.unjudged, 0, "seed {seed}");
        assert_eq!(with.images.recovered, 3 * u64::from(with.images.points), "seed {seed}");
        assert!(with.images.points == 0 || with.images.compared > 0, "seed {seed}");
        recovered += with.images.recovered;
        struck += with.images.struck;
    }
    assert!(recovered > 1_000, "{recovered}");
    // Three in ten are struck, unless recovery is over before.
    assert!(struck * 20 > recovered && struck * 10 < recovered * 4, "{struck} of {recovered}");
}

/// The first finding among some seeds of a run that is never struck by a crash itself.
fn first_finding(registry: &Registry, bug: &str) -> Option<(u64, Finding)> {
    (0..30).find_map(|seed| {
        let configuration = configured(registry, &format!("[engine]\nbugs = [\"{bug}\"]\n"), &[], seed);
        let result = run(registry, &configuration, Tape::seeded(seed), seed);
        result.findings.first().map(|finding| (seed, finding.clone()))
    })
}

#[test]
fn images_find_what_a_crash_would_have_found() {
    let registry = Registry::standard();
    for bug in ["acknowledge-before-sync", "torn-frame-accepted", "truncate-before-sync", "recovery-not-idempotent"] {
        let (_, finding) = first_finding(&registry, bug).unwrap_or_else(|| panic!("{bug} is not found"));
        assert!(finding.sentence.starts_with("In crash image "), "{bug}: {}", finding.sentence);
        let proof = finding.proof.join("\n");
        assert!(proof.contains(" was taken in turn "), "{bug}: {proof}");
        let kinds = ["process kill", "operating system crash", "power loss"];
        assert!(kinds.iter().any(|kind| proof.contains(kind)), "{bug}: {proof}");
    }
}

#[test]
fn a_case_repeats_the_image_that_failed_and_the_run_before_it() {
    let registry = Registry::standard();
    let bug = "acknowledge-before-sync";
    let (seed, finding) = first_finding(&registry, bug).expect("it is found");
    let configuration = configured(&registry, &format!("[engine]\nbugs = [\"{bug}\"]\n"), &[], seed);
    let first = run(&registry, &configuration, Tape::seeded(seed).recording(), seed);
    assert_eq!(first.findings[0], finding);
    // The history shows the operations that the finding speaks of.
    assert!(finding.ops.iter().all(|op| op.0 < first.history.ops()), "{finding:?}");
    let decisions = first.decisions.clone().expect("recorded");
    let scoped = decisions.draws.keys().filter(|key| key.kind.contains('@')).count();
    assert!(scoped > 0, "the image's own decisions are stored: {}", decisions.draws_text());
    let text = Decisions::parse(&decisions.schedule_text(), &decisions.draws_text()).expect("our own text");
    let again = run(&registry, &configuration, Tape::recorded(seed, text), seed);
    assert_eq!((&again.findings[0], again.hash), (&finding, first.hash));
    // Without the decision to take images there is nothing to find.
    let mut calm = decisions;
    calm.draws.retain(|key, _| !key.kind.starts_with("image"));
    let calm = run(&registry, &configuration, Tape::recorded(seed, calm), seed);
    assert_eq!((calm.images.points, calm.findings.len()), (0, 0));
}
