//! One shortest cycle for every kind of anomaly that is a cycle.
//!
//! Whether a kind exists is decided exactly, by components; which cycle shows it best is then looked
//! for breadth-first, deeper and deeper, within a budget, and with one unbounded search when the
//! budget ends. All cycles are never listed, so a badly broken history costs little more than a good one.
//!
//! | class | a cycle of | kinds |
//! |---|---|---|
//! | 0 | ww | G0 |
//! | 1 | ww, wr | G1c |
//! | 2 | ww, wr, rw, no two rw in a row | G-single-item (one rw), G-nonadjacent-item |
//! | 3 | ww, wr, rw | G2-item |
//!
//! Each class is looked for with data alone, then with processes, then with real time. Invariant: a
//! kind found on a lower level is not looked for on a higher one.

use super::graph::{DATA, DEPENDENCY, Edge, Graph, Kind, Mask, Tarjan};
use super::history::{NONE, TxnHistory};

/// Work of one hunt, in edges followed, before it takes what it can get.
const BUDGET_EDGES: u64 = 400_000;

/// One edge of a cycle, between transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) kind: Kind,
    pub(crate) version: u32,
}

/// A named cycle.
#[derive(Debug, Clone)]
pub(crate) struct Cycle {
    pub(crate) anomaly: String,
    pub(crate) hops: Vec<Hop>,
}

/// What a walk has met, in five bits, so that 32 of them fit a word per vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Met(u8);

impl Met {
    const LAST_RW: u8 = 4;
    const ADJACENT: u8 = 8;
    const WR: u8 = 16;

    fn then(self, kind: Kind) -> Self {
        let rest = self.0 & !Self::LAST_RW;
        match kind {
            Kind::Rw => {
                let adjacent = if self.0 & Self::LAST_RW != 0 { Self::ADJACENT } else { 0 };
                let count = (self.rws() + 1).min(2);
                Self((rest & !3) | count | adjacent | Self::LAST_RW)
            }
            Kind::Wr => Self(rest | Self::WR),
            _ => Self(rest),
        }
    }

    fn rws(self) -> u8 {
        self.0 & 3
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Closes the walk: its end meets its beginning.
    fn closed(self, first: Kind) -> Self {
        if first == Kind::Rw && self.has(Self::LAST_RW) { Self(self.0 | Self::ADJACENT) } else { self }
    }
}

/// What kind of cycle is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Writes,
    Dependencies,
    Single,
    Nonadjacent,
    Any,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Wanted::Writes => "G0",
            Wanted::Dependencies => "G1c",
            Wanted::Single => "G-single-item",
            Wanted::Nonadjacent => "G-nonadjacent-item",
            Wanted::Any => "G2-item",
        }
    }

    fn mask(self) -> Mask {
        match self {
            Wanted::Writes => Kind::Ww.bit(),
            Wanted::Dependencies => DEPENDENCY,
            _ => DATA,
        }
    }

    /// The kind every such cycle has on the level of data.
    fn essential(self) -> Kind {
        match self {
            Wanted::Writes => Kind::Ww,
            Wanted::Dependencies => Kind::Wr,
            _ => Kind::Rw,
        }
    }

    fn may_go_on(self, met: Met) -> bool {
        match self {
            Wanted::Single => met.rws() <= 1,
            Wanted::Nonadjacent => !met.has(Met::ADJACENT),
            _ => true,
        }
    }

    fn accepts(self, met: Met) -> bool {
        match self {
            Wanted::Writes => true,
            Wanted::Dependencies => met.has(Met::WR),
            Wanted::Single => met.rws() == 1,
            Wanted::Nonadjacent => met.rws() == 2 && !met.has(Met::ADJACENT),
            Wanted::Any => met.has(Met::ADJACENT),
        }
    }
}

/// The kind of order beside data, if any, and what its anomalies are called.
pub(crate) type Level = (Option<Kind>, &'static str);
/// Data alone.
pub(crate) const PLAIN: Level = (None, "");
/// Data, and the order within each process.
pub(crate) const PROCESS: Level = (Some(Kind::Process), "-process");
/// Data, and real time.
pub(crate) const TIME: Level = (Some(Kind::Time), "-realtime");

/// A shortest cycle of every kind there is on these levels.
pub(crate) fn cycles(graph: &Graph, history: &TxnHistory, levels: &[Level]) -> Vec<Cycle> {
    let (component, any) = graph.components(Mask::MAX);
    if !any {
        return Vec::new();
    }
    let inside = graph.within(&component);
    let mut finder = Finder { graph: &inside, history, found: Vec::new(), met: vec![0; inside.vertices() as usize] };
    for &(extra, suffix) in levels {
        finder.level(extra, suffix);
    }
    finder
        .found
        .into_iter()
        .map(|(wanted, suffix, hops)| Cycle { anomaly: format!("{}{suffix}", wanted.name()), hops })
        .collect()
}

struct Finder<'a> {
    graph: &'a Graph,
    history: &'a TxnHistory,
    found: Vec<(Wanted, &'static str, Vec<Hop>)>,
    /// Per vertex, what walks that reached it had met: a bit for each.
    met: Vec<u32>,
}

impl Finder<'_> {
    fn level(&mut self, extra: Option<Kind>, suffix: &'static str) {
        for wanted in [Wanted::Writes, Wanted::Dependencies] {
            self.class(wanted, &[wanted], extra, suffix);
        }
        if self.has_snapshot_cycle(extra) {
            let both = [Wanted::Single, Wanted::Nonadjacent];
            self.class(Wanted::Single, &both, extra, suffix);
        }
        self.class(Wanted::Any, &[Wanted::Any], extra, suffix);
    }

    fn class(&mut self, class: Wanted, members: &[Wanted], extra: Option<Kind>, suffix: &'static str) {
        let mask = class.mask() | extra.map_or(0, Kind::bit);
        let missing = |finder: &Self, wanted| finder.found.iter().all(|f| f.0 != wanted);
        if !members.iter().any(|&wanted| missing(self, wanted)) {
            return;
        }
        let (component, any) = self.graph.components(mask);
        if !any {
            return;
        }
        let start = extra.unwrap_or(class.essential());
        let starts = self.edges_inside(&component, start);
        if starts.is_empty() {
            return;
        }
        for &wanted in members {
            // What rules out no more than what was found already is only looked for where it is
            // likely to be short.
            let covered = self.covered(&format!("{}{suffix}", wanted.name()));
            if covered && extra.is_some() {
                continue;
            }
            if missing(self, wanted)
                && let Some(hops) = self.hunt(wanted, mask, &component, &starts, extra, covered)
            {
                // Going round a shorter cycle twice is not a longer one.
                let twice = (1..hops.len()).any(|at| hops[..at].iter().any(|h| h.from == hops[at].from));
                if !twice || missing(self, Wanted::Single) {
                    self.found.push((wanted, suffix, hops));
                }
            }
        }
    }

    /// Whether every model this anomaly would rule out is ruled out by one that was found.
    fn covered(&self, anomaly: &str) -> bool {
        let found = |model: &super::Consistency| {
            self.found.iter().any(|(wanted, suffix, _)| model.forbids(&format!("{}{suffix}", wanted.name())))
        };
        super::lattice::weakest_ruled_out(anomaly).iter().all(found)
    }

    fn edges_inside(&self, component: &[u32], kind: Kind) -> Vec<(u32, Edge)> {
        let mut edges = Vec::new();
        for vertex in 0..self.graph.txns {
            let own = component[vertex as usize];
            if own == NONE {
                continue;
            }
            for edge in self.graph.from(vertex) {
                if edge.kind == kind && component[edge.to as usize] == own {
                    edges.push((vertex, *edge));
                }
            }
        }
        edges
    }

    /// Whether dependencies, each with at most one rw behind it, have a cycle: no snapshots then.
    /// Vertex 2v is v reached by any other edge, 2v + 1 is v reached by rw.
    fn has_snapshot_cycle(&self, extra: Option<Kind>) -> bool {
        let graph = self.graph;
        let mask = DATA | extra.map_or(0, Kind::bit);
        let step = |vertex: u32, after_rw: bool, edge: &Edge| -> Option<u32> {
            if edge.kind.bit() & mask == 0 {
                return None;
            }
            let via = vertex >= graph.txns;
            match (via, edge.kind == Kind::Rw) {
                (true, _) => Some(edge.to * 2 + u32::from(after_rw)),
                (false, true) if after_rw => None,
                (false, rw) => Some(edge.to * 2 + u32::from(rw)),
            }
        };
        let (component, any) = Tarjan::run(graph.vertices() * 2, |node, at| {
            let edges = graph.from(node / 2);
            (at as usize..edges.len())
                .find_map(|at| step(node / 2, node % 2 == 1, &edges[at]).map(|to| (to, at as u32 + 1)))
        });
        let essential = extra.unwrap_or(Kind::Rw);
        any && (0..graph.vertices() * 2).any(|node| {
            let own = component[node as usize];
            own != NONE
                && graph.from(node / 2).iter().any(|edge| {
                    edge.kind == essential
                        && step(node / 2, node % 2 == 1, edge).is_some_and(|to| component[to as usize] == own)
                })
        })
    }

    /// A cycle of the wanted kind through one of these edges, the shortest the budget allows.
    fn hunt(
        &mut self,
        wanted: Wanted,
        mask: Mask,
        component: &[u32],
        starts: &[(u32, Edge)],
        extra: Option<Kind>,
        covered: bool,
    ) -> Option<Vec<Hop>> {
        if extra == Some(Kind::Time)
            && let Some(hops) = self.against_time(wanted, component)
        {
            return Some(hops);
        }
        let mut budget = BUDGET_EDGES;
        for depth in 1.. {
            let mut cut = false;
            for &start in starts {
                match self.walk(wanted, mask, component, start, depth, &mut budget) {
                    Walk::Closed(hops) => return Some(hops),
                    Walk::Cut => cut = true,
                    Walk::Nothing => {}
                }
                if budget == 0 {
                    break;
                }
            }
            if budget == 0 || !cut {
                break;
            }
        }
        if budget > 0 || covered {
            return None;
        }
        // Out of budget: take any, from the first few edges.
        starts.iter().take(8).find_map(|&start| {
            let mut budget = u64::MAX;
            match self.walk(wanted, mask, component, start, u32::MAX, &mut budget) {
                Walk::Closed(hops) => Some(hops),
                _ => None,
            }
        })
    }

    /// The common case in real time: one edge to a transaction that had ended before.
    fn against_time(&self, wanted: Wanted, component: &[u32]) -> Option<Vec<Hop>> {
        if matches!(wanted, Wanted::Nonadjacent | Wanted::Any) {
            return None;
        }
        let kind = wanted.essential();
        let mut edges = self.edges_inside(component, kind).into_iter();
        edges.find_map(|(from, edge)| {
            let ends = edge.to < self.graph.txns
                && self.history.txns[edge.to as usize].ret < self.history.txns[from as usize].call;
            ends.then(|| {
                vec![
                    Hop { from, to: edge.to, kind, version: edge.version },
                    Hop { from: edge.to, to: from, kind: Kind::Time, version: NONE },
                ]
            })
        })
    }

    /// Breadth first from the edge back to its origin; edges out of moments cost nothing.
    fn walk(
        &mut self,
        wanted: Wanted,
        mask: Mask,
        component: &[u32],
        (origin, first): (u32, Edge),
        depth: u32,
        budget: &mut u64,
    ) -> Walk {
        let begin = Met(0).then(first.kind);
        let mut reached = vec![Reached { vertex: first.to, met: begin, parent: NONE, edge: first }];
        self.met[first.to as usize] |= 1 << begin.0;
        let mut level: Vec<u32> = vec![0];
        let mut later: Vec<u32> = Vec::new();
        let mut end = Walk::Nothing;
        let mut length = 0;
        'search: while !level.is_empty() {
            let mut at = 0;
            while at < level.len() {
                let number = level[at];
                at += 1;
                let Reached { vertex, met, .. } = reached[number as usize];
                let via = vertex >= self.graph.txns;
                if !via && length == depth {
                    end = Walk::Cut;
                    continue;
                }
                for edge in self.graph.from(vertex) {
                    *budget = budget.saturating_sub(1);
                    let inside = component[edge.to as usize] == component[vertex as usize];
                    if edge.kind.bit() & mask == 0 || !inside {
                        continue;
                    }
                    let met = if via { met } else { met.then(edge.kind) };
                    if !wanted.may_go_on(met) {
                        continue;
                    }
                    let next = Reached { vertex: edge.to, met, parent: number, edge: *edge };
                    if edge.to == origin && wanted.accepts(met.closed(first.kind)) {
                        reached.push(next);
                        end = Walk::Closed(self.path(&reached, origin));
                        break 'search;
                    }
                    let seen = &mut self.met[edge.to as usize];
                    if *seen & (1 << met.0) == 0 {
                        *seen |= 1 << met.0;
                        reached.push(next);
                        let number = reached.len() as u32 - 1;
                        if via { &mut level } else { &mut later }.push(number);
                    }
                }
                if *budget == 0 {
                    end = Walk::Cut;
                    break 'search;
                }
            }
            level.clear();
            std::mem::swap(&mut level, &mut later);
            length += 1;
        }
        for reached in &reached {
            self.met[reached.vertex as usize] = 0;
        }
        end
    }

    /// The hops from the origin back to it, moments left out.
    fn path(&self, reached: &[Reached], origin: u32) -> Vec<Hop> {
        let mut edges = Vec::new();
        let mut at = reached.len() as u32 - 1;
        while at != NONE {
            edges.push(reached[at as usize].edge);
            at = reached[at as usize].parent;
        }
        edges.reverse();
        let mut hops = Vec::new();
        let mut from = origin;
        let mut kind = None;
        for edge in edges {
            let kind_of_hop = *kind.get_or_insert(edge.kind);
            if edge.to < self.graph.txns {
                hops.push(Hop { from, to: edge.to, kind: kind_of_hop, version: edge.version });
                from = edge.to;
                kind = None;
            }
        }
        hops
    }
}

struct Reached {
    vertex: u32,
    met: Met,
    parent: u32,
    edge: Edge,
}

enum Walk {
    Closed(Vec<Hop>),
    Cut,
    Nothing,
}
