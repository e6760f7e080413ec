//! SQLite over the simulated disk: several connections, faults, crashes, recovery, and the same run twice.

mod durability;
mod stepper;
mod toll;

use std::collections::BTreeSet;

use squall::disk::sim::{DiskConfig, FailedSync};
use squall::engine::sql::OverSql;
use squall::engine::{Durability, Engine};
use squall::history::{Class, CrashKind};
use squall::tape::Ratio;
use stepper::{Fate, Found, Run, options};

/// The family `kv` on top of it.
type Sqlite = OverSql<squall::engines::sqlite::Sqlite>;

const JOURNALS: [&str; 4] = ["wal", "delete", "truncate", "persist"];

fn calm(options: &str, seed: u64) -> Run<Sqlite> {
    Run::new(options, DiskConfig::default(), seed, 3, 6)
}

#[track_caller]
fn check_sound(run: &mut Run<Sqlite>, about: &str) {
    assert_eq!(run.judge(), Found::default(), "{about}");
}

#[test]
fn several_connections_share_a_database_in_every_journal_mode() {
    for journal in JOURNALS {
        for begin in ["immediate", "deferred"] {
            let about = format!("journal_mode={journal} begin={begin} cache_pages=4");
            let mut run = calm(&about, 7);
            assert!(run.run(|_| false));
            assert!(run.count(Fate::Acknowledged) > 4, "{about}: {:?}", run.fates);
            assert_eq!(run.count(Fate::InDoubt), 0, "{about}");
            check_sound(&mut run, &about);
        }
    }
}

#[test]
fn connections_that_are_in_each_others_way_are_refused_and_nothing_of_theirs_is_there() {
    let mut classes = BTreeSet::new();
    for seed in 0..20 {
        for begin in ["immediate", "deferred"] {
            let about = format!("busy_retries=3 begin={begin}");
            let mut run = calm(&about, seed);
            assert!(run.run(|_| false));
            check_sound(&mut run, &about);
            classes.extend(run.classes);
        }
    }
    assert_eq!(classes, BTreeSet::from([Class::Busy, Class::Conflict]));
}

#[test]
fn the_same_seed_gives_the_same_run_also_beside_others_in_the_same_process() {
    let whole = |seed| {
        let mut run = calm("", seed);
        assert!(run.run(|_| false));
        run.fingerprint()
    };
    let (first, second) = (whole(1), whole(2));
    assert_ne!(first, second);
    let elsewhere = std::thread::spawn(move || whole(2));
    // Turn by turn, in turns.
    let (mut one, mut other) = (calm("", 1), calm("", 2));
    let mut over = [false, false];
    while over != [true, true] {
        over = [one.run(|_| true), other.run(|_| true)];
    }
    assert_eq!((one.fingerprint(), other.fingerprint()), (first, second));
    assert_eq!(elsewhere.join().expect("no panic"), second);
}

#[test]
fn a_crash_at_any_step_takes_nothing_that_was_promised() {
    for (nth, kind) in (0..).zip([CrashKind::Kill, CrashKind::Os, CrashKind::Power]) {
        for journal in JOURNALS {
            let about = format!("journal_mode={journal} synchronous=extra cache_pages=4 wal_autocheckpoint=6");
            assert_eq!(Sqlite::promises(&options::<Sqlite>(&about)).durability, Durability::EveryCommit);
            for seed in nth * 1_000..nth * 1_000 + 25 {
                let mut run = calm(&about, seed);
                let end = 20 + seed % 25 * 37;
                run.run(|run| run.turns == end);
                run.crash(kind).expect("it recovers");
                check_sound(&mut run, &format!("{about}, {kind:?} at turn {end} of seed {seed}"));
            }
        }
    }
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_is_recovered_from() {
    for journal in JOURNALS {
        let about = format!("journal_mode={journal} synchronous=extra cache_pages=4");
        for seed in 0..25 {
            let mut run = calm(&about, seed);
            run.run(|run| run.turns == 500);
            run.crash_twice(CrashKind::Power, seed as u32 * 2).expect("it recovers");
            check_sound(&mut run, &format!("{about}, seed {seed}"));
        }
    }
}

#[test]
fn a_kill_forgives_what_was_not_synced() {
    let lost = |kind| {
        let mut lost = 0;
        for seed in 0..60 {
            let mut run = calm("journal_mode=wal synchronous=normal", seed);
            run.run(|run| run.turns == 600);
            run.crash(kind).expect("it recovers");
            lost += run.judge().lost;
        }
        lost
    };
    assert_eq!(lost(CrashKind::Kill), 0);
    assert!(lost(CrashKind::Power) > 0);
}

#[test]
fn a_connection_that_is_killed_leaves_the_others_a_sound_database() {
    for journal in JOURNALS {
        for seed in 0..20 {
            let about = format!("journal_mode={journal} cache_pages=4 wal_autocheckpoint=6");
            let mut run = calm(&about, seed);
            for kill in 1..8 {
                let at = kill * (40 + seed * 3);
                if !run.run(|run| run.turns >= at) {
                    run.kill_connection(kill as usize % 3);
                }
            }
            assert!(run.run(|_| false));
            check_sound(&mut run, &format!("{about}, seed {seed}"));
        }
    }
}

#[test]
fn an_abandoned_operation_leaves_no_transaction_open() {
    for journal in JOURNALS {
        for seed in 0..20 {
            let about = format!("journal_mode={journal} cache_pages=4");
            let mut run = calm(&about, seed);
            for nth in 1..8 {
                let at = nth * (40 + seed * 3);
                if !run.run(|run| run.turns >= at) {
                    run.abandon(nth as usize % 3);
                }
            }
            assert!(run.run(|_| false));
            check_sound(&mut run, &format!("{about}, seed {seed}"));
        }
    }
}

#[test]
fn io_errors_are_answered_cleanly_and_nothing_acknowledged_is_lost() {
    let rate = Ratio::new(1, 100);
    let disk = DiskConfig {
        read_eio: rate,
        write_eio: rate,
        sync_eio: rate,
        // After a sync that failed, SQLite syncs again and believes the answer.
        failed_sync: Some(FailedSync::KeptDirty),
        interrupted: rate,
        no_space: rate,
        read_short: rate,
        write_short: rate,
        split: rate,
        ..DiskConfig::default()
    };
    let mut classes = BTreeSet::new();
    for journal in JOURNALS {
        for seed in 0..25 {
            let about = format!("journal_mode={journal} synchronous=extra cache_pages=4");
            let mut run: Run<Sqlite> = Run::new(&about, disk.clone(), seed, 3, 6);
            run.run(|run| run.turns == 800);
            run.crash(CrashKind::Power).expect("it recovers once the disk is well again");
            check_sound(&mut run, &format!("{about}, seed {seed}"));
            classes.extend(run.classes);
        }
    }
    for class in [Class::Io, Class::Full] {
        assert!(classes.contains(&class), "{class} in {classes:?}");
    }
    assert!(!classes.contains(&Class::Other), "{classes:?}");
}
