//! A plan as TOML that a person can read and edit: one transaction a line.
//!
//! ```text
//! setup = []
//! settle = [["begin", { get = "k0" }, "commit"]]
//! [connections]
//! c0 = [
//!     ["begin", { put = ["k0", { id = "c0.0.1", len = 8 }] }, "commit"],
//! ]
//! ```

use std::fmt::Write as _;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::run::RunError;
use crate::engine::Family;
use crate::workload::{Plan, Transaction};

/// The keys of a plan's table, for `[plan]` in front of them.
pub(super) fn write<F: Family>(plan: &Plan<F>) -> Result<String, RunError> {
    let mut text = String::from("[plan]\n");
    list::<F>(&mut text, "setup", &plan.setup)?;
    list::<F>(&mut text, "settle", &plan.settle)?;
    list::<F>(&mut text, "probe", &plan.probe)?;
    text.push_str("\n[plan.connections]\n");
    for (index, transactions) in plan.connections.iter().enumerate() {
        list::<F>(&mut text, &format!("c{index}"), transactions)?;
    }
    Ok(text)
}

fn list<F: Family>(text: &mut String, key: &str, transactions: &[Transaction<F>]) -> Result<(), RunError> {
    if transactions.is_empty() {
        let _ = writeln!(text, "{key} = []");
        return Ok(());
    }
    let _ = writeln!(text, "{key} = [");
    for transaction in transactions {
        let ops: Result<Vec<Value>, _> = transaction.ops.iter().map(Value::try_from).collect();
        let ops = ops.map_err(|error| RunError::Plan(format!("an operation has no TOML form: {error}")))?;
        let _ = writeln!(text, "    {},", Value::Array(ops));
    }
    text.push_str("]\n");
    Ok(())
}

/// Reads a plan's table back.
pub(super) fn read<F: Family>(table: &Table) -> Result<Plan<F>, RunError> {
    let known = ["setup", "settle", "probe", "connections"];
    if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(RunError::Plan(format!("`plan.{key}` is no part of a plan")));
    }
    let empty = Table::new();
    let lists = table.get("connections").and_then(Value::as_table).unwrap_or(&empty);
    let mut connections = Vec::new();
    for (key, value) in lists {
        let number: Option<u16> = key.strip_prefix('c').and_then(|number| number.parse().ok());
        let Some(number) = number.filter(|&number| number < crate::tape::ENGINE) else {
            return Err(RunError::Plan(format!("`plan.connections.{key}` is no connection: expected `c0`, `c1`, …")));
        };
        let number = usize::from(number);
        if connections.len() <= number {
            connections.resize_with(number + 1, Vec::new);
        }
        connections[number] = transactions::<F>(&format!("connections.{key}"), Some(value))?;
    }
    Ok(Plan {
        setup: transactions::<F>("setup", table.get("setup"))?,
        connections,
        settle: transactions::<F>("settle", table.get("settle"))?,
        probe: transactions::<F>("probe", table.get("probe"))?,
    })
}

fn transactions<F: Family>(key: &str, value: Option<&Value>) -> Result<Vec<Transaction<F>>, RunError> {
    let list = match value {
        None => return Ok(Vec::new()),
        Some(value) => value.as_array(),
    };
    let bad = |what: String| RunError::Plan(format!("`plan.{key}` {what}"));
    let list = list.ok_or_else(|| bad("is no list of transactions".into()))?;
    let one = |value: &Value| {
        let ops = value.as_array().ok_or_else(|| bad(format!("holds {value}, which is no list of operations")))?;
        let op = |op: &Value| {
            F::Op::deserialize(op.clone()).map_err(|error| {
                bad(format!("holds {op}, which is no operation of the family `{}`: {}", F::NAME, error.message()))
            })
        };
        Ok(Transaction { ops: ops.iter().map(op).collect::<Result<_, _>>()? })
    };
    list.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::engine::kv::{Kv, KvOp, Value as KvValue};
    use crate::history::ValueId;

    fn plan() -> Plan<Kv> {
        let value = |transaction, op| KvValue { id: ValueId { connection: 0, transaction, op }, len: 8 };
        let ops = vec![
            KvOp::Begin,
            KvOp::Get("k0".into()),
            KvOp::Put("k0".into(), value(0, 2)),
            KvOp::Cas { key: "k1".into(), expected: None, new: value(0, 3) },
            KvOp::Cas { key: "k1".into(), expected: Some(value(0, 3)), new: value(0, 4) },
            KvOp::Add("n".into(), -4),
            KvOp::Scan("a".into(), "z".into()),
            KvOp::Commit,
        ];
        Plan {
            setup: vec![Transaction { ops: vec![KvOp::Checkpoint] }],
            connections: vec![vec![], vec![Transaction { ops }, Transaction { ops: vec![KvOp::Vacuum] }]],
            settle: vec![],
            probe: vec![],
        }
    }

    #[test]
    fn a_plan_is_readable_and_survives_its_text_form() {
        let text = write(&plan()).unwrap();
        expect![[r#"
            [plan]
            setup = [
                ["checkpoint"],
            ]
            settle = []
            probe = []

            [plan.connections]
            c0 = []
            c1 = [
                ["begin", { get = "k0" }, { put = ["k0", { id = "c0.0.2", len = 8 }] }, { cas = { key = "k1", new = { id = "c0.0.3", len = 8 } } }, { cas = { key = "k1", expected = { id = "c0.0.3", len = 8 }, new = { id = "c0.0.4", len = 8 } } }, { add = ["n", -4] }, { scan = ["a", "z"] }, "commit"],
                ["vacuum"],
            ]
        "#]].assert_eq(&text);
        let table: Table = text.parse().unwrap();
        let read = read::<Kv>(table["plan"].as_table().unwrap()).unwrap();
        assert_eq!(write(&read).unwrap(), text);
        assert_eq!(read.connections[1][0].ops, plan().connections[1][0].ops);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let check = |text: &str, expected: Expect| {
            expected.assert_eq(&read::<Kv>(&text.parse().unwrap()).unwrap_err().to_string());
        };
        check("setup = 4", expect!["`plan.setup` is no list of transactions"]);
        check("setup = [4]", expect!["`plan.setup` holds 4, which is no list of operations"]);
        check(
            "setup = [[\"begn\"]]",
            expect![[
                r#"`plan.setup` holds "begn", which is no operation of the family `kv`: unknown variant `begn`, expected one of `begin`, `get`, `put`, `delete`, `cas`, `add`, `append`, `pop`, `scan`, `commit`, `rollback`, `checkpoint`, `vacuum`"#
            ]],
        );
        check(
            "setup = [[{ put = [\"k0\"] }]]",
            expect![[
                r#"`plan.setup` holds { put = ["k0"] }, which is no operation of the family `kv`: expected tuple with length 2"#
            ]],
        );
        check("setp = []", expect!["`plan.setp` is no part of a plan"]);
        check("connections = { d0 = [] }", expect!["`plan.connections.d0` is no connection: expected `c0`, `c1`, …"]);
        check(
            "connections = { c65535 = [] }",
            expect!["`plan.connections.c65535` is no connection: expected `c0`, `c1`, …"],
        );
    }
}
