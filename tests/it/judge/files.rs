//! Files: every form is read as it is written, and what is wrong is named with its line.

use expect_test::{Expect, expect};
use squall::judge::check::{self, CheckReport, Options};
use squall::judge::formats::{self, Content};

use super::{draw, txn_draw};

fn judged(text: &str) -> CheckReport {
    check::judge_text("h", text, &Options::of("h")).expect("a history")
}

fn refused(text: &str, expected: &str) {
    let error = check::judge_text("h", text, &Options::of("h")).expect_err("no history");
    assert_eq!(error.to_string(), expected);
}

fn report(text: &str, expected: Expect) {
    let mut report = judged(text);
    report.elapsed_ms = 0;
    expected.assert_eq(&report.to_string());
}

const OWN: &str = r#"{"p":0,"call":1,"ret":3,"f":"write","k":"x","v":1,"out":null}
{"p":1,"call":2,"ret":5,"f":"cas","k":"x","v":[1,4],"out":true}
{"p":2,"call":4,"ret":-1,"f":"write","k":"x","v":7,"out":null}
{"p":3,"call":6,"ret":7,"f":"read","k":"x","v":null,"out":4}
"#;

#[test]
fn the_own_form_is_read_and_written_as_it_is() {
    let loaded = formats::read("h", OWN).expect("a history");
    let Content::Operations(history) = loaded.content else { panic!("operations") };
    assert_eq!(formats::own_lines(&history), OWN);
    assert_eq!(loaded.lines, [1, 2, 3, 4]);
    assert_eq!((judged(OWN).verdict, judged(OWN).model.as_str()), ("holds", "kv"));
}

#[test]
fn a_stale_read_in_a_file_is_reported_with_its_lines() {
    report(
        r#"{"p":0,"call":1,"ret":2,"f":"write","k":"","v":1}

{"p":1,"call":3,"ret":4,"f":"read","k":"","out":null}
"#,
        expect![[r#"
            violated: register (2 operations, 1 compared, by zones, 0 ms)
              The value was null from the beginning and still when #1 began, but 1 was written in between.
              line 1: #0 p0 write 1 -> null [1..2]
              line 3: #1 p1 read -> null [3..4]
        "#]],
    );
}

#[test]
fn a_report_for_programs_has_the_promised_fields() {
    let json = judged(OWN).to_json();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for field in [
        "v",
        "verdict",
        "model",
        "method",
        "operations",
        "compared",
        "anomalies",
        "not",
        "witness",
        "reason",
        "elapsed_ms",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
    assert_eq!(judged(OWN).exit_code(), 0);
}

const EDN: &str = "
{:type :invoke, :f :txn, :value [[:append \"x\" 1] [:r \"y\" nil]], :process 0, :index 0, :time 9}
{:type :info, :f :start, :process :nemesis}
{:type :invoke, :f :txn, :value [[:append \"y\" 1] [:r \"x\" nil]], :process 1, :index 3, :time 8}
{:type :ok, :f :txn, :value [[:append \"x\" 1] [:r \"y\" []]], :process 0, :index 4}
{:type :ok, :f :txn, :value [[:append \"y\" 1] [:r \"x\" []]], :process 1, :index 5}
";

#[test]
fn edn_of_jepsen_is_judged_line_by_line_and_as_one_vector() {
    for text in [EDN.to_string(), format!("[{EDN}]")] {
        let report = judged(&text);
        assert_eq!((report.verdict, report.exit_code()), ("violated", 1));
        assert_eq!(report.anomalies[0].kind, "G2-item");
    }
    report(
        EDN,
        expect![[r#"
        violated: list-append under strict-serializable (2 operations, 2 compared, by dependencies, 0 ms)
          G2-item: each of T1, T2 comes before the next, and the last before the first.
          line 2: #0 p0 txn T1 "append x 1, r y []" -> null [1..4]
          line 4: #1 p1 txn T2 "append y 1, r x []" -> null [3..5]
          Let T1 = #0 by p0 (append x 1, r y []), T2 = #1 by p1 (append y 1, r x []).
          T1 comes before T2, because T1 read y before T2 wrote 1 to it.
          However, T1 comes after T2, because T2 read x before T1 wrote 1 to it: contradiction.
          anomalies: G2-item
          not: repeatable-read
          strongest left: update-serializable, strong-snapshot-isolation
    "#]],
    );
}

#[test]
fn transactions_survive_every_form() {
    let text = "0 1..3 append x 1, r y [2]
                1 2..4 fail append y 2
                2 5..? append x 3";
    let history = txn_draw::history(text);
    let own = formats::txns_own_lines(&history);
    for form in [formats::txns_edn(&history), formats::txns_json(&history), own.clone()] {
        let Content::Transactions(again) = formats::read("h", &form).expect("a history").content else {
            panic!("transactions: {form}")
        };
        let texts = |history: &squall::judge::TxnHistory| -> Vec<String> {
            (0..history.txns().len()).map(|i| history.show_txn(i)).collect()
        };
        assert_eq!(texts(&again).len(), 3);
        assert_eq!(texts(&again)[0], "append x 1, r y [2]");
        assert_eq!(again.txns()[2].outcome, squall::judge::Outcome::Unknown);
    }
}

#[test]
fn single_operations_survive_jepsens_forms() {
    let history = draw::history(
        "|--write 1--| |--read 1--| |--cas 1 2 true--|
              |--write 3--->",
    );
    for form in [formats::edn(&history), formats::json(&history)] {
        let Content::Operations(again) = formats::read("h", &form).expect("a history").content else {
            panic!("operations: {form}")
        };
        let plain = |history: &squall::judge::History| -> Vec<String> {
            let ops = history.operations.iter();
            ops.map(|op| {
                let values = &history.values;
                let out = if op.returned() { values.show(op.out) } else { "?".into() };
                format!("{} {} {out}", op.f.name(), values.show(op.value))
            })
            .collect()
        };
        let mut expected = plain(&history);
        let mut found = plain(&again);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{form}");
    }
}

#[test]
fn what_is_not_a_history_is_refused_with_its_line() {
    refused("", "h:1: expected a history, but there is nothing");
    refused(
        "\n\n{\"a\":1}",
        "h:3: expected an operation with \"p\", \"call\" and \"f\", or an event with :type, :process and :value",
    );
    refused("7", "h:1: expected a map of one operation or event");
    refused(&OWN.replace("\"call\":4", "\"call\":\"4\""), "h:3: expected \"call\" with a whole number");
    refused(&OWN.replace("\"ret\":5", "\"ret\":1"), "h:2: expected \"ret\" of -1, or not before \"call\"");
    refused(&OWN.replace("[1,4]", "[1,4"), "h:2: expected a value, not '}'");
    refused(&OWN.replace("\"v\":7", "\"v\":7.5"), "h:3: expected a whole number of 64 bits, not 7.5");
}

#[test]
fn unbalanced_events_are_refused_with_their_line() {
    refused("{:type :ok, :f :read, :value 1, :process 0}", "h:1: expected an invocation of process 0 before this");
    let invoke = "{:type :invoke, :f :read, :value nil, :process 0}\n";
    refused(&format!("{invoke}{invoke}"), "h:2: expected process 0 to complete before it invokes");
    refused(
        &format!("{invoke}{{:type :info, :f :read, :process 0}}\n{invoke}"),
        "h:3: expected no more of process 0, which got :info",
    );
}

#[test]
fn a_process_that_overlaps_itself_is_inconclusive_with_its_line() {
    let report = judged(
        "{\"p\":0,\"call\":1,\"ret\":5,\"f\":\"write\",\"v\":1}
         {\"p\":0,\"call\":3,\"ret\":6,\"f\":\"read\",\"out\":1}",
    );
    let reason = "line 2: operation 1: process 0 calls while its operation 0 has not returned yet";
    assert_eq!((report.exit_code(), report.reason.as_deref()), (5, Some(reason)));
}
