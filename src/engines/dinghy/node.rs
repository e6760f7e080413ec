//! The inside of tree pages: cells in key order, read in place.
//!
//! ```text
//! header | place of cell 0, of cell 1, … → |   free   | ← … the cells, in any order |
//! leaf cell:      key length u16 | value length u32, top bit: in a chain | key | value, or its first page u32
//! interior cell:  key length u16 | child u32                            | key
//! ```
//!
//! The child of an interior cell holds the keys below the cell's own; the page's link is the child that holds
//! the rest. Cells leave no holes: removing one closes the gap. Nothing here does I/O, and a page that
//! [`is_sound`] is never read out of its bounds.

use super::page::{
    PAGE_HEADER, PageKind, PageNo, content, count, format, get_u16, get_u32, kind, link, put_u16, put_u32, set_content,
    set_count, set_link,
};

/// Bytes of a cell before its key.
const CELL_HEADER: usize = 6;
/// Set in a value's length when the value lies in a chain.
const IN_CHAIN: u32 = 1 << 31;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    /// In its cell.
    Inline(&'a [u8]),
    /// In a chain of pages.
    Chain {
        /// The first page.
        first: PageNo,
        /// The number of bytes.
        len: usize,
    },
}

/// The most bytes a cell may have, so that a page holds at least four.
pub(super) const fn cell_max(page_size: usize) -> usize {
    (page_size - PAGE_HEADER) / 4 - 2
}

/// The longest key, in bytes: it must fit into a cell beside a chain's first page.
pub(super) const fn key_max(page_size: usize) -> usize {
    cell_max(page_size) - CELL_HEADER - 4
}

/// Whether key and value fit into one cell.
pub(super) const fn fits_inline(page_size: usize, key: &[u8], value: &[u8]) -> bool {
    CELL_HEADER + key.len() + value.len() <= cell_max(page_size)
}

/// A leaf cell.
pub(super) fn leaf_cell(key: &[u8], value: Stored<'_>) -> Vec<u8> {
    let mut cell = vec![0; CELL_HEADER];
    put_u16(&mut cell, 0, key.len());
    cell.extend_from_slice(key);
    match value {
        Stored::Inline(bytes) => {
            put_u32(&mut cell, 2, bytes.len() as u32);
            cell.extend_from_slice(bytes);
        }
        Stored::Chain { first, len } => {
            put_u32(&mut cell, 2, len as u32 | IN_CHAIN);
            cell.extend_from_slice(&first.to_le_bytes());
        }
    }
    cell
}

fn interior_cell(key: &[u8], child: PageNo) -> Vec<u8> {
    let mut cell = vec![0; CELL_HEADER];
    put_u16(&mut cell, 0, key.len());
    put_u32(&mut cell, 2, child);
    cell.extend_from_slice(key);
    cell
}

pub(super) fn is_leaf(page: &[u8]) -> bool {
    kind(page) == Some(PageKind::Leaf)
}

fn place(page: &[u8], slot: usize) -> usize {
    usize::from(get_u16(page, PAGE_HEADER + 2 * slot))
}

fn cell_len(page: &[u8], at: usize) -> usize {
    let key = CELL_HEADER + usize::from(get_u16(page, at));
    match get_u32(page, at + 2) {
        _ if !is_leaf(page) => key,
        length if length & IN_CHAIN != 0 => key + 4,
        length => key + length as usize,
    }
}

/// The bytes of a cell.
pub(super) fn cell(page: &[u8], slot: usize) -> &[u8] {
    let at = place(page, slot);
    &page[at..at + cell_len(page, at)]
}

/// The key of a cell.
pub(super) fn key(page: &[u8], slot: usize) -> &[u8] {
    let at = place(page, slot);
    &page[at + CELL_HEADER..][..usize::from(get_u16(page, at))]
}

/// The value of a leaf's cell.
pub(super) fn value(page: &[u8], slot: usize) -> Stored<'_> {
    let cell = cell(page, slot);
    let rest = &cell[CELL_HEADER + usize::from(get_u16(cell, 0))..];
    match get_u32(cell, 2) {
        length if length & IN_CHAIN != 0 => {
            Stored::Chain { first: get_u32(rest, 0), len: (length & !IN_CHAIN) as usize }
        }
        _ => Stored::Inline(rest),
    }
}

/// Where a key is in a leaf, or where it would be.
pub(super) fn search(page: &[u8], wanted: &[u8]) -> Result<usize, usize> {
    let (mut low, mut high) = (0, count(page));
    while low < high {
        let middle = usize::midpoint(low, high);
        match key(page, middle).cmp(wanted) {
            std::cmp::Ordering::Equal => return Ok(middle),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// Which child of an interior page holds a key.
pub(super) fn child_slot(page: &[u8], wanted: &[u8]) -> usize {
    match search(page, wanted) {
        Ok(slot) => slot + 1,
        Err(slot) => slot,
    }
}

/// A child of an interior page; slot `count` is the rightmost.
pub(super) fn child(page: &[u8], slot: usize) -> PageNo {
    if slot == count(page) { link(page) } else { get_u32(page, place(page, slot) + 2) }
}

/// Bytes that are not used.
pub(super) fn room(page: &[u8]) -> usize {
    content(page) - PAGE_HEADER - 2 * count(page)
}

/// Bytes that cells and their places use.
pub(super) fn used(page: &[u8]) -> usize {
    page.len() - PAGE_HEADER - room(page)
}

/// Bytes a cell needs with its place.
pub(super) const fn needs(cell_len: usize) -> usize {
    cell_len + 2
}

/// Adds a cell; there must be room.
pub(super) fn insert(page: &mut [u8], slot: usize, cell: &[u8]) {
    let (count, at) = (count(page), content(page) - cell.len());
    page[at..at + cell.len()].copy_from_slice(cell);
    let places = PAGE_HEADER + 2 * slot..PAGE_HEADER + 2 * count;
    page.copy_within(places, PAGE_HEADER + 2 * slot + 2);
    put_u16(page, PAGE_HEADER + 2 * slot, at);
    set_count(page, count + 1);
    set_content(page, at);
}

/// Removes a cell and closes the gap.
pub(super) fn remove(page: &mut [u8], slot: usize) {
    let (count, low, at) = (count(page), content(page), place(page, slot));
    let len = cell_len(page, at);
    page.copy_within(low..at, low + len);
    page.copy_within(PAGE_HEADER + 2 * slot + 2..PAGE_HEADER + 2 * count, PAGE_HEADER + 2 * slot);
    for other in 0..count - 1 {
        let place = place(page, other);
        if place < at {
            put_u16(page, PAGE_HEADER + 2 * other, place + len);
        }
    }
    set_count(page, count - 1);
    set_content(page, low + len);
}

/// Points a child slot at another page.
pub(super) fn set_child(page: &mut [u8], slot: usize, child: PageNo) {
    if slot == count(page) {
        set_link(page, child);
    } else {
        let at = place(page, slot) + 2;
        put_u32(page, at, child);
    }
}

/// Points a leaf's cell at another first page of its chain.
pub(super) fn set_chain(page: &mut [u8], slot: usize, first: PageNo) {
    let at = place(page, slot);
    let end = at + cell_len(page, at);
    put_u32(page, end - 4, first);
}

/// Adds a child to the right of the one at `slot`, with the key that parts them.
pub(super) fn insert_child(page: &mut [u8], slot: usize, separator: &[u8], right: PageNo) {
    let left = child(page, slot);
    set_child(page, slot, right);
    insert(page, slot, &interior_cell(separator, left));
}

/// Moves the upper half of `left` to the empty `right`, and answers the key that parts them.
pub(super) fn split(left: &mut [u8], right: &mut [u8]) -> Vec<u8> {
    let middle = middle(left);
    let leaf = is_leaf(left);
    format(right, if leaf { PageKind::Leaf } else { PageKind::Interior });
    let separator = key(left, middle).to_vec();
    // The middle cell of an interior page goes up; its child becomes the rightmost on the left.
    let first = if leaf { middle } else { middle + 1 };
    for slot in first..count(left) {
        insert(right, slot - first, cell(left, slot));
    }
    set_link(right, link(left));
    let rightmost = if leaf { 0 } else { child(left, middle) };
    while count(left) > middle {
        let last = count(left) - 1;
        remove(left, last);
    }
    set_link(left, rightmost);
    separator
}

/// The slot at which about half of the bytes lie below; never the first nor beyond the last.
fn middle(page: &[u8]) -> usize {
    let half = used(page) / 2;
    let mut below = 0;
    for slot in 0..count(page) {
        below += needs(cell(page, slot).len());
        if below >= half {
            return (slot + 1).clamp(1, count(page) - 1);
        }
    }
    count(page) - 1
}

/// Whether two neighbours, with the key that parts them, fit into one page.
pub(super) fn fit_together(left: &[u8], right: &[u8], separator: &[u8]) -> bool {
    let between = if is_leaf(left) { 0 } else { needs(CELL_HEADER + separator.len()) };
    used(left) + used(right) + between <= left.len() - PAGE_HEADER
}

/// Moves all of `right` to its left neighbour.
pub(super) fn merge(left: &mut [u8], right: &[u8], separator: &[u8]) {
    if !is_leaf(left) {
        let slot = count(left);
        let bridge = interior_cell(separator, link(left));
        insert(left, slot, &bridge);
        set_link(left, link(right));
    }
    for slot in 0..count(right) {
        let at = count(left);
        insert(left, at, cell(right, slot));
    }
}

/// Takes out the key that parted two merged children, and the right one of them.
pub(super) fn remove_child(page: &mut [u8], slot: usize) {
    let left = child(page, slot);
    remove(page, slot);
    set_child(page, slot, left);
}

/// Whether every cell lies within the page, so that reading it cannot go astray.
pub(super) fn is_sound(page: &[u8]) -> bool {
    let Some(kind) = kind(page) else { return false };
    let (count, low) = (count(page), content(page));
    match kind {
        PageKind::Meta | PageKind::Free => true,
        PageKind::Chain => PAGE_HEADER + count <= page.len(),
        PageKind::Leaf | PageKind::Interior => {
            let in_bounds = |slot| {
                let at = place(page, slot);
                at >= low && at + CELL_HEADER <= page.len() && at + cell_len(page, at) <= page.len()
            };
            low <= page.len() && PAGE_HEADER + 2 * count <= low && (0..count).all(in_bounds)
        }
    }
}
