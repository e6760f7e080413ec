//! The two lock tables of a database file: the five levels of the rollback journals, and the eight slots of the
//! write-ahead log's index. Both answer at once; nobody waits here.
//!
//! The rules are those of SQLite's own file layer for Unix, without the operating system below it.

use std::collections::BTreeMap;

/// An open file's number; no two of a run share one.
pub(super) type Holder = u32;

/// The levels, in rising order. The numbers are SQLite's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None = 0,
    Shared = 1,
    Reserved = 2,
    Pending = 3,
    Exclusive = 4,
}

impl Level {
    pub(super) const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Shared,
            2 => Self::Reserved,
            3 => Self::Pending,
            4 => Self::Exclusive,
            _ => return None,
        })
    }
}

/// Who holds which level of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileLocks {
    levels: BTreeMap<Holder, Level>,
}

impl FileLocks {
    pub(super) fn level(&self, holder: Holder) -> Level {
        self.levels.get(&holder).copied().unwrap_or(Level::None)
    }

    /// Raises `holder` to `wanted`; `false` when somebody is in the way. On the way from reserved to exclusive
    /// it may be left pending, which keeps new readers out.
    pub(super) fn raise(&mut self, holder: Holder, wanted: Level) -> bool {
        let own = self.level(holder);
        if own >= wanted {
            return true;
        }
        let highest = self.levels.values().copied().max().unwrap_or(Level::None);
        // The highest level belongs to one holder alone as soon as it is more than shared.
        if own != highest && (highest >= Level::Pending || wanted > Level::Shared) {
            return false;
        }
        if wanted == Level::Exclusive {
            if own == Level::Reserved {
                self.levels.insert(holder, Level::Pending);
            }
            if self.levels.len() > 1 {
                return false;
            }
        }
        self.levels.insert(holder, wanted);
        true
    }

    /// Lowers `holder` to `wanted`, shared or none.
    pub(super) fn lower(&mut self, holder: Holder, wanted: Level) {
        if self.level(holder) <= wanted {
            return;
        }
        if wanted == Level::None {
            self.levels.remove(&holder);
        } else {
            self.levels.insert(holder, wanted);
        }
    }

    /// Whether somebody means to write.
    pub(super) fn is_reserved(&self) -> bool {
        self.levels.values().any(|level| *level > Level::Shared)
    }
}

/// The number of slots.
pub(super) const SLOTS: u32 = 8;

/// Who holds which slots of one index, as bit masks.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotLocks {
    masks: BTreeMap<Holder, Masks>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    shared: u8,
    exclusive: u8,
}

impl SlotLocks {
    /// Takes `count` slots from `first`; `false`, and nothing taken, when somebody is in the way.
    pub(super) fn take(&mut self, holder: Holder, first: u32, count: u32, exclusive: bool) -> bool {
        let wanted = mask(first, count);
        let in_the_way = |(other, masks): (&Holder, &Masks)| {
            *other != holder && (masks.exclusive | if exclusive { masks.shared } else { 0 }) & wanted != 0
        };
        if self.masks.iter().any(in_the_way) {
            return false;
        }
        let own = self.masks.entry(holder).or_default();
        if exclusive {
            own.exclusive |= wanted;
        } else {
            own.shared |= wanted;
        }
        true
    }

    /// Gives `count` slots from `first` back.
    pub(super) fn give_back(&mut self, holder: Holder, first: u32, count: u32) {
        if let Some(own) = self.masks.get_mut(&holder) {
            own.shared &= !mask(first, count);
            own.exclusive &= !mask(first, count);
        }
    }

    /// Gives everything of `holder` back.
    pub(super) fn forget(&mut self, holder: Holder) {
        self.masks.remove(&holder);
    }
}

fn mask(first: u32, count: u32) -> u8 {
    debug_assert!(first + count <= SLOTS);
    u8::try_from(((1_u32 << count) - 1) << first).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"1+S 2+R 1+X?"`: holder 1 gets shared, 2 reserved, 1 is refused exclusive; `-` lowers.
    fn check(script: &str) {
        let mut locks = FileLocks::default();
        for word in script.split_whitespace() {
            let holder = word[..1].parse().unwrap();
            let level = match &word[2..3] {
                "N" => Level::None,
                "S" => Level::Shared,
                "R" => Level::Reserved,
                "P" => Level::Pending,
                _ => Level::Exclusive,
            };
            match &word[1..2] {
                "+" => assert_eq!(locks.raise(holder, level), !word.ends_with('?'), "{word} in {script}"),
                "-" => locks.lower(holder, level),
                _ => assert_eq!(locks.level(holder), level, "{word} in {script}"),
            }
        }
    }

    #[test]
    fn one_writer_beside_readers_until_it_commits() {
        check("1+S 2+S 1+R 2+R? 3+S 1+X? 1=P 4+S? 2-N 1+X? 3-N 1+X 2+S? 1-S 2+S 2+R");
    }

    #[test]
    fn two_who_both_want_to_recover_leave_each_other_a_way_out() {
        check("1+S 2+S 1+X? 1=S 2+X? 2=S 2-N 1+X 1-N 2+S 2+X");
    }

    #[test]
    fn lowering_never_raises() {
        check("1-S 1=N 1+S 1-S 1=S 1+R 1+X 1-S 1=S 1-N 1=N");
    }

    #[test]
    fn slots_are_shared_or_exclusive() {
        let mut slots = SlotLocks::default();
        assert!(slots.take(1, 3, 1, false) && slots.take(2, 3, 1, false));
        assert!(!slots.take(1, 3, 1, true), "another reader is in the way");
        assert!(!slots.take(3, 1, 7, true), "one slot of many is enough");
        assert!(slots.take(3, 0, 3, true) && !slots.take(1, 2, 1, false));
        slots.give_back(2, 3, 1);
        assert!(slots.take(1, 3, 1, true), "its own share is not in the way");
        slots.forget(3);
        assert!(slots.take(1, 0, 8, true));
    }
}
