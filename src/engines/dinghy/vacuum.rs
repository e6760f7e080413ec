//! A vacuum: pages from the end of the database move into free pages, so that no page is free.
//!
//! It is a commit like any other, which changes no key: readers go on with their snapshots, a crash leaves
//! all or nothing of it. The file itself becomes shorter when the next checkpoint begins a new log.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::append::{Append, Appended};
use super::draft::Draft;
use super::failure::Failure;
use super::latch::{Held, Request};
use super::meta::Meta;
use super::node::{self, Stored};
use super::page::{Page, PageKind, PageNo, ROOT, count, kind, link, set_link};
use super::shared::Shared;
use crate::aio::{Completion, IOResult, Resource};
use crate::{io_yield_one, return_if_io};

/// A vacuum under way.
pub(super) struct Vacuum {
    shared: Rc<Shared>,
    held: Option<Held>,
    state: VacuumState,
}

enum VacuumState {
    Latch(Request),
    Walk(Box<Walk>),
    Move(Box<Move>),
    Append { meta: Meta, append: Append },
    Publish { meta: Meta, appended: Appended },
}

/// Finds out who refers to which page.
struct Walk {
    draft: Draft,
    todo: Vec<PageNo>,
    referrers: BTreeMap<PageNo, Referrer>,
    free: BTreeSet<PageNo>,
    next_free: PageNo,
}

/// Who has to be told when a page moves.
#[derive(Clone, Copy)]
enum Referrer {
    Child { page: PageNo, slot: usize },
    FirstOfChain { leaf: PageNo, slot: usize },
    NextOfChain { page: PageNo },
}

/// Moves pages, the last one first.
struct Move {
    draft: Draft,
    referrers: BTreeMap<PageNo, Referrer>,
    free: BTreeSet<PageNo>,
    moved: BTreeMap<PageNo, PageNo>,
    /// The page that moves next, if it is in use.
    last: PageNo,
    /// The last page when all is done.
    target: PageNo,
}

impl Vacuum {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        let state = VacuumState::Latch(shared.commit_latch.request());
        Self { shared: Rc::clone(shared), held: None, state }
    }

    /// Its place among the commits; `None` when there was nothing to do.
    pub(super) fn poll(&mut self) -> Result<IOResult<Option<u64>>, Failure> {
        let outcome = self.advance();
        if !matches!(outcome, Ok(IOResult::IO(_))) {
            self.held = None;
        }
        outcome
    }

    fn advance(&mut self) -> Result<IOResult<Option<u64>>, Failure> {
        loop {
            match &mut self.state {
                VacuumState::Latch(request) => {
                    self.held = Some(return_if_io!(Ok::<_, Failure>(request.poll())));
                    self.shared.writable()?;
                    if self.shared.published.get().free_count == 0 {
                        return Ok(IOResult::Done(None));
                    }
                    self.state = VacuumState::Walk(Box::new(Walk::new(&self.shared)));
                }
                VacuumState::Walk(walk) => {
                    return_if_io!(walk.poll());
                    let Walk { draft, referrers, free, .. } = std::mem::replace(&mut **walk, Walk::new(&self.shared));
                    let last = draft.meta.page_count;
                    let target = last - draft.meta.free_count;
                    let moving = Move { draft, referrers, free, moved: BTreeMap::new(), last, target };
                    self.state = VacuumState::Move(Box::new(moving));
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                VacuumState::Move(moving) => {
                    return_if_io!(moving.poll());
                    let draft = std::mem::replace(&mut moving.draft, Draft::new(&self.shared));
                    let (meta, pages) = draft.finish();
                    let append = Append::new(&self.shared, meta.sequence, pages)?;
                    self.state = VacuumState::Append { meta, append };
                }
                VacuumState::Append { meta, append } => {
                    let appended = return_if_io!(append.poll());
                    self.state = VacuumState::Publish { meta: *meta, appended };
                    io_yield_one!(Completion::new_yield().touching(Resource::write("root", 0)));
                }
                VacuumState::Publish { meta, appended } => {
                    self.shared.publish(*meta, appended);
                    return Ok(IOResult::Done(Some(meta.sequence)));
                }
            }
        }
    }
}

impl Walk {
    fn new(shared: &Rc<Shared>) -> Self {
        let draft = Draft::new(shared);
        let next_free = draft.meta.free_head;
        Self { draft, todo: vec![ROOT], referrers: BTreeMap::new(), free: BTreeSet::new(), next_free }
    }

    fn poll(&mut self) -> Result<IOResult<()>, Failure> {
        while let Some(&no) = self.todo.last() {
            let page = return_if_io!(self.draft.page(no));
            self.todo.pop();
            self.visit(no, &page)?;
        }
        while self.next_free != 0 {
            let page = return_if_io!(self.draft.page(self.next_free));
            if kind(&page) != Some(PageKind::Free) || !self.free.insert(self.next_free) {
                return Err(Failure::corrupt(format!("page {} is on the free list and is not free", self.next_free)));
            }
            self.next_free = link(&page);
        }
        Ok(IOResult::Done(()))
    }

    fn visit(&mut self, no: PageNo, page: &Page) -> Result<(), Failure> {
        match kind(page) {
            Some(PageKind::Interior) => {
                for slot in 0..=count(page) {
                    self.refer(node::child(page, slot), Referrer::Child { page: no, slot })?;
                }
            }
            Some(PageKind::Leaf) => {
                for slot in 0..count(page) {
                    if let Stored::Chain { first, .. } = node::value(page, slot) {
                        self.refer(first, Referrer::FirstOfChain { leaf: no, slot })?;
                    }
                }
            }
            Some(PageKind::Chain) if link(page) == 0 => {}
            Some(PageKind::Chain) => self.refer(link(page), Referrer::NextOfChain { page: no })?,
            _ => return Err(Failure::corrupt(format!("page {no} is no page of the tree"))),
        }
        Ok(())
    }

    fn refer(&mut self, to: PageNo, referrer: Referrer) -> Result<(), Failure> {
        if self.referrers.insert(to, referrer).is_some() {
            return Err(Failure::corrupt(format!("page {to} is used twice")));
        }
        self.todo.push(to);
        Ok(())
    }
}

impl Move {
    fn poll(&mut self) -> Result<IOResult<()>, Failure> {
        while self.last > self.target {
            if let Some(&referrer) = self.referrers.get(&self.last) {
                return_if_io!(self.move_last(referrer));
            }
            self.last -= 1;
        }
        self.draft.shrink(self.target);
        Ok(IOResult::Done(()))
    }

    fn move_last(&mut self, referrer: Referrer) -> Result<IOResult<()>, Failure> {
        let referrer_page = referrer.page();
        let referrer_page = self.moved.get(&referrer_page).copied().unwrap_or(referrer_page);
        return_if_io!(self.draft.touch(referrer_page));
        let page = return_if_io!(self.draft.page(self.last));
        let Some(to) = self.free.pop_first() else {
            return Err(Failure::corrupt("the free list is shorter than the meta page says"));
        };
        self.draft.put(to, page.to_vec());
        let above = self.draft.edit(referrer_page);
        match referrer {
            Referrer::Child { slot, .. } => node::set_child(above, slot, to),
            Referrer::FirstOfChain { slot, .. } => node::set_chain(above, slot, to),
            Referrer::NextOfChain { .. } => set_link(above, to),
        }
        self.moved.insert(self.last, to);
        Ok(IOResult::Done(()))
    }
}

impl Referrer {
    const fn page(self) -> PageNo {
        match self {
            Self::Child { page, .. } | Self::FirstOfChain { leaf: page, .. } | Self::NextOfChain { page } => page,
        }
    }
}
