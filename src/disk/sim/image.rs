//! The bytes of one file: 4 KiB pages, shared until they are changed.
//!
//! A clone costs one reference count, whatever the size, and memory grows with the pages touched. An image
//! knows no time: what is durable and what is not are two images.
//!
//! Invariant: bytes at or beyond the length are zero, so that growing needs no cleaning.

use std::sync::Arc;

/// Bytes in a page; the unit of sharing and of `capacity-bytes`.
pub const PAGE_BYTES: usize = 4096;

/// Pages in a chunk; the unit in which the table of pages is shared.
const CHUNK_PAGES: usize = 64;

/// The largest file, in bytes: 64 GiB, so that a wild offset is an error and not a table without end.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 36;

pub(super) type Page = Arc<[u8]>;
type Chunk = [Option<Page>; CHUNK_PAGES];

/// A file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    len: u64,
    pages: u64,
    chunks: Arc<Vec<Option<Arc<Chunk>>>>,
}

impl Image {
    /// The length in bytes.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The pages that hold bytes; holes count nothing.
    pub(super) const fn pages(&self) -> u64 {
        self.pages
    }

    /// Copies bytes from `offset` on and answers how many there were.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(into.len() as u64) as usize;
        for (page, start, part) in parts(offset, count) {
            let target = &mut into[part.clone()];
            match self.page(page) {
                Some(bytes) => target.copy_from_slice(&bytes[start..start + part.len()]),
                None => target.fill(0),
            }
        }
        count
    }

    /// Puts `bytes` at `offset`, growing the file when they reach beyond its end.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, start, part) in parts(offset, bytes.len()) {
            let source = &bytes[part];
            let slot = self.slot(page);
            match slot {
                Some(old) if source.len() < PAGE_BYTES => {
                    Arc::make_mut(old)[start..start + source.len()].copy_from_slice(source);
                }
                Some(old) => match Arc::get_mut(old) {
                    Some(old) => old.copy_from_slice(source),
                    None => *old = Arc::from(source),
                },
                None => {
                    *slot = Some(new_page(start, source));
                    self.pages += 1;
                }
            }
        }
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    /// Puts a change's bytes at `offset`. A whole page is shared, not copied; the page that was there is
    /// returned.
    pub(super) fn put(&mut self, offset: u64, bytes: &Arc<[u8]>) -> Option<Page> {
        if !is_page(offset, bytes.len()) {
            self.write(offset, bytes);
            return None;
        }
        let old = self.slot(offset / PAGE_BYTES as u64).replace(Arc::clone(bytes));
        self.pages += u64::from(old.is_none());
        self.len = self.len.max(offset + PAGE_BYTES as u64);
        old
    }

    /// Sets the length. New bytes are zero.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.cut(len);
        }
        self.len = len;
    }

    fn cut(&mut self, len: u64) {
        let pages = len.div_ceil(PAGE_BYTES as u64) as usize;
        let chunks = Arc::make_mut(&mut self.chunks);
        for (at, chunk) in chunks.iter_mut().enumerate().skip(pages / CHUNK_PAGES) {
            let Some(chunk) = chunk else { continue };
            let first = pages.saturating_sub(at * CHUNK_PAGES);
            if chunk[first..].iter().any(Option::is_some) {
                let gone = Arc::make_mut(chunk)[first..].iter_mut().filter_map(Option::take).count();
                self.pages -= gone as u64;
            }
        }
        chunks.truncate(pages.div_ceil(CHUNK_PAGES));
        let tail = (len % PAGE_BYTES as u64) as usize;
        if tail != 0 && self.page(len / PAGE_BYTES as u64).is_some() {
            let page = self.slot(len / PAGE_BYTES as u64);
            Arc::make_mut(page.as_mut().expect("it was there"))[tail..].fill(0);
        }
    }

    /// The bytes of a page, unless it is a hole.
    pub(super) fn page(&self, page: u64) -> Option<&Page> {
        let chunk = self.chunks.get(page as usize / CHUNK_PAGES)?.as_ref()?;
        chunk[page as usize % CHUNK_PAGES].as_ref()
    }

    /// How many of the first `len` bytes at `offset` can be written when only `room` holes may be filled.
    pub(super) fn fitting(&self, offset: u64, len: usize, mut room: u64) -> usize {
        for (page, _, part) in parts(offset, len) {
            if self.page(page).is_none() {
                if room == 0 {
                    return part.start;
                }
                room -= 1;
            }
        }
        len
    }

    fn slot(&mut self, page: u64) -> &mut Option<Page> {
        let chunks = Arc::make_mut(&mut self.chunks);
        let at = page as usize / CHUNK_PAGES;
        if chunks.len() <= at {
            chunks.resize(at + 1, None);
        }
        let chunk = chunks[at].get_or_insert_with(|| Arc::new([const { None }; CHUNK_PAGES]));
        &mut Arc::make_mut(chunk)[page as usize % CHUNK_PAGES]
    }

    /// All bytes.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        self.read(0, &mut bytes);
        bytes
    }
}

/// Whether the range is exactly one page.
pub(super) const fn is_page(offset: u64, len: usize) -> bool {
    len == PAGE_BYTES && offset.is_multiple_of(PAGE_BYTES as u64)
}

/// Pages that nobody needs any more, to be filled again: fresh memory costs more than the copy.
#[derive(Default)]
pub(super) struct Pool(Vec<Page>);

/// The most pages a pool keeps.
const POOL_PAGES: usize = 512;

impl Pool {
    /// A page with these bytes.
    pub(super) fn page(&mut self, bytes: &[u8]) -> Page {
        let Some(mut page) = self.0.pop() else { return Arc::from(bytes) };
        match Arc::get_mut(&mut page) {
            Some(old) => {
                old.copy_from_slice(bytes);
                page
            }
            None => Arc::from(bytes),
        }
    }

    /// Takes back a page, if nobody else has it.
    pub(super) fn give(&mut self, page: Page) {
        if self.0.len() < POOL_PAGES && Arc::strong_count(&page) == 1 {
            self.0.push(page);
        }
    }
}

fn new_page(start: usize, source: &[u8]) -> Page {
    if source.len() == PAGE_BYTES {
        return Arc::from(source);
    }
    let mut page = [0; PAGE_BYTES];
    page[start..start + source.len()].copy_from_slice(source);
    Arc::from(&page[..])
}

/// The pages of a range: page number, first byte in the page, and which bytes of the range lie there.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let place = offset + at as u64;
        let start = (place % PAGE_BYTES as u64) as usize;
        let count = (PAGE_BYTES - start).min(len - at);
        at += count;
        (count > 0).then_some((place / PAGE_BYTES as u64, start, at - count..at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_reads_like_a_plain_vector_of_bytes() {
        arbtest::arbtest(|u| {
            let mut image = Image::default();
            let mut plain: Vec<u8> = Vec::new();
            let mut kept: Vec<(Image, Vec<u8>)> = Vec::new();
            for _ in 0..u.int_in_range(0..=12)? {
                let offset = u.int_in_range(0..=5 * PAGE_BYTES)?;
                match u.int_in_range(0..=3)? {
                    0 => {
                        image.set_len(offset as u64);
                        plain.resize(offset, 0);
                    }
                    1 => kept.push((image.clone(), plain.clone())),
                    _ => {
                        let len = *u.choose(&[1, 511, PAGE_BYTES - 1, PAGE_BYTES, 2 * PAGE_BYTES + 1])?;
                        let offset = if u.arbitrary()? { offset / PAGE_BYTES * PAGE_BYTES } else { offset };
                        let bytes: Arc<[u8]> = vec![u.arbitrary()?; len].into();
                        image.put(offset as u64, &bytes);
                        plain.resize(plain.len().max(offset + len), 0);
                        plain[offset..offset + len].copy_from_slice(&bytes);
                    }
                }
                kept.push((image.clone(), plain.clone()));
            }
            kept.iter().for_each(|(image, plain)| assert!(image.to_vec() == *plain, "a clone changed"));
            Ok(())
        });
    }

    #[test]
    fn memory_grows_with_the_pages_touched_and_shrinks_with_the_length() {
        let mut image = Image::default();
        image.write(1 << 30, b"far");
        assert_eq!((image.pages(), image.len()), (1, (1 << 30) + 3));
        image.write(0, &[7; 3 * PAGE_BYTES]);
        assert_eq!(image.pages(), 4);
        image.set_len(PAGE_BYTES as u64 + 1);
        assert_eq!(image.pages(), 2);
        image.set_len(0);
        assert_eq!(image.pages(), 0);
    }
}
