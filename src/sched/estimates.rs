//! What a policy may know of a run before it begins: numbers counted in a pilot run, and nothing learned
//! from any other run. They are plain data and are stored in the case, so that a replay needs no pilot.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aio::{FileId, Resource};
use crate::tape::{Actor, ENGINE};

/// How many turns a run has and whose they are. An I/O counts for the connection that issued it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Estimates {
    /// Turns of actors; timers and crashes are not among them.
    pub turns: u64,
    /// Turns of each connection and its I/O.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<Origin, u64>,
    /// Operations of each kind, and the turns they took together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, KindEstimate>,
    /// Turns on each place that more than one connection touched and one of them changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spots: BTreeMap<Spot, BTreeMap<Origin, u64>>,
}

/// What is known of one kind of operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KindEstimate {
    /// How many have ended.
    pub operations: u64,
    /// Turns of their connections, I/O included, from the end of the operation before.
    pub turns: u64,
}

impl Estimates {
    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The estimates for another plan of the same scenario: so many operations of these kinds on each
    /// connection. Kinds that the pilot run did not see count as its average operation.
    #[must_use]
    pub fn for_plan<'a>(&self, plan: impl IntoIterator<Item = (Origin, &'a str, u64)>) -> Self {
        let all = self.kinds.values().fold(KindEstimate::default(), |sum, kind| KindEstimate {
            operations: sum.operations + kind.operations,
            turns: sum.turns + kind.turns,
        });
        if all.operations == 0 {
            return self.clone();
        }
        let mut connections = BTreeMap::<Origin, u64>::new();
        for (origin, kind, operations) in plan {
            let known = self.kinds.get(kind).filter(|known| known.operations > 0).unwrap_or(&all);
            *connections.entry(origin).or_default() += operations * known.turns / known.operations;
        }
        // The engine's own turns do not depend on the plan.
        connections.extend(self.connections.get_key_value(&Origin::ENGINE));
        let turns = connections.values().sum();
        let spots = self.spots.iter().map(|(spot, counts)| (spot.clone(), self.rescaled(counts, &connections)));
        Self { turns, spots: spots.collect(), connections, kinds: self.kinds.clone() }
    }

    fn rescaled(&self, counts: &BTreeMap<Origin, u64>, connections: &BTreeMap<Origin, u64>) -> BTreeMap<Origin, u64> {
        let old = |origin| self.connections.get(&origin).copied().unwrap_or(0);
        counts
            .iter()
            .map(|(&origin, &count)| {
                (origin, scale(count, connections.get(&origin).copied().unwrap_or(0), old(origin)))
            })
            .collect()
    }
}

fn scale(count: u64, new: u64, old: u64) -> u64 {
    if old == 0 { count } else { (u128::from(count) * u128::from(new) / u128::from(old)) as u64 }
}

/// A connection together with its I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(pub u16);

impl Origin {
    /// The engine's own jobs: opening, recovery, checks.
    pub const ENGINE: Self = Self(ENGINE);

    /// The origin of an actor; the engine's for those that work for nobody.
    #[must_use]
    pub fn of(actor: Actor) -> Self {
        Self(actor.connection().unwrap_or(ENGINE))
    }

    /// A small number, for tables.
    #[inline]
    pub(super) fn index(self) -> usize {
        if self == Self::ENGINE { 0 } else { usize::from(self.0) + 1 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Actor::Connection(self.0).fmt(f)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(Actor::Connection(connection)) => Ok(Self(connection)),
            _ => Err(format!("`{text}` is no connection: expected `c2` or `engine`")),
        }
    }
}

/// A place that turns touch, as precise as two runs of one scenario have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// What an author named and numbered.
    Named {
        /// The name.
        name: String,
        /// Which of those that share the name.
        index: u64,
    },
    /// A whole file.
    File(FileId),
    /// One byte of a file, and with it all reads and writes across it.
    Byte {
        /// Which file.
        file: FileId,
        /// Which byte.
        at: u64,
    },
}

impl Spot {
    /// Whether something that touches `resource` touches the spot.
    #[must_use]
    pub fn touches(&self, resource: &Resource) -> bool {
        match (self, resource) {
            (Self::Named { name, index }, Resource::Named { name: other, index: number, .. }) => {
                index == number && name == other
            }
            (Self::File(file), Resource::File { file: other, .. }) => file == other,
            (Self::Byte { file, at }, Resource::File { file: other, start, end, .. }) => {
                file == other && (*start..*end).contains(at)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { name, index } => write!(f, "{name}#{index}"),
            Self::File(file) => write!(f, "file {}", file.0),
            Self::Byte { file, at } => write!(f, "file {} @ {at}", file.0),
        }
    }
}

impl FromStr for Spot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no place: expected `page#7`, `file 0` or `file 0 @ 4096`");
        if let Some((name, index)) = text.rsplit_once('#') {
            return Ok(Self::Named { name: name.to_string(), index: index.parse().map_err(|_| expected())? });
        }
        let rest = text.strip_prefix("file ").ok_or_else(expected)?;
        let number = |word: &str| word.parse().map(FileId).map_err(|_| expected());
        match rest.split_once(" @ ") {
            None => Ok(Self::File(number(rest)?)),
            Some((file, at)) => Ok(Self::Byte { file: number(file)?, at: at.parse().map_err(|_| expected())? }),
        }
    }
}

macro_rules! as_text {
    ($($type:ty)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text! { Origin Spot }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::IoKind;

    fn estimates() -> Estimates {
        let page = Spot::Named { name: "page".into(), index: 7 };
        let byte = Spot::Byte { file: FileId(1), at: 4096 };
        Estimates {
            turns: 110,
            connections: [(Origin(0), 60), (Origin(1), 40), (Origin::ENGINE, 10)].into(),
            kinds: [
                ("get".to_string(), KindEstimate { operations: 20, turns: 40 }),
                ("commit".to_string(), KindEstimate { operations: 10, turns: 60 }),
            ]
            .into(),
            spots: [(page, [(Origin(0), 6), (Origin(1), 4)].into()), (byte, [(Origin(1), 2)].into())].into(),
        }
    }

    #[test]
    fn estimates_survive_their_stored_form() {
        let text = serde_json::to_string(&estimates()).unwrap();
        assert_eq!(serde_json::from_str::<Estimates>(&text).unwrap(), estimates());
        let toml = toml::to_string(&estimates()).unwrap();
        assert_eq!(toml::from_str::<Estimates>(&toml).unwrap(), estimates());
        assert!(serde_json::from_str::<Estimates>("{\"turn\": 1}").unwrap_err().to_string().contains("unknown field"));
    }

    #[test]
    fn another_plan_scales_what_was_counted() {
        // 10 gets of 2 turns, 5 commits of 6; a kind never seen counts as the average of 100 / 30.
        let plan = [(Origin(0), "get", 10), (Origin(0), "commit", 5), (Origin(1), "scan", 6)];
        let scaled = estimates().for_plan(plan);
        assert_eq!(scaled.connections, [(Origin(0), 50), (Origin(1), 20), (Origin::ENGINE, 10)].into());
        assert_eq!(scaled.turns, 80);
        let page = Spot::Named { name: "page".into(), index: 7 };
        assert_eq!(scaled.spots[&page], [(Origin(0), 5), (Origin(1), 2)].into());
    }

    #[test]
    fn a_spot_is_touched_by_what_covers_it() {
        let check = |spot: &str, resource: Resource, expected| {
            let parsed: Spot = spot.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.touches(&resource)), (spot, expected), "{resource}");
        };
        let write = |start, end| Resource::File { file: FileId(1), kind: IoKind::Write, start, end };
        check("page#7", Resource::read("page", 7), true);
        check("page#7", Resource::read("page", 8), false);
        check("page#7", Resource::Unknown, false);
        check("file 1", write(0, 1), true);
        check("file 2", write(0, 1), false);
        check("file 1 @ 4096", write(0, 4096), false);
        check("file 1 @ 4096", write(4096, 8192), true);
        check("file 1 @ 4096", write(0, u64::MAX), true);
        assert!("page 7".parse::<Spot>().unwrap_err().contains("expected `page#7`"));
    }
}
