//! Pages by number, as a reader's snapshot sees them: from the cache, from the log, or from the database file.
//!
//! Two connections that want the same version wait for the same read. A page that has come is checked before
//! anybody sees it: its checksum, and that its cells lie within it. What fails the check is read once more,
//! because it may have been damaged on the way.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::cache::{Cache, IN_DATABASE, Version};
use super::failure::Failure;
use super::file::{DataFile, ReadExact, all_of};
use super::node;
use super::page::{Page, PageKind, PageNo, blank, is_sealed, stored_checksum};
use super::shared::Shared;
use super::snapshot::Lsn;
use crate::aio::{Completion, IOCompletions, IOResult, Resource};
use crate::return_if_io;

/// How often a page that is damaged is read before it is given up.
const ATTEMPTS_MAX: u32 = 2;

/// The cache, and the reads under way.
pub(super) struct Pager {
    cache: Cache,
    loads: BTreeMap<Version, Weak<Load>>,
}

/// A page on its way into the cache, for all who wait for it.
struct Load {
    version: Version,
    /// Where it lies, for good: the file of a log is not used again while somebody reads from it.
    file: Rc<DataFile>,
    offset: u64,
    /// The checksum that it must have, where somebody knows.
    sum: Option<u64>,
    read: RefCell<Reading>,
    page: OnceCell<Page>,
}

struct Reading {
    bytes: ReadExact,
    attempt: u32,
    /// Memory for the page has been asked for.
    allocated: bool,
}

enum Found {
    Here(Page),
    OnItsWay(Rc<Load>),
}

impl Pager {
    pub(super) fn new(capacity: usize) -> Self {
        Self { cache: Cache::new(capacity), loads: BTreeMap::new() }
    }

    /// The pages that are here and those on their way, for people.
    pub(super) fn told(&self) -> String {
        let coming = self.loads.iter().filter(|(_, load)| load.strong_count() > 0);
        let coming: Vec<String> = coming.map(|(version, _)| version.to_string()).collect();
        let here = self.cache.told();
        if coming.is_empty() { here } else { format!("{here}; on their way {}", coming.join(", ")) }
    }

    /// A commit has published these pages.
    pub(super) fn insert(&mut self, version: Version, page: Page) {
        self.cache.insert(version, page);
    }

    /// See [`Cache::log_was_reset`].
    pub(super) fn log_was_reset(&mut self, pages: impl Iterator<Item = (PageNo, Lsn)>) {
        self.cache.log_was_reset(pages);
    }

    fn find(shared: &Shared, version: Version) -> Found {
        let pager = &mut *shared.pager.borrow_mut();
        if let Some(page) = pager.cache.get(version) {
            return Found::Here(page);
        }
        // BUG page-read-twice (harmless): who else is waiting for it makes no difference.
        let joins = !shared.config.bugs.read_twice;
        if let Some(load) = pager.loads.get(&version).and_then(Weak::upgrade).filter(|_| joins) {
            return Found::OnItsWay(load);
        }
        let load = Rc::new(Load::new(shared, version));
        pager.loads.insert(version, Rc::downgrade(&load));
        Found::OnItsWay(load)
    }
}

impl Load {
    fn new(shared: &Shared, version: Version) -> Self {
        let page_size = shared.config.page_size;
        let log = shared.log.borrow();
        let (file, offset) = match version.lsn {
            IN_DATABASE => (&shared.database, u64::from(version.page - 1) * page_size as u64),
            lsn => (&shared.logs[log.file()], log.page_offset(lsn)),
        };
        let reading = Reading { bytes: ReadExact::new(file, offset, page_size), attempt: 1, allocated: false };
        let (file, sum, read) = (Rc::clone(file), log.sum(version.lsn), RefCell::new(reading));
        Self { version, file, offset, sum, read, page: OnceCell::new() }
    }

    fn poll(&self, shared: &Shared) -> Result<IOResult<Page>, Failure> {
        if let Some(page) = self.page.get() {
            return Ok(IOResult::Done(Page::clone(page)));
        }
        let reading = &mut *self.read.borrow_mut();
        if !std::mem::replace(&mut reading.allocated, true) {
            let granted = shared.io.allocate("dinghy cache page", shared.config.page_size);
            granted.inspect_err(|_| self.leave(shared))?;
        }
        loop {
            let bytes = match reading.bytes.poll() {
                Ok(IOResult::Done(bytes)) => bytes,
                Ok(IOResult::IO(io)) => return Ok(IOResult::IO(self.named(io))),
                Err(error) => {
                    self.leave(shared);
                    // BUG error-cached-as-empty-page: who comes next finds a page without keys.
                    if shared.config.bugs.error_cached {
                        let empty = Page::new(blank(shared.config.page_size, PageKind::Leaf));
                        shared.pager.borrow_mut().cache.insert(self.version, empty);
                    }
                    return Err(error.into());
                }
            };
            if self.is_good(shared, &bytes) {
                return Ok(IOResult::Done(self.arrived(shared, bytes)));
            }
            if reading.attempt == ATTEMPTS_MAX {
                self.leave(shared);
                return Err(Failure::corrupt(format!("page {} is damaged", self.version.page)));
            }
            let again = ReadExact::new(&self.file, self.offset, shared.config.page_size);
            *reading = Reading { bytes: again, attempt: reading.attempt + 1, allocated: true };
        }
    }

    fn arrived(&self, shared: &Shared, bytes: Vec<u8>) -> Page {
        let page = self.page.get_or_init(|| Page::new(bytes));
        self.leave(shared);
        shared.pager.borrow_mut().cache.insert(self.version, Page::clone(page));
        Page::clone(page)
    }

    /// Whether this is the page, whole.
    fn is_good(&self, shared: &Shared, bytes: &[u8]) -> bool {
        let is_it = |bytes| {
            is_sealed(bytes, shared.config.stamp(self.version.page))
                && self.sum.is_none_or(|sum| sum == stored_checksum(bytes))
        };
        // BUG page-checksum-unread: whatever has come is the page.
        let believed = shared.config.bugs.page_checksum_unread;
        bytes.len() == shared.config.page_size && (believed || is_it(bytes)) && node::is_sound(bytes)
    }

    /// Whoever wants the page from now on does not join this read.
    fn leave(&self, shared: &Shared) {
        shared.pager.borrow_mut().loads.remove(&self.version);
    }

    /// What the code after the wait touches is the page.
    fn named(&self, io: IOCompletions) -> IOCompletions {
        let page = Resource::read("page", u64::from(self.version.page));
        IOCompletions::Single(io.into_completion().touching(page))
    }
}

/// One page at a time. It belongs to a state machine, which asks for the same page again until it is there.
#[derive(Default)]
pub(super) struct PageRead {
    load: Option<Rc<Load>>,
}

impl PageRead {
    /// The page as a reader with this mark sees it.
    pub(super) fn page(&mut self, shared: &Shared, page: PageNo, mark: Lsn) -> Result<IOResult<Page>, Failure> {
        if self.load.as_ref().is_some_and(|load| load.version.page == page) {
            return self.finish(shared);
        }
        if page == 0 {
            return Err(Failure::corrupt("a link leads to no page"));
        }
        let lsn = shared.log.borrow().find(page, mark).unwrap_or(IN_DATABASE);
        self.version(shared, Version { page, lsn })
    }

    /// One version of a page.
    pub(super) fn version(&mut self, shared: &Shared, version: Version) -> Result<IOResult<Page>, Failure> {
        if self.load.as_ref().is_none_or(|load| load.version != version) {
            match Pager::find(shared, version) {
                Found::Here(page) => return Ok(IOResult::Done(page)),
                Found::OnItsWay(load) => self.load = Some(load),
            }
        }
        self.finish(shared)
    }

    fn finish(&mut self, shared: &Shared) -> Result<IOResult<Page>, Failure> {
        let load = self.load.as_ref().expect("there is a read under way");
        let outcome = load.poll(shared);
        if !matches!(outcome, Ok(IOResult::IO(_))) {
            self.load = None;
        }
        outcome
    }
}

/// Several pages at once, their reads in flight together.
pub(super) struct Fetch {
    found: Vec<Found>,
}

impl Fetch {
    pub(super) fn new(shared: &Shared, versions: impl IntoIterator<Item = Version>) -> Self {
        Self { found: versions.into_iter().map(|version| Pager::find(shared, version)).collect() }
    }

    /// Done when all pages are there, in the order in which they were asked for.
    pub(super) fn poll(&mut self, shared: &Shared) -> Result<IOResult<Vec<Page>>, Failure> {
        let mut pending: Vec<Completion> = Vec::new();
        for found in &mut self.found {
            let Found::OnItsWay(load) = found else { continue };
            match load.poll(shared)? {
                IOResult::Done(page) => *found = Found::Here(page),
                IOResult::IO(io) => pending.push(io.into_completion()),
            }
        }
        return_if_io!(Ok::<_, Failure>(all_of(pending.iter())));
        let here = |found: &Found| match found {
            Found::Here(page) => Page::clone(page),
            Found::OnItsWay(_) => unreachable!("nothing is pending"),
        };
        Ok(IOResult::Done(self.found.iter().map(here).collect()))
    }
}
