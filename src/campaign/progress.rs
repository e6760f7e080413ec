//! What a campaign tells while it runs. It shows nothing itself; the command line does.

use super::coverage::New;

/// How far a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Runs finished.
    pub runs: u64,
    /// Runs to do, when that is known.
    pub total: Option<u64>,
    /// Turns taken.
    pub turns: u64,
    /// Buckets found so far.
    pub findings: u64,
    /// Places of the engines' code, and pairs of them, that were reached so far.
    pub reached: New,
}

/// Somebody who watches a campaign.
pub trait Progress {
    /// Called often, at least several times a second.
    fn tick(&mut self, state: State);

    /// A finding has been confirmed; one line that tells.
    fn found(&mut self, line: &str);

    /// Of `of` findings `done` have been made as small as can be.
    fn shrinking(&mut self, done: usize, of: usize);

    /// Something worth saying has happened, such as a worker that was replaced.
    fn note(&mut self, line: &str);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tick(&mut self, _state: State) {}
    fn found(&mut self, _line: &str) {}
    fn shrinking(&mut self, _done: usize, _of: usize) {}
    fn note(&mut self, _line: &str) {}
}
