//! Money that moves between rows: updated, split into new rows, merged again, and summed up in several ways.
//!
//! The set-up is one transaction, so that a crash leaves all of it or nothing. Who moved last is written beside the
//! amounts, in the same transaction, for the judge of durability.

use super::rows::{self, Rows};
use crate::engine::sql::{Param, Sql, SqlOp, Statement};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Transfers, splits and merges among readers of sums.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums;

/// What each account holds at first.
const AMOUNT: i64 = 100;

const ENTRIES: &str =
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, amount INTEGER NOT NULL)";
const BY_ACCOUNT: &str = "CREATE INDEX entries_by_account ON entries (account, amount)";
const INSERT: &str = "INSERT INTO entries (id, account, amount) VALUES (?1, ?2, ?3)";
const CHANGE: &str = "UPDATE entries SET amount = amount + ?2 WHERE id = ?1";
const TAKE_BACK: &str =
    "UPDATE entries SET amount = amount + COALESCE((SELECT amount FROM entries WHERE id = ?2), 0) WHERE id = ?1";
const DROP: &str = "DELETE FROM entries WHERE id = ?1";

/// The ways of summing up, each with its name and whether it answers the total or the number of accounts.
const QUERIES: [(&str, &str, bool); 5] = [
    ("sum", "SELECT SUM(amount) FROM entries", true),
    ("sum-by-table", "SELECT SUM(amount) FROM entries WHERE +account >= 0", true),
    ("sum-by-index", "SELECT SUM(amount) FROM entries WHERE account >= 0", true),
    (
        "sum-of-groups",
        "SELECT SUM(part) FROM (SELECT account, SUM(amount) AS part FROM entries GROUP BY account) AS parts",
        true,
    ),
    ("accounts", "SELECT COUNT(*) FROM entries WHERE id = account", false),
];

fn sum(knobs: &Knobs, query: usize) -> SqlOp {
    let accounts = i64::from(knobs.accounts());
    let (name, sql, total) = QUERIES[query];
    rows::invariant(name, sql, [if total { accounts * AMOUNT } else { accounts }]).into()
}

/// The row that a connection's transaction splits off; accounts themselves come before all of them.
fn split_row(connection: u16, ordinal: u32) -> i64 {
    1_000_000 + (i64::from(connection) << 32) + i64::from(ordinal)
}

fn numbers(sql: &'static str, params: &[i64]) -> SqlOp {
    let params: Vec<Param> = params.iter().copied().map(Param::from).collect();
    Statement { params, ..Statement::new(sql) }.into()
}

impl Workload<Sql> for Sums {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn about(&self) -> &'static str {
        "amounts moved between rows, split off and merged, while others add all of them up by table and by index"
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(&knobs.always_together(), &["statement", "invariant", "read", "write"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["invariant", "durability", "integrity", "garbage"]
    }

    fn setup(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let tables = [ENTRIES, BY_ACCOUNT, rows::MARKS].map(rows::schema);
        let account = |id| numbers(INSERT, &[i64::from(id), i64::from(id), AMOUNT]);
        vec![rows::whole(tables.into_iter().chain((0..knobs.accounts()).map(account)))]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        let knobs = Knobs { keys: knobs.accounts(), ..knobs.clone() };
        let mut draft = Rows::new(&knobs, connection, ordinal, draws);
        if let Some(maintenance) = draft.maintenance() {
            return maintenance;
        }
        if draft.reads() {
            let query = sum(&knobs, draft.draws.below(QUERIES.len() as u64) as usize);
            let again = sum(&knobs, draft.draws.below(QUERIES.len() as u64) as usize);
            return match draft.draws.below(2) {
                0 => Transaction { ops: vec![query] },
                _ => rows::whole([query, again]),
            };
        }
        draft.push(SqlOp::Begin);
        let moves = 1 + draft.draws.below(u64::from(knobs.transaction_ops / 2).max(1));
        for nth in 0..moves {
            change(&mut draft, nth == 0);
        }
        rows::mark(&mut draft);
        draft.close()
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let sums = (0..QUERIES.len()).map(|query| sum(knobs, query));
        vec![rows::whole(sums), rows::read_marks()]
    }
}

/// Moves an amount between two accounts, splits one off into a row of its own, or takes back what an earlier
/// transaction has split off. A transaction splits off one row at most, because the row is named after it.
fn change(draft: &mut Rows<'_>, first: bool) {
    let from = i64::from(draft.key_index());
    let amount = 1 + draft.draws.below(20) as i64;
    match draft.draws.below(4) {
        0 if first => {
            draft.push(numbers(CHANGE, &[from, -amount]));
            draft.push(numbers(INSERT, &[split_row(draft.connection, draft.ordinal), from, amount]));
        }
        1 => {
            let back = 1 + draft.draws.below(4) as u32;
            let row = split_row(draft.connection, draft.ordinal.saturating_sub(back));
            draft.push(numbers(TAKE_BACK, &[from, row]));
            draft.push(numbers(DROP, &[row]));
        }
        _ => {
            let accounts = i64::from(draft.knobs.keys);
            let apart = 1 + draft.draws.below(accounts as u64 - 1) as i64;
            draft.push(numbers(CHANGE, &[from, -amount]));
            draft.push(numbers(CHANGE, &[(from + apart) % accounts, amount]));
        }
    }
}
