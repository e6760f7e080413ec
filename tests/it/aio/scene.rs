//! A little language in which the tests draw situations: who waits for whom, and who finishes when.
//!
//! ```text
//! g = a b     a group `g` of the operations `a` and `b`, which come into being when first named
//! open g      begins a group; `add g a` adds to it, `build g` builds it
//! yield y     a completion that is an explicit yield
//! done a 3    finishes `a` with 3 bytes;     fail a E1   fails it with E1
//! abort a     gives it up;    cancel g   gives up an open group;    drop a   forgets its last handle
//! ? a         writes down how `a` stands
//! ```
//!
//! The answer is the list of callbacks, as `a<-3` or `g<-E1`, and of what was asked, as `a is 3`, in the
//! order in which they happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use squall::aio::{Completion, CompletionError, CompletionGroup};

#[derive(Default)]
struct Scene {
    log: Arc<Mutex<Vec<String>>>,
    completions: BTreeMap<String, Completion>,
    open: BTreeMap<String, CompletionGroup>,
}

/// Plays `script`; the answer must be `expected`.
#[track_caller]
pub(crate) fn check(script: &str, expected: &str) {
    assert_eq!(play(script), expected, "{script}");
}

fn play(script: &str) -> String {
    let mut scene = Scene::default();
    for line in script.split(';') {
        let words: Vec<&str> = line.split_whitespace().collect();
        scene.play(&words);
    }
    let log = scene.log.lock();
    log.join(", ")
}

impl Scene {
    fn play(&mut self, words: &[&str]) {
        match *words {
            [group, "=", ref children @ ..] => {
                self.begin(group);
                self.add(group, children);
                self.build(group);
            }
            ["open", group] => self.begin(group),
            ["add", group, ref children @ ..] => self.add(group, children),
            ["build", group] => self.build(group),
            ["yield", name] => drop(self.completions.insert(name.into(), Completion::new_yield())),
            ["done", name, bytes] => self.get(name).complete(bytes.parse().expect("a number of bytes")),
            ["fail", name, error] => self.get(name).error(CompletionError::Rejected(known(error))),
            ["abort", name] => self.get(name).abort(),
            ["cancel", group] => self.open[group].cancel(),
            ["drop", name] => drop(self.completions.remove(name).expect("it is there")),
            ["?", name] => {
                let answer = format!("{name} is {}", state(&self.get(name)));
                self.log.lock().push(answer);
            }
            _ => panic!("not in the language: {words:?}"),
        }
    }

    fn begin(&mut self, name: &str) {
        self.open.insert(name.into(), CompletionGroup::new(self.teller(name)));
    }

    fn add(&mut self, group: &str, children: &[&str]) {
        for name in children {
            let child = self.get(name);
            self.open.get_mut(group).expect("an open group").add(&child);
        }
    }

    fn build(&mut self, name: &str) {
        let group = self.open.remove(name).expect("an open group");
        self.completions.insert(name.into(), group.build());
    }

    fn get(&mut self, name: &str) -> Completion {
        if !self.completions.contains_key(name) {
            self.completions.insert(name.into(), Completion::new_write(self.teller(name)));
        }
        self.completions[name].clone()
    }

    fn teller(
        &self,
        name: &str,
    ) -> impl FnOnce(Result<usize, CompletionError>) -> Result<usize, CompletionError> + Send + 'static {
        let (name, log) = (name.to_owned(), Arc::clone(&self.log));
        move |outcome| {
            log.lock().push(format!("{name}<-{}", shown(&outcome)));
            outcome
        }
    }
}

fn known(error: &str) -> &'static str {
    ["E1", "E2", "E3"].into_iter().find(|known| *known == error).expect("E1, E2 or E3")
}

pub(crate) fn shown(outcome: &Result<usize, CompletionError>) -> String {
    match outcome {
        Ok(bytes) => bytes.to_string(),
        Err(error) => error.to_string(),
    }
}

/// How a completion stands; all its questions must agree on that.
pub(crate) fn state(completion: &Completion) -> String {
    let result = completion.result();
    assert_eq!(completion.finished(), result.is_some(), "{completion:?}");
    assert_eq!(completion.succeeded(), matches!(result, Some(Ok(_))), "{completion:?}");
    assert_eq!(completion.failed(), matches!(result, Some(Err(_))), "{completion:?}");
    assert_eq!(completion.get_error(), result.clone().and_then(Result::err), "{completion:?}");
    match result {
        None => "pending".into(),
        Some(outcome) if completion.is_explicit_yield() => format!("a yield, {}", shown(&outcome)),
        Some(outcome) => shown(&outcome),
    }
}
