//! The worker's side of a campaign: reads tasks from standard input, answers on standard output, one at a time.
//!
//! A worker has one thread and keeps nothing between tasks that could change a run. It may be killed at any
//! moment; its parent then knows which task it was at.

use std::collections::BTreeMap;
use std::io::{BufRead, Error, Write};
use std::time::{Duration, Instant};

use super::hunt::PILOT_SEED;
use super::limits::{confine, resident_bytes};
use super::panics;
use super::protocol::{
    Answer, CaseText, ExplainTask, Explained, Hello, MARK, Pilot, Ran, Recorded, Replayed, Request, Response,
    Schedules, ShrinkTask, Smaller, Spot, Sweep, Swept, Task,
};
use crate::explain::explain;
use crate::judge::formats;
use crate::property::transactions;
use crate::scenario::{
    Case, Configuration, FORMAT, Head, Known, Pairing, Registry, RunError, Scenario, Size, StoredFinding,
};
use crate::sched::{Estimates, Exhausted, PolicyConfig, exhaust};
use crate::shrink::{Bounds, shrink};
use crate::sim::RunResult;
use crate::tape::{Fingerprint, Odometer, Tape};
use crate::trace::{Coverage, Gain};

/// Serves tasks until the input ends.
///
/// # Errors
/// When the parent is gone or says something that is no request.
pub fn serve(registry: &Registry, input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    panics::watch();
    let mut worker = Worker {
        registry,
        scenarios: Vec::new(),
        pilots: BTreeMap::new(),
        coverage: BTreeMap::new(),
        gain: None,
        build: None,
    };
    for line in input.lines() {
        let request = serde_json::from_str(&line?).map_err(|error| Error::other(error.to_string()))?;
        let answer = match request {
            Request::Hello(hello) => {
                worker.greet(&hello)?;
                continue;
            }
            Request::Pilot(Pilot { scenario, engine, estimates }) => {
                worker.pilots.insert((scenario, engine), estimates);
                continue;
            }
            Request::Task(task) => worker.answer(&task).unwrap_or_else(Answer::Failed),
        };
        let response = Response { answer, memory: resident_bytes(std::process::id()), gain: worker.gain.take() };
        // The engine may have printed half a line.
        writeln!(output, "\n{MARK}{}", serde_json::to_string(&response)?)?;
        output.flush()?;
    }
    Ok(())
}

struct Worker<'a> {
    registry: &'a Registry,
    /// The scenarios, each with the engines it runs on once somebody has asked.
    scenarios: Vec<(Scenario, Option<Vec<Pairing>>)>,
    /// What pilot runs counted, by scenario and engine.
    pilots: BTreeMap<(usize, String), Estimates>,
    /// What runs have passed through, by scenario and engine. Written by runs and read by none.
    coverage: BTreeMap<(usize, String), Coverage>,
    /// What the last of them has added.
    gain: Option<Gain>,
    build: Option<Fingerprint>,
}

impl Worker<'_> {
    fn greet(&mut self, hello: &Hello) -> std::io::Result<()> {
        confine(hello.memory_max);
        self.build = hello.build;
        for text in &hello.scenarios {
            let scenario = Scenario::new(&text.name, vec![text.entries.clone()]);
            self.scenarios.push((scenario.map_err(|error| Error::other(error.to_string()))?, None));
        }
        Ok(())
    }

    fn answer(&mut self, task: &Task) -> Result<Answer, String> {
        match task {
            Task::Pilot(spot) => {
                let configuration = self.configuration(spot)?;
                let pilot = self.registry.pilot(&configuration, spot.seed).map_err(|error| error.to_string())?;
                Ok(Answer::Piloted(Box::new(pilot)))
            }
            Task::Search(spot) => {
                let configuration = self.configuration(spot)?;
                let place = (spot.scenario, spot.engine.clone());
                let mut coverage = self.coverage.remove(&place).unwrap_or_default();
                let run = self.run(spot, &configuration, false, Some(&mut coverage));
                self.gain = Some(coverage.take_gain());
                self.coverage.insert(place, coverage);
                Ok(Answer::Ran(Box::new(run?.0)))
            }
            Task::Record(spot) => self.record(spot),
            Task::Describe(spot) => {
                let configuration = self.configuration(spot)?;
                let case = self.case(spot, configuration, None)?;
                Ok(Answer::Recorded(Box::new(Recorded { case, ran: None, timeline: None })))
            }
            Task::Replay(text) => self.replay(text),
            Task::Shrink(task) => self.shrink(task),
            Task::Explain(task) => self.explain(task),
            Task::Sweep(sweep) => self.sweep(sweep),
        }
    }

    /// Runs seeds until one has a finding. Estimates come from one pilot run of the scenario, made here.
    fn sweep(&mut self, sweep: &Sweep) -> Result<Answer, String> {
        let pilot = (sweep.spot.scenario, sweep.spot.engine.clone());
        if !self.pilots.contains_key(&pilot) {
            let configuration = self.configuration(&Spot { seed: PILOT_SEED, ..sweep.spot.clone() })?;
            let estimates = self.registry.pilot(&configuration, PILOT_SEED).map_err(|error| error.to_string())?;
            self.pilots.insert(pilot, estimates);
        }
        let mut swept = Swept::default();
        for seed in (sweep.spot.seed..).take(sweep.seeds as usize) {
            let configuration = self.configuration(&Spot { seed, ..sweep.spot.clone() })?;
            let run = self.registry.run(&configuration, seed, None, Tape::seeded(seed));
            let result = run.map_err(|error| error.to_string())?;
            swept.runs += 1;
            swept.turns += result.turns;
            swept.turns_most = swept.turns_most.max(result.turns);
            swept.found = !result.findings.is_empty();
            if swept.found {
                break;
            }
        }
        Ok(Answer::Swept(swept))
    }

    fn configuration(&mut self, spot: &Spot) -> Result<Configuration, String> {
        let (scenario, pairings) = self.scenarios.get_mut(spot.scenario).ok_or("no such scenario")?;
        let pairings = match pairings {
            Some(pairings) => pairings,
            None => pairings.insert(self.registry.pair(scenario, &[]).map_err(|error| error.to_string())?.0),
        };
        let pairing = pairings.iter().find(|pairing| pairing.engine == spot.engine);
        let pairing = pairing.ok_or_else(|| format!("{} does not run on {}", scenario.name, spot.engine))?;
        let said = |error: RunError| error.to_string();
        let configuration = pairing.configure(self.registry, scenario, spot.seed).map_err(said)?;
        if !configuration.world.policy.wants_estimates() {
            return Ok(configuration);
        }
        match self.pilots.get(&(spot.scenario, spot.engine.clone())) {
            Some(pilot) => self.registry.with_estimates(configuration, spot.seed, pilot).map_err(said),
            // The engine did not survive its pilot run; policies do without.
            None => Ok(configuration),
        }
    }

    /// Runs a seed; where an odometer chooses, all its schedules up to the first with a finding. The numbers are
    /// those of all of them, the result is the last one's.
    fn run(
        &self,
        spot: &Spot,
        configuration: &Configuration,
        records: bool,
        mut coverage: Option<&mut Coverage>,
    ) -> Result<(Ran, RunResult), String> {
        let mut one = |tape: Tape| {
            let tape = if records { tape.recording() } else { tape };
            let run = self.registry.run_keeping_tape(configuration, spot.seed, None, tape, coverage.as_deref_mut());
            let (result, tape) = run.map_err(|error| error.to_string())?;
            Ok::<_, String>((ran(&result, configuration), result, tape))
        };
        let PolicyConfig::Exhaustive { preemptions_max, schedules_max } = configuration.world.policy else {
            let (ran, result, _) = one(Tape::seeded(spot.seed))?;
            return Ok((ran, result));
        };
        let mut sum: Result<Option<(Ran, RunResult)>, String> = Ok(None);
        let exhausted = exhaust(spot.seed, preemptions_max, schedules_max, |tape| match one(tape) {
            Ok((ran, result, tape)) => {
                let go_on = ran.finding.is_none();
                let whole = match std::mem::replace(&mut sum, Ok(None)) {
                    Ok(Some((mut whole, _))) => {
                        whole.absorb(ran);
                        whole
                    }
                    _ => ran,
                };
                sum = Ok(Some((whole, result)));
                (tape, go_on)
            }
            Err(reason) => {
                sum = Err(reason);
                (Tape::exhaustive(spot.seed, Odometer::new(None)), false)
            }
        });
        let (mut ran, result) = sum?.ok_or("an odometer has at least one run")?;
        let Exhausted { runs, complete } = exhausted;
        if !complete && ran.finding.is_none() {
            ran.limits.push(format!("schedules-max ({schedules_max})"));
        }
        ran.schedules = Some(Schedules { runs, complete, preemptions_max });
        Ok((ran, result))
    }

    fn record(&mut self, spot: &Spot) -> Result<Answer, String> {
        let configuration = self.configuration(spot)?;
        let (ran, result) = self.run(spot, &configuration, true, None)?;
        let timeline = result.timeline.clone();
        let case = self.case(spot, configuration, Some(result))?;
        Ok(Answer::Recorded(Box::new(Recorded { case, ran: Some(ran), timeline })))
    }

    fn case(&self, spot: &Spot, configuration: Configuration, run: Option<RunResult>) -> Result<String, String> {
        let plan = self.registry.plan_text(&configuration, spot.seed).map_err(|error| error.to_string())?;
        let mut case = Case {
            head: Head {
                format: FORMAT,
                squall: env!("CARGO_PKG_VERSION").to_string(),
                program: self.registry.program_name().to_string(),
                build: self.build,
                scenario: self.scenarios[spot.scenario].0.name.clone(),
                seed: spot.seed.to_string(),
                bucket: String::new(),
                known: Known::Open,
                hash: None,
                turns: 0,
            },
            finding: StoredFinding::default(),
            configuration,
            plan: toml::Table::new(),
            decisions: None,
            timeline: None,
            original: None,
            shrunk: None,
        };
        if let Some(run) = run {
            case.head.hash = Some(run.hash);
            case.head.turns = run.turns;
            case.finding = run.findings.first().map(StoredFinding::from).unwrap_or_default();
            case.decisions = run.decisions;
            case.timeline = run.timeline;
        }
        case.with_plan_text(&plan).map_err(|error| error.to_string())
    }

    fn replay(&self, text: &CaseText) -> Result<Answer, String> {
        let case = Case::parse(&text.name, &text.text).map_err(|error| error.to_string())?;
        let tape = match case.decisions.clone().filter(|_| !text.from_seed) {
            Some(decisions) => Tape::recorded(case.seed(), decisions),
            None => Tape::seeded(case.seed()).recording(),
        };
        let run = self.registry.run(&case.configuration, case.seed(), Some(&case.plan), tape);
        let result = run.map_err(|error| error.to_string())?;
        let divergence = match (&case.timeline, &result.timeline) {
            (Some(stored), Some(now)) => stored.first_divergence(now).map(Into::into),
            _ => None,
        };
        let misfit = result.misfit.as_ref().map(ToString::to_string);
        let history = if text.history { self.history(&case, &result)? } else { None };
        Ok(Answer::Replayed(Box::new(Replayed {
            ran: ran(&result, &case.configuration),
            misfit,
            divergence,
            timeline: result.timeline,
            identity_differs: self.identity_differs(&case),
            history,
        })))
    }

    /// The run's transactions as a file for other judges.
    fn history(&self, case: &Case, result: &RunResult) -> Result<Option<String>, String> {
        let promises = self.registry.promises(&case.configuration).map_err(|error| error.to_string())?;
        Ok(transactions(&result.history, promises.durability).map(|txns| formats::txns_edn(&txns)))
    }

    /// Takes away what can be taken away within the task's bounds.
    fn shrink(&self, task: &ShrinkTask) -> Result<Answer, String> {
        let said = |error: RunError| error.to_string();
        let case = Case::parse("the case just recorded", &task.text).map_err(|error| error.to_string())?;
        let (started, budget) = (Instant::now(), Duration::from_millis(task.budget_ms));
        let bounds = Bounds { replays_max: task.replays_max };
        let shrunk = shrink(self.registry, &case, bounds, &mut |_, _| started.elapsed() < budget).map_err(said)?;
        let Some(shrunk) = shrunk else {
            let nothing =
                Smaller { case: None, size: Size::default(), replays: 1, is_smallest: true, runs_spent: false };
            return Ok(Answer::Shrunk(Box::new(nothing)));
        };
        let smaller = shrunk.case(&case);
        let plan = self.registry.plan_as_text(&smaller.configuration, &smaller.plan).map_err(said)?;
        Ok(Answer::Shrunk(Box::new(Smaller {
            case: Some(smaller.with_plan_text(&plan).map_err(said)?),
            size: shrunk.after,
            replays: shrunk.replays,
            is_smallest: shrunk.cut.is_none(),
            runs_spent: shrunk.replays >= task.replays_max,
        })))
    }

    /// Finds out why a case fails, within the task's bounds.
    fn explain(&self, task: &ExplainTask) -> Result<Answer, String> {
        let case = Case::parse("the case", &task.text).map_err(|error| error.to_string())?;
        let (started, budget) = (Instant::now(), Duration::from_millis(task.budget_ms));
        let explained = explain(self.registry, &case, task.bounds, &mut |_, _| started.elapsed() < budget);
        let explained = explained.map_err(|error| error.to_string())?.map(|mut explanation| {
            let passing = explanation.passing.take();
            let passing = passing.map(|decisions| (decisions.schedule_text(), decisions.draws_text()));
            Box::new(Explained { explanation, passing })
        });
        Ok(Answer::Explained(explained))
    }

    /// How the engine differs from the one that the case was found with, if it says so itself or was built anew.
    fn identity_differs(&self, case: &Case) -> Option<String> {
        let choice = &case.configuration.engine;
        let (info, _) = self.registry.engines().find(|(info, _)| info.name == choice.name)?;
        if info.version != choice.version {
            return Some(format!("it is version {} now and was {}", info.version, choice.version));
        }
        (case.head.build != self.build).then(|| "the program has been built anew".to_string())
    }
}

fn ran(result: &RunResult, configuration: &Configuration) -> Ran {
    let frames = panics::take_frames();
    let is_panic = result.findings.first().is_some_and(|finding| finding.anomaly == "panic");
    let ran = Ran::of(result, configuration.world.policy.name());
    Ran { frames: if is_panic { frames } else { Vec::new() }, ..ran }
}
