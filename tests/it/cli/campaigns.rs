//! Campaigns that are cut into shards, killed in the middle, or run out of disk.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{Room, rogue};

/// Files of a folder of results that must not depend on how it came about.
fn lasting(room: &Room, out: &str) -> Vec<(String, String)> {
    let mut files = vec![("summary.json".to_string(), room.read(&format!("{out}/summary.json")))];
    files.extend(room.cases(out).into_iter().map(|case| (case.replacen(out, "", 1), room.read(&case))));
    files
}

#[test]
fn eight_shards_merged_are_one_campaign_byte_for_byte() {
    let room = Room::new();
    // Two lanes: one that goes on after findings, one that stops at its first.
    room.write(
        "lanes/planted.toml",
        "expect = \"violated\"\nfound_within = 30\nworkload = \"register\"\nproperties = \"last-write\"\nconnections = 1\n\
         transactions = 12\n[knobs]\nkeys = 2\ntransaction-ops = 0\ncheckpoints-permille = 0\n[engine]\nway = \"lie\"\n",
    );
    let args = "run rogue lanes --set engine.way=panic";
    assert_eq!(room.run(&format!("{args} --out whole")).code, 1);
    let folders: Vec<String> = (1..=8).map(|k| format!("s{k}")).collect();
    for (k, folder) in folders.iter().enumerate() {
        let done = room.run(&format!("{args} --shard {}/8 --out {folder} --jobs 1", k + 1));
        assert!([0, 1, 5].contains(&done.code), "{}", done.err);
    }
    let done = room.run(&format!("merge {} --out merged", folders.join(" ")));
    assert_eq!((done.code, done.err.as_str()), (1, ""), "{}", done.out);
    assert_eq!(lasting(&room, "merged"), lasting(&room, "whole"));
    assert!(room.read("whole/summary.json").contains("\"runs\": 8,"), "the smaller lane has 8 seeds");
    // In two steps, in another order, and with a shard twice.
    assert_eq!(room.run("merge s8 s3 s5 s3 --out part").code, 1);
    assert_eq!(room.run("merge s1 part s2 s7 s6 s4 --out again").code, 1);
    assert_eq!(lasting(&room, "again"), lasting(&room, "whole"));
}

#[test]
fn a_merge_says_what_is_missing_and_what_does_not_fit() {
    let room = Room::new();
    for shard in ["1", "3"] {
        room.run(&format!("run rogue --shard {shard}/3 --out s{shard}"));
    }
    let done = room.run("merge s1 s3 --out merged");
    assert_eq!((done.code, done.err.as_str()), (0, "not everything is here: the shards 2/3 are missing\n"));
    assert_eq!(room.json("merged/summary.json")["shards_missing"], serde_json::json!(["2/3"]));
    let check = |args: &str, code: i32, said: &str| {
        let done = room.run(args);
        assert_eq!(done.code, code, "{args}: {}", done.err);
        assert!(done.err.contains(said), "{args}: {}", done.err);
    };
    check("merge s1 nowhere --out merged", 2, "nowhere: no results of a campaign: No such file");
    room.run("run rogue --shard 2/3 --out other --set transactions=13");
    check("merge s1 other --out merged", 2, "`rogue` on rogue was run with other settings there");
    // One seed, two hashes: somebody is not deterministic, and the merge is who notices.
    let journal = room.read("s1/runs.jsonl");
    let first = journal.lines().find(|line| line.starts_with("{\"ran\"")).unwrap();
    let at = first.find("\"hash\":\"").unwrap() + 8;
    let forged = format!("{}0000000000000000{}", &first[..at], &first[at + 16..]);
    room.write("s1/runs.jsonl", &format!("{journal}{forged}\n"));
    check("merge s1 s3 --out merged", 3, "missing");
    assert!(room.read("merged/summary.json").contains("have the hashes 0000000000000000 and "));
    room.write("s1/runs.jsonl", "no note\n");
    check("merge s1 --out merged", 2, "s1/runs.jsonl: no results of a campaign: line 1 is no note");
}

#[test]
fn shard_auto_asks_the_scheduler() {
    let room = Room::new();
    let mut command = room.command("run rogue --shard auto --format json");
    let done = command.env("CI_NODE_INDEX", "2").env("CI_NODE_TOTAL", "4").output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(summary["runs"], 2);
    assert_eq!(room.run("run rogue --shard auto").code, 2);
}

/// Two scenarios, so that the second has another place than the first.
const LONG: &str = "run rogue second.toml --seeds 0..1500 --set engine.way=lie --jobs 2";

const SECOND: &str = "workload = \"register\"\nproperties = \"last-write\"\nconnections = 1\ntransactions = 9\n[knobs]\nkeys = 2\ntransaction-ops = 0\ncheckpoints-permille = 0\n";

#[test]
fn a_campaign_that_was_killed_goes_on_and_loses_no_finding() {
    let room = Room::new();
    room.write("second.toml", SECOND);
    assert_eq!(room.run(&format!("{LONG} --out whole")).code, 1);
    let mut child = room.command(LONG).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(errors.next().unwrap().unwrap().starts_with("found: "));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!room.path().join("squall-out/summary.json").exists(), "it was killed in the middle");
    let finished = room.read("squall-out/runs.jsonl").matches("{\"ran\"").count();
    let done = room.run(LONG);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("going on with a campaign that was stopped: "), "{}", done.err);
    let timing = room.json("squall-out/timing.json");
    let resumed = timing["runs_resumed"].as_u64().unwrap();
    assert!(resumed > 0 && finished as u64 >= resumed && resumed < 3_000, "{resumed} of {finished}");
    assert_eq!(lasting(&room, "squall-out"), lasting(&room, "whole"));
    // Having come to its end, it is begun anew.
    assert!(!room.run(LONG).err.contains("going on"));
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_leaves_what_was_written_readable() {
    let room = Room::new();
    room.write("second.toml", SECOND);
    assert_eq!(room.run(&format!("{LONG} --out whole")).code, 1);
    // A limit on the length of a file behaves as a disk that is full, once its signal is ignored.
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {} {LONG}", rogue().display());
    let done = Command::new("sh").args(["-c", &script]).current_dir(room.path()).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(70), "{said}");
    assert!(said.contains("squall-out/runs.jsonl: cannot be written: File too large"), "{said}");
    assert!(said.contains("what was written before is still there"), "{said}");
    let journal = room.read("squall-out/runs.jsonl");
    assert!(journal.ends_with('\n') && journal.len() > 16_000, "{}", journal.len());
    journal.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
    assert_eq!(room.run("merge squall-out --out saved").code, 1);
    assert_eq!(room.json("saved/summary.json")["findings"][0]["anomaly"], "stale-read");
    assert!(room.run(LONG).err.contains("going on with a campaign that was stopped: "));
    assert_eq!(lasting(&room, "squall-out"), lasting(&room, "whole"));
}
