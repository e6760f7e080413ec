//! What is proposed, in which order.
//!
//! The coarse passes come first: a connection less makes every later replay cheaper. All are repeated until a
//! whole round has taken nothing away.

use std::borrow::Cow;

use toml::Value;

use super::plan::{connections, each_number, frame_mut, is_empty, numbers, transactions_mut};
use super::schedule::{from_calm, straighten};
use super::{Search, Subject};
use crate::scenario::RunError;
use crate::tape::{Actor, Decisions};

/// All passes, until nothing more can be taken away.
pub(super) fn run(search: &mut Search<'_>) -> Result<(), RunError> {
    loop {
        let mut smaller = cut(search)?;
        smaller |= drop_connections(search)?;
        smaller |= drop_transactions(search)?;
        smaller |= drop_ops(search)?;
        smaller |= drop_draws(search)?;
        smaller |= drop_crashes(search)?;
        smaller |= drop_frame(search)?;
        smaller |= small_numbers(search)?;
        smaller |= straighten(search)?;
        // What costs most comes when the others have no more to give.
        if !smaller && !search.is_over() {
            smaller = from_calm(search)?;
        }
        if !smaller || search.is_over() {
            return Ok(());
        }
    }
}

/// The shortest beginning of the schedule after which all may be calm.
fn cut(search: &mut Search<'_>) -> Result<bool, RunError> {
    let mut kept = false;
    let (mut low, mut high) = (0, search.best().decisions.schedule.len());
    while low < high && !search.is_over() {
        let middle = low.midpoint(high);
        let mut proposal = search.best().clone();
        proposal.decisions.schedule.truncate(middle);
        if search.propose(&proposal)? {
            kept = true;
            high = middle.min(search.best().decisions.schedule.len());
        } else {
            low = middle + 1;
        }
    }
    Ok(kept)
}

fn drop_connections(search: &mut Search<'_>) -> Result<bool, RunError> {
    let names: Vec<String> = connections(&search.best().plan).map(|(name, _)| name.clone()).collect();
    let mut kept = false;
    for name in names {
        let mut proposal = search.best().clone();
        let list = transactions_mut(&mut proposal.plan, &name);
        if list.iter().all(is_empty) {
            continue;
        }
        // The places stay, so that what remains keeps its names.
        list.iter_mut().for_each(|transaction| *transaction = Value::Array(vec![]));
        kept |= search.propose(&proposal)?;
    }
    Ok(kept)
}

fn drop_transactions(search: &mut Search<'_>) -> Result<bool, RunError> {
    let lists: Vec<(String, usize)> =
        connections(&search.best().plan).map(|(name, list)| (name.clone(), list.len())).collect();
    let mut kept = false;
    for (name, len) in lists {
        kept |= in_chunks(search, len, |subject, range| {
            let list = &mut transactions_mut(&mut subject.plan, &name)[range];
            let any = list.iter().any(|transaction| !is_empty(transaction));
            list.iter_mut().for_each(|transaction| *transaction = Value::Array(vec![]));
            any
        })?;
    }
    Ok(kept)
}

/// Single operations. What follows in the same transaction moves up, and its I/O is renamed with it.
fn drop_ops(search: &mut Search<'_>) -> Result<bool, RunError> {
    if !search.separable {
        return Ok(false);
    }
    let mut places = vec![];
    for (name, list) in connections(&search.best().plan) {
        for (at, transaction) in list.iter().enumerate() {
            // Operations without arguments hold the transaction together: begin, commit.
            let ops = transaction.as_array().into_iter().flatten().enumerate();
            let with_arguments = ops.filter(|(_, op)| !op.is_str()).map(|(op, _)| (name.clone(), at, op));
            places.extend(with_arguments.collect::<Vec<_>>().into_iter().rev());
        }
    }
    let mut kept = false;
    for (name, at, op) in places {
        let mut proposal = search.best().clone();
        let transaction = transactions_mut(&mut proposal.plan, &name)[at].as_array_mut();
        let Some(ops) = transaction.filter(|ops| op < ops.len() && ops.len() > 1) else { continue };
        ops.remove(op);
        if let Some(connection) = name.strip_prefix('c').and_then(|number| number.parse().ok()) {
            rename_after(&mut proposal.decisions, connection, at as u32 * 100 + op as u32);
        }
        kept |= search.propose(&proposal)?;
    }
    Ok(kept)
}

/// Faults towards 0, many at once first.
fn drop_draws(search: &mut Search<'_>) -> Result<bool, RunError> {
    let len = search.best().decisions.draws.len();
    let mut kept = in_chunks(search, len, |subject, range| {
        let gone: Vec<_> = subject.decisions.draws.keys().skip(range.start).take(range.len()).cloned().collect();
        subject.decisions.draws.retain(|key, _| !gone.contains(key));
        !gone.is_empty()
    })?;
    // What cannot be 0 may still be smaller.
    let keys: Vec<_> =
        search.best().decisions.draws.iter().filter(|(_, value)| **value > 1).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let mut proposal = search.best().clone();
        if let Some(value) = proposal.decisions.draws.get_mut(&key) {
            *value = 1;
            kept |= search.propose(&proposal)?;
        }
    }
    Ok(kept)
}

fn drop_crashes(search: &mut Search<'_>) -> Result<bool, RunError> {
    let mut kept = false;
    let mut at = 0;
    while at < search.best().decisions.schedule.len() && !search.is_over() {
        let mut proposal = search.best().clone();
        if proposal.decisions.schedule[at].actor == Actor::Crash {
            proposal.decisions.schedule.remove(at);
            if search.propose(&proposal)? {
                kept = true;
                continue;
            }
        }
        at += 1;
    }
    Ok(kept)
}

/// What sets up and reads back, where the workload promises nothing about it.
fn drop_frame(search: &mut Search<'_>) -> Result<bool, RunError> {
    let mut kept = false;
    if !search.separable {
        return Ok(false);
    }
    for part in ["setup", "settle"] {
        let mut start = search.best().clone();
        let len = frame_mut(&mut start.plan, part).map_or(0, |list| list.len());
        kept |= in_chunks(search, len, |subject, range| {
            let Some(list) = frame_mut(&mut subject.plan, part) else { return false };
            let any = list[range.clone()].iter().any(|transaction| !is_empty(transaction));
            list[range].iter_mut().for_each(|transaction| *transaction = Value::Array(vec![]));
            any
        })?;
    }
    Ok(kept)
}

/// Lengths of values and other numbers: all at once, then one by one, to nothing or to half.
///
/// Where operations belong together their numbers do, too: a transfer takes what it gives.
fn small_numbers(search: &mut Search<'_>) -> Result<bool, RunError> {
    let mut kept = false;
    if !search.separable {
        return Ok(false);
    }
    let smallest = |number: i64| number.signum().min(1);
    for to in [|_: i64| 0, smallest, |number: i64| number / 2] {
        let mut proposal = search.best().clone();
        let mut any = false;
        each_number(&mut proposal.plan, &mut |number| {
            any |= to(*number) != *number;
            *number = to(*number);
        });
        kept |= any && search.propose(&proposal)?;
    }
    for at in 0..numbers(&mut search.best().clone().plan) {
        for to in [0, 1] {
            let mut proposal = search.best().clone();
            let (mut place, mut any) = (0, false);
            each_number(&mut proposal.plan, &mut |number| {
                if place == at && number.unsigned_abs() > to {
                    *number = if to == 0 { 0 } else { *number / 2 };
                    any = true;
                }
                place += 1;
            });
            kept |= any && search.propose(&proposal)?;
        }
    }
    Ok(kept)
}

/// Takes out ranges of `len` things, halving their size: delta debugging (Zeller and Hildebrandt 2002) on the
/// way down only, since the passes are repeated anyhow.
pub(super) fn in_chunks(
    search: &mut Search<'_>,
    len: usize,
    mut take_out: impl FnMut(&mut Subject, std::ops::Range<usize>) -> bool,
) -> Result<bool, RunError> {
    let mut kept = false;
    let mut size = len;
    while size > 0 && !search.is_over() {
        let mut start = 0;
        while start < len && !search.is_over() {
            let mut proposal = search.best().clone();
            let end = (start + size).min(len);
            if take_out(&mut proposal, start..end) {
                kept |= search.propose(&proposal)?;
            }
            start = end;
        }
        size /= 2;
    }
    Ok(kept)
}

/// One operation less: its I/O is gone, and that of later ones in the transaction moves up by one.
fn rename_after(decisions: &mut Decisions, connection: u16, gone: u32) {
    let renamed = |actor: Actor| match actor {
        Actor::Io { connection: of, op, nth }
            if of == connection && op > gone && op / 100 == gone / 100 && op % 100 != 99 =>
        {
            Actor::Io { connection, op: op - 1, nth }
        }
        actor => actor,
    };
    decisions.schedule.iter_mut().for_each(|segment| segment.actor = renamed(segment.actor));
    let draws = std::mem::take(&mut decisions.draws);
    decisions.draws = draws
        .into_iter()
        .filter(|(key, _)| !matches!(key.actor, Actor::Io { connection: of, op, .. } if of == connection && op == gone))
        .map(|(mut key, value)| {
            key.actor = renamed(key.actor);
            key.kind = rename_scope(key.kind, renamed);
            (key, value)
        })
        .collect();
}

/// A draw of a crash image names the I/O after which the image was taken: `kept@c0/op3/io2+0`.
fn rename_scope(kind: Cow<'static, str>, renamed: impl Fn(Actor) -> Actor) -> Cow<'static, str> {
    let parts = kind.split_once('@').and_then(|(name, scope)| Some((name, scope.split_once('+')?)));
    match parts {
        Some((name, (point, image))) => match point.parse() {
            Ok(actor) => format!("{name}@{}+{image}", renamed(actor)).into(),
            Err(_) => kind,
        },
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_is_taken_out_renames_the_images_taken_after_later_ones() {
        let draws = "c0/op2/io0 image 1\nc1/op9/io0 kept-sectors@c0/op2/io0+1#2 5\ncrash kind@c1/op2/io0+0 1\n";
        let mut decisions = Decisions::parse("c0 c0/op2/io0", draws).unwrap();
        rename_after(&mut decisions, 0, 1);
        let expected = "c0/op1/io0 image 1\nc1/op9/io0 kept-sectors@c0/op1/io0+1#2 5\ncrash kind@c1/op2/io0+0 1\n";
        assert_eq!(decisions.draws_text(), expected);
    }
}
