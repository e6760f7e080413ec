//! Small random histories of transactions against brute force: all orders, and all snapshots.

use squall::judge::{Consistency, KeyOrder, Mop, Outcome, TxnHistory, Value, list_append, rw_register};

use super::fuzz::Draws;

/// Histories drawn.
const ROUNDS: u64 = 12_000;
const KEYS: u64 = 2;

/// One transaction of a plain description, from which the history is made.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) process: u32,
    pub(crate) span: (i64, i64),
    pub(crate) outcome: Outcome,
    pub(crate) steps: Vec<Does>,
}

#[derive(Debug, Clone)]
pub(crate) enum Does {
    Write(usize, i64),
    Read(usize, Vec<i64>),
}

pub(crate) type Lists = Vec<Vec<i64>>;

/// A random history: begins and ends first; then, by a random order of commits, what each would
/// read from a snapshot that is mostly the latest; and one read in four histories is spoilt.
pub(crate) fn draw(draws: &mut Draws, lists: bool) -> Vec<Plain> {
    let count = 2 + draws.below(4);
    let processes = 1 + draws.below(3);
    let mut clocks = vec![0i64; processes as usize];
    let mut ids: Vec<u32> = (0..processes as u32).collect();
    let mut txns: Vec<Plain> = Vec::new();
    let mut fresh = 0;
    for _ in 0..count {
        let process = draws.below(processes) as usize;
        let call = clocks[process] + draws.below(4) as i64;
        let ret = call + 1 + draws.below(8) as i64;
        clocks[process] = ret + 1;
        let outcome = match draws.below(10) {
            0 => Outcome::Failed,
            1 => Outcome::Unknown,
            _ => Outcome::Committed,
        };
        let mut steps = Vec::new();
        for _ in 0..1 + draws.below(3) {
            let key = draws.below(KEYS) as usize;
            if draws.one_in(2) {
                fresh += 1;
                steps.push(Does::Write(key, fresh));
            } else {
                steps.push(Does::Read(key, Vec::new()));
            }
        }
        txns.push(Plain { process: ids[process], span: (call, ret), outcome, steps });
        if outcome == Outcome::Unknown {
            ids[process] = 100 + txns.len() as u32;
        }
    }
    let mut order: Vec<(i64, usize)> = (0..txns.len())
        .map(|i| {
            let (call, ret) = txns[i].span;
            (call * 10 + draws.below((ret - call) as u64 * 10) as i64, i)
        })
        .collect();
    order.sort_unstable();
    let mut states: Vec<Lists> = vec![vec![Vec::new(); KEYS as usize]];
    for (_, index) in order {
        let back = if draws.one_in(3) { draws.below(3) } else { 0 };
        let snapshot = states[states.len().saturating_sub(1 + back as usize)].clone();
        let mut own = snapshot;
        let mut latest = states.last().expect("a state").clone();
        for step in &mut txns[index].steps {
            match step {
                Does::Write(key, value) => {
                    apply(&mut own[*key], *value, lists);
                    apply(&mut latest[*key], *value, lists);
                }
                Does::Read(key, seen) => seen.clone_from(&own[*key]),
            }
        }
        let effect = match txns[index].outcome {
            Outcome::Committed => true,
            Outcome::Failed => draws.one_in(8),
            Outcome::Unknown => draws.one_in(2),
        };
        if effect {
            states.push(latest);
        }
    }
    if draws.one_in(4) {
        let index = draws.below(txns.len() as u64) as usize;
        for step in &mut txns[index].steps {
            if let Does::Read(_, seen) = step {
                seen.pop();
            }
        }
    }
    txns
}

fn apply(list: &mut Vec<i64>, value: i64, lists: bool) {
    if !lists {
        list.clear();
    }
    list.push(value);
}

/// The history of the description.
pub(crate) fn history(txns: &[Plain], lists: bool) -> TxnHistory {
    let mut history = TxnHistory::new();
    for txn in txns {
        let ret = (txn.outcome != Outcome::Unknown).then_some(txn.span.1);
        history.begin(txn.process, (txn.span.0, ret), txn.outcome);
        for step in &txn.steps {
            let known = txn.outcome == Outcome::Committed;
            match step {
                Does::Write(key, value) if lists => {
                    history.append(Value::Int(*key as i64), Value::Int(*value));
                }
                Does::Write(key, value) => {
                    history.write(Value::Int(*key as i64), Value::Int(*value));
                }
                Does::Read(key, seen) if lists => {
                    let items: Vec<Value> = seen.iter().map(|&n| Value::Int(n)).collect();
                    history.read_list(Value::Int(*key as i64), known.then_some(&items));
                }
                Does::Read(key, seen) => {
                    let value = seen.last().map_or(Value::Null, |&n| Value::Int(n));
                    history.read(Value::Int(*key as i64), known.then_some(value));
                }
            }
        }
    }
    history
}

/// Which order of transactions must be kept.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keep {
    Nothing,
    Sessions,
    Time,
}

/// Whether the transactions can be put into an order of commits, each reading from the state just
/// before it, or, with snapshots, from an earlier one such that nobody between wrote what it writes.
pub(crate) fn explained(txns: &[Plain], keep: Keep, snapshots: bool, lists: bool) -> bool {
    let all: Vec<usize> = (0..txns.len()).filter(|&i| txns[i].outcome != Outcome::Failed).collect();
    let first: Vec<(usize, Lists)> = vec![(usize::MAX, vec![Vec::new(); KEYS as usize])];
    place(txns, &all, &first, keep, snapshots, lists)
}

fn before(a: &Plain, b: &Plain, keep: Keep) -> bool {
    let ended = a.outcome == Outcome::Committed && a.span.1 < b.span.0;
    match keep {
        Keep::Nothing => false,
        Keep::Sessions => a.process == b.process && a.span.0 < b.span.0,
        Keep::Time => ended,
    }
}

fn place(txns: &[Plain], rest: &[usize], states: &[(usize, Lists)], keep: Keep, snapshots: bool, lists: bool) -> bool {
    if rest.iter().all(|&i| txns[i].outcome == Outcome::Unknown) {
        return true;
    }
    for &index in rest {
        let txn = &txns[index];
        if rest.iter().any(|&other| other != index && before(&txns[other], txn, keep)) {
            continue;
        }
        let last = states.len() - 1;
        let oldest = if snapshots { 0 } else { last };
        for from in (oldest..=last).rev() {
            // A snapshot must contain what has to come before it.
            let missing = states[from + 1..].iter().any(|&(other, _)| before(&txns[other], txn, keep));
            let conflict = states[from + 1..].iter().any(|&(other, _)| writes_same(&txns[other], txn));
            if missing || conflict || !reads_from(txn, &states[from].1, lists) {
                continue;
            }
            let mut next = states[last].1.clone();
            for step in &txn.steps {
                if let Does::Write(key, value) = step {
                    apply(&mut next[*key], *value, lists);
                }
            }
            let mut states = states.to_vec();
            states.push((index, next));
            let rest: Vec<usize> = rest.iter().copied().filter(|&i| i != index).collect();
            if place(txns, &rest, &states, keep, snapshots, lists) {
                return true;
            }
            // An older snapshot would leave the same state behind.
            break;
        }
    }
    false
}

fn writes_same(a: &Plain, b: &Plain) -> bool {
    let keys = |txn: &Plain| -> Vec<usize> {
        let writes = txn.steps.iter().filter_map(|step| match step {
            Does::Write(key, _) => Some(*key),
            Does::Read(..) => None,
        });
        writes.collect()
    };
    let theirs = keys(b);
    keys(a).iter().any(|key| theirs.contains(key))
}

fn reads_from(txn: &Plain, state: &Lists, lists: bool) -> bool {
    let mut own = state.clone();
    txn.steps.iter().all(|step| match step {
        Does::Write(key, value) => {
            apply(&mut own[*key], *value, lists);
            true
        }
        Does::Read(key, seen) => txn.outcome == Outcome::Unknown || own[*key] == *seen,
    })
}

/// The models brute force decides, with what they keep.
pub(crate) const TRUTHS: [(Consistency, Keep, bool); 6] = [
    (Consistency::SnapshotIsolation, Keep::Nothing, true),
    (Consistency::StrongSessionSnapshotIsolation, Keep::Sessions, true),
    (Consistency::StrongSnapshotIsolation, Keep::Time, true),
    (Consistency::Serializable, Keep::Nothing, false),
    (Consistency::StrongSessionSerializable, Keep::Sessions, false),
    (Consistency::StrictSerializable, Keep::Time, false),
];

/// Whether two transactions appended to one key what no read shows: their order is not known.
fn unseen_twice(txns: &[Plain]) -> bool {
    let seen = |wanted: i64| {
        txns.iter().flat_map(|txn| &txn.steps).any(|step| match step {
            Does::Read(_, list) => list.contains(&wanted),
            Does::Write(..) => false,
        })
    };
    (0..KEYS as usize).any(|key| {
        let unseen = txns.iter().filter(|txn| {
            txn.steps.iter().any(|step| match step {
                Does::Write(k, value) => *k == key && !seen(*value),
                Does::Read(..) => false,
            })
        });
        unseen.count() > 1
    })
}

#[test]
fn list_append_agrees_with_brute_force_on_snapshots_and_serial_orders() {
    let mut ruled_out = [0; TRUTHS.len()];
    for seed in 0..ROUNDS {
        let txns = draw(&mut Draws::new(seed), true);
        let history = history(&txns, true);
        let isolation = list_append(&history);
        for (at, (model, keep, snapshots)) in TRUTHS.into_iter().enumerate() {
            let truth = explained(&txns, keep, snapshots, true);
            let said = !isolation.rules_out(model);
            if snapshots && said && !truth && unseen_twice(&txns) {
                continue;
            }
            assert_eq!(said, truth, "seed {seed}, {model:?}: {isolation:#?} of {txns:#?}");
            ruled_out[at] += u64::from(!truth);
        }
    }
    let few = ROUNDS / 20;
    assert!(ruled_out.iter().all(|&n| n > few && n < ROUNDS - few), "{ruled_out:?}");
}

#[test]
fn a_history_knows_its_steps() {
    let history = history(&draw(&mut Draws::new(7), true), true);
    let steps: usize = (0..history.txns().len()).map(|i| history.steps(i).len()).sum();
    let appends = |mop: &&Mop| matches!(mop, Mop::Append { .. });
    assert!(steps > 0 && history.steps(0).iter().filter(appends).count() <= steps);
}

#[test]
fn registers_agree_with_brute_force_wherever_they_decide() {
    let mut ruled_out = [0u64; TRUTHS.len()];
    let mut open = 0;
    for seed in 0..ROUNDS {
        let txns = draw(&mut Draws::new(seed), false);
        let history = history(&txns, false);
        let isolation = rw_register(&history, KeyOrder::default());
        for (at, (model, keep, snapshots)) in TRUTHS.into_iter().enumerate() {
            let truth = explained(&txns, keep, snapshots, false);
            ruled_out[at] += u64::from(!truth);
            if !isolation.rules_out(model) {
                let undecided = isolation
                    .undecided
                    .as_ref()
                    .is_some_and(|undecided| undecided.0.iter().any(|&weaker| model.implies(weaker)));
                open += u64::from(undecided);
                if undecided {
                    continue;
                }
            }
            let said = !isolation.rules_out(model);
            assert_eq!(said, truth, "seed {seed}, {model:?}: {isolation:#?} of {txns:#?}");
        }
    }
    let few = ROUNDS / 25;
    assert!(ruled_out.iter().all(|&n| n > few && n < ROUNDS - few), "{ruled_out:?}");
    assert!(open < ROUNDS / 50, "{open} of {ROUNDS} are left open");
}
