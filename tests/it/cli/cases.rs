//! Cases that are damaged, foreign, of a later version, or not of this engine any more.

use expect_test::{Expect, expect};

use super::Room;

/// A room with a good case in `good.case`.
fn with_case() -> (Room, String) {
    let room = Room::new();
    room.run("run rogue --set engine.way=lie --shrink-budget 0");
    let text = room.read(&room.cases("squall-out")[0]);
    std::fs::remove_dir_all(room.path().join("squall-out")).unwrap();
    room.write("good.case", &text);
    (room, text)
}

#[test]
fn a_file_that_is_no_good_case_is_refused_in_one_line() {
    let (room, good) = with_case();
    let check = |name: &str, text: &str, expected: Expect| {
        room.write(name, text);
        let done = room.run(&format!("replay {name}"));
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{name}: {}", done.err);
        expected.assert_eq(&done.err);
    };
    check(
        "empty.case",
        "",
        expect![[r#"
        rogue_engine: empty.case: not a case: its first line is not that of a case: expected a file `<seed>.case` that `run` has written
    "#]],
    );
    check(
        "foreign.case",
        "workload = \"register\"\n",
        expect![[r#"
        rogue_engine: foreign.case: not a case: its first line is not that of a case: expected a file `<seed>.case` that `run` has written
    "#]],
    );
    check(
        "cut.case",
        &good[..good.find("turns =").unwrap() + 4],
        expect![[r#"
        rogue_engine: cut.case:13:5: damaged: key with no value, expected `=`
    "#]],
    );
    check(
        "later.case",
        &good.replace("format = 1", "format = 2\nnovelty = true"),
        expect![[r#"
        rogue_engine: later.case: a case of format 2: expected at most 1; a later version of squall has written it
    "#]],
    );
    check(
        "zero.case",
        &good.replace("format = 1", "format = 0"),
        expect![[r#"
        rogue_engine: zero.case:1:1: damaged: `case.format` cannot be 0: expected 1 to 1
    "#]],
    );
    check(
        "none.case",
        &good.replace("format = 1\n", ""),
        expect![[r#"
        rogue_engine: none.case:1:1: damaged: `case.format` is missing: expected a number
    "#]],
    );
    check(
        "unknown.case",
        &good.replace("turns = ", "trns = "),
        expect![[r#"
        rogue_engine: unknown.case:13:1: damaged: unknown field `trns`, expected one of `format`, `squall`, `program`, `build`, `scenario`, `seed`, `bucket`, `known`, `hash`, `turns`
    "#]],
    );
    check(
        "value.case",
        &good.replace("connections = 1\n", "connections = 9999\n"),
        expect![[r#"
        rogue_engine: value.case:24:1: damaged: `connections` cannot be 9999: expected a whole number from 1 to 64, a range such as "1..9", a list of numbers, or "swarm"
    "#]],
    );
    check(
        "ratio.case",
        &good.replace("read-eio = \"0/1\"", "read-eio = \"7/1\""),
        expect![[r#"
            rogue_engine: ratio.case:59:12: damaged: `7/1` is no probability: expected a ratio from 0/1 to 1/1, such as "1/1000"
        "#]],
    );
    check(
        "schedule.case",
        &good.replace("schedule = '''\n", "schedule = '''\nd7 "),
        expect![[r#"
            rogue_engine: schedule.case:139:1: damaged: `d7` is no actor: expected `c2`, `c2/op7/io1`, `engine`, `timer` or `crash`
        "#]],
    );
    check(
        "plan.case",
        &good.replacen("{ get = ", "{ got = ", 1),
        expect![[r#"
        rogue_engine: plan.case: cannot be run: `plan.settle` holds { got = "k0000" }, which is no operation of the family `kv`: unknown variant `got`, expected one of `begin`, `get`, `put`, `delete`, `cas`, `add`, `append`, `pop`, `scan`, `commit`, `rollback`, `checkpoint`, `vacuum`
    "#]],
    );
    check(
        "workload.case",
        &good.replace("workload = \"register\"", "workload = \"bank2\""),
        expect![[r#"
            rogue_engine: workload.case: cannot be run: the workload `bank2` is not known to the family `kv`: expected one of bank, cas, churn, counter, list-append, queue, register, rw-register, scans, set, audit
        "#]],
    );
    check(
        "property.case",
        &good.replace("[\"last-write\"]", "[\"last-wish\"]"),
        expect![[r#"
        rogue_engine: property.case: cannot be run: the property `last-wish` is not compiled into this program: expected one of last-write
    "#]],
    );
    check(
        "option.case",
        &good.replace("way = \"lie\"", "way = \"lye\""),
        expect![[r#"
        rogue_engine: option.case: cannot be run: `way` does not accept this value: expected one of "good", "lie", "refuse", "panic", "abort", "overflow", "hoard", "loop", "loop-yielding", "dice", "chatter"
    "#]],
    );
    let other = good
        .replace("name = \"rogue\"", "name = \"other\"")
        .replace("program = \"rogue_engine\"", "program = \"mine\"");
    check(
        "engine.case",
        &other,
        expect![[r#"
        rogue_engine: engine.case: the engine `other` is not compiled into this program, which has rogue: expected the program `mine`
    "#]],
    );
    let done = room.run("replay missing.case");
    assert_eq!(done.code, 2);
    expect![[r#"
        rogue_engine: missing.case: cannot be read: No such file or directory (os error 2)
    "#]]
    .assert_eq(&done.err);
    std::fs::write(room.path().join("binary.case"), [0xff, 0xfe, 0, 1]).unwrap();
    expect![[r#"
        rogue_engine: binary.case: not a case: it is not text: expected a file `<seed>.case` that `run` has written
    "#]]
    .assert_eq(&room.run("replay binary.case").err);
}

#[test]
fn a_case_cut_anywhere_is_an_error_or_a_case_and_never_a_panic() {
    let (room, good) = with_case();
    let step = good.len() / 12;
    for length in (0..good.len()).step_by(step) {
        let length = (length..).find(|&at| good.is_char_boundary(at)).unwrap();
        room.write("cut.case", &good[..length]);
        let done = room.run("replay cut.case");
        // What is left may be a whole case without its decisions; it then runs from its seed.
        assert!([1, 2].contains(&done.code), "{length}: {}{}", done.out, done.err);
        assert!(!done.err.contains("panicked"), "{length}: {}", done.err);
    }
}

#[test]
fn a_replay_writes_nothing_wherever_a_case_would_like_to() {
    let (room, good) = with_case();
    room.write("evil.case", &good.replace("bucket = \"", "bucket = \"../../../tmp/"));
    let before = listing(&room);
    assert_eq!(room.run("replay evil.case").code, 1);
    assert_eq!(listing(&room), before);
}

fn listing(room: &Room) -> Vec<String> {
    let entries = std::fs::read_dir(room.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_changed_engine_makes_a_case_stale_and_the_same_engine_makes_it_nondeterministic() {
    let (room, good) = with_case();
    let check = |text: &str, code: i32, verdict: &str| {
        room.write("it.case", text);
        let done = room.run("replay it.case --format json");
        let value: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!((done.code, value["verdict"].as_str()), (code, Some(verdict)), "{}", done.out);
    };
    let line = |key: &str| good.lines().find(|line| line.starts_with(key)).unwrap().to_string();
    let rebuilt = good.replace(&line("build = "), "build = \"0000000000000000\"");
    let fixed = |text: &str| text.replace("way = \"lie\"", "way = \"good\"");
    let unfit = |text: &str| text.replace("schedule = '''\n", "schedule = '''\nc0/op99/io7*3 ");
    check(&good, 1, "again");
    check(&rebuilt, 1, "again");
    check(&good.replace(&line("hash = "), "hash = \"0000000000000000\""), 3, "diverged");
    check(&fixed(&rebuilt), 0, "no-longer");
    check(&unfit(&fixed(&rebuilt)), 6, "stale");
    // The decisions fit no more, but the plan shows the failure still.
    check(&unfit(&rebuilt), 1, "again");
}

#[test]
fn a_case_needs_neither_its_scenario_nor_flags_and_can_be_read_by_people() {
    let (room, good) = with_case();
    assert_eq!(room.run("replay good.case").code, 1);
    for part in ["sentence = ", "[plan.connections]\nc0 = [\n    [", "schedule = '''\n", "# rogue_engine replay"] {
        assert!(good.contains(part), "{part}");
    }
}

/// What a user pastes after the bug is fixed: here it is `tests/it/pasted.rs`, which runs beside this test.
#[test]
fn a_case_becomes_a_test_that_compiles_and_holds_once_the_bug_is_fixed() {
    let room = Room::new();
    let pinned = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/pinned/dirty-read.case");
    let text = std::fs::read_to_string(pinned).unwrap();
    room.write("fixed.case", &text.replacen("bugs = [\"dirty-read\"]", "bugs = []", 1));
    let done = room.run("show fixed.case --rust");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(done.out, include_str!("../pasted.rs"));
}

#[test]
fn what_is_found_is_stored_small_and_says_how_large_it_was() {
    let room = Room::new();
    let done = room.run("run rogue --set engine.way=lie --jobs 1");
    assert!(done.out.contains("\n  found     ") && done.out.contains("\n  stored    "), "{}", done.out);
    let text = room.read(&room.cases("squall-out")[0]);
    let parts: toml::Table = text.parse().unwrap();
    let ops = |part: &toml::Value| part["ops"].as_integer().unwrap();
    assert!(ops(&parts["shrunk"]["size"]) < ops(&parts["original"]), "{text}");
    let case = room.cases("squall-out").swap_remove(0);
    assert_eq!(room.run(&format!("replay {case}")).code, 1);
    let off = room.run("run rogue --set engine.way=lie --jobs 1 --shrink-budget 0 --out off");
    assert_eq!(off.code, 1);
    assert!(!room.read(&room.cases("off")[0]).contains("[original]"));
}
