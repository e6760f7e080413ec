//! One change to the tree: a key is put or removed.
//!
//! The tree is changed on the way down. Before an insertion enters a page that might overflow, that page is
//! split; before a removal enters a page that is nearly empty, that page is merged with a neighbour. So a
//! parent always has room for what its child needs, and no way back up has to be remembered. In every state
//! whatever may wait comes first, and the pages are changed after that, in one go.

use super::draft::Draft;
use super::failure::Failure;
use super::node::{self, Stored};
use super::page::{self, PAGE_HEADER, Page, PageKind, PageNo, ROOT, blank, count, kind, link, set_count, set_link};
use crate::aio::{Completion, IOResult, Resource};
use crate::engine::kv::Key;
use crate::{io_yield_one, return_if_io};

/// Levels beyond which a tree must be a circle.
pub(super) const DEPTH_MAX: u32 = 32;

/// The change, under way.
pub(super) struct Edit {
    key: Key,
    change: Change,
    depth: u32,
    state: EditState,
}

enum Change {
    /// The value waits to be put into a chain.
    Spill(Vec<u8>),
    /// The cell is ready.
    Put(Vec<u8>),
    Remove,
}

#[derive(Clone, Copy)]
struct Parent {
    page: PageNo,
    slot: usize,
}

enum EditState {
    /// A long value goes into a chain of pages, the last one first, so that each knows its successor.
    Spill {
        parts_left: usize,
        next: PageNo,
    },
    /// On the way to the leaf. `keep` says that this page has been found too full to be merged.
    Descend {
        parent: Option<Parent>,
        page: PageNo,
        keep: bool,
    },
    /// The root is full: what it holds moves one level down.
    Deepen,
    /// A page is full: half of it moves to a new neighbour.
    Split {
        parent: Parent,
        page: PageNo,
    },
    /// A page is nearly empty: with a neighbour it becomes one, if they fit.
    Merge {
        parent: PageNo,
        slot: usize,
        pages: Vec<Page>,
        then: AfterMerge,
    },
    /// The root has one child and no key: it takes the child's place.
    Collapse {
        then: AfterMerge,
    },
    /// The pages of a value that is gone become free.
    Unchain {
        next: PageNo,
        shrunk: Option<Parent>,
    },
    Over,
}

#[derive(Clone, Copy)]
enum AfterMerge {
    Finish,
    /// Go down again; this page stays as it is when it could not be merged.
    Descend {
        parent: Parent,
        page: PageNo,
    },
}

type Step = Result<IOResult<()>, Failure>;
const STEP: Step = Ok(IOResult::Done(()));

impl Edit {
    pub(super) fn put(page_size: usize, key: Key, value: Vec<u8>) -> Self {
        if node::fits_inline(page_size, key.as_bytes(), &value) {
            let cell = node::leaf_cell(key.as_bytes(), Stored::Inline(&value));
            return Self { key, change: Change::Put(cell), depth: 0, state: EditState::TOP };
        }
        let parts_left = value.len().div_ceil(page_size - PAGE_HEADER);
        Self { key, change: Change::Spill(value), depth: 0, state: EditState::Spill { parts_left, next: 0 } }
    }

    pub(super) const fn remove(key: Key) -> Self {
        Self { key, change: Change::Remove, depth: 0, state: EditState::TOP }
    }

    /// Goes on with the change.
    pub(super) fn poll(&mut self, draft: &mut Draft) -> Step {
        loop {
            return_if_io!(match self.state {
                EditState::Spill { parts_left, next } => self.spill(draft, parts_left, next),
                EditState::Descend { parent, page, keep } => self.descend(draft, parent, page, keep),
                EditState::Deepen => self.deepen(draft),
                EditState::Split { parent, page } => self.split(draft, parent, page),
                EditState::Merge { .. } => self.merge(draft),
                EditState::Collapse { then } => self.collapse(draft, then),
                EditState::Unchain { next, shrunk } => self.unchain(draft, next, shrunk),
                EditState::Over => return STEP,
            });
        }
    }

    fn spill(&mut self, draft: &mut Draft, parts_left: usize, next: PageNo) -> Step {
        let Change::Spill(value) = &self.change else { unreachable!("only long values spill") };
        if parts_left == 0 {
            let chain = Stored::Chain { first: next, len: value.len() };
            self.change = Change::Put(node::leaf_cell(self.key.as_bytes(), chain));
            self.state = EditState::TOP;
            return STEP;
        }
        let no = return_if_io!(draft.allocate());
        let part_max = draft.page_size() - PAGE_HEADER;
        let part = &value[(parts_left - 1) * part_max..value.len().min(parts_left * part_max)];
        let mut bytes = blank(draft.page_size(), PageKind::Chain);
        bytes[PAGE_HEADER..PAGE_HEADER + part.len()].copy_from_slice(part);
        set_count(&mut bytes, part.len());
        set_link(&mut bytes, next);
        draft.put(no, bytes);
        self.state = EditState::Spill { parts_left: parts_left - 1, next: no };
        STEP
    }

    fn descend(&mut self, draft: &mut Draft, parent: Option<Parent>, page: PageNo, keep: bool) -> Step {
        let bytes = return_if_io!(draft.page(page));
        match kind(&bytes) {
            Some(PageKind::Leaf) => return self.change_leaf(draft, parent, page, &bytes),
            Some(PageKind::Interior) if self.depth < DEPTH_MAX => {}
            _ => return Err(Failure::corrupt(format!("page {page} is no page of the tree"))),
        }
        let inserts = matches!(self.change, Change::Put(_));
        if inserts && node::room(&bytes) < node::needs(node::cell_max(draft.page_size())) {
            self.state = EditState::make_room(parent, page);
            return STEP;
        }
        if let (false, false, Some(parent)) = (inserts, keep, parent)
            && is_nearly_empty(&bytes)
        {
            self.state = EditState::merge(parent, AfterMerge::Descend { parent, page });
            return STEP;
        }
        let slot = node::child_slot(&bytes, self.key.as_bytes());
        let child = node::child(&bytes, slot);
        self.depth += 1;
        self.state = EditState::Descend { parent: Some(Parent { page, slot }), page: child, keep: false };
        io_yield_one!(Completion::new_yield().touching(Resource::read("page", u64::from(child))))
    }

    fn change_leaf(&mut self, draft: &mut Draft, parent: Option<Parent>, page: PageNo, bytes: &Page) -> Step {
        let place = node::search(bytes, self.key.as_bytes());
        let old = place.ok().map(|slot| node::cell(bytes, slot).len()).unwrap_or_default();
        match &self.change {
            Change::Put(cell) if node::room(bytes) + old < node::needs(cell.len()) => {
                self.state = EditState::make_room(parent, page);
                return STEP;
            }
            Change::Remove if place.is_err() => {
                self.state = EditState::Over;
                return STEP;
            }
            _ => {}
        }
        let chain = place.ok().map_or(0, |slot| match node::value(bytes, slot) {
            Stored::Chain { first, .. } => first,
            Stored::Inline(_) => 0,
        });
        return_if_io!(draft.touch(page));
        let leaf = draft.edit(page);
        if let Ok(slot) = place {
            node::remove(leaf, slot);
        }
        let mut shrunk = None;
        match &self.change {
            Change::Put(cell) => node::insert(leaf, place.unwrap_or_else(|slot| slot), cell),
            _ if is_nearly_empty(leaf) => shrunk = parent,
            _ => {}
        }
        self.state = EditState::Unchain { next: chain, shrunk };
        STEP
    }

    fn deepen(&mut self, draft: &mut Draft) -> Step {
        return_if_io!(draft.touch(ROOT));
        let child = return_if_io!(draft.allocate());
        let old = draft.take(ROOT);
        let mut root = blank(draft.page_size(), PageKind::Interior);
        set_link(&mut root, child);
        draft.put(child, old);
        draft.put(ROOT, root);
        self.state = EditState::TOP;
        self.depth = 0;
        STEP
    }

    fn split(&mut self, draft: &mut Draft, parent: Parent, page: PageNo) -> Step {
        return_if_io!(draft.touch(parent.page));
        return_if_io!(draft.touch(page));
        let neighbour = return_if_io!(draft.allocate());
        let mut right = blank(draft.page_size(), PageKind::Leaf);
        let separator = node::split(draft.edit(page), &mut right);
        draft.put(neighbour, right);
        node::insert_child(draft.edit(parent.page), parent.slot, &separator, neighbour);
        self.state = EditState::TOP;
        self.depth = 0;
        STEP
    }

    fn merge(&mut self, draft: &mut Draft) -> Step {
        let EditState::Merge { parent, slot, pages, then } = &mut self.state else { unreachable!("merging") };
        let (parent, then) = (*parent, *then);
        if pages.is_empty() {
            let above = return_if_io!(draft.page(parent));
            pages.push(above);
        }
        // With the right neighbour; the rightmost child with the left one; an only child has none.
        let Some(left_slot) = count(&pages[0]).checked_sub(1).map(|last| last.min(*slot)) else {
            self.state = then.state(true);
            return STEP;
        };
        while pages.len() < 3 {
            let page = return_if_io!(draft.page(node::child(&pages[0], left_slot + pages.len() - 1)));
            pages.push(page);
        }
        let [above, left, right] = &pages[..] else { unreachable!("three pages have been read") };
        let separator = node::key(above, left_slot);
        if kind(left) != kind(right) || !node::fit_together(left, right, separator) {
            self.state = then.state(true);
            return STEP;
        }
        let (left_no, right_no) = (node::child(above, left_slot), node::child(above, left_slot + 1));
        let mut merged = left.to_vec();
        node::merge(&mut merged, right, separator);
        let mut above = above.to_vec();
        node::remove_child(&mut above, left_slot);
        let collapses = parent == ROOT && count(&above) == 0;
        draft.put(left_no, merged);
        draft.put(parent, above);
        draft.free(right_no);
        self.depth = 0;
        self.state = if collapses { EditState::Collapse { then } } else { then.state(false) };
        STEP
    }

    fn collapse(&mut self, draft: &mut Draft, then: AfterMerge) -> Step {
        return_if_io!(draft.touch(ROOT));
        let child = link(draft.edit(ROOT));
        let bytes = return_if_io!(draft.page(child));
        draft.put(ROOT, bytes.to_vec());
        draft.free(child);
        self.state = then.state(false);
        STEP
    }

    fn unchain(&mut self, draft: &mut Draft, next: PageNo, shrunk: Option<Parent>) -> Step {
        if next == 0 {
            self.state = match shrunk {
                Some(parent) => EditState::merge(parent, AfterMerge::Finish),
                None => EditState::Over,
            };
            return STEP;
        }
        if draft.frees_more_than_there_is() {
            return Err(Failure::corrupt(format!("the chain that goes on with page {next} leads back into itself")));
        }
        // BUG insert-before-yield: the page is freed before its successor is known, once per call.
        if draft.shared().config.bugs.insert_before_yield {
            draft.free(next);
        }
        let page = return_if_io!(draft.page(next));
        if kind(&page) != Some(PageKind::Chain) {
            return Err(Failure::corrupt(format!("page {next} is no part of a value")));
        }
        if !draft.shared().config.bugs.insert_before_yield {
            draft.free(next);
        }
        self.state = EditState::Unchain { next: page::link(&page), shrunk };
        STEP
    }
}

impl EditState {
    const TOP: Self = Self::Descend { parent: None, page: ROOT, keep: false };

    const fn make_room(parent: Option<Parent>, page: PageNo) -> Self {
        match parent {
            Some(parent) => Self::Split { parent, page },
            None => Self::Deepen,
        }
    }

    const fn merge(parent: Parent, then: AfterMerge) -> Self {
        Self::Merge { parent: parent.page, slot: parent.slot, pages: Vec::new(), then }
    }
}

impl AfterMerge {
    const fn state(self, kept: bool) -> EditState {
        match self {
            Self::Finish => EditState::Over,
            Self::Descend { parent, page } if kept => EditState::Descend { parent: Some(parent), page, keep: true },
            Self::Descend { .. } => EditState::TOP,
        }
    }
}

/// Whether a page is worth merging: less than a quarter of it is used.
fn is_nearly_empty(bytes: &[u8]) -> bool {
    node::used(bytes) * 4 < bytes.len() - PAGE_HEADER
}
