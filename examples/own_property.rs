//! A property of one's own: every ticket number is handed out once.
//!
//! The workload `counter` that comes with squall adds to integers; here each sum that a connection is told is a
//! ticket. `dinghy` with the bug `lost-update` hands one out twice:
//! `cargo run --example own_property -- run tickets`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use squall::engine::kv::Kv;
use squall::engines::dinghy::Dinghy;
use squall::history::{Datum, Fact, OpId, Outcome};
use squall::property::{Finding, Judgement, Property, RunRecord, Verdict};
use squall::scenario::Registry;
use squall::workload::kv::Counter;

#[derive(Default)]
struct UniqueTickets;

impl Property for UniqueTickets {
    fn name(&self) -> &'static str {
        "unique-tickets"
    }

    fn about(&self) -> &'static str {
        "No two connections are told the same sum of one counter."
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        let mut asked: BTreeMap<OpId, Arc<str>> = BTreeMap::new();
        let mut sold: BTreeMap<(Arc<str>, i64), OpId> = BTreeMap::new();
        let mut compared = 0;
        for event in &run.history.events {
            match &event.fact {
                Fact::Invoke { op, call, .. } if call.f == "add" => drop(asked.insert(*op, call.key.clone().unwrap())),
                Fact::Return { op, outcome: Outcome::Ok(Datum::Int(ticket)), .. } => {
                    let Some(counter) = asked.remove(op) else { continue };
                    compared += 1;
                    if let Some(first) = sold.insert((counter.clone(), *ticket), *op) {
                        let finding = twice(&counter, *ticket, [first, *op], event.turn);
                        return Judgement { verdict: Verdict::Violated(Box::new(finding)), compared };
                    }
                }
                _ => {}
            }
        }
        match compared {
            // To have compared nothing is not to hold.
            0 => Judgement { verdict: Verdict::Inconclusive("no ticket was handed out".into()), compared },
            _ => Judgement { verdict: Verdict::Holds, compared },
        }
    }
}

fn twice(counter: &str, ticket: i64, ops: [OpId; 2], turn: u64) -> Finding {
    Finding {
        property: "unique-tickets".into(),
        anomaly: "ticket-twice".into(),
        sentence: format!("Ticket {ticket} of {counter} was handed out twice."),
        resources: vec![counter.into()],
        ops: ops.to_vec(),
        turn,
        proof: vec![format!("operations {} and {} were both told {ticket}", ops[0].0, ops[1].0)],
    }
}

const TICKETS: &str = r#"
expect = "violated"
found_within = 20
about = "Counters as ticket machines, on an engine that loses updates."
workload = "counter"
properties = ["unique-tickets"]
connections = 4
transactions = 20

[knobs]
keys = 2
reads-percent = 0
transaction-ops = 0

[engine]
bugs = ["lost-update"]
"#;

fn main() -> ExitCode {
    let registry = Registry::new().program("own_property").engine::<Kv, Dinghy>();
    let registry = registry.workload::<Kv>(Box::new(Counter)).property(|| Box::new(UniqueTickets));
    squall::cli::main(registry.scenario("tickets", TICKETS))
}
