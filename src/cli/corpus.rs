//! `corpus`: the cases that are kept with the code.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::args::{CorpusAdd, CorpusArgs, CorpusList, CorpusPrune, CorpusRun, CorpusVerb, Format};
use super::exit::{Exit, Failure};
use super::run::pool_config;
use super::screen::{Paint, count, plain, print, say, table};
use crate::campaign::{
    Added, CampaignError, CorpusError, CorpusState, Member, PoolConfig, ReplayVerdict, Rerun, build_fingerprint, corpus,
};
use crate::scenario::{Known, Registry};

pub(super) fn run(registry: &Registry, args: &CorpusArgs) -> Result<Exit, Failure> {
    match &args.verb {
        CorpusVerb::Run(args) => replay_all(registry, args),
        CorpusVerb::Add(args) => add(args),
        CorpusVerb::List(args) => list(args),
        CorpusVerb::Prune(args) => prune(registry, args),
    }
}

fn failure(error: CorpusError) -> Failure {
    match error {
        CorpusError::Store(error) => Failure::own(error),
        error => Failure::usage(error),
    }
}

/// A case, and what its replay came to; none when its engine is in another program.
type Replayed = (Member, Option<Rerun>);

/// Replays every case whose engine is compiled in.
pub(super) fn replayed(
    registry: &Registry,
    folder: &std::path::Path,
    config: &PoolConfig,
) -> Result<Vec<Replayed>, Failure> {
    let build = build_fingerprint();
    let mut all = Vec::new();
    for member in corpus(folder).map_err(failure)? {
        let engine = &member.case.configuration.engine.name;
        if !registry.engines().any(|(info, _)| info.name == engine) {
            all.push((member, None));
            continue;
        }
        let rerun = member.replay(config, build).map_err(|error| match error {
            CampaignError::Task(reason) => {
                Failure::usage(anyhow!("{}: cannot be run: {reason}", member.path.display()))
            }
            error => Failure::own(error),
        })?;
        all.push((member, Some(rerun)));
    }
    Ok(all)
}

/// What the replays say of their cases, those in other programs left out.
pub(super) fn states(all: &[Replayed]) -> impl Iterator<Item = CorpusState> {
    all.iter().filter_map(|(member, rerun)| rerun.as_ref().map(|rerun| member.state(rerun)))
}

/// How a corpus ends: what was fixed and is back is a finding, what is known to be open is none.
pub(super) fn codes<'a>(states: impl Iterator<Item = &'a CorpusState>) -> Vec<Exit> {
    let code = |state: &CorpusState| match (state.state.as_str(), state.recorded.as_str()) {
        ("diverged", _) => Some(Exit::NONDETERMINISM),
        ("open", "fixed") => Some(Exit::FINDING),
        ("stale", _) => Some(Exit::STALE),
        _ => None,
    };
    states.filter_map(code).collect()
}

/// A case's state in words.
fn word(state: &CorpusState) -> &str {
    match (state.state.as_str(), state.recorded.as_str()) {
        ("open", "fixed") => "BACK: it was fixed and is found again",
        ("fixed", "open") => "fixed now: `corpus run --mark` notes it",
        (state, _) => state,
    }
}

fn replay_all(registry: &Registry, args: &CorpusRun) -> Result<Exit, Failure> {
    let all = replayed(registry, &args.folder.corpus, &pool_config(&args.workers)?)?;
    for (member, rerun) in &all {
        let known = rerun.as_ref().and_then(|rerun| match rerun.verdict {
            ReplayVerdict::Again => Some(Known::Open),
            ReplayVerdict::NoLonger => Some(Known::Fixed),
            ReplayVerdict::Stale | ReplayVerdict::Diverged => None,
        });
        if let Some(known) = known.filter(|known| args.mark && *known != member.case.head.known) {
            member.mark(known).map_err(failure)?;
        }
    }
    let states: Vec<CorpusState> = states(&all).collect();
    match args.format {
        Format::Human => print(&human(&all, states.len()))?,
        Format::Json => print(&(serde_json::to_string_pretty(&machine(&all)).map_err(Failure::own)? + "\n"))?,
        Format::Jsonl => print(&machine(&all).iter().map(|line| format!("{line}\n")).collect::<String>())?,
    }
    let mut codes = codes(states.iter());
    if states.is_empty() {
        codes.push(Exit::NOTHING_RAN);
    }
    Ok(Exit::worst(codes))
}

fn machine(all: &[Replayed]) -> Vec<Value> {
    let one = |(member, rerun): &Replayed| {
        json!({
            "v": 1, "type": "corpus-case", "case": member.path, "bucket": member.case.head.bucket,
            "scenario": member.case.head.scenario, "engine": member.case.configuration.engine.name,
            "recorded": member.case.head.known.name(),
            "state": rerun.as_ref().map_or("skipped", |rerun| crate::campaign::state_name(rerun.verdict)),
        })
    };
    all.iter().map(one).collect()
}

fn human(all: &[Replayed], ran: usize) -> String {
    let mut rows = vec![["case", "engine", "state"].map(str::to_string).to_vec()];
    for (member, rerun) in all {
        let engine = member.case.configuration.engine.label();
        let state = match rerun {
            Some(rerun) => word(&member.state(rerun)).to_string(),
            None => format!("skipped: the engine is in the program `{}`", member.case.head.program),
        };
        rows.push(vec![member.name.clone(), engine, state]);
    }
    let text = table(&rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect::<Vec<_>>(), "  ");
    format!("{text}{} replayed\n", count(ran as u64, "case"))
}

fn add(args: &CorpusAdd) -> Result<Exit, Failure> {
    for case in &args.cases {
        let folder = args.folder.corpus.display();
        print(&match crate::campaign::add(&args.folder.corpus, case).map_err(failure)? {
            Added::New(name) => format!("{folder}/{name}: added\n"),
            Added::Shorter(name) => format!("{folder}/{name}: replaced, for this one takes fewer turns\n"),
            Added::Kept(name) => format!("{folder}/{name}: kept, for it takes no more turns\n"),
        })?;
    }
    Ok(Exit::HELD)
}

fn list(args: &CorpusList) -> Result<Exit, Failure> {
    let members = corpus(&args.folder.corpus).map_err(failure)?;
    let one = |member: &Member| {
        let case = &member.case;
        json!({
            "name": member.name, "about": case.finding.sentence, "bucket": case.head.bucket,
            "recorded": case.head.known.name(), "scenario": case.head.scenario,
            "engine": case.configuration.engine.name, "turns": case.head.turns,
        })
    };
    let items: Vec<Value> = members.iter().map(one).collect();
    let mut rows = vec![["name", "recorded", "engine", "turns", "about"].map(str::to_string).to_vec()];
    rows.extend(members.iter().map(|member| {
        let case = &member.case;
        let (engine, turns) = (case.configuration.engine.label(), case.head.turns.to_string());
        [&member.name, case.head.known.name(), &engine, &turns, &case.finding.sentence].map(plain).to_vec()
    }));
    print(&match args.format {
        Format::Human => table(&rows, ""),
        Format::Json => serde_json::to_string_pretty(&items).map_err(Failure::own)? + "\n",
        Format::Jsonl => items.iter().map(|item| format!("{item}\n")).collect(),
    })?;
    Ok(Exit::HELD)
}

fn prune(registry: &Registry, args: &CorpusPrune) -> Result<Exit, Failure> {
    let all = replayed(registry, &args.folder.corpus, &pool_config(&args.workers)?)?;
    let mut removed = 0;
    for (member, rerun) in &all {
        let better = |(other, verdict): &&Replayed| {
            let rank = |member: &Member| (member.case.head.turns, member.name.clone());
            let is_good = verdict.as_ref().is_some_and(|rerun| rerun.verdict == ReplayVerdict::Again);
            is_good && other.case.head.bucket == member.case.head.bucket && rank(other) < rank(member)
        };
        let reason = match rerun.as_ref().map(|rerun| rerun.verdict) {
            Some(ReplayVerdict::Stale) => "stale".to_string(),
            Some(ReplayVerdict::NoLonger) if args.fixed => "fixed".to_string(),
            // What was not replayed says nothing of itself.
            None => continue,
            Some(_) => match all.iter().find(better) {
                Some((other, _)) => format!("{} shows the same in fewer turns", other.name),
                None => continue,
            },
        };
        removed += 1;
        print(&format!(
            "{}: {}{}\n",
            plain(&member.name),
            if args.dry_run { "would go: " } else { "removed: " },
            reason
        ))?;
        if !args.dry_run {
            std::fs::remove_file(&member.path)
                .map_err(|error| Failure::own(anyhow!("{}: cannot be removed: {error}", member.path.display())))?;
        }
    }
    let paint = Paint::for_stdout();
    if removed == 0 {
        say(&paint.faint("every case is wanted"));
    }
    Ok(Exit::HELD)
}
