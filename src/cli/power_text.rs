//! What `bench-power` has measured, in words: a table for people, a page for the documentation, JSON.
//!
//! No time, no machine and no number of jobs is in any of them, so that they are the same everywhere.

use serde_json::{Value, json};

use super::screen::{Paint, number, table};
use crate::campaign::power::{BASELINE, Contender, Figures, Goals, Median, PORTFOLIO, Row, Target, WITHIN};

/// The table for people.
pub(super) fn human(contenders: &[Contender], figures: &Figures<'_>, paint: Paint) -> String {
    let mut rows = vec![head(contenders)];
    rows.extend(figures.bugs.iter().map(|(target, of)| line(target, of)));
    let text = table(&rows, "  ");
    let (head, lines) = text.split_once('\n').unwrap_or_default();
    let mut text = format!("{}\n{lines}\n", paint.strong(head));
    for sentence in sentences(figures) {
        text += &format!("  {sentence}\n");
    }
    text
}

/// The page for the documentation.
pub(super) fn page(program: &str, quick: bool, contenders: &[Contender], figures: &Figures<'_>) -> String {
    let flag = if quick { " --quick" } else { "" };
    let mut text = format!("# How soon planted bugs are found\n\nMade by `{program} bench-power{flag} --md`; ");
    text += "the same numbers come out on every machine.\n\n";
    text += "Each bug of the catalogue (`squall list bugs`) has a scenario of at most 500 turns a run, ";
    text += "`workloads/planted/`;\ncoming to rest and reading back come on top. A *start* searches for it over fresh seeds until the first finding, or\n";
    text += "until its limit. All contenders get the same seeds, so the same plans and the same odds of faults and crashes; they\n";
    text += "differ in who runs next.\n\n";
    text += &markdown(&[["contender", "starts", "runs of a start, at most"].map(str::to_string).to_vec()], || {
        contenders.iter().map(|one| vec![one.name.to_string(), starts(one, figures), number(one.runs_max)]).collect()
    });
    text += &format!(
        "\n`{BASELINE}` is the baseline: connections take turns, and all I/O completes at once and in order, which is what\n\
         Whopper does. `{PORTFOLIO}` is what `run` uses when nobody names a policy.\n\n"
    );
    for sentence in sentences(figures) {
        text += &format!("- {sentence}\n");
    }
    text += "\n## Runs to the first finding, in the median\n\n`> N` is censored: half of the starts or more had found nothing after N runs.\n\n";
    text += &markdown(&[head(contenders)], || figures.bugs.iter().map(|(target, rows)| line(target, rows)).collect());
    text += "\n## Starts that had found it, within so many runs\n\n";
    let mut names = vec!["bug".to_string()];
    let compared: Vec<&Contender> = contenders.iter().filter(|one| one.starts > 1 && is_compared(one.name)).collect();
    names.extend(compared.iter().map(|one| {
        let within = WITHIN.iter().filter(|&&within| within <= one.runs_max).map(|&within| number(within));
        format!("{} of {}: {}", one.name, figures.starts_made(one.name), within.collect::<Vec<_>>().join(" / "))
    }));
    text += &markdown(&[names], || {
        let cells = |(target, rows): &(&Target, Vec<Row>)| {
            let of =
                |one: &&Contender| rows.iter().find(|row| row.contender == one.name).map(within).unwrap_or_default();
            std::iter::once(target.bug.clone()).chain(compared.iter().map(of)).collect()
        };
        figures.bugs.iter().filter(|(target, _)| !target.harmless).map(cells).collect()
    });
    text
}

/// How many starts there are, and that some are missing when they are.
fn starts(contender: &Contender, figures: &Figures<'_>) -> String {
    match figures.starts_made(contender.name) as u64 {
        made if made < contender.starts => format!("{made} of {}", contender.starts),
        made => number(made),
    }
}

fn is_compared(name: &str) -> bool {
    [BASELINE, "random", PORTFOLIO].contains(&name)
}

fn within(row: &Row) -> String {
    let counts = WITHIN.iter().filter(|&&within| within <= row.runs_max).map(|&within| row.found_within(within));
    counts.map(|count| count.to_string()).collect::<Vec<_>>().join(" / ")
}

fn head(contenders: &[Contender]) -> Vec<String> {
    let names = contenders.iter().map(|contender| contender.name);
    ["bug", "class", "depth"].into_iter().chain(names).map(str::to_string).collect()
}

fn line(target: &Target, rows: &[Row]) -> Vec<String> {
    let depth = if target.harmless { "harmless".to_string() } else { target.depth.to_string() };
    let cells = rows.iter().map(|row| row.median().map_or("–".to_string(), median));
    [target.bug.clone(), target.class.clone(), depth].into_iter().chain(cells).collect()
}

fn median(median: Median) -> String {
    match median {
        Median::Beyond(limit) => format!("> {}", number(limit)),
        Median::Runs(runs) if runs.fract() == 0.0 => number(runs as u64),
        Median::Runs(runs) => format!("{}.5", number(runs as u64)),
    }
}

fn markdown(head: &[Vec<String>], rows: impl FnOnce() -> Vec<Vec<String>>) -> String {
    let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = |cells: &Vec<String>| format!("|{}\n", "---|".repeat(cells.len()));
    let head: String = head.iter().map(|cells| line(cells) + &rule(cells)).collect();
    head + &rows().iter().map(line).collect::<String>()
}

/// The goals and the limits of what was measured, a sentence each.
fn sentences(figures: &Figures<'_>) -> Vec<String> {
    let goals = figures.goals();
    let Goals { ratio, ratio_of, baseline_censored, portfolio_censored, .. } = goals;
    let mut lines = Vec::new();
    for bound in &goals.bounds {
        let percent = 100.0 * bound.by_half as f64 / bound.of.max(1) as f64;
        lines.push(format!(
            "within {} runs the portfolio finds {} of {} harmful bugs in at least half of its starts ({percent:.0}%; \
             the goal is {}%), {} in every start",
            number(bound.within),
            bound.by_half,
            bound.of,
            bound.percent,
            bound.by_all,
        ));
    }
    if let Some(ratio) = ratio {
        lines.push(format!(
            "over the {ratio_of} bugs for which the baseline needs more than 50 runs, the geometric mean of the ratio of \
             medians, portfolio to baseline, is {ratio:.3} (the goal is 0.1); the baseline did not find {baseline_censored} \
             of them and the portfolio {portfolio_censored}, which count with the limit"
        ));
    }
    lines.push(match goals.false_alarms.as_slice() {
        [] => {
            let harmless = figures.bugs.iter().filter(|(target, _)| target.harmless);
            let runs = harmless.clone().flat_map(|(_, rows)| rows).flat_map(|row| &row.starts).map(|start| start.runs);
            let runs = number(runs.sum());
            format!("nothing was found in {runs} runs of the {} harmless changes", harmless.count())
        }
        alarms => format!("FALSE ALARMS: something was found in the harmless {}", alarms.join(", ")),
    });
    lines.push(format!(
        "{} runs in all, the longest of {} turns, with coming to rest and reading back",
        number(figures.runs()),
        number(figures.turns_most())
    ));
    lines
}

/// All of it as one JSON document.
pub(super) fn machine(contenders: &[Contender], figures: &Figures<'_>) -> String {
    let goals = figures.goals();
    let bounds = goals.bounds.iter().map(|bound| {
        json!({"within": bound.within, "percent": bound.percent, "by_half": bound.by_half, "by_all": bound.by_all, "of": bound.of})
    });
    let value = json!({
        "v": 1,
        "type": "power",
        "contenders": contenders.iter().map(|one| json!({"name": one.name, "starts": one.starts, "runs_max": one.runs_max})).collect::<Vec<_>>(),
        "bugs": figures.bugs.iter().map(bug).collect::<Vec<_>>(),
        "goals": {
            "found": bounds.collect::<Vec<_>>(),
            "ratio": goals.ratio.map(|ratio| (ratio * 1e6).round() / 1e6),
            "ratio_of": goals.ratio_of,
            "baseline_censored": goals.baseline_censored,
            "portfolio_censored": goals.portfolio_censored,
            "false_alarms": goals.false_alarms,
        },
        "runs": figures.runs(),
        "turns_most": figures.turns_most(),
    });
    format!("{value}\n")
}

fn bug((target, rows): &(&Target, Vec<Row>)) -> Value {
    let row = |row: &Row| {
        let (median, censored) = match row.median() {
            Some(Median::Runs(runs)) => (Some(runs), false),
            Some(Median::Beyond(_)) => (None, true),
            None => (None, false),
        };
        let runs: Vec<Option<u64>> = row.starts.iter().map(|start| start.found.then_some(start.runs)).collect();
        let within = WITHIN.iter().filter(|&&within| within <= row.runs_max);
        json!({
            "contender": row.contender, "median": median, "censored": censored, "runs_max": row.runs_max,
            "runs_to_finding": runs,
            "found_within": within.map(|&within| json!({"runs": within, "starts": row.found_within(within)})).collect::<Vec<_>>(),
            "turns": row.starts.iter().map(|start| start.turns).sum::<u64>(),
        })
    };
    json!({
        "bug": target.bug, "class": target.class, "depth": target.depth, "harmless": target.harmless, "engine": target.engine,
        "scenario": target.scenarios.first().map(|scenario| &scenario.name),
        "contenders": rows.iter().map(row).collect::<Vec<_>>(),
    })
}
