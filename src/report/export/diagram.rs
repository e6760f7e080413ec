//! The minimal interleaving as a diagram: a lane for each connection and one for I/O and faults, time downwards.

use std::fmt::Write as _;

use crate::report::failure::Failure;
use crate::report::table::Row;
use crate::report::words::markup;

const LANE: usize = 250;
const STEP: usize = 34;
const TOP: usize = 64;
const LEFT: usize = 70;
/// So many letters fit into a lane.
const LETTERS: usize = 34;

/// A text of a row with its lane.
fn texts(row: &Row) -> impl Iterator<Item = (usize, &str)> {
    let io = row.cells.len();
    row.cells
        .iter()
        .map(String::as_str)
        .chain([row.io.as_str()])
        .enumerate()
        .filter(move |(lane, text)| !text.is_empty() && *lane <= io)
}

fn names(failure: &Failure) -> Vec<&str> {
    failure.table.columns.iter().map(|column| column.name.as_str()).chain(["I/O and faults"]).collect()
}

/// The diagram for Graphviz: one node per cell, one cluster per lane.
#[must_use]
pub fn dot(failure: &Failure) -> String {
    let mut text = format!("digraph failure {{\n  label={};\n  rankdir=TB;\n", quoted(&failure.verdict));
    text += "  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n";
    let names = names(failure);
    for (lane, name) in names.iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{lane} {{\n    label={};", quoted(name));
        for row in &failure.table.lines() {
            for (at, cell) in texts(row).filter(|(at, _)| *at == lane) {
                let color = match row {
                    Row { violated: true, .. } => ", color=red, penwidth=2",
                    Row { necessary: true, .. } => ", color=orange, penwidth=2",
                    _ => "",
                };
                let said = quoted(&format!("{}: {cell}", row.turn));
                let _ = writeln!(text, "    t{}_{at} [label={said}{color}];", row.turn);
            }
        }
        text += "  }\n";
    }
    let mut before: Option<(u64, usize)> = None;
    for row in &failure.table.lines() {
        for (lane, _) in texts(row) {
            if let Some((turn, from)) = before {
                let style = if from == lane { "" } else { " [style=dashed]" };
                let _ = writeln!(text, "  t{turn}_{from} -> t{}_{lane}{style};", row.turn);
            }
            before = Some((row.turn, lane));
        }
    }
    text + "}\n"
}

/// A string of Graphviz: nothing in it ends it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '\n' => quoted.push_str("\\n"),
            letter if letter.is_control() => quoted.push('\u{fffd}'),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// The diagram as SVG.
#[must_use]
pub fn svg(failure: &Failure) -> String {
    let names = names(failure);
    let (width, height) = (LEFT + names.len() * LANE + 10, TOP + failure.table.lines().len() * STEP + 20);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        markup(&failure.verdict)
    );
    let most = width / 8;
    let _ = writeln!(
        text,
        "<text x=\"10\" y=\"20\" font-weight=\"bold\" fill=\"#b3202c\">{}</text>",
        markup(&cut(&failure.verdict, most))
    );
    for (lane, name) in names.iter().enumerate() {
        let x = LEFT + lane * LANE;
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"46\" font-weight=\"bold\">{}</text>",
            x + 12,
            markup(&cut(name, LETTERS))
        );
        let _ = writeln!(text, "<line x1=\"{x}\" y1=\"54\" x2=\"{x}\" y2=\"{}\" stroke=\"#888\"/>", height - 8);
    }
    for (at, row) in failure.table.lines().iter().enumerate() {
        let y = TOP + at * STEP;
        let color = match row {
            Row { violated: true, .. } => "#b3202c",
            Row { necessary: true, .. } => "#8a5a00",
            _ => "#1a1f27",
        };
        let mark = match row {
            Row { violated: true, .. } => "✗ ",
            Row { necessary: true, .. } => "★ ",
            _ => "",
        };
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{color}\">{mark}{}</text>",
            LEFT - 10,
            y + 14,
            row.turn
        );
        for (lane, cell) in texts(row) {
            let x = LEFT + lane * LANE;
            let _ = writeln!(text, "<circle cx=\"{x}\" cy=\"{}\" r=\"4\" fill=\"{color}\"/>", y + 10);
            let said = markup(&cut(cell, LETTERS));
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{}\" fill=\"{color}\"><title>{}</title>{said}</text>",
                x + 12,
                y + 14,
                markup(cell)
            );
        }
    }
    text + "</svg>\n"
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_string() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
