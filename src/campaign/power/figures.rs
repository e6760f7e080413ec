//! What the starts come to: medians with their censoring, detection within so many runs, and the two goals.
//!
//! A start without a finding is *censored*: all that is known is that it takes more than its limit. A median
//! that would need a censored start is itself only known to lie beyond the limit, and is shown so.

use super::record::Record;
use super::{BASELINE, Contender, PORTFOLIO, Start, Target, WITHIN};

/// Beyond so many runs a bug is worth a better schedule: ratios are taken of those only.
const WORTH_RUNS: f64 = 50.0;

/// Runs to the first finding, in the median of the starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Median {
    /// Half of the starts need at most so many.
    Runs(f64),
    /// Half of the starts found nothing in so many.
    Beyond(u64),
}

/// Some starts of one contender at one bug.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The contender.
    pub contender: &'static str,
    /// Runs of a start, at most.
    pub runs_max: u64,
    /// Each start: runs, and whether the last had a finding.
    pub starts: Vec<Start>,
}

/// A bound of a goal, and how it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Within so many runs.
    pub within: u64,
    /// So many bugs of each hundred are to be found.
    pub percent: u32,
    /// Bugs that at least half of the starts have found.
    pub by_half: usize,
    /// Bugs that all starts have found.
    pub by_all: usize,
    /// Harmful bugs measured.
    pub of: usize,
}

/// What is asked of the portfolio.
#[derive(Clone, Debug, PartialEq)]
pub struct Goals {
    /// Bugs found within so many runs.
    pub bounds: Vec<Bound>,
    /// The geometric mean of the ratios of medians, portfolio to baseline; none when no bug is worth one.
    pub ratio: Option<f64>,
    /// The bugs that count for it: those for which the baseline needs more than 50 runs.
    pub ratio_of: usize,
    /// Of them, those that the baseline has not found: its limit counts, so that the true ratio is smaller still.
    pub baseline_censored: usize,
    /// Of them, those that the portfolio has not found: its limit counts, and the true ratio is larger.
    pub portfolio_censored: usize,
    /// Harmless changes that somebody has complained about.
    pub false_alarms: Vec<String>,
}

/// Everything that has been measured.
#[derive(Clone, Debug)]
pub struct Figures<'a> {
    /// The bugs, with what each contender made of them.
    pub bugs: Vec<(&'a Target, Vec<Row>)>,
}

impl Row {
    /// Runs to the first finding, in the median.
    #[must_use]
    pub fn median(&self) -> Option<Median> {
        let mut runs: Vec<_> =
            self.starts.iter().map(|start| if start.found { start.runs } else { u64::MAX }).collect();
        runs.sort_unstable();
        let middle = runs.len().checked_sub(1)? / 2;
        let (low, high) = (runs[middle], runs[runs.len() / 2]);
        Some(match high {
            u64::MAX => Median::Beyond(self.runs_max),
            _ => Median::Runs((low as f64 + high as f64) / 2.0),
        })
    }

    /// Starts that found it within so many runs.
    #[must_use]
    pub fn found_within(&self, runs: u64) -> usize {
        self.starts.iter().filter(|start| start.found && start.runs <= runs).count()
    }
}

impl Median {
    /// The number that counts in a ratio: the limit, for what lies beyond it.
    #[must_use]
    pub const fn counted(self) -> f64 {
        match self {
            Self::Runs(runs) => runs,
            Self::Beyond(limit) => limit as f64,
        }
    }

    const fn is_beyond(self) -> bool {
        matches!(self, Self::Beyond(_))
    }
}

impl<'a> Figures<'a> {
    /// The figures of what the record holds; starts that are missing are left out.
    #[must_use]
    pub fn of(targets: &'a [Target], contenders: &[Contender], record: &Record) -> Self {
        let row = |target: &Target, contender: &Contender| Row {
            contender: contender.name,
            runs_max: contender.runs_max,
            starts: (0..contender.starts).filter_map(|start| record.get(&target.bug, contender.name, start)).collect(),
        };
        let rows = |target: &'a Target| (target, contenders.iter().map(|contender| row(target, contender)).collect());
        Self { bugs: targets.iter().map(rows).collect() }
    }

    /// The longest run of all, in turns.
    #[must_use]
    pub fn turns_most(&self) -> u64 {
        let starts = self.bugs.iter().flat_map(|(_, rows)| rows).flat_map(|row| &row.starts);
        starts.map(|start| start.turns_most).max().unwrap_or(0)
    }

    /// Starts that a contender has made at every harmful bug.
    #[must_use]
    pub fn starts_made(&self, contender: &str) -> usize {
        let harmful = self.bugs.iter().filter(|(target, _)| !target.harmless).flat_map(|(_, rows)| rows);
        harmful.filter(|row| row.contender == contender).map(|row| row.starts.len()).min().unwrap_or(0)
    }

    /// Runs in all.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.bugs.iter().flat_map(|(_, rows)| rows).flat_map(|row| &row.starts).map(|start| start.runs).sum()
    }

    /// How the goals came out.
    #[must_use]
    pub fn goals(&self) -> Goals {
        let harmful: Vec<_> = self.bugs.iter().filter(|(target, _)| !target.harmless).collect();
        let of = |rows: &[Row], name| rows.iter().find(|row| row.contender == name).cloned();
        let portfolio: Vec<Row> = harmful.iter().filter_map(|(_, rows)| of(rows, PORTFOLIO)).collect();
        let limit = portfolio.first().map_or(0, |row| row.runs_max);
        let bound = |(within, percent): (u64, u32)| Bound {
            within,
            percent,
            by_half: portfolio.iter().filter(|row| 2 * row.found_within(within) >= row.starts.len().max(1)).count(),
            by_all: portfolio
                .iter()
                .filter(|row| !row.starts.is_empty() && row.found_within(within) == row.starts.len())
                .count(),
            of: harmful.len(),
        };
        let [.., thousand, ten_thousand] = WITHIN;
        let asked = [(ten_thousand, 95), (thousand, 80)].into_iter().filter(|&(within, _)| within <= limit);
        let medians = harmful
            .iter()
            .filter_map(|(_, rows)| Some((of(rows, BASELINE)?.median()?, of(rows, PORTFOLIO)?.median()?)));
        let worth: Vec<_> =
            medians.filter(|(baseline, _)| baseline.is_beyond() || baseline.counted() > WORTH_RUNS).collect();
        let logs = worth.iter().map(|(baseline, portfolio)| (portfolio.counted() / baseline.counted()).ln());
        let ratio = (!worth.is_empty()).then(|| (logs.sum::<f64>() / worth.len() as f64).exp());
        let alarmed = |(target, rows): &&(&Target, Vec<Row>)| {
            target.harmless && rows.iter().flat_map(|row| &row.starts).any(|start| start.found)
        };
        Goals {
            bounds: asked.map(bound).collect(),
            ratio,
            ratio_of: worth.len(),
            baseline_censored: worth.iter().filter(|(baseline, _)| baseline.is_beyond()).count(),
            portfolio_censored: worth.iter().filter(|(_, portfolio)| portfolio.is_beyond()).count(),
            false_alarms: self.bugs.iter().filter(alarmed).map(|(target, _)| target.bug.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &'static str, starts: &[Option<u64>]) -> Row {
        let start =
            |runs: &Option<u64>| Start { runs: runs.unwrap_or(10_000), found: runs.is_some(), ..Start::default() };
        Row { contender, runs_max: 10_000, starts: starts.iter().map(start).collect() }
    }

    #[test]
    fn a_median_that_needs_a_censored_start_is_only_known_to_lie_beyond_the_limit() {
        let check = |starts: &[Option<u64>], expected| assert_eq!(row("random", starts).median(), expected);
        check(&[], None);
        check(&[Some(3)], Some(Median::Runs(3.0)));
        check(&[Some(9), None, Some(3)], Some(Median::Runs(9.0)));
        check(&[Some(9), Some(3), Some(4), Some(100)], Some(Median::Runs(6.5)));
        check(&[Some(9), None, Some(3), None], Some(Median::Beyond(10_000)));
        check(&[None], Some(Median::Beyond(10_000)));
    }

    fn target(harmless: bool) -> Target {
        let (bug, class, engine) = ("bug".to_string(), "crash".to_string(), "dinghy".to_string());
        Target { bug, class, depth: 2, harmless, engine, scenarios: vec![] }
    }

    #[test]
    fn ratios_are_taken_of_bugs_that_the_baseline_finds_late_or_not_at_all() {
        let (harmful, harmless) = (target(false), target(true));
        let rows = |baseline: &[Option<u64>], portfolio: &[Option<u64>]| {
            vec![row(BASELINE, baseline), row(PORTFOLIO, portfolio)]
        };
        let figures = Figures {
            bugs: vec![
                // Found at once by both: no better schedule is needed.
                (&harmful, rows(&[Some(50)], &[Some(500)])),
                // A hundredth, and a ten thousandth at most: a thousandth in the mean.
                (&harmful, rows(&[Some(400)], &[Some(4)])),
                (&harmful, rows(&[None], &[Some(1)])),
                (&harmless, rows(&[None], &[None])),
            ],
        };
        let goals = figures.goals();
        assert!((goals.ratio.unwrap() - 0.001).abs() < 1e-12, "{goals:?}");
        assert_eq!((goals.ratio_of, goals.baseline_censored, goals.portfolio_censored), (2, 1, 0));
        assert_eq!(goals.bounds[1], Bound { within: 1_000, percent: 80, by_half: 3, by_all: 3, of: 3 });
        assert_eq!(goals.false_alarms, Vec::<String>::new());
    }

    #[test]
    fn a_bug_is_found_by_half_of_the_starts_or_by_all_and_a_harmless_one_by_none() {
        let (harmful, harmless) = (target(false), target(true));
        let figures = Figures {
            bugs: vec![
                (&harmful, vec![row(PORTFOLIO, &[Some(1_000), Some(1_001)])]),
                (&harmful, vec![row(PORTFOLIO, &[Some(2), None, None])]),
                (&harmless, vec![row(PORTFOLIO, &[None, Some(7)])]),
            ],
        };
        let goals = figures.goals();
        let found = |bound: &Bound| (bound.within, bound.by_half, bound.by_all, bound.of);
        assert_eq!(goals.bounds.iter().map(found).collect::<Vec<_>>(), [(10_000, 1, 1, 2), (1_000, 1, 0, 2)]);
        assert_eq!((goals.ratio, goals.false_alarms), (None, vec!["bug".to_string()]));
    }
}
