//! What the engine does, seen from outside: random clients, small pages, tiny caches, and a model.

use super::testing::{Setup, World};
use crate::engine::OptionValue;
use crate::history::CrashKind;

fn check(setup: Setup, rounds: u64, turns: u64) {
    let seed = setup.seed;
    let mut world = World::new(setup);
    for round in 0..rounds {
        world.run(turns);
        if let Err(why) = world.check() {
            panic!("seed {seed}, round {round}: {why}");
        }
    }
}

fn check_crashes(setup: Setup, rounds: u64, turns: u64) {
    let seed = setup.seed;
    let mut world = World::new(setup);
    for round in 0..rounds {
        let turns = 1 + world.random.below(turns);
        world.run(turns);
        let kind = [CrashKind::Kill, CrashKind::Os, CrashKind::Power][world.random.below(3) as usize];
        if let Err(why) = world.crash(kind) {
            panic!("seed {seed}, round {round}: cannot open after a {}: {why}", kind.name());
        }
        if let Err(why) = world.check_now() {
            panic!("seed {seed}, round {round}, after a {}: {why}", kind.name());
        }
    }
}

#[test]
fn every_answer_is_that_of_one_version_of_the_database() {
    for seed in 0..40 {
        check(Setup::new(seed), 4, 1500);
    }
}

#[test]
fn the_same_with_snapshot_isolation_and_one_page_of_cache() {
    for seed in 100..130 {
        let setup = Setup::new(seed)
            .option("isolation", OptionValue::Text("snapshot".into()))
            .option("cache_pages", OptionValue::Int(1));
        check(setup, 4, 1500);
    }
}

#[test]
fn whatever_was_acknowledged_is_there_after_a_crash() {
    for seed in 200..260 {
        check_crashes(Setup::new(seed), 12, 600);
    }
}
