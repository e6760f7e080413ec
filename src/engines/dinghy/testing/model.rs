//! What the database should be, and what clients should have been told.
//!
//! The model believes nothing but the engine's own commit order, and checks everything else against it:
//! every answer of every transaction, committed or not, must be that of one version of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::engine::kv::{KvOp, KvValue, decode};
use crate::engines::dinghy::statement::{Effect, Write, effect};

/// Keys with their values.
pub(super) type Rows = BTreeMap<String, Vec<u8>>;

/// A transaction as its client saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub open: bool,
    /// The last commit acknowledged before it began.
    pub lower: u64,
    pub answers: Vec<(KvOp, KvValue)>,
    /// Asked, not answered.
    pub asked: Option<KvOp>,
}

/// What the database should be.
#[derive(Default)]
pub(super) struct Model {
    pub serializable: bool,
    pub every_commit: bool,
    /// The last commit before the last checkpoint that was acknowledged began.
    pub checkpointed: u64,
    /// Committed transactions by their place.
    pub committed: BTreeMap<u64, Record>,
    /// Given up, refused, or read-only.
    pub others: Vec<Record>,
    /// Nobody knows.
    pub doubtful: Vec<Record>,
    pub acknowledged: u64,
    /// What the database was before all that, and after how many commits.
    pub base: (u64, Rows),
}

impl Record {
    /// The version that follows `before`, if the transaction's answers are those of `before`.
    fn on(&self, before: &Rows) -> Result<Rows, String> {
        let mut rows = before.clone();
        for (op, answer) in &self.answers {
            let expected = apply(op, &mut rows);
            if *answer != expected {
                return Err(format!("{op:?} was answered {answer:?} instead of {expected:?}"));
            }
        }
        if let Some(op) = &self.asked {
            apply(op, &mut rows);
        }
        Ok(rows)
    }

    fn writes(&self, before: &Rows, after: &Rows) -> Vec<String> {
        let keys = before.keys().chain(after.keys());
        keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
    }

    /// Whether it can have had an effect without having been answered.
    fn may_commit(&self) -> bool {
        match &self.asked {
            Some(KvOp::Commit | KvOp::Vacuum) => true,
            Some(KvOp::Begin | KvOp::Rollback | KvOp::Checkpoint) | None => false,
            Some(_) => !self.open,
        }
    }
}

fn apply(op: &KvOp, rows: &mut Rows) -> KvValue {
    let key = match op {
        KvOp::Scan(from, to) => {
            let range =
                rows.range::<str, _>((Bound::Included(&**from), Bound::Included(std::cmp::max(&**from, &**to))));
            return KvValue::Rows(range.map(|(key, value)| (key.clone(), value.clone())).collect());
        }
        KvOp::Get(key) | KvOp::Delete(key) | KvOp::Pop(key) => key,
        KvOp::Put(key, _) | KvOp::Append(key, _) | KvOp::Add(key, _) | KvOp::Cas { key, .. } => key,
        _ => return KvValue::Unit,
    };
    let Effect { answer, write } = effect(op, rows.get(&**key).cloned()).unwrap();
    match write {
        Write::Keep => {}
        Write::Put(value) => drop(rows.insert(key.to_string(), value)),
        Write::Remove => drop(rows.remove(&**key)),
    }
    answer
}

/// The keys under which the database does not hold what it should.
fn differences(rows: &Rows, expected: &Rows) -> String {
    let show = |value: Option<&Vec<u8>>| value.map_or_else(|| "nothing".into(), |value| decode(value).to_string());
    let keys: BTreeSet<_> = rows.keys().chain(expected.keys()).collect();
    let wrong = keys.into_iter().filter(|key| rows.get(*key) != expected.get(*key));
    let lines = wrong.map(|key| format!("{key}: {} instead of {}", show(rows.get(key)), show(expected.get(key))));
    lines.collect::<Vec<_>>().join("; ")
}

impl Model {
    /// Finds the history that explains what was answered and what the database holds after so many commits;
    /// goes on from there.
    pub(super) fn explain(&mut self, rows: &Rows, sequence: u64) -> Result<(), String> {
        if sequence < if self.every_commit { self.acknowledged } else { self.checkpointed } {
            return Err(format!("commit {} was acknowledged, the database has {sequence}", self.acknowledged));
        }
        let doubtful: Vec<_> = self.doubtful.iter().filter(|record| record.may_commit()).cloned().collect();
        let mut first_error = None;
        let mut unused: Vec<_> = doubtful.iter().collect();
        let mut versions = vec![self.base.1.clone()];
        match self.search(&mut versions, &mut unused, (rows, sequence), &mut first_error) {
            true => {
                // What is still in doubt may come back after a crash, as long as nobody else has committed.
                self.doubtful = unused.into_iter().cloned().collect();
                self.base = (sequence, rows.clone());
                self.acknowledged = sequence;
                self.committed.clear();
                self.others.clear();
                Ok(())
            }
            false => {
                let why = first_error.unwrap_or_else(|| "no order of the commits explains it".into());
                let known: Vec<_> = self.committed.keys().collect();
                Err(format!("{why}\n  commits after {}: {known:?}\n  in doubt: {doubtful:?}", self.base.0))
            }
        }
    }

    /// Puts the commits in their order, and those in doubt where one is missing or at the end.
    fn search(
        &self,
        versions: &mut Vec<Rows>,
        unused: &mut Vec<&Record>,
        found: (&Rows, u64),
        error: &mut Option<String>,
    ) -> bool {
        let order = self.base.0 + versions.len() as u64;
        let known = self.committed.last_key_value().map_or(0, |(order, _)| *order);
        if order > found.1.max(known) {
            return self.ends_well(versions, found, error);
        }
        if let Some(record) = self.committed.get(&order) {
            return match self.follow(record, versions) {
                Ok(next) => {
                    versions.push(next);
                    let explained = self.search(versions, unused, found, error);
                    if !explained {
                        versions.pop();
                    }
                    explained
                }
                Err(why) => {
                    error.get_or_insert(format!("commit {order}: {why}"));
                    false
                }
            };
        }
        for nth in 0..unused.len() {
            let record = unused.remove(nth);
            if let Ok(next) = self.follow(record, versions) {
                versions.push(next);
                if self.search(versions, unused, found, error) {
                    return true;
                }
                versions.pop();
            }
            unused.insert(nth, record);
        }
        false
    }

    /// Whether the last version is what the database holds, and all who have not committed saw some version.
    fn ends_well(&self, versions: &[Rows], found: (&Rows, u64), error: &mut Option<String>) -> bool {
        // What was acknowledged and not promised may be lost; that it was answered rightly is looked at all the same.
        let left = &versions[(found.1 - self.base.0) as usize];
        if left != found.0 {
            error.get_or_insert_with(|| differences(found.0, left));
            return false;
        }
        match self.others.iter().find_map(|record| self.snapshot_of(record, versions).err()) {
            Some(why) => {
                error.get_or_insert(why);
                false
            }
            None => true,
        }
    }

    /// The version after a commit that comes after `versions`.
    fn follow(&self, record: &Record, versions: &[Rows]) -> Result<Rows, String> {
        let last = versions.last().expect("there is a base");
        if self.serializable || !record.open && !record.answers.is_empty() {
            return record.on(last);
        }
        let seen = self.snapshot_of(record, versions)?;
        let after = record.on(&versions[seen])?;
        let mut next = last.clone();
        for key in record.writes(&versions[seen], &after) {
            if versions[seen].get(&key) != last.get(&key) {
                return Err(format!("{key} was overtaken"));
            }
            match after.get(&key) {
                Some(value) => drop(next.insert(key, value.clone())),
                None => drop(next.remove(&key)),
            }
        }
        Ok(next)
    }

    /// The newest version that a transaction can have seen.
    fn snapshot_of(&self, record: &Record, versions: &[Rows]) -> Result<usize, String> {
        let lower = record.lower.saturating_sub(self.base.0) as usize;
        let seen = (lower..versions.len()).rev().find(|&version| record.on(&versions[version]).is_ok());
        seen.ok_or_else(|| {
            let why = versions.last().map(|rows| record.on(rows));
            format!("no version since commit {} explains {record:?}: {why:?}", record.lower)
        })
    }
}
