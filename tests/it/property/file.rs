//! A run's history as a file: what the judges say of the file is what the property says of the run.

use squall::engine::Durability;
use squall::judge::check::{self, Options};
use squall::judge::formats;
use squall::property::{Verdict, transactions};
use squall::scenario::Registry;
use squall::tape::Tape;

/// Runs seeds of a scenario on an engine, and judges each run twice.
fn check(scenario: &str, engine: &str, property: &str, seeds: u64) -> [u32; 2] {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::standard();
    let scenario = registry.library().embedded(scenario, &[]).unwrap();
    let (pairings, _) = registry.pair(&scenario, &[engine.to_string()]).unwrap();
    let mut verdicts = [0; 2];
    for seed in 0..seeds {
        let mut configuration = pairings[0].configure(&registry, &scenario, seed).unwrap();
        configuration.properties = vec![property.to_string()];
        let promised = registry.promises(&configuration).unwrap();
        let result = registry.run(&configuration, seed, None, Tape::seeded(seed)).unwrap();
        let Some(history) = transactions(&result.history, promised.durability) else { continue };
        let file = folder.path().join("history.edn");
        std::fs::write(&file, formats::txns_edn(&history)).unwrap();
        let consistency = serde_json::to_value(promised.isolation).unwrap().as_str().unwrap().to_string();
        let name = if consistency == "snapshot" { "snapshot-isolation".to_string() } else { consistency };
        let report = check::run(&Options { consistency: Some(name), ..Options::of(&file) }).unwrap();
        let violated = matches!(result.judged[0].1.verdict, Verdict::Violated(_));
        let whole = promised.durability == Durability::EveryCommit;
        let said = report.exit_code() == 1;
        assert!(said == violated || !whole && !said, "seed {seed}: {report}");
        verdicts[usize::from(violated)] += 1;
    }
    verdicts
}

#[test]
fn a_run_that_holds_holds_as_a_file() {
    let [held, violated] = check("smoke/list-append", "dinghy", "list-append", 10);
    assert!(held >= 8 && violated == 0, "{held}");
}

#[test]
fn a_run_that_is_violated_is_violated_as_a_file() {
    let [_, violated] = check("planted/dirty-read", "dinghy", "rw-register", 30);
    assert!(violated > 0);
}
