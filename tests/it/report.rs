//! What is recorded of a run, and how it is shown.

#[path = "report/files.rs"]
mod files;
#[path = "report/pages.rs"]
mod pages;
#[cfg(feature = "cli")]
#[path = "report/samples.rs"]
mod samples;
#[path = "report/tables.rs"]
mod tables;

use squall::scenario::{Configuration, Registry, StoredFinding};
use squall::sim::RunResult;
use squall::tape::Tape;
use squall::trace::{Level, Trace};

/// The scenarios whose name begins so, each as configured by `seed` for each engine that it runs on.
fn configurations(registry: &Registry, prefix: &str, seed: u64) -> Vec<(String, Configuration)> {
    let names: Vec<_> = registry.library().names().filter(|name| name.starts_with(prefix)).map(String::from).collect();
    let mut all = Vec::new();
    for name in names {
        let scenario = registry.library().embedded(&name, &[]).unwrap();
        for pairing in registry.pair(&scenario, &[]).unwrap().0 {
            all.push((name.clone(), pairing.configure(registry, &scenario, seed).unwrap()));
        }
    }
    all
}

/// A failing run: how it was set up, its seed, what it came to, what was recorded, what is wrong.
type Failed = (Configuration, u64, RunResult, Trace, StoredFinding);

/// The first failing run of a planted scenario, recorded.
fn failure(name: &str) -> Failed {
    let registry = Registry::standard();
    for seed in 0..200 {
        let (_, configuration) = configurations(&registry, name, seed).remove(0);
        let result = registry.run(&configuration, seed, None, Tape::seeded(seed)).unwrap();
        if let Some(finding) = result.findings.first().map(StoredFinding::from) {
            let traced = registry.run_traced(&configuration, seed, None, Tape::seeded(seed), Level::State, None);
            let (result, trace) = traced.unwrap();
            return (configuration, seed, result, trace, finding);
        }
    }
    panic!("{name}: nothing is found");
}
