//! The `[sql]` table of a scenario: statements of the user's own, read and checked.
//!
//! ```toml
//! [sql]
//! setup = ["CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER)"]
//!
//! [sql.statements.deposit]
//! run = "UPDATE account SET balance = balance + :amount WHERE id = :id"
//! params = { id = "integer 0..7", amount = "integer 1..20" }
//! weight = 3
//!
//! [sql.invariants.total]
//! query = "SELECT COUNT(*) FROM account"
//! returns = [0]
//! ```
//!
//! Every mistake is an error at its line. Where SQLite is compiled in, and the scenario does not leave it out, SQLite
//! itself says whether the texts are SQL.

use std::collections::BTreeMap;

use toml::Value;

use super::error::ScenarioError;
use super::model::{Scenario, names};
use super::text::Entry;
use crate::engine::sql::Param;
use crate::workload::sql::{ParamKind, UserInvariant, UserSql, UserStatement, place_params};

/// What the keys of the table begin with.
pub(super) const PREFIX: &str = "sql.";
/// The workload they belong to.
const WORKLOAD: &str = "user-sql";
/// How often a statement is chosen when nothing is said.
const WEIGHT: u32 = 1;
const WEIGHT_MAX: i64 = 1_000;

/// Reads all entries of the table; nothing when there is none.
pub(super) fn take(entries: &[Entry]) -> Result<Option<UserSql>, ScenarioError> {
    let mut sql = UserSql::default();
    let mut statements: BTreeMap<&str, Vec<(&str, &Entry)>> = BTreeMap::new();
    let mut invariants: BTreeMap<&str, Vec<(&str, &Entry)>> = BTreeMap::new();
    let mut any = false;
    for entry in entries {
        let Some(rest) = entry.key.strip_prefix(PREFIX) else { continue };
        any = true;
        let mut parts = rest.splitn(3, '.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("setup"), None, None) => sql.setup = texts(entry, entry_list(entry)?)?,
            (Some("statements"), Some(name), Some(key)) => statements.entry(name).or_default().push((key, entry)),
            (Some("invariants"), Some(name), Some(key)) => invariants.entry(name).or_default().push((key, entry)),
            _ => {
                let known = ["sql.setup", "sql.statements.NAME.run", "sql.invariants.NAME.query"];
                let error = ScenarioError::new(&entry.key_at, format!("there is no key `{}`", entry.key));
                return Err(error.expected(format!("one of {}", known.join(", "))));
            }
        }
    }
    if !any {
        return Ok(None);
    }
    sql.statements = statements.iter().map(|(name, keys)| statement(name, keys)).collect::<Result<_, _>>()?;
    sql.invariants = invariants.iter().map(|(name, keys)| invariant(name, keys)).collect::<Result<_, _>>()?;
    Ok(Some(sql))
}

/// What the scenario says as a whole.
pub(super) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    let first = scenario.entries().iter().find(|entry| entry.key.starts_with(PREFIX));
    match (scenario.workload.as_str(), scenario.sql(), first) {
        (WORKLOAD, Some(sql), _) if !sql.statements.is_empty() => {}
        (WORKLOAD, ..) => {
            let problem = format!("the workload `{WORKLOAD}` has no statements to run");
            return Err(ScenarioError::new(&scenario.place_of("workload"), problem)
                .expected("`[sql.statements.NAME]` with `run = \"…\"`"));
        }
        (_, Some(_), Some(entry)) => {
            let problem = format!("`{}` belongs to the workload `{WORKLOAD}` alone", entry.key);
            return Err(ScenarioError::new(&entry.key_at, problem).expected(format!("`workload = \"{WORKLOAD}\"`")));
        }
        _ => return Ok(()),
    }
    #[cfg(feature = "sqlite")]
    if scenario.engines.is_empty() || scenario.engines.iter().any(|engine| engine == "sqlite") {
        return try_out(scenario);
    }
    Ok(())
}

/// Lets SQLite compile every text, after the set-up has been run in memory.
#[cfg(feature = "sqlite")]
fn try_out(scenario: &Scenario) -> Result<(), ScenarioError> {
    let Some(sql) = scenario.sql() else { return Ok(()) };
    let mut texts: Vec<(String, String)> = Vec::new();
    for statement in &sql.statements {
        let place = |text: &String| place_params(text).map_or_else(|_| text.clone(), |placed| placed.0);
        texts.extend(statement.run.iter().map(|text| (format!("sql.statements.{}.run", statement.name), place(text))));
    }
    for query in &sql.invariants {
        texts.push((format!("sql.invariants.{}.query", query.name), query.query.clone()));
    }
    let plain: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    crate::engines::sqlite::try_out(&sql.setup, &plain).map_err(|(at, message)| {
        let key = at.checked_sub(sql.setup.len()).map_or("sql.setup", |at| texts[at].0.as_str());
        ScenarioError::new(&scenario.place_of(key), format!("`{key}` is not what SQLite understands: {message}"))
    })
}

fn statement(name: &str, keys: &[(&str, &Entry)]) -> Result<UserStatement, ScenarioError> {
    let mut statement = UserStatement { name: name.to_string(), run: vec![], params: vec![], weight: WEIGHT };
    for (key, entry) in keys {
        match *key {
            "run" => statement.run = texts(entry, entry_list(entry)?)?,
            "weight" => statement.weight = weight(entry)?,
            key => match key.strip_prefix("params.") {
                Some(param) => {
                    let kind = entry.value.as_str().and_then(|text| text.parse::<ParamKind>().ok());
                    let kind = kind.ok_or_else(|| refused(entry).expected(ParamKind::ACCEPTED))?;
                    statement.params.push((param.to_string(), kind));
                }
                None => return Err(unknown(entry, key, &["run", "params", "weight"])),
            },
        }
    }
    let Some((_, run)) = keys.iter().find(|(key, _)| *key == "run") else {
        let problem = format!("`sql.statements.{name}` has nothing to run");
        return Err(ScenarioError::new(&keys[0].1.key_at, problem).expected("`run = \"…\"`, or a list of texts"));
    };
    let mut used = Vec::new();
    for text in &statement.run {
        let (_, named) = place_params(text).map_err(|problem| error(run, &problem))?;
        for param in named {
            let known = statement.params.iter().map(|known| known.0.as_str());
            if !known.clone().any(|known| known == param) {
                let error = error(run, &format!("`:{param}`, which has no type"));
                let expected = format!("`{param} = …` under `[sql.statements.{name}.params]`");
                return Err(error.expected(expected).nearest_of(&param, known));
            }
            used.push(param);
        }
    }
    for (key, entry) in keys {
        if key.strip_prefix("params.").is_some_and(|param| !used.iter().any(|used| used == param)) {
            return Err(ScenarioError::new(&entry.key_at, format!("`{}` is used by no text of `run`", entry.key)));
        }
    }
    Ok(statement)
}

fn invariant(name: &str, keys: &[(&str, &Entry)]) -> Result<UserInvariant, ScenarioError> {
    let (mut query, mut returns, mut often) = (None, None, WEIGHT);
    for (key, entry) in keys {
        match *key {
            "query" => {
                let text = entry.value.as_str().ok_or_else(|| refused(entry).expected("a text"))?;
                let (_, named) = place_params(text).map_err(|problem| error(entry, &problem))?;
                if !named.is_empty() {
                    return Err(error(entry, &format!("`:{}`, and an invariant has no parameters", named[0])));
                }
                query = Some(text.to_string());
            }
            "returns" => returns = Some(cells(entry)?),
            "weight" => often = weight(entry)?,
            key => return Err(unknown(entry, key, &["query", "returns", "weight"])),
        }
    }
    let missing = |what: &str, expected: &str| {
        let problem = format!("`sql.invariants.{name}` has no `{what}`");
        ScenarioError::new(&keys[0].1.key_at, problem).expected(expected)
    };
    let query = query.ok_or_else(|| missing("query", "`query = \"SELECT …\"`"))?;
    let returns =
        returns.ok_or_else(|| missing("returns", "`returns = [800]`, the cells of one row, or a list of rows"))?;
    Ok(UserInvariant { name: name.to_string(), query, returns, weight: often })
}

/// The cells of a row, or of several rows.
fn cells(entry: &Entry) -> Result<Vec<Param>, ScenarioError> {
    let accepted = "the cells of one row such as `[800, \"x\"]`, or a list of rows";
    let refused = || refused(entry).expected(accepted);
    let row = entry.value.as_array().ok_or_else(refused)?;
    let nested = row.iter().filter(|cell| cell.is_array()).count();
    if nested != 0 && nested != row.len() {
        return Err(refused());
    }
    let one = |cell: &Value| match cell {
        Value::Integer(number) => Ok(Param::Int(*number)),
        Value::Float(number) => Ok(Param::Real(*number)),
        Value::String(text) => Ok(Param::from(text.as_str())),
        _ => Err(refused()),
    };
    let flat = row.iter().flat_map(|cell| cell.as_array().map_or(std::slice::from_ref(cell), Vec::as_slice));
    flat.map(one).collect()
}

fn weight(entry: &Entry) -> Result<u32, ScenarioError> {
    let number = entry.value.as_integer().filter(|number| (0..=WEIGHT_MAX).contains(number));
    let expected = || refused(entry).expected(format!("a whole number from 0 to {WEIGHT_MAX}"));
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(expected)
}

fn entry_list(entry: &Entry) -> Result<Vec<String>, ScenarioError> {
    // A text is one statement, whatever commas are in it.
    let one = entry.value.as_str().map(|text| vec![text.to_string()]);
    one.or_else(|| names(&entry.value)).ok_or_else(|| refused(entry).expected("a statement, or a list of statements"))
}

fn texts(entry: &Entry, list: Vec<String>) -> Result<Vec<String>, ScenarioError> {
    if list.is_empty() || list.iter().any(|text| text.trim().is_empty()) {
        return Err(refused(entry).expected("a statement, or a list of statements"));
    }
    Ok(list)
}

fn refused(entry: &Entry) -> ScenarioError {
    ScenarioError::new(&entry.value_at, format!("`{}` does not accept {}", entry.key, entry.value))
}

fn error(entry: &Entry, problem: &str) -> ScenarioError {
    ScenarioError::new(&entry.value_at, format!("`{}` has {problem}", entry.key))
}

fn unknown(entry: &Entry, key: &str, known: &[&str]) -> ScenarioError {
    let error = ScenarioError::new(&entry.key_at, format!("there is no key `{}`", entry.key));
    error.expected(format!("one of {}", known.join(", "))).nearest_of(key, known.iter().copied())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::text::parse;
    use super::*;

    fn read(text: &str) -> Result<Scenario, ScenarioError> {
        let text = format!("workload = \"user-sql\"\n{text}");
        Scenario::new("own.toml", vec![parse("own.toml", &text)?])
    }

    const SETUP: &str = "[sql]\nsetup = [\"CREATE TABLE t (a INTEGER)\", \"INSERT INTO t VALUES (1)\"]\n";

    #[test]
    fn statements_are_read_with_their_parameters_and_weights() {
        let text = format!(
            "{SETUP}[sql.statements.add]\nrun = [\"UPDATE t SET a = a + :n\", \"UPDATE t SET a = a - :n\"]\nweight = 3\n\
             params = {{ n = \"integer 1..9\" }}\n[sql.invariants.sum]\nquery = \"SELECT a FROM t\"\nreturns = [1]\n"
        );
        let scenario = read(&text).unwrap();
        let sql = scenario.draw(1).knobs.sql.unwrap();
        assert_eq!(sql.setup.len(), 2);
        let [add] = &sql.statements[..] else { panic!("{sql:?}") };
        assert_eq!((add.name.as_str(), add.run.len(), add.weight), ("add", 2, 3));
        assert_eq!(add.params, [("n".to_string(), ParamKind::Integer(1, 9))]);
        assert_eq!(sql.invariants[0].returns, [Param::Int(1)]);
        // A case stores it and reads it back.
        let stored = toml::to_string(&*sql).unwrap();
        assert_eq!(toml::from_str::<UserSql>(&stored).unwrap(), *sql, "{stored}");
    }

    #[test]
    fn mistakes_are_refused_with_their_place_and_what_was_expected() {
        let check = |text: &str, expected: Expect| expected.assert_eq(&read(text).unwrap_err().to_string());
        check(
            "",
            expect![
                "own.toml:1:12: the workload `user-sql` has no statements to run: expected `[sql.statements.NAME]` with `run = \"…\"`"
            ],
        );
        check(
            "[sql.statements.a]\nrunn = \"x\"",
            expect![
                "own.toml:3:1: there is no key `sql.statements.a.runn`: expected one of run, params, weight; did you mean `run`?"
            ],
        );
        check(
            "[sql.statements.a]\nrun = 4",
            expect![
                "own.toml:3:7: `sql.statements.a.run` does not accept 4: expected a statement, or a list of statements"
            ],
        );
        check(
            "[sql.statements.a]\nweight = 1",
            expect!["own.toml:3:1: `sql.statements.a` has nothing to run: expected `run = \"…\"`, or a list of texts"],
        );
        check(
            "[sql.statements.a]\nrun = \"SELECT :numbr\"\nparams.number = \"integer 0..1\"",
            expect![
                "own.toml:3:7: `sql.statements.a.run` has `:numbr`, which has no type: expected `numbr = …` under `[sql.statements.a.params]`; did you mean `number`?"
            ],
        );
        check(
            "[sql.statements.a]\nrun = \"SELECT 1\"\nparams.n = \"integer 0..1\"",
            expect!["own.toml:4:8: `sql.statements.a.params.n` is used by no text of `run`"],
        );
        check(
            "[sql.statements.a]\nrun = \"SELECT :n\"\nparams.n = \"float 0..1\"",
            expect![
                "own.toml:4:12: `sql.statements.a.params.n` does not accept \"float 0..1\": expected \"integer 1..10\", \"key 0..7\", \"text 0..40\" or \"value 0..400\", both ends included"
            ],
        );
        check(
            "[sql.statements.a]\nrun = \"SELECT 1\"\n[sql.invariants.i]\nquery = \"SELECT 1\"",
            expect![
                "own.toml:5:1: `sql.invariants.i` has no `returns`: expected `returns = [800]`, the cells of one row, or a list of rows"
            ],
        );
        check(
            "[sql]\nsetpu = \"x\"",
            expect![
                "own.toml:3:1: there is no key `sql.setpu`: expected one of sql.setup, sql.statements.NAME.run, sql.invariants.NAME.query"
            ],
        );
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_says_whether_a_text_is_sql() {
        let check = |text: &str, expected: Expect| expected.assert_eq(&read(text).unwrap_err().to_string());
        let tail = "[sql.statements.a]\nrun = \"SELECT 1\"";
        check(
            &format!("[sql]\nsetup = \"CREATE TABEL t (a)\"\n{tail}"),
            expect!["own.toml:3:9: `sql.setup` is not what SQLite understands: near \"TABEL\": syntax error"],
        );
        check(
            &format!("{SETUP}[sql.statements.a]\nrun = \"UPDATE t SET b = 1\""),
            expect!["own.toml:5:7: `sql.statements.a.run` is not what SQLite understands: no such column: b"],
        );
        check(
            &format!("{SETUP}[sql.statements.a]\nrun = \"SELECT 1; SELECT 2\""),
            expect!["own.toml:5:7: `sql.statements.a.run` is not what SQLite understands: more than one statement"],
        );
    }

    #[test]
    fn other_workloads_have_no_statements() {
        let text = format!("workload = \"bank\"\n{SETUP}");
        let error = Scenario::new("own.toml", vec![parse("own.toml", &text).unwrap()]).unwrap_err();
        expect![
            "own.toml:3:1: `sql.setup` belongs to the workload `user-sql` alone: expected `workload = \"user-sql\"`"
        ]
        .assert_eq(&error.to_string());
    }
}
