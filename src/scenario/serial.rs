//! Committed transactions asked again of an engine, one after the other, on a disk that works: what it then holds.

use std::rc::Rc;

use super::run::Target;
use crate::disk::sim::FaultRules;
use crate::engine::{Engine, EngineInfo, Family, Options};
use crate::history::{Call, Datum, Fact, Outcome};
use crate::property::differential::{Content, Reference};
use crate::sim::{self, RunConfig, RunResult, WorldConfig};
use crate::tape::{Draws, Tape};
use crate::workload::{Knobs, Plan, Transaction, Workload};

/// Before and after every key.
const ALL: [&str; 2] = ["", "\u{10ffff}"];

/// An engine of the registry, asked again.
pub(super) struct OnTarget(pub(super) Rc<dyn Target>);

impl Reference for OnTarget {
    fn name(&self) -> &str {
        self.0.info().name
    }

    fn replay(&self, transactions: &[Vec<Call>]) -> Result<Content, String> {
        self.0.replay(transactions)
    }
}

/// Asks an engine with its default options.
pub(super) fn replay<F: Family, E: Engine<F>>(
    info: &EngineInfo,
    transactions: &[Vec<Call>],
) -> Result<Content, String> {
    let recall = |call: &Call| {
        let unknown = || format!("`{}` cannot be asked again in the family `{}`", call.f, F::NAME);
        F::recall(call).ok_or_else(unknown)
    };
    let transaction =
        |calls: &[Call]| Ok(Transaction { ops: calls.iter().map(recall).collect::<Result<_, String>>()? });
    let scripts: Vec<Transaction<F>> =
        transactions.iter().map(|calls| transaction(calls)).collect::<Result<_, String>>()?;
    let range = Datum::List(ALL.map(|end| Datum::Text(end.into())).to_vec());
    let everything = transaction(&[Call { f: "scan", key: None, arg: range }])?;
    let options =
        Options::resolve(info.options, info.bugs, &Default::default(), &[]).map_err(|error| error.to_string())?;
    let plan = Plan { setup: Vec::new(), connections: vec![scripts], settle: vec![everything], probe: Vec::new() };
    let config = RunConfig { seed: 0, options, plan, rules: FaultRules::default(), world: WorldConfig::default() };
    content(info.name, &sim::run::<F, E>(&config, &Again, &[], &mut [], Tape::seeded(0)))
}

/// What the last scan showed, if everything was done.
fn content(name: &str, run: &RunResult) -> Result<Content, String> {
    if let Some(finding) = run.findings.first() {
        return Err(format!("{name}, asked again, did not get through: {}", finding.sentence));
    }
    let mut last = None;
    for event in &run.history.events {
        match &event.fact {
            Fact::Return { outcome: Outcome::Ok(answer), .. } => last = Some(answer),
            Fact::Return { outcome: Outcome::Refused(class) | Outcome::Unknown(class), .. } => {
                return Err(format!("{name}, asked again, refused what had been committed ({class})"));
            }
            _ => {}
        }
    }
    match last {
        Some(Datum::Rows(rows)) => Ok(rows.iter().cloned().collect()),
        _ => Err(format!("{name} cannot show everything it holds")),
    }
}

/// A workload without a will of its own: its plan is what was committed elsewhere.
struct Again;

impl<F: Family> Workload<F> for Again {
    fn name(&self) -> &'static str {
        "again"
    }

    fn about(&self) -> &'static str {
        "what another run has committed"
    }

    fn needs(&self, _: &Knobs) -> Vec<&'static str> {
        Vec::new()
    }

    fn properties(&self, _: &Knobs) -> &'static [&'static str] {
        &[]
    }

    fn transaction(&self, _: &Knobs, _: u16, _: u32, _: &mut Draws) -> Transaction<F> {
        Transaction { ops: Vec::new() }
    }

    fn settle(&self, _: &Knobs) -> Vec<Transaction<F>> {
        Vec::new()
    }
}
