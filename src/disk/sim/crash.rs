//! What survives when everything stops.
//!
//! What a sync has answered for is never touched. Of the rest, a selection survives: drawn once per crash,
//! then per operation and sector, each draw keyed by the operation it concerns.
//!
//! A process kill loses no applied change: the operating system still has it, and may lose it later.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Weak};

use super::config::SECTOR_BYTES;
use super::file::{Change, FileState, Pending};
use super::names::{Entry, NameChange};
use super::state::{GhostChange, State};
use crate::aio::FileId;
use crate::history::CrashKind;
use crate::tape::{Actor, Tape, mix};

/// How survivors are selected among what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selection {
    /// Nothing survives that was not durable.
    LoseAll,
    /// Everything survives.
    KeepAll,
    /// The oldest changes survive; the next one may be torn.
    Prefix,
    /// Any subset of sectors.
    Sectors,
    /// Any subset of whole operations.
    Operations,
    /// Any subset of sectors, and garbage in some of the others.
    Garbage,
}

impl Selection {
    const ALL: [Self; 6] = [Self::LoseAll, Self::KeepAll, Self::Prefix, Self::Sectors, Self::Operations, Self::Garbage];

    /// The selection in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoseAll => "lose all",
            Self::KeepAll => "keep all",
            Self::Prefix => "a prefix",
            Self::Sectors => "a subset of sectors",
            Self::Operations => "a subset of operations",
            Self::Garbage => "a subset of sectors with garbage",
        }
    }
}

/// What became of a crash, in plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// What happened.
    pub kind: CrashKind,
    /// How survivors were selected; none when everything applied survives.
    pub selection: Option<Selection>,
    /// Files with changes that were not durable.
    pub files: Vec<FileFate>,
    /// Changes of the directory that were not durable.
    pub names: Vec<NameFate>,
}

/// What became of the changes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFate {
    /// Its last name before the crash.
    pub path: Arc<str>,
    /// Changes that survived whole.
    pub kept: u32,
    /// Writes of which some sectors survived, or became garbage.
    pub torn: u32,
    /// Changes that are lost.
    pub lost: u32,
    /// Sectors full of garbage.
    pub garbage_sectors: u32,
    /// The length everybody saw before, in bytes.
    pub len_before: u64,
    /// The length after, in bytes.
    pub len_after: u64,
}

/// What became of one change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFate {
    /// The change, such as `create a`.
    pub change: String,
    /// Whether it survived.
    pub kept: bool,
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.name())?;
        if let Some(selection) = self.selection {
            write!(f, ", survivors: {}", selection.name())?;
        }
        for file in &self.files {
            let FileFate { path, kept, torn, lost, garbage_sectors, len_before, len_after } = file;
            write!(f, "\n{path}: {kept} kept, {torn} torn, {lost} lost")?;
            if *garbage_sectors > 0 {
                write!(f, ", garbage in {garbage_sectors} sectors")?;
            }
            if len_before != len_after {
                write!(f, ", length {len_before} -> {len_after}")?;
            }
        }
        for NameFate { change, kept } in &self.names {
            write!(f, "\n{change}: {}", if *kept { "kept" } else { "lost" })?;
        }
        Ok(())
    }
}

/// What becomes of one sector of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    Kept,
    Garbage,
}

/// A change that is not durable, with its place in time.
struct Candidate {
    seq: u64,
    actor: Actor,
    what: What,
}

enum What {
    File(FileId, Change),
    Name(NameChange),
}

impl What {
    /// Sectors of a write; other changes happen whole or not at all.
    fn sectors(&self) -> u32 {
        match self {
            Self::File(_, Change::Write { offset, bytes }) => sectors(*offset, bytes.len()).count() as u32,
            _ => 1,
        }
    }
}

/// The sectors a range touches, each as the part of the range that lies in it.
fn sectors(offset: u64, len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let first = SECTOR_BYTES - (offset % SECTOR_BYTES as u64) as usize;
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        at = if start == 0 { first.min(len) } else { (start + SECTOR_BYTES).min(len) };
        (start < len).then_some(start..at)
    })
}

/// Chooses survivors and thaws the disk.
pub(super) fn crash(state: &mut State, kind: CrashKind, tape: &mut Tape) -> CrashReport {
    state.frozen = false;
    state.world.files.iter_mut().for_each(|file| file.open = Weak::new());
    let report = match kind {
        CrashKind::Kill => kill(state, tape),
        CrashKind::Os | CrashKind::Power => Survivors::of(state).choose(state, kind, tape),
    };
    state.ghosts.clear();
    state.world.crashes += 1;
    state.world.pages = state.world.files.iter().map(|file| file.cache.pages()).sum();
    state.world.collect();
    report
}

/// A process ends: each operation in flight has reached the operating system, or has not.
fn kill(state: &mut State, tape: &mut Tape) -> CrashReport {
    for ghost in std::mem::take(&mut state.ghosts) {
        if tape.draw(ghost.actor, "killed", 0, 2) == 0 {
            continue;
        }
        let seq = state.world.next_seq();
        match &ghost.what {
            GhostChange::File(file, change) => {
                let file = state.world.file(*file);
                change.apply(&mut file.cache);
                file.pending.push(Pending { seq, actor: ghost.actor, change: change.clone() });
            }
            what => {
                if let Some(change) = what.name_change(&state.world.names) {
                    state.world.names.change(seq, ghost.actor, change);
                }
            }
        }
    }
    CrashReport { kind: CrashKind::Kill, selection: None, files: Vec::new(), names: Vec::new() }
}

/// All that is not durable, in the order of time.
struct Survivors {
    candidates: Vec<Candidate>,
}

impl Survivors {
    fn of(state: &mut State) -> Self {
        let mut candidates = Vec::new();
        for (at, file) in state.world.files.iter_mut().enumerate() {
            let id = FileId(at as u32);
            candidates.extend(file.pending.drain(..).map(|Pending { seq, actor, change }| Candidate {
                seq,
                actor,
                what: What::File(id, change),
            }));
        }
        let names = &mut state.world.names;
        let changes = names.pending.drain(..);
        candidates.extend(changes.map(|Entry { seq, actor, change }| Candidate {
            seq,
            actor,
            what: What::Name(change),
        }));
        candidates.sort_by_key(|candidate| candidate.seq);
        // What was in flight comes last, in the order of submission.
        for ghost in std::mem::take(&mut state.ghosts) {
            let what = match &ghost.what {
                GhostChange::File(file, change) => Some(What::File(*file, change.clone())),
                what => what.name_change(names).map(|change| {
                    change.apply(&mut names.now);
                    What::Name(change)
                }),
            };
            candidates.extend(what.map(|what| Candidate { seq: u64::MAX, actor: ghost.actor, what }));
        }
        Self { candidates }
    }

    fn choose(self, state: &mut State, kind: CrashKind, tape: &mut Tape) -> CrashReport {
        let selection = self.selection(state, tape);
        let fates = self.fates(state, selection, tape);
        let mut report = CrashReport { kind, selection, files: self.rebuild(state, &fates), names: Vec::new() };
        report.names = self.rebuild_names(state, &fates);
        let longer = |file: &FileState| file.cache.len() > file.medium.len();
        let size_first = state.world.files.iter().any(longer)
            && tape.chance(Actor::Crash, "size-first", state.world.crashes, state.config.size_first);
        for file in &mut state.world.files {
            if size_first && longer(file) {
                file.medium.set_len(file.cache.len());
            }
            file.cache = file.medium.clone();
        }
        let files = &state.world.files;
        for fate in &mut report.files {
            if let Some(file) = files.iter().find(|file| Arc::ptr_eq(&file.path, &fate.path)) {
                fate.len_after = file.medium.len();
            }
        }
        report
    }

    /// How survivors are selected; nothing is drawn when there is nothing to select from.
    fn selection(&self, state: &State, tape: &mut Tape) -> Option<Selection> {
        if self.candidates.is_empty() {
            return None;
        }
        let weights = &state.config.survivors;
        let weights =
            [weights.lose_all, weights.keep_all, weights.prefix, weights.sectors, weights.operations, weights.garbage];
        let possible = Selection::ALL.into_iter().zip(weights).filter(|(_, weight)| *weight > 0);
        let (kinds, weights): (Vec<Selection>, Vec<u32>) = possible.unzip();
        match kinds.len() {
            0 => Some(Selection::LoseAll),
            1 => Some(kinds[0]),
            _ => Some(kinds[tape.weighted(Actor::Crash, "survivors", state.world.crashes, &weights)]),
        }
    }

    /// The fate of every sector of every candidate.
    fn fates(&self, state: &State, selection: Option<Selection>, tape: &mut Tape) -> Vec<Vec<Fate>> {
        let crashes = state.world.crashes;
        let whole = |candidate: &Candidate, fate| vec![fate; candidate.what.sectors() as usize];
        match selection {
            None | Some(Selection::LoseAll) => self.map(|candidate| whole(candidate, Fate::Lost)),
            Some(Selection::KeepAll) => self.map(|candidate| whole(candidate, Fate::Kept)),
            Some(Selection::Operations) => self.map(|candidate| {
                let kept = tape.draw(candidate.actor, "kept", 0, 2) == 1;
                whole(candidate, if kept { Fate::Kept } else { Fate::Lost })
            }),
            Some(Selection::Sectors) => self.map(|candidate| sector_fates(candidate, "kept-sectors", 2, tape)),
            Some(Selection::Garbage) => self.map(|candidate| sector_fates(candidate, "garbage-sectors", 3, tape)),
            Some(Selection::Prefix) => {
                let len = self.candidates.len() as u64;
                let prefix = tape.draw(Actor::Crash, "prefix", crashes, len + 1) as usize;
                let mut fates: Vec<Vec<Fate>> = (0..)
                    .zip(&self.candidates)
                    .map(|(at, candidate): (usize, _)| {
                        whole(candidate, if at < prefix { Fate::Kept } else { Fate::Lost })
                    })
                    .collect();
                if let Some(next) = fates.get_mut(prefix).filter(|next| next.len() > 1) {
                    let torn = tape.draw(Actor::Crash, "prefix-torn", crashes, next.len() as u64) as usize;
                    next[..torn].fill(Fate::Kept);
                }
                fates
            }
        }
    }

    fn map(&self, fates: impl FnMut(&Candidate) -> Vec<Fate>) -> Vec<Vec<Fate>> {
        self.candidates.iter().map(fates).collect()
    }

    /// Brings the survivors to the medium, in the order of time.
    fn rebuild(&self, state: &mut State, fates: &[Vec<Fate>]) -> Vec<FileFate> {
        let mut reports: Vec<(FileId, FileFate)> = Vec::new();
        for (candidate, fates) in self.candidates.iter().zip(fates) {
            let What::File(id, change) = &candidate.what else { continue };
            let salt = state.world.next_seq();
            let powersafe = state.config.powersafe_overwrite;
            let file = &mut state.world.files[id.0 as usize];
            let at = reports.iter().position(|(known, _)| known == id).unwrap_or_else(|| {
                reports.push((*id, FileFate::of(file)));
                reports.len() - 1
            });
            let report = &mut reports[at].1;
            report.count(fates);
            match change {
                Change::SetLen(_) if fates[0] == Fate::Kept => change.apply(&mut file.medium),
                Change::SetLen(_) => {}
                Change::Write { .. } if fates.iter().all(|fate| *fate == Fate::Kept) => change.apply(&mut file.medium),
                Change::Write { offset, bytes } => {
                    for (part, fate) in sectors(*offset, bytes.len()).zip(fates) {
                        let place = *offset + part.start as u64;
                        match fate {
                            Fate::Lost => {}
                            Fate::Kept => file.medium.write(place, &bytes[part]),
                            Fate::Garbage => garbage(file, place, part.len(), salt, powersafe),
                        }
                    }
                }
            }
        }
        reports.into_iter().map(|(_, report)| report).collect()
    }

    /// The same for names. A change that builds upon a lost one is lost with it.
    fn rebuild_names(&self, state: &mut State, fates: &[Vec<Fate>]) -> Vec<NameFate> {
        let mut broken: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut report = Vec::new();
        let names = &mut state.world.names;
        for (candidate, fates) in self.candidates.iter().zip(fates) {
            let What::Name(change) = &candidate.what else { continue };
            let kept = fates[0] == Fate::Kept && !change.paths().any(|path| broken.contains(path));
            if kept {
                change.apply(&mut names.durable);
            } else {
                broken.extend(change.paths().cloned());
            }
            report.push(NameFate { change: change.to_string(), kept });
        }
        names.now = names.durable.clone();
        report
    }
}

/// How many sectors share a draw.
const GROUP: u32 = 16;

/// Draws the fate of each sector: `fates` is 2 (lost, kept) or 3 (or garbage).
fn sector_fates(candidate: &Candidate, kind: &'static str, fates: u64, tape: &mut Tape) -> Vec<Fate> {
    let sectors = candidate.what.sectors();
    // Only bytes can turn into garbage; a size or a name cannot.
    let fates = if matches!(candidate.what, What::File(_, Change::Write { .. })) { fates } else { 2 };
    let mut drawn = Vec::with_capacity(sectors as usize);
    for group in 0..sectors.div_ceil(GROUP) {
        let count = GROUP.min(sectors - group * GROUP);
        let mut word = tape.draw(candidate.actor, kind, group, fates.pow(count));
        for _ in 0..count {
            drawn.push([Fate::Lost, Fate::Kept, Fate::Garbage][(word % fates) as usize]);
            word /= fates;
        }
    }
    drawn
}

/// Fills a part of a sector with garbage; the whole sector when overwriting is not powersafe.
fn garbage(file: &mut FileState, place: u64, len: usize, salt: u64, powersafe: bool) {
    let (start, len) = match powersafe {
        true => (place, len),
        false => {
            let start = place - place % SECTOR_BYTES as u64;
            // What lies beyond both the write and the file's end stays beyond it.
            let end = (start + SECTOR_BYTES as u64).min(file.medium.len().max(place + len as u64));
            (start, (end - start) as usize)
        }
    };
    let byte = |at: usize| (mix(salt ^ mix(at as u64 / 8)) >> (at % 8 * 8)) as u8;
    let bytes: Vec<u8> = (0..len).map(byte).collect();
    file.medium.write(start, &bytes);
}

impl FileFate {
    fn of(file: &FileState) -> Self {
        let len = file.cache.len();
        let path = Arc::clone(&file.path);
        Self { path, kept: 0, torn: 0, lost: 0, garbage_sectors: 0, len_before: len, len_after: len }
    }

    fn count(&mut self, fates: &[Fate]) {
        let all = |fate| fates.iter().all(|known| *known == fate);
        self.garbage_sectors += fates.iter().filter(|fate| **fate == Fate::Garbage).count() as u32;
        match () {
            () if all(Fate::Kept) => self.kept += 1,
            () if all(Fate::Lost) => self.lost += 1,
            () => self.torn += 1,
        }
    }
}

impl fmt::Display for NameChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(path, _) => write!(f, "create {path}"),
            Self::Remove(path) => write!(f, "remove {path}"),
            Self::Rename { from, to, .. } => write!(f, "rename {from} to {to}"),
        }
    }
}
