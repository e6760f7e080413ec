//! Which places of an engine's code runs have passed through while they waited, and in which order two
//! connections did.
//!
//! A *place* is a line of the engine's source on the way from a yield to the operation's caller, as the label's
//! sites name it: a connection that waits is in all of them at once. A *pair* (A, B) is a connection that came to
//! wait in A, and another one that was the next to come to wait, in B.
//!
//! It is kept across the runs of a process and only ever written by them: nothing that a run does depends on it,
//! and no place enters a hash, a tape or a case.
//!
//! ```text
//! label: read_page:12 < descend:40 < get:9    one *path*, known by its sites' addresses: one look-up a yield
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::aio::{Label, Site};
use crate::tape::mix;

/// At most so many paths are told apart; what comes later is counted under none.
const PATHS_MAX: usize = 2_048;

/// What has been passed through since it was made.
#[derive(Debug, Default)]
pub struct Coverage {
    /// By key, open addressing; the key of nothing is 0.
    index: Vec<(u64, u32)>,
    paths: Vec<Path>,
    /// Who came to wait last, and where.
    last: Option<(u16, u32)>,
    path_pairs: Pairs,
    new_path_pairs: Vec<(u32, u32)>,
    places: Vec<String>,
    place_numbers: BTreeMap<String, u32>,
    place_pairs: Pairs,
    /// How many of the places have been told.
    told: usize,
    /// Yields on a path beyond the last that is told apart.
    untold_paths: u64,
}

#[derive(Debug)]
struct Path {
    places: Vec<u32>,
    yields: u64,
}

/// What has been added since it was last asked for. Places are numbered in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gain {
    /// New places; the first of them has the number of those told before.
    pub places: Vec<String>,
    /// The yields that passed through each place.
    pub yields: Vec<(u32, u64)>,
    /// New pairs.
    pub pairs: Vec<(u32, u32)>,
    /// Yields that were not told apart, because there were too many ways to get there.
    pub lost: u64,
}

impl Coverage {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A run begins: what another has done last is no predecessor.
    pub const fn begin_run(&mut self) {
        self.last = None;
    }

    /// `connection` waits, or lets others run, with this label.
    #[inline]
    pub fn passed(&mut self, connection: u16, label: &Label) {
        let Some(path) = self.path(label) else { return };
        self.paths[path as usize].yields += 1;
        if let Some((other, before)) = self.last
            && other != connection
            && self.path_pairs.insert(before, path)
        {
            self.new_path_pairs.push((before, path));
        }
        self.last = Some((connection, path));
    }

    /// The engine's own opening or check waits: it is alone, so it has no neighbours.
    pub fn passed_alone(&mut self, label: &Label) {
        if let Some(path) = self.path(label) {
            self.paths[path as usize].yields += 1;
        }
        self.last = None;
    }

    #[inline]
    fn path(&mut self, label: &Label) -> Option<u32> {
        // The sites of a program do not move while it runs.
        let fold = |key: u64, site: Site| {
            (key ^ std::ptr::from_ref(site).addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        };
        let key = label.sites().fold(1, fold) | 1;
        if !self.index.is_empty() {
            for at in probes(key, self.index.len()) {
                let (known, path) = self.index[at];
                if known == key {
                    return Some(path);
                }
                if known == 0 {
                    break;
                }
            }
        }
        self.new_path(key, label)
    }

    #[cold]
    fn new_path(&mut self, key: u64, label: &Label) -> Option<u32> {
        if self.paths.len() >= PATHS_MAX {
            self.untold_paths += 1;
            return None;
        }
        let path = self.paths.len() as u32;
        let mut places: Vec<u32> = label.sites().map(|site| self.place(site)).collect();
        places.sort_unstable();
        places.dedup();
        self.paths.push(Path { places, yields: 0 });
        if (self.paths.len() + 1) * 2 > self.index.len() {
            let old =
                std::mem::replace(&mut self.index, vec![(0, 0); (self.paths.len() * 4).next_power_of_two().max(64)]);
            old.into_iter().filter(|&(known, _)| known != 0).for_each(|(known, path)| self.note(known, path));
        }
        self.note(key, path);
        Some(path)
    }

    fn note(&mut self, key: u64, path: u32) {
        let free = probes(key, self.index.len()).find(|&at| self.index[at].0 == 0);
        self.index[free.expect("half of the index is free")] = (key, path);
    }

    fn place(&mut self, site: Site) -> u32 {
        // One line may stand at several addresses, one for each type it is compiled for.
        let text = format!("{}:{}", within_crate(site.file()), site.line());
        if let Some(&number) = self.place_numbers.get(&text) {
            return number;
        }
        let number = self.places.len() as u32;
        self.places.push(text.clone());
        self.place_numbers.insert(text, number);
        number
    }

    /// What has been added since this was last called.
    pub fn take_gain(&mut self) -> Gain {
        let mut yields = vec![0; self.places.len()];
        for path in &mut self.paths {
            let passed = std::mem::take(&mut path.yields);
            path.places.iter().for_each(|&place| yields[place as usize] += passed);
        }
        let mut pairs = Vec::new();
        for (before, after) in std::mem::take(&mut self.new_path_pairs) {
            for &a in &self.paths[before as usize].places {
                for &b in &self.paths[after as usize].places {
                    if self.place_pairs.insert(a, b) {
                        pairs.push((a, b));
                    }
                }
            }
        }
        let new: Range<usize> = std::mem::replace(&mut self.told, self.places.len())..self.places.len();
        Gain {
            places: self.places[new].to_vec(),
            yields: (0..).zip(yields).filter(|&(_, count)| count > 0).collect(),
            pairs,
            lost: std::mem::take(&mut self.untold_paths),
        }
    }
}

impl Gain {
    /// Whether there is nothing to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty() && self.yields.is_empty() && self.pairs.is_empty() && self.lost == 0
    }
}

/// Where a key may be, beginning with the likeliest place; the length is a power of two.
#[inline]
fn probes(key: u64, length: usize) -> impl Iterator<Item = usize> {
    let start = mix_down(key);
    (0..length).map(move |step| (start + step) & (length - 1))
}

#[inline]
const fn mix_down(key: u64) -> usize {
    (mix(key) >> 32) as usize
}

/// A source file as people know it: from its crate's folder on, whatever machine it was compiled on.
fn within_crate(file: &str) -> String {
    let file = file.replace('\\', "/");
    if !file.starts_with('/') && !file.contains(":/") {
        return file;
    }
    // The name of the crate's folder tells two crates apart.
    let folders = ["/src/", "/examples/", "/tests/", "/benches/"];
    let inside = folders.iter().filter_map(|folder| file.rfind(folder)).max();
    let start = inside.and_then(|at| file[..at].rfind('/')).map_or(0, |at| at + 1);
    file[start..].to_string()
}

/// A set of pairs of small numbers, as a square of bits that grows.
#[derive(Debug, Default)]
struct Pairs {
    bits: Vec<u64>,
    /// The side of the square, a multiple of 64.
    side: usize,
}

impl Pairs {
    /// Whether it was not there before.
    #[inline]
    fn insert(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (a as usize, b as usize);
        if a.max(b) >= self.side {
            self.grow(a.max(b) + 1);
        }
        let at = a * self.side + b;
        let (word, bit) = (&mut self.bits[at / 64], 1 << (at % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let side = needed.next_power_of_two().max(64);
        let mut bits = vec![0; side * side / 64];
        let (old, new) = (self.side / 64, side / 64);
        for row in 0..self.side {
            bits[row * new..row * new + old].copy_from_slice(&self.bits[row * old..(row + 1) * old]);
        }
        (self.bits, self.side) = (bits, side);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::Completion;

    fn first() -> Completion {
        Completion::new_yield()
    }

    fn second() -> Completion {
        Completion::new_yield()
    }

    fn through(completion: Completion) -> Completion {
        completion.seen_here()
    }

    fn line(place: &str) -> &str {
        place.rsplit_once(':').unwrap().0
    }

    #[test]
    fn a_waiting_connection_is_in_every_place_on_its_way_out() {
        let mut coverage = Coverage::new();
        coverage.begin_run();
        coverage.passed(0, through(first()).label());
        coverage.passed(0, first().label());
        let gain = coverage.take_gain();
        assert_eq!(gain.places.iter().map(|place| line(place)).collect::<Vec<_>>(), ["src/trace/coverage.rs"; 2]);
        assert_eq!((gain.yields, gain.pairs, gain.lost), (vec![(0, 2), (1, 1)], vec![], 0));
        assert!(coverage.take_gain().is_empty());
    }

    #[test]
    fn a_pair_is_two_connections_that_came_to_wait_one_right_after_the_other() {
        let mut coverage = Coverage::new();
        // Numbers in the order of coming: `first` is 0, `second` 1, `through` 2.
        let places = [first(), second(), through(first())];
        let mut check = |events: &[(u16, usize)], expected: &[(u32, u32)]| {
            coverage.begin_run();
            events.iter().for_each(|&(connection, place)| coverage.passed(connection, places[place].label()));
            assert_eq!(coverage.take_gain().pairs, expected, "{events:?}");
        };
        // One connection alone makes none, and neither does the end of another run.
        check(&[(0, 0), (0, 1), (0, 1)], &[]);
        check(&[(1, 0)], &[]);
        check(&[(0, 0), (1, 1), (1, 1), (0, 0)], &[(0, 1), (1, 0)]);
        check(&[(0, 0), (1, 1)], &[]);
        check(&[(0, 1), (1, 2)], &[(1, 2)]);
    }

    #[test]
    fn the_engine_s_own_jobs_are_nobody_s_neighbours() {
        let mut coverage = Coverage::new();
        coverage.passed(0, first().label());
        coverage.passed_alone(second().label());
        coverage.passed(1, first().label());
        let gain = coverage.take_gain();
        assert_eq!((gain.yields, gain.pairs), (vec![(0, 2), (1, 1)], vec![]));
    }

    #[test]
    fn a_square_of_pairs_keeps_its_members_when_it_grows() {
        let mut pairs = Pairs::default();
        let members = [(0, 0), (3, 70), (70, 3), (200, 1), (0, 200), (63, 64)];
        members.iter().for_each(|&(a, b)| assert!(pairs.insert(a, b)));
        members.iter().for_each(|&(a, b)| assert!(!pairs.insert(a, b), "{a} {b}"));
        assert_eq!(pairs.bits.iter().map(|word| word.count_ones()).sum::<u32>(), members.len() as u32);
    }

    #[test]
    fn a_file_is_named_from_its_crate_s_folder_on() {
        let check = |file, expected: &str| assert_eq!(within_crate(file), expected);
        check("src/engines/dinghy/log.rs", "src/engines/dinghy/log.rs");
        check("/home/me/registry/src/index-1/squall-0.1.0/src/aio/mod.rs", "squall-0.1.0/src/aio/mod.rs");
        check("C:\\me\\squall\\src\\aio\\mod.rs", "squall/src/aio/mod.rs");
        check("/odd/place.rs", "/odd/place.rs");
    }

    #[test]
    fn ways_beyond_the_last_that_is_told_apart_are_counted_as_lost() {
        let mut coverage =
            Coverage { paths: (0..PATHS_MAX).map(|_| Path { places: vec![], yields: 0 }).collect(), ..Coverage::new() };
        coverage.passed(0, first().label());
        coverage.passed(1, first().label());
        assert_eq!(coverage.take_gain(), Gain { lost: 2, ..Gain::default() });
    }
}
