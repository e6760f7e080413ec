//! What `run` writes about a failure, and what `show`, `export` and `replay` make of its case.

use super::Room;

/// A room with the failure of a lying engine, and the path of its case.
fn failed() -> (Room, String) {
    let room = Room::new();
    assert_eq!(room.run("run rogue --set engine.way=lie").code, 1);
    let case = room.cases("squall-out")[0].clone();
    (room, case)
}

#[test]
fn run_leaves_a_page_and_a_json_of_every_failure_beside_its_case() {
    let (room, case) = failed();
    let bucket = case.rsplit_once('/').unwrap().0;
    let failure = room.json(&format!("{bucket}/failure.json"));
    assert_eq!((failure["v"].as_u64(), failure["type"].as_str()), (Some(1), Some("failure")));
    assert_eq!(failure["verdict"], failure["finding"]["sentence"]);
    assert!(failure["verdict"].as_str().unwrap().starts_with("A read of k0000 brought nil, and c0."));
    // It was made smaller before it was stored, and says how large it was.
    assert!(failure["shrunk"]["operations"].as_u64() < failure["original"]["operations"].as_u64(), "{failure}");
    assert_eq!(failure["reproduce"]["replay"], format!("rogue_engine replay {case}"));
    assert!(failure["table"]["rows"].as_array().unwrap().iter().any(|row| row["violated"] == true));
    // Why it fails has been found out, too.
    assert!(failure["necessity"]["runs"].is_u64() && failure["likelihood"]["points"].is_array(), "{failure}");
    assert!(failure["likelihood"]["cut"].is_null(), "{failure}");
    let page = room.read(&format!("{bucket}/report.html"));
    assert!(page.contains("A read of k0000 brought nil") && page.ends_with("</html>\n"));
    // Nothing of the machine is in it.
    assert!(!page.contains(room.path().to_str().unwrap()));
}

#[test]
fn show_says_the_failure_as_markdown_and_as_plain_text_and_writes_the_page_where_asked() {
    let (room, case) = failed();
    let md = room.run(&format!("show {case} --md"));
    assert!(
        md.code == 0 && md.out.contains("| turn | c0 |") && md.out.starts_with("<!-- squall-bucket: "),
        "{}",
        md.out
    );
    let plain = room.run(&format!("show {case} --plain"));
    assert!(plain.out.contains("replay: rogue_engine replay ") && plain.out.contains('✗'), "{}", plain.out);
    let page = room.run(&format!("show {case} --html a.html"));
    assert_eq!((page.code, page.out.as_str()), (0, "a.html\n"), "{}", page.err);
    assert!(room.read("a.html").starts_with("<!doctype html>"));
}

#[test]
fn replay_stops_at_a_turn_and_says_how_things_stand_there() {
    let (room, case) = failed();
    let done = room.run(&format!("replay {case} --until 9"));
    assert!(done.code == 0 && done.out.contains("after turn 9, which "), "{}{}", done.out, done.err);
    let json = room.run(&format!("replay {case} --until 9 --format json"));
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((value["type"].as_str(), value["stand"]["turn"].as_u64()), (Some("stand"), Some(9)));
}

#[test]
fn a_trace_is_written_on_replay_and_exported_also_where_its_tail_is_cut_off() {
    let (room, case) = failed();
    let done = room.run(&format!("replay {case} --trace a.trace --level steps"));
    assert!(done.code == 1 && done.err.contains("at level steps"), "{}", done.err);
    let chrome = room.run("export a.trace --format chrome");
    let value: serde_json::Value = serde_json::from_str(&chrome.out).unwrap();
    assert!(value["traceEvents"].as_array().unwrap().len() > 10);
    let bytes = std::fs::read(room.path().join("a.trace")).unwrap();
    std::fs::write(room.path().join("cut.trace"), &bytes[..bytes.len() - 3]).unwrap();
    let cut = room.run("export cut.trace --format chrome");
    assert!(cut.code == 0 && cut.err.contains("cut.trace: it is cut off"), "{}", cut.err);
    let mut later = bytes.clone();
    later[8] = 2;
    std::fs::write(room.path().join("later.trace"), later).unwrap();
    let done = room.run("export later.trace --format perfetto");
    assert!(done.code == 2 && done.err.contains("a trace of version 2: expected at most 1"), "{}", done.err);
    let done = room.run("export a.trace --format svg");
    assert!(done.code == 2 && done.err.contains("expected a case"), "{}", done.err);
}

#[test]
fn a_case_is_exported_in_every_form() {
    let (room, case) = failed();
    for (format, begins) in [("dot", "digraph failure {"), ("svg", "<svg "), ("edn", "{"), ("chrome", "{")] {
        let done = room.run(&format!("export {case} --format {format}"));
        assert!(done.code == 0 && done.out.starts_with(begins), "{format}: {}{}", done.out, done.err);
    }
    let done = room.run(&format!("export {case} --format perfetto -o a.pftrace"));
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(std::fs::read(room.path().join("a.pftrace")).unwrap().len() > 200);
}

#[test]
fn a_report_that_cannot_be_made_is_told_with_the_results() {
    let (_, case) = failed();
    let room = Room::new();
    let bucket = case.strip_prefix("squall-out/").unwrap().rsplit_once('/').unwrap().0.to_string();
    // Where the page should go is a folder.
    std::fs::create_dir_all(room.path().join(format!("squall-out/{bucket}/report.html"))).unwrap();
    let lines = room.run("run rogue --set engine.way=lie --format jsonl");
    assert_eq!(lines.code, 1, "{}", lines.err);
    let lines: Vec<serde_json::Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.iter().find(|line| line["type"] == "report-failed").expect("a line tells it");
    assert!(told["reason"].as_str().unwrap().contains("report.html: cannot be written"), "{told}");
    assert_eq!(lines.last().unwrap()["reports_failed"][0]["case"], told["case"]);
    let human = room.run("run rogue --set engine.way=lie --out again");
    assert!(!human.out.contains("NO REPORT"), "{}", human.out);
    std::fs::remove_dir_all(room.path().join("again")).unwrap();
    std::fs::create_dir_all(room.path().join(format!("again/{bucket}/report.html"))).unwrap();
    let human = room.run("run rogue --set engine.way=lie --out again");
    assert!(human.out.contains("NO REPORT of again/"), "{}", human.out);
}

#[test]
fn the_page_of_a_campaign_leads_to_the_reports_of_its_failures() {
    let (room, _) = failed();
    assert!(room.read("squall-out/index.html").contains("/report.html\">report</a>"));
}
