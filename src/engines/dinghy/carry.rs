//! Carrying what recovery found over into a new log.
//!
//! The pages first, synced; then the header, synced, which makes the log count. A log whose header is there
//! has its foundation.

use std::rc::Rc;

use super::config::Config;
use super::file::{DataFile, Sync, WriteBatch};
use super::log::{Frames, Log, LogHeader};
use super::page::{Page, PageNo};
use crate::aio::{Buffer, CompletionError, IOResult};
use crate::return_if_io;

/// A log being founded.
pub(super) struct CarryOver {
    file: Rc<DataFile>,
    page_size: usize,
    header: LogHeader,
    at_once: bool,
    pages: Vec<(PageNo, Page)>,
    tail: u64,
    state: CarryState,
}

enum CarryState {
    Pages(WriteBatch),
    SyncPages(Sync),
    Header(WriteBatch),
    SyncHeader(Sync),
}

impl CarryOver {
    /// A log with these pages, the meta page last; `durable` is the last commit known to be durable so far.
    pub(super) fn new(
        file: &Rc<DataFile>,
        config: &Config,
        header: LogHeader,
        durable: u64,
        pages: &[(PageNo, Page)],
    ) -> Self {
        let page_size = config.page_size;
        let mut empty = Log::new(page_size, header, 0, &[], header.checksum(page_size));
        empty.set_durable(durable);
        let Frames { mut runs, tail, .. } = empty.frames(header.base_sequence, pages);
        // BUG header-before-frames (harmless): all goes out at once.
        let at_once = config.bugs.header_before_frames;
        if at_once {
            runs.push((0, Buffer::from(header.encode(page_size))));
        }
        let state = CarryState::Pages(WriteBatch::new(file, runs));
        let pages = pages.to_vec();
        Self { file: Rc::clone(file), page_size, header, at_once, pages, tail, state }
    }

    /// The log, when all of it is durable.
    pub(super) fn poll(&mut self) -> Result<IOResult<Log>, CompletionError> {
        loop {
            match &mut self.state {
                CarryState::Pages(write) => {
                    return_if_io!(write.poll());
                    self.state = CarryState::SyncPages(Sync::twice(&self.file));
                }
                CarryState::SyncPages(sync) => {
                    return_if_io!(sync.poll());
                    if self.at_once {
                        return Ok(IOResult::Done(self.log()));
                    }
                    let sector = Buffer::from(self.header.encode(self.page_size));
                    self.state = CarryState::Header(WriteBatch::new(&self.file, [(0, sector)]));
                }
                CarryState::Header(write) => {
                    return_if_io!(write.poll());
                    self.state = CarryState::SyncHeader(Sync::twice(&self.file));
                }
                CarryState::SyncHeader(sync) => {
                    return_if_io!(sync.poll());
                    return Ok(IOResult::Done(self.log()));
                }
            }
        }
    }

    fn log(&self) -> Log {
        Log::new(self.page_size, self.header, 0, &self.pages, self.tail)
    }
}
