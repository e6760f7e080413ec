//! `audit`: every operation of an engine, with a wait forced at every place in turn.

use std::time::Instant;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::args::{AuditArgs, Format};
use super::exit::{Exit, Failure};
use super::screen::{Paint, count, number, plain, print, say};
use crate::audit::{Audit, AuditBounds, AuditFinding, HOW_TO_READ};
use crate::engine::OptionValue;
use crate::scenario::{Configuration, Pairing, Place, Registry, Scenario, parse, parse_flag};

/// Ways longer than this are cut in the report for people.
const WAY_MAX: usize = 6;

pub(super) fn run(registry: &Registry, args: &AuditArgs) -> Result<Exit, Failure> {
    let scenario = scenario(args)?;
    for engine in &args.engine {
        let place = Place::Flag(format!("--engine {engine}"));
        registry.check_engine_name(engine, &place).map_err(Failure::usage)?;
    }
    let (pairings, skipped) = registry.pair(&scenario, &args.engine).map_err(Failure::usage)?;
    let bounds = AuditBounds { places_max: args.places };
    let mut audited: Vec<Audited> = Vec::new();
    // An engine's panics are findings here; their usual messages would only be noise.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = pairings.iter().try_for_each(|pairing| {
        for configuration in pairing.audited(registry, &scenario)? {
            let options = differing(&audited, pairing, &configuration);
            say(&format!("auditing {}{}", plain(&pairing.label()), plain(&options)));
            let started = Instant::now();
            let mut audit = registry.audit(&configuration, bounds)?;
            let known = |finding: &AuditFinding| {
                let earlier = audited.iter().filter(|one: &&Audited| one.label == pairing.label());
                let mut findings = earlier.flat_map(|one| &one.audit.findings);
                findings.any(|known| known.place == finding.place && known.disturbance == finding.disturbance)
            };
            audit.findings.retain(|finding| !known(finding));
            let took = started.elapsed().as_secs_f64();
            audited.push(Audited { label: pairing.label(), configuration, options, audit, took });
        }
        Ok::<_, crate::scenario::RunError>(())
    });
    std::panic::set_hook(hook);
    outcome.map_err(Failure::usage)?;
    for skipped in &skipped {
        say(&format!("skipped {}: {}", plain(&skipped.engine), plain(&skipped.reason)));
    }
    print(&match args.format {
        Format::Human => audited.iter().map(human).collect(),
        Format::Json | Format::Jsonl => machine(&audited, args.format),
    })?;
    let mut codes = Vec::new();
    if audited.iter().all(|one| one.audit.operations == 0) {
        codes.push(Exit::NOTHING_RAN);
    }
    if audited.iter().any(|one| !one.audit.findings.is_empty()) {
        codes.push(Exit::FINDING);
    }
    Ok(Exit::worst(codes))
}

/// An engine in one configuration.
struct Audited {
    label: String,
    configuration: Configuration,
    /// How the configuration differs from the first one of the same engine, in words.
    options: String,
    audit: Audit,
    took: f64,
}

fn differing(audited: &[Audited], pairing: &Pairing, configuration: &Configuration) -> String {
    let Some(first) = audited.iter().find(|one| one.label == pairing.label()) else { return String::new() };
    let usual = &first.configuration.engine.options;
    let differ = configuration.engine.options.iter().filter(|(key, value)| usual.get(*key) != Some(value));
    let words: Vec<String> = differ.map(|(key, value)| format!("{key} = {}", word(value))).collect();
    format!(" with {}", words.join(", "))
}

fn word(value: &OptionValue) -> String {
    match value {
        OptionValue::Int(number) => number.to_string(),
        OptionValue::Bool(flag) => flag.to_string(),
        OptionValue::Text(text) => text.clone(),
    }
}

/// A scenario of the workload that is the script, with the flags.
fn scenario(args: &AuditArgs) -> Result<Scenario, Failure> {
    let bugs = (!args.bug.is_empty()).then(|| format!("engine.bugs={}", args.bug.join(",")));
    let flags = args.set.iter().cloned().chain(bugs).chain([format!("workload={}", args.workload)]);
    let flags = flags.map(|flag| parse_flag(&flag)).collect::<Result<_, _>>().map_err(Failure::usage)?;
    // Enough for workloads that are no script by themselves: one connection prepares, one asks, one follows.
    let text = "connections = 3\ntransactions = 12\n";
    let base = parse("audit", text).map_err(|error| Failure::own(anyhow!("{error}")))?;
    Scenario::new("audit", vec![base, flags]).map_err(Failure::usage)
}

fn machine(audited: &[Audited], format: Format) -> String {
    let one = |Audited { label, configuration, audit, .. }: &Audited| {
        json!({
            "v": 1,
            "type": "audit",
            "engine": label,
            "options": configuration.engine.options,
            "verdict": if audit.findings.is_empty() { "holds" } else { "violated" },
            "operations": audit.operations,
            "places": audit.places,
            "trials": audit.trials,
            "findings": audit.findings,
            "left_out": audit.left_out,
        })
    };
    let all: Vec<Value> = audited.iter().map(one).collect();
    match format {
        Format::Jsonl => all.iter().map(|value| format!("{value}\n")).collect(),
        _ => format!("{:#}\n", Value::Array(all)),
    }
}

fn human(Audited { label, options, audit, took, .. }: &Audited) -> String {
    let paint = Paint::for_stdout();
    let verdict = match audit.findings.len() as u64 {
        0 => paint.good("HOLDS"),
        findings => paint.bad(&count(findings, "FINDING").replace("FINDINGs", "FINDINGS")),
    };
    let mut text = format!(
        "{verdict} {}{}: {}, {}, {} in {took:.1} s\n",
        plain(label),
        plain(options),
        count(audit.operations, "operation"),
        count(audit.places, "place"),
        count(audit.trials, "trial"),
    );
    audit.findings.iter().for_each(|finding| text += &one(finding, paint));
    if !audit.findings.is_empty() {
        text += "\n  How to read it: all that stands above a yield happens again at each call.\n";
        let width = HOW_TO_READ.iter().map(|(code, _)| code.chars().count()).max().unwrap_or(0);
        HOW_TO_READ.iter().for_each(|(code, says)| text += &format!("    {code:width$}  {says}\n"));
    }
    for left_out in &audit.left_out {
        text += &paint.faint(&format!("  not looked at: {}\n", plain(left_out)));
    }
    text
}

fn one(finding: &AuditFinding, paint: Paint) -> String {
    let mut text = format!("\n  {} {}\n", paint.bad("✗"), paint.strong(&plain(&finding.place)));
    text += &format!("    `{}`, when it {}:\n", plain(&finding.operation), finding.disturbance);
    text += &format!("    {}\n", paint.strong(&plain(&finding.what)));
    text += &format!("    looks like: {}\n", finding.pattern);
    if let Some(io) = &finding.io {
        text += &format!("    the I/O: {}\n", plain(io));
    }
    if !finding.way.is_empty() {
        text += &format!("    the way:  {}\n", way(&finding.way));
    }
    if !finding.other_way.is_empty() {
        text += &format!("    the other connection waited at {}\n", way(&finding.other_way));
    }
    let others: Vec<String> = finding.operations.iter().skip(1).map(|name| format!("`{}`", plain(name))).collect();
    text += &format!("    seen at {}", count(finding.places, "place"));
    if !others.is_empty() {
        let shown = others.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
        let more = others.len().saturating_sub(6) as u64;
        let more = if more > 0 { format!(" and {} more", number(more)) } else { String::new() };
        text += &format!(", also in {shown}{more}");
    }
    text + "\n"
}

fn way(lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(WAY_MAX).map(|line| plain(line)).collect();
    if lines.len() > WAY_MAX {
        shown.push("…".to_string());
    }
    shown.join(" < ")
}
