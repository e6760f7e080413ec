//! The scenarios that come with the crate, and their documentation.

use std::collections::BTreeSet;
use std::path::Path;

use squall::scenario::keys::KEYS;
use squall::scenario::{Expect, Pairing, Registry, SCENARIOS, Scenario};
use squall::tape::Tape;

fn workloads() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

#[test]
fn every_file_of_the_folder_is_embedded_under_its_name() {
    let mut files = BTreeSet::new();
    for folder in std::fs::read_dir(workloads()).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if file.extension().is_some_and(|ending| ending == "toml") {
                    let name = file.strip_prefix(workloads()).unwrap().with_extension("");
                    files.insert(name.to_str().unwrap().replace('\\', "/"));
                }
            }
        }
    }
    let embedded: BTreeSet<String> = SCENARIOS.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(embedded, files);
}

#[test]
fn every_scenario_is_right_and_runs_on_an_engine() {
    let registry = Registry::standard();
    let library = registry.library();
    for name in library.names() {
        let scenario = library.embedded(name, &[]).unwrap();
        let (pairings, skipped) = registry.pair(&scenario, &[]).unwrap();
        assert!(!pairings.is_empty(), "{name} runs nowhere: {skipped:?}");
        assert!(!scenario.about.is_empty(), "{name} says nothing of itself");
        for pairing in pairings {
            for seed in 0..20 {
                pairing.configure(&registry, &scenario, seed).unwrap();
            }
        }
    }
}

/// The planted scenarios, each with its engine.
fn planted(registry: &Registry) -> Vec<(Scenario, Pairing)> {
    let names = registry.library().names().filter(|name| name.starts_with("planted/"));
    let one = |name: &str| {
        let scenario = registry.library().embedded(name, &[]).unwrap();
        let pairing = registry.pair(&scenario, &[]).unwrap().0.remove(0);
        (scenario, pairing)
    };
    names.map(one).collect()
}

#[test]
fn every_planted_scenario_switches_on_one_bug_and_says_how_soon_it_is_found() {
    let registry = Registry::standard();
    for (scenario, pairing) in planted(&registry) {
        let name = &scenario.name;
        let (info, _) = registry.engines().find(|(info, _)| info.name == pairing.engine).unwrap();
        let [bug] = pairing.bugs() else { panic!("{name}: {:?}", pairing.bugs()) };
        let bug = info.bugs.iter().find(|known| known.name == bug).unwrap();
        let expected = if bug.harmless { Expect::Holds } else { Expect::Violated };
        assert_eq!(scenario.expect, expected, "{name}");
        assert!(bug.harmless || scenario.found_within.is_some(), "{name}");
        let turns_max = scenario.draw(0).world.limits.turns_max;
        assert!(turns_max <= 500, "{name} has runs of {turns_max} turns");
    }
}

#[test]
fn every_bug_of_the_catalogue_has_a_scenario_of_its_name() {
    let registry = Registry::standard();
    let planted: BTreeSet<_> = planted(&registry).into_iter().map(|(scenario, _)| scenario.name).collect();
    let bugs = registry.engines().flat_map(|(info, _)| info.bugs).map(|bug| format!("planted/{}", bug.name));
    let missing: Vec<_> = bugs.filter(|name| !planted.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_bug_is_found_and_the_engine_without_it_passes_the_same_seeds() {
    let registry = Registry::standard();
    let mut wrong = Vec::new();
    for (scenario, pairing) in planted(&registry) {
        let pilot = pairing.configure(&registry, &scenario, 0).unwrap();
        let pilot = registry.pilot(&pilot, 0).unwrap();
        let run = |seed, clean: bool| {
            let mut configuration = pairing.configure(&registry, &scenario, seed).unwrap();
            if configuration.world.policy.wants_estimates() {
                configuration = registry.with_estimates(configuration, seed, &pilot).unwrap();
            }
            if clean {
                configuration.engine.bugs.clear();
            }
            let run = registry.run(&configuration, seed, None, Tape::seeded(seed)).unwrap();
            run.findings.first().map(|finding| format!("{}, seed {seed}: {}", scenario.name, finding.sentence))
        };
        // As many seeds as it takes, or a few where nothing is to be found.
        let seeds = if scenario.expect == Expect::Holds { 0..20 } else { scenario.default_seeds() };
        let mut found = None;
        for seed in seeds {
            wrong.extend(run(seed, true));
            found = run(seed, false);
            if found.is_some() {
                break;
            }
        }
        match (scenario.expect, found) {
            (Expect::Violated, None) => wrong.push(format!("{}: not found", scenario.name)),
            (Expect::Holds, Some(finding)) => wrong.push(finding),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn expect_stands_at_the_start_of_a_line() {
    for (name, text) in SCENARIOS.iter().filter(|(name, _)| name.starts_with("planted/")) {
        assert!(text.lines().any(|line| line.starts_with("expect = ")), "{name}");
    }
}

#[test]
fn the_readme_documents_every_key() {
    let readme = std::fs::read_to_string(workloads().join("README.md")).unwrap();
    let mut missing = String::new();
    for key in KEYS {
        let row = format!("| `{}` | {} | {} | {} |", key.name, key.about, key.kind.accepted(), key.default);
        if !readme.contains(&row) {
            missing += &format!("{row}\n");
        }
    }
    assert!(missing.is_empty(), "workloads/README.md lacks these rows:\n{missing}");
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_is_spared_what_it_does_not_promise_to_survive_unless_it_is_named() {
    const TEXT: &str = "workload = \"register\"\n[disk]\nsync-eio = \"1/9\"\n[crash]\nrate = \"1/9\"\n";
    let registry = Registry::standard()
        .scenario("all", TEXT)
        .scenario("named", format!("engines = [\"sqlite\", \"dinghy\"]\n{TEXT}"));
    let spared = |name: &str, engine: &str| {
        let scenario = registry.library().embedded(name, &[]).unwrap();
        let (pairings, skipped) = registry.pair(&scenario, &[engine.to_string()]).unwrap();
        let world = pairings[0].configure(&registry, &scenario, 1).unwrap().world;
        let said = skipped.iter().filter(|skipped| skipped.engine == engine).count();
        (world.disk.sync_eio.is_zero(), world.crash.kill_writes_back, said)
    };
    assert_eq!(spared("all", "sqlite"), (true, true, 2));
    assert_eq!(spared("all", "dinghy"), (false, false, 0));
    assert_eq!(spared("named", "sqlite"), (false, false, 0));
}
