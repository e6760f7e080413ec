//! A bounded number of pages in memory.
//!
//! Each entry is one *version* of a page: the frame it came with, or 0 for what the database file holds. A
//! version never changes, so readers of different snapshots share the cache without seeing each other's
//! pages. Who is to go is found by the second-chance rule: a hand walks round and takes the first that has
//! not been used since it came by last.

use std::collections::BTreeMap;
use std::fmt;

use super::page::{Page, PageNo};
use super::snapshot::Lsn;

/// A page as of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub page: PageNo,
    /// The frame, or [`IN_DATABASE`].
    pub lsn: Lsn,
}

/// The version that the database file holds.
pub(super) const IN_DATABASE: Lsn = 0;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lsn {
            IN_DATABASE => write!(f, "page {}", self.page),
            lsn => write!(f, "page {} of frame {lsn}", self.page),
        }
    }
}

/// The cache.
pub(super) struct Cache {
    capacity: usize,
    entries: Vec<Entry>,
    places: BTreeMap<Version, usize>,
    hand: usize,
}

struct Entry {
    version: Version,
    page: Page,
    used: bool,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::new(), places: BTreeMap::new(), hand: 0 }
    }

    pub(super) fn get(&mut self, version: Version) -> Option<Page> {
        let entry = &mut self.entries[*self.places.get(&version)?];
        entry.used = true;
        Some(Page::clone(&entry.page))
    }

    pub(super) fn insert(&mut self, version: Version, page: Page) {
        let entry = Entry { version, page, used: true };
        let place = match self.places.get(&version) {
            Some(&place) => place,
            None if self.entries.len() < self.capacity => {
                self.places.insert(version, self.entries.len());
                return self.entries.push(entry);
            }
            None => self.victim(),
        };
        self.places.remove(&self.entries[place].version);
        self.places.insert(version, place);
        self.entries[place] = entry;
    }

    /// The versions that are here, for people.
    pub(super) fn told(&self) -> String {
        let versions: Vec<String> = self.places.keys().map(ToString::to_string).collect();
        if versions.is_empty() { "empty".to_string() } else { versions.join(", ") }
    }

    fn victim(&mut self) -> usize {
        loop {
            self.hand = (self.hand + 1) % self.entries.len();
            let entry = &mut self.entries[self.hand];
            if !std::mem::take(&mut entry.used) {
                return self.hand;
            }
        }
    }

    /// The log is empty again: what was the newest frame is now in the database file, and what the database
    /// file held before is gone.
    pub(super) fn log_was_reset(&mut self, pages: impl Iterator<Item = (PageNo, Lsn)>) {
        for (page, lsn) in pages {
            self.remove(Version { page, lsn: IN_DATABASE });
            if let Some(place) = self.places.remove(&Version { page, lsn }) {
                let version = Version { page, lsn: IN_DATABASE };
                self.entries[place].version = version;
                self.places.insert(version, place);
            }
        }
    }

    fn remove(&mut self, version: Version) {
        let Some(place) = self.places.remove(&version) else { return };
        self.entries.swap_remove(place);
        if let Some(moved) = self.entries.get(place) {
            self.places.insert(moved.version, place);
        }
        self.hand = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(page: PageNo, lsn: Lsn) -> Version {
        Version { page, lsn }
    }

    fn cache(versions: &[(PageNo, Lsn)]) -> Cache {
        let mut cache = Cache::new(3);
        for &(page, lsn) in versions {
            cache.insert(version(page, lsn), Page::new(vec![page as u8, lsn as u8]));
        }
        cache
    }

    #[test]
    fn a_cache_holds_no_more_than_its_capacity_and_gives_back_what_was_put_in() {
        let mut cache = cache(&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 9), (6, 0)]);
        assert_eq!(cache.entries.len(), 3);
        let held: Vec<_> = cache.places.keys().copied().collect();
        for version in held {
            assert_eq!(*cache.get(version).unwrap(), vec![version.page as u8, version.lsn as u8]);
        }
    }

    #[test]
    fn what_was_used_since_the_hand_came_by_stays() {
        let mut cache = cache(&[(1, 0), (2, 0), (3, 0), (4, 0)]);
        let kept: Vec<_> = cache.places.keys().copied().filter(|version| version.page != 4).collect();
        cache.get(kept[0]);
        cache.insert(version(5, 0), Page::default());
        assert!(cache.get(kept[0]).is_some());
        assert!(cache.get(kept[1]).is_none());
    }

    #[test]
    fn after_a_log_reset_the_newest_frame_is_what_the_database_holds() {
        let mut cache = cache(&[(1, 0), (1, 7), (2, 0)]);
        cache.log_was_reset([(1, 7), (2, 8)].into_iter());
        assert_eq!(cache.get(version(1, IN_DATABASE)).as_deref(), Some(&vec![1, 7]));
        assert_eq!(cache.get(version(1, 7)), None);
        assert_eq!(cache.get(version(2, IN_DATABASE)), None);
    }
}
