//! Findings made smaller before they are stored, in worker processes: what is tried may take its process down.
//!
//! Each case is worked on in stretches of so many runs, so that progress is seen and an interruption is heard; a
//! stretch is a function of its case, and what comes out the same on every machine, unless time cuts it. What does
//! not get smaller in its time is stored as it is, and says so.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::hunt::{CampaignError, Interrupts};
use super::pool::{Event, Placement, Pool, Ticket};
use super::progress::Progress;
use super::protocol::{Answer, ShrinkTask, Smaller, Task};
use crate::scenario::{Case, ShrunkFacts, Size};

/// The first stretch of work, in runs; one in which nothing was gained is followed by one twice as long.
const STRETCH: u64 = 2_500;
/// At most so many runs for one case.
const REPLAYS_MAX: u64 = 10_000;

/// A case under way.
struct Work {
    case: String,
    size: Option<Size>,
    replays: u64,
    stretch: u64,
    spent: Duration,
    /// Why it stopped before nothing more could be taken away.
    cut: Option<String>,
}

/// Makes cases smaller; gives them back in the same order.
pub(super) fn all(
    pool: &mut Pool,
    tickets: &mut Ticket,
    cases: Vec<String>,
    budget: Duration,
    progress: &mut dyn Progress,
    interrupts: &Interrupts,
) -> Result<Vec<String>, CampaignError> {
    let new = |case| Work { case, size: None, replays: 0, stretch: STRETCH, spent: Duration::ZERO, cut: None };
    let mut works: Vec<Work> = cases.into_iter().map(new).collect();
    let mut waiting: VecDeque<usize> = (0..works.len()).collect();
    let mut out: BTreeMap<Ticket, (usize, Instant)> = BTreeMap::new();
    while !(waiting.is_empty() && out.is_empty()) {
        if interrupts.count() > 0 {
            waiting.drain(..).for_each(|index| works[index].cut = Some("it was interrupted".to_string()));
        }
        while let Some(index) = waiting.pop_front() {
            *tickets += 1;
            if !pool.send(*tickets, &works[index].task(budget, pool.hang_after() / 2), Placement::Any, 1)? {
                waiting.push_front(index);
                break;
            }
            out.insert(*tickets, (index, Instant::now()));
        }
        if interrupts.count() > 1 {
            break;
        }
        for event in pool.next(Duration::from_millis(100)) {
            let (ticket, answer) = match event {
                Event::Answered { ticket, answer, .. } => (ticket, Some(answer)),
                Event::Lost { ticket, .. } => (ticket, None),
                Event::HandedBack { ticket } => {
                    waiting.extend(out.remove(&ticket).map(|(index, _)| index));
                    continue;
                }
            };
            let Some((index, sent)) = out.remove(&ticket) else { continue };
            if works[index].take(answer, sent.elapsed())? {
                waiting.push_back(index);
            }
        }
        progress.shrinking(works.len() - waiting.len() - out.len(), works.len());
    }
    Ok(works.into_iter().map(Work::finished).collect())
}

impl Work {
    /// The next stretch. A worker that says nothing for too long counts as hung.
    fn task(&self, budget: Duration, stretch_max: Duration) -> Task {
        let left = budget.saturating_sub(self.spent).min(stretch_max).as_millis() as u64;
        Task::Shrink(ShrinkTask {
            text: self.case.clone(),
            replays_max: self.stretch.min(REPLAYS_MAX.saturating_sub(self.replays)).max(1),
            budget_ms: left.max(1),
        })
    }

    /// Takes what came of a stretch; says whether there is more to do.
    fn take(&mut self, answer: Option<Answer>, took: Duration) -> Result<bool, CampaignError> {
        self.spent += took;
        let smaller = match answer {
            Some(Answer::Shrunk(smaller)) => *smaller,
            Some(Answer::Failed(reason)) => return Err(CampaignError::Task(reason)),
            Some(answer) => return Err(CampaignError::Task(format!("{answer:?} answers nothing"))),
            None => {
                self.cut = Some("a smaller one took its process down".to_string());
                return Ok(false);
            }
        };
        let Smaller { case, size, replays, is_smallest, runs_spent } = smaller;
        let Some(case) = case else {
            self.cut = Some("it does not fail alike when it is run from its decisions".to_string());
            return Ok(false);
        };
        self.replays += replays;
        if self.size.is_some_and(|known| size >= known) {
            self.stretch *= 2;
        }
        (self.case, self.size) = (case, Some(size));
        if !is_smallest && self.replays >= REPLAYS_MAX {
            self.cut = Some(format!("stopped after {} runs", self.replays));
        } else if !is_smallest && !runs_spent {
            self.cut = Some(format!("stopped by its time limit after {} runs", self.replays));
        }
        Ok(!is_smallest && self.cut.is_none())
    }

    /// The case, with what is known of it.
    fn finished(self) -> String {
        let Ok(mut case) = Case::parse("the case just recorded", &self.case) else { return self.case };
        case.shrunk = Some(ShrunkFacts { replays: self.replays, cut: self.cut, size: self.size });
        with_facts(&self.case, &case).unwrap_or(self.case)
    }
}

/// The text of a case with its facts about shrinking replaced; its plan is laid out for people and stays so.
fn with_facts(text: &str, case: &Case) -> Option<String> {
    let facts = toml::Table::from_iter([("shrunk".to_string(), toml::Value::try_from(case.shrunk.as_ref()?).ok()?)]);
    let facts = format!("{}\n", toml::to_string(&facts).ok()?.trim_end());
    let end = text.find("[configuration]")?;
    let start = text[..end].find("[shrunk]").unwrap_or(end);
    Some(format!("{}{facts}\n{}", &text[..start], &text[end..]))
}
