//! Opening: find what counts, make sure that it is durable, go on from there.
//!
//! Of the two logs the newer one counts, unless it holds nothing after its foundation: it may then be on the disk by
//! luck only, and the older one, which holds the same, is taken. What the chosen log holds is carried over,
//! newest version of each page, into the *other* file, as the foundation of a new log:
//!
//! ```text
//! directory sync ─▶ read both logs ─▶ choose (─▶ read the meta page) ─▶ carry over ─▶ open
//! ```
//!
//! The chosen log is not touched, so a crash anywhere in between changes nothing, and recovery begins again
//! from the same. All that connections will see has been written and synced here, even when an earlier sync
//! had failed and left pages that only seem to be on the disk. The database file is only read.

use std::rc::Rc;
use std::sync::Arc;

use super::bugs::Bugs;
use super::carry::CarryOver;
use super::config::Config;
use super::failure::Failure;
use super::file::{DataFile, ReadExact, all_of};
use super::image::{Content, Image};
use super::log::LogHeader;
use super::meta::Meta;
use super::page::{META, Page, PageKind, PageNo, ROOT, blank, seal};
use super::shared::Shared;
use crate::aio::{Completion, CompletionError, ErrorKind, IOResult};
use crate::disk::{Io, OpenMode};
use crate::{io_yield_one, return_if_io};

const DATABASE: &str = "dinghy.db";
const LOGS: [&str; 2] = ["dinghy-0.log", "dinghy-1.log"];

/// An engine on its way up.
pub(super) struct Recovery {
    config: Config,
    io: Arc<dyn Io>,
    files: Option<Files>,
    state: RecoveryState,
}

#[derive(Clone)]
struct Files {
    database: Rc<DataFile>,
    logs: [Rc<DataFile>; 2],
}

enum RecoveryState {
    Open,
    SyncDirectory(Completion),
    ReadLogs(Box<[LogRead; 2]>),
    /// The log holds no commit: the database file says what the database is.
    ReadMeta {
        found: Found,
        read: ReadExact,
        again: bool,
    },
    CarryOver {
        meta: Meta,
        carry: CarryOver,
    },
    Over,
}

enum LogRead {
    UnderWay(ReadExact),
    Done(Vec<u8>),
}

/// What counts, to be carried over.
struct Found {
    /// Of the new log.
    generation: u32,
    sequence: u64,
    durable: u64,
    /// The meta page is the last, if there are any.
    pages: Vec<(PageNo, Page)>,
}

impl Recovery {
    pub(super) fn new(config: Config, io: Arc<dyn Io>) -> Self {
        Self { config, io, files: None, state: RecoveryState::Open }
    }

    /// The engine, when it is ready.
    pub(super) fn poll(&mut self) -> Result<IOResult<Rc<Shared>>, Failure> {
        loop {
            match &mut self.state {
                RecoveryState::Open => {
                    self.files = Some(open_files(&*self.io, self.config.bugs)?);
                    // BUG missing-directory-sync: the files are there, for now.
                    self.state = match self.config.bugs.missing_directory_sync {
                        false => RecoveryState::SyncDirectory(self.sync_directory()),
                        true => self.read_logs()?,
                    };
                }
                // Also when no file is new: the process that made them may have ended before it synced.
                RecoveryState::SyncDirectory(sync) => match sync.result() {
                    None => io_yield_one!(sync.clone()),
                    Some(Ok(_)) => self.state = self.read_logs()?,
                    Some(Err(error)) if error.io_kind() == Some(ErrorKind::Interrupted) => {
                        self.state = RecoveryState::SyncDirectory(self.sync_directory());
                    }
                    Some(Err(error)) => return Err(error.into()),
                },
                RecoveryState::ReadLogs(reads) => {
                    let bytes = return_if_io!(read_both(reads));
                    let images = bytes.map(|bytes| Image::new(&self.config, bytes));
                    self.state = self.choose(&images)?;
                }
                RecoveryState::ReadMeta { .. } => return_if_io!(self.read_meta()),
                RecoveryState::CarryOver { meta, carry } => {
                    let (log, meta) = (return_if_io!(carry.poll()), *meta);
                    let Files { database, logs } = self.files().clone();
                    let shared = Shared::new(self.config, Arc::clone(&self.io), database, logs, meta, log);
                    self.state = RecoveryState::Over;
                    return Ok(IOResult::Done(Rc::new(shared)));
                }
                RecoveryState::Over => panic!("recovery was polled after it was done"),
            }
        }
    }

    fn files(&self) -> &Files {
        self.files.as_ref().expect("opened first")
    }

    fn sync_directory(&self) -> Completion {
        self.io.sync_directory("", Completion::sync())
    }

    fn read_logs(&self) -> Result<RecoveryState, Failure> {
        let read = |file: &Rc<DataFile>| {
            Ok::<_, CompletionError>(match usize::try_from(file.size()?).expect("a log fits into memory") {
                0 => LogRead::Done(Vec::new()),
                len => {
                    self.io.allocate("dinghy log to recover", len)?;
                    LogRead::UnderWay(ReadExact::new(file, 0, len))
                }
            })
        };
        let [first, second] = &self.files().logs;
        Ok(RecoveryState::ReadLogs(Box::new([read(first)?, read(second)?])))
    }

    /// Finds what counts.
    fn choose(&self, images: &[Image; 2]) -> Result<RecoveryState, Failure> {
        let newest = images.iter().filter_map(|image| image.log.as_ref()).map(|log| log.header.generation).max();
        let source = choose_log(images);
        let (sequence, oldest_believed) = source.map_or((0, 0), |(_, log)| (log.sequence, log.header.generation));
        if images.iter().any(|image| image.durable_witness(oldest_believed) > sequence) {
            return Err(Failure::corrupt("a durable commit is missing from the log"));
        }
        let Some((image, log)) = source else { return self.genesis() };
        // The new log goes into the file that the chosen one is not in, under a number that is the newest.
        let newest = newest.unwrap_or_default();
        let mut generation = if newest % 2 == log.header.generation % 2 { newest + 1 } else { newest + 2 };
        // BUG recovery-not-idempotent: the new log goes over the one that has just been read.
        if self.config.bugs.recovery_not_idempotent {
            generation += 1;
        }
        let mut slots: Vec<_> = log.slots.iter().map(|(&no, &slot)| (no, slot)).collect();
        slots.sort_by_key(|&(no, _)| (no == META, no));
        let pages = slots.into_iter().map(|(no, slot)| (no, Page::new(image.page(slot).to_vec()))).collect();
        let found = Found { generation, sequence, durable: log.durable, pages };
        Ok(match log.meta {
            Some(meta) => self.carry_over(meta, &found),
            None => RecoveryState::ReadMeta { found, read: self.meta_page(), again: true },
        })
    }

    /// There is no log: this is a new database, or one that was being made.
    fn genesis(&self) -> Result<RecoveryState, Failure> {
        if self.files().database.size()? > 0 {
            return Err(Failure::corrupt("the database has lost its log"));
        }
        let page_size = self.config.page_size;
        let mut root = blank(page_size, PageKind::Leaf);
        seal(&mut root, self.config.stamp(ROOT));
        let meta = Meta::GENESIS;
        let pages = vec![(ROOT, Page::new(root)), (META, Page::new(meta.encode(page_size)))];
        Ok(self.carry_over(meta, &Found { generation: 1, sequence: 0, durable: 0, pages }))
    }

    fn meta_page(&self) -> ReadExact {
        ReadExact::new(&self.files().database, 0, self.config.page_size)
    }

    fn read_meta(&mut self) -> Result<IOResult<()>, Failure> {
        let RecoveryState::ReadMeta { found, read, again } = &mut self.state else { unreachable!("reading") };
        let bytes = return_if_io!(read.poll());
        let meta = if bytes.len() == self.config.page_size { Meta::decode(&bytes) } else { None };
        let fits = |meta: &Meta| meta.sequence == found.sequence;
        self.state = match meta.filter(fits) {
            Some(meta) => {
                let Files { logs, .. } = self.files.as_ref().expect("opened first");
                carry_over(&self.config, logs, self.io.random(), meta, found)
            }
            None if *again => {
                let (RecoveryState::ReadMeta { found, .. }, read) =
                    (std::mem::replace(&mut self.state, RecoveryState::Over), self.meta_page())
                else {
                    unreachable!("reading")
                };
                RecoveryState::ReadMeta { found, read, again: false }
            }
            None => return Err(Failure::corrupt("the database's first page is damaged")),
        };
        Ok(IOResult::Done(()))
    }

    fn carry_over(&self, meta: Meta, found: &Found) -> RecoveryState {
        carry_over(&self.config, &self.files().logs, self.io.random(), meta, found)
    }
}

fn carry_over(config: &Config, logs: &[Rc<DataFile>; 2], salt: u64, meta: Meta, found: &Found) -> RecoveryState {
    let header = LogHeader {
        generation: found.generation,
        salt,
        base_sequence: found.sequence,
        foundation: found.pages.len() as u32,
    };
    let file = &logs[found.generation as usize % 2];
    let mark = Page::new(meta.encode(config.page_size));
    RecoveryState::CarryOver { meta, carry: CarryOver::new(file, config, header, found.durable, &found.pages, mark) }
}

fn open_files(io: &dyn Io, bugs: Bugs) -> Result<Files, CompletionError> {
    let open = |path| io.open(path, OpenMode::Create).map(|file| DataFile::new(file, bugs));
    Ok(Files { database: open(DATABASE)?, logs: [open(LOGS[0])?, open(LOGS[1])?] })
}

/// The log that counts.
fn choose_log(images: &[Image; 2]) -> Option<(&Image, &Content)> {
    let mut logs: Vec<_> = images.iter().filter_map(|image| image.log.as_ref().map(|log| (image, log))).collect();
    logs.sort_by_key(|(_, log)| log.header.generation);
    let newer = logs.pop()?;
    match logs.pop() {
        Some(older) if newer.1.own_commits == 0 && older.1.sequence >= newer.1.sequence => Some(older),
        _ => Some(newer),
    }
}

fn read_both(reads: &mut [LogRead; 2]) -> Result<IOResult<[Vec<u8>; 2]>, CompletionError> {
    let mut pending = Vec::new();
    for read in reads.iter_mut() {
        let LogRead::UnderWay(under_way) = read else { continue };
        match under_way.poll()? {
            IOResult::Done(bytes) => *read = LogRead::Done(bytes),
            IOResult::IO(io) => pending.push(io.into_completion()),
        }
    }
    return_if_io!(Ok::<_, CompletionError>(all_of(pending.iter())));
    Ok(IOResult::Done(reads.each_mut().map(|read| match read {
        LogRead::Done(bytes) => std::mem::take(bytes),
        LogRead::UnderWay(_) => unreachable!("nothing is pending"),
    })))
}
