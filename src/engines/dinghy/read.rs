//! Reading the tree: one key, or all keys of a range, as a snapshot has them.

use super::edit::DEPTH_MAX;
use super::failure::Failure;
use super::node::{self, Stored};
use super::page::{PAGE_HEADER, Page, PageKind, PageNo, ROOT, count, kind, link};
use super::pager::PageRead;
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Completion, IOResult, Resource};
use crate::engine::kv::Key;
use crate::{io_yield_one, return_if_io};

/// Looks one key up.
pub(super) struct Lookup {
    key: Key,
    mark: Lsn,
    read: PageRead,
    depth: u32,
    state: LookupState,
}

enum LookupState {
    Descend(PageNo),
    Chain(Chain),
}

impl Lookup {
    pub(super) fn new(key: Key, mark: Lsn) -> Self {
        Self { key, mark, read: PageRead::default(), depth: 0, state: LookupState::Descend(ROOT) }
    }

    /// The value, if there is one.
    pub(super) fn poll(&mut self, shared: &Shared) -> Result<IOResult<Option<Vec<u8>>>, Failure> {
        loop {
            match &mut self.state {
                LookupState::Descend(no) => {
                    let page = return_if_io!(self.read.page(shared, *no, self.mark));
                    if let Some(child) = child(&page, &self.key, *no, &mut self.depth)? {
                        self.state = LookupState::Descend(child);
                        io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(child))));
                    }
                    let Ok(slot) = node::search(&page, self.key.as_bytes()) else { return Ok(IOResult::Done(None)) };
                    match node::value(&page, slot) {
                        Stored::Inline(bytes) => return Ok(IOResult::Done(Some(bytes.to_vec()))),
                        Stored::Chain { first, len } => self.state = LookupState::Chain(Chain::new(first, len)),
                    }
                }
                LookupState::Chain(chain) => return Ok(chain.poll(shared, self.mark)?.map(Some)),
            }
        }
    }
}

/// The child of an interior page under which a key is; `None` when the page is a leaf.
fn child(page: &Page, key: &str, no: PageNo, depth: &mut u32) -> Result<Option<PageNo>, Failure> {
    *depth += 1;
    match kind(page) {
        Some(PageKind::Leaf) => Ok(None),
        Some(PageKind::Interior) if *depth < DEPTH_MAX => {
            Ok(Some(node::child(page, node::child_slot(page, key.as_bytes()))))
        }
        _ => Err(Failure::corrupt(format!("page {no} is no page of the tree"))),
    }
}

/// Reads a value that lies in a chain of pages.
struct Chain {
    next: PageNo,
    len: usize,
    bytes: Vec<u8>,
    read: PageRead,
}

impl Chain {
    fn new(first: PageNo, len: usize) -> Self {
        Self { next: first, len, bytes: Vec::with_capacity(len), read: PageRead::default() }
    }

    fn poll(&mut self, shared: &Shared, mark: Lsn) -> Result<IOResult<Vec<u8>>, Failure> {
        while self.bytes.len() < self.len {
            let page = return_if_io!(self.read.page(shared, self.next, mark));
            let part = count(&page);
            if kind(&page) != Some(PageKind::Chain) || part == 0 {
                return Err(Failure::corrupt(format!("page {} is no part of a value", self.next)));
            }
            self.bytes.extend_from_slice(&page[PAGE_HEADER..PAGE_HEADER + part]);
            self.next = link(&page);
        }
        if self.next != 0 || self.bytes.len() != self.len {
            return Err(Failure::corrupt("a value's chain is longer than the value"));
        }
        Ok(IOResult::Done(std::mem::take(&mut self.bytes)))
    }
}

/// The rows of a range.
pub(super) type Rows = Vec<(String, Vec<u8>)>;

/// Reads all keys from `from` to `to`, both included.
pub(super) struct Scan {
    from: Key,
    to: Key,
    mark: Lsn,
    read: PageRead,
    rows: Rows,
    /// The interior pages above, each with the slot of the child we are in.
    path: Vec<(Page, usize)>,
    state: ScanState,
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
}

impl Scan {
    pub(super) fn new(from: Key, to: Key, mark: Lsn) -> Self {
        Self {
            from,
            to,
            mark,
            read: PageRead::default(),
            rows: Rows::new(),
            path: Vec::new(),
            state: ScanState::Descend(ROOT),
        }
    }

    /// The rows in order.
    pub(super) fn poll(&mut self, shared: &Shared) -> Result<IOResult<Rows>, Failure> {
        loop {
            match &mut self.state {
                ScanState::Descend(_) => return_if_io!(self.descend(shared)),
                ScanState::Row { leaf, slot } if *slot == count(leaf) => self.state = ScanState::Ascend,
                ScanState::Row { leaf, slot } => {
                    let key = node::key(leaf, *slot);
                    if key > self.to.as_bytes() {
                        return Ok(IOResult::Done(std::mem::take(&mut self.rows)));
                    }
                    match node::value(leaf, *slot) {
                        Stored::Inline(bytes) => {
                            self.rows.push((text(key)?, bytes.to_vec()));
                            *slot += 1;
                        }
                        Stored::Chain { first, len } => {
                            let (leaf, chain) = (Page::clone(leaf), Chain::new(first, len));
                            self.state = ScanState::Chain { leaf, slot: *slot, chain };
                        }
                    }
                }
                ScanState::Chain { .. } => return_if_io!(self.long_value(shared)),
                ScanState::Ascend => match self.path.pop() {
                    None => return Ok(IOResult::Done(std::mem::take(&mut self.rows))),
                    Some((page, slot)) if slot < count(&page) => {
                        let child = node::child(&page, slot + 1);
                        self.path.push((page, slot + 1));
                        self.state = ScanState::Descend(child);
                        io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(child))));
                    }
                    Some(_) => {}
                },
            }
        }
    }

    fn descend(&mut self, shared: &Shared) -> Result<IOResult<()>, Failure> {
        let ScanState::Descend(no) = self.state else { unreachable!("descending") };
        let page = return_if_io!(self.read.page(shared, no, self.mark));
        match kind(&page) {
            Some(PageKind::Leaf) => {
                let slot = node::search(&page, self.from.as_bytes()).unwrap_or_else(|slot| slot);
                self.state = ScanState::Row { leaf: page, slot };
                Ok(IOResult::Done(()))
            }
            Some(PageKind::Interior) if self.path.len() < DEPTH_MAX as usize => {
                let slot = node::child_slot(&page, self.from.as_bytes());
                let child = node::child(&page, slot);
                self.path.push((page, slot));
                self.state = ScanState::Descend(child);
                io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(child))))
            }
            _ => Err(Failure::corrupt(format!("page {no} is no page of the tree"))),
        }
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
