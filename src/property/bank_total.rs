//! Whoever adds up all accounts gets the bank's total.
//!
//! It looks at whole scans only, alone or in a transaction that committed, and not at real time: a scan of
//! an old snapshot passes. After a crash an engine that promises less than every commit may have lost the
//! opening balances too; then everything is transfers, and they add up to nothing.

use super::digest::{Digest, Fate, Op};
use super::{Finding, Judgement, Property, RunRecord};
use crate::engine::{Durability, Isolation};
use crate::history::Datum;

/// The total stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct BankTotal;

impl Property for BankTotal {
    fn name(&self) -> &'static str {
        "bank-total"
    }

    fn about(&self) -> &'static str {
        "every scan of all accounts adds up to the bank's total"
    }

    fn for_image(&self) -> Option<Box<dyn Property>> {
        Some(Box::<Self>::default())
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        if run.promises.isolation == Isolation::ReadCommitted {
            return Judgement::inconclusive("read committed does not promise that a scan adds up");
        }
        let Some(total) = fact(run, "total") else {
            return Judgement::inconclusive("the workload does not say what the total is");
        };
        let digest = Digest::new(run.history);
        let accounts = fact(run, "accounts").unwrap_or(0) as usize;
        let mut compared = 0;
        // What the first scan of an era shows to have survived, the rest of the era keeps.
        let mut expected = (0, total);
        for (index, op) in digest.ops.iter().enumerate() {
            let Some(rows) = whole_scan(op).filter(|_| digest.fate(index) == Fate::Sure) else { continue };
            let balances =
                rows.iter().map(|(_, value)| if let Datum::Int(balance) = value { Some(*balance) } else { None });
            let Some(sum) = balances.sum::<Option<i64>>() else { continue };
            compared += 1;
            let may_be_lost = op.era > 0 && run.promises.durability != Durability::EveryCommit;
            if expected.0 != op.era {
                expected = (op.era, if may_be_lost && sum == 0 { 0 } else { total });
            }
            let right = expected.1;
            let complete = right == 0 || rows.len() >= accounts;
            if sum == right && complete {
                continue;
            }
            let missing =
                if complete { String::new() } else { format!(", and shows {} of {accounts} accounts", rows.len()) };
            let finding = Finding {
                property: self.name().into(),
                anomaly: if sum == right { "missing-account" } else { "wrong-total" }.into(),
                sentence: format!("A scan of all accounts adds up to {sum} instead of {right}{missing}."),
                resources: Vec::new(),
                ops: digest.ids([index]),
                turn: op.turn,
                proof: proof(rows, sum, right),
            };
            return Judgement::violated(finding, compared);
        }
        Judgement::settle(compared, "no scan of all accounts came to its end")
    }
}

fn fact(run: &RunRecord<'_>, name: &str) -> Option<i64> {
    run.facts
        .iter()
        .find(|fact| fact.0 == name)
        .and_then(|fact| if let Datum::Int(value) = fact.1 { Some(value) } else { None })
}

fn whole_scan<'a>(op: &Op<'a>) -> Option<&'a [(std::sync::Arc<str>, Datum)]> {
    match (op.call.f, op.answer()) {
        ("scan", Some(Datum::Rows(rows))) => Some(rows),
        _ => None,
    }
}

fn proof(rows: &[(std::sync::Arc<str>, Datum)], sum: i64, right: i64) -> Vec<String> {
    let mut lines: Vec<String> = rows.iter().map(|(key, value)| format!("{key} holds {value}")).collect();
    lines.push(format!("together {sum}; transfers do not change the total of {right}"));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{check_with, promises, with_facts};
    use super::BankTotal;
    use crate::engine::{Durability, Isolation};
    use crate::history::Datum;
    use crate::property::RunRecord;
    use expect_test::{Expect, expect};

    fn check(text: &str, isolation: Isolation, durability: Durability, expected: Expect) {
        const FACTS: &[(&str, Datum)] = &[("total", Datum::Int(20)), ("accounts", Datum::Int(2))];
        let tune = |run: &mut RunRecord<'_>| {
            promises(isolation, durability)(run);
            with_facts(FACTS)(run);
        };
        check_with(&mut BankTotal, text, tune, expected);
    }

    const STRICT: Isolation = Isolation::StrictSerializable;
    const EVERY: Durability = Durability::EveryCommit;

    #[test]
    fn scans_that_add_up_hold_alone_and_in_transactions() {
        let text = "
            c0: |- scan a z {a:#10 b:#10} -|   |- [add a #-3 = #7, add b #3 = #13] -|
            c1:                                                                         |- [scan a z {a:#7 b:#13}] -|";
        check(text, STRICT, EVERY, expect!["holds, 2 compared"]);
    }

    #[test]
    fn a_transfer_seen_by_half_is_noticed() {
        let text = "
            c0: |----------------- [add a #-3 = #7, add b #3 = #13] -----------------|
            c1:                    |-- scan a z {a:#7 b:#10} --|";
        check(
            text,
            STRICT,
            EVERY,
            expect![[r#"
                wrong-total in turn 63 by [4]: A scan of all accounts adds up to 17 instead of 20.
                  a holds 7
                  b holds 10
                  together 17; transfers do not change the total of 20"#]],
        );
    }

    #[test]
    fn an_account_that_is_missing_is_noticed_even_if_the_sum_is_right() {
        let text = "c0: |- scan a z {a:#20} -|";
        check(
            text,
            STRICT,
            EVERY,
            expect![[r#"
                missing-account in turn 25 by [0]: A scan of all accounts adds up to 20 instead of 20, and shows 1 of 2 accounts.
                  a holds 20
                  together 20; transfers do not change the total of 20"#]],
        );
    }

    #[test]
    fn a_scan_whose_transaction_did_not_commit_proves_nothing() {
        let text = "c0: |- [scan a z {a:#7 b:#10}] -!  |- [scan a z {a:#7 b:#10}, rollback] -|";
        check(text, STRICT, EVERY, expect!["inconclusive: no scan of all accounts came to its end"]);
    }

    #[test]
    fn read_committed_promises_no_total() {
        let text = "c0: |- scan a z {a:#7 b:#10} -|";
        let reason = expect!["inconclusive: read committed does not promise that a scan adds up"];
        check(text, Isolation::ReadCommitted, EVERY, reason);
    }

    #[test]
    fn opening_balances_may_be_lost_only_where_commits_may_be() {
        let text = "
            c0: |- scan a z {a:#10 b:#10} -|
            *:                                CRASH  RECOVERED
            c1:                                                 |- scan a z {a:#-3 b:#3} -|";
        check(text, STRICT, Durability::None, expect!["holds, 2 compared"]);
        check(
            text,
            STRICT,
            EVERY,
            expect![[r#"
                wrong-total in turn 90 by [1]: A scan of all accounts adds up to 0 instead of 20.
                  a holds -3
                  b holds 3
                  together 0; transfers do not change the total of 20"#]],
        );
    }

    #[test]
    fn what_survived_a_crash_stays_for_the_rest_of_the_era() {
        let text = "
            *:    CRASH  RECOVERED
            c1:                      |- scan a z {a:#10 b:#10} -|  |- scan a z {} -|";
        check(
            text,
            STRICT,
            Durability::None,
            expect![[r#"
                wrong-total in turn 83 by [1]: A scan of all accounts adds up to 0 instead of 20, and shows 0 of 2 accounts.
                  together 0; transfers do not change the total of 20"#]],
        );
    }
}
