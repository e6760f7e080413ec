//! The shared memory of a write-ahead log's index: regions that several connections read and write through raw
//! pointers, because that is what SQLite asks for.
//!
//! Nothing here is a file: all virtual processes of a run are one. When its last user has gone the memory is
//! gone too, and the next user finds none and recovers, as after the last process has closed a real one.
#![allow(unsafe_code)] // The regions are written by C through pointers, so they cannot be plain slices here.

use std::cell::UnsafeCell;
use std::collections::BTreeSet;

use super::locks::{Holder, SlotLocks};

/// What the memory held at one moment.
pub(super) type Image = Vec<Vec<u64>>;

/// The shared memory of one database file.
#[derive(Default)]
pub(super) struct SharedMemory {
    /// Of words, because C reads them as such and they must be aligned.
    regions: Vec<Box<[UnsafeCell<u64>]>>,
    users: BTreeSet<Holder>,
    pub(super) slots: SlotLocks,
}

impl SharedMemory {
    /// Region number `index`, made with all regions before it if `extend` allows; `None` when it is not there.
    pub(super) fn map(&mut self, holder: Holder, index: usize, bytes: usize, extend: bool) -> Option<*mut u8> {
        self.users.insert(holder);
        while extend && self.regions.len() <= index {
            self.regions.push((0..bytes / 8).map(|_| UnsafeCell::new(0)).collect());
        }
        self.regions.get(index).map(|region| UnsafeCell::raw_get(region.as_ptr()).cast())
    }

    /// Ends `holder`'s use; its slots come free.
    pub(super) fn unmap(&mut self, holder: Holder) {
        self.users.remove(&holder);
        self.slots.forget(holder);
        if self.users.is_empty() {
            self.regions.clear();
        }
    }

    /// Whether anybody beside `holders` uses it.
    pub(super) fn is_shared_beyond(&self, holders: &BTreeSet<Holder>) -> bool {
        !self.users.is_subset(holders)
    }

    /// What the memory holds now.
    pub(super) fn image(&self) -> Image {
        let read = |region: &[UnsafeCell<u64>]| {
            // SAFETY: the region is alive and initialised; nobody writes meanwhile, because connections take
            // turns on one thread and this is not one of theirs.
            region.iter().map(|cell| unsafe { *cell.get() }).collect()
        };
        self.regions.iter().map(|region| read(region)).collect()
    }

    /// Puts an image back into the regions that still exist.
    pub(super) fn put_back(&self, image: &Image) {
        for (region, words) in self.regions.iter().zip(image) {
            for (cell, word) in region.iter().zip(words) {
                // SAFETY: as above; no reference into the region exists on the Rust side, only C's pointers.
                unsafe { *cell.get() = *word };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_lives_as_long_as_anybody_uses_it() {
        let mut memory = SharedMemory::default();
        assert!(memory.map(1, 0, 64, false).is_none());
        let first = memory.map(1, 1, 64, true).unwrap();
        assert_eq!(memory.map(2, 1, 64, false), Some(first), "both see the same bytes");
        // SAFETY: the region is alive and 64 bytes long.
        unsafe { *first.add(8) = 9 };
        let image = memory.image();
        assert_eq!((image.len(), image[1][1]), (2, 9));
        memory.unmap(1);
        assert_eq!(memory.image(), image);
        memory.unmap(2);
        assert!(memory.image().is_empty());
    }
}
