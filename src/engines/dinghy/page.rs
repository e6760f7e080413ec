//! Pages: a fixed number of bytes with a header, the same in the database file and in the log.
//!
//! ```text
//! 0        8      9     10      12        14     16     20
//! checksum | kind | 0   | count | content | 0    | link | cells, a value's bytes, or the meta fields
//! ```
//!
//! `count` is a number of cells, or of a value's bytes; `link` is the rightmost child, the next page of a
//! chain, or nothing (0). All numbers are little-endian. The checksum covers the page's number and every
//! byte after it, so a page that turns up in another page's place is noticed. A page in memory is never
//! changed: who wants another one makes it.

use std::rc::Rc;

use super::checksum::checksum;

/// A page's number; page `n` lies at byte `(n - 1) * page_size` of the database file. 0 is no page.
pub(super) type PageNo = u32;

/// A page that others see.
pub(super) type Page = Rc<Vec<u8>>;

/// The page that says what the database is; the last page of every commit.
pub(super) const META: PageNo = 1;
/// The tree's root, for ever: it grows and shrinks in place.
pub(super) const ROOT: PageNo = 2;
/// Bytes before a page's own content.
pub(super) const PAGE_HEADER: usize = 20;

const KIND: usize = 8;
const COUNT: usize = 10;
const CONTENT: usize = 12;
const LINK: usize = 16;

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// The page [`META`].
    Meta = 1,
    /// Keys with their values.
    Leaf = 2,
    /// Keys with the pages below.
    Interior = 3,
    /// A part of a value that is too long for its cell.
    Chain = 4,
    /// Not used; linked to the next one that is not.
    Free = 5,
}

/// An empty page of a kind.
pub(super) fn blank(page_size: usize, kind: PageKind) -> Vec<u8> {
    let mut bytes = vec![0; page_size];
    format(&mut bytes, kind);
    bytes
}

/// Makes a page an empty one of a kind.
pub(super) fn format(bytes: &mut [u8], kind: PageKind) {
    bytes.fill(0);
    bytes[KIND] = kind as u8;
    let len = bytes.len();
    set_content(bytes, len);
}

pub(super) fn kind(bytes: &[u8]) -> Option<PageKind> {
    [PageKind::Meta, PageKind::Leaf, PageKind::Interior, PageKind::Chain, PageKind::Free]
        .into_iter()
        .find(|kind| *kind as u8 == bytes[KIND])
}

pub(super) fn count(bytes: &[u8]) -> usize {
    usize::from(get_u16(bytes, COUNT))
}

pub(super) fn set_count(bytes: &mut [u8], count: usize) {
    put_u16(bytes, COUNT, count);
}

/// Where the lowest cell begins.
pub(super) fn content(bytes: &[u8]) -> usize {
    usize::from(get_u16(bytes, CONTENT))
}

pub(super) fn set_content(bytes: &mut [u8], at: usize) {
    put_u16(bytes, CONTENT, at);
}

pub(super) fn link(bytes: &[u8]) -> PageNo {
    get_u32(bytes, LINK)
}

pub(super) fn set_link(bytes: &mut [u8], to: PageNo) {
    put_u32(bytes, LINK, to);
}

/// The checksum the page carries.
pub(super) fn stored_checksum(bytes: &[u8]) -> u64 {
    get_u64(bytes, 0)
}

/// Gives the page its checksum, as page number `no`.
pub(super) fn seal(bytes: &mut [u8], no: PageNo) {
    let sum = checksum(u64::from(no), &bytes[KIND..]);
    put_u64(bytes, 0, sum);
}

/// Whether the bytes are page number `no`, whole.
pub(super) fn is_sealed(bytes: &[u8], no: PageNo) -> bool {
    stored_checksum(bytes) == checksum(u64::from(no), &bytes[KIND..])
}

pub(super) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Stores a number that is known to fit: sizes within a page do.
pub(super) fn put_u16(bytes: &mut [u8], at: usize, value: usize) {
    let value = u16::try_from(value).expect("pages are at most 4096 bytes");
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
