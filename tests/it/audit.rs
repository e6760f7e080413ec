//! The audit against the re-entrancy bugs of dinghy: each is found, and the line that is named is the one that yields.

use squall::audit::{Audit, AuditBounds, AuditFinding};
use squall::scenario::{Registry, Scenario, parse, parse_flag};

/// Audits an engine in every configuration that `audit` looks at.
fn audit(engine: &str, flags: &[&str]) -> Vec<Audit> {
    let registry = Registry::standard();
    let text = "workload = \"audit\"\nconnections = 3";
    let flags = flags.iter().map(|flag| parse_flag(flag).unwrap()).collect();
    let scenario = Scenario::new("audit", vec![parse("audit", text).unwrap(), flags]).unwrap();
    let (pairings, _) = registry.pair(&scenario, &[engine.to_string()]).unwrap();
    let configurations = pairings[0].audited(&registry, &scenario).unwrap();
    configurations.iter().map(|one| registry.audit(one, AuditBounds::default()).unwrap()).collect()
}

fn findings(bug: &str) -> Vec<AuditFinding> {
    let audits = audit("dinghy", &[&format!("engine.bugs={bug}")]);
    audits.into_iter().flat_map(|audit| audit.findings).collect()
}

/// The text of a line of the source, such as that of `src/a.rs:7`.
fn line(place: &str) -> String {
    let (file, number) = place.rsplit_once(':').unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap().trim().to_string()
}

/// The bug is found when this is done to the operation, at this line, with these words.
fn check(bug: &str, disturbance: &str, file: &str, code: &str, what: &str) {
    let found = findings(bug);
    let is_it = |finding: &&AuditFinding| {
        finding.disturbance == disturbance && finding.place.contains(file) && line(&finding.place).contains(code)
    };
    let finding = found.iter().find(is_it).unwrap_or_else(|| panic!("{found:#?}"));
    assert!(finding.what.contains(what), "{finding:#?}");
    assert!(finding.way.contains(&finding.place) || finding.other_way.contains(&finding.place), "{finding:#?}");
}

const WAITS: &str = "has to wait there";

#[test]
fn what_is_pushed_before_a_yield_is_found_twice() {
    check("push-before-yield", WAITS, "dinghy/scan.rs", "return_if_io!(chain.poll(", "brings `long0` twice");
}

#[test]
fn an_index_advanced_before_a_yield_is_found_by_what_it_skips() {
    check("index-before-yield", WAITS, "dinghy/checkpoint.rs", "return_if_io!(fetch.poll(", "");
}

#[test]
fn what_is_inserted_before_a_yield_is_found_when_it_is_used_twice() {
    check("insert-before-yield", WAITS, "dinghy/edit.rs", "return_if_io!(draft.page(next))", "corrupt");
}

#[test]
fn a_flag_set_before_a_yield_is_found_when_another_connection_goes_on() {
    let meets = "is held up there while another connection goes on";
    check("flag-before-yield", meets, "dinghy/commit.rs", "return_if_io!(", "no order of the two explains it");
}

#[test]
fn a_state_advanced_before_a_call_that_fails_is_found_after_a_restart() {
    let fails = "gets an error there";
    check("state-advanced-before-fallible-call", fails, "dinghy/commit.rs", "append.poll()", "after a restart");
}

#[test]
fn a_lock_that_an_abandoned_operation_leaves_behind_is_found_by_who_waits_for_it() {
    let abandoned = "is abandoned there";
    check(
        "leaked-lock-after-abandonment",
        abandoned,
        "dinghy/connection.rs",
        "return Ok(IOResult::IO(io.seen_here()))",
        "waits for ever, at write commit latch",
    );
}

#[test]
fn an_engine_without_bugs_has_no_finding_and_every_operation_is_looked_at() {
    for audit in audit("dinghy", &[]) {
        assert_eq!(audit.findings, []);
        assert_eq!(audit.left_out, <[String; 0]>::default());
        assert!(audit.operations >= 20 && audit.trials > 1_000, "{audit:?}");
    }
}

#[test]
fn an_audit_is_the_same_every_time() {
    let one =
        || serde_json::to_string(&audit("dinghy", &["engine.bugs=push-before-yield", "engine.cache_pages=2"])).unwrap();
    assert_eq!(one(), one());
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_has_no_finding_and_what_it_does_not_serve_is_said() {
    let audit = audit("sqlite", &[]).swap_remove(0);
    assert_eq!(audit.findings, []);
    assert_eq!(audit.left_out, ["`vacuum`: the engine does not serve it"]);
}
