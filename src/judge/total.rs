//! The cheap half of a bank's check: whatever is transferred, the total stays.
//!
//! It does not look at real time; a read from an old snapshot passes. Invariant: a read compares
//! the sum of all balances it gave, so a read that misses an account shows.

use super::history::{Function, History};
use super::verdict::{Judgement, Verdict, Witness};

/// The method's name in judgements.
pub(crate) const METHOD: &str = "total";

/// Judges that every read of all balances adds up to `expected`, or, when that is not known, to
/// what the first read (by its return) adds up to.
#[must_use]
pub fn total(history: &History, expected: Option<i64>) -> Judgement {
    let operations = history.len() as u64;
    let done = |verdict, compared| Judgement::new(verdict, "bank", METHOD, operations, compared);
    let mut reads: Vec<(i64, usize, i128)> = Vec::new();
    for (index, op) in history.operations.iter().enumerate() {
        if op.f != Function::Read || !op.returned() {
            continue;
        }
        let balances: Option<i128> = history.values.items(op.out).and_then(|items| {
            let numbers = items.iter().map(|item| item.int().map(i128::from));
            numbers.sum()
        });
        let Some(sum) = balances else {
            let reason = format!("operation {index}: the outcome of read is a list of balances");
            return done(Verdict::Inconclusive(reason), 0);
        };
        reads.push((op.ret, index, sum));
    }
    reads.sort_unstable();
    let first = reads.first().map(|read| (read.1, read.2));
    let compared = match expected {
        Some(_) => reads.len(),
        // The first read is what the others are compared with.
        None => reads.len().saturating_sub(1),
    } as u64;
    let right = expected.map(i128::from).or(first.map(|f| f.1)).unwrap_or(0);
    let Some(&(_, index, sum)) = reads.iter().find(|read| read.2 != right) else {
        return Judgement::settle("bank", METHOD, operations, compared);
    };
    let mut indexes = vec![index];
    if expected.is_none() {
        indexes.extend(first.map(|f| f.0));
    }
    let summary = format!("The balances add up to {sum}, but the total is {right}.");
    let witness = Witness::of(history, "wrong-total", summary, &indexes);
    done(Verdict::Violated(Box::new(witness)), compared)
}
