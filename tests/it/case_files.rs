//! Files of cases: what they say of shrinking, and what hostile or damaged ones may do: nothing.

use std::path::{Path, PathBuf};

use arbtest::arbtest;
use squall::scenario::{Case, CaseError, FORMAT, Registry};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/pinned")
}

fn pinned() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries.filter(|path| path.extension().is_some_and(|is| is == "case")).collect();
    cases.sort();
    cases
}

#[test]
fn a_pinned_case_says_how_large_it_was_and_is_and_survives_its_text_form() {
    for path in pinned() {
        let case = Case::read(&path).unwrap();
        let (original, shrunk) = (case.original.unwrap(), case.shrunk.clone().unwrap());
        assert!(shrunk.size.unwrap() < original, "{}", path.display());
        assert_eq!(Case::parse("again", &case.to_text().unwrap()).unwrap(), case);
    }
}

#[test]
fn no_damage_to_a_case_is_a_panic() {
    let texts: Vec<String> = pinned().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let registry = Registry::standard();
    arbtest(|u| {
        let mut lines: Vec<String> = u.choose(&texts)?.lines().map(str::to_string).collect();
        for _ in 0..u.int_in_range(1..=4)? {
            let at = u.choose_index(lines.len())?;
            let hostile =
                ["-1", "18446744073709551616", "\"../../etc\"", "''", "[[[[", "c65535*4294967295", "\u{1b}[2J", "nan"];
            let word = *u.choose(&hostile)?;
            match u.int_in_range(0..=5)? {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines[at] = word.to_string(),
                3 => lines.truncate(at + 1),
                4 => {
                    // Another value for the same key.
                    let key = lines[at].split('=').next().unwrap_or_default().to_string();
                    lines[at] = format!("{key}= {word}");
                }
                _ => {
                    let cut = u.int_in_range(0..=lines[at].chars().count())?;
                    lines[at] = lines[at].chars().take(cut).collect();
                }
            }
            if lines.is_empty() {
                return Ok(());
            }
        }
        if let Ok(case) = Case::parse("hostile", &lines.join("\n")) {
            // Whatever is still taken for a case is well-formed, and its plan is read without a panic.
            let _ = registry.plan_as_text(&case.configuration, &case.plan);
            let again = Case::parse("again", &case.to_text().unwrap()).unwrap();
            assert_eq!(again.configuration, case.configuration);
        }
        Ok(())
    })
    .size_min(64)
    .budget_ms(1_500);
}

#[test]
fn a_case_of_a_later_form_and_a_foreign_file_are_told_from_a_damaged_one() {
    let text = std::fs::read_to_string(&pinned()[0]).unwrap();
    let later = text.replacen(&format!("format = {FORMAT}"), &format!("format = {}", FORMAT + 1), 1);
    assert!(matches!(Case::parse("x", &later), Err(CaseError::Later { format, .. }) if format == FORMAT + 1));
    assert!(matches!(Case::parse("x", "workload = \"bank\""), Err(CaseError::Foreign { .. })));
    let half = &text[..text.find("[plan]").unwrap()];
    assert!(matches!(Case::parse("x", half), Err(CaseError::Damaged { .. })));
}
