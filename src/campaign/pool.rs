//! Worker processes: started, fed, watched, replaced. What they work on is none of the pool's business.
//!
//! ```text
//!  send ──▶ [writer thread] ──stdin──▶ worker ──stdout──▶ [reader thread] ──▶ events
//!                                        │ └────stderr──▶ [tail thread]  last words
//!  tick ──▶ too long at one task, too much memory ──▶ kill ──▶ Lost, and a new worker in its place
//! ```
//!
//! A worker that goes down loses the one task it was at; what was queued behind that is handed back.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::limits::resident_bytes;
use super::protocol::{Answer, Hello, MARK, Request, Response, Task};
use crate::trace::Gain;

/// How much of a worker's standard error is kept, in bytes.
const LAST_WORDS_MAX: usize = 4096;

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to its environment.
    pub env: Vec<(OsString, OsString)>,
}

impl WorkerCommand {
    /// This very program with its hidden verb. On Linux the running image itself, even when a build has
    /// replaced the file since.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub fn this_program() -> std::io::Result<Self> {
        let image = PathBuf::from("/proc/self/exe");
        let program = if image.exists() { image } else { std::env::current_exe()? };
        // A backtrace per panic would cost more than the run.
        Ok(Self { program, args: vec!["worker".into()], env: vec![("RUST_BACKTRACE".into(), "0".into())] })
    }
}

/// How workers are treated. Times are wall time: they decide only when to give a worker up.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// How a worker is started.
    pub command: WorkerCommand,
    /// How many work at a time.
    pub jobs: usize,
    /// How long a task may take before its worker counts as hung.
    pub hang_after: Duration,
    /// The memory a worker may hold, in bytes.
    pub memory_max: Option<u64>,
    /// A worker is replaced after so many tasks.
    pub tasks_max: u32,
    /// A worker that holds more than this after a task is replaced, in bytes: some engines leak when they crash.
    pub leak_max: u64,
}

/// One worker process, never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerId(u64);

/// A task's number, given by whoever sends it.
pub type Ticket = u64;

/// Where a task may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To any worker.
    Any,
    /// To another worker than this.
    Not(WorkerId),
    /// To a worker that has done nothing yet.
    Fresh,
}

/// How a worker went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// What it looks like.
    pub kind: DeathKind,
    /// How the process ended, and the last it said.
    pub detail: String,
}

/// What a worker's end looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeathKind {
    /// It ended itself, or the system ended it.
    Aborted,
    /// Its stack overflowed.
    StackOverflow,
    /// It did not answer in time.
    Hang,
    /// It asked for more memory than it may have.
    OutOfMemory,
}

impl DeathKind {
    /// The anomaly's name.
    #[must_use]
    pub const fn anomaly(self) -> &'static str {
        match self {
            Self::Aborted => "engine-aborted",
            Self::StackOverflow => "stack-overflow",
            Self::Hang => "hang",
            Self::OutOfMemory => "out-of-memory",
        }
    }
}

/// What the pool has to report.
#[derive(Clone, Debug)]
pub enum Event {
    /// A task is done.
    Answered {
        /// The task.
        ticket: Ticket,
        /// Who did it.
        worker: WorkerId,
        /// What it came to.
        answer: Answer,
        /// What its run has passed through for the first time in this worker.
        gain: Option<Gain>,
        /// How long it took.
        took: Duration,
    },
    /// A worker went down at this task.
    Lost {
        /// The task.
        ticket: Ticket,
        /// How.
        death: Death,
    },
    /// A task was queued behind the one that took its worker down; it must be sent again.
    HandedBack {
        /// The task.
        ticket: Ticket,
    },
}

/// The workers.
pub struct Pool {
    config: PoolConfig,
    /// What every worker is told before its first task.
    greetings: Vec<Request>,
    slots: Vec<Option<Worker>>,
    started: u64,
    lines: (Sender<Line>, Receiver<Line>),
}

struct Worker {
    id: WorkerId,
    child: Child,
    requests: Option<Sender<String>>,
    last_words: (Arc<Mutex<VecDeque<u8>>>, JoinHandle<()>),
    queue: VecDeque<Ticket>,
    /// Since when the first of the queue is being worked on.
    since: Instant,
    tasks: u32,
    retiring: bool,
    killed_for: Option<DeathKind>,
}

struct Line {
    worker: WorkerId,
    /// `None`: the worker's output has ended.
    response: Option<Result<Response, String>>,
}

impl Pool {
    /// A pool that starts its workers when they are needed.
    #[must_use]
    pub fn new(config: PoolConfig, hello: Hello) -> Self {
        // A second process even for one job, so that a run can be repeated in another than its own.
        let slots = (0..config.jobs.max(2)).map(|_| None).collect();
        Self { config, greetings: vec![Request::Hello(hello)], slots, started: 0, lines: unbounded() }
    }

    /// How long a run may be silent before it counts as hung.
    #[must_use]
    pub const fn hang_after(&self) -> Duration {
        self.config.hang_after
    }

    /// Sends a task if a worker can take it now; at most `depth` tasks wait at one worker.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub fn send(&mut self, ticket: Ticket, task: &Task, placement: Placement, depth: usize) -> std::io::Result<bool> {
        let Some(slot) = self.place(placement, depth) else { return Ok(false) };
        if placement == Placement::Fresh && self.slots[slot].as_ref().is_some_and(|worker| worker.tasks > 0) {
            self.slots[slot] = None;
        }
        if self.slots[slot].is_none() {
            self.slots[slot] = Some(self.start()?);
        }
        let Some(worker) = &mut self.slots[slot] else { return Ok(false) };
        if worker.queue.is_empty() {
            worker.since = Instant::now();
        }
        worker.queue.push_back(ticket);
        worker.tasks += 1;
        worker.retiring |= worker.tasks >= self.config.tasks_max;
        worker.request(&Request::Task(task.clone()));
        Ok(true)
    }

    /// Tells every worker something, those to come included.
    pub fn tell(&mut self, request: Request) {
        self.slots.iter().flatten().for_each(|worker| worker.request(&request));
        self.greetings.push(request);
    }

    /// What happens next, if anything does within `wait`.
    pub fn next(&mut self, wait: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        if let Ok(line) = self.lines.1.recv_timeout(wait) {
            self.take(line, &mut events);
            while let Ok(line) = self.lines.1.try_recv() {
                self.take(line, &mut events);
            }
        }
        self.watch();
        events
    }

    /// How many tasks are out.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.slots.iter().flatten().map(|worker| worker.queue.len()).sum()
    }

    fn place(&self, placement: Placement, depth: usize) -> Option<usize> {
        let busy = self.slots.iter().flatten().filter(|worker| !worker.queue.is_empty()).count();
        let fits = |slot: &Option<Worker>| match slot {
            None => busy < self.config.jobs,
            Some(worker) => {
                let room = if worker.queue.is_empty() { busy < self.config.jobs } else { worker.queue.len() < depth };
                room && !worker.retiring
                    && worker.killed_for.is_none()
                    && match placement {
                        Placement::Any => true,
                        Placement::Not(other) => worker.id != other,
                        Placement::Fresh => worker.queue.is_empty(),
                    }
            }
        };
        let waiting = |slot: &Option<Worker>| slot.as_ref().map_or(0, |worker| worker.queue.len());
        // The least loaded; among those a process that runs already.
        let order = |index: &usize| (waiting(&self.slots[*index]), self.slots[*index].is_none(), *index);
        (0..self.slots.len()).filter(|&index| fits(&self.slots[index])).min_by_key(order)
    }

    fn start(&mut self) -> std::io::Result<Worker> {
        self.started += 1;
        let id = WorkerId(self.started);
        let mut command = Command::new(&self.config.command.program);
        command.args(&self.config.command.args).envs(self.config.command.env.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C at the terminal is for the parent alone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (mut input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let errors = child.stderr.take().expect("piped");
        let (requests, waiting) = unbounded::<String>();
        // Writing from here could block for ever on a worker that hangs with a full pipe.
        std::thread::spawn(move || waiting.iter().try_for_each(|line| input.write_all(line.as_bytes())));
        let lines = self.lines.0.clone();
        std::thread::spawn(move || read_lines(id, BufReader::new(output), &lines));
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let tail = words.clone();
        let listener = std::thread::spawn(move || keep_tail(errors, &tail));
        let worker = Worker {
            id,
            child,
            requests: Some(requests),
            last_words: (words, listener),
            queue: VecDeque::new(),
            since: Instant::now(),
            tasks: 0,
            retiring: false,
            killed_for: None,
        };
        self.greetings.iter().for_each(|greeting| worker.request(greeting));
        Ok(worker)
    }

    fn take(&mut self, line: Line, events: &mut Vec<Event>) {
        let is_it = |slot: &Option<Worker>| slot.as_ref().is_some_and(|worker| worker.id == line.worker);
        let Some(slot) = self.slots.iter().position(is_it) else { return };
        let Some(worker) = &mut self.slots[slot] else { return };
        match line.response {
            Some(Ok(Response { answer, memory, gain })) => {
                let Some(ticket) = worker.queue.pop_front() else { return };
                let took = worker.since.elapsed();
                worker.since = Instant::now();
                worker.retiring |= memory.is_some_and(|bytes| bytes > self.config.leak_max);
                events.push(Event::Answered { ticket, worker: worker.id, answer, took, gain });
                if worker.retiring && worker.queue.is_empty() {
                    self.slots[slot] = None;
                }
            }
            // A line that cannot be read is as good as none: the worker is no longer to be trusted.
            Some(Err(_)) => worker.kill(DeathKind::Aborted),
            None => {
                if let Some(mut worker) = self.slots[slot].take() {
                    let mut queue = std::mem::take(&mut worker.queue).into_iter();
                    if let Some(ticket) = queue.next() {
                        events.push(Event::Lost { ticket, death: worker.autopsy() });
                    }
                    events.extend(queue.map(|ticket| Event::HandedBack { ticket }));
                }
            }
        }
    }

    /// Ends workers that take too long or too much. Their output then ends, and the loss is reported.
    fn watch(&mut self) {
        for worker in self.slots.iter_mut().flatten().filter(|worker| worker.killed_for.is_none()) {
            if worker.queue.is_empty() {
                continue;
            }
            if worker.since.elapsed() > self.config.hang_after {
                worker.kill(DeathKind::Hang);
            } else if let Some(most) = self.config.memory_max
                && resident_bytes(worker.child.id()).is_some_and(|bytes| bytes > most)
            {
                worker.kill(DeathKind::OutOfMemory);
            }
        }
    }
}

impl Worker {
    fn request(&self, request: &Request) {
        let line = serde_json::to_string(request).expect("requests have a JSON form") + "\n";
        if let Some(requests) = &self.requests {
            // A worker that is gone is noticed when its output ends.
            let _ = requests.send(line);
        }
    }

    fn kill(&mut self, kind: DeathKind) {
        self.killed_for = Some(kind);
        let _ = self.child.kill();
    }

    fn autopsy(mut self) -> Death {
        self.requests = None;
        let status = self.child.wait();
        let words = Arc::clone(&self.last_words.0);
        let listener = std::mem::replace(&mut self.last_words.1, std::thread::spawn(|| {}));
        let _ = listener.join();
        let words: Vec<u8> = words.lock().iter().copied().collect();
        let words = String::from_utf8_lossy(&words).trim().to_string();
        let kind = self.killed_for.unwrap_or(match &words {
            words if words.contains("has overflowed its stack") => DeathKind::StackOverflow,
            words if words.contains("memory allocation of") => DeathKind::OutOfMemory,
            _ => DeathKind::Aborted,
        });
        let ended = match kind {
            DeathKind::Hang => "it gave no answer in time".to_string(),
            _ => status.map_or_else(|error| error.to_string(), ended),
        };
        // The runtime's own remark about memory or the stack says more than what follows it.
        let telling = |line: &&str| line.contains("memory allocation of") || line.contains("has overflowed its stack");
        let last = words.lines().find(telling).or_else(|| words.lines().rfind(|line| !line.trim().is_empty()));
        let last = last.unwrap_or_default().trim();
        Death { kind, detail: if last.is_empty() { ended } else { format!("{ended}; its last words: {last}") } }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            4 => "it was ended by SIGILL".to_string(),
            6 => "it was ended by SIGABRT".to_string(),
            7 => "it was ended by SIGBUS".to_string(),
            8 => "it was ended by SIGFPE".to_string(),
            9 => "it was ended by SIGKILL".to_string(),
            11 => "it was ended by SIGSEGV".to_string(),
            _ => format!("it was ended by signal {signal}"),
        };
    }
    status.code().map_or_else(|| "it ended".to_string(), |code| format!("it ended with exit code {code}"))
}

fn read_lines(worker: WorkerId, output: impl BufRead, lines: &Sender<Line>) {
    // What the engine prints may be no text at all.
    for line in output.split(b'\n').map_while(Result::ok) {
        let Some(line) = line.strip_prefix(MARK.as_bytes()) else { continue };
        let response = serde_json::from_slice(line).map_err(|error| error.to_string());
        if lines.send(Line { worker, response: Some(response) }).is_err() {
            return;
        }
    }
    let _ = lines.send(Line { worker, response: None });
}

fn keep_tail(mut errors: impl Read, tail: &Mutex<VecDeque<u8>>) {
    let mut block = [0; 1024];
    while let Ok(length @ 1..) = errors.read(&mut block) {
        let mut tail = tail.lock();
        tail.extend(&block[..length]);
        let excess = tail.len().saturating_sub(LAST_WORDS_MAX);
        tail.drain(..excess);
    }
}
