//! A bank: money moves between accounts in transactions, and the total stays.
//!
//! Accounts may go below nothing: the total is the point, not the customers.

use super::draft::{self, Draft};
use super::needs;
use crate::engine::kv::{Kv, KvOp};
use crate::history::Datum;
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// Transfers, and readers of all accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bank;

/// What each account holds at first.
const BALANCE: i64 = 100;

impl Workload<Kv> for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> &'static str {
        "transfers between accounts, always in transactions, and readers that add all of them up"
    }

    fn needs(&self, knobs: &Knobs) -> Vec<&'static str> {
        needs(&knobs.always_together(), &["add", "scan"])
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["bank-total", "durability", "integrity"]
    }

    fn setup(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        let deposits = (0..knobs.accounts()).map(|account| KvOp::Add(draft::key(account), BALANCE));
        vec![Transaction { ops: std::iter::once(KvOp::Begin).chain(deposits).chain([KvOp::Commit]).collect() }]
    }

    fn transaction(&self, knobs: &Knobs, connection: u16, ordinal: u32, draws: &mut Draws) -> Transaction<Kv> {
        let knobs = Knobs { keys: knobs.accounts(), ..knobs.clone() };
        let mut draft = Draft::new(&knobs, connection, ordinal, draws);
        if let Some(maintenance) = draft.maintenance() {
            return maintenance;
        }
        if draft.reads() {
            let ops = match draft.draws.below(2) {
                0 => vec![draft::scan_all()],
                _ => vec![KvOp::Begin, draft::scan_all(), KvOp::Commit],
            };
            return Transaction { ops };
        }
        let transfers = 1 + draft.draws.below(u64::from(knobs.transaction_ops / 2).max(1));
        draft.push(KvOp::Begin);
        for _ in 0..transfers {
            let from = draft.key_index();
            let apart = 1 + draft.draws.below(u64::from(knobs.keys) - 1) as u32;
            let amount = 1 + draft.draws.below(20) as i64;
            draft.push(KvOp::Add(draft::key(from), -amount));
            draft.push(KvOp::Add(draft::key((from + apart) % knobs.keys), amount));
        }
        draft.close()
    }

    fn settle(&self, _: &Knobs) -> Vec<Transaction<Kv>> {
        vec![Transaction { ops: vec![KvOp::Begin, draft::scan_all(), KvOp::Commit] }]
    }

    fn facts(&self, knobs: &Knobs) -> Vec<(&'static str, Datum)> {
        let accounts = i64::from(knobs.accounts());
        vec![("total", Datum::Int(accounts * BALANCE)), ("accounts", Datum::Int(accounts))]
    }
}
