//! The log: its bytes, and where in it the newest version of each page is.
//!
//! Two files are used in turn, one per *generation*. A log begins with its header (sector 0); frames follow,
//! each in a slot of whole sectors, so that a torn write hurts no neighbour.
//!
//! ```text
//! header: checksum | magic | page size u32 | generation u32 | salt | base sequence | foundation frames u32
//! frame:  checksum | checksum of the frame before | salt | sequence | durable sequence | page u32 | generation u32 | page
//! ```
//!
//! A commit is its pages, then the meta page; nothing counts before the meta page is there. Each frame names
//! the one before by its checksum (the first names the header), so frames of two attempts never mix.
//! Nothing here does I/O.

use std::collections::BTreeMap;

use super::checksum::checksum;
use super::page::{Page, PageNo, get_u32, get_u64, put_u32, put_u64, stored_checksum};
use super::snapshot::Lsn;
use crate::aio::Buffer;

/// The unit in which a disk tears writes, in bytes.
pub(super) const SECTOR: usize = 512;
/// Bytes of a frame before its page.
pub(super) const FRAME_HEADER: usize = 48;

const MAGIC: u64 = u64::from_le_bytes(*b"dinghylg");
const HEADER_LEN: usize = 44;

/// The first sector of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogHeader {
    /// Counts logs; the file is number `generation % 2`.
    pub generation: u32,
    /// Drawn anew for each log, so that no frame of an older one is taken for one of this.
    pub salt: u64,
    /// The commit after which this log begins, or the last one that its foundation holds.
    pub base_sequence: u64,
    /// Frames that were durable before the header was written: what recovery carried over.
    pub foundation: u32,
}

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// The checksum of the frame before, or of the header.
    pub previous: u64,
    /// That of the log.
    pub salt: u64,
    /// The commit it belongs to.
    pub sequence: u64,
    /// The last commit that was known to be durable when the frame was written.
    pub durable: u64,
    /// Which page it holds.
    pub page: PageNo,
    /// That of the log.
    pub generation: u32,
}

impl LogHeader {
    pub(super) fn encode(&self, page_size: usize) -> Vec<u8> {
        let mut bytes = vec![0; SECTOR];
        put_u64(&mut bytes, 8, MAGIC);
        put_u32(&mut bytes, 16, page_size as u32);
        put_u32(&mut bytes, 20, self.generation);
        put_u64(&mut bytes, 24, self.salt);
        put_u64(&mut bytes, 32, self.base_sequence);
        put_u32(&mut bytes, 40, self.foundation);
        let sum = self.checksum(page_size);
        put_u64(&mut bytes, 0, sum);
        bytes
    }

    /// The checksum in the header, which is what the first frame names.
    pub(super) fn checksum(&self, page_size: usize) -> u64 {
        let mut sum = checksum(MAGIC, &(page_size as u64).to_le_bytes());
        for word in [u64::from(self.generation), self.salt, self.base_sequence, u64::from(self.foundation)] {
            sum = checksum(sum, &word.to_le_bytes());
        }
        sum
    }

    /// Reads a header back; `None` when it is damaged or there is none.
    pub(super) fn decode(bytes: &[u8], page_size: usize) -> Option<Self> {
        if bytes.len() < HEADER_LEN || get_u64(bytes, 8) != MAGIC || get_u32(bytes, 16) as usize != page_size {
            return None;
        }
        let header = Self {
            generation: get_u32(bytes, 20),
            salt: get_u64(bytes, 24),
            base_sequence: get_u64(bytes, 32),
            foundation: get_u32(bytes, 40),
        };
        (get_u64(bytes, 0) == header.checksum(page_size)).then_some(header)
    }
}

impl FrameHeader {
    /// The frame with its page; answers its checksum too.
    pub(super) fn encode(&self, page: &[u8]) -> (Vec<u8>, u64) {
        let mut bytes = Vec::with_capacity(FRAME_HEADER + page.len());
        bytes.resize(FRAME_HEADER, 0);
        put_u64(&mut bytes, 8, self.previous);
        put_u64(&mut bytes, 16, self.salt);
        put_u64(&mut bytes, 24, self.sequence);
        put_u64(&mut bytes, 32, self.durable);
        put_u32(&mut bytes, 40, self.page);
        put_u32(&mut bytes, 44, self.generation);
        // The page's own checksum covers the rest of it.
        let sum = checksum(stored_checksum(page), &bytes[8..FRAME_HEADER]);
        put_u64(&mut bytes, 0, sum);
        bytes.extend_from_slice(page);
        (bytes, sum)
    }

    /// What a frame says, not yet believed.
    pub(super) fn read(frame: &[u8]) -> Self {
        Self {
            previous: get_u64(frame, 8),
            salt: get_u64(frame, 16),
            sequence: get_u64(frame, 24),
            durable: get_u64(frame, 32),
            page: get_u32(frame, 40),
            generation: get_u32(frame, 44),
        }
    }

    /// Whether the frame's header is whole and belongs to the page behind it.
    pub(super) fn is_whole(frame: &[u8]) -> bool {
        stored_checksum(frame) == checksum(stored_checksum(&frame[FRAME_HEADER..]), &frame[8..FRAME_HEADER])
    }
}

/// Bytes from one frame to the next.
pub(super) const fn slot_size(page_size: usize) -> usize {
    (FRAME_HEADER + page_size).next_multiple_of(SECTOR)
}

/// Where frame number `index` of a log begins, in bytes.
pub(super) const fn slot_offset(page_size: usize, index: u64) -> u64 {
    SECTOR as u64 + index * slot_size(page_size) as u64
}

/// What the running engine knows of the log in use.
pub(super) struct Log {
    page_size: usize,
    header: LogHeader,
    /// The frame before the log's first.
    base: Lsn,
    /// The last frame of the last published commit.
    end: Lsn,
    /// Where the next frame goes; right after `end`.
    next: Lsn,
    /// The checksum that the next frame names.
    tail: u64,
    /// Frames up to this one are in the database file, durably.
    backfilled: Lsn,
    /// The last commit known to be durable.
    durable: u64,
    /// The frames of each page, ascending.
    frames: BTreeMap<PageNo, Vec<Lsn>>,
    /// The checksum of each frame's page. The file may hold other versions of it, and a read that went astray
    /// would find one of them whole.
    sums: BTreeMap<Lsn, u64>,
}

/// Frames made ready for the end of a log.
pub(super) struct Frames {
    /// The number of the first.
    pub first: Lsn,
    /// Where each goes and what it is; the meta page is the last.
    pub runs: Vec<(u64, Buffer)>,
    /// The checksum that the frame after them will name.
    pub tail: u64,
}

impl Log {
    /// A log without frames.
    pub(super) fn new(page_size: usize, header: LogHeader, base: Lsn) -> Self {
        Self {
            page_size,
            header,
            base,
            end: base,
            next: base + 1,
            tail: header.checksum(page_size),
            backfilled: base,
            durable: header.base_sequence,
            frames: BTreeMap::new(),
            sums: BTreeMap::new(),
        }
    }

    pub(super) const fn header(&self) -> &LogHeader {
        &self.header
    }

    pub(super) const fn end(&self) -> Lsn {
        self.end
    }

    pub(super) const fn tail(&self) -> u64 {
        self.tail
    }

    /// How many frames there are.
    pub(super) const fn len(&self) -> u64 {
        self.end - self.base
    }

    pub(super) const fn backfilled(&self) -> Lsn {
        self.backfilled
    }

    pub(super) const fn set_backfilled(&mut self, to: Lsn) {
        self.backfilled = if to > self.backfilled { to } else { self.backfilled };
    }

    pub(super) const fn set_durable(&mut self, sequence: u64) {
        self.durable = sequence;
    }

    /// Which of the two files.
    pub(super) const fn file(&self) -> usize {
        self.header.generation as usize % 2
    }

    /// Its marks, for people.
    pub(super) fn told(&self) -> String {
        let Self { header: LogHeader { generation, .. }, base, end, backfilled, durable, .. } = self;
        format!(
            "generation {generation}, frames {}..={end}, copied up to {backfilled}, durable up to commit {durable}",
            base + 1
        )
    }

    /// The newest frame of a page that a reader with this mark sees; `None` means the database file.
    pub(super) fn find(&self, page: PageNo, mark: Lsn) -> Option<Lsn> {
        let frames = self.frames.get(&page)?;
        let seen = frames.partition_point(|&lsn| lsn <= mark);
        seen.checked_sub(1).map(|last| frames[last])
    }

    /// A frame's place in its file, counted in frames.
    pub(super) const fn slot(&self, lsn: Lsn) -> u64 {
        lsn - self.base - 1
    }

    /// Where a frame's page lies in its file, in bytes.
    pub(super) const fn page_offset(&self, lsn: Lsn) -> u64 {
        slot_offset(self.page_size, self.slot(lsn)) + FRAME_HEADER as u64
    }

    /// The checksum of the page in a frame.
    pub(super) fn sum(&self, lsn: Lsn) -> Option<u64> {
        self.sums.get(&lsn).copied()
    }

    /// The pages whose newest frame up to `limit` is not in the database file yet, with that frame.
    pub(super) fn to_backfill(&self, limit: Lsn) -> Vec<(PageNo, Lsn)> {
        let newest = |&page: &PageNo| self.find(page, limit).map(|lsn| (page, lsn));
        self.frames.keys().filter_map(newest).filter(|&(_, lsn)| lsn > self.backfilled).collect()
    }

    /// The pages that have a frame.
    pub(super) fn pages(&self) -> impl Iterator<Item = (PageNo, Lsn)> + '_ {
        self.frames.iter().filter_map(|(&page, frames)| frames.last().map(|&lsn| (page, lsn)))
    }

    /// Frames for `pages`, to be written at the end of the log.
    pub(super) fn frames(&self, sequence: u64, pages: &[(PageNo, Page)]) -> Frames {
        let mut previous = self.tail;
        let mut runs = Vec::with_capacity(pages.len());
        for (index, (page, bytes)) in (self.slot(self.next)..).zip(pages) {
            let LogHeader { salt, generation, .. } = self.header;
            let header = FrameHeader { previous, salt, sequence, durable: self.durable, page: *page, generation };
            let (frame, sum) = header.encode(bytes);
            runs.push((slot_offset(self.page_size, index), Buffer::from(frame)));
            previous = sum;
        }
        Frames { first: self.next, runs, tail: previous }
    }

    /// From here on readers find these pages, in the frames from `first` on: the commit is published.
    pub(super) fn extend(&mut self, first: Lsn, pages: &[(PageNo, Page)], tail: u64) {
        for (lsn, (page, bytes)) in (first..).zip(pages) {
            self.frames.entry(*page).or_default().push(lsn);
            self.sums.insert(lsn, stored_checksum(bytes));
            self.end = lsn;
        }
        self.next = self.end + 1;
        self.tail = tail;
    }

    /// Only for the bug `state-advanced-before-fallible-call`.
    pub(super) const fn skip(&mut self, frames: usize) {
        self.next += frames as u64;
    }
}
