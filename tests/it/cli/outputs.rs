//! What a campaign leaves for others: JUnit XML, a GitHub workflow, issues, a corpus, a page.

use expect_test::expect;
use serde_json::json;

use super::Room;

#[test]
fn junit_has_a_case_for_each_property_and_bucket_and_names_no_seed() {
    let room = Room::new();
    assert_eq!(room.run("run rogue --set engine.way=lie --junit report.xml").code, 1);
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="squall" tests="5" skipped="0" failures="2" errors="0">
            <testsuite name="rogue on rogue" tests="4" skipped="0" errors="0" failures="1">
                <testcase name="last-write" classname="rogue.rogue">
                    <failure message="A read of k0000 brought nil, and c0.3.0 was written last." type="new">last-write: stale-read: A read of k0000 brought nil, and c0.3.0 was written last. (bucket last-write-stale-read-cfe61afd, last-write-stale-read-cfe61afd/0.case)</failure>
                </testcase>
                <testcase name="no-breakdown" classname="rogue.rogue"/>
                <testcase name="process" classname="rogue.rogue"/>
                <testcase name="determinism" classname="rogue.rogue"/>
            </testsuite>
            <testsuite name="buckets" tests="1" skipped="0" errors="0" failures="1">
                <testcase name="last-write-stale-read-cfe61afd" classname="buckets">
                    <failure message="A read of k0000 brought nil, and c0.3.0 was written last." type="new">last-write: stale-read: A read of k0000 brought nil, and c0.3.0 was written last. (bucket last-write-stale-read-cfe61afd, last-write-stale-read-cfe61afd/0.case)</failure>
                </testcase>
            </testsuite>
        </testsuites>
    "#]]
    .assert_eq(&room.read("report.xml"));
    assert_eq!(room.run("run rogue --set engine.way=refuse --junit report.xml").code, 5);
    let report = room.read("report.xml");
    assert!(report.contains("<error message=\"it compared 0 answers in 8 runs"), "inconclusive is not green: {report}");
}

#[test]
fn a_workflow_is_told_by_annotations_and_a_summary() {
    let room = Room::new();
    room.write("step.md", "before\n");
    let mut command = room.command("run rogue --set engine.way=lie --github --format json");
    let done = command.env("GITHUB_STEP_SUMMARY", room.path().join("step.md")).output().unwrap();
    // Programs that read results are not disturbed.
    serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("\n::error title=last-write%3A stale-read in rogue on rogue::A read of k0000 brought"),
        "{said}"
    );
    let summary = room.read("step.md");
    assert!(summary.starts_with("before\n## 1 finding in 8 runs\n"), "{summary}");
    assert!(summary.contains("| new | **last-write: stale-read** A read of k0000 brought nil"), "{summary}");
}

#[test]
fn each_bucket_has_the_body_of_an_issue_that_can_be_found_again() {
    let room = Room::new();
    let done = room.run("run rogue --set engine.way=lie --format json");
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let bucket = summary["findings"][0]["bucket"].as_str().unwrap();
    assert_eq!(summary["findings"][0]["findability"], json!({"rate": 0.5, "clean_seeds": 5}));
    let issue = room.read(&format!("squall-out/{bucket}/issue.md"));
    assert!(issue.starts_with(&format!("<!-- squall-bucket: {bucket} -->\n## last-write: stale-read\n")), "{issue}");
    assert!(issue.contains("rogue_engine replay 0.case") && issue.contains("5 seeds without it (95%)"), "{issue}");
}

#[test]
fn a_bucket_has_one_case_that_of_its_shortest_run() {
    let room = Room::new();
    let done = room.run("run rogue --seeds 0..40 --set engine.way=panic --format json");
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let findings = summary["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "one message and one function are one bucket: {findings:?}");
    assert_eq!(room.cases("squall-out").iter().filter(|file| file.ends_with(".case")).count(), 1);
    let journal = room.read("squall-out/runs.jsonl");
    let runs = journal.lines().filter_map(|line| {
        let note: serde_json::Value = serde_json::from_str(line).unwrap();
        let run = &note["ran"];
        run["ran"]["finding"].is_object().then(|| (run["ran"]["turns"].as_u64(), run["seed"].as_u64()))
    });
    assert_eq!(findings[0]["seed"].as_u64(), runs.min().unwrap().1);
}

#[test]
fn a_corpus_tells_open_from_fixed_and_from_back_again() {
    let room = Room::new();
    room.run("run rogue --set engine.way=lie");
    let case = room.cases("squall-out").into_iter().find(|file| file.ends_with(".case")).unwrap();
    let check = |args: &str, code: i32, said: &str| {
        let done = room.run(args);
        assert_eq!(done.code, code, "{args}: {}{}", done.out, done.err);
        assert!(done.out.contains(said), "{args}: {}", done.out);
    };
    check("corpus add --corpus pins nothing.case", 2, "");
    check(&format!("corpus add --corpus pins {case}"), 0, ".case: added\n");
    check(&format!("corpus add --corpus pins {case}"), 0, ".case: kept, for it takes no more turns\n");
    check("corpus list --corpus pins", 0, "A read of k0000 brought nil");
    check("corpus run --corpus pins", 0, "open\n1 case replayed\n");
    // Its bucket is known now, which makes it no less of a finding.
    let done = room.run("run rogue --set engine.way=lie --corpus pins --junit report.xml --github");
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.out.contains(" · known\n") && done.out.contains("::warning title=last-write"), "{}", done.out);
    assert_eq!(room.json("squall-out/summary.json")["findings"][0]["known"], true);
    assert!(room.read("report.xml").contains("type=\"known\""));
    // The engine is mended: another build, and the way is another.
    let pin = std::fs::read_dir(room.path().join("pins")).unwrap().next().unwrap().unwrap().path();
    let pin = format!("pins/{}", pin.file_name().unwrap().to_str().unwrap());
    let broken = room.read(&pin);
    let build = broken.lines().find(|line| line.starts_with("build = ")).unwrap().to_string();
    let rebuilt = broken.replace(&build, "build = \"0000000000000000\"");
    room.write(&pin, &rebuilt.replace("way = \"lie\"", "way = \"good\""));
    check("corpus run --corpus pins", 0, "fixed now: `corpus run --mark` notes it");
    check("corpus run --corpus pins --mark", 0, "fixed now");
    check("corpus run --corpus pins", 0, "fixed\n");
    check("corpus prune --corpus pins --fixed --dry-run", 0, "would go: fixed");
    // And broken once more.
    room.write(&pin, &room.read(&pin).replace("way = \"good\"", "way = \"lie\""));
    check("corpus run --corpus pins", 1, "BACK: it was fixed and is found again");
    check("run rogue --corpus pins", 1, "open, recorded as fixed");
    // An engine whose decisions fit no more.
    let unfit = rebuilt
        .replace("way = \"lie\"", "way = \"good\"")
        .replace("schedule = '''\n", "schedule = '''\nc0/op99/io7*3 ");
    room.write(&pin, &unfit);
    check("corpus run --corpus pins", 6, "stale");
    check("corpus prune --corpus pins", 0, "removed: stale");
    check("corpus run --corpus pins", 4, "0 cases replayed");
    check("corpus run --corpus nowhere", 2, "");
}

#[test]
fn the_page_tells_what_was_found_and_asks_for_nothing() {
    let room = Room::new();
    room.run("run rogue --set engine.way=lie --seeds 0..40");
    let page = room.read("squall-out/index.html");
    for part in [
        "<h1>1 finding in 40 runs</h1>",
        "A read of k0000 brought",
        "last-write",
        "Policies and what they found",
        "Slowest seeds",
        "<svg",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("http:") && !page.contains("https:"));
}
