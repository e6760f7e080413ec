//! The end of a campaign, for people: what was tried, what was compared, what was found, how to see it again.

use std::collections::BTreeMap;
use std::path::Path;

use super::screen::{Paint, count, number, plain, table};
use super::shrink::words;
use crate::campaign::{Found, Inconclusive, LaneConfig, New, Outcome, Progressed, Summary, Tally};
use crate::scenario::{Expect, Registry};

/// Lines of a finding's argument that are shown.
const PROOF_MAX: usize = 8;
/// Minutes of a campaign whose new places are shown: the last ones.
const MINUTES_MAX: usize = 5;
/// Places that were not reached and are named.
const UNREACHED_MAX: usize = 3;
/// Scenarios of one folder beyond which lanes are not listed one by one.
const LANES_MAX: usize = 60;

/// The whole summary.
pub(super) fn human(registry: &Registry, summary: &Summary, outcome: &Outcome, out: &Path, paint: Paint) -> String {
    let mut text = String::new();
    text += &lanes(summary, outcome, paint);
    text += &facts(registry, summary, outcome, paint);
    for found in &outcome.findings {
        text += &finding(registry, outcome, found, out, paint);
    }
    for one in &outcome.unstable {
        let config = &outcome.lanes[one.lane].0;
        text += &format!("\n{} {}\n", paint.bad("NOT DETERMINISTIC"), on(config));
        text += &format!("  {}\n", plain(&one.sentence));
        if let Some(divergence) = &one.divergence {
            text += &format!("  {divergence}\n");
        }
        let program = registry.program_name();
        text += &format!(
            "  again: {program} run {} --engine {} --seed {}\n",
            config.scenario_name, config.engine, one.seed
        );
    }
    for one in &summary.inconclusive {
        let head = paint.doubtful("INCONCLUSIVE");
        text += &format!("\n{head} {} on {}: {}: {}\n", one.scenario, one.engine, one.property, plain(&one.reason));
    }
    text + &verdict(summary, outcome, out, paint)
}

fn on(config: &LaneConfig) -> String {
    format!("{} on {}", config.scenario_name, config.label)
}

fn lanes(summary: &Summary, outcome: &Outcome, paint: Paint) -> String {
    if outcome.lanes.len() > LANES_MAX || outcome.lanes.is_empty() {
        return String::new();
    }
    let head = ["scenario", "engine", "runs", "turns", "ops", "compared", "crashes", "faults", "places", ""];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for (index, (config, tally)) in outcome.lanes.iter().enumerate() {
        rows.push(vec![
            config.scenario_name.clone(),
            config.label.clone(),
            number(tally.runs),
            number(tally.turns),
            number(tally.ops.total()),
            number(tally.compared.values().map(|compared| compared.answers).sum()),
            number(tally.crashes),
            number(tally.faults.values().sum()),
            places(outcome, config),
            word(summary, outcome, index),
        ]);
    }
    let text = table(&rows, "  ");
    let (head, lines) = text.split_once('\n').unwrap_or_default();
    format!("{}\n{lines}\n", paint.strong(head))
}

/// How many of the engine's known places the lane reached.
fn places(outcome: &Outcome, config: &LaneConfig) -> String {
    let engine = outcome.coverage.engines.get(&config.engine);
    engine.map_or_else(String::new, |engine| {
        format!("{}/{}", number(engine.reached_by(&config.scenario_name)), number(engine.places.len() as u64))
    })
}

/// What came of a lane, in a word or two.
fn word(summary: &Summary, outcome: &Outcome, lane: usize) -> String {
    let (config, tally) = &outcome.lanes[lane];
    if outcome.unstable.iter().any(|one| one.lane == lane) {
        return "not deterministic".to_string();
    }
    let is_it = |one: &Inconclusive| one.scenario == config.scenario_name && one.engine == config.engine;
    let is_doubtful = summary.inconclusive.iter().any(is_it);
    match (config.expect, outcome.first_in(lane)) {
        (Expect::Holds, Some(_)) => "VIOLATED".to_string(),
        (Expect::Violated, Some(first)) => format!("violated at seed {first}, as expected"),
        (Expect::Violated, None) => "held, but was expected to be violated".to_string(),
        (Expect::Holds, None) if tally.runs == 0 => "did not run".to_string(),
        (Expect::Holds, None) if is_doubtful => "inconclusive".to_string(),
        (Expect::Holds, None) => "held".to_string(),
    }
}

fn facts(registry: &Registry, summary: &Summary, outcome: &Outcome, paint: Paint) -> String {
    let mut sum = Tally::default();
    outcome.lanes.iter().for_each(|(_, tally)| sum.merge(tally));
    let mut lines: Vec<(&str, String)> = Vec::new();
    let seconds = outcome.elapsed().as_secs_f64().max(0.001);
    let ops = &sum.ops;
    lines.push((
        "tried",
        format!(
            "{}, {} turns ({}/s), {} operations: {} answered, {} refused, {} in doubt, {} cut off",
            count(sum.runs, "run"),
            number(sum.turns),
            number((sum.turns as f64 / seconds) as u64),
            number(ops.total()),
            number(ops.ok),
            number(ops.refused),
            number(ops.unknown),
            number(ops.pending)
        ),
    ));
    let compared: Vec<_> = sum.compared.iter().map(|(name, one)| format!("{name} {}", number(one.answers))).collect();
    lines.push(("compared", if compared.is_empty() { "nothing".to_string() } else { compared.join(", ") }));
    lines.push(("crashes", if sum.crashes == 0 { "none".to_string() } else { number(sum.crashes) }));
    lines.push(("faults", if sum.faults.is_empty() { "none".to_string() } else { counts(&sum.faults) }));
    let policies = sum.policies.iter().map(|(name, one)| {
        let found = if one.findings > 0 { format!(" with {}", count(one.findings, "finding")) } else { String::new() };
        let many =
            if one.schedules > one.runs { format!(", {} schedules", number(one.schedules)) } else { String::new() };
        format!("{name} {}{many}{found}", count(one.runs, "run"))
    });
    lines.push(("policies", policies.collect::<Vec<_>>().join(", ")));
    lines.extend(outcome.lanes.iter().flat_map(|(config, tally)| proofs(config, tally)));
    lines.extend(coverage(registry, outcome));
    if outcome.pace.repeated > 0 {
        let repeated = count(outcome.pace.repeated, "run");
        lines.push(("repeated", format!("{repeated} a second time in another process, equal turn by turn")));
    }
    if sum.idle > 0 {
        lines.push(("idle", format!("{} compared nothing", count(sum.idle, "run"))));
    }
    if !sum.limits.is_empty() {
        lines.push(("limits", counts(&sum.limits)));
    }
    if outcome.pace.workers_lost > 0 {
        lines.push(("workers", format!("{} went down and were replaced", number(outcome.pace.workers_lost))));
    }
    for case in &summary.corpus {
        let was = if case.state == case.recorded { String::new() } else { format!(", recorded as {}", case.recorded) };
        lines.push(("corpus", format!("{}: {}{was}", case.case, case.state)));
    }
    for skipped in &summary.skipped {
        lines.push(("skipped", format!("{} on {}: {}", skipped.scenario, skipped.engine, skipped.reason)));
    }
    let show = |(head, line): (&str, String)| format!("{} {}\n", paint.faint(&format!("{head:<9}")), plain(&line));
    lines.into_iter().map(show).collect()
}

/// What was run in full: for these seeds it is a proof.
fn proofs<'a>(config: &'a LaneConfig, tally: &'a Tally) -> impl Iterator<Item = (&'static str, String)> + 'a {
    tally.exhausted.iter().map(|(bound, one)| {
        let bound = bound.strip_prefix("preemptions-max ").map(|most| format!(" with at most {most} preemptions"));
        let schedules = count(one.schedules, "schedule");
        let seeds = count(one.runs, "seed");
        ("proof", format!("{}: all {schedules}{} of {seeds}", on(config), bound.unwrap_or_default()))
    })
}

/// Where connections waited, how often that was something new, and where they did not.
fn coverage(registry: &Registry, outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (name, engine) in outcome.coverage.engines.iter().filter(|(_, engine)| engine.has_run()) {
        let New { places, pairs } = engine.reached();
        let known = number(engine.places.len() as u64);
        let late = &engine.minutes[engine.minutes.len().saturating_sub(MINUTES_MAX)..];
        let minutes = late.iter().map(|new| format!("{}+{}", number(new.places), number(new.pairs)));
        let minutes = minutes.collect::<Vec<_>>().join(", ");
        lines.push((
            "reached",
            format!(
                "{name}: {} of {known} known places, {} of places; new each minute: {minutes}",
                number(places),
                count(pairs, "pair")
            ),
        ));
        let unreached: Vec<&str> = engine.unreached().map(|place| place.place.as_str()).collect();
        if !unreached.is_empty() {
            let rest = unreached.len().saturating_sub(UNREACHED_MAX);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let shown = unreached[..unreached.len() - rest].join(", ");
            let program = registry.program_name();
            lines.push(("unreached", format!("{name}: {shown}{more}: `{program} list yields --unhit`")));
        }
        if engine.lost > 0 {
            lines
                .push(("unreached", format!("{name}: {} by too many ways to tell apart", count(engine.lost, "yield"))));
        }
    }
    lines
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {}", number(*count))).collect::<Vec<_>>().join(", ")
}

/// How large it was and is.
fn sizes(found: &Found, paint: Paint) -> String {
    let (original, Some(shrunk)) = &found.sizes else { return String::new() };
    let mut text = String::new();
    if let (Some(original), Some(size)) = (original, &shrunk.size) {
        text += &format!("  found     {}\n  stored    {}\n", words(original), words(size));
    }
    if let Some(cut) = &shrunk.cut {
        text += &format!("  not smaller: {}\n", paint.doubtful(&plain(cut)));
    }
    text
}

fn finding(registry: &Registry, outcome: &Outcome, found: &Found, out: &Path, paint: Paint) -> String {
    let config = &outcome.lanes[found.lane].0;
    let head = paint.bad(&format!("VIOLATED {}: {}", found.finding.property, found.finding.anomaly));
    let elsewhere = match found.seen.len() {
        1 => String::new(),
        lanes => format!(", and {} more", count(lanes as u64 - 1, "scenario")),
    };
    let known = if outcome.manifest.knows(&found.bucket) { " · known" } else { "" };
    let mut text = format!("\n{head} · {}{elsewhere}{known}\n", on(config));
    text += &format!("  {}\n", paint.strong(&plain(&found.finding.sentence)));
    for line in found.finding.proof.iter().take(PROOF_MAX) {
        text += &format!("    {}\n", plain(line));
    }
    if found.finding.proof.len() > PROOF_MAX {
        text += &format!("    … {} more lines in the case\n", found.finding.proof.len() - PROOF_MAX);
    }
    let mut facts = vec![format!("seed {}", found.seed)];
    if found.turns > 0 {
        facts.push(format!("turn {} of {}", number(found.finding.turn), number(found.turns)));
    }
    if found.crashes > 0 {
        facts.push(count(found.crashes, "crash").replace("crashs", "crashes"));
    }
    if !found.faults.is_empty() {
        facts.push(counts(&found.faults));
    }
    if let Some(one) = outcome.findability(found) {
        facts.push(format!("{} of {}", number(one.seeds), count(one.runs, "seed")));
        facts.extend(one.clean_seeds.map(|clean| format!("{} would prove it fixed (95%)", count(clean, "clean seed"))));
    }
    text += &format!("  {}\n", facts.join(" · "));
    text += &sizes(found, paint);
    if let Some(case) = &found.case {
        let program = registry.program_name();
        text += &format!("  replay: {program} replay {}\n", out.join(case).display());
    }
    text
}

fn verdict(summary: &Summary, outcome: &Outcome, out: &Path, paint: Paint) -> String {
    let mut text = String::from("\n");
    if outcome.is_interrupted() {
        text += &paint.doubtful("interrupted; the results so far are saved\n");
    }
    if outcome.manifest.state == Progressed::BudgetSpent {
        text += "the budget is spent; seeds were left\n";
    }
    let runs = count(summary.runs, "run");
    let wanted = |lane: &&crate::campaign::SummaryLane| lane.expect == Expect::Violated && lane.met == Some(true);
    let as_expected = summary.scenarios.iter().filter(wanted).count();
    let expected = if as_expected > 0 { format!(", {as_expected} of them expected") } else { String::new() };
    let findings = outcome.findings.len();
    text += &match (summary.runs, findings, summary.nondeterminism.len(), summary.inconclusive.len()) {
        (0, ..) => paint.doubtful("nothing ran"),
        (_, _, unstable @ 1.., _) => {
            paint.bad(&format!("{} not deterministic in {runs}", count(unstable as u64, "seed")))
        }
        (_, 1.., _, _) => paint.bad(&format!("{}{expected} in {runs}", count(findings as u64, "finding"))),
        (_, _, _, 1..) => paint.doubtful(&format!("no finding in {runs}, but not everything was compared")),
        _ => paint.good(&format!("held in {runs}")),
    };
    let place = out.join("summary.json");
    text += &format!(" · hash {} · {:.1} s · {}\n", summary.hash, outcome.elapsed().as_secs_f64(), place.display());
    text
}
