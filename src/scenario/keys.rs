//! Every key that a scenario can have, in one table: what it means, what it accepts, what the swarm draws.
//!
//! The table is the only place that knows. The reader, `--set`, the list of nearest names, the documentation
//! and the tests work from it; a test compares it with the structures the values end up in.

use std::borrow::Cow;

use super::value::Domain;
use crate::sched::PolicyConfig;
use crate::tape::Ratio;

/// One key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its full name, such as `disk.read-eio`. `-` and `_` mean the same.
    pub name: &'static str,
    /// One line of explanation, with the unit.
    pub about: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// What holds when nothing is said, as TOML; `-` where that is nothing.
    pub default: &'static str,
}

/// What a key accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One word out of several.
    Word(&'static [&'static str]),
    /// A name or a list of names.
    Names,
    /// Seeds, `"A..B"`, B excluded.
    Seeds,
    /// A whole number that no seed changes.
    Count {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A value that a seed may draw.
    Drawn(Domain),
}

impl Kind {
    /// What is accepted, in words.
    #[must_use]
    pub fn accepted(&self) -> String {
        match self {
            Self::Text => "a text".to_string(),
            Self::Word(words) => format!("one of \"{}\"", words.join("\", \"")),
            Self::Names => "a name or a list of names".to_string(),
            Self::Seeds => "seeds such as \"0..200\", the second number excluded".to_string(),
            Self::Count { min, max: u64::MAX } => format!("a whole number, at least {min}"),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Drawn(domain) => domain.accepted(),
        }
    }
}

/// The parameters of policies: each belongs to one.
pub(super) const POLICY_PARAMETERS: &[(&str, &str)] = &[
    ("sticky", "random"),
    ("depth", "pct"),
    ("spots-max", "surw"),
    ("holds-max", "park"),
    ("operations-max", "park"),
    ("preemptions-max", "exhaustive"),
    ("schedules-max", "exhaustive"),
];

/// Looks a key up by its full name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    let name = name.replace('_', "-");
    KEYS.iter().find(|key| key.name == name)
}

const HALF: Ratio = Ratio::new(1, 2);

const fn fault(high: u32, low: u32) -> Kind {
    Kind::Drawn(Domain::Chance { absent: HALF, swarm: (Ratio::new(1, low), Ratio::new(1, high)) })
}

const fn whole(min: i64, max: i64, swarm: &'static [(i64, i64, u32)]) -> Kind {
    Kind::Drawn(Domain::Whole { min, max, swarm: Cow::Borrowed(swarm) })
}

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, about, kind, default }
}

/// A weight among the selections of survivors; half of the swarm leaves one out.
const fn survivors() -> Kind {
    whole(0, 1_000, &[(0, 0, 1), (1, 40, 1)])
}

const KEY_CHOICES: Kind = Kind::Drawn(Domain::Word(&[("hot", 2), ("cold", 1), ("colliding", 1), ("ascending", 1)]));
/// The swarm is the scheduler's portfolio, which draws parameters too.
const POLICIES: Kind = Kind::Drawn(Domain::Choice(&PolicyConfig::NAMES));
const STICKY: Kind = Kind::Drawn(Domain::Chance { absent: HALF, swarm: (Ratio::new(1, 8), Ratio::new(1, 2)) });
const FAILED_SYNC: Kind =
    Kind::Drawn(Domain::Word(&[("clean-new", 40), ("clean-old", 20), ("late", 20), ("kept-dirty", 20)]));
const MEDIA: Kind = Kind::Drawn(Domain::Set(&[
    "bit-flip",
    "flip-on-read",
    "latent-sector",
    "misdirected-write",
    "misdirected-read",
    "lost-write",
    "stale-read",
    "zeroed-page",
]));
const CRASH_RATE: Kind =
    Kind::Drawn(Domain::Chance { absent: Ratio::new(2, 5), swarm: (Ratio::new(1, 20_000), Ratio::new(1, 500)) });
const IMAGE_RATE: Kind = Kind::Drawn(Domain::Chance { absent: HALF, swarm: (Ratio::new(1, 500), Ratio::new(1, 20)) });
const IN_RECOVERY: Kind = Kind::Drawn(Domain::Chance { absent: HALF, swarm: (Ratio::new(1, 10), Ratio::new(3, 10)) });

/// All keys, in the order in which the documentation lists them. Keys of `[engine]` belong to the engines.
pub const KEYS: &[Key] = &[
    key("about", Kind::Text, "-", "One line that says what the scenario is for."),
    key("extends", Kind::Names, "-", "Profiles whose keys hold where this file says nothing; later ones win."),
    key("expect", Kind::Word(&["holds", "violated"]), "\"holds\"", "What is expected; see `--as-expected`."),
    key("found-within", Kind::Count { min: 1, max: u64::MAX }, "-", "Seeds within which a violation must be found."),
    key("seeds", Kind::Seeds, "\"0..50\"", "Seeds to run when no flag says otherwise."),
    key("engines", Kind::Names, "-", "Only these engines; without it, every engine that serves the workload."),
    key("workload", Kind::Text, "-", "What the connections ask for; see `squall list workloads`."),
    key("properties", Kind::Names, "-", "What must hold; without it, what the workload names."),
    key(
        "compared-min",
        Kind::Count { min: 0, max: u64::MAX },
        "1",
        "Answers that each property must have compared over a campaign, or it is inconclusive.",
    ),
    key("connections", whole(1, 64, &[(1, 1, 1), (2, 4, 10), (5, 8, 3), (9, 16, 2)]), "3", "How many connections."),
    key("transactions", whole(1, 100_000, &[(4, 127, 1)]), "20", "Transactions, or single operations, of each."),
    key("abandon", fault(50, 2_000), "\"0/1\"", "How likely a client gives up an operation at each of its yields."),
    key("close", fault(50, 2_000), "\"0/1\"", "How likely a client goes away there, and comes on a new connection."),
    key(
        "spurious-wakeup",
        fault(10, 200),
        "\"0/1\"",
        "How likely a connection that waits is woken though what it waits for has not finished.",
    ),
    key("knobs.keys", whole(1, 100_000, &[(1, 32, 1)]), "8", "How many keys there are."),
    key("knobs.key-choice", KEY_CHOICES, "\"hot\"", "How keys are chosen."),
    key(
        "knobs.transaction-ops",
        whole(0, 1_000, &[(0, 0, 1), (1, 8, 3)]),
        "4",
        "Operations of a transaction, at most; 0 lets each operation stand alone.",
    ),
    key("knobs.value-bytes", whole(0, 65_536, &[(0, 64, 4), (65, 5_000, 1)]), "16", "Bytes of a value, at most."),
    key("knobs.reads-percent", whole(0, 100, &[(0, 0, 1), (1, 90, 8)]), "40", "Of 100 operations, how many read."),
    key(
        "knobs.rollbacks-percent",
        whole(0, 100, &[(0, 0, 2), (1, 30, 3)]),
        "5",
        "Of 100 transactions, how many the client gives up.",
    ),
    key(
        "knobs.checkpoints-permille",
        whole(0, 1_000, &[(0, 0, 1), (5, 200, 3)]),
        "30",
        "Of 1,000 transactions, how many are a checkpoint instead.",
    ),
    key(
        "knobs.vacuums-permille",
        whole(0, 1_000, &[(0, 0, 1), (5, 100, 1)]),
        "0",
        "Of 1,000 transactions, how many are a vacuum instead.",
    ),
    key("policy.name", POLICIES, "\"swarm\"", "Who runs next; `\"swarm\"` is the portfolio."),
    key("policy.sticky", STICKY, "\"0/1\"", "Of `random`: how likely the current actor goes on."),
    key("policy.depth", whole(1, 20, &[(2, 5, 1)]), "3", "Of `pct`: ordering constraints of the bugs it is to find."),
    key("policy.spots-max", whole(1, 64, &[(1, 3, 1)]), "3", "Of `surw`: places it looks at, at most."),
    key("policy.holds-max", whole(1, 64, &[(1, 6, 1)]), "3", "Of `park`: holds in a run, at most."),
    key("policy.operations-max", whole(1, 1_000, &[(1, 20, 1)]), "20", "Of `park`: operations that a hold lasts."),
    key("policy.preemptions-max", whole(0, 1_000, &[(0, 3, 1)]), "-", "Of `exhaustive`: preemptions, at most."),
    key(
        "policy.schedules-max",
        whole(1, 1_000_000_000, &[(1_000, 100_000, 1)]),
        "100000",
        "Of `exhaustive`: schedules of a seed, at most.",
    ),
    key("disk.read-eio", fault(100, 10_000), "\"0/1\"", "A read fails with EIO."),
    key("disk.write-eio", fault(100, 10_000), "\"0/1\"", "A write fails with EIO, some of its sectors written."),
    key("disk.sync-eio", fault(100, 10_000), "\"0/1\"", "A sync fails with EIO."),
    key(
        "disk.failed-sync",
        FAILED_SYNC,
        "-",
        "What becomes of the writes that a failed sync covered; the disk draws it when nothing is said.",
    ),
    key("disk.sync-lie", fault(2, 20), "\"0/1\"", "The device says a sync is done and loses the bytes with the power."),
    key("disk.interrupted", fault(20, 100), "\"0/1\"", "A read or write fails with EINTR, without effect."),
    key("disk.no-space", fault(100, 10_000), "\"0/1\"", "A write fails with ENOSPC; needs `disk.capacity-bytes`."),
    key("disk.no-memory", fault(20, 2_000), "\"0/1\"", "An allocation fails, where the engine announces it."),
    key(
        "disk.capacity-bytes",
        whole(4_096, 1 << 40, &[(1 << 16, 1 << 22, 1)]),
        "-",
        "The room on the disk, in bytes; no bound when nothing is said.",
    ),
    key("disk.media", MEDIA, "-", "The media faults of which a run has one kind; all when nothing is said."),
    key("disk.media-rate", fault(100, 10_000), "\"0/1\"", "How often that kind strikes an I/O that it can strike."),
    key("disk.clock-jump", fault(100, 10_000), "\"0/1\"", "The clock that engines see jumps, forwards or back."),
    key(
        "disk.clock-jump-ticks-max",
        whole(1, 1_000_000_000, &[(10, 10_000, 1)]),
        "1000",
        "How far it jumps, in ticks.",
    ),
    key("disk.read-short", fault(20, 100), "\"0/1\"", "A read returns fewer bytes, at least one."),
    key("disk.write-short", fault(20, 100), "\"0/1\"", "A write takes fewer bytes, at least one."),
    key("disk.slow", fault(10, 50), "\"0/1\"", "An operation is slow."),
    key("disk.slow-ticks", whole(1, 1_000_000, &[(20, 500, 1)]), "100", "How long a slow operation takes, in ticks."),
    key("disk.split", fault(2, 20), "\"0/1\"", "An operation takes effect in one turn and reports it in a later one."),
    key(
        "disk.powersafe-overwrite",
        Kind::Drawn(Domain::Flag(Ratio::new(9, 10))),
        "true",
        "Bytes beside a write, in the same sector, are safe when it tears.",
    ),
    key(
        "disk.size-first",
        Kind::Drawn(Domain::Chance { absent: HALF, swarm: (Ratio::new(1, 8), Ratio::new(1, 2)) }),
        "\"1/4\"",
        "At a crash a file keeps its new length though the bytes that made it longer are lost.",
    ),
    key(
        "disk.unsynced-writes-max",
        whole(2, 1_000_000, &[(64, 4_096, 1)]),
        "1024",
        "Unsynced writes that a file may hold; the oldest beyond become durable by themselves.",
    ),
    key("disk.rules", Kind::Drawn(Domain::Names), "[]", "Faults of the program's own, by the names of their rules."),
    key("disk.survivors.lose-all", survivors(), "15", "At a crash of system or power: nothing survives."),
    key("disk.survivors.keep-all", survivors(), "10", "… everything survives."),
    key("disk.survivors.prefix", survivors(), "20", "… the oldest changes survive, the next one may be torn."),
    key("disk.survivors.sectors", survivors(), "35", "… any subset of sectors."),
    key("disk.survivors.operations", survivors(), "10", "… any subset of whole operations."),
    key("disk.survivors.garbage", survivors(), "10", "… any subset of sectors, with garbage among the others."),
    key("crash.rate", CRASH_RATE, "\"0/1\"", "How likely a crash is at a turn; tenfold around writes and syncs."),
    key("crash.crashes-max", whole(0, 1_000, &[(1, 8, 1)]), "3", "At most so many crashes in a run."),
    key("crash.kill", whole(0, 1_000, &[(0, 0, 1), (1, 4, 2)]), "2", "The weight of a process kill."),
    key("crash.os", whole(0, 1_000, &[(1, 4, 1)]), "3", "The weight of an operating system crash."),
    key("crash.power", whole(0, 1_000, &[(1, 4, 1)]), "3", "The weight of a power loss."),
    key(
        "crash.kill-writes-back",
        Kind::Drawn(Domain::Flag(Ratio::new(1, 10))),
        "false",
        "What a killed process left in the page cache is written before anything else stops.",
    ),
    key("crash.in-recovery", IN_RECOVERY, "\"3/10\"", "How likely a recovery is struck by another crash."),
    key(
        "images.rate",
        IMAGE_RATE,
        "\"0/1\"",
        "How likely crash images are taken after an I/O that changes the disk, or after an answer.",
    ),
    key("images.count", whole(1, 64, &[(1, 4, 1)]), "2", "Images taken at such a point, each of a crash of its own."),
    key("images.points-max", whole(1, 100_000, &[(2, 16, 1)]), "8", "At most so many points with images in a run."),
    key("images.in-recovery", IN_RECOVERY, "\"3/10\"", "How likely an image's recovery is struck by a crash, once."),
    key("limits.turns-max", whole(1, 1_000_000_000, &[]), "1000000", "Turns of a run, at most."),
    key(
        "limits.livelock-turns",
        whole(1, 1_000_000_000, &[]),
        "20000",
        "Turns without any operation finishing, beyond which it is a livelock.",
    ),
    key(
        "limits.starvation-turns",
        whole(1, 1_000_000_000, &[]),
        "100000",
        "Turns that one operation may take while others finish.",
    ),
    key(
        "limits.fairness-turns",
        whole(1, 1_000_000_000, &[]),
        "10000",
        "Turns that an actor who could run may be passed over.",
    ),
    key(
        "limits.rest-turns",
        whole(1, 1_000_000_000, &[]),
        "20000",
        "Turns at the end, fair and without faults, in which all must come to rest or an operation end.",
    ),
];
