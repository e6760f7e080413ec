//! Dependencies between transactions as a graph, and its components.
//!
//! Real time needs no edge per pair: transactions hang on a chain of moments, the ended on the
//! moment after, the begun on the moment before, so there are as many edges as transactions.
//!
//! ```text
//!   T1 ──► m0 ──► m1 ──► m2        T1 ended before T3 began: T1 ─► m0 ─► m1 ─► T3
//!                  └──► T3
//! ```
//!
//! Invariant: vertices below `txns` are transactions, those above are moments.

use super::history::{NONE, Outcome, TxnHistory};

/// Why one transaction comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// It wrote the version before.
    Ww = 0,
    /// It wrote what the other read.
    Wr = 1,
    /// It read the version before the one the other wrote.
    Rw = 2,
    /// It came before in the same process.
    Process = 3,
    /// Via a moment: it ended before the other began.
    Time = 4,
}

/// A set of kinds.
pub(crate) type Mask = u8;

impl Kind {
    pub(crate) const fn bit(self) -> Mask {
        1 << self as u8
    }
}

pub(crate) const DATA: Mask = Kind::Ww.bit() | Kind::Wr.bit() | Kind::Rw.bit();
pub(crate) const DEPENDENCY: Mask = Kind::Ww.bit() | Kind::Wr.bit();

/// An edge, and the version that explains it: the later one of `Ww` and `Rw`, the one read of `Wr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) kind: Kind,
    pub(crate) version: u32,
}

/// Edges still to be sorted by their origin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edges {
    list: Vec<(u32, Edge)>,
}

impl Edges {
    #[inline]
    pub(crate) fn add(&mut self, from: u32, to: u32, kind: Kind, version: u32) {
        if from != to {
            self.list.push((from, Edge { to, kind, version }));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u32, Edge)> {
        self.list.iter()
    }

    /// One after the other, per process.
    pub(crate) fn processes(&mut self, history: &TxnHistory, in_graph: &[bool]) {
        let mut order: Vec<(u32, i64, u32)> = Vec::new();
        for (index, txn) in history.txns.iter().enumerate() {
            if in_graph[index] {
                order.push((txn.process, txn.call, index as u32));
            }
        }
        order.sort_unstable();
        for pair in order.windows(2) {
            if pair[0].0 == pair[1].0 {
                self.add(pair[0].2, pair[1].2, Kind::Process, NONE);
            }
        }
    }

    /// Real time, by a chain of moments; answers how many vertices there are now.
    pub(crate) fn moments(&mut self, history: &TxnHistory, in_graph: &[bool], vertices: u32) -> u32 {
        let mut events: Vec<(i64, bool, u32)> = Vec::new();
        for (index, txn) in history.txns.iter().enumerate() {
            if !in_graph[index] {
                continue;
            }
            events.push((txn.call, false, index as u32));
            // An unknown one may take effect after its process was told so.
            if txn.outcome == Outcome::Committed {
                events.push((txn.ret, true, index as u32));
            }
        }
        events.sort_unstable();
        let mut next = vertices;
        let mut moment = None;
        let mut ended: Vec<u32> = Vec::new();
        for (_, is_end, txn) in events {
            if is_end {
                ended.push(txn);
                continue;
            }
            if !ended.is_empty() {
                for &txn in &ended {
                    self.add(txn, next, Kind::Time, NONE);
                }
                ended.clear();
                if let Some(before) = moment {
                    self.add(before, next, Kind::Time, NONE);
                }
                moment = Some(next);
                next += 1;
            }
            if let Some(moment) = moment {
                self.add(moment, txn, Kind::Time, NONE);
            }
        }
        next
    }

    /// The graph with this many vertices.
    pub(crate) fn graph(self, vertices: u32, txns: u32) -> Graph {
        let mut starts = vec![0u32; vertices as usize + 1];
        for &(from, _) in &self.list {
            starts[from as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut places = starts.clone();
        let filler = Edge { to: NONE, kind: Kind::Ww, version: NONE };
        let mut edges = vec![filler; self.list.len()];
        for (from, edge) in self.list {
            edges[places[from as usize] as usize] = edge;
            places[from as usize] += 1;
        }
        Graph { txns, starts, edges }
    }
}

/// Readers of a key's state come before all who wrote it and were not seen, themselves excepted.
/// There may be many of both, so the edges run over two chains of vertices.
///
/// ```text
///   up:    h0 ─► h1 ─► h2        down:  h3 ◄─ h4 ◄─ h5
///          ▼     ▼     ▼                ▼     ▼     ▼
///          w0    w1    w2               w0    w1    w2
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hubs {
    up: u32,
    down: u32,
}

impl Hubs {
    /// Writers and versions must stand in the order of the transactions' numbers.
    pub(crate) fn new(unseen: &[(u32, u32)], edges: &mut Edges, vertices: &mut u32) -> Self {
        let count = unseen.len() as u32;
        let hubs = Self { up: *vertices, down: *vertices + count };
        *vertices += 2 * count;
        for (at, &(to, version)) in (0..).zip(unseen) {
            edges.add(hubs.up + at, to, Kind::Rw, version);
            edges.add(hubs.down + at, to, Kind::Rw, version);
            if at > 0 {
                edges.add(hubs.up + at - 1, hubs.up + at, Kind::Rw, NONE);
                edges.add(hubs.down + at, hubs.down + at - 1, Kind::Rw, NONE);
            }
        }
        hubs
    }

    pub(crate) fn connect(self, reader: u32, unseen: &[(u32, u32)], edges: &mut Edges) {
        // One's own are together, because of the order.
        let from = unseen.partition_point(|write| write.0 < reader) as u32;
        let to = unseen.partition_point(|write| write.0 <= reader) as u32;
        if (to as usize) < unseen.len() {
            edges.add(reader, self.up + to, Kind::Rw, NONE);
        }
        if from > 0 {
            edges.add(reader, self.down + from - 1, Kind::Rw, NONE);
        }
    }
}

/// Edges by their origin.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) txns: u32,
    starts: Vec<u32>,
    edges: Vec<Edge>,
}

impl Graph {
    pub(crate) fn vertices(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    #[inline]
    pub(crate) fn from(&self, vertex: u32) -> &[Edge] {
        let vertex = vertex as usize;
        &self.edges[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }

    /// The same graph with only the edges inside one component.
    pub(crate) fn within(&self, component: &[u32]) -> Graph {
        let mut edges = Edges::default();
        for vertex in 0..self.vertices() {
            let inside = component[vertex as usize];
            if inside != NONE {
                for edge in self.from(vertex) {
                    if component[edge.to as usize] == inside {
                        edges.list.push((vertex, *edge));
                    }
                }
            }
        }
        edges.graph(self.vertices(), self.txns)
    }

    /// Per vertex the number of its component, [`NONE`] for one that is alone (Tarjan 1972, with a
    /// stack of its own). Only edges of these kinds count, and whether there is any component.
    pub(crate) fn components(&self, mask: Mask) -> (Vec<u32>, bool) {
        Tarjan::run(self.vertices(), |vertex, at| {
            let edges = self.from(vertex);
            let mut at = at as usize;
            while at < edges.len() {
                if edges[at].kind.bit() & mask != 0 {
                    return Some((edges[at].to, at as u32 + 1));
                }
                at += 1;
            }
            None
        })
    }
}

/// Strongly connected components of any graph given by "the next successor after the n-th".
pub(crate) struct Tarjan {
    order: Vec<u32>,
    low: Vec<u32>,
    component: Vec<u32>,
    stack: Vec<u32>,
    counter: u32,
    found: u32,
}

const OPEN: u32 = u32::MAX - 1;

impl Tarjan {
    pub(crate) fn run(vertices: u32, next: impl Fn(u32, u32) -> Option<(u32, u32)>) -> (Vec<u32>, bool) {
        let mut tarjan = Self {
            order: vec![0; vertices as usize],
            low: vec![0; vertices as usize],
            component: vec![OPEN; vertices as usize],
            stack: Vec::new(),
            counter: 0,
            found: 0,
        };
        let mut path: Vec<(u32, u32)> = Vec::new();
        for root in 0..vertices {
            if tarjan.order[root as usize] != 0 {
                continue;
            }
            tarjan.enter(root);
            path.push((root, 0));
            while let Some(&mut (vertex, ref mut at)) = path.last_mut() {
                if let Some((to, after)) = next(vertex, *at) {
                    *at = after;
                    if tarjan.order[to as usize] == 0 {
                        tarjan.enter(to);
                        path.push((to, 0));
                    } else if tarjan.component[to as usize] == OPEN {
                        let seen = tarjan.order[to as usize];
                        let low = &mut tarjan.low[vertex as usize];
                        *low = (*low).min(seen);
                    }
                } else {
                    path.pop();
                    let low = tarjan.low[vertex as usize];
                    if low == tarjan.order[vertex as usize] {
                        tarjan.close(vertex);
                    }
                    if let Some(&(parent, _)) = path.last() {
                        let above = &mut tarjan.low[parent as usize];
                        *above = (*above).min(low);
                    }
                }
            }
        }
        let any = tarjan.found > 0;
        (tarjan.component, any)
    }

    fn enter(&mut self, vertex: u32) {
        self.counter += 1;
        self.order[vertex as usize] = self.counter;
        self.low[vertex as usize] = self.counter;
        self.stack.push(vertex);
    }

    /// Takes the component of this vertex from the stack.
    fn close(&mut self, vertex: u32) {
        let alone = self.stack.last() == Some(&vertex);
        let number = if alone { NONE } else { self.found };
        self.found += u32::from(!alone);
        while let Some(member) = self.stack.pop() {
            self.component[member as usize] = number;
            if member == vertex {
                break;
            }
        }
    }
}
