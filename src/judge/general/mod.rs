//! Linearizability of any model: split into objects, search each, explain what has no order.
//!
//! It is not fast where a shape allows more; see [`crate::judge::fast`]. Invariant: a violation is
//! reported only after an exhaustive search, whatever limits were set.

mod bits;
mod search;
mod window;

pub(crate) use bits::{Bits, Least};
pub(crate) use search::{Found, Problem};
pub(crate) use window::{describe, explain};

use super::history::{History, NEVER};
use super::limits::{Limits, Spent};
use super::model::{Call, Model, Part};
use super::verdict::{Judgement, Verdict, Witness};

/// The method's name in judgements.
pub(crate) const METHOD: &str = "search";

/// Judges a history against a model by the general search.
///
/// The finding is the one whose contradiction is complete earliest in time.
#[must_use]
pub fn linearizable<M: Model>(model: &M, history: &History, limits: &Limits) -> Judgement {
    let operations = history.len() as u64;
    let done = |verdict, compared| Judgement::new(verdict, model.name(), METHOD, operations, compared);
    let compared = match understand(model, history) {
        Ok(compared) => compared,
        Err(reason) => return done(Verdict::Inconclusive(reason), 0),
    };
    let mut spent = Spent::new(limits);
    let mut first: Option<(i64, Vec<u32>, u32)> = None;
    let mut gave_up = None;
    for part in parts(model, history) {
        let ops: Vec<_> = part.iter().map(|&i| history.operations[i as usize]).collect();
        let problem = Problem { model, values: &history.values, operations: &ops, until: NEVER };
        match problem.solve(&[model.initial()], &mut spent) {
            Found::Order => {}
            Found::GaveUp(reason) => {
                gave_up = Some(reason);
                break;
            }
            Found::Nothing { stuck } => {
                let time = ops[stuck as usize].ret;
                if first.as_ref().is_none_or(|f| f.0 > time) {
                    first = Some((time, part, stuck));
                }
            }
        }
    }
    match (first, gave_up) {
        (Some((_, part, stuck)), _) => {
            let witness: Witness = window::explain(model, history, &part, stuck);
            done(Verdict::Violated(Box::new(witness)), compared)
        }
        (None, Some(reason)) => done(Verdict::Inconclusive(reason), compared),
        (None, None) => Judgement::settle(model.name(), METHOD, operations, compared),
    }
}

/// Checks that the judge understands every operation; answers how many outcomes are compared.
///
/// # Errors
/// The first operation that makes no sense, and why.
pub(crate) fn understand<M: Model>(model: &M, history: &History) -> Result<u64, String> {
    history.validate().map_err(|flaw| flaw.to_string())?;
    let mut compared = 0;
    for (index, op) in history.operations.iter().enumerate() {
        let call = Call { op, values: &history.values };
        model.accepts(&call).map_err(|expected| format!("operation {index}: {expected}"))?;
        compared += u64::from(op.returned() && !model.blind(&call));
    }
    Ok(compared)
}

/// The operations of each object, sorted by call; objects in a fixed order.
pub(crate) fn parts<M: Model>(model: &M, history: &History) -> Vec<Vec<u32>> {
    let mut order: Vec<(Part, i64, u32)> = history
        .operations
        .iter()
        .enumerate()
        .map(|(index, op)| {
            let values = &history.values;
            (model.part(&Call { op, values }), op.call, index as u32)
        })
        .collect();
    order.sort_unstable();
    order.chunk_by(|a, b| a.0 == b.0).map(|part| part.iter().map(|entry| entry.2).collect()).collect()
}
