//! One trial: the prepared disk, one operation, one disturbance, and everything that is seen afterwards.
//!
//! ```text
//! open → begin … → THE OPERATION → … commit → read back → follow-ups → read back, check → kill → open → check, read back
//! ```

use std::marker::PhantomData;

use super::hub::{Hold, Hub, IoNote};
use super::stage::{Part, Player, Said, Seen, Setting, Stage, Turn};
use crate::aio::{ErrorKind, Label};
use crate::disk::sim::Snapshot;
use crate::engine::{Engine, Family};
use crate::workload::{Plan, Transaction};

/// How often an operation that has been held back may go on without waiting, before the trial is given up.
const POLITE_MAX: u32 = 10_000;

/// A place at which an operation may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Its n-th I/O.
    Io(usize),
    /// Its n-th explicit yield.
    Yield(usize),
}

/// What is done to the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturb {
    Nothing,
    /// It has to wait for its n-th I/O.
    Wait(usize),
    /// It has to wait for every I/O.
    WaitOften,
    /// Its n-th I/O fails.
    Fail(usize, ErrorKind),
    /// It is given up there.
    Abandon(Place),
    /// It is held up there while another connection asks this follow-up.
    Meet(Place, usize),
}

/// What is left out of a trial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Include {
    pub(super) subject: bool,
    /// By number.
    pub(super) follows: Vec<bool>,
}

/// The operation that is looked at: one of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) transaction: usize,
    pub(super) op: usize,
}

/// What is asked in all trials.
pub(super) struct Script<'a, F: Family> {
    pub(super) prepare: &'a [Transaction<F>],
    pub(super) subjects: &'a [Transaction<F>],
    pub(super) follows: &'a [Transaction<F>],
    pub(super) read_back: &'a [Transaction<F>],
}

impl<'a, F: Family> Script<'a, F> {
    /// A plan's first connection prepares, the second asks what is looked at, the third what follows.
    pub(super) fn of(plan: &'a Plan<F>) -> Self {
        let of = |index: usize| plan.connections.get(index).map_or(&[][..], Vec::as_slice);
        Self { prepare: of(0), subjects: of(1), follows: of(2), read_back: &plan.settle }
    }
}

/// What came of a trial.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) seen: Vec<Seen>,
    /// The operation's I/Os.
    pub(super) ios: Vec<IoNote>,
    /// The operation's explicit yields.
    pub(super) yields: Vec<Label>,
    /// Where the operation waited when it was disturbed; none when it did not wait.
    pub(super) at: Option<Label>,
    /// Where the other connection waited.
    pub(super) others: Vec<Label>,
}

/// Makes trials.
pub(super) struct Lab<'a, F: Family, E> {
    setting: Setting<'a, F>,
    script: Script<'a, F>,
    prepared: Snapshot,
    engine: PhantomData<fn() -> E>,
}

impl<'a, F: Family, E: Engine<F>> Lab<'a, F, E> {
    /// Prepares the disk.
    pub(super) fn new(
        setting: Setting<'a, F>,
        setup: &[Transaction<F>],
        script: Script<'a, F>,
    ) -> Result<Self, Vec<Seen>> {
        let hub = Hub::new(None);
        let mut stage = Stage::<F, E>::new(&setting, hub);
        if !stage.open(Part::Before) {
            return Err(stage.seen);
        }
        match stage.connect() {
            Ok(mut player) => {
                for transaction in setup.iter().chain(script.prepare) {
                    stage.ask(&mut player, Part::Before, &transaction.ops);
                }
                stage.kill(vec![player]);
            }
            Err(said) => stage.note(Part::Before, None, said),
        }
        if stage.seen.iter().any(|seen| !seen.said.is_ok()) {
            return Err(stage.seen);
        }
        let prepared = stage.hub.snapshot();
        Ok(Self { setting, script, prepared, engine: PhantomData })
    }

    pub(super) const fn script(&self) -> &Script<'a, F> {
        &self.script
    }

    /// A disk as it was prepared, with the engine open on it.
    fn stage(&self) -> Result<Stage<'_, F, E>, Stage<'_, F, E>> {
        let mut stage = Stage::new(&self.setting, Hub::new(Some(&self.prepared)));
        if stage.open(Part::Before) { Ok(stage) } else { Err(stage) }
    }

    /// One trial.
    pub(super) fn run(&self, subject: Subject, disturb: Disturb, include: &Include) -> Record {
        let stage = match self.stage() {
            Ok(stage) => stage,
            Err(stage) => return Record::of(stage),
        };
        self.on(stage, subject, disturb, include)
    }

    fn on<'s>(&'s self, mut stage: Stage<'s, F, E>, subject: Subject, disturb: Disturb, include: &Include) -> Record {
        let (mut player, mut other) = match stage.connect().and_then(|player| Ok((player, stage.connect()?))) {
            Ok(players) => players,
            Err(said) => {
                stage.note(Part::Before, None, said);
                return Record::of(stage);
            }
        };
        let ops = &self.script.subjects[subject.transaction].ops;
        let mut watched = Watched::default();
        if include.subject {
            stage.ask(&mut player, Part::Before, &ops[..subject.op]);
            if stage.is_over() || stage.seen.iter().any(|seen| !seen.said.is_ok()) {
                return Record::of(stage);
            }
            player.push(Part::Target, &ops[subject.op..=subject.op]);
            let meets = matches!(disturb, Disturb::Meet(..));
            if meets {
                // The other may have to wait for the end of the transaction.
                player.push(Part::Rest, &ops[subject.op + 1..]);
            }
            watched = self.watch(&mut stage, &mut player, &mut other, disturb);
            if !meets && stage.seen.last().is_some_and(|seen| seen.part == Part::Target && seen.said.is_ok()) {
                player.push(Part::Rest, &ops[subject.op + 1..]);
            }
            if !stage.is_over() {
                stage.finish_both(&mut player, Some(&mut other));
            }
        }
        self.look(&mut stage, player, other, include, disturb);
        Record { ios: watched.ios, yields: watched.yields, at: watched.at, others: watched.others, ..Record::of(stage) }
    }

    /// The operation itself, disturbed. At the end it has been answered, or given up.
    fn watch(
        &self,
        stage: &mut Stage<'_, F, E>,
        player: &mut Player<F, E::Connection>,
        other: &mut Player<F, E::Connection>,
        disturb: Disturb,
    ) -> Watched {
        let mut watched = Watched::default();
        stage.hub.watch(match disturb {
            Disturb::Wait(n) | Disturb::Fail(n, _) => Hold::One(n),
            Disturb::Abandon(Place::Io(n)) | Disturb::Meet(Place::Io(n), _) => Hold::One(n),
            Disturb::WaitOften => Hold::All,
            Disturb::Nothing | Disturb::Abandon(Place::Yield(_)) | Disturb::Meet(Place::Yield(_), _) => Hold::Nothing,
        });
        for _ in 0..POLITE_MAX {
            let (label, reached) = match stage.turn(player) {
                Turn::Answered | Turn::Idle => break,
                Turn::Polite(label, _) => {
                    watched.yields.push(label);
                    (label, Some(Place::Yield(watched.yields.len() - 1)))
                }
                Turn::Blocked(label) => {
                    let held = stage.hub.holds();
                    (label, held.then_some(disturb.io()).flatten().map(Place::Io))
                }
            };
            match (disturb, reached) {
                (Disturb::Abandon(place), Some(here)) if here == place => {
                    watched.at = Some(label);
                    stage.abandon(player);
                    break;
                }
                (Disturb::Meet(place, follow), Some(here)) if here == place && watched.at.is_none() => {
                    watched.at = Some(label);
                    watched.ios = stage.hub.unwatch();
                    self.meanwhile(stage, other, follow, &mut watched.others);
                    if stage.is_over() {
                        break;
                    }
                    stage.finish_both(player, Some(other));
                    break;
                }
                (_, Some(Place::Yield(_))) => {}
                (Disturb::Fail(_, error), Some(Place::Io(_))) => {
                    watched.at = Some(label);
                    stage.hub.release(Some(error));
                }
                (Disturb::Wait(_) | Disturb::WaitOften, _) => {
                    watched.at.get_or_insert(label);
                    if !stage.hub.release(None) && !stage.hub.advance() {
                        stage.finish(player);
                    }
                }
                // It waits for something else; that is brought about as usual.
                (_, _) => {
                    if !stage.hub.release(None) && !stage.hub.advance() {
                        stage.finish(player);
                    }
                }
            }
        }
        if player.is_running() {
            stage.finish(player);
        }
        if watched.ios.is_empty() {
            watched.ios = stage.hub.unwatch();
        }
        watched
    }

    /// Another connection asks something while the operation stands still.
    fn meanwhile(
        &self,
        stage: &mut Stage<'_, F, E>,
        other: &mut Player<F, E::Connection>,
        follow: usize,
        waits: &mut Vec<Label>,
    ) {
        other.push(Part::Meanwhile, &self.script.follows[follow].ops);
        let mut polls = 0;
        for _ in 0..POLITE_MAX {
            match stage.turn(other) {
                Turn::Idle => return,
                Turn::Answered | Turn::Polite(_, false) => {}
                Turn::Polite(label, true) => {
                    polls += 1;
                    if polls > 64 {
                        waits.push(label);
                        return;
                    }
                }
                Turn::Blocked(label) => {
                    waits.push(label);
                    return;
                }
            }
        }
    }

    /// Everything that is looked at afterwards.
    fn look(
        &self,
        stage: &mut Stage<'_, F, E>,
        mut player: Player<F, E::Connection>,
        mut other: Player<F, E::Connection>,
        include: &Include,
        disturb: Disturb,
    ) {
        self.read_back(stage, &mut other, Part::ReadBack);
        let meets = matches!(disturb, Disturb::Meet(..));
        for (index, follow) in self.script.follows.iter().enumerate() {
            // Where two have met, what the other asked has been asked already.
            if include.follows[index] && !meets && !stage.is_over() {
                stage.ask(&mut player, Part::Follow(index), &follow.ops);
            }
        }
        while stage.hub.release(None) {}
        self.read_back(stage, &mut other, Part::ReadAgain);
        if stage.is_over() {
            return;
        }
        stage.check(Part::Check);
        stage.kill(vec![player, other]);
        if !stage.open(Part::Reopened) {
            return;
        }
        stage.check(Part::CheckReopened);
        match stage.connect() {
            Ok(mut reader) => self.read_back(stage, &mut reader, Part::ReadReopened),
            Err(said) => stage.note(Part::ReadReopened, None, said),
        }
    }

    fn read_back(&self, stage: &mut Stage<'_, F, E>, reader: &mut Player<F, E::Connection>, part: Part) {
        for transaction in self.script.read_back {
            if !stage.is_over() {
                stage.ask(reader, part, &transaction.ops);
            }
        }
    }

    /// The subject alone after a follow-up, or before it: what two connections may see, one after the other.
    pub(super) fn serial(&self, subject: Subject, follow: usize, follow_first: bool, include: &Include) -> Record {
        let mut stage = match self.stage() {
            Ok(stage) => stage,
            Err(stage) => return Record::of(stage),
        };
        let (mut player, mut other) = match stage.connect().and_then(|player| Ok((player, stage.connect()?))) {
            Ok(players) => players,
            Err(said) => {
                stage.note(Part::Before, None, said);
                return Record::of(stage);
            }
        };
        let ops = &self.script.subjects[subject.transaction].ops;
        let follow_ops = &self.script.follows[follow].ops;
        if follow_first && include.follows[follow] {
            stage.ask(&mut other, Part::Meanwhile, follow_ops);
        }
        if include.subject {
            stage.ask(&mut player, Part::Before, &ops[..subject.op]);
            stage.ask(&mut player, Part::Target, &ops[subject.op..=subject.op]);
            stage.ask(&mut player, Part::Rest, &ops[subject.op + 1..]);
        }
        if !follow_first && include.follows[follow] {
            stage.ask(&mut other, Part::Meanwhile, follow_ops);
        }
        self.look(&mut stage, player, other, include, Disturb::Meet(Place::Io(0), follow));
        Record::of(stage)
    }

    /// Opening, disturbed. What comes after is as usual.
    pub(super) fn open(&self, disturb: Disturb) -> Record {
        let mut stage = Stage::<F, E>::new(&self.setting, Hub::new(Some(&self.prepared)));
        let mut at = None;
        let hold = match disturb {
            Disturb::Wait(n) | Disturb::Fail(n, _) | Disturb::Abandon(Place::Io(n)) => Hold::One(n),
            Disturb::WaitOften => Hold::All,
            _ => Hold::Nothing,
        };
        stage.hub.watch(hold);
        let outcome = stage.build().and_then(|()| {
            for _ in 0..POLITE_MAX {
                let Some(completion) = stage.open_step()? else { return Ok(true) };
                if !completion.finished() && stage.hub.holds() {
                    at.get_or_insert(*completion.label());
                    match disturb {
                        Disturb::Abandon(_) => return Ok(false),
                        Disturb::Fail(_, error) => drop(stage.hub.release(Some(error))),
                        _ => drop(stage.hub.release(None)),
                    }
                } else {
                    stage.wait_for(&completion)?;
                }
            }
            Err(Said::Endless)
        });
        let ios = stage.hub.unwatch();
        let include = Include { subject: false, follows: vec![true; self.script.follows.len()] };
        // An error may keep it from opening, once.
        let excused = matches!(disturb, Disturb::Fail(..)) && matches!(outcome, Err(Said::Closed(_)));
        let record = match outcome {
            Ok(true) => self.on(stage, Subject { transaction: 0, op: 0 }, Disturb::Nothing, &include),
            Err(said) if !excused => {
                stage.note(Part::Before, None, said);
                Record::of(stage)
            }
            _ => {
                stage.kill(Vec::new());
                if stage.open(Part::Before) {
                    self.on(stage, Subject { transaction: 0, op: 0 }, Disturb::Nothing, &include)
                } else {
                    Record::of(stage)
                }
            }
        };
        Record { ios, at, ..record }
    }
}

impl Record {
    fn of<F: Family, E: Engine<F>>(stage: Stage<'_, F, E>) -> Self {
        Self { seen: stage.seen, ios: vec![], yields: vec![], at: None, others: vec![] }
    }
}

#[derive(Default)]
struct Watched {
    ios: Vec<IoNote>,
    yields: Vec<Label>,
    at: Option<Label>,
    others: Vec<Label>,
}

impl Disturb {
    const fn io(self) -> Option<usize> {
        match self {
            Self::Wait(n) | Self::Fail(n, _) | Self::Abandon(Place::Io(n)) | Self::Meet(Place::Io(n), _) => Some(n),
            Self::WaitOften => Some(0),
            Self::Nothing | Self::Abandon(Place::Yield(_)) | Self::Meet(Place::Yield(_), _) => None,
        }
    }
}
