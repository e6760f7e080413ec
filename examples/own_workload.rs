//! A workload of one's own: seats are booked in pairs, so an even number is taken whenever anybody looks.
//!
//! The judge is squall's `bank-total`, told by the workload what the total must be: each booking takes from what
//! is free and gives to what is taken. `dinghy` with the bug `dirty-read` lets somebody look in the middle:
//! `cargo run --example own_workload -- run seats`.

use std::process::ExitCode;
use std::sync::Arc;

use squall::engine::kv::{Kv, KvOp};
use squall::engines::dinghy::Dinghy;
use squall::history::Datum;
use squall::property;
use squall::scenario::Registry;
use squall::tape::Draws;
use squall::workload::{Knobs, Transaction, Workload};

const SEATS: i64 = 60;

struct Seats;

impl Seats {
    fn free(row: u64) -> Arc<str> {
        format!("row{row}.free").into()
    }

    fn taken(row: u64) -> Arc<str> {
        format!("row{row}.taken").into()
    }

    fn look() -> Transaction<Kv> {
        Transaction { ops: vec![KvOp::Begin, KvOp::Scan("row".into(), "row~".into()), KvOp::Commit] }
    }
}

impl Workload<Kv> for Seats {
    fn name(&self) -> &'static str {
        "seats"
    }

    fn about(&self) -> &'static str {
        "Seats are booked in pairs; what is free and what is taken add up to all."
    }

    fn needs(&self, _: &Knobs) -> Vec<&'static str> {
        vec!["begin", "add", "scan", "commit"]
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &["bank-total", "integrity"]
    }

    fn setup(&self, knobs: &Knobs) -> Vec<Transaction<Kv>> {
        let open = |row| KvOp::Add(Self::free(row), SEATS);
        let rows = (0..u64::from(knobs.keys)).map(open);
        vec![Transaction { ops: std::iter::once(KvOp::Begin).chain(rows).chain([KvOp::Commit]).collect() }]
    }

    /// A function of the draws alone: never of what the engine answered.
    fn transaction(&self, knobs: &Knobs, _: u16, _: u32, draws: &mut Draws) -> Transaction<Kv> {
        if draws.below(100) < u64::from(knobs.reads_percent) {
            return Self::look();
        }
        let row = draws.below(u64::from(knobs.keys));
        let ops = vec![KvOp::Begin, KvOp::Add(Self::free(row), -2), KvOp::Add(Self::taken(row), 2), KvOp::Commit];
        Transaction { ops }
    }

    fn settle(&self, _: &Knobs) -> Vec<Transaction<Kv>> {
        vec![Self::look()]
    }

    fn facts(&self, knobs: &Knobs) -> Vec<(&'static str, Datum)> {
        vec![("total", Datum::Int(SEATS * i64::from(knobs.keys)))]
    }
}

const SCENARIO: &str = r#"
expect = "violated"
found_within = 20
about = "Bookings, on an engine that shows what is not committed."
workload = "seats"
connections = 4
transactions = 20

[knobs]
keys = 3

[engine]
bugs = ["dirty-read"]
"#;

fn main() -> ExitCode {
    let registry = Registry::new().program("own_workload").engine::<Kv, Dinghy>().workload::<Kv>(Box::new(Seats));
    let registry = registry.property(|| property::by_name("bank-total").expect("it comes with squall"));
    let registry = registry.property(|| property::by_name("integrity").expect("it comes with squall"));
    squall::cli::main(registry.scenario("seats", SCENARIO))
}
