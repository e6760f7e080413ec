//! A seed under suspicion: repeated before anything is said of it.
//!
//! ```text
//!  a finding          record it ──▶ replay its decisions ──▶ replay them again ──▶ confirmed, with its case
//!  a worker lost      run it alone ──▶ again ──▶ write its case without running it ──▶ confirmed
//!  two runs unequal   record it ──▶ record it elsewhere ──▶ the first turn that differs
//! ```
//!
//! Whatever does not repeat is nondeterminism, with the first turn that differs; it is never dropped.

use super::pool::{Death, DeathKind, Placement, WorkerId};
use super::protocol::{Answer, CaseText, FirstDivergence, Ran, Replayed, Spot, Task};
use crate::tape::Timeline;

/// Something that did not repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unstable {
    /// What differed, in a sentence.
    pub sentence: String,
    /// Where, if it is known.
    pub divergence: Option<FirstDivergence>,
}

/// What to do next with a suspect.
#[derive(Debug)]
pub(super) enum Next {
    /// This.
    Do(Task, Placement),
    /// Nothing: it repeats, and this is its case.
    Confirmed(String),
    /// Nothing: it does not repeat.
    Unstable(Unstable),
    /// Nothing: our own mistake.
    Failed(String),
}

/// A seed under suspicion.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) spot: Spot,
    /// What the search saw.
    pub(super) seen: Ran,
    /// How the worker went down, if it did.
    death: Option<DeathKind>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Record,
    /// Another recording, to see where it parts from the first.
    RecordAgain {
        sentence: String,
        timeline: Option<Timeline>,
    },
    /// So many replays have agreed.
    Replay {
        agreed: u32,
        case: String,
    },
    /// So many reruns have gone down alike.
    Rerun {
        agreed: u32,
    },
    Describe,
}

const REPLAYS: u32 = 2;

impl Suspect {
    /// A seed with a finding.
    pub(super) fn with_finding(spot: Spot, seen: Ran) -> (Self, Next) {
        let next = Next::Do(Task::Record(spot.clone()), Placement::Any);
        (Self { spot, seen, death: None, step: Step::Record }, next)
    }

    /// A seed at which a worker went down.
    pub(super) fn with_death(spot: Spot, seen: Ran, kind: DeathKind) -> (Self, Next) {
        let next = Next::Do(Task::Search(spot.clone()), Placement::Fresh);
        (Self { spot, seen, death: Some(kind), step: Step::Rerun { agreed: 0 } }, next)
    }

    /// A seed whose second run did not equal its first.
    pub(super) fn unequal(spot: Spot, seen: Ran, second: &Ran) -> (Self, Next) {
        let sentence = difference(&seen, second);
        let next = Next::Do(Task::Record(spot.clone()), Placement::Any);
        let step = Step::RecordAgain { sentence, timeline: None };
        (Self { spot, seen, death: None, step }, next)
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, worker: WorkerId, answer: Answer) -> Next {
        match (answer, &mut self.step) {
            (Answer::Failed(reason), _) => Next::Failed(reason),
            (Answer::Recorded(recorded), Step::Record) => {
                let ran = recorded.ran.unwrap_or_default();
                if is_same(&self.seen, &ran) {
                    let task = replay(&recorded.case);
                    self.step = Step::Replay { agreed: 0, case: recorded.case };
                    return Next::Do(task, Placement::Not(worker));
                }
                let sentence = difference(&self.seen, &ran);
                self.step = Step::RecordAgain { sentence, timeline: recorded.timeline };
                Next::Do(Task::Record(self.spot.clone()), Placement::Not(worker))
            }
            (Answer::Recorded(recorded), Step::RecordAgain { sentence, timeline }) => {
                let Some(first) = timeline else {
                    *timeline = recorded.timeline;
                    return match timeline {
                        Some(_) => Next::Do(Task::Record(self.spot.clone()), Placement::Not(worker)),
                        None => Next::Unstable(Unstable { sentence: sentence.clone(), divergence: None }),
                    };
                };
                let divergence = recorded.timeline.and_then(|second| first.first_divergence(&second)).map(Into::into);
                Next::Unstable(Unstable { sentence: sentence.clone(), divergence })
            }
            (Answer::Replayed(replayed), Step::Replay { agreed, case }) => {
                if let Some(unstable) = parts(&self.seen, &replayed) {
                    return Next::Unstable(unstable);
                }
                *agreed += 1;
                if *agreed < REPLAYS {
                    return Next::Do(replay(case), Placement::Not(worker));
                }
                Next::Confirmed(std::mem::take(case))
            }
            (Answer::Ran(_), Step::Rerun { .. }) => {
                let kind = self.death.map_or("went down", |kind| kind.anomaly());
                let sentence =
                    format!("the seed took its process down ({kind}), and not when it ran alone in a new one");
                Next::Unstable(Unstable { sentence, divergence: None })
            }
            (Answer::Recorded(recorded), Step::Describe) => Next::Confirmed(recorded.case),
            (answer, step) => Next::Failed(format!("{answer:?} is no answer to {step:?}")),
        }
    }

    /// Takes the news that the worker went down.
    pub(super) fn lost(&mut self, death: &Death) -> Next {
        let Step::Rerun { agreed } = &mut self.step else {
            let sentence =
                format!("the seed ended well once and took its process down when repeated: {}", death.detail);
            return Next::Unstable(Unstable { sentence, divergence: None });
        };
        if self.death != Some(death.kind) {
            let first = self.death.map_or("", |kind| kind.anomaly());
            let sentence = format!("the seed took its process down as {first} and then as {}", death.kind.anomaly());
            return Next::Unstable(Unstable { sentence, divergence: None });
        }
        *agreed += 1;
        // A hang costs its whole patience each time; once more is enough to believe it.
        if *agreed < REPLAYS && death.kind != DeathKind::Hang {
            return Next::Do(Task::Search(self.spot.clone()), Placement::Fresh);
        }
        self.step = Step::Describe;
        Next::Do(Task::Describe(self.spot.clone()), Placement::Any)
    }
}

fn replay(case: &str) -> Task {
    Task::Replay(CaseText {
        name: "the case just recorded".to_string(),
        text: case.to_string(),
        from_seed: false,
        history: false,
    })
}

/// Whether two runs of one seed are one and the same.
pub(super) fn is_same(first: &Ran, second: &Ran) -> bool {
    first.hash == second.hash && first.finding == second.finding
}

fn difference(first: &Ran, second: &Ran) -> String {
    let hash = |ran: &Ran| ran.hash.map_or_else(|| "none".to_string(), |hash| hash.to_string());
    if first.hash != second.hash {
        return format!("two runs of one seed have the hashes {} and {}", hash(first), hash(second));
    }
    let finding =
        |ran: &Ran| ran.finding.as_ref().map_or_else(|| "no finding".to_string(), |found| found.sentence.clone());
    format!("two runs with one hash have different findings: {}; {}", finding(first), finding(second))
}

/// How a replay parts from what was seen, if it does.
fn parts(seen: &Ran, replayed: &Replayed) -> Option<Unstable> {
    if is_same(seen, &replayed.ran) {
        return None;
    }
    let misfit = replayed.misfit.as_ref().map(|misfit| format!("; {misfit}")).unwrap_or_default();
    let sentence = format!("the recorded decisions do not repeat the run: {}{misfit}", difference(seen, &replayed.ran));
    Some(Unstable { sentence, divergence: replayed.divergence })
}
