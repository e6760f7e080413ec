//! A history put in order once, in one pass: operations, the units they belong to, and how each ended.
//!
//! It does not judge. A *unit* is what takes effect as a whole: a transaction, or an operation that stands
//! alone. Invariant: a unit whose commit was never asked for, or was refused, is [`Fate::Never`]; one whose
//! commit has no sure answer is [`Fate::Maybe`].
//!
//! ```text
//!  events:  invoke … return      CRASH  RECOVERED  invoke … return      CRASH …
//!  eras:    ├────────── 0 ──────────┤   ├────────────── 1 ──────────────┤
//! ```

use crate::history::{Call, Datum, Fact, History, OpId, Outcome};

/// A time that never comes. Times are indexes of events.
pub(crate) const NEVER: i64 = i64::MAX;

/// Whether something took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did.
    Sure,
    /// Nobody knows.
    Maybe,
    /// It did not.
    Never,
}

/// An operation with its beginning and its end.
#[derive(Clone, Debug)]
pub(crate) struct Op<'a> {
    pub(crate) id: OpId,
    pub(crate) process: u32,
    pub(crate) call: &'a Call,
    pub(crate) from: i64,
    /// [`NEVER`] when it has no answer.
    pub(crate) to: i64,
    pub(crate) outcome: Option<&'a Outcome>,
    /// The turn of its answer, or of its call when it has none.
    pub(crate) turn: u64,
    /// How many crashes came before it.
    pub(crate) era: u32,
    /// What it belongs to, an index of [`Digest::units`].
    pub(crate) unit: usize,
    /// Its own transaction has undone it, by rolling back to a savepoint before it.
    pub(crate) undone: bool,
}

impl<'a> Op<'a> {
    /// The value it answered, if it did what it was asked.
    pub(crate) fn answer(&self) -> Option<&'a Datum> {
        match self.outcome {
            Some(Outcome::Ok(value)) => Some(value),
            _ => None,
        }
    }

    /// Whether it took effect, as far as it goes: what becomes of its unit is another matter.
    fn own_fate(&self) -> Fate {
        match self.outcome {
            Some(Outcome::Ok(_)) => Fate::Sure,
            Some(Outcome::Refused(_)) => Fate::Never,
            Some(Outcome::Unknown(_)) | None => Fate::Maybe,
        }
    }
}

/// What takes effect as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Its operations, indexes of [`Digest::ops`], oldest first.
    pub(crate) ops: Vec<usize>,
    /// Whether it is a transaction rather than an operation that stands alone.
    pub(crate) transaction: bool,
    pub(crate) fate: Fate,
    /// It takes effect not before this …
    pub(crate) from: i64,
    /// … and not after that. In doubt it may do so until the next crash.
    pub(crate) to: i64,
    pub(crate) era: u32,
    /// The engine's own place among all commits.
    pub(crate) order: Option<u64>,
}

/// A history put in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest<'a> {
    /// Operations in the order of their calls.
    pub(crate) ops: Vec<Op<'a>>,
    pub(crate) units: Vec<Unit>,
    /// When each crash came; crash `e` ends era `e`.
    pub(crate) crashes: Vec<i64>,
    /// Per era, when the engine had recovered; the first is never recovered.
    pub(crate) recovered: Vec<Option<i64>>,
}

impl<'a> Digest<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let mut digest = Self { recovered: vec![None], ..Self::default() };
        let mut orders = Vec::new();
        let mut transactions: Vec<Option<usize>> = Vec::new();
        for (time, event) in history.events.iter().enumerate() {
            let time = time as i64;
            match &event.fact {
                Fact::Invoke { op, transaction, call } => {
                    let unit = digest.unit_of(*transaction, &mut transactions, time);
                    digest.units[unit].ops.push(digest.ops.len());
                    let (process, turn, era) = (event.process, event.turn, digest.crashes.len() as u32);
                    let (to, outcome) = (NEVER, None);
                    digest.ops.push(Op {
                        id: *op,
                        process,
                        call,
                        from: time,
                        to,
                        outcome,
                        turn,
                        era,
                        unit,
                        undone: false,
                    });
                    orders.push(None);
                }
                Fact::Return { op, outcome, order } => {
                    // Operations are numbered in the order of their calls.
                    if let Some(op) = digest.ops.get_mut(op.0 as usize) {
                        (op.to, op.turn, op.outcome) = (time, event.turn, Some(outcome));
                        orders[op.id.0 as usize] = *order;
                    }
                }
                Fact::Crash { .. } => {
                    digest.crashes.push(time);
                    digest.recovered.push(None);
                }
                Fact::Recovered => *digest.recovered.last_mut().expect("there is always an era") = Some(time),
                Fact::Checked { .. } => {}
            }
        }
        digest.settle_fates(&orders);
        digest.mark_undone();
        digest
    }

    /// Marks what transactions have undone themselves, between a savepoint and the way back to it.
    fn mark_undone(&mut self) {
        for unit in self.units.iter().filter(|unit| unit.transaction) {
            let mut savepoints: Vec<(&str, usize)> = Vec::new();
            for (at, &index) in unit.ops.iter().enumerate() {
                let (call, done) = (self.ops[index].call, self.ops[index].answer().is_some());
                let Some(name) = call.key.as_deref().filter(|_| done) else { continue };
                let known = savepoints.iter().rposition(|savepoint| savepoint.0 == name);
                match (call.f, known) {
                    ("savepoint", _) => savepoints.push((name, at)),
                    ("rollback-to", Some(known)) => {
                        let from = savepoints[known].1;
                        savepoints.truncate(known + 1);
                        unit.ops[from..at].iter().for_each(|&undone| self.ops[undone].undone = true);
                    }
                    ("release", Some(known)) => savepoints.truncate(known),
                    _ => {}
                }
            }
        }
    }

    fn unit_of(&mut self, transaction: Option<u32>, known: &mut Vec<Option<usize>>, time: i64) -> usize {
        let slot = transaction.map(|number| number as usize);
        if let Some(slot) = slot {
            known.resize(known.len().max(slot + 1), None);
            if let Some(unit) = known[slot] {
                return unit;
            }
            known[slot] = Some(self.units.len());
        }
        let era = self.crashes.len() as u32;
        let transaction = transaction.is_some();
        self.units.push(Unit { ops: vec![], transaction, fate: Fate::Never, from: time, to: NEVER, era, order: None });
        self.units.len() - 1
    }

    fn settle_fates(&mut self, orders: &[Option<u64>]) {
        for unit in &mut self.units {
            let decides = match unit.transaction {
                true => unit.ops.iter().copied().find(|&op| self.ops[op].call.f == "commit"),
                false => unit.ops.first().copied(),
            };
            let end_of_era = self.crashes.get(unit.era as usize).copied().unwrap_or(NEVER);
            unit.fate = decides.map_or(Fate::Never, |op| self.ops[op].own_fate());
            unit.order = decides.and_then(|op| orders[op]);
            unit.to = match unit.fate {
                Fate::Maybe => end_of_era,
                _ => unit.ops.last().map_or(NEVER, |&op| self.ops[op].to),
            };
        }
    }

    /// Whether the operation's effect is there for good.
    pub(crate) fn fate(&self, op: usize) -> Fate {
        let op = &self.ops[op];
        match (op.own_fate(), self.units[op.unit].fate) {
            _ if op.undone => Fate::Never,
            (Fate::Never, _) | (_, Fate::Never) => Fate::Never,
            (Fate::Sure, Fate::Sure) => Fate::Sure,
            _ => Fate::Maybe,
        }
    }

    /// The operation in words, for a proof.
    pub(crate) fn say(&self, op: usize) -> String {
        let Op { id, process, call, outcome, turn, unit, .. } = &self.ops[op];
        let key = call.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
        let arg = if call.arg == Datum::Null { String::new() } else { format!(" {}", call.arg) };
        let end = match outcome {
            None => format!("called in turn {turn}, never answered"),
            Some(Outcome::Ok(Datum::Null)) if call.f != "read" && call.f != "dequeue" => {
                format!("acknowledged in turn {turn}")
            }
            Some(Outcome::Ok(value)) => format!("answered {value} in turn {turn}"),
            Some(Outcome::Refused(class)) => format!("refused ({class}) in turn {turn}"),
            Some(Outcome::Unknown(class)) => format!("in doubt ({class}) since turn {turn}"),
        };
        let fate = match (self.units[*unit].transaction, self.units[*unit].fate) {
            (false, _) => "",
            (true, Fate::Sure) => "; its transaction committed",
            (true, Fate::Maybe) => "; its commit is in doubt",
            (true, Fate::Never) => "; its transaction never committed",
        };
        format!("operation {} of process {process}: {}{key}{arg}, {end}{fate}", id.0, call.f)
    }

    /// The numbers of these operations, oldest first, each once.
    pub(crate) fn ids(&self, ops: impl IntoIterator<Item = usize>) -> Vec<OpId> {
        let mut ids: Vec<OpId> = ops.into_iter().map(|op| self.ops[op].id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The last turn in which one of these operations was answered.
    pub(crate) fn last_turn(&self, ops: impl IntoIterator<Item = usize>) -> u64 {
        ops.into_iter().map(|op| self.ops[op].turn).max().unwrap_or(0)
    }
}
