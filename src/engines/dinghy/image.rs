//! A log as it lies on the disk, and what of it counts.
//!
//! Only whole commits count: a chain of whole frames from the header on, up to the last meta page. What lies
//! behind is the rest of a torn or abandoned commit, or of an older log, unless a frame there proves that
//! more had been durable: then the disk has damaged what it had promised to keep. Nothing here does I/O.

use std::collections::BTreeMap;

use super::config::Config;
use super::log::{FRAME_HEADER, FrameHeader, LogHeader, slot_offset};
use super::meta::Meta;
use super::node;
use super::page::{META, PageNo, is_sealed};

/// The bytes of a log, and what counts of it.
pub(super) struct Image {
    page_size: usize,
    bytes: Vec<u8>,
    /// What counts; nothing when the header is damaged or its log never came into force.
    pub log: Option<Content>,
}

/// The whole commits of a log.
pub(super) struct Content {
    pub header: LogHeader,
    /// The slot of the newest version of each page.
    pub slots: BTreeMap<PageNo, u64>,
    /// The last commit.
    pub sequence: u64,
    /// What it says of the database, if there is one.
    pub meta: Option<Meta>,
    /// What recovery wrote after the foundation to mark it, and commits: they began when the header was surely durable.
    pub own_commits: u64,
    /// The last commit that its frames know to be durable.
    pub durable: u64,
}

impl Image {
    pub(super) fn new(config: &Config, bytes: Vec<u8>) -> Self {
        let mut image = Self { page_size: config.page_size, bytes, log: None };
        image.log = LogHeader::decode(&image.bytes, config.page_size).and_then(|header| image.content(header, config));
        image
    }

    /// The page in a slot.
    pub(super) fn page(&self, slot: u64) -> &[u8] {
        let frame = self.frame(slot).expect("a slot of this log");
        &frame[FRAME_HEADER..]
    }

    /// The newest commit of which some whole frame, of this generation or a later one, knows that it was durable.
    pub(super) fn durable_witness(&self, generation: u32) -> u64 {
        let frames = (0..).map_while(|slot| self.frame(slot));
        let whole = frames.filter(|frame| FrameHeader::is_whole(frame)).map(FrameHeader::read);
        whole.filter(|frame| frame.generation >= generation).map(|frame| frame.durable).max().unwrap_or(0)
    }

    fn frame(&self, slot: u64) -> Option<&[u8]> {
        let start = usize::try_from(slot_offset(self.page_size, slot)).ok()?;
        self.bytes.get(start..start + FRAME_HEADER + self.page_size)
    }

    fn content(&self, header: LogHeader, config: &Config) -> Option<Content> {
        let mut content = Content {
            header,
            slots: BTreeMap::new(),
            sequence: header.base_sequence,
            meta: None,
            own_commits: 0,
            durable: header.base_sequence,
        };
        let mut previous = header.checksum(self.page_size);
        let mut committed = 0;
        let mut pending = Vec::new();
        for slot in 0.. {
            let Some(bytes) = self.frame(slot) else { break };
            let frame = FrameHeader::read(bytes);
            let own = slot >= u64::from(header.foundation);
            let is_mark = slot == u64::from(header.foundation) && frame.page == META;
            let expected =
                frame.sequence == content.sequence + u64::from(own) || is_mark && frame.sequence == content.sequence;
            let belongs = frame.salt == header.salt && frame.generation == header.generation && expected;
            let whole = frame.previous == previous
                && FrameHeader::is_whole(bytes)
                && is_sealed(&bytes[FRAME_HEADER..], page_stamp(config, frame.page))
                && node::is_sound(&bytes[FRAME_HEADER..]);
            // BUG torn-frame-accepted: it says that it belongs here, and nobody compares checksums.
            if !belongs || !(whole || config.bugs.torn_frame_accepted) {
                break;
            }
            previous = super::page::stored_checksum(bytes);
            content.durable = content.durable.max(frame.durable);
            pending.push((frame.page, slot));
            if frame.page == META {
                content.meta = Some(Meta::decode(&bytes[FRAME_HEADER..])?);
                content.slots.extend(pending.drain(..));
                content.sequence = frame.sequence;
                content.own_commits += u64::from(own);
                committed = slot + 1;
            }
        }
        // A header follows its foundation: without it, the log has been overwritten by a later attempt.
        (committed >= u64::from(header.foundation)).then_some(content)
    }
}

/// The meta page is always known by its number.
fn page_stamp(config: &Config, page: PageNo) -> PageNo {
    if page == META { META } else { config.stamp(page) }
}
