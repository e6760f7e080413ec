//! Every fault: what it can do and no more, that it strikes as often as it should when on, draws nothing
//! when off, and strikes again on replay.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall::aio::{ErrorKind, IoKind};
use squall::disk::sim::{Dice, DiskConfig, FailedSync, FaultRule, IoFacts, MediaFault, Strike, SurvivorWeights};
use squall::tape::{Decisions, Ratio, Tape};

use super::script::{Player, check as check_with, outcomes, replayed, seeded};

const HALF: Ratio = Ratio::new(1, 2);

fn calm() -> DiskConfig {
    DiskConfig {
        survivors: SurvivorWeights { lose_all: 1, ..SurvivorWeights::NONE },
        size_first: Ratio::ZERO,
        ..DiskConfig::default()
    }
}

fn media(kind: MediaFault) -> DiskConfig {
    DiskConfig { media: vec![kind], media_rate: HALF, ..calm() }
}

#[track_caller]
fn check(config: &DiskConfig, script: &str, expected: &[&str]) {
    check_with(config, &format!("create a; syncdir; write a 0 AAAA; sync a; faults on; {script}"), expected);
}

#[test]
fn a_calm_disk_answers_in_one_way() {
    let script = "write a 2 BBBB; read a 1 4; read a 4 9; read a 6 1; sync a";
    check(&calm(), script, &["read:ABBB read:BB read: a=AABBBB"]);
}

#[test]
fn a_read_that_fails_leaves_everything_as_it_is() {
    check(&DiskConfig { read_eio: HALF, ..calm() }, "read a 0 4", &["read:AAAA a=AAAA", "read:EIO a=AAAA"]);
}

#[test]
fn a_short_read_brings_at_least_one_byte() {
    let all = ["read:AAAA a=AAAA", "read:AAA a=AAAA", "read:AA a=AAAA", "read:A a=AAAA"];
    check(&DiskConfig { read_short: HALF, ..calm() }, "read a 0 4", &all);
}

#[test]
fn a_short_write_takes_at_least_one_byte_and_says_how_many() {
    let all = ["a=BBBA", "write:2 a=BBAA", "write:1 a=BAAA"];
    check(&DiskConfig { write_short: HALF, ..calm() }, "write a 0 BBB", &all);
}

#[test]
fn a_failed_write_may_have_written_whole_sectors() {
    let all = ["a=B*513", "write:EIO a=AAAA", "write:EIO@512 a=B*512", "write:EIO@513 a=B*513"];
    check(&DiskConfig { write_eio: HALF, ..calm() }, "write a 0 B*513", &all);
}

#[test]
fn an_interrupted_operation_has_no_effect() {
    let config = DiskConfig { interrupted: HALF, ..calm() };
    check(&config, "write a 0 B", &["a=BAAA", "write:EINTR a=AAAA"]);
    check(&config, "read a 0 1; sync a", &["read:A a=AAAA", "read:EINTR a=AAAA"]);
}

#[test]
fn a_full_disk_takes_what_fits_and_refuses_the_rest() {
    let config = DiskConfig { capacity_bytes: Some(8192), ..calm() };
    check(&config, "write a 4096 B*4096; write a 8192 C", &["write:ENOSPC a=AAAA.*4092 B*4096"]);
    check(&config, "write a 4096 B*5000", &["write:4096 a=AAAA.*4092 B*4096"]);
    check(&config, "write a 0 B; write a 4090 B*6", &["a=BAAA.*4086 B*6"]);
    // Room that was given back can be taken again.
    let again = "create b; write b 0 B*4096; write a 4096 C; truncate b 0; write a 4096 D";
    check(&config, again, &["write:ENOSPC a=AAAA.*4092 D b="]);
    check(&config, "create b; write b 0 B; remove b; write a 4096 D", &["write:ENOSPC a=AAAA"]);
    check(&config, "create b; write b 0 B; remove b; close b; write a 4096 D", &["a=AAAA.*4092 D"]);
    check(&config, "create b; write b 0 B; faults off; write a 4096 D", &["a=AAAA.*4092 D b=B"]);
}

#[test]
fn a_disk_may_claim_to_be_full_when_a_write_needs_room() {
    let config = DiskConfig { no_space: HALF, ..calm() };
    check(&config, "write a 0 BBBB", &["a=BBBB"]);
    check(&config, "write a 2 BBBB", &["a=AABBBB", "write:ENOSPC a=AAAA"]);
}

#[test]
fn a_failed_sync_leaves_what_the_policy_says() {
    let policy = |failed_sync| DiskConfig { sync_eio: HALF, failed_sync: Some(failed_sync), ..calm() };
    let script = "write a 0 B; sync a; read a 0 4; faults off; sync a; CRASH os";
    let well = "read:BAAA a=BAAA";
    check(&policy(FailedSync::CleanNew), script, &[well, "sync:EIO read:BAAA a=AAAA"]);
    check(&policy(FailedSync::CleanOld), script, &[well, "sync:EIO read:AAAA a=AAAA"]);
    check(&policy(FailedSync::Late), script, &[well, "read:BAAA sync:EIO a=AAAA"]);
    check(&policy(FailedSync::KeptDirty), script, &[well, "sync:EIO read:BAAA a=BAAA"]);
    // When nothing is said the run draws one of the four.
    let drawn = DiskConfig { failed_sync: None, ..policy(FailedSync::Late) };
    let all = [
        well,
        "sync:EIO read:BAAA a=AAAA",
        "sync:EIO read:AAAA a=AAAA",
        "read:BAAA sync:EIO a=AAAA",
        "sync:EIO read:BAAA a=BAAA",
    ];
    check(&drawn, script, &all);
}

#[test]
fn a_failed_sync_may_have_written_a_part() {
    let config = DiskConfig { sync_eio: HALF, failed_sync: Some(FailedSync::CleanNew), ..calm() };
    let script = "write a 0 B; write a 1 C; write a 2 D; sync a; faults off; CRASH os";
    check(&config, script, &["a=BCDA", "sync:EIO a=AAAA", "sync:EIO a=BAAA", "sync:EIO a=BCAA"]);
}

#[test]
fn writes_after_a_failed_sync_are_synced_by_the_next() {
    let config = DiskConfig { sync_eio: HALF, failed_sync: Some(FailedSync::CleanOld), ..calm() };
    let script = "write a 0 B; fly sync a; write a 3 C; land; faults off; read a 0 4; sync a; CRASH os";
    check(&config, script, &["read:BAAC a=BAAC", "sync:EIO read:AAAC a=AAAC"]);
}

#[test]
fn a_failed_sync_of_a_directory_leaves_everything_to_be_synced_again() {
    let config = DiskConfig { sync_eio: HALF, ..calm() };
    check(&config, "create b; syncdir; faults off; CRASH os", &["a=AAAA b=", "syncdir:EIO a=AAAA"]);
    let again = "create b; syncdir; faults off; syncdir; CRASH os";
    check(&config, again, &["a=AAAA b=", "syncdir:EIO a=AAAA b="]);
}

#[test]
fn a_lying_device_keeps_its_word_unless_the_power_fails() {
    let config = DiskConfig { sync_lie: HALF, ..calm() };
    check(&config, "write a 0 B; sync a; CRASH os", &["a=BAAA"]);
    check(&config, "write a 0 B; sync a; CRASH power", &["a=BAAA", "a=AAAA"]);
    check(&config, "write a 0 B; sync a; faults off; write a 3 B; sync a; CRASH power", &["a=BAAB"]);
    check(&config, "create b; syncdir; CRASH power", &["a=AAAA", "a=AAAA b="]);
    check(&config, "create b; syncdir; CRASH os", &["a=AAAA b="]);
}

#[test]
fn a_flipped_bit_stays_until_it_is_rewritten() {
    let config = media(MediaFault::BitFlip);
    let script = "read a 0 1; faults off; read a 0 1";
    check(
        &config,
        script,
        &["read:A read:A a=AAAA", "read:C read:C a=CAAA", "read:E read:E a=EAAA", "read:? read:? a=?AAA"],
    );
    check(
        &config,
        &format!("{script}; CRASH power"),
        &["read:A read:A a=AAAA", "read:C read:C a=CAAA", "read:E read:E a=EAAA", "read:? read:? a=?AAA"],
    );
    check(
        &config,
        "read a 1 1; faults off; write a 1 B; read a 0 4",
        &["read:A read:ABAA a=ABAA", "read:C read:ABAA a=ABAA", "read:E read:ABAA a=ABAA", "read:? read:ABAA a=ABAA"],
    );
}

#[test]
fn a_bit_flipped_on_read_is_right_again_the_next_time() {
    let all = ["read:A read:A a=AAAA", "read:C read:A a=AAAA", "read:E read:A a=AAAA", "read:? read:A a=AAAA"];
    check(&media(MediaFault::FlipOnRead), "read a 0 1; faults off; read a 0 1", &all);
}

#[test]
fn a_latent_error_stays_until_the_sector_is_rewritten() {
    let config = media(MediaFault::LatentSector);
    let before = "faults off; write a 0 A*1024; faults on; read a 0 1024; faults off;";
    let calm = "read:A*1024 read:A read:A";
    let first = |rest: &str| {
        [
            format!("{calm} {rest}"),
            format!("read:EIO read:EIO read:A {rest}"),
            format!("read:EIO read:A read:EIO {rest}"),
        ]
    };
    let all = first("a=A*1024");
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    check(&config, &format!("{before} read a 0 1; read a 1023 1"), &all);
    check(&config, &format!("{before} sync a; CRASH kill; read a 0 1; read a 1023 1"), &all);
    let rewritten = "write a 0 B*512; write a 512 B*512; read a 0 1024";
    check(
        &config,
        &format!("{before} {rewritten}"),
        &["read:A*1024 read:B*1024 a=B*1024", "read:EIO read:B*1024 a=B*1024"],
    );
}

#[test]
fn a_zeroed_page_stays_zero() {
    let config = media(MediaFault::ZeroedPage);
    let script = "faults off; write a 0 A*8192; sync a; faults on; read a 4000 200; faults off; CRASH power";
    let all = ["read:A*200 a=A*8192", "read:.*96 A*104 a=.*4096 A*4096", "read:A*96 .*104 a=A*4096 .*4096"];
    check(&config, script, &all);
}

#[test]
fn a_misdirected_read_brings_what_lies_a_whole_transfer_away() {
    let config = media(MediaFault::MisdirectedRead);
    let script = "faults off; write a 0 ABCDEF; faults on; read a 2 2";
    check(&config, script, &["read:CD a=ABCDEF", "read:AB a=ABCDEF", "read:EF a=ABCDEF"]);
    check(&config, "read a 0 4", &["read:AAAA a=AAAA"]);
}

#[test]
fn a_misdirected_write_lands_in_a_file_that_is_open() {
    let config = media(MediaFault::MisdirectedWrite);
    let script = "faults off; write a 0 AABBCC; create b; write b 0 DDD; create c; write c 0 EE; remove c; faults on; write a 2 FF";
    check(&config, script, &["a=AAFFCC b=DDD", "a=FFBBCC b=DDD", "a=AABBFF b=DDD", "a=AABBCC b=FFD"]);
}

#[test]
fn a_misdirected_transfer_never_hits_the_right_place() {
    // The exhaustive tape has a calm branch at any rate; a seeded one has none at 1/1.
    for (kind, step) in [(MediaFault::MisdirectedRead, "read a 1 1"), (MediaFault::MisdirectedWrite, "write a 1 F")] {
        let config = DiskConfig { media_rate: Ratio::ONE, ..media(kind) };
        let script = format!("create a; write a 0 ABC; faults on; {step}");
        let all: BTreeSet<String> = (0..50).map(|seed| seeded(&config, seed, &script).0).collect();
        let expected = match kind {
            MediaFault::MisdirectedRead => ["read:A a=ABC", "read:C a=ABC"],
            _ => ["a=ABF", "a=FBC"],
        };
        // Of two places 50 seeds miss one with a probability of 2^-49.
        assert!(all.iter().eq(expected), "{all:?}");
    }
}

#[test]
fn a_lost_write_is_acknowledged_all_the_same() {
    check(&media(MediaFault::LostWrite), "write a 0 B; sync a", &["a=BAAA", "a=AAAA"]);
}

#[test]
fn a_stale_read_brings_what_was_there_before() {
    let config = media(MediaFault::StaleRead);
    check(
        &config,
        "write a 0 BBBB; read a 1 2; read a 1 2",
        &["read:BB read:BB a=BBBB", "read:AA read:BB a=BBBB", "read:BB read:AA a=BBBB", "read:AA read:AA a=BBBB"],
    );
    check(&config, "read a 0 4", &["read:AAAA a=AAAA"]);
}

#[test]
fn a_file_without_a_name_is_left_alone() {
    for kind in MediaFault::ALL {
        check(&media(kind), "remove a; write a 0 B; read a 0 4", &["read:BAAA"]);
    }
}

#[test]
fn a_run_has_one_kind_of_media_fault() {
    let config =
        DiskConfig { media: vec![MediaFault::FlipOnRead, MediaFault::LostWrite], ..media(MediaFault::BitFlip) };
    let both: Vec<String> =
        outcomes(&config, "create a; write a 0 C; faults on; write a 0 A; read a 0 1").into_iter().collect();
    assert_eq!(both, ["read:? a=A", "read:A a=A", "read:C a=A", "read:C a=C", "read:E a=A"]);
}

/// A rule that strikes writes at byte 0 in the way it is told.
struct AtZero(Strike);

impl FaultRule for AtZero {
    fn name(&self) -> &'static str {
        "at-zero"
    }

    fn strike(&self, io: &IoFacts<'_>, dice: &mut Dice<'_>) -> Option<Strike> {
        (io.kind == IoKind::Write && io.offset == 0 && dice.chance(Ratio::ONE)).then_some(self.0)
    }
}

#[test]
fn a_rule_of_the_user_strikes_where_it_says() {
    let check = |strike, expected| {
        let mut player = Player::new(&calm(), Tape::seeded(1).recording());
        player.disk.add_rule(Arc::new(AtZero(strike)));
        assert_eq!(player.play("create a; write a 0 AAAA; faults on; write a 0 BBB; write a 1 C"), expected);
        assert_eq!(player.disk.stats().faults["at-zero"], 1);
        let decisions = player.tape.take_recording().expect("the tape records");
        assert_eq!(decisions.draws_text(), "c0/op3/io0 at-zero 1\n");
    };
    check(Strike::Fail(ErrorKind::NoSpace), "write:ENOSPC a=ACAA");
    check(Strike::Short(2), "write:2 a=BCAA");
    check(Strike::Short(0), "write:1 a=BCAA");
    check(Strike::Lose, "a=ACAA");
    check(Strike::Corrupt { at: 2, mask: 1 }, "a=BCCA");
    check(Strike::Corrupt { at: 3, mask: 1 }, "a=BCBA");
}

/// Every fault by the name of its draw, with a disk on which it alone is on at 1/10, and a step that it can
/// strike.
fn every_fault() -> Vec<(&'static str, DiskConfig, &'static str)> {
    let tenth = Ratio::new(1, 10);
    let mut all = vec![
        ("read-eio", DiskConfig { read_eio: tenth, ..calm() }, "read a 0 4"),
        ("write-eio", DiskConfig { write_eio: tenth, ..calm() }, "write a 0 BBBB"),
        ("sync-eio", DiskConfig { sync_eio: tenth, failed_sync: Some(FailedSync::KeptDirty), ..calm() }, "sync a"),
        ("sync-lie", DiskConfig { sync_lie: tenth, ..calm() }, "write a 0 B; sync a"),
        ("read-short", DiskConfig { read_short: tenth, ..calm() }, "read a 0 4"),
        ("write-short", DiskConfig { write_short: tenth, ..calm() }, "write a 0 BBBB"),
        ("interrupted", DiskConfig { interrupted: tenth, ..calm() }, "read a 0 4"),
        ("no-space", DiskConfig { no_space: tenth, ..calm() }, "truncate a 4; write a 2 BBBB"),
        ("slow", DiskConfig { slow: tenth, ..calm() }, "read a 0 4"),
        ("split", DiskConfig { split: tenth, ..calm() }, "read a 0 4"),
        ("clock-jump", DiskConfig { clock_jump: tenth, ..calm() }, "read a 0 4"),
    ];
    for kind in MediaFault::ALL {
        let step = match kind {
            MediaFault::MisdirectedWrite | MediaFault::LostWrite => "write a 0 BB",
            MediaFault::StaleRead => "read a 0 1",
            MediaFault::LatentSector => "write a 0 B; read a 0 1",
            _ => "read a 0 2",
        };
        all.push((kind.name(), DiskConfig { media: vec![kind], media_rate: tenth, ..calm() }, step));
    }
    all
}

#[test]
fn every_fault_strikes_at_its_rate_and_draws_nothing_when_off() {
    for (name, config, step) in every_fault() {
        // The stale read needs a file that was overwritten while faults were on.
        let script =
            format!("create a; faults on; write a 0 AAAA; write a 0 BBBB; {}", format!("{step}; ").repeat(1000));
        let mut player = Player::new(&config, Tape::seeded(3).recording());
        player.play(&script);
        // 1000 or a few more draws at 1/10: the standard deviation is 9.5, so 6 of them on either side.
        let strikes = player.disk.stats().faults.get(name).copied().unwrap_or(0);
        assert!((43..158).contains(&strikes), "{name}: {strikes}");
        let decisions = player.tape.take_recording().expect("the tape records");
        let drawn = decisions.draws.keys().filter(|key| key.kind == name).count() as u64;
        assert_eq!(drawn, strikes, "{name}");
        assert_eq!(decisions.draws.keys().filter(|key| !key.kind.starts_with(name)).count(), 0, "{name}");
        assert_eq!(seeded(&calm(), 3, &script).1, Decisions::default(), "{name}");
    }
}

#[test]
fn every_fault_strikes_again_on_replay_and_one_taken_out_moves_no_other() {
    for (name, config, step) in every_fault() {
        let script =
            format!("create a; faults on; write a 0 AAAA; write a 0 BBBB; {}", format!("{step}; ").repeat(100));
        let (outcome, decisions) = seeded(&config, 5, &script);
        assert_eq!(replayed(&config, 5, &decisions, &script), outcome, "{name}");
        let mut fewer = decisions.clone();
        let strike = fewer.draws.keys().find(|key| key.kind == name).expect("it strikes at least once").clone();
        fewer.draws.retain(|key, _| key.actor != strike.actor);
        let mut player = Player::new(&config, Tape::recorded(5, fewer.clone()).recording());
        player.play(&script);
        assert_eq!(player.tape.take_recording(), Some(fewer), "{name}");
    }
}

#[test]
fn a_broken_promise_of_a_sync_is_counted() {
    let count = |config: &DiskConfig, script: &str| {
        let mut player = Player::new(config, Tape::seeded(1));
        player.play(&format!("create a; syncdir; faults on; {script}"));
        player.disk.stats().syncs_betrayed
    };
    let lie = DiskConfig { sync_lie: Ratio::ONE, ..calm() };
    assert_eq!(count(&lie, "write a 0 B; sync a; CRASH os"), 0);
    assert_eq!(count(&lie, "write a 0 B; sync a; CRASH power"), 1);
    assert_eq!(count(&lie, "create b; syncdir; CRASH power"), 1);
    let late = DiskConfig { sync_eio: Ratio::ONE, failed_sync: Some(FailedSync::Late), ..calm() };
    assert_eq!(count(&late, "write a 0 B; sync a"), 1);
    assert_eq!(count(&late, "sync a"), 0);
    assert_eq!(count(&DiskConfig { failed_sync: Some(FailedSync::CleanNew), ..late }, "write a 0 B; sync a"), 0);
}

#[test]
fn a_failed_sync_has_each_policy_as_often_as_it_should() {
    // Of 1000 runs, standard deviations 15.5 and 12.6: 6 of them on either side of 400 and 200.
    let config = DiskConfig { sync_eio: Ratio::ONE, failed_sync: None, ..calm() };
    let mut counts = [0; 4];
    for seed in 0..1000 {
        let (_, decisions) = seeded(&config, seed, "create a; faults on; write a 0 A; sync a");
        let drawn = decisions.draws.iter().find(|(key, _)| key.kind == "failed-sync");
        counts[drawn.map_or(0, |(_, value)| *value as usize)] += 1;
    }
    assert!((307..493).contains(&counts[0]), "{counts:?}");
    assert!(counts[1..].iter().all(|count| (124..276).contains(count)), "{counts:?}");
}
