//! What the hunt keeps beside its results: the journal, from which it goes on when it was killed, and its pace.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CampaignError, Hunt, Purpose, Sent, is_repeated};
use crate::campaign::journal::Note;
use crate::campaign::lane::LaneConfig;
use crate::campaign::outcome::NotRepeated;
use crate::campaign::pace::{Sample, Slow};
use crate::campaign::pool::Placement;
use crate::campaign::progress::{Progress, State};
use crate::campaign::protocol::{Answer, Task};

impl Hunt<'_> {
    /// Takes up what an earlier start of this campaign has finished. Findings are confirmed anew, for what lies
    /// in the folder may be from before.
    pub(super) fn recall(&mut self, progress: &mut dyn Progress) -> Result<(), CampaignError> {
        let mut unrepeated = BTreeMap::new();
        let mut runs = Vec::new();
        for note in std::mem::take(&mut self.recalled) {
            match note {
                Note::Ran { lane, seed, death, ran } => {
                    self.lanes[lane].skip(seed);
                    if death.is_none() && is_repeated(seed) {
                        unrepeated.insert((lane, seed), ran.clone());
                    }
                    runs.push((lane, seed, death, ran));
                }
                Note::Repeated { lane, seed } => {
                    unrepeated.remove(&(lane, seed));
                    self.pace.repeated += 1;
                }
                Note::Unstable { lane, seed, sentence, divergence } => {
                    unrepeated.remove(&(lane, seed));
                    self.unstable.push(NotRepeated { lane, seed, sentence, divergence });
                }
            }
        }
        self.pace.resumed = runs.len() as u64;
        progress.note(&format!("going on with a campaign that was stopped: {} runs are finished", runs.len()));
        for (lane, seed, death, ran) in runs {
            self.result(lane, seed, *ran, death, progress)?;
        }
        for ((lane, seed), first) in unrepeated {
            if !self.lanes[lane].is_beyond(seed) {
                let task = Task::Search(self.spot(lane, seed));
                let purpose = Purpose::Repeat { lane, seed, first };
                self.urgent.push_back(Sent { purpose, task, placement: Placement::Any });
            }
        }
        Ok(())
    }

    pub(super) fn note(&mut self, note: impl FnOnce() -> Note) {
        if let Some(journal) = &mut self.journal {
            journal.add(&note());
        }
    }

    pub(super) fn sample(&mut self) {
        let ms = self.started.elapsed().as_millis() as u64;
        if self.pace.wants(ms) {
            let State { runs, turns, findings, .. } = self.state;
            self.pace.sample(Sample { ms, runs: runs - self.pace.resumed.min(runs), turns, findings });
        }
    }

    pub(super) fn watch(&mut self, sent: &Sent, answer: &Answer, took: Duration) {
        let ms = took.as_millis() as u64;
        if let (Purpose::Search { lane, seed }, Answer::Ran(ran)) = (&sent.purpose, answer)
            && self.pace.is_slow(ms)
        {
            let LaneConfig { scenario_name, engine, .. } = &self.lanes[*lane].config;
            let (scenario, engine) = (scenario_name.clone(), engine.clone());
            self.pace.slow(Slow { ms, scenario, engine, seed: *seed, turns: ran.turns });
        }
    }

    pub(super) fn sample_last(&mut self) {
        self.pace.elapsed = self.started.elapsed();
        let State { runs, turns, findings, .. } = self.state;
        let ms = self.pace.elapsed.as_millis() as u64;
        self.pace.sample(Sample { ms, runs: runs - self.pace.resumed.min(runs), turns, findings });
    }
}
