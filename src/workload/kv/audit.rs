//! The script of the re-entrancy audit: every operation of the family, over values short and long.
//!
//! It is not for searching: nothing in it is drawn. The first connection prepares, the second asks what is looked
//! at, the third what is asked afterwards and meanwhile.

use super::draft;
use crate::engine::kv::{Key, Kv, KvOp, Value};
use crate::tape::Draws;
use crate::workload::{Knobs, Transaction, Workload};

/// One of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit;

/// The length of a value that needs pages of its own, in bytes.
const LONG: u32 = 1_500;
/// Keys with short values; enough for a tree of several pages.
const KEYS: u32 = 24;

fn key(name: &str) -> Key {
    name.into()
}

/// What is asked, not yet in its place.
enum Ask {
    Op(KvOp),
    Put(Key, u32),
    Append(Key),
    Cas(Key, Option<Value>),
}

/// The script of a connection.
fn script(connection: u16) -> Vec<Vec<Ask>> {
    match connection % 3 {
        0 => prepare(),
        1 => subjects(),
        _ => follows(),
    }
}

fn prepare() -> Vec<Vec<Ask>> {
    let put = |index| vec![Ask::Put(draft::key(index), 40)];
    let mut script: Vec<Vec<Ask>> = (0..KEYS).map(put).collect();
    script.extend(["long0", "long1", "long2"].map(|name| vec![Ask::Put(key(name), LONG)]));
    script.push(vec![Ask::Op(KvOp::Checkpoint)]);
    // From here on there is a log to recover, and there are pages to give back.
    script.push(vec![Ask::Op(KvOp::Delete(key("long2")))]);
    script.push(vec![Ask::Put(draft::key(1), 60)]);
    script.push(vec![Ask::Op(KvOp::Begin), Ask::Put(key("cas"), 0), Ask::Op(KvOp::Commit)]);
    script.extend([0, 1, 2].map(|_| vec![Ask::Append(key("list"))]));
    script.push(vec![Ask::Op(KvOp::Add(key("n"), 5))]);
    script.push(vec![Ask::Op(KvOp::Add(key("n"), 2))]);
    script
}

fn subjects() -> Vec<Vec<Ask>> {
    let alone = |op| vec![Ask::Op(op)];
    // What the preparation left under `cas`: transaction 30 of connection 0, its second operation.
    let current = Value { id: draft::id(0, KEYS + 6, 1), len: 0 };
    vec![
        alone(KvOp::Get(draft::key(1))),
        alone(KvOp::Get(key("long0"))),
        alone(draft::scan_all()),
        vec![Ask::Put(draft::key(2), 30)],
        vec![Ask::Put(draft::key(3), LONG)],
        alone(KvOp::Delete(draft::key(4))),
        alone(KvOp::Delete(key("long1"))),
        vec![Ask::Cas(key("cas"), Some(current))],
        vec![Ask::Cas(key("cas"), None)],
        alone(KvOp::Add(key("n"), 3)),
        vec![Ask::Append(key("list"))],
        alone(KvOp::Pop(key("list"))),
        vec![
            Ask::Op(KvOp::Begin),
            Ask::Op(KvOp::Get(key("long0"))),
            Ask::Put(key("long0"), LONG),
            Ask::Op(KvOp::Delete(draft::key(5))),
            Ask::Op(KvOp::Add(key("n"), 4)),
            Ask::Op(draft::scan_all()),
            Ask::Op(KvOp::Commit),
        ],
        vec![Ask::Op(KvOp::Begin), Ask::Put(draft::key(6), 20), Ask::Op(KvOp::Rollback)],
        alone(KvOp::Checkpoint),
        alone(KvOp::Vacuum),
    ]
}

fn follows() -> Vec<Vec<Ask>> {
    vec![
        vec![Ask::Op(KvOp::Add(key("n"), 100))],
        vec![Ask::Put(draft::key(2), LONG)],
        vec![Ask::Put(key("fresh"), LONG)],
        vec![Ask::Append(key("list"))],
        vec![Ask::Op(KvOp::Checkpoint)],
    ]
}

impl Workload<Kv> for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn about(&self) -> &'static str {
        "the script of `audit`: one of each operation, over values short and long; nothing in it is drawn"
    }

    fn needs(&self, _: &Knobs) -> Vec<&'static str> {
        vec!["read", "write", "scan"]
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["integrity"]
    }

    fn transaction(&self, _: &Knobs, connection: u16, ordinal: u32, _: &mut Draws) -> Transaction<Kv> {
        let mut script = script(connection);
        let at = ordinal as usize % script.len();
        let id = |op| draft::id(connection, ordinal, op);
        let op = |(place, ask)| match ask {
            Ask::Op(op) => op,
            Ask::Put(key, len) => KvOp::Put(key, Value { id: id(place), len }),
            Ask::Append(key) => KvOp::Append(key, Value { id: id(place), len: 0 }),
            Ask::Cas(key, expected) => KvOp::Cas { key, expected, new: Value { id: id(place), len: 0 } },
        };
        Transaction { ops: script.swap_remove(at).into_iter().enumerate().map(op).collect() }
    }

    fn settle(&self, _: &Knobs) -> Vec<Transaction<Kv>> {
        let reads = ["n", "long0", "list"].map(|name| KvOp::Get(key(name)));
        let alone = |op| Transaction { ops: vec![op] };
        std::iter::once(draft::scan_all()).chain(reads).map(alone).collect()
    }

    fn plan(&self, knobs: &Knobs, seed: u64, connections: u16, _: u32) -> crate::workload::Plan<Kv> {
        let of = |connection| {
            let one = |ordinal| {
                self.transaction(knobs, connection, ordinal, &mut Draws::new(seed, "plan", connection, ordinal))
            };
            (0..script(connection).len() as u32).map(one).collect()
        };
        crate::workload::Plan {
            setup: self.setup(knobs),
            connections: (0..connections.max(3)).map(of).collect(),
            settle: self.settle(knobs),
            probe: Vec::new(),
        }
    }
}
