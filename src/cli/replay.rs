//! `replay`: a stored failure again.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::args::{Format, ReplayArgs};
use super::exit::{Exit, Failure};
use super::retrace::run_traced;
use super::run::pool_config;
use super::screen::{Paint, plain, print, say};
use crate::campaign::{CampaignError, CaseText, ReplayVerdict, Rerun, build_fingerprint, replay};
use crate::report::{Rows, Stand, file};
use crate::scenario::{Case, Registry};
use crate::trace::Level;

pub(super) fn run(registry: &Registry, args: &ReplayArgs) -> Result<Exit, Failure> {
    let case = Case::read(&args.case).map_err(Failure::usage)?;
    let engine = &case.configuration.engine.name;
    if !registry.engines().any(|(info, _)| info.name == engine) {
        let known: Vec<_> = registry.engines().map(|(info, _)| info.name).collect();
        let program = plain(&case.head.program);
        return Err(Failure::usage(anyhow!(
            "{}: the engine `{}` is not compiled into this program, which has {}: expected the program `{program}`",
            args.case.display(),
            plain(engine),
            known.join(", ")
        )));
    }
    if let Some(turn) = args.until {
        return until(registry, &case, args, turn);
    }
    let name = args.case.display().to_string();
    let text = CaseText {
        name,
        text: case.to_text().map_err(Failure::own)?,
        from_seed: false,
        history: args.history.is_some(),
    };
    let rerun =
        replay(&pool_config(&args.workers)?, build_fingerprint(), &case, &text).map_err(|error| match error {
            CampaignError::Task(reason) => Failure::usage(anyhow!("{}: cannot be run: {reason}", args.case.display())),
            error => Failure::own(error),
        })?;
    if let Some(path) = &args.history {
        write_history(path, &rerun)?;
    }
    if let Some(out) = &args.trace {
        write_trace(registry, &case, args, out)?;
    }
    print(&match args.format {
        Format::Human => human(registry, &case, &rerun, args),
        Format::Json | Format::Jsonl => machine(&rerun),
    })?;
    Ok(match rerun.verdict {
        ReplayVerdict::Again => Exit::FINDING,
        ReplayVerdict::NoLonger => Exit::HELD,
        ReplayVerdict::Diverged => Exit::NONDETERMINISM,
        ReplayVerdict::Stale => Exit::STALE,
    })
}

fn write_history(path: &Path, rerun: &Rerun) -> Result<(), Failure> {
    let Some(text) = &rerun.history else {
        let problem = "the run has no history to write: expected transactions on lists or registers";
        return Err(Failure::usage(anyhow!("--history {}: {problem}", path.display())));
    };
    std::fs::write(path, text).map_err(|error| Failure::usage(anyhow!("--history {}: {error}", path.display())))
}

/// Runs the case once more, recorded, and writes what happened.
fn write_trace(registry: &Registry, case: &Case, args: &ReplayArgs, out: &Path) -> Result<(), Failure> {
    let (result, trace) = run_traced(registry, case, &args.case, args.level, args.around)?;
    let header = file::Header {
        program: case.head.program.clone(),
        squall: env!("CARGO_PKG_VERSION").to_string(),
        engine: case.configuration.engine.label(),
        scenario: case.head.scenario.clone(),
        seed: case.head.seed.clone(),
        hash: result.hash.to_string(),
        level: trace.level.to_string(),
        turns: result.turns,
    };
    std::fs::write(out, file::write(&header, &Rows::new(&trace)))
        .with_context(|| format!("{}: cannot be written", out.display()))
        .map_err(Failure::own)?;
    say(&format!("{}: {} facts at level {}", out.display(), trace.facts.len(), trace.level));
    Ok(())
}

/// Runs the case up to a turn, and says how things stand there.
fn until(registry: &Registry, case: &Case, args: &ReplayArgs, turn: u64) -> Result<Exit, Failure> {
    let mut cut = case.clone();
    let limits = &mut cut.configuration.world.limits;
    limits.turns_max = limits.turns_max.min(turn);
    let (result, trace) = run_traced(registry, &cut, &args.case, Level::State, None)?;
    let stand = Stand::new(&trace, &case.finding, turn);
    print(&match args.format {
        Format::Human => plain(&stand.plain()),
        Format::Json | Format::Jsonl => stand.json(&result.hash.to_string()) + "\n",
    })?;
    Ok(Exit::HELD)
}

fn machine(rerun: &Rerun) -> String {
    let value = json!({
        "v": 1,
        "type": "replay",
        "same": rerun.same && rerun.verdict == ReplayVerdict::Again,
        "verdict": rerun.verdict.name(),
        "hash": rerun.ran.hash,
        "finding": rerun.ran.finding,
        "first_divergence": rerun.divergence,
        "misfit": rerun.misfit,
        "identity_differs": rerun.identity_differs,
        "from_plan": rerun.from_plan,
    });
    format!("{value}\n")
}

fn human(registry: &Registry, case: &Case, rerun: &Rerun, args: &ReplayArgs) -> String {
    let paint = Paint::for_stdout();
    let hash = rerun.ran.hash.map_or_else(|| "none".to_string(), |hash| hash.to_string());
    let mut text = match rerun.verdict {
        ReplayVerdict::Again if rerun.same => paint.bad("FOUND AGAIN"),
        ReplayVerdict::Again => paint.bad("FOUND AGAIN, by another way"),
        ReplayVerdict::NoLonger => paint.good("NO LONGER FOUND"),
        ReplayVerdict::Diverged => paint.bad("DIVERGED"),
        ReplayVerdict::Stale => paint.doubtful("STALE"),
    };
    let finding = rerun.ran.finding.as_ref().unwrap_or(&case.finding);
    let (property, anomaly) = (&finding.property, &finding.anomaly);
    text += &format!(" {}: {}", plain(property), plain(anomaly));
    text += &format!(" · {} on {}\n", plain(&case.head.scenario), plain(&case.configuration.engine.label()));
    text += &format!("  {}\n", paint.strong(&plain(&finding.sentence)));
    finding.proof.iter().for_each(|line| text += &format!("    {}\n", plain(line)));
    let explained = match rerun.verdict {
        ReplayVerdict::Again if rerun.same => "the same finding, and the same hash".to_string(),
        ReplayVerdict::Again if rerun.from_plan => {
            "the stored decisions fit no more; the plan alone, with the same seed and policy, shows it still"
                .to_string()
        }
        ReplayVerdict::Again => "the same finding by a run that differs".to_string(),
        ReplayVerdict::NoLonger => "the stored decisions fit, and nothing is violated any more".to_string(),
        ReplayVerdict::Diverged => {
            "the program is the one that found it, and its run is another: it is not deterministic".to_string()
        }
        ReplayVerdict::Stale => {
            let program = registry.program_name();
            let scenario = plain(&case.head.scenario);
            format!("the engine has changed and the stored decisions fit no more; try {program} run {scenario}")
        }
    };
    text += &format!("  {explained}\n");
    for line in [&rerun.identity_differs, &rerun.misfit, &rerun.divergence.map(|divergence| divergence.to_string())] {
        line.iter().for_each(|line| text += &format!("  {}\n", plain(line)));
    }
    let stored = case.head.hash.filter(|_| !rerun.same).map(|hash| format!(", stored {hash}")).unwrap_or_default();
    text += &format!(
        "  seed {} · {} turns · hash {hash}{stored} · {}\n",
        case.seed(),
        rerun.ran.turns,
        args.case.display()
    );
    text
}
