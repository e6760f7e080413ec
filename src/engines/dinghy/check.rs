//! The engine's check of itself: every page has exactly one use, and everything on the disk is whole.
//!
//! The walk begins at the root and at the free list, and takes pages in batches, each read at once. It sees
//! what a reader sees; the files are then read once more as they are. Complaints are values: only what keeps
//! the check from being made is an error.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::cache::{IN_DATABASE, Version};
use super::edit::DEPTH_MAX;
use super::failure::Failure;
use super::file::ReadExact;
use super::image::Image;
use super::meta::Meta;
use super::node::{self, Stored};
use super::page::{META, PAGE_HEADER, Page, PageKind, PageNo, ROOT, count, is_sealed, kind, link};
use super::pager::Fetch;
use super::shared::Shared;
use super::snapshot::Snapshot;
use crate::aio::IOResult;
use crate::history::Class;
use crate::return_if_io;

/// How many pages are read at a time.
const BATCH: usize = 8;
/// How many complaints are enough.
const PROBLEMS_MAX: usize = 20;

/// A check under way.
pub(super) struct Check {
    shared: Rc<Shared>,
    snapshot: Snapshot,
    meta: Meta,
    problems: Vec<String>,
    used: BTreeSet<PageNo>,
    free: u32,
    leaf_depth: Option<u32>,
    /// A page could not be read, so that nobody knows what is below it.
    gaps: bool,
    todo: Vec<Visit>,
    state: CheckState,
}

enum CheckState {
    Next,
    Pages { batch: Vec<Visit>, fetch: Fetch },
    Log(ReadExact),
    Database(ReadExact),
    Done,
}

/// A page to look at, and what is expected there.
struct Visit {
    page: PageNo,
    expected: Expected,
}

enum Expected {
    /// A tree page whose keys lie between these; the upper one is not among them.
    Tree {
        depth: u32,
        low: Vec<u8>,
        high: Option<Vec<u8>>,
    },
    /// The rest of a value, of so many bytes.
    Chain {
        left: usize,
    },
    Free,
}

impl Check {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        let meta = shared.published.get();
        let tree = Expected::Tree { depth: 0, low: Vec::new(), high: None };
        let mut todo = vec![Visit { page: ROOT, expected: tree }];
        if meta.free_head != 0 {
            todo.push(Visit { page: meta.free_head, expected: Expected::Free });
        }
        Self {
            shared: Rc::clone(shared),
            snapshot: shared.snapshot(),
            meta,
            problems: Vec::new(),
            used: BTreeSet::from([META]),
            free: 0,
            leaf_depth: None,
            gaps: false,
            todo,
            state: CheckState::Next,
        }
    }

    /// What is wrong.
    pub(super) fn poll(&mut self) -> Result<IOResult<Vec<String>>, Failure> {
        loop {
            match &mut self.state {
                CheckState::Next if self.todo.is_empty() || self.problems.len() > PROBLEMS_MAX => {
                    self.count_pages();
                    let file = self.shared.log_file();
                    self.state = CheckState::Log(ReadExact::new(&file, 0, file_len(file.size()?)));
                }
                CheckState::Next => self.next_batch(),
                CheckState::Pages { .. } => return_if_io!(self.pages()),
                CheckState::Log(read) => {
                    let bytes = return_if_io!(read.poll());
                    self.log(bytes);
                    let file = &self.shared.database;
                    self.state = match file_len(file.size()?) {
                        0 => CheckState::Done,
                        len => CheckState::Database(ReadExact::new(file, 0, len)),
                    };
                }
                CheckState::Database(read) => {
                    let bytes = return_if_io!(read.poll());
                    self.database(&bytes);
                    self.state = CheckState::Done;
                }
                CheckState::Done => return Ok(IOResult::Done(std::mem::take(&mut self.problems))),
            }
        }
    }

    fn complain(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Enters the pages in the book of uses and reads those that are new.
    fn next_batch(&mut self) {
        let rest = self.todo.len().saturating_sub(BATCH);
        let mut batch = self.todo.split_off(rest);
        batch.retain(|visit| {
            let exists = (ROOT..=self.meta.page_count).contains(&visit.page);
            if !exists {
                self.problems.push(format!("page {} is used and does not exist", visit.page));
            } else if !self.used.insert(visit.page) {
                self.problems.push(format!("page {} is used twice", visit.page));
                return false;
            }
            exists
        });
        let log = self.shared.log.borrow();
        let mark = self.snapshot.mark();
        let version =
            |visit: &Visit| Version { page: visit.page, lsn: log.find(visit.page, mark).unwrap_or(IN_DATABASE) };
        let versions: Vec<_> = batch.iter().map(version).collect();
        drop(log);
        self.state = CheckState::Pages { batch, fetch: Fetch::new(&self.shared, versions) };
    }

    fn pages(&mut self) -> Result<IOResult<()>, Failure> {
        let CheckState::Pages { batch, fetch } = &mut self.state else { unreachable!("reading pages") };
        let pages = match fetch.poll(&self.shared) {
            Ok(IOResult::Done(pages)) => pages,
            Ok(IOResult::IO(io)) => return Ok(IOResult::IO(io.seen_here())),
            Err(failure) if failure.class == Class::Corrupt => {
                self.gaps = true;
                self.state = CheckState::Next;
                self.complain(failure.message);
                return Ok(IOResult::Done(()));
            }
            Err(failure) => return Err(failure),
        };
        let batch = std::mem::take(batch);
        self.state = CheckState::Next;
        for (visit, page) in batch.into_iter().zip(pages) {
            self.visit(visit, &page);
        }
        Ok(IOResult::Done(()))
    }

    fn visit(&mut self, Visit { page: no, expected }: Visit, page: &Page) {
        match (expected, kind(page)) {
            (Expected::Tree { depth, low, high }, Some(PageKind::Leaf)) => {
                if *self.leaf_depth.get_or_insert(depth) != depth {
                    self.complain(format!("leaf {no} is not as deep as others"));
                }
                self.keys(no, page, &low, high.as_deref());
                self.todo.extend((0..count(page)).filter_map(|slot| match node::value(page, slot) {
                    Stored::Chain { first, len } => {
                        Some(Visit { page: first, expected: Expected::Chain { left: len } })
                    }
                    Stored::Inline(_) => None,
                }));
            }
            (Expected::Tree { depth, low, high }, Some(PageKind::Interior)) if depth < DEPTH_MAX => {
                self.keys(no, page, &low, high.as_deref());
                let keys = count(page);
                self.todo.extend((0..=keys).map(|slot| {
                    let low = if slot == 0 { low.clone() } else { node::key(page, slot - 1).to_vec() };
                    let high = if slot == keys { high.clone() } else { Some(node::key(page, slot).to_vec()) };
                    let expected = Expected::Tree { depth: depth + 1, low, high };
                    Visit { page: node::child(page, slot), expected }
                }));
            }
            (Expected::Chain { left }, Some(PageKind::Chain)) => self.part_of_value(no, page, left),
            (Expected::Free, Some(PageKind::Free)) => {
                self.free += 1;
                if link(page) != 0 {
                    self.todo.push(Visit { page: link(page), expected: Expected::Free });
                }
            }
            (_, kind) => self.complain(format!("page {no} is {kind:?}, which does not belong there")),
        }
    }

    /// The keys of a tree page ascend and lie in the page's range.
    fn keys(&mut self, no: PageNo, page: &Page, low: &[u8], high: Option<&[u8]>) {
        let keys = (0..count(page)).map(|slot| node::key(page, slot));
        if !keys.clone().zip(keys.clone().skip(1)).all(|(first, second)| first < second) {
            self.complain(format!("the keys of page {no} are out of order"));
        }
        if !keys.clone().all(|key| low <= key && high.is_none_or(|high| key < high)) {
            self.complain(format!("page {no} has keys that belong elsewhere"));
        }
    }

    fn part_of_value(&mut self, no: PageNo, page: &Page, left: usize) {
        let part = count(page).min(page.len() - PAGE_HEADER);
        match (left.checked_sub(part), link(page)) {
            (Some(0), 0) => {}
            (Some(left @ 1..), next @ 1..) => {
                self.todo.push(Visit { page: next, expected: Expected::Chain { left } });
            }
            _ => self.complain(format!("the value whose chain ends with page {no} has another length")),
        }
    }

    fn count_pages(&mut self) {
        if self.gaps || self.problems.len() > PROBLEMS_MAX {
            return;
        }
        if self.free != self.meta.free_count {
            self.complain(format!("{} pages are free instead of {}", self.free, self.meta.free_count));
        }
        let unused: Vec<_> = (META..=self.meta.page_count).filter(|no| !self.used.contains(no)).collect();
        if !unused.is_empty() {
            self.complain(format!("nobody uses pages {unused:?}, and they are not free"));
        }
    }

    /// The log's file holds what the engine takes it to hold. Behind it may lie a commit in doubt.
    fn log(&mut self, bytes: Vec<u8>) {
        let image = Image::new(&self.shared.config, bytes);
        let log = self.shared.log.borrow();
        let problem = match &image.log {
            Some(content) if content.header == *log.header() => {
                let whole = content.sequence >= self.meta.sequence;
                let same = || log.pages().all(|(page, lsn)| content.slots.get(&page) == Some(&log.slot(lsn)));
                match whole {
                    false => Some("the log's file does not hold all commits"),
                    true if content.sequence == self.meta.sequence && !same() => {
                        Some("the log's file holds other pages")
                    }
                    true => None,
                }
            }
            _ => Some("the log's header is damaged"),
        };
        drop(log);
        self.problems.extend(problem.map(str::to_string));
    }

    /// The pages that are read from the database file are whole there.
    fn database(&mut self, bytes: &[u8]) {
        let log = self.shared.log.borrow();
        let numbered = (META..=self.meta.page_count).zip(bytes.chunks(self.shared.config.page_size));
        let read_there = numbered.filter(|&(no, _)| log.find(no, self.snapshot.mark()).is_none());
        let whole = |no, page: &[u8]| {
            page.len() == self.shared.config.page_size
                && is_sealed(page, if no == META { no } else { self.shared.config.stamp(no) })
        };
        let damaged = read_there.filter(|&(no, page)| !whole(no, page));
        self.problems.extend(damaged.map(|(no, _)| format!("page {no} is damaged in the database file")));
    }
}

fn file_len(size: u64) -> usize {
    usize::try_from(size).expect("a file fits into memory")
}
