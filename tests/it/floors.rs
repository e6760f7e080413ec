//! The table of floors in ARCHITECTURE.md, held against the `use` lines and paths of the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Each module's floor, from the table.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let floor = cells.get(1)?.parse().ok()?;
        Some((cells.get(2)?.trim_matches('`').to_string(), floor))
    };
    text.lines().filter_map(row).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The crate's modules that a source names, tests left out: they may look anywhere.
fn named(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = vec![];
    for line in lines {
        for part in line.split("crate::").skip(1) {
            names.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn a_lower_floor_never_knows_a_higher_one() {
    let floors = floors();
    assert!(floors.len() >= 14, "the table was not found: {floors:?}");
    let mut wrong = vec![];
    let mut files = vec![];
    sources(&root().join("src"), &mut files);
    for file in files {
        let place = file.strip_prefix(root().join("src")).unwrap().to_path_buf();
        let module = place.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_string();
        if ["lib", "main"].contains(&module.as_str()) || place.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let Some(floor) = floors.get(&module) else {
            wrong.push(format!("{}: the module is not in the table", place.display()));
            continue;
        };
        for other in named(&fs::read_to_string(&file).unwrap()) {
            let allowed = other == module || floors.get(&other).is_none_or(|theirs| theirs < floor);
            if !allowed {
                wrong.push(format!("{}: `{module}` (floor {floor}) names `{other}`", place.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_says_what_it_is_for() {
    let mut files = vec![];
    ["src", "examples", "benches"]
        .iter()
        .map(|folder| root().join(folder))
        .filter(|folder| folder.exists())
        .for_each(|folder| sources(&folder, &mut files));
    let silent = |file: &PathBuf| !fs::read_to_string(file).unwrap().starts_with("//!");
    let silent: Vec<_> = files.into_iter().filter(silent).collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}
