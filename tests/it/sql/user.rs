//! A user's own SQL, from a scenario's text to a finding.

use super::{run, scenario};

const BANK: &str = r#"
workload = "user-sql"
connections = 3
transactions = 20

[sql]
setup = [
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note BLOB)",
    "INSERT INTO account (id, balance) VALUES (0, 100), (1, 100), (2, 100), (3, 100)",
]

[sql.statements.transfer]
run = [
    "UPDATE account SET balance = balance - :amount WHERE id = :source",
    "UPDATE account SET balance = balance + :amount, note = :note WHERE id = :target",
]
params = { source = "integer 0..3", target = "integer 0..3", amount = "integer 1..20", note = "value 0..400" }
weight = 3

[sql.statements.notes]
run = "SELECT id, note FROM account WHERE id >= :first ORDER BY id"
params = { first = "integer 0..3" }

[sql.invariants.total]
query = "SELECT SUM(balance) FROM account"
returns = [400]

[sql.invariants.accounts]
query = "SELECT id, 1 FROM account WHERE id < 2 ORDER BY id"
returns = [[0, 1], [1, 1]]
"#;

#[test]
fn statements_of_ones_own_run_under_faults_and_hold_what_they_promise() {
    let faults = "\n[crash]\nrate = \"1/500\"\n[disk]\nwrite-eio = \"1/200\"\nread-short = \"1/50\"\n";
    let came = run(&scenario(&format!("{BANK}{faults}")), 15);
    assert_eq!(came.finding, None);
    for property in ["invariant", "garbage", "integrity"] {
        assert!(came.compared[property] > 15, "{:?}", came.compared);
    }
}

#[test]
fn an_invariant_that_is_broken_is_found() {
    let came = run(&scenario(&format!("{BANK}\n[engine]\nbugs = [\"update-forgotten\"]\n")), 5);
    let (_, property, sentence) = came.finding.expect("it is found");
    assert_eq!(property, "invariant");
    assert!(sentence.starts_with("The query total answered ") && sentence.ends_with(" instead of 400."), "{sentence}");
}

#[test]
fn an_invariant_that_never_held_is_found_too() {
    let came = run(&scenario(&BANK.replace("[[0, 1], [1, 1]]", "[[0, 1], [1, 2]]")), 1);
    let (_, _, sentence) = came.finding.expect("it is found");
    assert_eq!(sentence, "The query accounts answered [0 1] [1 1] instead of 0 1 1 2.");
}
