//! Carrying what recovery found over into a new log.
//!
//! ```text
//! foundation ─▶ sync ─▶ header ─▶ sync ─▶ mark ─▶ sync
//! ```
//!
//! The header makes the log count: a log whose header is there has its foundation. The *mark* is the meta page once
//! more, right after the foundation. It begins when the header is durable, so where it is, the next recovery takes
//! this log and not the older one, which it would else prefer: that one may hold a commit that was read after a
//! process kill without ever having been synced, and that is safe in this log alone.

use std::rc::Rc;

use super::config::Config;
use super::file::{DataFile, Sync, WriteBatch};
use super::log::{Frames, Log, LogHeader};
use super::page::{META, Page, PageNo};
use crate::aio::{Buffer, CompletionError, IOResult};
use crate::return_if_io;

/// A log being founded.
pub(super) struct CarryOver {
    file: Rc<DataFile>,
    header: Buffer,
    at_once: bool,
    mark: Vec<(u64, Buffer)>,
    log: Option<Log>,
    state: CarryState,
}

enum CarryState {
    Pages(WriteBatch),
    SyncPages(Sync),
    Header(WriteBatch),
    SyncHeader(Sync),
    Mark(WriteBatch),
    SyncMark(Sync),
}

impl CarryOver {
    /// A log with these pages, the meta page last; `durable` is the last commit known to be durable so far.
    pub(super) fn new(
        file: &Rc<DataFile>,
        config: &Config,
        header: LogHeader,
        durable: u64,
        pages: &[(PageNo, Page)],
        meta: Page,
    ) -> Self {
        let page_size = config.page_size;
        let mut log = Log::new(page_size, header, 0);
        log.set_durable(durable);
        let Frames { first, mut runs, tail } = log.frames(header.base_sequence, pages);
        log.extend(first, pages, tail);
        // All that was carried over is durable when the mark is written, and the mark says so.
        log.set_durable(header.base_sequence);
        let mark = [(META, meta)];
        let Frames { first, runs: mark_runs, tail } = log.frames(header.base_sequence, &mark);
        log.extend(first, &mark, tail);
        let sector = Buffer::from(header.encode(page_size));
        // BUG header-before-frames (harmless): all goes out at once.
        let at_once = config.bugs.header_before_frames;
        if at_once {
            runs.push((0, sector.clone()));
        }
        let state = CarryState::Pages(WriteBatch::new(file, runs));
        Self { file: Rc::clone(file), header: sector, at_once, mark: mark_runs, log: Some(log), state }
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
                    self.state = match self.at_once {
                        true => self.write_mark(),
                        false => CarryState::Header(WriteBatch::new(&self.file, [(0, self.header.clone())])),
                    };
                }
                CarryState::Header(write) => {
                    return_if_io!(write.poll());
                    self.state = CarryState::SyncHeader(Sync::twice(&self.file));
                }
                CarryState::SyncHeader(sync) => {
                    return_if_io!(sync.poll());
                    self.state = self.write_mark();
                }
                CarryState::Mark(write) => {
                    return_if_io!(write.poll());
                    self.state = CarryState::SyncMark(Sync::twice(&self.file));
                }
                CarryState::SyncMark(sync) => {
                    return_if_io!(sync.poll());
                    return Ok(IOResult::Done(self.log.take().expect("polled once after it was done")));
                }
            }
        }
    }

    fn write_mark(&mut self) -> CarryState {
        CarryState::Mark(WriteBatch::new(&self.file, std::mem::take(&mut self.mark)))
    }
}
