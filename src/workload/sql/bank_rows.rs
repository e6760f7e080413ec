//! A bank as applications write it: balances that are changed where they stand, and a mark of who moved last.
//!
//! Each half of a transfer answers the balance it leaves, so that the judge of durability can follow every account;
//! readers add all accounts up themselves or have them added up. Accounts may go below nothing. The set-up is one
//! transaction, so that a crash leaves all of it or nothing.

use super::rows::{self, Rows};
use crate::engine::kv::Key;
use crate::engine::sql::{Param, Shape, Sql, SqlOp, Statement, Verb};
use crate::history::Datum;
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Transfers in rows, and readers of all accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct BankRows;

/// What each account holds at first.
const BALANCE: i64 = 100;

const ACCOUNTS: &str = "CREATE TABLE accounts (k TEXT PRIMARY KEY, balance INTEGER NOT NULL)";
const OPEN: &str = "INSERT INTO accounts (k, balance) VALUES (?1, ?2) RETURNING balance";
const MOVE: &str = "UPDATE accounts SET balance = balance + ?2 WHERE k = ?1 RETURNING balance";
const READ: &str = "SELECT balance FROM accounts WHERE k = ?1";
const SCAN: &str = "SELECT k, balance FROM accounts WHERE k BETWEEN ?1 AND ?2 ORDER BY k";
const SCAN_BY_TABLE: &str = "SELECT k, balance FROM accounts WHERE +k BETWEEN ?1 AND ?2 ORDER BY +k";
const TOTAL: &str = "SELECT SUM(balance), COUNT(*) FROM accounts";

/// The account of this number. Accounts come before all marks, so that a scan of them touches no mark.
fn account(index: u32) -> Key {
    format!("account-{index:04}").into()
}

fn add(sql: &'static str, index: u32, amount: i64) -> SqlOp {
    let key = account(index);
    let add = Statement::new(sql).param(key.clone()).param(amount);
    add.means(Verb::Add, Some(&key), [Param::Int(amount)]).shape(Shape::Cell).into()
}

fn scan(sql: &'static str, knobs: &Knobs) -> SqlOp {
    rows::scan(sql, &account(0), &account(knobs.accounts() - 1)).into()
}

fn total(knobs: &Knobs) -> SqlOp {
    let accounts = i64::from(knobs.accounts());
    rows::invariant("total", TOTAL, [accounts * BALANCE, accounts]).into()
}

impl Workload<Sql> for BankRows {
    fn name(&self) -> &'static str {
        "bank-rows"
    }

    fn about(&self) -> &'static str {
        "transfers between accounts, one a row, changed in place; readers that add all of them up or have them added up"
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        rows::serves(&knobs.always_together(), &["add", "read", "write", "scan", "invariant"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["bank-total", "invariant", "durability", "integrity", "garbage"]
    }

    fn setup(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        let tables = [ACCOUNTS, rows::MARKS].map(rows::schema);
        vec![rows::whole(tables.into_iter().chain((0..knobs.accounts()).map(|index| add(OPEN, index, BALANCE))))]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Sql> {
        let knobs = Knobs { keys: knobs.accounts(), ..knobs.clone() };
        let mut draft = Rows::new(&knobs, connection, ordinal, draws);
        if let Some(maintenance) = draft.maintenance() {
            return maintenance;
        }
        if draft.reads() {
            let all = match draft.draws.below(4) {
                0 => scan(SCAN, &knobs),
                1 => scan(SCAN_BY_TABLE, &knobs),
                _ => total(&knobs),
            };
            return match draft.draws.below(2) {
                0 => Transaction { ops: vec![all] },
                _ => rows::whole([scan(SCAN, &knobs), all]),
            };
        }
        let transfers = 1 + draft.draws.below(u64::from(knobs.transaction_ops / 2).max(1));
        draft.push(SqlOp::Begin);
        for _ in 0..transfers {
            transfer(&mut draft);
        }
        rows::mark(&mut draft);
        draft.close()
    }

    fn settle(&self, knobs: &Knobs) -> Vec<Transaction<Sql>> {
        vec![rows::whole([scan(SCAN, knobs), scan(SCAN_BY_TABLE, knobs), total(knobs)]), rows::read_marks()]
    }

    fn facts(&self, knobs: &Knobs) -> Vec<(&'static str, Datum)> {
        let accounts = i64::from(knobs.accounts());
        vec![("total", Datum::Int(accounts * BALANCE)), ("accounts", Datum::Int(accounts))]
    }
}

/// Takes from one account and gives to another; the first is looked at before, now and then.
fn transfer(draft: &mut Rows<'_>) {
    let from = draft.key_index();
    let apart = 1 + draft.draws.below(u64::from(draft.knobs.keys) - 1) as u32;
    let amount = 1 + draft.draws.below(20) as i64;
    if draft.draws.below(4) == 0 {
        draft.push(rows::read(READ, &account(from)).into());
    }
    draft.push(add(MOVE, from, -amount));
    draft.push(add(MOVE, (from + apart) % draft.knobs.keys, amount));
}
