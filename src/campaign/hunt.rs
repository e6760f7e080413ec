//! The parent's loop: hand out seeds, take results, confirm what was found, stop when asked.
//!
//! What comes out depends on the seeds alone, not on how many workers there were or who was faster; a budget in
//! time and an interruption cut the seeds, nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::build::build_fingerprint;
use super::coverage::{Coverage, Gathering, Source};
use super::lane::{Lane, LaneConfig};
use super::pool::{Death, DeathKind, Event, Placement, Pool, PoolConfig, Ticket, WorkerId};
use super::progress::{Progress, State};
use super::protocol::{Answer, FirstDivergence, Hello, Pilot, Ran, Request, ScenarioText, Spot, Task};
use super::store::{Store, StoreError};
use super::suspect::{Next, Suspect, Unstable, is_same};
use super::tally::Tally;
use crate::scenario::{Case, Scenario, ShrunkFacts, Size, StoredFinding};
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

/// What a campaign came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The lanes, in the order in which they were given.
    pub lanes: Vec<(LaneConfig, Tally)>,
    /// What was found, by lane and bucket.
    pub findings: Vec<Found>,
    /// What did not repeat.
    pub unstable: Vec<NotRepeated>,
    /// Runs that were executed a second time and were the same.
    pub repeated: u64,
    /// Workers that were replaced because they went down.
    pub workers_lost: u64,
    /// It was stopped before its end.
    pub interrupted: bool,
    /// It ended because its time was over.
    pub budget_spent: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// What its runs passed through; repeated runs and those beyond a first finding are among them.
    pub coverage: Coverage,
}

/// A confirmed finding.
#[derive(Clone, Debug)]
pub struct Found {
    /// The lane's place in [`Outcome::lanes`].
    pub lane: usize,
    /// Its bucket.
    pub bucket: String,
    /// The lowest seed that shows it.
    pub seed: u64,
    /// How many seeds show it.
    pub seeds: u64,
    /// What it is.
    pub finding: StoredFinding,
    /// Turns of the run.
    pub turns: u64,
    /// Crashes of the run.
    pub crashes: u64,
    /// Faults of the run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Its case, relative to the folder of results; none when it was stopped before it was written.
    pub case: Option<String>,
    /// How large it was when it was found, and what came of making it smaller, if that was tried.
    pub sizes: (Option<Size>, Option<ShrunkFacts>),
}

/// A seed that did not repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRepeated {
    /// The lane's place in [`Outcome::lanes`].
    pub lane: usize,
    /// The seed.
    pub seed: u64,
    /// What differed.
    pub sentence: String,
    /// Where.
    pub divergence: Option<FirstDivergence>,
}

/// Runs a campaign to its end.
///
/// # Errors
/// When a worker cannot be started, a result cannot be written, or a worker refuses its task.
pub fn run(
    config: &CampaignConfig,
    scenarios: &[Scenario],
    lanes: Vec<LaneConfig>,
    store: &Store,
    progress: &mut dyn Progress,
    interrupts: &Interrupts,
) -> Result<Outcome, CampaignError> {
    let texts = scenarios
        .iter()
        .map(|scenario| ScenarioText { name: scenario.name.clone(), entries: scenario.entries().to_vec() });
    let hello = Hello { scenarios: texts.collect(), memory_max: config.pool.memory_max, build: None };
    let mut hunt = Hunt {
        lanes: lanes.into_iter().map(Lane::new).collect(),
        pool: Pool::new(config.pool.clone(), hello),
        store,
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
        repeated: 0,
        workers_lost: 0,
        state: State::default(),
        coverage: Gathering::default(),
        started: Instant::now(),
        deadline: config.budget.map(|budget| Instant::now() + budget),
        aim: config.aim,
        budget_spent: false,
        elapsed: Duration::ZERO,
        build: None,
    };
    hunt.send_pilots();
    hunt.go(progress, interrupts)?;
    hunt.settle();
    if let Some(budget) = config.shrink_budget.filter(|budget| !budget.is_zero()) {
        hunt.shrink(budget, progress, interrupts)?;
    }
    hunt.finish(interrupts)
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
    /// The lowest seed under suspicion, by lane and bucket.
    chosen: BTreeMap<(usize, String), u64>,
    cases: BTreeMap<(usize, String, u64), String>,
    unstable: Vec<NotRepeated>,
    repeated: u64,
    workers_lost: u64,
    state: State,
    coverage: Gathering,
    started: Instant,
    deadline: Option<Instant>,
    aim: Aim,
    budget_spent: bool,
    /// How long the search took, making findings smaller left out.
    elapsed: Duration,
    build: Option<Option<Fingerprint>>,
}

impl Hunt<'_> {
    fn go(&mut self, progress: &mut dyn Progress, interrupts: &Interrupts) -> Result<(), CampaignError> {
        loop {
            let stopping = interrupts.count() > 0 || self.is_late();
            self.dispatch(stopping)?;
            let nothing_left = self.pool.outstanding() == 0 && self.urgent.is_empty();
            if nothing_left && (stopping || self.again.is_empty()) || interrupts.count() > 1 {
                return Ok(());
            }
            for event in self.pool.next(Duration::from_millis(LOOK_AROUND_MS)) {
                self.handle(event, progress)?;
            }
            self.state.total = self.total();
            progress.tick(self.state);
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
            Event::Answered { ticket, worker, answer, gain } => {
                let Some(sent) = self.tasks.remove(&ticket) else { return Ok(()) };
                if let (Task::Search(spot), Some(gain)) = (&sent.task, gain) {
                    self.passed(worker, spot, &gain);
                }
                self.answered(sent, worker, answer, progress)
            }
            Event::Lost { ticket, death } => {
                let Some(sent) = self.tasks.remove(&ticket) else { return Ok(()) };
                self.workers_lost += 1;
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
                self.result(lane, seed, *ran, None, progress)
            }
            (Purpose::Repeat { lane, seed, first }, Answer::Ran(second)) => {
                if is_same(&first, &second) {
                    self.repeated += 1;
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
                self.result(lane, seed, of_death(death), Some(death.kind), progress)
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
        let place = (lane, bucket.clone());
        if self.lanes[lane].is_beyond(seed) || self.chosen.get(&place).is_some_and(|chosen| *chosen <= seed) {
            return Ok(());
        }
        self.chosen.insert(place, seed);
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
        // Reading the whole program takes a while, and only cases want to know.
        let build = *self.build.get_or_insert_with(build_fingerprint);
        let case = finished_case(case, bucket, seen, build).map_err(CampaignError::Task)?;
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
        self.unstable.push(NotRepeated { lane, seed, sentence, divergence });
    }

    /// No more results will come.
    fn settle(&mut self) {
        self.elapsed = self.started.elapsed();
        self.budget_spent = self.is_late() && self.lanes.iter().any(Lane::has_more);
        self.lanes.iter_mut().for_each(Lane::finish);
        self.unstable.retain(|one| !self.lanes[one.lane].is_beyond(one.seed));
        self.unstable.sort_by_key(|one| (one.lane, one.seed));
    }

    /// Makes the case of each bucket smaller, as many at a time as there are workers.
    fn shrink(
        &mut self,
        budget: Duration,
        progress: &mut dyn Progress,
        interrupts: &Interrupts,
    ) -> Result<(), CampaignError> {
        // What takes its process down has no decisions to work on.
        let hits = self.lanes.iter().enumerate().flat_map(|(index, lane)| {
            let hits = lane.tally.hits.iter().filter(|(_, hit)| hit.finding.property != "process");
            hits.map(move |(bucket, hit)| (index, bucket.clone(), hit.seed))
        });
        let places: Vec<_> = hits.filter(|place| self.cases.contains_key(place)).collect();
        let cases = places.iter().map(|place| self.cases[place].clone()).collect();
        let shrunk = super::smaller::all(&mut self.pool, &mut self.tickets, cases, budget, progress, interrupts)?;
        self.cases.extend(places.into_iter().zip(shrunk));
        Ok(())
    }

    fn finish(self, interrupts: &Interrupts) -> Result<Outcome, CampaignError> {
        let mut findings = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            for (bucket, hit) in &lane.tally.hits {
                if self.unstable.iter().any(|one| one.lane == index && one.seed == hit.seed) {
                    continue;
                }
                let case = self.cases.get(&(index, bucket.clone(), hit.seed));
                let parsed = case.and_then(|case| Case::parse("the case", case).ok());
                let sizes = parsed.map_or((None, None), |case| (case.original, case.shrunk));
                let name = case.map(|case| {
                    let plain = format!("{bucket}/{}.case", hit.seed);
                    // Two scenarios may hit one bucket with one seed.
                    let name =
                        if names.contains(&plain) { format!("{bucket}/{}-{index}.case", hit.seed) } else { plain };
                    names.insert(name.clone());
                    self.store.write(&name, case).map(|_| name)
                });
                findings.push(Found { sizes, ..found(index, bucket, hit, &self.suspects, name.transpose()?) });
            }
        }
        // A lower seed has taken the place of what was written first.
        for (_, bucket, seed) in self.cases.keys() {
            let name = format!("{bucket}/{seed}.case");
            if !names.contains(&name) {
                self.store.remove(&name);
            }
        }
        Ok(Outcome {
            lanes: self.lanes.into_iter().map(|lane| (lane.config, lane.tally)).collect(),
            findings,
            unstable: self.unstable,
            repeated: self.repeated,
            workers_lost: self.workers_lost,
            interrupted: interrupts.count() > 0,
            budget_spent: self.budget_spent,
            coverage: self.coverage.finish(self.elapsed),
            elapsed: self.elapsed,
        })
    }
}

fn found(
    lane: usize,
    bucket: &str,
    hit: &super::tally::Hit,
    suspects: &[(usize, String, Suspect)],
    case: Option<String>,
) -> Found {
    let is_it = |suspect: &&(usize, String, Suspect)| suspect.0 == lane && suspect.2.spot.seed == hit.seed;
    Found {
        lane,
        bucket: bucket.to_string(),
        seed: hit.seed,
        seeds: hit.seeds,
        finding: hit.finding.clone(),
        turns: suspects.iter().find(is_it).map_or(0, |(_, _, suspect)| match suspect.seen.schedules {
            // The turns of all schedules before are among them.
            Some(_) => 0,
            None => suspect.seen.turns,
        }),
        crashes: hit.crashes,
        faults: hit.faults.clone(),
        case,
        sizes: (None, None),
    }
}

/// Whether a seed is run twice: by its hash, so that it does not depend on what else runs.
#[must_use]
pub fn is_repeated(seed: u64) -> bool {
    stream_seed(seed, "repeat", 0).is_multiple_of(REPEAT_ONE_IN)
}

/// The run of a worker that went down at it.
pub(super) fn of_death(death: &Death) -> Ran {
    let what = match death.kind {
        DeathKind::Aborted => "The engine took its process down",
        DeathKind::StackOverflow => "The engine overflowed its stack",
        DeathKind::Hang => "The engine did not come back from a call",
        DeathKind::OutOfMemory => "The engine asked for more memory than it may have",
    };
    let finding = StoredFinding {
        property: "process".to_string(),
        anomaly: death.kind.anomaly().to_string(),
        sentence: format!("{what}: {}.", death.detail.trim_end_matches('.')),
        ..StoredFinding::default()
    };
    Ran { finding: Some(finding), ..Ran::default() }
}

/// The case with its bucket and build, and with the finding of a run that did not survive.
fn finished_case(text: &str, bucket: &str, seen: &Ran, build: Option<Fingerprint>) -> Result<String, String> {
    let case = Case::parse("the case just recorded", text).map_err(|error| error.to_string())?;
    // The text is kept as it is, because its plan is laid out for people; two parts are filled in.
    let build = build.map(|build| format!("build = \"{build}\"\n")).unwrap_or_default();
    let text = text.replacen("bucket = \"\"", &format!("{build}bucket = \"{bucket}\""), 1);
    if case.finding.property.is_empty()
        && let (Some(finding), Some(from)) = (&seen.finding, text.find("[finding]"))
        && let Some(to) = text[from..].find("[configuration]")
    {
        let table = toml::Table::from_iter([(
            "finding".to_string(),
            toml::Value::try_from(finding).map_err(|error| error.to_string())?,
        )]);
        let finding = toml::to_string(&table).map_err(|error| error.to_string())?;
        return Ok(format!("{}{}\n{}", &text[..from], finding, &text[from + to..]));
    }
    Ok(text)
}
