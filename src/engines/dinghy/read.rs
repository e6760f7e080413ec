//! Reading one key, as a snapshot has it.

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
pub(super) struct Chain {
    next: PageNo,
    len: usize,
    bytes: Vec<u8>,
    read: PageRead,
}

impl Chain {
    pub(super) fn new(first: PageNo, len: usize) -> Self {
        Self { next: first, len, bytes: Vec::with_capacity(len), read: PageRead::default() }
    }

    pub(super) fn poll(&mut self, shared: &Shared, mark: Lsn) -> Result<IOResult<Vec<u8>>, Failure> {
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
