//! The loop of the measurement: starts are cut into sweeps of some seeds, which worker processes make.
//!
//! The sweeps of one start follow one another, so that a start ends at its first finding; starts run side by
//! side. A worker that goes down at a sweep loses that sweep alone: its seeds are then run one by one, and the
//! one that takes its worker down again is a finding.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::record::Record;
use super::{Contender, Start, Target};
use crate::campaign::hunt::{CampaignError, Interrupts};
use crate::campaign::pool::{Event, Placement, Pool, PoolConfig, Ticket};
use crate::campaign::progress::{Progress, State};
use crate::campaign::protocol::{Answer, Hello, ScenarioText, Spot, Sweep, Swept, Task};

/// Seeds of a sweep: enough that talking costs nothing, few enough that a slow machine is not taken for hung.
const SWEEP_SEEDS: u64 = 100;
/// Starts take their seeds from blocks of so many.
const SEEDS_APART: u64 = 1 << 32;
/// How long the loop waits before it looks around.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// The bugs.
    pub targets: &'a [Target],
    /// Who takes part.
    pub contenders: &'a [Contender],
}

/// A start under way.
struct UnderWay {
    target: usize,
    contender: usize,
    start: u64,
    done: Start,
    /// Until this many runs each seed has a sweep of its own, because one of them takes its worker down.
    singly_until: u64,
}

/// Makes all starts that `record` does not hold yet, and notes each in it; false when it was interrupted.
///
/// # Errors
/// When a worker cannot be started or a start cannot be noted.
pub fn measure(
    search: &Search<'_>,
    pool: &PoolConfig,
    record: &mut Record,
    progress: &mut dyn Progress,
    interrupts: &Interrupts,
) -> Result<bool, CampaignError> {
    let texts = search.targets.iter().flat_map(|target| &target.scenarios);
    let texts =
        texts.map(|scenario| ScenarioText { name: scenario.name.clone(), entries: scenario.entries().to_vec() });
    let hello = Hello { scenarios: texts.collect(), memory_max: pool.memory_max, build: None };
    let mut ready = missing(search, record);
    let mut pool = Pool::new(pool.clone(), hello);
    let (mut sent, mut ticket) = (BTreeMap::<Ticket, UnderWay>::new(), 0);
    let mut state = State { total: Some(ready.iter().map(|one| limit(search, one)).sum()), ..State::default() };
    loop {
        while interrupts.count() == 0
            && let Some(one) = ready.pop_front()
        {
            ticket += 1;
            if !pool.send(ticket, &task(search, &one), Placement::Any, 2)? {
                ready.push_front(one);
                break;
            }
            sent.insert(ticket, one);
        }
        if sent.is_empty() {
            return Ok(ready.is_empty());
        }
        for event in pool.next(LOOK_AROUND) {
            let (ticket, swept) = match event {
                Event::Answered { ticket, answer: Answer::Swept(swept), .. } => (ticket, Some(swept)),
                Event::Answered { answer: Answer::Failed(reason), .. } => return Err(CampaignError::Task(reason)),
                Event::Answered { answer, .. } => {
                    return Err(CampaignError::Task(format!("{answer:?} answers nothing")));
                }
                Event::HandedBack { ticket } => {
                    ready.extend(sent.remove(&ticket));
                    continue;
                }
                Event::Lost { ticket, death } => {
                    progress.note(&format!("a worker went down and was replaced: {}", death.detail));
                    (ticket, None)
                }
            };
            let Some(mut one) = sent.remove(&ticket) else { continue };
            one.take(search, swept);
            let limit = limit(search, &one);
            if one.done.found || one.done.runs >= limit {
                // Runs that are not needed any more count as done, so that the bar gets to its end.
                state.runs += limit;
                state.findings += u64::from(one.done.found);
                let bug = &search.targets[one.target].bug;
                record.note(bug, search.contenders[one.contender].name, one.start, one.done)?;
            } else {
                // Goes on before new starts do, so that few are half done when somebody interrupts.
                ready.push_front(one);
            }
        }
        progress.tick(state);
    }
}

/// The starts that are still to be made. The first ones of all bugs go before the second ones, so that a
/// measurement that is interrupted has as many of each.
fn missing(search: &Search<'_>, record: &Record) -> VecDeque<UnderWay> {
    let most = search.contenders.iter().map(|contender| contender.starts).max().unwrap_or(0);
    let mut all = VecDeque::new();
    for start in 0..most {
        for (target, bug) in search.targets.iter().enumerate() {
            for (contender, config) in search.contenders.iter().enumerate() {
                // One long start says as much of a change that does no harm as twenty.
                let starts = if bug.harmless { 1 } else { config.starts };
                if start < starts && record.get(&bug.bug, config.name, start).is_none() {
                    all.push_back(UnderWay { target, contender, start, done: Start::default(), singly_until: 0 });
                }
            }
        }
    }
    all
}

fn limit(search: &Search<'_>, one: &UnderWay) -> u64 {
    search.contenders[one.contender].runs_max
}

fn task(search: &Search<'_>, one: &UnderWay) -> Task {
    let before: usize = search.targets[..one.target].iter().map(|target| target.scenarios.len()).sum();
    let spot = Spot {
        scenario: before + one.contender,
        engine: search.targets[one.target].engine.clone(),
        seed: one.start * SEEDS_APART + one.done.runs,
    };
    Task::Sweep(Sweep { spot, seeds: one.sweep(search) })
}

impl UnderWay {
    fn sweep(&self, search: &Search<'_>) -> u64 {
        let most = if self.done.runs < self.singly_until { 1 } else { SWEEP_SEEDS };
        most.min(limit(search, self) - self.done.runs)
    }

    fn take(&mut self, search: &Search<'_>, swept: Option<Swept>) {
        let seeds = self.sweep(search);
        let Some(Swept { runs, turns, turns_most, found }) = swept else {
            if seeds == 1 {
                self.done.runs += 1;
                self.done.found = true;
            }
            self.singly_until = self.done.runs + seeds;
            return;
        };
        let done = &mut self.done;
        *done = Start {
            runs: done.runs + runs,
            found,
            turns: done.turns + turns,
            turns_most: done.turns_most.max(turns_most),
        };
    }
}
