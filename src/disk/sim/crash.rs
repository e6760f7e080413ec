//! What is left when everything stops.
//!
//! What a sync has answered for is never touched, unless the device lied about it. Of the rest, a selection
//! survives; it is applied to the medium in the order in which the changes were made.
//!
//! A process kill loses no applied change: the operating system still has it, and may lose it later.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use super::config::SECTOR_BYTES;
use super::file::{Change, FileState, Pending};
use super::names::Entry;
use super::report::{CrashReport, FileFate, NameFate};
use super::state::{GhostChange, State};
use super::survivors::{Candidate, Fate, What, fates, sectors, selection};
use crate::aio::FileId;
use crate::history::CrashKind;
use crate::tape::{Actor, Tape, mix};

/// Chooses survivors and thaws the disk.
pub(super) fn crash(state: &mut State, kind: CrashKind, tape: &mut Tape) -> CrashReport {
    state.frozen = false;
    state.world.files.iter_mut().for_each(|file| file.open = Weak::new());
    let report = match kind {
        CrashKind::Kill => kill(state, tape),
        CrashKind::Os | CrashKind::Power => lose(state, kind, tape),
    };
    state.ghosts.clear();
    state.world.crashes += 1;
    state.world.pages = state.world.files.iter().map(|file| file.cache.pages()).sum();
    state.world.collect();
    report
}

/// A process ends: each operation in flight has reached the operating system, or has not.
fn kill(state: &mut State, tape: &mut Tape) -> CrashReport {
    let mut files = Fates::default();
    let mut names = Vec::new();
    for ghost in std::mem::take(&mut state.ghosts) {
        let kept = tape.draw(ghost.actor, "killed", 0, 2) == 1;
        match &ghost.what {
            GhostChange::File(id, change) => {
                let seq = state.world.next_seq();
                let file = state.world.file(*id);
                files.of(*id, file).count(&[if kept { Fate::Kept } else { Fate::Lost }], false);
                if kept {
                    change.apply(&mut file.cache);
                    file.pending.push(Pending::new(seq, ghost.actor, change.clone()));
                }
            }
            what => {
                let Some(change) = what.name_change(&state.world.names) else { continue };
                names.push(NameFate { change: change.to_string(), kept, betrayed: false });
                if kept {
                    state.world.change_names(ghost.actor, change);
                }
            }
        }
    }
    let files = files.finish(|id| state.world.files[id.0 as usize].cache.len());
    CrashReport { kind: CrashKind::Kill, selection: None, files, names }
}

/// The operating system or the power fails: only the medium is left.
fn lose(state: &mut State, kind: CrashKind, tape: &mut Tape) -> CrashReport {
    let candidates = candidates(state, kind);
    let crash = state.world.crashes;
    let selection = selection(&candidates, &state.config.survivors, crash, tape);
    let fates = fates(&candidates, selection, crash, tape);
    let files = rebuild(state, &candidates, &fates);
    let names = rebuild_names(state, &candidates, &fates);
    let longer = |file: &FileState| file.cache.len() > file.medium.len();
    let size_first =
        state.world.files.iter().any(longer) && tape.chance(Actor::Crash, "size-first", crash, state.config.size_first);
    for file in &mut state.world.files {
        if size_first && longer(file) {
            file.medium.set_len(file.cache.len());
        }
        file.cache = file.medium.clone();
        file.linked = false;
        file.late = false;
        file.old.clear();
    }
    for (path, id) in &state.world.names.now {
        let file = &mut state.world.files[id.0 as usize];
        file.linked = true;
        file.path = Arc::clone(path);
    }
    let files = files.finish(|id| state.world.files[id.0 as usize].medium.len());
    let betrayed = files.iter().filter(|file| file.betrayed > 0).count() as u64;
    state.stats.syncs_betrayed += betrayed + u64::from(names.iter().any(|name| name.betrayed));
    CrashReport { kind, selection, files, names }
}

/// All that is not durable, in the order of time; what was in flight comes last, in the order of submission.
fn candidates(state: &mut State, kind: CrashKind) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    // An operating system that stops leaves the device time to write its cache.
    let sure = |on_device| on_device && kind == CrashKind::Os;
    for (at, file) in state.world.files.iter_mut().enumerate() {
        let id = FileId(at as u32);
        candidates.extend(file.pending.drain(..).map(|Pending { seq, actor, change, on_device }| Candidate {
            seq,
            actor,
            what: What::File(id, change),
            on_device,
            sure: sure(on_device),
        }));
    }
    let names = &mut state.world.names;
    candidates.extend(names.pending.drain(..).map(|Entry { seq, actor, change, on_device }| Candidate {
        seq,
        actor,
        what: What::Name(change),
        on_device,
        sure: sure(on_device),
    }));
    candidates.sort_by_key(|candidate| candidate.seq);
    for ghost in std::mem::take(&mut state.ghosts) {
        let what = match &ghost.what {
            GhostChange::File(file, change) => Some(What::File(*file, change.clone())),
            what => what.name_change(names).map(|change| {
                change.apply(&mut names.now);
                What::Name(change)
            }),
        };
        let actor = ghost.actor;
        candidates.extend(what.map(|what| Candidate { seq: u64::MAX, actor, what, on_device: false, sure: false }));
    }
    candidates
}

/// Brings the survivors to the medium, in the order of time.
fn rebuild(state: &mut State, candidates: &[Candidate], fates: &[Vec<Fate>]) -> Fates {
    let mut reports = Fates::default();
    let powersafe = state.config.powersafe_overwrite;
    for (candidate, fates) in candidates.iter().zip(fates) {
        let What::File(id, change) = &candidate.what else { continue };
        let salt = state.world.next_seq();
        let file = state.world.file(*id);
        reports.of(*id, file).count(fates, candidate.on_device);
        match change {
            change if fates.iter().all(|fate| *fate == Fate::Kept) => drop(change.apply(&mut file.medium)),
            Change::SetLen(_) => {}
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
    reports
}

/// The same for names. A change that builds upon a lost one is lost with it.
fn rebuild_names(state: &mut State, candidates: &[Candidate], fates: &[Vec<Fate>]) -> Vec<NameFate> {
    let mut broken: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut report = Vec::new();
    let names = &mut state.world.names;
    for (candidate, fates) in candidates.iter().zip(fates) {
        let What::Name(change) = &candidate.what else { continue };
        let kept = fates[0] == Fate::Kept && !change.paths().any(|path| broken.contains(path));
        if kept {
            change.apply(&mut names.durable);
        } else {
            broken.extend(change.paths().cloned());
        }
        report.push(NameFate { change: change.to_string(), kept, betrayed: candidate.on_device && !kept });
    }
    names.now = names.durable.clone();
    report
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

/// What becomes of each file, in the order in which they are first named.
#[derive(Default)]
struct Fates(Vec<(FileId, FileFate)>);

impl Fates {
    fn of(&mut self, id: FileId, file: &FileState) -> &mut FileFate {
        let at = self.0.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.0.push((id, FileFate::of(file)));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    fn finish(self, len_after: impl Fn(FileId) -> u64) -> Vec<FileFate> {
        let finished = |(id, fate)| FileFate { len_after: len_after(id), ..fate };
        self.0.into_iter().map(finished).collect()
    }
}

impl FileFate {
    fn of(file: &FileState) -> Self {
        let len = file.cache.len();
        Self {
            path: Arc::clone(&file.path),
            kept: 0,
            torn: 0,
            lost: 0,
            garbage_sectors: 0,
            betrayed: 0,
            len_before: len,
            len_after: len,
        }
    }

    fn count(&mut self, fates: &[Fate], on_device: bool) {
        let all = |fate| fates.iter().all(|known| *known == fate);
        self.garbage_sectors += fates.iter().filter(|fate| **fate == Fate::Garbage).count() as u32;
        self.betrayed += u32::from(on_device && !all(Fate::Kept));
        match () {
            () if all(Fate::Kept) => self.kept += 1,
            () if all(Fate::Lost) => self.lost += 1,
            () => self.torn += 1,
        }
    }
}
