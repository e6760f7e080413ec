//! A plan as a table: what can be counted, left out and made smaller without knowing its family.

use toml::{Table, Value};

/// The connections that ask something, and the operations of the whole plan.
pub(super) fn counts(plan: &Table) -> (usize, usize) {
    let asked: Vec<usize> = connections(plan).map(|(_, list)| ops(list)).collect();
    let frame = ["setup", "settle"].iter().filter_map(|part| plan.get(*part)?.as_array()).map(|list| ops(list));
    (asked.iter().filter(|&&ops| ops > 0).count(), asked.iter().sum::<usize>() + frame.sum::<usize>())
}

/// How long the numbers of the plan are, in bits.
pub(super) fn bits(plan: &Table) -> usize {
    plan.values().map(bits_of).sum()
}

fn bits_of(value: &Value) -> usize {
    match value {
        Value::Integer(number) => (u64::BITS - number.unsigned_abs().leading_zeros()) as usize,
        Value::Array(items) => items.iter().map(bits_of).sum(),
        Value::Table(table) => table.values().map(bits_of).sum(),
        _ => 0,
    }
}

/// The connections of a plan, each with its list of transactions.
pub(super) fn connections(plan: &Table) -> impl Iterator<Item = (&String, &Vec<Value>)> {
    let lists = plan.get("connections").and_then(Value::as_table);
    lists.into_iter().flatten().filter_map(|(name, list)| Some((name, list.as_array()?)))
}

/// The transactions of a connection.
pub(super) fn transactions_mut<'a>(plan: &'a mut Table, connection: &str) -> &'a mut Vec<Value> {
    let lists = plan.get_mut("connections").and_then(Value::as_table_mut);
    let list = lists.and_then(|lists| lists.get_mut(connection)).and_then(Value::as_array_mut);
    list.expect("the name came from the plan")
}

/// The transactions that set up or read back.
pub(super) fn frame_mut<'a>(plan: &'a mut Table, part: &str) -> Option<&'a mut Vec<Value>> {
    plan.get_mut(part)?.as_array_mut()
}

pub(super) fn is_empty(transaction: &Value) -> bool {
    transaction.as_array().is_none_or(Vec::is_empty)
}

fn ops(transactions: &[Value]) -> usize {
    transactions.iter().filter_map(Value::as_array).map(Vec::len).sum()
}

/// How many numbers the plan holds.
pub(super) fn numbers(plan: &mut Table) -> usize {
    let mut count = 0;
    each_number(plan, &mut |_| count += 1);
    count
}

/// Every number of the plan, always in the same order.
pub(super) fn each_number(plan: &mut Table, change: &mut dyn FnMut(&mut i64)) {
    plan.iter_mut().for_each(|(_, value)| number_in(value, change));
}

fn number_in(value: &mut Value, change: &mut dyn FnMut(&mut i64)) {
    match value {
        Value::Integer(number) => change(number),
        Value::Array(items) => items.iter_mut().for_each(|item| number_in(item, change)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| number_in(value, change)),
        _ => {}
    }
}
