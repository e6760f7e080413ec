//! The proof as a drawing: transactions, and why each comes before the next.
//!
//! A finding keeps its proof as lines. Those that the isolation judge writes are read here for the drawing and
//! for nothing else; a line that is not understood is shown as text all the same. A test holds this against
//! what the judge writes.

use serde::{Deserialize, Serialize};

/// The argument of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Line by line.
    pub lines: Vec<String>,
    /// The transactions of the cycle; empty when the argument is none.
    pub nodes: Vec<Node>,
    /// Why one comes before another.
    pub edges: Vec<Edge>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What the proof calls it, such as `T1`.
    pub name: String,
}

/// One comes before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier one.
    pub from: String,
    /// The later one.
    pub to: String,
    /// `ww`, `wr`, `rw`, `process` or `realtime`.
    pub kind: String,
    /// The key, for the first three.
    pub key: Option<String>,
}

impl Proof {
    /// The argument in these lines.
    #[must_use]
    pub fn new(lines: &[String]) -> Self {
        let edges: Vec<Edge> = lines.iter().filter_map(|line| edge(line)).collect();
        let mut nodes: Vec<Node> = Vec::new();
        for name in edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
            if nodes.iter().all(|node| node.name != *name) {
                nodes.push(Node { name: name.clone() });
            }
        }
        Self { lines: lines.to_vec(), nodes, edges }
    }
}

/// `T1 comes before T2, because WHY.` or `However, T2 comes after T1, because WHY: contradiction.`
fn edge(line: &str) -> Option<Edge> {
    let (text, turned) = match line.strip_prefix("However, ") {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let between = if turned { " comes after " } else { " comes before " };
    let (first, rest) = text.split_once(between)?;
    let (second, why) = rest.split_once(", because ")?;
    let is_name =
        |name: &str| name.strip_prefix('T').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if !is_name(first) || !is_name(second) {
        return None;
    }
    let (from, to) = if turned { (second, first) } else { (first, second) };
    let (kind, key) = reason(why, from, to)?;
    Some(Edge { from: from.to_string(), to: to.to_string(), kind: kind.to_string(), key })
}

fn reason(why: &str, from: &str, to: &str) -> Option<(&'static str, Option<String>)> {
    if why.starts_with("the same process ran ") {
        return Some(("process", None));
    }
    if why.starts_with(&format!("{from} ended before ")) {
        return Some(("realtime", None));
    }
    if let Some(read) = why.strip_prefix(&format!("{from} read ")) {
        let at = read.find(&format!(" before {to} wrote "))?;
        return Some(("rw", Some(read[..at].to_string())));
    }
    if let Some(wrote) = why.strip_prefix(&format!("{to} wrote ")) {
        let end = wrote.find(&format!(" after what {from} wrote there"))?;
        let (_, key) = wrote[..end].rsplit_once(" to ")?;
        return Some(("ww", Some(key.to_string())));
    }
    let read = why.strip_prefix(&format!("{to} read "))?;
    let end = read.find(&format!(", which {from} wrote"))?;
    let (_, key) = read[..end].rsplit_once(" in ")?;
    Some(("wr", Some(key.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `from kind key to`, edge by edge, of the first proof in a judged history.
    fn edges(lines: &[String]) -> Vec<String> {
        let proof = Proof::new(lines);
        let text =
            |edge: &Edge| format!("{} {} {} {}", edge.from, edge.kind, edge.key.as_deref().unwrap_or("-"), edge.to);
        proof.edges.iter().map(text).collect()
    }

    #[test]
    fn every_reason_that_the_judge_gives_becomes_an_edge() {
        let lines = [
            "Let T1 = #0 by p0 (r x), T2 = #1 by p1 (w x 1).",
            "T1 comes before T2, because T1 read the key before T2 wrote 1 before T2 to it.",
            "T2 comes before T3, because T3 wrote 4 to y after what T2 wrote there.",
            "T3 comes before T4, because T4 read 3 in z z, which T3 wrote.",
            "T4 comes before T5, because the same process ran T4 first.",
            "However, T1 comes after T5, because T5 ended before T1 began: contradiction.",
        ];
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let expected = ["T1 rw the key T2", "T2 ww y T3", "T3 wr z z T4", "T4 process - T5", "T5 realtime - T1"];
        assert_eq!(edges(&lines), expected);
        assert_eq!(Proof::new(&lines).nodes.len(), 5);
    }

    #[test]
    fn what_the_judge_writes_today_is_understood() {
        let history = "{:type :invoke, :process 0, :value [[:r 1 nil] [:append 2 1]]}\n\
                       {:type :invoke, :process 1, :value [[:r 2 nil] [:append 1 1]]}\n\
                       {:type :ok, :process 0, :value [[:r 1 []] [:append 2 1]]}\n\
                       {:type :ok, :process 1, :value [[:r 2 []] [:append 1 1]]}\n\
                       {:type :invoke, :process 2, :value [[:r 1 nil] [:r 2 nil]]}\n\
                       {:type :ok, :process 2, :value [[:r 1 [1]] [:r 2 [1]]]}\n";
        let crate::judge::formats::Content::Transactions(history) =
            crate::judge::formats::read("h.edn", history).unwrap().content
        else {
            panic!("transactions are taken for operations")
        };
        let isolation = crate::judge::list_append(&history);
        let anomaly = &isolation.anomalies[0];
        let proof = Proof::new(&anomaly.proof);
        assert_eq!(proof.edges.len(), anomaly.steps.len(), "{:?}", anomaly.proof);
        for (edge, step) in proof.edges.iter().zip(&anomaly.steps) {
            assert_eq!(
                (&edge.from, &edge.to, edge.kind.as_str(), &edge.key),
                (&step.from, &step.to, step.kind, &step.key)
            );
        }
    }

    #[test]
    fn a_proof_without_a_cycle_has_no_drawing() {
        let proof =
            Proof::new(&["T1 comes before breakfast, because it does".to_string(), "100 is not 99".to_string()]);
        assert_eq!((proof.nodes.len(), proof.edges.len(), proof.lines.len()), (0, 0, 2));
    }
}
