//! Reading all keys of a range, as a snapshot has them.
//!
//! Leaves do not know their neighbours: who wants the next one goes up and down again. On the way the next
//! few children are read ahead, all at once.

use std::collections::VecDeque;

use super::cache::{IN_DATABASE, Version};
use super::edit::DEPTH_MAX;
use super::failure::Failure;
use super::node::{self, Stored};
use super::page::{Page, PageKind, PageNo, ROOT, count, kind};
use super::pager::{Fetch, PageRead};
use super::read::Chain;
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Completion, IOResult, Resource};
use crate::engine::kv::Key;
use crate::{io_yield_one, return_if_io};

/// How many children are read at once.
const AHEAD: usize = 3;

/// The rows of a range.
pub(super) type Rows = Vec<(String, Vec<u8>)>;

/// Reads all keys from `from` to `to`, both included.
pub(super) struct Scan {
    from: Key,
    to: Key,
    mark: Lsn,
    read: PageRead,
    rows: Rows,
    path: Vec<Level>,
    state: ScanState,
}

/// An interior page above us.
struct Level {
    page: Page,
    /// The child we are in.
    slot: usize,
    /// The children after that one, as far as they have been read.
    ahead: VecDeque<Page>,
}

enum ScanState {
    /// Down to the leaf where the range begins.
    Descend(PageNo),
    /// The row at this slot of this leaf is next.
    Row { leaf: Page, slot: usize },
    /// That row's value is in a chain.
    Chain { leaf: Page, slot: usize, chain: Chain },
    /// Up, until there is a next child.
    Ascend,
    /// The next children are on their way.
    Ahead(Fetch),
}

impl Scan {
    pub(super) fn new(from: Key, to: Key, mark: Lsn) -> Self {
        let (read, rows, path) = (PageRead::default(), Rows::new(), Vec::new());
        Self { from, to, mark, read, rows, path, state: ScanState::Descend(ROOT) }
    }

    /// The rows in order.
    pub(super) fn poll(&mut self, shared: &Shared) -> Result<IOResult<Rows>, Failure> {
        loop {
            match &mut self.state {
                ScanState::Descend(no) => {
                    let page = return_if_io!(self.read.page(shared, *no, self.mark));
                    return_if_io!(self.enter(page));
                }
                ScanState::Row { leaf, slot } if *slot == count(leaf) => self.state = ScanState::Ascend,
                ScanState::Row { leaf, slot } if node::key(leaf, *slot) > self.to.as_bytes() => {
                    return Ok(IOResult::Done(std::mem::take(&mut self.rows)));
                }
                ScanState::Row { leaf, slot } => match node::value(leaf, *slot) {
                    Stored::Inline(bytes) => {
                        self.rows.push((text(node::key(leaf, *slot))?, bytes.to_vec()));
                        *slot += 1;
                    }
                    Stored::Chain { first, len } => {
                        let (leaf, chain) = (Page::clone(leaf), Chain::new(first, len));
                        self.state = ScanState::Chain { leaf, slot: *slot, chain };
                    }
                },
                ScanState::Chain { .. } => return_if_io!(self.long_value(shared)),
                ScanState::Ascend => match self.ascend(shared) {
                    Some((next, page)) => {
                        self.state = next;
                        io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(page))));
                    }
                    None => return Ok(IOResult::Done(std::mem::take(&mut self.rows))),
                },
                ScanState::Ahead(fetch) => {
                    let pages = return_if_io!(fetch.poll(shared));
                    self.path.last_mut().expect("we are below it").ahead = pages.into();
                    self.state = ScanState::Ascend;
                }
            }
        }
    }

    /// Goes on in a page that has been read.
    fn enter(&mut self, page: Page) -> Result<IOResult<()>, Failure> {
        match kind(&page) {
            Some(PageKind::Leaf) => {
                let slot = node::search(&page, self.from.as_bytes()).unwrap_or_else(|slot| slot);
                self.state = ScanState::Row { leaf: page, slot };
                Ok(IOResult::Done(()))
            }
            Some(PageKind::Interior) if self.path.len() < DEPTH_MAX as usize => {
                let slot = node::child_slot(&page, self.from.as_bytes());
                let child = node::child(&page, slot);
                self.path.push(Level { page, slot, ahead: VecDeque::new() });
                self.state = ScanState::Descend(child);
                io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(child))))
            }
            _ => Err(Failure::corrupt("a page below another is no page of the tree")),
        }
    }

    /// The next child, and where to find it; `None` when there is none in the range.
    fn ascend(&mut self, shared: &Shared) -> Option<(ScanState, PageNo)> {
        while let Some(level) = self.path.last_mut() {
            let in_range = |slot: usize| node::key(&level.page, slot) <= self.to.as_bytes();
            let more = (level.slot..count(&level.page)).take_while(|&slot| in_range(slot)).take(AHEAD);
            if let Some(page) = level.ahead.pop_front() {
                level.slot += 1;
                let no = node::child(&level.page, level.slot);
                return Some(match kind(&page) {
                    Some(PageKind::Leaf) => (ScanState::Row { leaf: page, slot: 0 }, no),
                    _ => (ScanState::Descend(no), no),
                });
            }
            let children: Vec<_> = more.map(|slot| node::child(&level.page, slot + 1)).collect();
            if let Some(&first) = children.first() {
                let log = shared.log.borrow();
                let version = |page| Version { page, lsn: log.find(page, self.mark).unwrap_or(IN_DATABASE) };
                let versions: Vec<_> = children.into_iter().map(version).collect();
                drop(log);
                return Some((ScanState::Ahead(Fetch::new(shared, versions)), first));
            }
            self.path.pop();
        }
        None
    }

    fn long_value(&mut self, shared: &Shared) -> Result<IOResult<()>, Failure> {
        let ScanState::Chain { leaf, slot, chain } = &mut self.state else { unreachable!("in a chain") };
        let key = text(node::key(leaf, *slot))?;
        if shared.config.bugs.push_before_yield {
            // BUG push-before-yield: the row is added before its value has been read, once per call.
            self.rows.push((key, Vec::new()));
            let value = return_if_io!(chain.poll(shared, self.mark));
            self.rows.last_mut().expect("just added").1 = value;
        } else {
            let value = return_if_io!(chain.poll(shared, self.mark));
            self.rows.push((key, value));
        }
        self.state = ScanState::Row { leaf: Page::clone(leaf), slot: *slot + 1 };
        Ok(IOResult::Done(()))
    }
}

fn text(key: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(key).map_err(|_| Failure::corrupt("a key is no text"))?;
    Ok(text.to_string())
}
