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
    assert_eq!(kinds, ["scenario", "finding", "coverage", "summary"]);
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
    let done = room.run("run rogue --set engine.way=lie --jobs 2 --shrink-budget 0");
    // The rate and the time are the machine's.
    let shown: String = done
        .out
        .lines()
        .map(|line| match (line.split_once("turns ("), line.split_once("/s), "), line.split_once(" s · ")) {
            (Some((head, _)), Some((_, tail)), _) => format!("{head}turns, {tail}\n"),
            (_, _, Some((head, tail))) => format!("{}… · {tail}\n", head.trim_end_matches(|l: char| l != ' ')),
            _ => format!("{line}\n"),
        })
        .collect();
    expect![[r#"
          scenario  engine  runs  turns  ops  compared  crashes  faults  places
          rogue     rogue      8    320  144        31        8       0     1/1  VIOLATED

        tried     8 runs, 320 turns, 144 operations: 144 answered, 0 refused, 0 in doubt, 0 cut off
        compared  last-write 31
        crashes   8
        faults    none
        policies  pct 1 run, pos 2 runs with 1 finding, random 2 runs with 2 findings, surw 3 runs with 1 finding
        reached   rogue: 1 of 1 known places, 0 pairs of places; new each minute: 1+0

        VIOLATED last-write: stale-read · rogue on rogue
          A read of k0000 brought nil, and c0.3.0 was written last.
          seed 0 · turn 11 of 40 · 1 crash · 4 of 8 seeds · 5 clean seeds would prove it fixed (95%)
          replay: rogue_engine replay squall-out/last-write-stale-read-cfe61afd/0.case

        1 finding in 8 runs · hash cadc9a04cd992653 · … · squall-out/summary.json
    "#]]
    .assert_eq(&shown);
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
fn a_replayed_history_is_written_as_a_file_that_is_judged_alike() {
    let room = Room::new();
    room.run("run rogue --set engine.way=lie");
    let case = &room.cases("squall-out")[0];
    assert_eq!(room.run(&format!("replay {case} --history run.edn")).code, 1);
    let judged = room.run("check run.edn");
    assert_eq!(judged.code, 1, "{}\n{}", judged.out, room.read("run.edn"));
    let honest = room.read(case).replace("way = \"lie\"", "way = \"good\"");
    assert_ne!(honest, room.read(case));
    room.write("honest.case", &honest);
    assert_ne!(room.run("replay honest.case --history honest.edn").code, 1);
    let judged = room.run("check honest.edn");
    assert_eq!(judged.code, 0, "{}\n{}", judged.out, room.read("honest.edn"));
    let nowhere = room.run(&format!("replay {case} --history no/such/folder.edn"));
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("--history no/such/folder.edn: "), "{}", nowhere.err);
}

#[test]
fn doctor_compares_two_processes_and_names_the_first_turn_that_differs() {
    let room = Room::new();
    let good = room.run("doctor --format json");
    let value: Value = serde_json::from_str(&good.out).unwrap();
    assert_eq!((good.code, value["repeated"].as_u64()), (0, Some(2)), "{}", good.err);
    room.write("dice.toml", "workload = \"register\"\nproperties = \"last-write\"\n[knobs]\ntransaction-ops = 0\ncheckpoints-permille = 0\n[engine]\nway = \"dice\"\n");
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
fn places_that_an_earlier_campaign_reached_are_known_and_missed() {
    let room = Room::new();
    let nothing = room.run("list yields");
    assert_eq!(nothing.code, 2);
    assert!(
        nothing.err.contains("squall-out/coverage.json: ") && nothing.err.contains("`run` writes it"),
        "{}",
        nothing.err
    );
    // The endless loop has a yield of its own.
    room.run("run rogue --set engine.way=loop-yielding --seeds 0..4");
    let yields = |flags: &str| -> Vec<Value> {
        serde_json::from_str(&room.run(&format!("list yields --format json {flags}")).out).unwrap()
    };
    let both = yields("");
    let line = |item: &Value| item["name"].as_str().unwrap().to_string();
    assert_eq!(both.len(), 2);
    assert!(
        both.iter()
            .all(|item| item["yields"].as_u64() > Some(0) && line(item).starts_with("examples/rogue_engine.rs:"))
    );
    assert_eq!(yields("--unhit"), [] as [Value; 0]);
    let done = room.run("run rogue --seeds 0..4");
    let (first, second) = (line(&both[0]), line(&both[1]));
    assert!(done.out.contains("reached   rogue: 1 of 2 known places"), "{}", done.out);
    assert!(
        done.out.contains(&format!("unreached rogue: {second}: `rogue_engine list yields --unhit`")),
        "{}",
        done.out
    );
    assert_eq!(yields("--unhit").iter().map(line).collect::<Vec<_>>(), std::slice::from_ref(&second));
    assert_eq!(yields("").iter().map(line).collect::<Vec<_>>(), [first, second]);
    // The summary knows nothing of places.
    assert!(!room.read("squall-out/summary.json").contains("rogue_engine.rs"));
    room.write("squall-out/coverage.json", "{\"v\": 9, \"build\": null, \"engines\": {}}");
    let later = room.run("list yields");
    assert_eq!((later.code, later.err.contains("it is of version 9: expected version 1")), (2, true), "{}", later.err);
}

#[test]
fn an_exhaustive_campaign_says_how_many_schedules_there_are_and_stores_the_one_that_fails() {
    let room = Room::new();
    room.write("two.toml", "workload = \"register\"\nproperties = \"last-write\"\nconnections = 2\ntransactions = 2\n[policy]\nname = \"exhaustive\"\n[knobs]\ntransaction-ops = 0\ncheckpoints-permille = 0\n");
    // Two connections of two operations of two turns each: 8! / (4! 4!).
    let all = room.run("run two.toml --set engine.way=refuse --seeds 0..1");
    assert!(all.out.contains("proof     two on rogue: all 70 schedules of 1 seed\n"), "{}", all.out);
    assert!(all.out.contains("policies  exhaustive 1 run, 70 schedules\n"), "{}", all.out);
    let few = room.run("run two.toml --set engine.way=refuse --seeds 0..2 --set policy.preemptions-max=0");
    assert!(few.out.contains("all 4 schedules with at most 0 preemptions of 2 seeds\n"), "{}", few.out);
    let cut = room.run("run two.toml --set engine.way=refuse --seeds 0..1 --set policy.schedules-max=10");
    assert!(cut.out.contains("limits    schedules-max (10) 1\n") && !cut.out.contains("proof"), "{}", cut.out);
    // The property is meant for one connection; with two, some schedule shows it something stale.
    let found = room.run("run two.toml --seeds 0..8");
    assert_eq!(found.code, 1, "{}{}", found.out, found.err);
    let case = &room.cases("squall-out")[0];
    let again = room.run(&format!("replay {case} --format json"));
    assert!(
        again.code == 1 && again.out.contains("\"same\":true") || again.out.contains("\"same\": true"),
        "{}",
        again.out
    );
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
    check(
        "run key.toml",
        expect![[r#"
        rogue_engine: key.toml:2:1: there is no key `conections`; did you mean `connections`?
    "#]],
    );
    check(
        "run value.toml",
        expect![[r#"
        rogue_engine: value.toml:3:12: `disk.read-eio` does not accept "3/2": expected a probability from 0/1 to 1/1 such as "1/1000", a range such as "1/10000..1/100", a list of probabilities, or "swarm"
    "#]],
    );
    check(
        "run option.toml",
        expect![[r#"
        rogue_engine: option.toml:3:1: the engine `rogue` has no option `wya`: expected one of way, bugs; did you mean `way`?
    "#]],
    );
    check(
        "run bug.toml",
        expect![[r#"
        rogue_engine: bug.toml:3:8: the engine `rogue` has no bug `lost-update`: expected a name that `list bugs` shows
    "#]],
    );
    check(
        "run workload.toml",
        expect![[r#"
        rogue_engine: workload.toml:1:12: there is no workload `regster`: expected one of bank, cas, churn, counter, list-append, queue, register, rw-register, scans, set, audit, append-rows, bank-rows, large-rows, queue-rows, savepoints, schema-change, secondary-index, sums, unique-index, user-sql; did you mean `register`?
    "#]],
    );
    check(
        "run property.toml",
        expect![[r#"
        rogue_engine: property.toml:2:14: there is no property `last-wrote`: expected one of last-write; did you mean `last-write`?
    "#]],
    );
    check(
        "run engine.toml",
        expect![[r#"
        rogue_engine: engine.toml:2:11: there is no engine `rouge`: expected one of rogue; did you mean `rogue`?
    "#]],
    );
    check(
        "run rouge",
        expect![[r#"
        rogue_engine: rouge: neither a path nor the name of an embedded scenario or folder; did you mean `rogue`?
    "#]],
    );
    check(
        "run rogue --engine rouge",
        expect![[r#"
        rogue_engine: --engine rouge: there is no engine `rouge`: expected one of rogue; did you mean `rogue`?
    "#]],
    );
    check(
        "run rogue --set engine.way=lei",
        expect![[r#"
        rogue_engine: --set engine.way=lei: `engine.way` does not accept "lei": expected one of "good", "lie", "refuse", "panic", "abort", "overflow", "hoard", "loop", "loop-yielding", "dice", "chatter", a list of those, or "swarm"; did you mean `lie`?
    "#]],
    );
    check(
        "run rogue --set connections",
        expect![[r#"
        rogue_engine: --set connections: no key: expected `key=value`, such as `connections=4`
    "#]],
    );
    check(
        "run rogue rogue",
        expect![[r#"
        rogue_engine: rogue: two scenarios are called `rogue`
    "#]],
    );
    check(
        "run rogue --policy rendom",
        expect![[r#"
        rogue_engine: --set policy.name=rendom: `policy.name` does not accept "rendom": expected one of "round-robin", "random", "pct", "pos", "urw", "surw", "park", "exhaustive", a list of those, or "swarm"; did you mean `random`?
    "#]],
    );
}

#[test]
fn what_cannot_be_served_is_skipped_with_the_reason() {
    let room = Room::new();
    room.write("set/scans.toml", "workload = \"scans\"\n");
    room.write("set/other.toml", "workload = \"register\"\nengines = \"nemesis\"\n");
    let done = room.run("run set --format json");
    let summary: Value = serde_json::from_str(&done.out).unwrap();
    expect![[r#"
        [
          {
            "scenario": "other",
            "engine": "nemesis",
            "reason": "the engine is not compiled in"
          },
          {
            "scenario": "scans",
            "engine": "rogue",
            "reason": "the engine does not serve begin, checkpoint, commit, delete, rollback, scan"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&summary["skipped"]).unwrap());
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
