//! Two disks, one trait: the same script gets the same answers from the simulated disk without faults and
//! from the real file system.
//!
//! ```text
//! create a        opens, creating it if need be;   open a: it must exist;   new a: it must not
//! close a         drops the handle that was opened as `a`; other lines name a handle in the same way
//! write a 3 hello         writev a 3 he lo         fill a 3 9000 x         read a 0 5
//! truncate a 3            sync a                   size a
//! rename a b      remove a      exists a      list d      sync-directory d      (`.` is the root)
//! & write a 3 hello       the same without waiting;      wait: for all of those, in order
//! ```
//!
//! Only what the operating system alone can know differs: its error codes. An error's path is the name the
//! file was opened by on the one and its last name on the other, so no line here fails on a renamed file.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall::aio::{Buffer, Completion, CompletionError};
use squall::disk::real::RealIo;
use squall::disk::sim::{DiskConfig, SimDisk};
use squall::disk::{File, Io, OpenMode, block_on};
use squall::tape::Stream;

/// Plays `script` on both disks; the answers of each must be `expected`, line by line.
#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let lines: Vec<&str> = script.split(';').collect();
    let (simulated, real) = play_both(&lines);
    assert_eq!(simulated, real, "the disks differ on {script}");
    assert_eq!(real, expected, "{script}");
}

fn play_both(lines: &[impl AsRef<str>]) -> (Vec<String>, Vec<String>) {
    let directory = tempfile::tempdir().expect("room for a directory");
    let simulated = SimDisk::new(DiskConfig::default(), 0).io();
    let real = RealIo::new(directory.path());
    (Player::new(simulated).play(lines), Player::new(real).play(lines))
}

struct Player {
    io: Arc<dyn Io>,
    handles: BTreeMap<String, Arc<dyn File>>,
    submitted: Vec<Completion>,
    answers: Vec<String>,
}

impl Player {
    fn new(io: Arc<dyn Io>) -> Self {
        Self { io, handles: BTreeMap::new(), submitted: Vec::new(), answers: Vec::new() }
    }

    fn play(mut self, lines: &[impl AsRef<str>]) -> Vec<String> {
        for line in lines {
            let words: Vec<&str> = line.as_ref().split_whitespace().collect();
            match *words {
                ["wait"] => self.wait(),
                ["&", ref words @ ..] => {
                    let completion = self.submit(words);
                    self.submitted.extend(completion);
                }
                ref words => {
                    let answer = self.at_once(words);
                    self.answers.extend(answer);
                }
            }
        }
        self.wait();
        self.answers
    }

    /// Waits for all that was submitted, the oldest first.
    fn wait(&mut self) {
        for completion in std::mem::take(&mut self.submitted) {
            self.answers.push(self.finish(&completion));
        }
    }

    fn finish(&self, completion: &Completion) -> String {
        let outcome = block_on(&*self.io, || completion.wait());
        match (outcome, completion.buffer()) {
            (Ok(count), Some(buffer)) => format!("{count} {}", shown(&buffer.to_vec()[..count])).trim_end().to_owned(),
            (outcome, _) => answer(outcome),
        }
    }

    fn at_once(&mut self, words: &[&str]) -> Option<String> {
        let name = |word: &str| if word == "." { String::new() } else { word.to_owned() };
        let open = |mode, path: &str| self.io.open(path, mode);
        Some(match *words {
            ["create", path] => {
                let opened = open(OpenMode::Create, path);
                self.opened(path, opened)
            }
            ["open", path] => {
                let opened = open(OpenMode::Existing, path);
                self.opened(path, opened)
            }
            ["new", path] => {
                let opened = open(OpenMode::CreateNew, path);
                self.opened(path, opened)
            }
            ["close", path] => {
                self.handles.remove(path);
                return None;
            }
            ["exists", path] => answer(self.io.exists(path)),
            ["list", directory] => answer(self.io.list(&name(directory)).map(|names| names.join(" "))),
            ["size", path] => match self.handles.get(path) {
                Some(file) => answer(file.size()),
                None => "not open".into(),
            },
            _ => match self.submit(words) {
                Some(completion) => self.finish(&completion),
                None => "not open".into(),
            },
        })
    }

    fn opened(&mut self, path: &str, file: Result<Arc<dyn File>, CompletionError>) -> String {
        match file {
            Ok(file) => {
                let opened = format!("file {} of {}", file.id().0, answer(file.size()));
                self.handles.insert(path.into(), file);
                opened
            }
            Err(error) => answer::<u8>(Err(error)),
        }
    }

    /// Submits an operation; `None` when it names no open file.
    fn submit(&self, words: &[&str]) -> Option<Completion> {
        let number = |word: &str| word.parse::<u64>().expect("a number");
        let file = |name: &str| self.handles.get(name);
        let text = |word: &&str| Buffer::from(word.as_bytes());
        Some(match *words {
            ["write", path, offset, bytes] => file(path)?.pwrite(number(offset), text(&bytes), Completion::write()),
            ["writev", path, offset, ref parts @ ..] => {
                file(path)?.pwritev(number(offset), parts.iter().map(text).collect(), Completion::write())
            }
            ["fill", path, offset, len, byte] => {
                let bytes = byte.repeat(number(len) as usize);
                file(path)?.pwrite(number(offset), Buffer::from(bytes.as_bytes()), Completion::write())
            }
            ["read", path, offset, len] => {
                let buffer = Buffer::zeroed(number(len) as usize);
                file(path)?.pread(number(offset), Completion::read(buffer))
            }
            ["truncate", path, len] => file(path)?.truncate(number(len), Completion::truncate()),
            ["sync", path] => file(path)?.sync(Completion::sync()),
            ["rename", from, to] => self.io.rename(from, to, Completion::truncate()),
            ["remove", path] => self.io.remove(path, Completion::truncate()),
            ["sync-directory", "."] => self.io.sync_directory("", Completion::sync()),
            ["sync-directory", path] => self.io.sync_directory(path, Completion::sync()),
            _ => panic!("not in the language: {words:?}"),
        })
    }
}

/// Everything but the code that only the operating system has.
fn answer<T: ToString>(outcome: Result<T, CompletionError>) -> String {
    match outcome {
        Ok(value) => value.to_string(),
        Err(CompletionError::Io(mut error)) => {
            error.os = None;
            error.to_string()
        }
        Err(error) => error.to_string(),
    }
}

/// The bytes as text, a run of equal ones as `x*9000`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        text += &run[..1].escape_ascii().to_string();
        if run.len() > 3 {
            text += &format!("*{} ", run.len());
        } else {
            text += &run[1..].escape_ascii().to_string();
        }
    }
    text
}

#[test]
fn a_file_is_written_read_cut_synced_renamed_listed_and_removed() {
    check(
        "create a; write a 0 hello; read a 0 5; truncate a 3; read a 0 5; sync a; size a; rename a b; list .; \
         remove b; list .; open b",
        &["file 0 of 0", "5", "5 hello", "0", "3 hel", "0", "3", "0", "b", "0", "", "directory entry b: ENOENT"],
    );
}

#[test]
fn a_write_beyond_the_end_leaves_zeros_and_a_cut_file_grows_with_zeros() {
    check(
        "create a; write a 4 x; read a 0 9; truncate a 9; read a 0 9; truncate a 5; truncate a 7; read a 0 9; read a 7 1",
        &["file 0 of 0", "1", r"5 \x00*4 x", "0", r"9 \x00*4 x\x00*4", "0", "0", r"7 \x00*4 x\x00\x00", "0"],
    );
}

#[test]
fn pages_and_parts_of_pages_are_written_and_read() {
    check(
        "create a; fill a 100 9000 x; write a 4095 yy; read a 4090 10; read a 0 20000; truncate a 4096; size a",
        &["file 0 of 0", "9000", "2", "10 x*5 yyxxx", r"9100 \x00*100 x*3995 yyx*5003", "0", "4096"],
    );
}

#[test]
fn a_vectored_write_is_one_run_of_bytes() {
    check(
        "create a; writev a 2 he l lo; read a 0 9; writev a 0; size a",
        &["file 0 of 0", "5", r"7 \x00\x00hello", "0", "7"],
    );
}

#[test]
fn operations_in_flight_together_take_effect_in_the_order_of_submission() {
    check(
        "create a; & write a 0 hello; & read a 0 9; & truncate a 2; & rename a b; & read a 0 9; exists b; wait; exists b",
        &["file 0 of 0", "false", "5", "5 hello", "0", "0", "2 he", "true"],
    );
}

#[test]
fn how_a_file_is_opened_decides_whether_it_must_be_there() {
    check(
        "open a; new a; new a; create a; open a",
        &["directory entry a: ENOENT", "file 0 of 0", "directory entry a: EEXIST", "file 0 of 0", "file 0 of 0"],
    );
}

#[test]
fn handles_outlive_their_names() {
    check(
        "create a; write a 0 old; create b; write b 0 new; rename b a; read a 0 3; read b 0 3; open a; read a 0 3; \
         remove a; size a; create a; close a; exists a",
        &[
            "file 0 of 0",
            "3",
            "file 1 of 0",
            "3",
            "0",
            "3 old",
            "3 new",
            "file 1 of 3",
            "3 new",
            "0",
            "3",
            "file 2 of 0",
            "true",
        ],
    );
}

#[test]
fn directories_come_with_their_first_file() {
    check(
        "list d; sync-directory d; create d/b; create d/e/c; create a; list d; list d/e; list .; rename d/b f/g; list d; \
         list f; sync-directory f; sync-directory .; exists d; exists d/e/c",
        &["", "0", "file 0 of 0", "file 1 of 0", "file 2 of 0", "b", "c", "a", "0", "", "g", "0", "0", "false", "true"],
    );
}

#[test]
fn what_is_not_there_is_neither_removed_nor_renamed() {
    check(
        "remove a; rename a b; create a; rename a a; exists a",
        &["directory entry a: ENOENT", "directory entry a: ENOENT", "file 0 of 0", "0", "true"],
    );
}

#[test]
fn a_path_that_is_no_plain_name_is_refused_everywhere() {
    for path in ["../a", "/a", "a//b", "./a", "a/..", "a/"] {
        let refused = format!("{path}: a path is relative, without empty, `.` and `..` parts");
        let (directory, sync) = (format!("directory entry {refused}"), format!("sync-directory of {refused}"));
        check(
            &format!(
                "create {path}; open {path}; new {path}; exists {path}; remove {path}; rename {path} a; rename a {path}; \
                 list {path}; sync-directory {path}; list ."
            ),
            &[
                &directory, &directory, &directory, &directory, &directory, &directory, &directory, &directory, &sync,
                "",
            ],
        );
    }
}

#[test]
fn random_scripts_get_the_same_answers_from_both_disks() {
    for seed in 0..100 {
        let lines = random_script(&mut Stream::new(seed, "parity", 0));
        let (simulated, real) = play_both(&lines);
        assert_eq!(simulated, real, "seed {seed}: {}", lines.join("; "));
    }
}

const NAMES: [&str; 5] = ["a", "b", "d/a", "d/e/c", "f/g"];

/// Forty lines, then everything there is.
fn random_script(stream: &mut Stream) -> Vec<String> {
    let mut lines: Vec<String> = (0..40).map(|_| random_line(stream)).collect();
    lines.push("wait".into());
    lines.extend([".", "d", "d/e", "f"].map(|directory| format!("list {directory}")));
    lines.extend(NAMES.iter().flat_map(|name| [format!("open {name}"), format!("read {name} 0 30000")]));
    lines
}

fn random_line(stream: &mut Stream) -> String {
    let mut pick = |bound: u64| stream.below(bound);
    let (name, other) = (NAMES[pick(5) as usize], NAMES[pick(5) as usize]);
    // Most offsets are small, so that operations meet; some lie at the edges of pages.
    let offset = [pick(12), pick(12), 4090 + pick(12), pick(20_000)][pick(4) as usize];
    let len = [1 + pick(8), 1 + pick(8), 4090 + pick(12), pick(9000)][pick(4) as usize];
    let letter = char::from(b'a' + pick(26) as u8);
    let wait = if pick(3) == 0 { "& " } else { "" };
    match pick(20) {
        0..=3 => format!("{} {name}", ["create", "open", "new", "close"][pick(4) as usize]),
        4..=6 => format!("{wait}write {name} {offset} {letter}{letter}{offset}"),
        7..=8 => format!("{wait}writev {name} {offset} {letter} {len} {offset}"),
        9 => format!("{wait}fill {name} {offset} {len} {letter}"),
        10..=12 => format!("{wait}read {name} {offset} {len}"),
        13 => format!("{wait}truncate {name} {offset}"),
        14 => format!("{wait}sync {name}"),
        15 => format!("{wait}rename {name} {other}"),
        16 => format!("{wait}remove {name}"),
        17 => format!("{wait}sync-directory {}", [".", "d", "d/e", "nowhere"][pick(4) as usize]),
        18 => format!("size {name}"),
        _ => format!("{} {name}", ["exists", "list"][pick(2) as usize]),
    }
}
