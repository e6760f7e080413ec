//! The trace in memory and the table of the interleaving.

use std::collections::BTreeSet;

use squall::aio::IoKind;
use squall::disk::sim::CrashReport;
use squall::history::{CrashKind, Fact as HistoryFact};
use squall::report::{Marks, Stand, Table};
use squall::scenario::{Registry, StoredFinding};
use squall::tape::{Actor, Tape};
use squall::trace::{Fact, Level, Trace, What};

use super::{configurations, failure};

#[test]
fn an_observer_does_not_change_a_run_whatever_it_looks_at() {
    let registry = Registry::standard();
    let mut checked = 0;
    for seed in [1, 2] {
        for prefix in ["planted/", "smoke/"] {
            for (name, configuration) in configurations(&registry, prefix, seed) {
                let plain = registry.run(&configuration, seed, None, Tape::seeded(seed)).unwrap();
                for (level, around) in [(Level::State, None), (Level::Ops, None), (Level::Ops, Some(40))] {
                    let traced = registry.run_traced(&configuration, seed, None, Tape::seeded(seed), level, around);
                    let (result, _) = traced.unwrap();
                    assert_eq!((result.hash, result.turns), (plain.hash, plain.turns), "{name} at {level}");
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn a_trace_has_every_turn_every_operation_and_the_whole_life_of_every_io() {
    let (_, _, result, trace, _) = failure("planted/acknowledge-before-sync");
    let turns: Vec<u64> =
        trace.facts.iter().filter(|fact| matches!(fact.what, What::Turn { .. })).map(|fact| fact.turn).collect();
    assert_eq!(turns, (1..=result.turns).collect::<Vec<_>>());
    let of_history =
        |wanted: fn(&HistoryFact) -> bool| result.history.events.iter().filter(|e| wanted(&e.fact)).count();
    let of_trace = |wanted: fn(&What) -> bool| trace.facts.iter().filter(|fact| wanted(&fact.what)).count();
    let both = [
        (of_history(|f| matches!(f, HistoryFact::Invoke { .. })), of_trace(|w| matches!(w, What::Invoke { .. }))),
        (of_history(|f| matches!(f, HistoryFact::Return { .. })), of_trace(|w| matches!(w, What::Return { .. }))),
        (of_history(|f| matches!(f, HistoryFact::Crash { .. })), of_trace(|w| matches!(w, What::Crash { .. }))),
        (of_history(|f| matches!(f, HistoryFact::Recovered)), of_trace(|w| matches!(w, What::Recovered))),
    ];
    assert!(both[0].0 > 0 && both[1].0 > 0 && both[2].0 > 0, "{both:?}");
    for (in_history, in_trace) in both {
        assert_eq!(in_history, in_trace);
    }
    // Every operation of the history has the turn that the history has.
    let turn_of = |op| trace.facts.iter().find(|f| matches!(f.what, What::Return { op: o, .. } if o == op));
    for event in &result.history.events {
        if let HistoryFact::Return { op, .. } = event.fact {
            assert_eq!(turn_of(op).unwrap().turn, event.turn);
        }
    }
    let mut flying = BTreeSet::new();
    for fact in &trace.facts {
        match &fact.what {
            What::Submit { io, .. } => assert!(flying.insert(*io), "{io} is issued twice"),
            What::Complete { io, .. } | What::Abort { io, .. } => assert!(flying.remove(io), "{io} was never issued"),
            _ => {}
        }
    }
    assert!(trace.facts.iter().any(|fact| matches!(&fact.what, What::State { files, .. } if !files.is_empty())));
}

#[test]
fn a_level_has_all_that_the_one_before_it_has_and_a_window_limits_the_state() {
    let registry = Registry::standard();
    let (_, configuration) = configurations(&registry, "planted/acknowledge-before-sync", 1).remove(0);
    let traced =
        |level, around| registry.run_traced(&configuration, 1, None, Tape::seeded(1), level, around).unwrap().1;
    let counts = Level::ALL.map(|level| traced(level, None).facts.len());
    assert!(counts.windows(2).all(|pair| pair[0] < pair[1]), "{counts:?}");
    let states = |trace: &Trace| -> Vec<u64> {
        trace.facts.iter().filter(|f| matches!(f.what, What::State { .. })).map(|fact| fact.turn).collect()
    };
    let (all, window) = (states(&traced(Level::State, None)), states(&traced(Level::Ops, Some(60))));
    assert!(window.len() < all.len() && !window.is_empty());
    assert!(window.iter().all(|turn| turn.abs_diff(60) <= squall::trace::WINDOW_TURNS));
}

#[test]
fn the_engines_memory_is_recorded_where_the_state_is_asked_for_and_only_as_it_changes() {
    let (configuration, seed, _, trace, finding) = failure("planted/lost-update");
    let told = trace.facts.iter().filter_map(|fact| match &fact.what {
        What::Engine { changed, gone } => Some((fact.turn, changed, gone)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let mut known = std::collections::BTreeMap::new();
    for (turn, changed, gone) in &told {
        for name in *gone {
            assert!(known.remove(name).is_some(), "turn {turn}: {name} was not told");
        }
        for (name, words) in *changed {
            assert_ne!(
                known.insert(name.clone(), words.clone()).as_ref(),
                Some(words),
                "turn {turn}: {name} is told twice"
            );
        }
    }
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    for name in ["cache", "log", "commit latch", "published", "snapshots"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    // A commit is seen as one.
    assert!(known["published"].starts_with("commit "), "{known:?}");
    assert!(told.len() > 20, "{}", told.len());
    let registry = Registry::standard();
    let traced = registry.run_traced(&configuration, seed, None, Tape::seeded(seed), Level::Io, None).unwrap().1;
    assert!(!traced.facts.iter().any(|fact| matches!(fact.what, What::Engine { .. })));
    let (turn, changed, _) = told[told.len() / 2];
    let stand = Stand::new(&trace, &finding, turn).plain();
    assert!(stand.contains(&format!("engine's {}: {}", changed[0].0, changed[0].1)), "{stand}");
}

#[test]
fn every_planted_bug_has_a_table_that_ends_where_the_finding_shows() {
    for name in ["lost-update", "dirty-read", "torn-frame-accepted", "lost-wakeup", "flag-before-yield"] {
        let (_, _, _, trace, finding) = failure(&format!("planted/{name}"));
        let table = Table::new(&trace, &finding, &Marks::of(&finding, &trace));
        assert!(table.rows.iter().any(|row| row.violated), "{name}: {finding:?}");
        assert!(table.rows.windows(2).all(|pair| pair[0].turn < pair[1].turn), "{name}");
        assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()), "{name}");
        assert!(table.plain().contains("✗"), "{name}");
    }
}

#[test]
fn a_cell_of_markdown_cannot_break_out_of_its_table() {
    let report = CrashReport { kind: CrashKind::Kill, selection: None, files: Vec::new(), names: Vec::new() };
    let evil = "a|b <img src=x onerror=alert(1)>\n# `c`".to_string();
    let facts = vec![
        Fact { turn: 1, what: What::Phase { name: "run" } },
        Fact { turn: 2, what: What::Crash { report } },
        Fact { turn: 3, what: What::Ended { reason: evil } },
    ];
    let finding = StoredFinding { turn: 3, ..StoredFinding::default() };
    let trace = Trace { level: Level::State, facts };
    let marks = Marks::of(&finding, &trace).necessary([2]);
    let text = Table::new(&trace, &finding, &marks).markdown();
    let expected = "| turn | I/O and faults |\n|---:|---|\n| ★ 2 | ⚡ process kill |\n\
                    | ✗ 3 | a\\|b \\<img src=x onerror=alert(1)\\> \\# \\`c\\` |\n\n\
                    ★ the failure does not happen without it; ✗ here it shows\n";
    assert_eq!(text, expected);
}

#[test]
fn an_io_that_is_reported_right_after_it_was_issued_has_one_line() {
    let io = |op, nth| Actor::Io { connection: 0, op, nth };
    let submit = |io, path: &str| What::Submit {
        io,
        kind: IoKind::Sync,
        path: path.into(),
        offset: 0,
        len: 0,
        slow_until: None,
    };
    let complete = |io| What::Complete { io, outcome: Ok(0), fault: None };
    let facts = vec![
        Fact { turn: 1, what: What::Phase { name: "run" } },
        Fact { turn: 2, what: submit(io(0, 0), "a") },
        Fact { turn: 2, what: submit(io(0, 1), "b") },
        Fact { turn: 3, what: complete(io(0, 1)) },
        Fact { turn: 4, what: complete(io(0, 0)) },
        Fact { turn: 5, what: submit(io(1, 0), "a") },
        // Somebody else has the turn in between, and nobody sees what it does.
        Fact { turn: 7, what: complete(io(1, 0)) },
        Fact { turn: 8, what: submit(io(1, 1), "b") },
        // Without this turn the failure does not happen.
        Fact { turn: 9, what: complete(io(1, 1)) },
    ];
    let finding = StoredFinding { turn: 9, ..StoredFinding::default() };
    let trace = Trace { level: Level::State, facts };
    let table = Table::new(&trace, &finding, &Marks::default().necessary([9]));
    assert_eq!(
        table.rows.iter().map(|row| (row.turn, row.folded)).collect::<Vec<_>>(),
        [(2, false), (3, true), (4, true), (5, false), (7, false), (8, false), (9, false)]
    );
    let expected = "turn     I/O and faults\n\
                    \u{20}  2     sync a, done in turn 4; sync b, done in turn 3\n\
                    \u{20}  5     sync a issued\n\
                    \u{20}  7     sync a: done\n\
                    \u{20}  8     sync b issued\n\
                    \u{20}  9  ★  sync b: done\n\n\
                    ★ the failure does not happen without it\n";
    assert_eq!(table.plain(), expected);
}
