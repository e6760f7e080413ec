//! The parent's loop: hand out seeds, take results, confirm what was found, stop when asked.
//!
//! What comes out depends on the seeds alone, not on how many workers there were or who was faster; a budget in
//! time and an interruption cut the seeds, nothing else.

mod memory;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::build::build_fingerprint;
use super::coverage::{Gathering, Source};
use super::evidence::{finished_case, of_death};
use super::journal::{Journal, Note};
use super::lane::{Lane, LaneConfig};
use super::manifest::{Manifest, Progressed};
use super::outcome::{NotRepeated, Outcome};
use super::pace::Pace;
use super::pool::{Death, DeathKind, Event, Placement, Pool, PoolConfig, Ticket, WorkerId};
use super::progress::{Progress, State};
use super::protocol::{Answer, Hello, Pilot, Ran, Request, ScenarioText, Spot, Task};
use super::shard::Shard;
use super::store::{Store, StoreError};
use super::suspect::{Next, Suspect, Unstable, is_same};
use crate::scenario::{Case, Scenario};
use crate::tape::{Fingerprint, stream_seed};
use crate::trace::Gain;

/// One run in so many is executed twice, in another worker.
pub const REPEAT_ONE_IN: u64 = 20;

/// Which seeds are run twice, and whether findings are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Find: one run in [`REPEAT_ONE_IN`] is repeated, each finding is confirmed and its case written.
    Find,
    /// Compare: every run is repeated in another worker, and findings are nobody's business.
    Compare,
}

/// The seed of pilot runs.
pub(super) const PILOT_SEED: u64 = 0;

/// How long the loop waits before it looks around, in milliseconds.
const LOOK_AROUND_MS: u64 = 100;

/// How a campaign is run.
#[derive(Clone, Debug)]
pub struct CampaignConfig {
    /// The workers.
    pub pool: PoolConfig,
    /// No seed is started after so long.
    pub budget: Option<Duration>,
    /// What it is for.
    pub aim: Aim,
    /// So long may be spent on making each finding smaller; nothing is made smaller without it.
    pub shrink_budget: Option<Duration>,
}

/// A campaign that cannot go on.
#[derive(Debug, Error)]
pub enum CampaignError {
    /// A worker cannot be started.
    #[error("a worker process cannot be started: {0}")]
    Worker(#[from] std::io::Error),
    /// A result cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker could not do what it was told.
    #[error("a worker could not do its task: {0}")]
    Task(String),
}

/// Counts the requests to stop: the first finishes what is under way, the second ends it.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// One more request.
    pub fn request(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs a campaign to its end. One that finds goes on from what the journal in its folder says is finished.
///
/// # Errors
/// When a worker cannot be started, a result cannot be written, or a worker refuses its task.
pub fn run(
    config: &CampaignConfig,
    scenarios: &[Scenario],
    mut manifest: Manifest,
    store: &Store,
    progress: &mut dyn Progress,
    interrupts: &Interrupts,
) -> Result<Outcome, CampaignError> {
    let texts = scenarios
        .iter()
        .map(|scenario| ScenarioText { name: scenario.name.clone(), entries: scenario.entries().to_vec() });
    let hello = Hello { scenarios: texts.collect(), memory_max: config.pool.memory_max, build: None };
    let mut journal = None;
    let mut recalled = Vec::new();
    if config.aim == Aim::Find {
        manifest.build = build_fingerprint();
        let (opened, notes) = Journal::open(store, &manifest)?;
        (journal, recalled) = (Some(opened), notes);
    }
    let shard = manifest.shards.first().copied().unwrap_or(Shard::WHOLE);
    let mut hunt = Hunt {
        lanes: manifest.lanes.iter().cloned().map(|config| Lane::new(config, shard)).collect(),
        pool: Pool::new(config.pool.clone(), hello),
        store,
        journal,
        recalled,
        tasks: BTreeMap::new(),
        tickets: 0,
        pilots: 0,
        urgent: VecDeque::new(),
        again: VecDeque::new(),
        turn: 0,
        suspects: Vec::new(),
        chosen: BTreeMap::new(),
        cases: BTreeMap::new(),
        unstable: Vec::new(),
        pace: Pace::default(),
        state: State::default(),
        coverage: Gathering::default(),
        started: Instant::now(),
        deadline: config.budget.map(|budget| Instant::now() + budget),
        aim: config.aim,
        build: manifest.build,
    };
    hunt.send_pilots();
    hunt.go(progress, interrupts)?;
    hunt.finish(manifest, config.shrink_budget, progress, interrupts)
}

/// Why a task was sent.
#[derive(Clone, Debug)]
enum Purpose {
    Pilot { lane: usize },
    Search { lane: usize, seed: u64 },
    Repeat { lane: usize, seed: u64, first: Box<Ran> },
    Suspect(usize),
}

struct Sent {
    purpose: Purpose,
    task: Task,
    placement: Placement,
}

struct Hunt<'a> {
    lanes: Vec<Lane>,
    pool: Pool,
    store: &'a Store,
    journal: Option<Journal>,
    /// What an earlier start of this campaign has finished; taken up when the pilots are back.
    recalled: Vec<Note>,
    tasks: BTreeMap<Ticket, Sent>,
    tickets: Ticket,
    /// Pilot runs that are still out; no seed is started before they are back.
    pilots: usize,
    /// Goes before any new seed.
    urgent: VecDeque<Sent>,
    /// Seeds that were queued behind one that took its worker down.
    again: VecDeque<Sent>,
    /// Whose lane's turn it is.
    turn: usize,
    suspects: Vec<(usize, String, Suspect)>,
    /// The seed that shows a bucket best so far, by its turns and then by itself.
    chosen: BTreeMap<(usize, String), (u64, u64)>,
    cases: BTreeMap<(usize, String, u64), String>,
    unstable: Vec<NotRepeated>,
    pace: Pace,
    state: State,
    coverage: Gathering,
    started: Instant,
    deadline: Option<Instant>,
    aim: Aim,
    build: Option<Fingerprint>,
}

impl Hunt<'_> {
    fn go(&mut self, progress: &mut dyn Progress, interrupts: &Interrupts) -> Result<(), CampaignError> {
        loop {
            let stopping = interrupts.count() > 0 || self.is_late();
            if self.pilots == 0 && !self.recalled.is_empty() {
                self.recall(progress)?;
            }
            self.dispatch(stopping)?;
            let nothing_left = self.pool.outstanding() == 0 && self.urgent.is_empty();
            if nothing_left && (stopping || self.again.is_empty()) || interrupts.count() > 1 {
                return Ok(());
            }
            for event in self.pool.next(Duration::from_millis(LOOK_AROUND_MS)) {
                self.handle(event, progress)?;
            }
            if let Some(journal) = &mut self.journal {
                journal.flush()?;
            }
            self.state.total = self.total();
            progress.tick(self.state);
            self.sample();
        }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn total(&self) -> Option<u64> {
        if self.deadline.is_some() {
            return None;
        }
        let left = |lane: &Lane| if lane.has_more() { lane.remaining() } else { 0 };
        let out = self.tasks.values().filter(|sent| matches!(sent.purpose, Purpose::Search { .. })).count();
        Some(self.state.runs + out as u64 + self.lanes.iter().map(left).sum::<u64>())
    }

    fn dispatch(&mut self, stopping: bool) -> Result<(), CampaignError> {
        while let Some(sent) = self.urgent.pop_front() {
            if let Some(sent) = self.send(sent, 2)? {
                self.urgent.push_front(sent);
                // New seeds would keep every worker busy for ever.
                return Ok(());
            }
        }
        if stopping || self.pilots > 0 {
            return Ok(());
        }
        while let Some(sent) = self.again.pop_front().or_else(|| self.next_seed()) {
            if let Some(sent) = self.send(sent, 2)? {
                self.again.push_front(sent);
                break;
            }
        }
        Ok(())
    }

    /// One pilot run for each lane: a function of scenario and engine, whatever seeds will be run.
    fn send_pilots(&mut self) {
        self.pilots = self.lanes.len();
        for lane in 0..self.lanes.len() {
            let task = Task::Pilot(self.spot(lane, PILOT_SEED));
            self.urgent.push_back(Sent { purpose: Purpose::Pilot { lane }, task, placement: Placement::Any });
        }
    }

    /// The next seed, the lanes taking turns.
    fn next_seed(&mut self) -> Option<Sent> {
        for _ in 0..self.lanes.len() {
            let lane = self.turn % self.lanes.len();
            self.turn += 1;
            if let Some(seed) = self.lanes[lane].start() {
                let task = Task::Search(self.spot(lane, seed));
                return Some(Sent { purpose: Purpose::Search { lane, seed }, task, placement: Placement::Any });
            }
        }
        None
    }

    fn spot(&self, lane: usize, seed: u64) -> Spot {
        let config = &self.lanes[lane].config;
        Spot { scenario: config.scenario, engine: config.engine.clone(), seed }
    }

    /// Sends a task, or gives it back when no worker can take it now.
    fn send(&mut self, sent: Sent, depth: usize) -> Result<Option<Sent>, CampaignError> {
        self.tickets += 1;
        if !self.pool.send(self.tickets, &sent.task, sent.placement, depth)? {
            return Ok(Some(sent));
        }
        self.tasks.insert(self.tickets, sent);
        Ok(None)
    }

    fn handle(&mut self, event: Event, progress: &mut dyn Progress) -> Result<(), CampaignError> {
        match event {
            Event::Answered { ticket, worker, answer, took, gain } => {
                let Some(sent) = self.tasks.remove(&ticket) else { return Ok(()) };
                if let (Task::Search(spot), Some(gain)) = (&sent.task, gain) {
                    self.passed(worker, spot, &gain);
                }
                self.watch(&sent, &answer, took);
                self.answered(sent, worker, answer, progress)
            }
            Event::Lost { ticket, death } => {
                let Some(sent) = self.tasks.remove(&ticket) else { return Ok(()) };
                self.pace.workers_lost += 1;
                self.lost(sent, &death, progress)
            }
            Event::HandedBack { ticket } => {
                if let Some(sent) = self.tasks.remove(&ticket) {
                    match sent.purpose {
                        Purpose::Search { .. } => self.again.push_back(sent),
                        _ => self.urgent.push_back(sent),
                    }
                }
                Ok(())
            }
        }
    }

    fn passed(&mut self, worker: WorkerId, spot: &Spot, gain: &Gain) {
        let (scenario, engine) = (spot.scenario, spot.engine.as_str());
        let is_it = |lane: &&Lane| lane.config.scenario == scenario;
        let scenario_name = self.lanes.iter().find(is_it).map_or("", |lane| lane.config.scenario_name.as_str());
        self.coverage.add(&Source { worker, scenario, scenario_name, engine }, gain, self.started.elapsed());
        self.state.reached = self.coverage.reached();
    }

    fn answered(
        &mut self,
        sent: Sent,
        worker: WorkerId,
        answer: Answer,
        progress: &mut dyn Progress,
    ) -> Result<(), CampaignError> {
        match (sent.purpose, answer) {
            (Purpose::Suspect(index), answer) => {
                let next = self.suspects[index].2.answered(worker, answer);
                self.follow(index, next, progress)
            }
            (_, Answer::Failed(reason)) => Err(CampaignError::Task(reason)),
            (Purpose::Pilot { lane }, Answer::Piloted(estimates)) => {
                self.pilots -= 1;
                let LaneConfig { scenario, engine, .. } = self.lanes[lane].config.clone();
                self.pool.tell(Request::Pilot(Pilot { scenario, engine, estimates: *estimates }));
                Ok(())
            }
            (Purpose::Search { lane, seed }, Answer::Ran(ran)) => {
                if (self.aim == Aim::Compare || is_repeated(seed)) && !self.lanes[lane].is_beyond(seed) {
                    let purpose = Purpose::Repeat { lane, seed, first: ran.clone() };
                    self.urgent.push_back(Sent { purpose, task: sent.task, placement: Placement::Not(worker) });
                }
                self.note(|| Note::Ran { lane, seed, death: None, ran: ran.clone() });
                self.result(lane, seed, *ran, None, progress)
            }
            (Purpose::Repeat { lane, seed, first }, Answer::Ran(second)) => {
                if is_same(&first, &second) {
                    self.pace.repeated += 1;
                    self.note(|| Note::Repeated { lane, seed });
                    return Ok(());
                }
                let suspect = Suspect::unequal(self.spot(lane, seed), *first, &second);
                self.suspect(lane, "unequal".to_string(), suspect, progress)
            }
            (_, answer) => Err(CampaignError::Task(format!("{answer:?} answers nothing"))),
        }
    }

    fn lost(&mut self, sent: Sent, death: &Death, progress: &mut dyn Progress) -> Result<(), CampaignError> {
        match sent.purpose {
            Purpose::Pilot { .. } => {
                self.pilots -= 1;
                progress.note(&format!("a pilot run went down, and policies do without: {}", death.detail));
                Ok(())
            }
            Purpose::Suspect(index) => {
                let next = self.suspects[index].2.lost(death);
                self.follow(index, next, progress)
            }
            Purpose::Search { lane, seed } => {
                progress.note(&format!("a worker went down and was replaced: {}", death.detail));
                let (ran, death) = (of_death(death), Some(death.kind));
                self.note(|| Note::Ran { lane, seed, death, ran: Box::new(ran.clone()) });
                self.result(lane, seed, ran, death, progress)
            }
            Purpose::Repeat { lane, seed, .. } => {
                let sentence = format!("the seed ended well and then took its process down: {}", death.detail);
                self.unstable(lane, seed, Unstable { sentence, divergence: None }, progress);
                Ok(())
            }
        }
    }

    fn result(
        &mut self,
        lane: usize,
        seed: u64,
        ran: Ran,
        death: Option<DeathKind>,
        progress: &mut dyn Progress,
    ) -> Result<(), CampaignError> {
        self.state.runs += 1;
        self.state.turns += ran.turns;
        let bucket = self.lanes[lane].bucket(&ran);
        self.lanes[lane].take(seed, ran.clone());
        let Some(bucket) = bucket.filter(|_| self.aim == Aim::Find) else { return Ok(()) };
        let (place, rank) = ((lane, bucket.clone()), (ran.turns, seed));
        if self.lanes[lane].is_beyond(seed) || self.chosen.get(&place).is_some_and(|chosen| *chosen <= rank) {
            return Ok(());
        }
        self.chosen.insert(place, rank);
        let spot = self.spot(lane, seed);
        let suspect = match death {
            Some(kind) => Suspect::with_death(spot, ran, kind),
            None => Suspect::with_finding(spot, ran),
        };
        self.suspect(lane, bucket, suspect, progress)
    }

    fn suspect(
        &mut self,
        lane: usize,
        bucket: String,
        (suspect, next): (Suspect, Next),
        progress: &mut dyn Progress,
    ) -> Result<(), CampaignError> {
        self.suspects.push((lane, bucket, suspect));
        self.follow(self.suspects.len() - 1, next, progress)
    }

    fn follow(&mut self, index: usize, next: Next, progress: &mut dyn Progress) -> Result<(), CampaignError> {
        let (lane, bucket, suspect) = &self.suspects[index];
        let (lane, bucket, seed) = (*lane, bucket.clone(), suspect.spot.seed);
        match next {
            Next::Do(task, placement) => {
                self.urgent.push_back(Sent { purpose: Purpose::Suspect(index), task, placement });
            }
            Next::Confirmed(case) => self.confirmed((lane, bucket, seed), index, &case, progress)?,
            Next::Unstable(unstable) => self.unstable(lane, seed, unstable, progress),
            Next::Failed(reason) => return Err(CampaignError::Task(reason)),
        }
        Ok(())
    }

    fn confirmed(
        &mut self,
        place: (usize, String, u64),
        index: usize,
        case: &str,
        progress: &mut dyn Progress,
    ) -> Result<(), CampaignError> {
        let (lane, bucket, seed) = &place;
        let is_first = !self.cases.keys().any(|(known, name, _)| known == lane && name == bucket);
        let seen = &self.suspects[index].2.seen;
        let case = finished_case(case, bucket, seen, self.build).map_err(CampaignError::Task)?;
        // Written at once, so that a campaign that is killed loses nothing; names are settled at the end.
        self.store.write(&format!("{bucket}/{seed}.case"), &case)?;
        if is_first {
            self.state.findings += 1;
            let config = &self.lanes[*lane].config;
            let sentence = seen.finding.as_ref().map_or("", |finding| finding.sentence.as_str());
            progress.found(&format!("{} on {}, seed {seed}: {sentence}", config.scenario_name, config.label));
        }
        self.cases.insert(place, case);
        Ok(())
    }

    fn unstable(&mut self, lane: usize, seed: u64, unstable: Unstable, progress: &mut dyn Progress) {
        let Unstable { sentence, divergence } = unstable;
        if self.unstable.iter().any(|known| known.lane == lane && known.seed == seed) {
            return;
        }
        let config = &self.lanes[lane].config;
        progress.found(&format!(
            "{} on {}, seed {seed}: not deterministic: {sentence}",
            config.scenario_name, config.label
        ));
        let note = Note::Unstable { lane, seed, sentence: sentence.clone(), divergence };
        self.note(|| note);
        self.unstable.push(NotRepeated { lane, seed, sentence, divergence });
    }

    fn finish(
        mut self,
        mut manifest: Manifest,
        shrink_budget: Option<Duration>,
        progress: &mut dyn Progress,
        interrupts: &Interrupts,
    ) -> Result<Outcome, CampaignError> {
        // Making findings smaller takes no time of the search's.
        let is_late = self.is_late() && self.lanes.iter().any(Lane::has_more);
        self.sample_last();
        self.lanes.iter_mut().for_each(Lane::finish);
        self.unstable.retain(|one| !self.lanes[one.lane].is_beyond(one.seed));
        manifest.state = if is_late { Progressed::BudgetSpent } else { Progressed::Complete };
        let lanes = std::mem::take(&mut self.lanes).into_iter().map(|lane| (lane.config, lane.tally)).collect();
        let mut outcome = Outcome::of(manifest, lanes, std::mem::take(&mut self.unstable));
        if let Some(budget) = shrink_budget.filter(|budget| !budget.is_zero()) {
            self.shrink(&outcome, budget, progress, interrupts)?;
        }
        if interrupts.count() > 0 {
            outcome.manifest.state = Progressed::Interrupted;
        }
        for found in &mut outcome.findings {
            if let Some(case) = self.cases.get(&(found.lane, found.bucket.clone(), found.seed)) {
                let name = format!("{}/{}.case", found.bucket, found.seed);
                self.store.write(&name, case)?;
                self.store.keep_case(&found.bucket, found.seed);
                found.case = Some(name);
                found.sizes = Case::parse("the case", case).map_or((None, None), |case| (case.original, case.shrunk));
            }
        }
        outcome.coverage = self.coverage.finish(self.started.elapsed());
        outcome.pace = self.pace;
        if let Some(journal) = self.journal {
            journal.close(self.store, &outcome.manifest)?;
        }
        Ok(outcome)
    }

    /// Makes the case of each bucket smaller, as many at a time as there are workers.
    fn shrink(
        &mut self,
        outcome: &Outcome,
        budget: Duration,
        progress: &mut dyn Progress,
        interrupts: &Interrupts,
    ) -> Result<(), CampaignError> {
        // What takes its process down has no decisions to work on.
        let found = outcome.findings.iter().filter(|found| found.finding.property != "process");
        let places = found.map(|found| (found.lane, found.bucket.clone(), found.seed));
        let places: Vec<_> = places.filter(|place| self.cases.contains_key(place)).collect();
        let cases = places.iter().map(|place| self.cases[place].clone()).collect();
        let shrunk = super::smaller::all(&mut self.pool, &mut self.tickets, cases, budget, progress, interrupts)?;
        self.cases.extend(places.into_iter().zip(shrunk));
        Ok(())
    }
}

/// Whether a seed is run twice: by its hash, so that it does not depend on what else runs.
#[must_use]
pub fn is_repeated(seed: u64) -> bool {
    stream_seed(seed, "repeat", 0).is_multiple_of(REPEAT_ONE_IN)
}
