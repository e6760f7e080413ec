//! The meta page: how large the database is, which pages are free, and which commit this is.
//!
//! ```text
//! 20      28          32           36          40           44         52
//! magic | page size | page count | free head | free count | sequence | zeros
//! ```

use super::page::{
    META, PAGE_HEADER, PageKind, PageNo, ROOT, blank, get_u32, get_u64, is_sealed, kind, put_u32, put_u64, seal,
};

const MAGIC: u64 = u64::from_le_bytes(*b"dinghydb");
const PAGE_SIZE: usize = PAGE_HEADER + 8;
const PAGE_COUNT: usize = PAGE_HEADER + 12;
const FREE_HEAD: usize = PAGE_HEADER + 16;
const FREE_COUNT: usize = PAGE_HEADER + 20;
const SEQUENCE: usize = PAGE_HEADER + 24;

/// What the meta page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// The number of the last page.
    pub page_count: u32,
    /// The first free page, or 0.
    pub free_head: PageNo,
    /// How many pages are free.
    pub free_count: u32,
    /// The number of commits so far.
    pub sequence: u64,
}

impl Meta {
    /// An empty database: the meta page and the root.
    pub(super) const GENESIS: Self = Self { page_count: ROOT, free_head: 0, free_count: 0, sequence: 0 };

    /// The page, sealed.
    pub(super) fn encode(&self, page_size: usize) -> Vec<u8> {
        let mut bytes = blank(page_size, PageKind::Meta);
        put_u64(&mut bytes, PAGE_HEADER, MAGIC);
        put_u32(&mut bytes, PAGE_SIZE, page_size as u32);
        put_u32(&mut bytes, PAGE_COUNT, self.page_count);
        put_u32(&mut bytes, FREE_HEAD, self.free_head);
        put_u32(&mut bytes, FREE_COUNT, self.free_count);
        put_u64(&mut bytes, SEQUENCE, self.sequence);
        seal(&mut bytes, META);
        bytes
    }

    /// Reads the page back; `None` when it is damaged or of another database.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let whole = is_sealed(bytes, META)
            && kind(bytes) == Some(PageKind::Meta)
            && get_u64(bytes, PAGE_HEADER) == MAGIC
            && get_u32(bytes, PAGE_SIZE) as usize == bytes.len();
        whole.then(|| Self {
            page_count: get_u32(bytes, PAGE_COUNT),
            free_head: get_u32(bytes, FREE_HEAD),
            free_count: get_u32(bytes, FREE_COUNT),
            sequence: get_u64(bytes, SEQUENCE),
        })
    }
}
