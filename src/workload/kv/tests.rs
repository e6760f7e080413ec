//! Every workload, in every shape, against a store that is a map.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::kv::{KvOp, KvValue, Value, decode, pop_front};
use crate::engine::{Family, Role};
use crate::history::Datum;
use crate::workload::{KeyChoice, Knobs, Plan, Transaction};

/// A store that does one operation after another and has no transactions.
#[derive(Default)]
struct Map(BTreeMap<String, Vec<u8>>);

impl Map {
    fn apply(&mut self, op: &KvOp) -> KvValue {
        match op {
            KvOp::Get(key) => KvValue::Bytes(self.0.get(&**key).cloned()),
            KvOp::Put(key, value) => {
                self.0.insert(key.to_string(), value.bytes());
                KvValue::Unit
            }
            KvOp::Delete(key) => KvValue::Bool(self.0.remove(&**key).is_some()),
            KvOp::Cas { key, expected, new } => {
                let holds = self.0.get(&**key) == expected.map(|value| value.bytes()).as_ref();
                if holds {
                    self.0.insert(key.to_string(), new.bytes());
                }
                KvValue::Bool(holds)
            }
            KvOp::Add(key, delta) => {
                let old = self.0.get(&**key).map_or(0, |bytes| std::str::from_utf8(bytes).unwrap().parse().unwrap());
                self.0.insert(key.to_string(), (old + delta).to_string().into_bytes());
                KvValue::Int(old + delta)
            }
            KvOp::Append(key, value) => {
                self.0.entry(key.to_string()).or_default().extend(value.element());
                KvValue::Unit
            }
            KvOp::Pop(key) => {
                let Some(list) = self.0.get_mut(&**key) else { return KvValue::Bytes(None) };
                let (front, rest) = pop_front(list);
                let (front, rest) = (front.map(<[u8]>::to_vec), rest.to_vec());
                *list = rest;
                KvValue::Bytes(front)
            }
            KvOp::Scan(from, to) => {
                let rows = self.0.range(from.to_string()..=to.to_string());
                KvValue::Rows(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            KvOp::Begin | KvOp::Commit | KvOp::Rollback | KvOp::Checkpoint | KvOp::Vacuum => KvValue::Unit,
        }
    }
}

fn shapes() -> Vec<Knobs> {
    let mut shapes = Vec::new();
    for key_choice in [KeyChoice::Hot, KeyChoice::Cold, KeyChoice::Colliding, KeyChoice::Ascending] {
        for (transaction_ops, keys) in [(0, 5), (1, 1), (6, 0), (3, 32)] {
            shapes.push(Knobs { keys, key_choice, transaction_ops, ..Knobs::default() });
        }
    }
    shapes
}

/// Calls `f` with every workload in every shape and its plan.
fn each(mut f: impl FnMut(&dyn Workload<Kv>, &Knobs, &Plan<Kv>)) {
    for workload in all() {
        for (seed, knobs) in shapes().iter().enumerate() {
            f(&*workload, knobs, &workload.plan(knobs, seed as u64, 4, 50));
        }
    }
}

fn transactions(plan: &Plan<Kv>) -> impl Iterator<Item = &Transaction<Kv>> {
    plan.setup.iter().chain(plan.connections.iter().flatten()).chain(&plan.settle)
}

fn ops(plan: &Plan<Kv>) -> impl Iterator<Item = &KvOp> {
    transactions(plan).flat_map(|transaction| &transaction.ops)
}

fn written(op: &KvOp) -> Option<&Value> {
    match op {
        KvOp::Put(_, value) | KvOp::Append(_, value) | KvOp::Cas { new: value, .. } => Some(value),
        _ => None,
    }
}

#[test]
fn every_workload_is_found_by_its_name_and_names_are_sorted() {
    let names: Vec<_> = all().iter().map(|workload| workload.name()).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.iter().all(|name| by_name(name).is_some_and(|found| found.name() == *name)));
    assert!(by_name("registers").is_none());
}

#[test]
fn no_two_writes_share_a_value_and_each_names_its_place() {
    each(|workload, knobs, plan| {
        let mut seen = BTreeSet::new();
        for (connection, transactions) in plan.connections.iter().enumerate() {
            for (ordinal, transaction) in transactions.iter().enumerate() {
                for (at, op) in transaction.ops.iter().enumerate() {
                    let Some(value) = written(op) else { continue };
                    let place = (value.id.connection.into(), value.id.transaction as usize);
                    assert_eq!(place, (connection, ordinal), "{} {knobs:?}", workload.name());
                    assert!(knobs.transaction_ops == 0 || usize::from(value.id.op) == at);
                    assert!(seen.insert(value.id), "{} wrote {} twice", workload.name(), value.id);
                    assert!(value.len <= knobs.value_bytes);
                }
            }
        }
    });
}

#[test]
fn transactions_are_framed_and_as_long_as_the_knobs_say() {
    each(|workload, knobs, plan| {
        for transaction in transactions(plan) {
            let roles: Vec<_> = transaction.ops.iter().map(Kv::role).collect();
            match &roles[..] {
                [Role::Maintenance | Role::Member] => {}
                [Role::Begin, members @ .., Role::Commit | Role::Rollback] => {
                    assert!(members.iter().all(|role| *role == Role::Member) && !members.is_empty());
                    assert!(knobs.transaction_ops > 0 || workload.name() == "bank");
                }
                other => panic!("{}: {other:?}", workload.name()),
            }
        }
        let longest = plan.connections.iter().flatten().map(|transaction| transaction.ops.len()).max().unwrap();
        // A transfer is two operations and a read-then-write too, so that one more may come.
        assert!(longest <= knobs.transaction_ops as usize + 4, "{} {longest} {knobs:?}", workload.name());
    });
}

#[test]
fn a_plan_asks_for_nothing_but_what_it_needs() {
    each(|workload, knobs, plan| {
        let needs: BTreeSet<_> = workload.needs(knobs).into_iter().collect();
        for op in ops(plan) {
            assert!(needs.contains(op.name()), "{} does not say that it needs {}", workload.name(), op.name());
        }
    });
}

#[test]
fn leaving_out_a_transaction_changes_no_other() {
    each(|workload, knobs, plan| {
        let alone = workload.transaction(knobs, 3, 17, &mut crate::tape::Draws::new(5, "plan", 3, 17));
        let whole = &workload.plan(knobs, 5, 4, 50).connections[3][17];
        assert_eq!((&alone.ops, plan.connections.len()), (&whole.ops, 4));
    });
}

#[test]
fn settling_reads_every_key_that_was_written() {
    each(|workload, knobs, plan| {
        let mut map = Map::default();
        for op in ops(plan) {
            map.apply(op);
        }
        let read: BTreeSet<String> = plan
            .settle
            .iter()
            .flat_map(|transaction| &transaction.ops)
            .flat_map(|op| match (op, map.apply(op)) {
                (KvOp::Get(key), _) => vec![key.to_string()],
                (_, KvValue::Rows(rows)) => rows.into_iter().map(|row| row.0).collect(),
                _ => Vec::new(),
            })
            .collect();
        assert!(map.0.keys().all(|key| read.contains(key)), "{} {knobs:?}", workload.name());
    });
}

#[test]
fn knobs_at_zero_ask_for_no_maintenance_no_rollback_and_no_read() {
    let knobs = Knobs {
        reads_percent: 0,
        rollbacks_percent: 0,
        checkpoints_permille: 0,
        vacuums_permille: 0,
        ..Knobs::default()
    };
    for workload in all() {
        let plan = workload.plan(&knobs, 1, 4, 100);
        let unwanted = |op: &&KvOp| {
            let reads = matches!(op, KvOp::Get(_) | KvOp::Scan(..) | KvOp::Pop(_)) && workload.name() != "rw-register";
            reads || matches!(op, KvOp::Checkpoint | KvOp::Vacuum | KvOp::Rollback)
        };
        let ops = plan.connections.iter().flatten().flat_map(|transaction| &transaction.ops);
        assert_eq!(ops.into_iter().find(unwanted), None, "{}", workload.name());
    }
}

#[test]
fn knobs_set_the_rates_of_checkpoints_rollbacks_and_reads() {
    let knobs = Knobs { reads_percent: 30, rollbacks_percent: 20, checkpoints_permille: 100, ..Knobs::default() };
    let plan = Register.plan(&knobs, 1, 4, 2500);
    let count = |wanted: fn(&KvOp) -> bool| {
        plan.connections.iter().flatten().flat_map(|transaction| &transaction.ops).filter(|op| wanted(op)).count()
    };
    // 10,000 transactions: a checkpoint in a tenth, of the rest a fifth given up; wide of four deviations.
    assert!((880..1120).contains(&count(|op| matches!(op, KvOp::Checkpoint))));
    assert!((1600..2000).contains(&count(|op| matches!(op, KvOp::Rollback))));
    let (reads, writes) = (count(|op| matches!(op, KvOp::Get(_))), count(|op| matches!(op, KvOp::Put(..))));
    let percent = reads * 100 / (reads + writes);
    assert!((28..33).contains(&percent), "{percent}% reads");
}

#[test]
fn keys_are_chosen_as_the_knob_says() {
    let keys_of = |key_choice| {
        let knobs = Knobs { keys: 10, key_choice, transaction_ops: 0, checkpoints_permille: 0, ..Knobs::default() };
        let knobs = Knobs { vacuums_permille: 0, ..knobs };
        let plan = Register.plan(&knobs, 3, 2, 1000);
        let key = |transaction: &Transaction<Kv>| Kv::call(&transaction.ops[0]).key.unwrap();
        plan.connections.iter().map(|list| list.iter().map(key).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let hot = keys_of(KeyChoice::Hot).concat().iter().filter(|key| ***key < *"k0002").count();
    assert!((1580..1780).contains(&hot), "{hot} of 2000 on the hottest two of ten keys: 84% expected");
    let cold = keys_of(KeyChoice::Cold).concat().iter().filter(|key| ***key < *"k0002").count();
    assert!((330..470).contains(&cold), "{cold} of 2000 on two of ten keys: 20% expected");
    let colliding = keys_of(KeyChoice::Colliding);
    let together = colliding[0].iter().zip(&colliding[1]).filter(|(a, b)| a == b).count();
    assert!((430..570).contains(&together), "{together} of 1000 together: half expected");
    let ascending = keys_of(KeyChoice::Ascending);
    assert!(ascending[0].iter().zip(0u32..).all(|(key, n)| **key == *format!("k{:04}", n % 10)));
}

#[test]
fn compare_and_set_succeeds_often_enough_to_mean_something() {
    for transaction_ops in [0, 3] {
        let knobs = Knobs { transaction_ops, checkpoints_permille: 0, vacuums_permille: 0, ..Knobs::default() };
        let plan = CompareAndSet.plan(&knobs, 9, 4, 500);
        let (mut map, mut met, mut absent) = (Map::default(), 0, 0);
        for ordinal in 0..500 {
            for op in plan.connections.iter().flat_map(|list| &list[ordinal].ops) {
                if let (KvValue::Bool(true), KvOp::Cas { expected, .. }) = (map.apply(op), op) {
                    *(if expected.is_some() { &mut met } else { &mut absent }) += 1;
                }
            }
        }
        // Of some 1,000 (3,000) guesses; four connections take turns.
        assert!(met >= 15 && absent >= 60, "{met} met a neighbour's value, {absent} met nothing");
    }
}

#[test]
fn the_history_of_a_set_speaks_of_elements() {
    let key: crate::engine::kv::Key = "k0001".into();
    let new = Value { id: "c1.2.3".parse().unwrap(), len: 0 };
    let add = KvOp::Cas { key: key.clone(), expected: None, new };
    let mut map = Map::default();
    let told = |op: &KvOp, value: &KvValue| {
        let call = Set.call(op);
        format!("{} {} {} -> {}", call.f, call.key.unwrap(), call.arg, Set.output(op, value))
    };
    let lines: Vec<_> = [&add, &add, &KvOp::Get(key.clone()), &KvOp::Delete(key.clone()), &KvOp::Get(key.clone())]
        .map(|op| told(op, &map.apply(op)))
        .into();
    expect_test::expect![[r#"
        add set "k0001" -> true
        add set "k0001" -> false
        contains set "k0001" -> true
        remove set "k0001" -> true
        contains set "k0001" -> false"#]]
    .assert_eq(&lines.join("\n"));
    let torn = told(&KvOp::Get(key), &KvValue::Bytes(Some(vec![0; 4])));
    assert!(torn.contains("garbage"), "{torn}");
}

#[test]
fn the_history_of_a_queue_says_enqueue_and_dequeue() {
    let key: crate::engine::kv::Key = "k0000".into();
    let append = KvOp::Append(key.clone(), Value { id: "c1.2.3".parse().unwrap(), len: 9 });
    assert_eq!(Queue.call(&append).f, "enqueue");
    assert_eq!(Queue.call(&KvOp::Pop(key.clone())).f, "dequeue");
    let mut map = Map::default();
    let told = [&append, &KvOp::Pop(key.clone()), &KvOp::Pop(key.clone()), &KvOp::Get(key)]
        .map(|op| Queue.output(op, &map.apply(op)).to_string());
    assert_eq!(told, ["nil", "c1.2.3", "nil", "nil"]);
}

#[test]
fn the_bank_holds_its_total_after_every_whole_transaction() {
    let knobs = Knobs { keys: 5, rollbacks_percent: 0, ..Knobs::default() };
    let plan = Bank.plan(&knobs, 4, 3, 100);
    let facts: BTreeMap<_, _> = Bank.facts(&knobs).into_iter().collect();
    let mut map = Map::default();
    for transaction in transactions(&plan) {
        for op in &transaction.ops {
            map.apply(op);
        }
        let balances = map.0.values().map(|bytes| match decode(bytes) {
            Datum::Int(balance) => balance,
            other => panic!("{other}"),
        });
        assert_eq!(Datum::Int(balances.sum()), facts["total"]);
    }
    assert_eq!(Datum::Int(map.0.len() as i64), facts["accounts"]);
}
