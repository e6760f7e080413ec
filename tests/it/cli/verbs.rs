//! What the verbs print, for people and for programs.

use expect_test::{Expect, expect};
use serde_json::Value;

use super::Room;

#[test]
fn a_summary_is_the_same_whatever_the_number_of_jobs() {
    let room = Room::new();
    for (jobs, out) in [(1, "one"), (2, "two"), (5, "five")] {
        let done = room.run(&format!("run rogue --seeds 0..60 --set engine.way=panic --jobs {jobs} --out {out}"));
        assert_eq!(done.code, 1, "{}", done.err);
    }
    let summary = room.read("one/summary.json");
    assert!(summary.contains("\"runs\": 60"));
    assert_eq!(room.read("two/summary.json"), summary);
    assert_eq!(room.read("five/summary.json"), summary);
    let plain = |out: &str| room.cases(out).iter().map(|case| case.replacen(out, "", 1)).collect::<Vec<_>>();
    assert_eq!(plain("two"), plain("one"));
    assert_eq!(room.read(&room.cases("two")[0]), room.read(&room.cases("one")[0]));
}

#[test]
fn the_last_line_of_jsonl_is_the_summary_and_its_cases_are_paths_from_here() {
    let room = Room::new();
    let done = room.run("run rogue --set engine.way=lie --format jsonl --out deep/er");
    let lines: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["v"] == 1));
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["scenario", "finding", "summary"]);
    let summary = lines.last().unwrap();
    for key in
        ["runs", "turns", "ops", "compared", "crashes", "faults", "findings", "inconclusive", "hash", "elapsed_ms"]
    {
        assert!(summary.get(key).is_some(), "{key}");
    }
    let finding = &summary["findings"][0];
    for key in ["bucket", "property", "scenario", "engine", "seed", "case"] {
        assert!(finding.get(key).is_some(), "{key}");
    }
    assert!(room.path().join(finding["case"].as_str().unwrap()).exists());
    // In the file, a case is named relative to the file, and nothing tells when or where it was run.
    let stored = room.json("deep/er/summary.json");
    assert!(room.path().join("deep/er").join(stored["findings"][0]["case"].as_str().unwrap()).exists());
    assert!(stored.get("elapsed_ms").is_none());
    assert!(room.json("deep/er/timing.json").get("elapsed_ms").is_some());
}

#[test]
fn the_summary_for_people_says_what_was_tried_compared_and_found() {
    let room = Room::new();
    let done = room.run("run rogue --set engine.way=lie --jobs 2");
    // The rate and the time are the machine's.
    let shown: String = done
        .out
        .lines()
        .map(|line| match (line.find("turns ("), line.find(" · 0.")) {
            (Some(at), _) => format!("{}turns (…\n", &line[..at]),
            (_, Some(at)) if line.contains("summary.json") => format!("{} · …\n", &line[..at]),
            _ => format!("{line}\n"),
        })
        .collect();
    expect![].assert_eq(&shown);
}

#[test]
fn a_replay_is_the_same_in_another_folder_and_gives_the_finding_to_programs() {
    let room = Room::new();
    room.run("run rogue --set engine.way=lie");
    let case = &room.cases("squall-out")[0];
    let elsewhere = Room::new();
    elsewhere.write("it.case", &room.read(case));
    let shown = |done: &super::Done| -> Value { serde_json::from_str(&done.out).unwrap() };
    let first = room.run(&format!("replay {case} --format json"));
    let second = elsewhere.run("replay it.case --format json --jobs 3");
    assert_eq!((first.code, second.code), (1, 1));
    assert_eq!(first.out, second.out);
    let value = shown(&first);
    assert_eq!(value["v"], 1);
    assert_eq!(value["type"], "replay");
    assert_eq!(value["same"], true);
    assert_eq!(value["finding"]["anomaly"], "stale-read");
    assert_eq!(value["first_divergence"], Value::Null);
    assert!(value["hash"].as_str().is_some_and(|hash| hash.len() == 16));
}

#[test]
fn doctor_compares_two_processes_and_names_the_first_turn_that_differs() {
    let room = Room::new();
    let good = room.run("doctor --format json");
    let value: Value = serde_json::from_str(&good.out).unwrap();
    assert_eq!((good.code, value["repeated"].as_u64()), (0, Some(2)), "{}", good.err);
    room.write("dice.toml", "workload = \"register\"\n[engine]\nway = \"dice\"\n");
    let bad = room.run("doctor dice.toml --seeds 0..8");
    assert_eq!(bad.code, 3, "{}", bad.out);
    assert!(bad.out.contains("NOT DETERMINISTIC dice on rogue, seed "), "{}", bad.out);
    assert!(bad.out.contains("is the first that differs"), "{}", bad.out);
}

#[test]
fn every_list_is_an_array_of_names_with_a_line_about_each() {
    let room = Room::new();
    for what in ["engines", "workloads", "scenarios", "properties", "faults", "policies", "bugs", "keys"] {
        let done = room.run(&format!("list {what} --format json"));
        let items: Vec<Value> = serde_json::from_str(&done.out).unwrap();
        assert_eq!(done.code, 0);
        assert!(what == "bugs" || !items.is_empty(), "{what}");
        for item in items {
            assert!(item["name"].as_str().is_some_and(|name| !name.is_empty()), "{what}: {item}");
            assert!(item["about"].as_str().is_some_and(|about| !about.is_empty()), "{what}: {item}");
        }
        assert!(room.run(&format!("list {what}")).out.starts_with("name "));
    }
}

#[test]
fn completions_are_made_for_the_name_of_the_program() {
    let room = Room::new();
    let done = room.run("completions bash");
    assert_eq!(done.code, 0);
    assert!(done.out.contains("rogue_engine") && !done.out.contains("worker"), "the hidden verb shows");
}

#[test]
fn what_is_wrong_with_a_request_is_said_in_one_line() {
    let room = Room::new();
    room.write("key.toml", "workload = \"register\"\nconections = 4\n");
    room.write("value.toml", "workload = \"register\"\n[disk]\nread-eio = \"3/2\"\n");
    room.write("option.toml", "workload = \"register\"\n[engine]\nwya = \"lie\"\n");
    room.write("bug.toml", "workload = \"register\"\n[engine]\nbugs = [\"lost-update\"]\n");
    room.write("workload.toml", "workload = \"regster\"\n");
    room.write("property.toml", "workload = \"register\"\nproperties = [\"last-wrote\"]\n");
    room.write("engine.toml", "workload = \"register\"\nengines = [\"rouge\"]\n");
    let check = |args: &str, expected: Expect| {
        let done = room.run(args);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{args}");
        expected.assert_eq(&done.err);
    };
    check("run key.toml", expect![]);
    check("run value.toml", expect![]);
    check("run option.toml", expect![]);
    check("run bug.toml", expect![]);
    check("run workload.toml", expect![]);
    check("run property.toml", expect![]);
    check("run engine.toml", expect![]);
    check("run rouge", expect![]);
    check("run rogue --engine rouge", expect![]);
    check("run rogue --set engine.way=lei", expect![]);
    check("run rogue --set connections", expect![]);
    check("run rogue rogue", expect![]);
    check("run rogue --policy rendom", expect![]);
}

#[test]
fn what_cannot_be_served_is_skipped_with_the_reason() {
    let room = Room::new();
    room.write("set/scans.toml", "workload = \"scans\"\n");
    room.write("set/other.toml", "workload = \"register\"\nengines = \"nemesis\"\n");
    let done = room.run("run set --format json");
    let summary: Value = serde_json::from_str(&done.out).unwrap();
    expect![].assert_eq(&serde_json::to_string_pretty(&summary["skipped"]).unwrap());
}

#[test]
fn check_judges_a_file_and_its_exit_code_is_the_verdict() {
    let room = Room::new();
    let check = |text: &str, code: i32, verdict: &str| {
        room.write("history.jsonl", text);
        let done = room.run("check history.jsonl --model register --format json");
        assert_eq!(done.code, code, "{}{}", done.out, done.err);
        let value: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(value["verdict"], verdict);
        for key in ["v", "model", "method", "operations", "anomalies", "not", "witness", "reason", "elapsed_ms"] {
            assert!(value.get(key).is_some(), "{key}");
        }
    };
    let write = "{\"p\":0,\"call\":0,\"ret\":1,\"f\":\"write\",\"k\":\"x\",\"v\":1,\"out\":null}\n";
    let read = |out: &str| {
        format!("{write}{{\"p\":1,\"call\":2,\"ret\":3,\"f\":\"read\",\"k\":\"x\",\"v\":null,\"out\":{out}}}\n")
    };
    check(&read("1"), 0, "holds");
    check(&read("null"), 1, "violated");
    room.write("history.jsonl", "no history");
    assert_eq!(room.run("check history.jsonl").code, 2);
}
