//! Every fault: that it strikes when on, draws nothing when off, and strikes again on replay.

use squall::disk::sim::DiskConfig;
use squall::tape::Ratio;

use super::script::{check as check_with, replayed, seeded};

const HALF: Ratio = Ratio::new(1, 2);

fn calm() -> DiskConfig {
    DiskConfig::default()
}

#[track_caller]
fn check(config: &DiskConfig, script: &str, expected: &[&str]) {
    check_with(config, &format!("create a; write a 0 AAAA; sync a; faults on; {script}"), expected);
}

#[test]
fn a_calm_disk_answers_in_one_way() {
    check(&calm(), "write a 2 BBBB; read a 1 4; read a 4 9; read a 6 1; sync a", &["read:ABBB read:BB read: a=AABBBB"]);
}

#[test]
fn a_read_that_fails_leaves_everything_as_it_is() {
    check(&DiskConfig { read_eio: HALF, ..calm() }, "read a 0 4", &["read:AAAA a=AAAA", "read:EIO a=AAAA"]);
}

#[test]
fn a_short_read_brings_at_least_one_byte() {
    check(
        &DiskConfig { read_short: HALF, ..calm() },
        "read a 0 4",
        &["read:AAAA a=AAAA", "read:AAA a=AAAA", "read:AA a=AAAA", "read:A a=AAAA"],
    );
}

#[test]
fn a_short_write_takes_at_least_one_byte_and_says_how_many() {
    check(
        &DiskConfig { write_short: HALF, ..calm() },
        "write a 0 BBB",
        &["a=BBBA", "write:2 a=BBAA", "write:1 a=BAAA"],
    );
}

#[test]
fn a_failed_write_may_have_written_whole_sectors() {
    check(
        &DiskConfig { write_eio: HALF, ..calm() },
        "write a 0 B*513",
        &["a=B*513", "write:EIO a=AAAA", "write:EIO@512 a=B*512", "write:EIO@513 a=B*513"],
    );
}

#[test]
fn a_fault_strikes_as_often_as_it_should_and_again_on_replay() {
    // 1000 reads at 1/10: the standard deviation is 9.5, so 6 of them on either side.
    let config = DiskConfig { read_eio: Ratio::new(1, 10), ..calm() };
    let script = format!("create a; faults on; {}", "read a 0 1; ".repeat(1000));
    let (outcome, decisions) = seeded(&config, 3, &script);
    let hits = outcome.matches("EIO").count();
    assert!((43..158).contains(&hits), "{hits}");
    assert_eq!(decisions.draws.len(), hits);
    assert_eq!(replayed(&config, 3, &decisions, &script), outcome);
    // One fault taken out leaves the others where they are.
    let mut fewer = decisions.clone();
    fewer.draws.pop_first();
    assert_eq!(replayed(&config, 3, &fewer, &script).matches("EIO").count(), hits - 1);
    assert_eq!(seeded(&calm(), 3, &script).1.draws.len(), 0);
}
