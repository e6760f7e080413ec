//! Media faults: bytes that are not what was written, or not where, or not at all.
//!
//! A run has at most one kind. They strike only files that have a name and are in use, where an engine can
//! notice; a fault that could do nothing is not drawn.

use super::config::{MediaFault, SECTOR_BYTES};
use super::file::FileState;
use super::image::{Image, PAGE_BYTES};
use super::turn::Turn;
use crate::aio::FileId;
use crate::tape::{Actor, Ratio};

const SECTOR: u64 = SECTOR_BYTES as u64;

/// What a media fault makes of a read.
pub(super) enum ReadFault {
    /// The sector cannot be read.
    Unreadable,
    /// The bytes come from this offset.
    From(u64),
    /// This bit of the answer is wrong.
    Flip(u64),
    /// The bytes are those before the last write.
    Stale,
}

/// What a media fault makes of a write.
pub(super) enum WriteFault {
    /// Nothing is written.
    Lost,
    /// It lands in this file at this offset.
    To(FileId, u64),
}

impl Turn<'_> {
    /// The run's kind of media fault.
    pub(super) fn media(&mut self) -> Option<MediaFault> {
        let config = &self.state.config;
        if config.media_rate.is_zero() || config.media.is_empty() || !self.state.faults_on {
            return None;
        }
        if self.state.world.media.is_none() {
            let at = match config.media.len() {
                1 => 0,
                kinds => self.tape.draw(Actor::Crash, "media-kind", 0, kinds as u64),
            };
            self.state.world.media = Some(config.media[at as usize]);
        }
        self.state.world.media
    }

    fn media_strikes(&mut self, kind: MediaFault) -> bool {
        let rate: Ratio = self.state.config.media_rate;
        self.strikes(kind.name(), rate)
    }

    /// Strikes a read of `count` bytes.
    pub(super) fn read_fault(&mut self, id: FileId, offset: u64, count: usize) -> Option<ReadFault> {
        let kind = self.media()?;
        if count == 0 || !self.state.world.file(id).linked {
            return None;
        }
        let len = count as u64;
        match kind {
            MediaFault::BitFlip if self.media_strikes(kind) => {
                let bit = self.tape.draw(self.actor, "bit-flip-at", 0, len * 8);
                let file = self.state.world.file(id);
                flip(&mut file.cache, offset, bit);
                flip(&mut file.medium, offset, bit);
                None
            }
            MediaFault::FlipOnRead if self.media_strikes(kind) => {
                Some(ReadFault::Flip(self.tape.draw(self.actor, "flip-on-read-at", 0, len * 8)))
            }
            MediaFault::LatentSector if self.media_strikes(kind) => {
                let (first, last) = (offset / SECTOR, (offset + len - 1) / SECTOR);
                let bad = first + self.tape.draw(self.actor, "latent-sector-at", 0, last - first + 1);
                self.state.world.file(id).bad.insert(bad);
                Some(ReadFault::Unreadable)
            }
            MediaFault::ZeroedPage if self.media_strikes(kind) => {
                let (first, last) = (offset / PAGE_BYTES as u64, (offset + len - 1) / PAGE_BYTES as u64);
                let page = first + self.tape.draw(self.actor, "zeroed-page-at", 0, last - first + 1);
                let file = self.state.world.file(id);
                zero(&mut file.cache, page);
                zero(&mut file.medium, page);
                None
            }
            MediaFault::MisdirectedRead => {
                let places = Places::other(offset, len, self.state.world.file(id).cache.len());
                if places.count == 0 || !self.media_strikes(kind) {
                    return None;
                }
                let place = self.tape.draw(self.actor, "misdirected-read-to", 0, places.count);
                Some(ReadFault::From(places.at(place)))
            }
            MediaFault::StaleRead if self.state.world.file(id).is_stale(offset, len) => {
                self.media_strikes(kind).then_some(ReadFault::Stale)
            }
            _ => None,
        }
    }

    /// Strikes a write of `count` bytes.
    pub(super) fn write_fault(&mut self, id: FileId, offset: u64, count: usize) -> Option<WriteFault> {
        let kind = self.media()?;
        if count == 0 || !self.state.world.file(id).linked {
            return None;
        }
        match kind {
            MediaFault::LostWrite if self.media_strikes(kind) => Some(WriteFault::Lost),
            MediaFault::MisdirectedWrite => self.misdirect(id, offset, count as u64),
            _ => None,
        }
    }

    fn misdirect(&mut self, id: FileId, offset: u64, len: u64) -> Option<WriteFault> {
        let own = Places::other(offset, len, self.state.world.file(id).cache.len());
        let files = self.state.world.files.iter().enumerate();
        let others = files.filter(|(at, file)| *at != id.0 as usize && file.linked && file.open.strong_count() > 0);
        let others = others.map(|(at, file)| (FileId(at as u32), Places::all(offset, len, file.cache.len())));
        let mut targets: Vec<(FileId, Places)> = std::iter::once((id, own)).chain(others).collect();
        targets.retain(|(_, places)| places.count > 0);
        if targets.is_empty() || !self.media_strikes(MediaFault::MisdirectedWrite) {
            return None;
        }
        let at = match targets.len() {
            1 => 0,
            files => self.tape.draw(self.actor, "misdirected-write-file", 0, files as u64),
        };
        let (file, places) = &targets[at as usize];
        let place = self.tape.draw(self.actor, "misdirected-write-to", 0, places.count);
        Some(WriteFault::To(*file, places.at(place)))
    }
}

/// The places where a transfer could have gone by mistake: whole transfers away from the right one, because
/// what lies there looks right in every way but its place.
struct Places {
    first: u64,
    len: u64,
    count: u64,
    /// The right place, which is none of them.
    skip: Option<u64>,
}

impl Places {
    fn all(offset: u64, len: u64, file_len: u64) -> Self {
        let first = offset % len;
        Self { first, len, count: file_len.saturating_sub(first) / len, skip: None }
    }

    fn other(offset: u64, len: u64, file_len: u64) -> Self {
        let all = Self::all(offset, len, file_len);
        let own = offset / len;
        match own < all.count {
            true => Self { count: all.count - 1, skip: Some(own), ..all },
            false => all,
        }
    }

    fn at(&self, place: u64) -> u64 {
        let place = place + u64::from(self.skip.is_some_and(|own| place >= own));
        self.first + place * self.len
    }
}

/// Turns over bit number `bit` of what lies at `offset`, if the file reaches so far.
fn flip(image: &mut Image, offset: u64, bit: u64) {
    let place = offset + bit / 8;
    let mut byte = [0];
    if image.read(place, &mut byte) == 1 {
        image.write(place, &[byte[0] ^ (1 << (bit % 8))]);
    }
}

fn zero(image: &mut Image, page: u64) {
    let start = page * PAGE_BYTES as u64;
    let len = image.len().saturating_sub(start).min(PAGE_BYTES as u64) as usize;
    if image.page(page).is_some() {
        image.write(start, &[0; PAGE_BYTES][..len]);
    }
}

impl FileState {
    /// Whether a latent error lies in the range.
    pub(super) fn unreadable(&self, offset: u64, len: u64) -> bool {
        !self.bad.is_empty()
            && len > 0
            && self.bad.range(offset / SECTOR..=(offset + len - 1) / SECTOR).next().is_some()
    }

    /// The range is being written: its sectors can be read again, and what they held is remembered.
    pub(super) fn rewritten(&mut self, offset: u64, len: u64, remember: bool) {
        let sectors = offset / SECTOR..(offset + len).div_ceil(SECTOR);
        if !self.bad.is_empty() {
            self.bad.retain(|sector| !sectors.contains(sector));
        }
        if remember {
            for sector in sectors.filter(|sector| sector * SECTOR < self.cache.len()) {
                let mut bytes = [0; SECTOR_BYTES];
                self.cache.read(sector * SECTOR, &mut bytes);
                self.old.insert(sector, bytes);
            }
        }
    }

    /// Whether every sector of the range has an older version, and one of them differs.
    fn is_stale(&self, offset: u64, len: u64) -> bool {
        let mut differs = false;
        for sector in offset / SECTOR..(offset + len).div_ceil(SECTOR) {
            let Some(old) = self.old.get(&sector) else { return false };
            let mut now = [0; SECTOR_BYTES];
            self.cache.read(sector * SECTOR, &mut now);
            differs |= now != *old;
        }
        differs
    }

    /// Reads what the range held before its last writes.
    pub(super) fn read_old(&self, offset: u64, into: &mut [u8]) {
        for (at, byte) in into.iter_mut().enumerate() {
            let place = offset + at as u64;
            if let Some(old) = self.old.get(&(place / SECTOR)) {
                *byte = old[(place % SECTOR) as usize];
            }
        }
    }
}
