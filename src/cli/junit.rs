//! JUnit XML: a test case for each property of each scenario, and one for each bucket.
//!
//! Names stay the same from night to night and never tell a seed, so that a server can follow them.

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::campaign::{Outcome, Summary, SummaryFinding, SummaryLane};
use crate::scenario::Expect;

/// What can go wrong in every run, whatever its properties are.
const ALWAYS: [&str; 2] = ["no-breakdown", "process"];

/// The whole document. With `as_expected`, a finding that a scenario expects is a success.
pub(super) fn xml(
    summary: &Summary,
    outcome: &Outcome,
    as_expected: bool,
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("squall");
    for (index, lane) in summary.scenarios.iter().enumerate() {
        report.add_test_suite(properties(summary, outcome, index, lane, as_expected));
    }
    report.add_test_suite(buckets(summary, outcome, as_expected));
    report.to_string()
}

fn properties(summary: &Summary, outcome: &Outcome, index: usize, lane: &SummaryLane, as_expected: bool) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} on {}", lane.scenario, lane.engine));
    let here = || findings(summary, outcome).filter(|(_, lanes)| lanes.contains(&index)).map(|(finding, _)| finding);
    let mut names: BTreeSet<&str> = lane.tally.compared.keys().map(String::as_str).chain(ALWAYS).collect();
    names.extend(here().map(|finding| finding.property.as_str()));
    for name in names {
        let violated: Vec<&SummaryFinding> = here().filter(|finding| finding.property == name).collect();
        let is_it = |one: &&crate::campaign::Inconclusive| {
            one.scenario == lane.scenario && one.engine == lane.engine && one.property == name
        };
        let is_expected = as_expected && lane.expect == Expect::Violated;
        let status = if lane.tally.runs == 0 {
            skipped("it did not run")
        } else if !violated.is_empty() && !is_expected {
            failure(&violated)
        } else if let Some(one) = summary.inconclusive.iter().find(is_it) {
            bad(NonSuccessKind::Error, "inconclusive", &one.reason, "")
        } else {
            TestCaseStatus::success()
        };
        suite.add_test_case(case(name, lane, status));
    }
    let unstable = summary.nondeterminism.iter().find(|one| one.scenario == lane.scenario && one.engine == lane.engine);
    let status = unstable.map_or_else(TestCaseStatus::success, |one| {
        bad(NonSuccessKind::Error, "nondeterminism", &one.sentence, &format!("seed {}", one.seed))
    });
    suite.add_test_case(case("determinism", lane, status));
    if as_expected && lane.expect == Expect::Violated {
        let status = match lane.met {
            Some(true) => TestCaseStatus::success(),
            Some(false) => bad(NonSuccessKind::Failure, "missed", "it held, and a finding was expected", ""),
            None => skipped("it was stopped before anybody could say"),
        };
        suite.add_test_case(case("expected-finding", lane, status));
    }
    suite
}

fn buckets(summary: &Summary, outcome: &Outcome, as_expected: bool) -> TestSuite {
    let mut suite = TestSuite::new("buckets");
    let expected = |lane: &usize| outcome.lanes[*lane].0.expect == Expect::Violated;
    let mut found = BTreeSet::new();
    for (finding, lanes) in findings(summary, outcome) {
        found.insert(finding.bucket.as_str());
        let is_fine = as_expected && lanes.iter().all(expected);
        let status = if is_fine { TestCaseStatus::success() } else { failure(&[finding]) };
        suite.add_test_case(named(&finding.bucket, "buckets", status));
    }
    for one in summary.corpus.iter().filter(|one| found.insert(&one.bucket)) {
        let status = match (one.state.as_str(), one.recorded.as_str()) {
            ("fixed", _) => TestCaseStatus::success(),
            ("open", "fixed") => bad(NonSuccessKind::Failure, "back", "it was fixed and is found again", &one.case),
            ("open", _) => skipped("it is known and open"),
            (state, _) => skipped(&format!("its case is {state}")),
        };
        suite.add_test_case(named(&one.bucket, "buckets", status));
    }
    suite
}

/// Each finding, with the lanes that show it.
fn findings<'a>(summary: &'a Summary, outcome: &'a Outcome) -> impl Iterator<Item = (&'a SummaryFinding, Vec<usize>)> {
    let lanes = outcome.findings.iter().map(|found| found.seen.iter().map(|seen| seen.lane).collect());
    summary.findings.iter().zip(lanes)
}

fn case(name: &str, lane: &SummaryLane, status: TestCaseStatus) -> TestCase {
    named(name, &format!("{}.{}", lane.scenario, lane.engine), status)
}

fn named(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn failure(findings: &[&SummaryFinding]) -> TestCaseStatus {
    let kind = if findings.iter().all(|finding| finding.known) { "known" } else { "new" };
    let lines = findings.iter().map(|finding| {
        let case = finding.case.as_deref().unwrap_or("no case");
        format!("{}: {}: {} (bucket {}, {case})", finding.property, finding.anomaly, finding.sentence, finding.bucket)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    bad(NonSuccessKind::Failure, kind, &findings[0].sentence, &text)
}

fn bad(kind: NonSuccessKind, category: &str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(category).set_message(message).set_description(text);
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
