//! Every exit code, and what a process that goes down costs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::Room;

#[test]
fn each_way_to_end_has_its_exit_code() {
    let room = Room::new();
    room.write("scans.toml", "workload = \"scans\"\n");
    room.write("broken.toml", "workload = \"register\"\nconections = 4\n");
    room.write("file", "in the way");
    let check = |args: &str, code: i32| {
        let done = room.run(args);
        assert_eq!(done.code, code, "{args}\n{}\n{}", done.out, done.err);
        assert!(!done.out.contains('\x1b') && !done.err.contains('\x1b'), "control codes in a pipe: {args}");
    };
    check("run rogue", 0);
    check("run rogue --set engine.way=lie", 1);
    check("run broken.toml", 2);
    check("run no/such/scenario", 2);
    check("run rogue --engine dinghy", 2);
    check("run rogue --seeds 5..3", 2);
    check("run rogue --no-such-flag", 2);
    check("no-such-verb", 2);
    check("--help", 0);
    // One run in twenty is repeated, and half of the runs strike.
    check("run rogue --set engine.way=dice --seeds 0..200", 3);
    check("doctor --seeds 0..8", 0);
    check("run scans.toml", 4);
    check("run rogue --set engine.way=refuse", 5);
    check("run rogue --out file", 70);
}

#[test]
fn as_expected_turns_findings_round() {
    let room = Room::new();
    let scenario = |expect: &str, way: &str| {
        format!(
            "{expect}workload = \"register\"\nproperties = \"last-write\"\nseeds = \"0..8\"\nconnections = 1\n\
             transactions = 12\n[knobs]\nkeys = 2\ntransaction-ops = 0\ncheckpoints-permille = 0\n[engine]\n\
             way = \"{way}\"\n"
        )
    };
    let violated = "expect = \"violated\"\nfound_within = 8\n";
    room.write("found/a.toml", &scenario(violated, "lie"));
    room.write("missed/a.toml", &scenario(violated, "good"));
    room.write("held/a.toml", &scenario("", "good"));
    room.write("broken/a.toml", &scenario("", "lie"));
    let check = |args: &str, code: i32| {
        let done = room.run(args);
        assert_eq!(done.code, code, "{args}\n{}\n{}", done.out, done.err);
    };
    check("run found --as-expected", 0);
    check("run found", 1);
    check("run missed --as-expected", 1);
    check("run missed", 0);
    check("run held --as-expected", 0);
    check("run broken --as-expected", 1);
    // It stops at its first finding, so that later seeds are not even counted.
    let found = room.run("run found --format json");
    let summary: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    let seed = summary["findings"][0]["seed"].as_u64().unwrap();
    assert_eq!(summary["runs"], seed + 1);
}

#[test]
fn an_engine_that_takes_its_process_down_loses_its_own_seeds_only() {
    let check = |way: &str, extra: &str, anomaly: &str, code: i32| {
        let room = Room::new();
        let done = room.run(&format!("run rogue --set engine.way={way} {extra} --jobs 2"));
        assert_eq!(done.code, code, "{way}\n{}\n{}", done.out, done.err);
        let summary = room.json("squall-out/summary.json");
        let lanes = &summary["scenarios"][0];
        assert_eq!(summary["runs"], lanes["seeds"][1], "{way}: every seed was run");
        let anomalies: Vec<_> = summary["findings"].as_array().unwrap().iter().map(|one| &one["anomaly"]).collect();
        assert_eq!(anomalies, [anomaly], "{way}");
        let case = &room.cases("squall-out")[0];
        let again = room.run(&format!("replay {case} {extra}").replace("--seeds 0..1", ""));
        assert_eq!(again.code, 1, "{way}\n{}\n{}", again.out, again.err);
    };
    check("panic", "", "panic", 1);
    check("abort", "", "engine-aborted", 1);
    check("overflow", "", "stack-overflow", 1);
    check("hoard", "--memory 256MiB", "out-of-memory", 1);
    check("loop", "--hang-after 3s --seeds 0..1", "hang", 1);
}

#[test]
fn an_engine_that_prints_disturbs_nobody() {
    let room = Room::new();
    let quiet = room.run("run rogue --format json --out quiet");
    let loud = room.run("run rogue --format json --out loud --set engine.way=chatter");
    assert_eq!((quiet.code, loud.code), (0, 0));
    assert_eq!(room.read("quiet/summary.json"), room.read("loud/summary.json"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_campaign_saves_what_it_has_and_says_so() {
    let check = |signal: &str, code: i32| {
        let room = Room::new();
        let mut command = room.command("run rogue --budget 10h --set engine.way=lie");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(errors.next().unwrap().unwrap().starts_with("found: rogue on rogue"));
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        errors.for_each(drop);
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{signal}");
        assert!(String::from_utf8_lossy(&out.stdout).contains("interrupted; the results so far are saved"));
        assert_eq!(room.json("squall-out/summary.json")["findings"][0]["anomaly"], "stale-read");
    };
    check("-INT", 130);
    check("-TERM", 143);
}
