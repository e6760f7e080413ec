//! Statements of the user's own, with typed parameters and weights, and queries that must always answer the same.
//!
//! All of it is data from a scenario's `[sql]` table; nothing here reads a scenario. A statement of several texts is a
//! transaction. Parameters are written `:name` in a text and reach engines as `?1`, `?2`, … with typed values.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::rows::Rows;
use crate::engine::kv::Value;
use crate::engine::sql::{Meaning, Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::tape::Draws;
use crate::workload::draft;
use crate::workload::{Knobs, Transaction, Workload, needs};

/// What a scenario says under `[sql]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSql {
    /// Statements that make and fill the tables, as one transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// What connections run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<UserStatement>,
    /// What must always be answered; connections ask for it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<UserInvariant>,
}

/// A statement, or several in a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserStatement {
    /// Its name.
    pub name: String,
    /// The texts.
    pub run: Vec<String>,
    /// The parameters; each is drawn once for all texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, ParamKind)>,
    /// How often it is chosen, among all statements and invariants.
    pub weight: u32,
}

/// A query and what it must answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserInvariant {
    /// Its name.
    pub name: String,
    /// The text.
    pub query: String,
    /// The cells, row by row.
    pub returns: Vec<Param>,
    /// How often connections ask.
    pub weight: u32,
}

/// What is drawn for a parameter. Both ends of a range are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// `integer 1..10`: a whole number.
    Integer(i64, i64),
    /// `key 0..7`: one of these texts, `k0000`, `k0001`, …
    Key(u32, u32),
    /// `text 0..40`: a text of so many letters.
    Text(u32, u32),
    /// `value 0..400`: a blob of so many bytes that names its writer.
    Value(u32, u32),
}

/// A text or blob is no longer than this.
const LEN_MAX: u32 = 65_536;
/// Keys have numbers of four digits.
const KEYS_MAX: u32 = 9_999;

impl FromStr for ParamKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, range) = text.trim().split_once(' ').ok_or(())?;
        let (low, high) = range.trim().split_once("..").ok_or(())?;
        let small =
            |text: &str, max| text.trim().parse().map_err(drop).and_then(|n| if n <= max { Ok(n) } else { Err(()) });
        let ordered = |low, high| if low <= high { Ok((low, high)) } else { Err(()) };
        let bounds = |max| ordered(small(low, max)?, small(high, max)?);
        Ok(match kind {
            "integer" => {
                let (low, high): (i64, i64) = (low.trim().parse().map_err(drop)?, high.trim().parse().map_err(drop)?);
                if low > high || high.checked_sub(low).is_none() {
                    return Err(());
                }
                Self::Integer(low, high)
            }
            "key" => bounds(KEYS_MAX).map(|(low, high)| Self::Key(low, high))?,
            "text" => bounds(LEN_MAX).map(|(low, high)| Self::Text(low, high))?,
            "value" => bounds(LEN_MAX).map(|(low, high)| Self::Value(low, high))?,
            _ => return Err(()),
        })
    }
}

impl ParamKind {
    /// What is accepted, in words.
    pub const ACCEPTED: &'static str =
        "\"integer 1..10\", \"key 0..7\", \"text 0..40\" or \"value 0..400\", both ends included";

    fn draw(self, draft: &mut Rows<'_>) -> Param {
        let mut between = |low: u32, high: u32| low + draft.draws.below(u64::from(high - low) + 1) as u32;
        match self {
            Self::Integer(low, high) => {
                let width = high.abs_diff(low).saturating_add(1);
                Param::Int(low.wrapping_add_unsigned(draft.draws.below(width)))
            }
            Self::Key(low, high) => Param::Text(draft::key(between(low, high))),
            Self::Text(low, high) => {
                let len = between(low, high);
                let letters = (0..len).map(|_| char::from(b'a' + draft.draws.below(26) as u8)).collect::<String>();
                Param::Text(letters.into())
            }
            Self::Value(low, high) => {
                let len = between(low, high);
                Param::Value(Value { len, ..draft.short_value() })
            }
        }
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(low, high) => write!(f, "integer {low}..{high}"),
            Self::Key(low, high) => write!(f, "key {low}..{high}"),
            Self::Text(low, high) => write!(f, "text {low}..{high}"),
            Self::Value(low, high) => write!(f, "value {low}..{high}"),
        }
    }
}

impl Serialize for ParamKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ParamKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = || serde::de::Error::custom(format!("`{text}` is no parameter: expected {}", Self::ACCEPTED));
        text.parse().map_err(|()| refused())
    }
}

/// A text with `?1`, `?2`, … for its `:name`s, and those names in the order of their numbers.
///
/// # Errors
/// What stands there that is no named parameter, or a quote that does not end.
pub fn place_params(sql: &str) -> Result<(String, Vec<String>), String> {
    let mut out = String::with_capacity(sql.len());
    let mut names: Vec<String> = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '\'' | '"' | '`' => quoted(rest, first)?,
            '[' => rest.find(']').map(|end| end + 1).ok_or("`[` without `]`")?,
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2).ok_or("`/*` without `*/`")?,
            '?' | '@' | '$' => return Err(format!("`{first}` where a parameter is written `:name`")),
            ':' => {
                let name: String = rest[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if name.is_empty() {
                    return Err("`:` without the name of a parameter".to_string());
                }
                let len = 1 + name.len();
                let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                out.push_str(&format!("?{}", at + 1));
                rest = &rest[len..];
                continue;
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    Ok((out, names))
}

/// The length of a quoted piece; a quote in it is written twice.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let mut at = 1;
    loop {
        let Some(end) = text[at..].find(quote) else { return Err(format!("`{quote}` without its end")) };
        at += end + 1;
        if !text[at..].starts_with(quote) {
            return Ok(at);
        }
        at += 1;
    }
}

/// Statements of the user's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnStatements;

fn table(knobs: &Knobs) -> Arc<UserSql> {
    knobs.sql.clone().unwrap_or_default()
}

/// One text as an operation, with the values of the parameters it names.
fn operation(text: &str, name: &str, values: &[(&str, Param)]) -> SqlOp {
    // A scenario has been checked; a case that was edited may say anything, and the engine refuses it.
    let (sql, names) = place_params(text).unwrap_or_else(|_| (text.to_string(), Vec::new()));
    let value =
        |name: &String| values.iter().find(|value| value.0 == name).map_or(Param::Null, |value| value.1.clone());
    let meaning = Meaning { key: Some(name.into()), ..Meaning::default() };
    let params = names.iter().map(value).collect();
    Statement { params, meaning, shape: Shape::Table, ..Statement::new(sql) }.into()
}

fn invariant(invariant: &UserInvariant) -> SqlOp {
    let query = Statement::new(invariant.query.clone()).shape(Shape::Table);
    query.means(Verb::Invariant, Some(&invariant.name), invariant.returns.iter().cloned()).into()
}

impl Workload<Sql> for OwnStatements {
    fn name(&self) -> &'static str {
        "user-sql"
    }

    fn about(&self) -> &'static str {
        "statements of your own from the scenario's [sql] table, and queries that must always answer the same"
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        let sql = table(knobs);
        let transactions = sql.statements.iter().any(|statement| statement.run.len() > 1) || !sql.setup.is_empty();
        let knobs = Knobs { transaction_ops: u32::from(transactions), ..knobs.clone() };
        needs(&knobs, &["statement"])
    }

    fn properties(&self, knobs: &Knobs) -> &'static [&'static str] {
        let sql = table(knobs);
        let mut kinds = sql.statements.iter().flat_map(|statement| &statement.params).map(|param| param.1);
        let values = kinds.any(|kind| matches!(kind, ParamKind::Value(..)));
        match (sql.invariants.is_empty(), values) {
            (false, false) => &["invariant", "integrity"],
            (false, true) => &["invariant", "integrity", "garbage"],
            (true, false) => &["integrity"],
            (true, true) => &["integrity", "garbage"],
        }
    }

    fn setup(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let sql = table(knobs);
        if sql.setup.is_empty() {
            return Vec::new();
        }
        // It makes the tables first of all, whatever it says after that.
        let statements = sql.setup.iter().map(|text| Statement::new(text.clone()).into());
        vec![Transaction {
            ops: std::iter::once(SqlOp::BeginSchema).chain(statements).chain([SqlOp::Commit]).collect(),
        }]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        let sql = table(knobs);
        let mut draft = Rows::new(knobs, connection, ordinal, draws);
        if let Some(maintenance) = draft.maintenance() {
            return maintenance;
        }
        let weights: Vec<u32> = (sql.statements.iter().map(|statement| statement.weight))
            .chain(sql.invariants.iter().map(|invariant| invariant.weight))
            .collect();
        if weights.iter().all(|&weight| weight == 0) {
            return Transaction { ops: Vec::new() };
        }
        let drawn = draft.draws.weighted(&weights);
        let Some(statement) = sql.statements.get(drawn) else {
            return Transaction { ops: vec![invariant(&sql.invariants[drawn - sql.statements.len()])] };
        };
        let values: Vec<(&str, Param)> =
            statement.params.iter().map(|(name, kind)| (name.as_str(), kind.draw(&mut draft))).collect();
        let mut ops = statement.run.iter().map(|text| operation(text, &statement.name, &values));
        if statement.run.len() == 1 {
            return Transaction { ops: ops.by_ref().collect() };
        }
        draft.push(SqlOp::Begin);
        ops.for_each(|op| draft.push(op));
        draft.close()
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        table(knobs).invariants.iter().map(|query| Transaction { ops: vec![invariant(query)] }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_parameters_become_numbered_ones_but_not_inside_quotes_and_comments() {
        let check = |sql: &str, expected: &str, names: &[&str]| {
            let (placed, found) = place_params(sql).unwrap();
            assert_eq!(
                (placed.as_str(), found.iter().map(String::as_str).collect::<Vec<_>>()),
                (expected, names.to_vec())
            );
        };
        check("UPDATE t SET a = :x + :y WHERE b = :x", "UPDATE t SET a = ?1 + ?2 WHERE b = ?1", &["x", "y"]);
        check(
            "SELECT ':no', \":no\", [:no], `:no` -- :no\n, :yes",
            "SELECT ':no', \":no\", [:no], `:no` -- :no\n, ?1",
            &["yes"],
        );
        check("SELECT 'it''s :no' /* :no */, 'é', :x", "SELECT 'it''s :no' /* :no */, 'é', ?1", &["x"]);
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        let check = |sql: &str, expected: &str| assert_eq!(place_params(sql).unwrap_err(), expected);
        check("SELECT ?1", "`?` where a parameter is written `:name`");
        check("SELECT 'a", "`'` without its end");
        check("SELECT :", "`:` without the name of a parameter");
        check("SELECT /* a", "`/*` without `*/`");
    }

    #[test]
    fn kinds_of_parameters_are_read_and_written_alike() {
        for text in ["integer -3..9", "key 0..7", "text 0..40", "value 8..8"] {
            assert_eq!(text.parse::<ParamKind>().map(|kind| kind.to_string()), Ok(text.to_string()));
        }
        for text in
            ["integer", "integer 9..3", "float 0..1", "key 0..10000", "text 0..65537", "value -1..4", "integer 1.5..2"]
        {
            assert_eq!(text.parse::<ParamKind>(), Err(()), "{text}");
        }
    }
}
