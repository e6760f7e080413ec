//! What can be left after a crash: every image, and no other.

use squall::disk::sim::{CrashReport, DiskConfig, SurvivorWeights};
use squall::tape::{Ratio, Tape};

use super::script::{Player, check as check_with};

const START: &str = "create a; syncdir; write a 0 AAAA; sync a; ";

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let config = DiskConfig { size_first: Ratio::ZERO, ..DiskConfig::default() };
    check_with(&config, &format!("{START}{script}"), expected);
}

#[track_caller]
fn check_selection(survivors: SurvivorWeights, script: &str, expected: &[&str]) {
    let config = DiskConfig { size_first: Ratio::ZERO, survivors, ..DiskConfig::default() };
    check_with(&config, &format!("{START}{script}"), expected);
}

#[test]
fn what_was_synced_survives_an_operating_system_crash() {
    check("CRASH os", &["a=AAAA"]);
    check("write a 0 BBBB; sync a; CRASH os", &["a=BBBB"]);
    check("write a 4 BB; truncate a 5; sync a; CRASH power", &["a=AAAAB"]);
}

#[test]
fn what_was_not_synced_may_survive_or_not() {
    check("write a 0 BBBB; CRASH os", &["a=AAAA", "a=BBBB", "a=????"]);
    check("write a 2 BBBB; CRASH os", &["a=AAAA", "a=AABBBB", "a=AA????"]);
    check("truncate a 1; CRASH os", &["a=AAAA", "a=A"]);
}

#[test]
fn a_process_kill_loses_nothing_that_was_applied() {
    check("write a 0 BBBB; CRASH kill", &["a=BBBB"]);
    check("create b; write b 0 BB; remove a; CRASH kill", &["b=BB"]);
    check("write a 0 BBBB; CRASH kill; CRASH os", &["a=AAAA", "a=BBBB", "a=????"]);
}

#[test]
fn what_the_system_has_written_back_survives_it() {
    check("write a 0 BBBB; writeback; CRASH os", &["a=BBBB"]);
    check("create b; write b 0 BB; remove a; CRASH kill; writeback; CRASH power", &["b=BB"]);
    check("fly write a 0 BBBB; CRASH kill; writeback; CRASH os", &["a=AAAA", "a=BBBB"]);
}

#[test]
fn an_operation_in_flight_happens_or_not_when_the_process_is_killed() {
    check("fly write a 0 BBBB; CRASH kill", &["a=AAAA", "a=BBBB"]);
    check("fly write a 0 B; fly write a 3 C; CRASH kill", &["a=AAAA", "a=BAAA", "a=AAAC", "a=BAAC"]);
    check("fly rename a b; CRASH kill", &["a=AAAA", "b=AAAA"]);
    check("fly remove a; fly truncate a 1; CRASH kill", &["a=AAAA", "a=A", ""]);
}

#[test]
fn a_write_tears_between_sectors_and_nowhere_else() {
    let sectors = SurvivorWeights { sectors: 1, ..SurvivorWeights::NONE };
    check_selection(
        sectors,
        "write a 0 A*1024; sync a; write a 510 B*4; CRASH os",
        &["a=A*1024", "a=A*510 BBA*512", "a=A*512 BBA*510", "a=A*510 BBBBA*510"],
    );
    check_selection(
        sectors,
        "write a 0 B*1025; CRASH os",
        &[
            "a=AAAA",
            "a=B*512",
            "a=AAAA.*508 B*512",
            "a=AAAA.*1020 B",
            "a=B*1024",
            "a=B*512 .*512 B",
            "a=AAAA.*508 B*513",
            "a=B*1025",
        ],
    );
}

#[test]
fn operations_survive_as_a_prefix_or_as_any_subset() {
    let prefix = SurvivorWeights { prefix: 1, ..SurvivorWeights::NONE };
    let operations = SurvivorWeights { operations: 1, ..SurvivorWeights::NONE };
    let script = "write a 0 B; write a 1 C; truncate a 3; CRASH os";
    check_selection(prefix, script, &["a=AAAA", "a=BAAA", "a=BCAA", "a=BCA"]);
    check_selection(operations, script, &["a=AAAA", "a=BAAA", "a=ACAA", "a=BCAA", "a=AAA", "a=BAA", "a=ACA", "a=BCA"]);
    check_selection(prefix, "write a 0 B*1024; write a 0 C; CRASH os", &["a=AAAA", "a=B*512", "a=B*1024", "a=CB*1023"]);
}

#[test]
fn garbage_stays_within_the_write_unless_overwriting_is_not_powersafe() {
    let survivors = SurvivorWeights { garbage: 1, ..SurvivorWeights::NONE };
    let script = "write a 0 A*1024; sync a; write a 100 B*5; CRASH os";
    let config = DiskConfig { survivors, ..DiskConfig::default() };
    check_with(&config, &format!("{START}{script}"), &["a=A*1024", "a=A*100 B*5 A*919", "a=A*100 ?*5 A*919"]);
    let config = DiskConfig { powersafe_overwrite: false, ..config };
    check_with(&config, &format!("{START}{script}"), &["a=A*1024", "a=A*100 B*5 A*919", "a=?*512 A*512"]);
}

#[test]
fn the_size_may_be_kept_though_the_data_are_lost() {
    let config =
        DiskConfig { survivors: SurvivorWeights { operations: 1, ..SurvivorWeights::NONE }, ..DiskConfig::default() };
    check_with(&config, &format!("{START}write a 4 BB; CRASH os"), &["a=AAAA", "a=AAAA..", "a=AAAABB"]);
}

#[test]
fn a_sync_covers_only_what_was_applied_before_it_was_submitted() {
    // The write is in flight when the sync is submitted: that the sync takes its turn later is no help.
    check("fly write a 0 BBBB; fly sync a; land; CRASH os", &["a=AAAA", "a=BBBB", "a=????"]);
    check("write a 0 BBBB; fly sync a; land; CRASH os", &["a=BBBB"]);
    check("fly sync a; write a 0 BBBB; land; CRASH os", &["a=AAAA", "a=BBBB", "a=????"]);
}

#[test]
fn a_name_is_durable_only_after_its_directory_has_been_synced() {
    check("create b; write b 0 BB; sync b; CRASH os", &["a=AAAA", "a=AAAA b=BB"]);
    check("create b; write b 0 BB; sync b; syncdir; CRASH os", &["a=AAAA b=BB"]);
    check("remove a; CRASH os", &["a=AAAA", ""]);
    check("remove a; syncdir; CRASH os", &[""]);
    check("fly remove a; fly syncdir; land; CRASH os", &["a=AAAA", ""]);
}

#[test]
fn a_rename_happens_whole_or_not_at_all() {
    check("rename a b; CRASH os", &["a=AAAA", "b=AAAA"]);
    check("rename a b; syncdir; CRASH os", &["b=AAAA"]);
    check("create b; write b 0 BB; sync b; syncdir; rename b a; CRASH os", &["a=AAAA b=BB", "a=BB"]);
    check("rename a d/a; syncdir; CRASH os", &["a=AAAA", "d/a=AAAA"]);
    check("rename a d/a; syncdir d; CRASH os", &["d/a=AAAA"]);
}

#[test]
fn a_change_of_a_name_is_lost_with_the_one_it_builds_upon() {
    // Were the new `a` kept without the rename, the synced bytes of the old one would be gone.
    check("rename a b; create a; CRASH os", &["a=AAAA", "b=AAAA", "a= b=AAAA"]);
}

#[test]
fn a_crash_can_follow_a_crash() {
    check("write a 0 BBBB; sync a; CRASH os; write a 0 C; sync a; CRASH os", &["a=CBBB"]);
}

/// The reports of all crashes of a script under a seed, in which everything but garbage may happen.
fn reports(seed: u64, script: &str) -> Vec<CrashReport> {
    let mut player = Player::new(&DiskConfig::default(), Tape::seeded(seed));
    player.play(script);
    player.reports
}

#[test]
fn a_crash_says_what_became_of_every_change() {
    let check = |survivors, script: &str, expected: &str| {
        let config = DiskConfig { survivors, ..DiskConfig::default() };
        let mut player = Player::new(&config, Tape::seeded(3));
        player.play(&format!("{START}{script}"));
        assert_eq!(player.reports[0].to_string(), expected);
    };
    let (none, default) = (SurvivorWeights::NONE, SurvivorWeights::default());
    check(default, "CRASH power", "power loss");
    check(
        SurvivorWeights { prefix: 1, ..none },
        "write a 0 B*2048; write a 2048 B; rename a b; create c; fly remove b; fly write b 0 C; CRASH os",
        "operating system crash, survivors: a prefix\n\
         b: 2 kept, 0 torn, 1 lost\n\
         rename a to b: kept\ncreate c: kept\nremove b: kept",
    );
    check(
        SurvivorWeights { garbage: 1, ..none },
        "write a 4 B*2048; truncate a 9; write a 9 B*4096; CRASH os",
        "operating system crash, survivors: a subset of sectors with garbage\n\
         a: 1 kept, 2 torn, 0 lost, garbage in 3 sectors",
    );
    check(
        default,
        "fly write a 4 B; fly write a 0 B; fly rename a b; CRASH kill",
        "process kill\na: 1 kept, 0 torn, 1 lost, length 4 -> 5\nrename a to b: lost",
    );
}

#[test]
fn survivors_are_selected_as_often_as_the_weights_say() {
    // Of 4000 crashes; 6 standard deviations on either side of each share.
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..4000 {
        let selection = reports(seed, "create a; write a 0 B; CRASH os")[0].selection;
        *counts.entry(selection.expect("there is something to select from")).or_insert(0u32) += 1;
    }
    let weights = [15, 10, 20, 35, 10, 10];
    let all: Vec<u32> = counts.into_values().collect();
    assert_eq!(all.len(), weights.len());
    for (count, weight) in all.into_iter().zip(weights) {
        let (share, mean) = (f64::from(weight) / 100.0, f64::from(weight) * 40.0);
        assert!((f64::from(count) - mean).abs() < 6.0 * (mean * (1.0 - share)).sqrt(), "{count} for {weight}");
    }
}

/// What each byte of a file may be after a crash: what the last sync answered for, or anything written since.
struct Bytes {
    durable: Vec<u8>,
    since: Vec<(usize, Vec<u8>)>,
}

impl Bytes {
    fn sync(&mut self, covered: usize) {
        for (offset, bytes) in self.since.drain(..covered) {
            self.durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn may_be(&self, at: usize, byte: u8) -> bool {
        let written =
            |(offset, bytes): &(usize, Vec<u8>)| at.checked_sub(*offset).and_then(|n| bytes.get(n)) == Some(&byte);
        self.durable[at] == byte || self.since.iter().any(written)
    }
}

#[test]
fn every_byte_left_by_a_random_script_was_there_before() {
    let config = DiskConfig {
        survivors: SurvivorWeights { garbage: 0, ..SurvivorWeights::default() },
        unsynced_writes_max: 6,
        ..DiskConfig::default()
    };
    arbtest::arbtest(|u| {
        let mut script = "create a; syncdir; write a 0 A*9000; sync a".to_string();
        let mut model = Bytes { durable: vec![b'A'; 9000], since: vec![] };
        for _ in 0..u.int_in_range(1..=20)? {
            let (offset, letter) = (u.int_in_range(0..=4000)?, *u.choose(b"BCDEF")?);
            let len = *u.choose(&[1, 512, 700, 4096, 5000])?;
            let offset = if u.arbitrary()? { offset / 512 * 512 } else { offset };
            let fly = if u.ratio(1, 4)? { "fly " } else { "" };
            script += &format!("; {fly}write a {offset} {}*{len}", letter as char);
            model.since.push((offset, vec![letter; len]));
            if fly.is_empty() && u.ratio(1, 4)? && !script.contains("fly") {
                script += "; sync a";
                model.sync(model.since.len());
            }
        }
        script += if u.arbitrary()? { "; CRASH os" } else { "; CRASH power" };
        let mut player = Player::new(&config, Tape::seeded(u.arbitrary()?));
        player.play(&script);
        let content = player.disk.content();
        assert_eq!((content.len(), content[0].1.len()), (1, 9000), "{script}");
        for (at, byte) in content[0].1.iter().enumerate() {
            assert!(model.may_be(at, *byte), "byte {at} is {byte} after {script}");
        }
        Ok(())
    });
}
