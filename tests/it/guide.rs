//! The guide and the examples: what the pages show is what is compiled, and each example finds its bug.

use std::path::PathBuf;
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Rust snippets of a page that are taken from elsewhere.
fn snippets(page: &str) -> Vec<String> {
    let text = read(page);
    let blocks = text.split("```rust,ignore\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_string()).collect()
}

#[test]
fn every_snippet_of_the_guide_to_own_engines_is_in_the_example() {
    let example = read("examples/own_engine.rs");
    let snippets = snippets("docs/own-engine.md");
    assert!(snippets.len() >= 2);
    for snippet in snippets {
        assert!(example.contains(&snippet), "the example does not contain\n{snippet}");
    }
}

/// Runs an example that has been built beside this test.
fn example(name: &str, arguments: &[&str]) -> Output {
    let mut folder = std::env::current_exe().expect("a test has a path");
    folder.pop();
    folder.pop();
    let out = tempfile::tempdir().expect("a temporary folder");
    Command::new(folder.join("examples").join(name))
        .args(arguments)
        .arg("--out")
        .arg(out.path())
        .output()
        .unwrap_or_else(|error| panic!("the example {name} does not run: {error}"))
}

fn check(name: &str, scenario: &str, code: i32, says: &str) {
    let output = example(name, &["run", scenario]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{name} run {scenario}:\n{text}");
    assert!(text.contains(says), "{name} run {scenario} does not say `{says}`:\n{text}");
}

#[test]
fn an_engine_of_ones_own_loses_a_record_and_its_corrected_form_does_not() {
    check("own_engine", "appends", 1, "durability");
    check("own_engine", "reserves", 0, "held");
}

#[test]
fn a_workload_of_ones_own_shows_a_dirty_read() {
    check("own_workload", "seats", 1, "dirty-read");
}

#[test]
fn a_property_of_ones_own_catches_a_ticket_sold_twice() {
    check("own_property", "tickets", 1, "was handed out twice");
}
