//! A small language for disks, and the loop that plays a script in every way it can go.
//!
//! ```text
//! create a            open a new file                 write a 0 A*512 BB    512 times A, then BB, at byte 0
//! sync a              of the file                     syncdir               of the root directory
//! truncate a 100      remove a      rename a b        read a 0 4            the answer joins the outcome
//! close a             no more use of it
//! fly write a 0 AA    submitted, and given no turn    land                  turns for all in flight, in order
//! CRASH os            or kill, or power               faults on             off at the start
//! writeback           all that was applied is durable
//! ```
//!
//! The outcome is the answers that were not plain successes, then every file: `a=A*512 B4`. A dot is a zero
//! byte, `?` garbage.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use squall::aio::{Buffer, Completion, CompletionError, Resource};
use squall::disk::sim::{CrashReport, DiskConfig, IoTurn, SimDisk, Submitted};
use squall::disk::{File, Io, OpenMode};
use squall::history::CrashKind;
use squall::tape::{Decisions, Odometer, Tape};

/// Plays `script` in every way in which it can go and compares what can come out with `expected`.
#[track_caller]
pub(super) fn check(config: &DiskConfig, script: &str, expected: &[&str]) {
    let all = outcomes(config, script);
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    let list = |set: BTreeSet<&String>| set.into_iter().map(|line| format!("  {line}\n")).collect::<String>();
    assert!(
        all == expected,
        "{script}\npossible, but not expected:\n{}expected, but not possible:\n{}",
        list(all.difference(&expected).collect()),
        list(expected.difference(&all).collect())
    );
}

/// Everything that can come out of a script.
pub(super) fn outcomes(config: &DiskConfig, script: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut odometer = Odometer::new(None);
    loop {
        let mut player = Player::new(config, Tape::exhaustive(7, odometer));
        all.insert(player.play(script));
        odometer = player.tape.into_odometer().expect("the tape is exhaustive");
        if !odometer.advance() {
            return all;
        }
    }
}

/// One way of playing scripts.
pub(super) struct Player {
    pub(super) disk: SimDisk,
    pub(super) tape: Tape,
    pub(super) reports: Vec<CrashReport>,
    io: Arc<dyn Io>,
    files: Vec<(String, Arc<dyn File>)>,
    flying: Vec<(Submitted, Completion, String)>,
    answers: String,
}

impl Player {
    pub(super) fn new(config: &DiskConfig, tape: Tape) -> Self {
        let disk = SimDisk::new(config.clone(), tape.seed());
        disk.set_faults(false);
        Self { io: disk.io(), disk, tape, reports: vec![], files: vec![], flying: vec![], answers: String::new() }
    }

    pub(super) fn play(&mut self, script: &str) -> String {
        for (op, step) in (0..).zip(script.split(';')) {
            self.disk.set_issuer(0, op);
            self.step(&step.split_whitespace().collect::<Vec<_>>());
        }
        let mut text = std::mem::take(&mut self.answers);
        for (path, bytes) in self.disk.content() {
            let _ = write!(text, "{}{path}={}", if text.is_empty() { "" } else { " " }, image(&bytes));
        }
        text
    }

    fn step(&mut self, words: &[&str]) {
        match words {
            [] => {}
            ["create", path] => {
                let file = self.io.open(path, OpenMode::CreateNew).expect("it is new");
                self.files.push((path.to_string(), file));
            }
            ["close", path] => self.files.retain(|(known, _)| known != path),
            ["fly", rest @ ..] => {
                self.submit(rest);
            }
            ["land"] => std::mem::take(&mut self.flying).into_iter().for_each(|flight| self.land(flight)),
            ["faults", on] => self.disk.set_faults(*on == "on"),
            ["writeback"] => self.disk.write_back(),
            ["CRASH", kind] => self.crash(kind),
            _ => {
                self.submit(words);
                let flight = self.flying.pop().expect("it was submitted");
                self.land(flight);
            }
        }
    }

    fn file(&self, path: &str) -> Arc<dyn File> {
        Arc::clone(&self.files.iter().rfind(|(known, _)| known == path).expect("the file is open").1)
    }

    fn submit(&mut self, words: &[&str]) {
        let number = |text: &str| text.parse().expect("a number");
        let completion = match words {
            ["write", path, offset, bytes @ ..] => {
                let buffer = Buffer::from(bytes.iter().flat_map(|run| run_of(run)).collect::<Vec<u8>>());
                self.file(path).pwrite(number(offset), buffer, Completion::write())
            }
            ["read", path, offset, len] => {
                let buffer = Buffer::from(vec![b'-'; number(len) as usize]);
                self.file(path).pread(number(offset), Completion::read(buffer))
            }
            ["sync", path] => self.file(path).sync(Completion::sync()),
            ["syncdir"] => self.io.sync_directory("", Completion::sync()),
            ["syncdir", path] => self.io.sync_directory(path, Completion::sync()),
            ["truncate", path, len] => self.file(path).truncate(number(len), Completion::truncate()),
            ["remove", path] => self.io.remove(path, Completion::truncate()),
            ["rename", from, to] => {
                let completion = self.io.rename(from, to, Completion::truncate());
                self.files
                    .extend(self.files.iter().find(|(p, _)| p == from).map(|(_, f)| (to.to_string(), Arc::clone(f))));
                completion
            }
            _ => panic!("no such step: {words:?}"),
        };
        let mut submitted = vec![];
        self.disk.take_submitted(&mut self.tape, &mut submitted);
        let [submitted] = submitted[..] else { panic!("{words:?} was refused: {completion:?}") };
        self.flying.push((submitted, completion, words[0].to_string()));
    }

    fn land(&mut self, (submitted, completion, name): (Submitted, Completion, String)) {
        loop {
            match self.disk.turn(submitted.id, &mut self.tape) {
                IoTurn::Applied => {}
                IoTurn::Finished(finish) => break finish.run(),
            }
        }
        let asked = match submitted.resource {
            Resource::File { start, end, .. } => (end - start) as usize,
            _ => 0,
        };
        let answer = match (name.as_str(), completion.result().expect("its turn is over")) {
            ("read", Ok(count)) => image(&completion.buffer().expect("a read has one").lock()[..count]),
            ("write", Ok(count)) if count != asked => format!("{count}"),
            (_, Ok(_)) => return,
            (_, Err(CompletionError::Io(error))) if error.done > 0 => format!("{}@{}", error.kind.name(), error.done),
            (_, Err(CompletionError::Io(error))) => error.kind.name().to_string(),
            (_, Err(error)) => error.to_string(),
        };
        let gap = if self.answers.is_empty() { "" } else { " " };
        let _ = write!(self.answers, "{gap}{name}:{answer}");
    }

    fn crash(&mut self, kind: &str) {
        let kind = match kind {
            "kill" => CrashKind::Kill,
            "os" => CrashKind::Os,
            "power" => CrashKind::Power,
            _ => panic!("no such crash: {kind}"),
        };
        self.disk.freeze().iter().for_each(Completion::abort);
        self.reports.push(self.disk.crash(kind, &mut self.tape));
        self.flying.clear();
        self.io = self.disk.io();
        let paths = self.io.list("").expect("the disk is alive again");
        let open = |path: String| (path.clone(), self.io.open(&path, OpenMode::Existing).expect("it was listed"));
        self.files = paths.into_iter().map(open).collect();
    }
}

/// `A*512` is 512 times A; `AB` is A and B.
fn run_of(text: &str) -> Vec<u8> {
    match text.split_once('*') {
        Some((byte, count)) => byte.as_bytes().repeat(count.parse().expect("a count")),
        None => text.as_bytes().to_vec(),
    }
}

/// Bytes as text: runs longer than four are counted.
fn image(bytes: &[u8]) -> String {
    let known = |byte: u8| matches!(byte, 0 | b'A'..=b'F' | b'-');
    let mut shown: Vec<u8> = bytes.iter().map(|&byte| if known(byte) { byte.max(b'.') } else { b'?' }).collect();
    // A garbage byte may look like a letter; between others it is garbage all the same.
    for at in 1..shown.len().saturating_sub(1) {
        if shown[at - 1] == b'?' && shown[at + 1..].iter().take(3).any(|&byte| byte == b'?') {
            shown[at] = b'?';
        }
    }
    let runs = shown.chunk_by(|a, b| a == b);
    let text = runs.map(|run| match run.len() {
        1..=4 => String::from_utf8_lossy(run).into_owned(),
        len => format!("{}*{len} ", run[0] as char),
    });
    text.collect::<String>().trim_end().to_string()
}

/// The outcome of a script under a seed, and what was decided.
pub(super) fn seeded(config: &DiskConfig, seed: u64, script: &str) -> (String, Decisions) {
    let mut player = Player::new(config, Tape::seeded(seed).recording());
    let outcome = player.play(script);
    (outcome, player.tape.take_recording().expect("the tape records"))
}

/// The outcome of a script when decisions are played again.
pub(super) fn replayed(config: &DiskConfig, seed: u64, decisions: &Decisions, script: &str) -> String {
    Player::new(config, Tape::recorded(seed, decisions.clone())).play(script)
}
