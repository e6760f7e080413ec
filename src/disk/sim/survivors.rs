//! Which sectors of which changes survive: the draws of a crash.
//!
//! One draw says how to select; the others are keyed by the operation they concern, so that in a case each
//! can be set to 0, which is: lost.

use super::config::{SECTOR_BYTES, SurvivorWeights};
use super::file::Change;
use super::names::NameChange;
use super::report::Selection;
use crate::aio::FileId;
use crate::tape::{Actor, Tape};

/// A change that is not durable, with its place in time.
pub(super) struct Candidate {
    pub(super) seq: u64,
    pub(super) actor: Actor,
    pub(super) what: What,
    /// A sync has answered for it, and the device has it in its cache.
    pub(super) on_device: bool,
    /// It survives, whatever is drawn for others.
    pub(super) sure: bool,
}

pub(super) enum What {
    File(FileId, Change),
    Name(NameChange),
}

/// What becomes of one sector of a write. Other changes have one fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    Kept,
    Garbage,
}

/// How many sectors share a draw.
const GROUP: u32 = 16;

impl Candidate {
    /// Sectors of a write; other changes happen whole or not at all.
    fn sectors(&self) -> u32 {
        match &self.what {
            What::File(_, Change::Write { offset, bytes }) => sectors(*offset, bytes.len()).count() as u32,
            _ => 1,
        }
    }

    fn whole(&self, fate: Fate) -> Vec<Fate> {
        vec![fate; self.sectors() as usize]
    }

    /// Draws the fate of each sector: `fates` is 2 (lost, kept) or 3 (or garbage).
    fn drawn(&self, kind: &'static str, fates: u64, tape: &mut Tape) -> Vec<Fate> {
        let sectors = self.sectors();
        // Only bytes can turn into garbage; a size or a name cannot.
        let fates = if matches!(self.what, What::File(_, Change::Write { .. })) { fates } else { 2 };
        let mut drawn = Vec::with_capacity(sectors as usize);
        for group in 0..sectors.div_ceil(GROUP) {
            let count = GROUP.min(sectors - group * GROUP);
            let mut word = tape.draw(self.actor, kind, group, fates.pow(count));
            for _ in 0..count {
                drawn.push([Fate::Lost, Fate::Kept, Fate::Garbage][(word % fates) as usize]);
                word /= fates;
            }
        }
        drawn
    }
}

/// The sectors a range touches, each as the part of the range that lies in it.
pub(super) fn sectors(offset: u64, len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let first = SECTOR_BYTES - (offset % SECTOR_BYTES as u64) as usize;
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        at = if start == 0 { first.min(len) } else { (start + SECTOR_BYTES).min(len) };
        (start < len).then_some(start..at)
    })
}

/// How survivors are selected in crash number `crash`; nothing is drawn when there is nothing to select from.
pub(super) fn selection(
    candidates: &[Candidate],
    weights: &SurvivorWeights,
    crash: u32,
    tape: &mut Tape,
) -> Option<Selection> {
    if candidates.iter().all(|candidate| candidate.sure) {
        return None;
    }
    let weights =
        [weights.lose_all, weights.keep_all, weights.prefix, weights.sectors, weights.operations, weights.garbage];
    let possible = Selection::ALL.into_iter().zip(weights).filter(|(_, weight)| *weight > 0);
    let (kinds, weights): (Vec<Selection>, Vec<u32>) = possible.unzip();
    match kinds.len() {
        0 => Some(Selection::LoseAll),
        1 => Some(kinds[0]),
        _ => Some(kinds[tape.weighted(Actor::Crash, "survivors", crash, &weights)]),
    }
}

/// The fates of all candidates.
pub(super) fn fates(
    candidates: &[Candidate],
    selection: Option<Selection>,
    crash: u32,
    tape: &mut Tape,
) -> Vec<Vec<Fate>> {
    if selection == Some(Selection::Prefix) {
        return prefix(candidates, crash, tape);
    }
    let fate = |candidate: &Candidate| match selection {
        _ if candidate.sure => candidate.whole(Fate::Kept),
        None | Some(Selection::LoseAll | Selection::Prefix) => candidate.whole(Fate::Lost),
        Some(Selection::KeepAll) => candidate.whole(Fate::Kept),
        Some(Selection::Sectors) => candidate.drawn("kept-sectors", 2, tape),
        Some(Selection::Garbage) => candidate.drawn("garbage-sectors", 3, tape),
        Some(Selection::Operations) => match tape.draw(candidate.actor, "kept", 0, 2) {
            0 => candidate.whole(Fate::Lost),
            _ => candidate.whole(Fate::Kept),
        },
    };
    candidates.iter().map(fate).collect()
}

/// The oldest changes survive, and perhaps the first sectors of the next.
fn prefix(candidates: &[Candidate], crash: u32, tape: &mut Tape) -> Vec<Vec<Fate>> {
    let unsure = candidates.iter().filter(|candidate| !candidate.sure).count() as u64;
    let mut left = tape.draw(Actor::Crash, "prefix", crash, unsure + 1);
    let mut next = true;
    let fate = |candidate: &Candidate| {
        if candidate.sure || left > 0 {
            left -= u64::from(!candidate.sure);
            return candidate.whole(Fate::Kept);
        }
        let mut fates = candidate.whole(Fate::Lost);
        if std::mem::take(&mut next) && fates.len() > 1 {
            let torn = tape.draw(Actor::Crash, "prefix-torn", crash, fates.len() as u64);
            fates[..torn as usize].fill(Fate::Kept);
        }
        fates
    };
    candidates.iter().map(fate).collect()
}
