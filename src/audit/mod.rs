//! The re-entrancy audit: every operation of an engine, with a wait forced at every place in turn.
//!
//! A function that returns `IOResult` is called again from its beginning; what stands above its yield happens
//! again. So each operation is made on a disk where nothing has to wait, and then again with a wait at its n-th
//! I/O, with waits at all of them, with an error there, given up there, and held up there while another
//! connection asks something. Answers, later reads and the engine's own check must be the same; after an error
//! or when given up, the operation must be wholly done or wholly not. No schedule is searched here and nothing
//! is drawn: the same engine gives the same report.

mod compare;
mod hub;
mod stage;
mod trial;

use std::collections::BTreeMap;

use serde::Serialize;

use self::compare::{Difference, Kind};
use self::hub::IoNote;
use self::stage::{Seen, Setting};
use self::trial::{Disturb, Include, Lab, Place, Record, Script, Subject};
use crate::aio::{ErrorKind, IoKind, Label};
use crate::engine::{Engine, EngineInfo, Family, Isolation, Options, Role, Spared};
use crate::history::Call;
use crate::workload::{Plan, Transaction, Workload};

/// Bounds of an audit.
#[derive(Clone, Copy, Debug)]
pub struct AuditBounds {
    /// At most so many places of one operation, the first ones.
    pub places_max: usize,
}

impl Default for AuditBounds {
    fn default() -> Self {
        Self { places_max: 200 }
    }
}

/// What an audit came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Operations looked at.
    pub operations: u64,
    /// Places at which they may wait: I/Os and explicit yields.
    pub places: u64,
    /// Trials made.
    pub trials: u64,
    /// What is wrong, the clearest first.
    pub findings: Vec<AuditFinding>,
    /// What could not be looked at, and why.
    pub left_out: Vec<String>,
}

/// A difference, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditFinding {
    /// The operation, such as `scan`.
    pub operation: String,
    /// What was done to it.
    pub disturbance: &'static str,
    /// The line of the yield that is most to blame, or the I/O where the engine has no labels.
    pub place: String,
    /// The way to the yield, from the yield outwards.
    pub way: Vec<String>,
    /// The I/O it waited for, if it was one.
    pub io: Option<String>,
    /// Where the other connection waited meanwhile, from the yield outwards.
    pub other_way: Vec<String>,
    /// What differed, in words.
    pub what: String,
    /// Which mistake it looks like.
    pub pattern: &'static str,
    /// All operations that show it.
    pub operations: Vec<String>,
    /// How many places of theirs do.
    pub places: u64,
}

/// Audits an engine with the script of a plan: its set-up and first connection prepare the disk, the operations of
/// the second are looked at one by one, those of the third are asked afterwards and meanwhile.
pub fn audit<F: Family, E: Engine<F>>(
    workload: &dyn Workload<F>,
    options: &Options,
    plan: &Plan<F>,
    bounds: AuditBounds,
) -> Audit {
    let info = E::info();
    let mut left_out = Vec::new();
    let plan = served(plan, &info, &mut left_out);
    let setting = Setting { workload, options };
    let lab = match Lab::<F, E>::new(setting, &plan.setup, Script::of(&plan)) {
        Ok(lab) => lab,
        Err(seen) => {
            let wrong = seen.iter().find(|seen| !seen.said.is_ok());
            let what = wrong.map_or_else(|| "nothing was answered".to_string(), tell);
            left_out.push(format!("everything: the disk could not be prepared: {what}"));
            return Audit { left_out, ..Audit::default() };
        }
    };
    let promises = E::promises(options);
    let mut work = Work {
        lab: &lab,
        workload,
        isolated: promises.isolation >= Isolation::Snapshot,
        survives_failed_sync: !E::spared().contains(&Spared::FailedSync),
        bounds,
        references: BTreeMap::new(),
        serials: BTreeMap::new(),
        symptoms: Vec::new(),
        clean: Vec::new(),
        audit: Audit { left_out, ..Audit::default() },
    };
    work.all();
    work.conclude(info.door)
}

/// The plan without what the engine does not serve.
fn served<F: Family>(plan: &Plan<F>, info: &EngineInfo, left_out: &mut Vec<String>) -> Plan<F> {
    let mut missing: Vec<&'static str> = Vec::new();
    let mut keep = |transactions: &[Transaction<F>]| {
        let is_served = |transaction: &&Transaction<F>| {
            let lacks = transaction.ops.iter().map(|op| F::call(op).f).filter(|f| !info.serves.contains(f));
            let lacks: Vec<_> = lacks.collect();
            missing.extend(&lacks);
            lacks.is_empty()
        };
        let copy = |transaction: &Transaction<F>| Transaction { ops: transaction.ops.clone() };
        transactions.iter().filter(is_served).map(copy).collect::<Vec<_>>()
    };
    let plan = Plan {
        setup: keep(&plan.setup),
        connections: plan.connections.iter().map(|list| keep(list)).collect(),
        settle: keep(&plan.settle),
        probe: Vec::new(),
    };
    missing.sort_unstable();
    missing.dedup();
    left_out.extend(missing.iter().map(|f| format!("`{f}`: the engine does not serve it")));
    let asked: Vec<&'static str> = plan
        .connections
        .get(1)
        .into_iter()
        .flatten()
        .flat_map(|transaction| &transaction.ops)
        .map(|op| F::call(op).f)
        .collect();
    let unasked = info.serves.iter().filter(|f| !asked.contains(f));
    left_out.extend(unasked.map(|f| format!("`{f}`: the script does not ask for it")));
    plan
}

fn tell(seen: &Seen) -> String {
    let call = seen.call.as_ref().map_or_else(|| "the engine".to_string(), compare::words);
    format!("{call}: {:?}", seen.said)
}

/// A trial that went wrong.
struct Symptom {
    call: Option<Call>,
    disturb: Disturb,
    at: Option<Label>,
    io: Option<IoNote>,
    others: Vec<Label>,
    difference: Difference,
}

/// A trial that did not: its ways clear the lines they share with those that did.
struct Clean {
    disturb: Disturb,
    lines: Vec<String>,
}

struct Work<'a, F: Family, E> {
    lab: &'a Lab<'a, F, E>,
    workload: &'a dyn Workload<F>,
    isolated: bool,
    survives_failed_sync: bool,
    bounds: AuditBounds,
    references: BTreeMap<(Option<Subject>, Include), Record>,
    serials: BTreeMap<(Option<Subject>, usize, bool, bool), Record>,
    symptoms: Vec<Symptom>,
    clean: Vec<Clean>,
    audit: Audit,
}

impl<F: Family, E: Engine<F>> Work<'_, F, E> {
    fn all(&mut self) {
        self.opening();
        for transaction in 0..self.lab.script().subjects.len() {
            for op in 0..self.lab.script().subjects[transaction].ops.len() {
                self.operation(Subject { transaction, op });
            }
        }
    }

    fn everything(&self) -> Include {
        Include { subject: true, follows: vec![true; self.lab.script().follows.len()] }
    }

    /// What is seen when nothing is disturbed.
    fn reference(&mut self, subject: Subject, include: &Include) -> Record {
        let key = (include.subject.then_some(subject), include.clone());
        let (lab, trials) = (self.lab, &mut self.audit.trials);
        let made = self.references.entry(key).or_insert_with(|| {
            *trials += 1;
            lab.run(subject, Disturb::Nothing, include)
        });
        made.clone()
    }

    /// One operation, disturbed in every way at every place.
    fn operation(&mut self, subject: Subject) {
        let everything = self.everything();
        let calm = self.reference(subject, &everything);
        let call = self.workload.call(&self.lab.script().subjects[subject.transaction].ops[subject.op]);
        if let Some(wrong) = calm.seen.iter().find(|seen| !seen.said.is_ok()) {
            let what = tell(wrong);
            self.audit.left_out.push(format!("`{}`: undisturbed, {what}", compare::words(&call)));
            return;
        }
        self.audit.operations += 1;
        let ios = self.bounded(&call, "I/Os", calm.ios.len());
        let yields = self.bounded(&call, "explicit yields", calm.yields.len());
        self.audit.places += (calm.ios.len() + calm.yields.len()) as u64;
        for (n, io) in calm.ios.iter().enumerate().take(ios) {
            self.must_be_same(subject, &call, &calm, Disturb::Wait(n), Some(io));
            for error in errors(io.kind, self.survives_failed_sync) {
                self.must_be_whole(subject, &call, Disturb::Fail(n, *error), Some(io));
            }
            self.must_be_whole(subject, &call, Disturb::Abandon(Place::Io(n)), Some(io));
        }
        if ios > 1 {
            self.must_be_same(subject, &call, &calm, Disturb::WaitOften, None);
        }
        for n in 0..yields {
            self.must_be_whole(subject, &call, Disturb::Abandon(Place::Yield(n)), None);
        }
        self.meetings(subject, &call, &calm, ios, yields);
    }

    /// The operation held up at each place while another connection asks each of the follow-ups.
    fn meetings(&mut self, subject: Subject, call: &Call, calm: &Record, ios: usize, yields: usize) {
        let alone = self.lab.script().subjects[subject.transaction].ops.len() == 1;
        // Below snapshots a transaction may see the other half-way.
        if !self.isolated && !alone {
            return;
        }
        for follow in 0..self.lab.script().follows.len() {
            if self.lab.script().follows[follow].ops.len() != 1 {
                continue;
            }
            for n in 0..ios {
                self.must_be_in_order(subject, call, Disturb::Meet(Place::Io(n), follow), Some(&calm.ios[n]));
            }
            for n in 0..yields {
                self.must_be_in_order(subject, call, Disturb::Meet(Place::Yield(n), follow), None);
            }
        }
    }

    fn must_be_same(&mut self, subject: Subject, call: &Call, calm: &Record, disturb: Disturb, io: Option<&IoNote>) {
        let record = self.trial(subject, disturb);
        let verdict = record.at.and_then(|_| compare::same(calm, &record));
        self.judge(Some(call), disturb, io, &record, verdict);
    }

    fn must_be_whole(&mut self, subject: Subject, call: &Call, disturb: Disturb, io: Option<&IoNote>) {
        let everything = self.everything();
        // A checkpoint may put right what a restart would otherwise bring to light; so both ways are gone.
        let mut brief = everything.clone();
        for (asked, follow) in brief.follows.iter_mut().zip(self.lab.script().follows) {
            *asked = !follow.ops.iter().any(|op| F::role(op) == Role::Maintenance);
        }
        let ways = if brief == everything { vec![everything] } else { vec![everything, brief] };
        for way in ways {
            self.audit.trials += 1;
            let record = self.lab.run(subject, disturb, &way);
            // Where nobody waited, nobody was told.
            let verdict = record.at.and_then(|_| {
                compare::whole_or_not(&record, |include| {
                    let asked = way.follows.iter().enumerate();
                    let follows = asked.map(|(at, asked)| *asked && include.follows.get(at) != Some(&false)).collect();
                    self.reference(subject, &Include { subject: include.subject, follows })
                })
            });
            let is_wrong = verdict.is_some();
            self.judge(Some(call), disturb, io, &record, verdict);
            if is_wrong {
                return;
            }
        }
    }

    fn must_be_in_order(&mut self, subject: Subject, call: &Call, disturb: Disturb, io: Option<&IoNote>) {
        let Disturb::Meet(_, follow) = disturb else { return };
        let record = self.trial(subject, disturb);
        let verdict = record.at.and_then(|_| {
            let (mine, theirs) = compare::meeting_fates(&record);
            let mut orders = Vec::new();
            for &with_subject in &mine {
                for &with_follow in &theirs {
                    for follow_first in [false, true] {
                        orders.push(self.serial(subject, follow, follow_first, with_subject, with_follow));
                    }
                }
            }
            compare::one_after_the_other(&record, &orders)
        });
        self.judge(Some(call), disturb, io, &record, verdict);
    }

    fn serial(&mut self, subject: Subject, follow: usize, first: bool, mine: bool, theirs: bool) -> Record {
        let mut include = Include { subject: mine, follows: vec![false; self.lab.script().follows.len()] };
        include.follows[follow] = theirs;
        let key = (mine.then_some(subject), follow, first, theirs);
        let (lab, trials) = (self.lab, &mut self.audit.trials);
        let made = self.serials.entry(key).or_insert_with(|| {
            *trials += 1;
            lab.serial(subject, follow, first, &include)
        });
        made.clone()
    }

    /// Opening, with the log of the prepared disk to recover.
    fn opening(&mut self) {
        let calm = self.lab.open(Disturb::Nothing);
        self.audit.operations += 1;
        self.audit.places += calm.ios.len() as u64;
        let ios = calm.ios.len().min(self.bounds.places_max);
        for (n, io) in calm.ios.iter().enumerate().take(ios) {
            let mut disturbs = vec![Disturb::Wait(n), Disturb::Abandon(Place::Io(n))];
            disturbs.extend(errors(io.kind, self.survives_failed_sync).iter().map(|error| Disturb::Fail(n, *error)));
            for disturb in disturbs {
                self.audit.trials += 1;
                let record = self.lab.open(disturb);
                let verdict = record.at.and_then(|_| compare::same(&calm, &record));
                self.judge(None, disturb, Some(io), &record, verdict);
            }
        }
    }

    fn trial(&mut self, subject: Subject, disturb: Disturb) -> Record {
        self.audit.trials += 1;
        self.lab.run(subject, disturb, &self.everything())
    }

    fn bounded(&mut self, call: &Call, what: &str, count: usize) -> usize {
        let max = self.bounds.places_max;
        if count > max {
            let name = compare::words(call);
            self.audit
                .left_out
                .push(format!("`{name}`: {} of its {count} {what}, beyond the first {max}", count - max));
        }
        count.min(max)
    }

    fn judge(
        &mut self,
        call: Option<&Call>,
        disturb: Disturb,
        io: Option<&IoNote>,
        record: &Record,
        verdict: Option<Difference>,
    ) {
        match verdict {
            None => {
                let lines = record.at.iter().chain(&record.others).flat_map(lines).collect();
                self.clean.push(Clean { disturb, lines });
            }
            Some(difference) => self.symptoms.push(Symptom {
                call: call.cloned(),
                disturb,
                at: record.at,
                io: io.cloned(),
                others: record.others.clone(),
                difference,
            }),
        }
    }

    /// One finding for symptoms that look alike and share the line most to blame.
    fn conclude(self, door: &str) -> Audit {
        let Self { symptoms, clean, mut audit, .. } = self;
        let labelled = door != "coroutine";
        let mut findings: BTreeMap<(u8, String), AuditFinding> = BTreeMap::new();
        for symptom in &symptoms {
            // What a single wait shows needs no further witness.
            let single = |other: &Symptom| matches!(other.disturb, Disturb::Wait(_)) && other.call == symptom.call;
            if symptom.disturb == Disturb::WaitOften && symptoms.iter().any(single) {
                continue;
            }
            let place = match labelled {
                true => blame(symptom, &symptoms, &clean),
                false => None,
            };
            let io = symptom.io.as_ref().map(ToString::to_string);
            let place =
                place.or_else(|| symptom.io.as_ref().map(IoNote::short)).unwrap_or_else(|| "an explicit yield".into());
            let call = symptom.call.as_ref().map_or_else(|| "open".to_string(), compare::words);
            let way = |label: &Label| if labelled { lines(label).collect() } else { Vec::new() };
            let finding = findings.entry((rank(symptom.disturb), place.clone())).or_insert_with(|| AuditFinding {
                operation: call.clone(),
                disturbance: name(symptom.disturb),
                place,
                way: symptom.at.as_ref().map(way).unwrap_or_default(),
                io,
                other_way: symptom.others.first().map(way).unwrap_or_default(),
                what: symptom.difference.text.clone(),
                pattern: pattern(symptom),
                operations: Vec::new(),
                places: 0,
            });
            finding.places += 1;
            if !finding.operations.contains(&call) {
                finding.operations.push(call);
            }
        }
        let by_one = |place: &String| {
            (0..rank(Disturb::Meet(Place::Io(0), 0))).any(|rank| findings.contains_key(&(rank, place.clone())))
        };
        // A line that is wrong for one connection alone is so for two.
        let meeting = |key: &(u8, String)| key.0 == rank(Disturb::Meet(Place::Io(0), 0));
        let twice: Vec<_> = findings.keys().filter(|key| meeting(key) && by_one(&key.1)).cloned().collect();
        findings.retain(|key, _| !twice.contains(key));
        audit.findings = findings.into_values().collect();
        audit
    }
}

/// The errors an I/O may fail with.
const fn errors(kind: IoKind, survives_failed_sync: bool) -> &'static [ErrorKind] {
    match kind {
        IoKind::Write | IoKind::Truncate => &[ErrorKind::Io, ErrorKind::NoSpace],
        IoKind::Sync | IoKind::SyncDirectory if !survives_failed_sync => &[],
        IoKind::Read | IoKind::Sync | IoKind::Directory | IoKind::SyncDirectory => &[ErrorKind::Io],
    }
}

/// The simplest disturbances come first.
const fn rank(disturb: Disturb) -> u8 {
    match disturb {
        Disturb::Nothing => 0,
        Disturb::Wait(_) => 1,
        Disturb::WaitOften => 2,
        Disturb::Fail(..) => 3,
        Disturb::Abandon(_) => 4,
        Disturb::Meet(..) => 5,
    }
}

/// The disturbance, in words that follow "when the operation".
const fn name(disturb: Disturb) -> &'static str {
    match disturb {
        Disturb::Nothing => "is left alone",
        Disturb::Wait(_) => "has to wait there",
        Disturb::WaitOften => "has to wait at every I/O",
        Disturb::Fail(..) => "gets an error there",
        Disturb::Abandon(_) => "is abandoned there",
        Disturb::Meet(..) => "is held up there while another connection goes on",
    }
}

fn lines(label: &Label) -> impl Iterator<Item = String> + '_ {
    label.sites().map(|site| format!("{}:{}", site.file(), site.line()))
}

/// The line that the symptoms of this kind share and the trials without symptoms do not: the one with the highest
/// share of failed trials among those that pass through it, times its share of all that failed (Ochiai 1957). Of
/// lines alike the innermost counts.
fn blame(symptom: &Symptom, symptoms: &[Symptom], clean: &[Clean]) -> Option<String> {
    let alike = |disturb: Disturb| name(disturb) == name(symptom.disturb);
    // What the other connection waited at comes first: it is the one that went on with what had become untrue.
    let mut candidates: Vec<String> = symptom.others.iter().flat_map(lines).collect();
    candidates.extend(symptom.at.iter().flat_map(lines));
    let through = |symptom: &&Symptom, line: &String| {
        symptom.at.iter().chain(&symptom.others).flat_map(lines).any(|other| other == *line)
    };
    let failed = symptoms.iter().filter(|other| alike(other.disturb)).count() as f64;
    let mut best: Option<(f64, String)> = None;
    for line in candidates {
        let bad = symptoms.iter().filter(|other| alike(other.disturb) && through(other, &line)).count() as f64;
        let good = clean.iter().filter(|other| alike(other.disturb) && other.lines.contains(&line)).count() as f64;
        let score = bad / (failed * (bad + good)).sqrt().max(f64::MIN_POSITIVE);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest + 1e-9) {
            best = Some((score, line));
        }
    }
    best.map(|(_, line)| line)
}

/// Which mistake a symptom looks like.
fn pattern(symptom: &Symptom) -> &'static str {
    let damage = symptom.difference.kind;
    match (symptom.disturb, damage) {
        (Disturb::Wait(_) | Disturb::WaitOften, Kind::Breakdown) => {
            "a state that cannot be gone on from: its variants do not hold all that the code needs when it is called again"
        }
        (Disturb::Wait(_) | Disturb::WaitOften, Kind::Twice) => {
            "something is pushed or inserted above the yield, and again at each call: move it below, or into the state"
        }
        (Disturb::Wait(_) | Disturb::WaitOften, Kind::Missing) => {
            "an index is advanced above the yield, and again at each call: advance it when the I/O is done"
        }
        (Disturb::Wait(_) | Disturb::WaitOften, Kind::Damage) => {
            "an insert or an advance above the yield happens again at each call: do it when the I/O is done"
        }
        (Disturb::Wait(_) | Disturb::WaitOften, _) => {
            "what stands above the yield happens again at each call: keep its result in the state"
        }
        (Disturb::Fail(..), Kind::Stuck) => "the way out of the error leaves something held: hold it by a guard",
        (Disturb::Fail(..), _) => {
            "a state is advanced before the call that may fail: advance it when the call has succeeded"
        }
        (Disturb::Abandon(_), _) => {
            "what is suspended there holds or has half-done something that dropping it does not undo: hold it by a guard"
        }
        (Disturb::Meet(..), _) => {
            "a flag or a result from before the yield is believed after it: look again when the wait is over"
        }
        (Disturb::Nothing, _) => "it fails undisturbed",
    }
}

/// How to read the patterns; what a report says once.
pub const HOW_TO_READ: &[(&str, &str)] = &[
    ("vec.push(x); return_if_io!(…)", "the vector grows at each call: things appear twice"),
    ("index += 1; return_if_io!(…)", "the index advances at each call: things are skipped"),
    ("map.insert(k, v); return_if_io!(…)", "inserted at each call: things are given out twice, or overwritten"),
    ("flag = true; return_if_io!(…)", "believed after the wait, when others have made it untrue"),
];
