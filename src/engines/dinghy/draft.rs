//! The pages a commit is about to change, before anybody else sees them.
//!
//! A draft starts from the newest published state and is made under the commit latch, so nothing changes
//! beneath it. Dropping it leaves no trace: pages it took or freed are as they were.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::failure::Failure;
use super::meta::Meta;
use super::page::{META, Page, PageKind, PageNo, blank, kind, link, seal, set_link};
use super::pager::PageRead;
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::IOResult;
use crate::return_if_io;

/// A database in the making.
pub(super) struct Draft {
    shared: Rc<Shared>,
    mark: Lsn,
    /// What the meta page will say.
    pub meta: Meta,
    changed: BTreeMap<PageNo, Page>,
    /// Pages the draft needs no longer. It takes them first; what is left goes on the free list at the end.
    freed: Vec<PageNo>,
    read: PageRead,
}

impl Draft {
    /// A draft that changes nothing yet.
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self {
            shared: Rc::clone(shared),
            mark: shared.log.borrow().end(),
            meta: shared.published.get(),
            changed: BTreeMap::new(),
            freed: Vec::new(),
            read: PageRead::default(),
        }
    }

    pub(super) fn page_size(&self) -> usize {
        self.shared.config.page_size
    }

    pub(super) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// A page as the draft has it.
    pub(super) fn page(&mut self, no: PageNo) -> Result<IOResult<Page>, Failure> {
        match self.changed.get(&no) {
            Some(page) => Ok(IOResult::Done(Page::clone(page))),
            None => self.read.page(&self.shared, no, self.mark),
        }
    }

    /// Makes sure that a page can be changed without waiting; from then on it belongs to the draft.
    pub(super) fn touch(&mut self, no: PageNo) -> Result<IOResult<()>, Failure> {
        let page = return_if_io!(self.page(no));
        self.changed.entry(no).or_insert(page);
        Ok(IOResult::Done(()))
    }

    /// A page of the draft, to be changed.
    ///
    /// # Panics
    /// When the page has not been touched or put.
    pub(super) fn edit(&mut self, no: PageNo) -> &mut Vec<u8> {
        // The cache still holds the version that readers see; that one is copied, not changed.
        Rc::make_mut(self.changed.get_mut(&no).expect("a page is touched before it is changed"))
    }

    /// Takes a page out of the draft, to work on it beside another; put it back.
    pub(super) fn take(&mut self, no: PageNo) -> Vec<u8> {
        let page = self.changed.remove(&no).expect("a page is touched before it is changed");
        Rc::try_unwrap(page).unwrap_or_else(|page| (*page).clone())
    }

    /// Sets all of a page.
    pub(super) fn put(&mut self, no: PageNo, bytes: Vec<u8>) {
        self.changed.insert(no, Page::new(bytes));
    }

    /// A page that nobody uses: a free one, else one more at the end. The caller puts its content.
    pub(super) fn allocate(&mut self) -> Result<IOResult<PageNo>, Failure> {
        if let Some(no) = self.freed.pop() {
            return Ok(IOResult::Done(no));
        }
        if self.meta.free_head == 0 {
            self.meta.page_count += 1;
            return Ok(IOResult::Done(self.meta.page_count));
        }
        let no = self.meta.free_head;
        let page = return_if_io!(self.page(no));
        if kind(&page) != Some(PageKind::Free) {
            return Err(Failure::corrupt(format!("page {no} is on the free list and is not free")));
        }
        self.meta.free_head = link(&page);
        self.meta.free_count -= 1;
        // BUG rollback-forgets-free-list: everybody's free list is shorter, whatever becomes of this draft.
        if self.shared.config.bugs.rollback_forgets_free_list {
            let Meta { free_head, free_count, .. } = self.meta;
            self.shared.published.set(Meta { free_head, free_count, ..self.shared.published.get() });
        }
        Ok(IOResult::Done(no))
    }

    /// Gives a page back. It keeps its content until it is taken again or the draft is finished.
    pub(super) fn free(&mut self, no: PageNo) {
        self.freed.push(no);
    }

    /// Whether more pages have been given back than the database has: whoever gives them back walks in a circle.
    pub(super) fn frees_more_than_there_is(&self) -> bool {
        self.freed.len() > self.meta.page_count as usize
    }

    /// The database ends with this page, and none is free.
    pub(super) fn shrink(&mut self, page_count: PageNo) {
        self.changed.retain(|no, _| *no <= page_count);
        self.meta = Meta { page_count, free_head: 0, free_count: 0, ..self.meta };
    }

    /// The changed pages, sealed, the meta page last: a commit as the log wants it.
    pub(super) fn finish(mut self) -> (Meta, Vec<(PageNo, Page)>) {
        self.meta.sequence += 1;
        for no in std::mem::take(&mut self.freed) {
            let mut bytes = blank(self.page_size(), PageKind::Free);
            set_link(&mut bytes, self.meta.free_head);
            self.put(no, bytes);
            self.meta.free_head = no;
            self.meta.free_count += 1;
        }
        let mut pages: Vec<_> = std::mem::take(&mut self.changed).into_iter().collect();
        for (no, page) in &mut pages {
            let bytes: &mut Vec<u8> = Rc::make_mut(page);
            seal(bytes, self.shared.config.stamp(*no));
        }
        pages.push((META, Page::new(self.meta.encode(self.page_size()))));
        (self.meta, pages)
    }
}
