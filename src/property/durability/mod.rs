//! What was acknowledged and promised is there after every recovery; what was given up is not; what was in
//! doubt is there whole or not at all, and stays as it was found.
//!
//! It compares what the first reads after a recovery show with what had been asked for before. It does not
//! judge reads before the crash (see isolation) nor the order of concurrent writes.
//!
//! | promise | must be there | beyond that |
//! |---|---|---|
//! | every commit | everything acknowledged | in doubt: either, whole |
//! | at checkpoint | what was acknowledged before the last acknowledged checkpoint was asked for | no hole: nothing is lost that came before something that survived |
//! | none | nothing | whole |
//!
//! Where the media has been damaged, the last commits before a crash need not be there: damage to the end of a log cannot
//! be told from commits that the crash cut off, and nothing has been written after them that could tell. Each fault of
//! the media excuses as many as may lie in one page of the disk. Everything before them must be there, or the engine
//! must say that it is damaged.

mod counter;
mod list;
mod register;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{Cell, Deed, Kind, cells};
use super::digest::{Digest, Fate};
use super::{Finding, Judgement, Property, RunRecord};
use crate::engine::Durability;
use crate::history::Datum;
use written::{Base, Complaint, Seen, View, Written};

/// How many commits may lie in one page of the disk, which is what a fault of the media damages at most: dinghy's
/// smallest are two frames of 1,024 bytes, and three of them touch a page of 4,096.
const COMMITS_IN_A_PAGE: usize = 3;

/// What was promised to be durable is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durable;

impl Property for Durable {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn about(&self) -> &'static str {
        "what was acknowledged and promised is there after every recovery, what was given up is not, nothing is there by half"
    }

    fn allows_for_damage(&self) -> bool {
        true
    }

    fn for_image(&self) -> Option<Box<dyn Property>> {
        Some(Box::<Self>::default())
    }

    fn judge(&mut self, run: &RunRecord<'_>) -> Judgement {
        if run.betrayed {
            return Judgement::inconclusive("a sync answered for what was lost: nothing can be promised on its word");
        }
        let digest = Digest::new(run.history);
        if digest.recovered.iter().all(Option::is_none) {
            return Judgement::inconclusive("the engine was never reopened after a crash");
        }
        let cells = cells(&digest);
        let mut audit = Audit::new(&digest, &cells, run.promises.durability);
        audit.losable = usize::try_from(run.media_faults).unwrap_or(usize::MAX).saturating_mul(COMMITS_IN_A_PAGE);
        for era in 1..digest.recovered.len() as u32 {
            if let Some((complaint, cell)) = audit.era(era) {
                return Judgement::violated(finding(&digest, complaint, cell), audit.compared);
            }
        }
        Judgement::settle(audit.compared, "nothing that had been written was read back after a recovery")
    }
}

fn finding(digest: &Digest<'_>, complaint: Complaint, cells: Vec<String>) -> Finding {
    let mut proof: Vec<String> =
        digest.ids(complaint.ops.iter().copied()).iter().map(|id| digest.say(id.0 as usize)).collect();
    proof.extend(complaint.proof);
    Finding {
        property: "durability".into(),
        anomaly: complaint.anomaly.into(),
        sentence: complaint.sentence,
        resources: cells,
        ops: digest.ids(complaint.ops.iter().copied()),
        turn: digest.last_turn(complaint.ops),
        proof,
    }
}

/// What is known of a cell so far.
struct Account<'a> {
    kind: Kind,
    base: Base<'a>,
    /// Everything asked for since the base, oldest first.
    live: Vec<Written<'a>>,
    /// The first touch not yet looked at.
    next: usize,
}

/// The accounts of all cells, era after era.
struct Audit<'d, 'a> {
    digest: &'d Digest<'a>,
    cells: &'d [Cell<'a>],
    promise: Durability,
    /// How many commits damage to the media may have taken from the end.
    losable: usize,
    /// Those that may be among them.
    last: BTreeSet<usize>,
    accounts: Vec<Account<'a>>,
    /// The operation that asked for each value.
    writers: BTreeMap<&'a Datum, usize>,
    /// Units that a recovery has shown to be lost.
    dead: Vec<bool>,
    /// Units in doubt that a recovery has shown to have happened, and when that was seen.
    confirmed: Vec<Option<i64>>,
    /// Operations whose values were not to be seen after an earlier recovery, lost or covered: nobody can tell.
    excused: BTreeSet<usize>,
    compared: u64,
}

impl<'d, 'a> Audit<'d, 'a> {
    fn new(digest: &'d Digest<'a>, cells: &'d [Cell<'a>], promise: Durability) -> Self {
        let account = |cell: &Cell<'a>| Account {
            kind: cell.kind(digest),
            base: Base { value: cell.initial(), read: None, from: -1, to: -1 },
            live: Vec::new(),
            next: 0,
        };
        let mut writers = BTreeMap::new();
        for touch in cells.iter().flat_map(|cell| &cell.touches) {
            if let Deed::Write(value @ Datum::Value(_)) | Deed::Append(value) = touch.deed {
                writers.insert(value, touch.op);
            }
        }
        let units = digest.units.len();
        let accounts = cells.iter().map(account).collect();
        let (dead, confirmed) = (vec![false; units], vec![None; units]);
        Self {
            digest,
            cells,
            promise,
            losable: 0,
            last: BTreeSet::new(),
            accounts,
            writers,
            dead,
            confirmed,
            excused: BTreeSet::new(),
            compared: 0,
        }
    }

    /// Compares what the recovery that began this era has left with what it had to leave.
    fn era(&mut self, era: u32) -> Option<(Complaint, Vec<String>)> {
        let checkpoint = self.checkpoint_before(era);
        let mut complaint = None;
        let mut seen = Vec::new();
        (0..self.cells.len()).for_each(|index| self.look_at(index, era));
        if self.losable > 0 {
            self.last = self.last_commits();
        }
        for index in 0..self.cells.len() {
            let Some((read, state)) = self.cells[index].settled(self.digest, era) else { continue };
            let account = &self.accounts[index];
            if !self.trusts(account, checkpoint) {
                self.settle(index, read, state);
                continue;
            }
            self.compared += u64::from(!account.live.is_empty() || account.base.read.is_some());
            let view = View {
                digest: self.digest,
                cell: &self.cells[index],
                base: &account.base,
                live: &account.live,
                state,
                read,
                writers: &self.writers,
                required: &|written| self.required(written, checkpoint),
            };
            let report = match account.kind {
                Kind::Register => register::judge(&view),
                Kind::Counter => counter::judge(&view),
                Kind::List => list::judge(&view),
                Kind::Mixed => continue,
            };
            complaint = complaint.or(report.complaint.map(|complaint| (complaint, vec![self.cells[index].name()])));
            self.excused.extend(report.excused);
            seen.extend(report.seen.into_iter().map(|seen| (seen, index)));
            self.settle(index, read, state);
        }
        seen.sort_by_key(|(seen, cell)| (seen.unit, *cell));
        // That a transaction is there by half says more than that one of its writes is lost.
        let complaint = self.halves(&seen).or(complaint).or_else(|| self.hole(&seen));
        self.remember(&seen);
        complaint
    }

    /// Takes everything asked for before this era into the account.
    fn look_at(&mut self, index: usize, era: u32) {
        let (account, touches) = (&mut self.accounts[index], &self.cells[index].touches);
        while let Some(touch) = touches.get(account.next).filter(|touch| self.digest.ops[touch.op].era < era) {
            account.next += 1;
            if touch.deed.writes() {
                account.live.push(Written::new(self.digest, touch));
            }
        }
        for written in &mut account.live {
            written.dead = self.dead[written.unit];
            written.excused = self.excused.contains(&written.op);
            if let (Some(time), Fate::Maybe) = (self.confirmed[written.unit], written.fate) {
                (written.fate, written.to) = (Fate::Sure, time);
            }
        }
        // Of several writes of one unit to a cell that holds one value, the last decides.
        let mut last = BTreeMap::new();
        for (index, written) in account.live.iter().enumerate() {
            if let (Deed::Write(_), true) = (written.deed, written.fate != Fate::Never) {
                last.insert(written.unit, index);
            }
        }
        for (index, written) in account.live.iter_mut().enumerate() {
            written.overwritten = last.get(&written.unit).is_some_and(|&last| last > index);
        }
    }

    /// The units after which no more than [`Self::losable`] others have surely been committed.
    fn last_commits(&self) -> BTreeSet<usize> {
        let live = self.accounts.iter().flat_map(|account| &account.live);
        let sure = live.filter(|written| written.fate == Fate::Sure && !written.dead);
        let units: BTreeMap<usize, &Written<'_>> = sure.map(|written| (written.unit, written)).collect();
        let later = |unit: &Written<'_>| units.values().filter(|other| unit.before(other)).count();
        units.iter().filter(|(_, unit)| later(unit) < self.losable).map(|(&number, _)| number).collect()
    }

    fn required(&self, written: &Written<'_>, checkpoint: i64) -> bool {
        let promised = match self.promise {
            Durability::EveryCommit => true,
            Durability::AtCheckpoint => written.to < checkpoint,
            Durability::None => false,
        };
        let is_last = self.last.contains(&written.unit);
        promised && written.fate == Fate::Sure && !written.dead && !written.excused && !is_last
    }

    /// When the last checkpoint was asked for that was acknowledged before this era.
    fn checkpoint_before(&self, era: u32) -> i64 {
        let done = |op: &&super::digest::Op<'_>| op.call.f == "checkpoint" && op.answer().is_some() && op.era < era;
        self.digest.ops.iter().rev().find(done).map_or(-1, |op| op.from)
    }

    /// A sum does not tell which additions are in it, so that one that may be lost says nothing about the next.
    fn trusts(&self, account: &Account<'_>, checkpoint: i64) -> bool {
        let kept = match self.promise {
            Durability::EveryCommit => true,
            Durability::AtCheckpoint => account.base.to < checkpoint,
            Durability::None => false,
        };
        account.kind != Kind::Counter || account.base.read.is_none() || kept
    }

    /// From here on the cell holds what was read. An engine that may lose commits may lose this again.
    fn settle(&mut self, index: usize, read: usize, state: &'a Datum) {
        if self.promise == Durability::EveryCommit || self.accounts[index].kind == Kind::Counter {
            let op = &self.digest.ops[read];
            let account = &mut self.accounts[index];
            account.base = Base { value: state, read: Some(read), from: op.from, to: op.to };
            account.live.clear();
        }
    }

    fn remember(&mut self, seen: &[(Seen, usize)]) {
        for (seen, _) in seen {
            match seen.present {
                true => self.confirmed[seen.unit] = Some(self.digest.ops[seen.read].to),
                false => self.dead[seen.unit] = true,
            }
        }
    }

    /// A transaction of which one cell shows the effect and another shows that there is none.
    fn halves(&self, seen: &[(Seen, usize)]) -> Option<(Complaint, Vec<String>)> {
        let halved = |unit: &[(Seen, usize)]| {
            let there = unit.iter().find(|entry| entry.0.present)?.clone();
            let gone = unit.iter().find(|entry| !entry.0.present)?.clone();
            Some((there, gone))
        };
        let (there, gone) = seen.chunk_by(|a, b| a.0.unit == b.0.unit).find_map(halved)?;
        let names = [there.1, gone.1].map(|cell| self.cells[cell].name());
        let process = self.digest.ops[there.0.op].process;
        let half = match there.1 == gone.1 {
            true if there.0.op == gone.0.op => format!("{} holds what it had itself overwritten", names[0]),
            true => format!("one of its changes to {} survived, another did not", names[0]),
            false => format!("its change to {} survived, its change to {} did not", names[0], names[1]),
        };
        let sentence = format!("A transaction of process {process} was there by half after the crash: {half}.");
        let ops = vec![there.0.op, there.0.read, gone.0.op, gone.0.read];
        let complaint = Complaint { anomaly: "half-transaction", sentence, ops, proof: Vec::new() };
        let mut names = names.to_vec();
        names.dedup();
        Some((complaint, names))
    }

    /// Something acknowledged is lost although something that came after it survived.
    fn hole(&self, seen: &[(Seen, usize)]) -> Option<(Complaint, Vec<String>)> {
        if self.promise != Durability::AtCheckpoint {
            return None;
        }
        let unit = |entry: &(Seen, usize)| &self.digest.units[entry.0.unit];
        let lost =
            |entry: &&(Seen, usize)| !entry.0.present && unit(entry).fate == Fate::Sure && !self.dead[entry.0.unit];
        let lost = seen.iter().filter(lost).min_by_key(|entry| unit(entry).to)?;
        let kept = seen.iter().filter(|entry| entry.0.present).max_by_key(|entry| unit(entry).from)?;
        if unit(kept).from < unit(lost).to {
            return None;
        }
        let digest = self.digest;
        let sentence = format!(
            "{} was acknowledged and then lost in the crash, although {}, which was asked for later, survived it.",
            written::name(digest, lost.0.op),
            written::name(digest, kept.0.op)
        );
        let ops = vec![lost.0.op, kept.0.op, lost.0.read, kept.0.read];
        let names = [lost.1, kept.1].map(|cell| self.cells[cell].name()).to_vec();
        Some((Complaint { anomaly: "hole", sentence, ops, proof: Vec::new() }, names))
    }
}

#[cfg(test)]
mod tests;
