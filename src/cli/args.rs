//! What was typed, as clap reads it. What it means is decided by the verbs.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::shard::ShardArg;
use crate::scenario::parse_seeds;
use crate::trace::Level;

/// A deterministic concurrent stress simulator for storage engines.
///
/// Exit codes: 0 held · 1 finding · 2 usage or scenario error · 3 nondeterminism · 4 nothing ran ·
/// 5 inconclusive · 6 stale case · 70 our own failure · 130/143 interrupted.
#[derive(Debug, Parser)]
#[command(name = "squall", version, max_term_width = 110, propagate_version = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run scenarios: one, or folders of them, many seeds, all processors.
    Run(RunArgs),
    /// Put the results of shards together into one summary.
    Merge(MergeArgs),
    /// Run a stored failure again and verify its hash.
    Replay(ReplayArgs),
    /// The cases that are kept with the code: replay them, add to them, list them, tidy them.
    Corpus(CorpusArgs),
    /// Judge a history from elsewhere: own lines, Jepsen's EDN or JSON.
    Check(CheckArgs),
    /// Show a stored failure: a page for the browser, or text.
    Show(ShowArgs),
    /// Give a stored failure or a trace to other programs: Perfetto, Chrome, Jepsen, Graphviz.
    Export(ExportArgs),
    /// Make a stored failure smaller: fewer connections, operations, faults and context switches.
    Shrink(ShrinkArgs),
    /// Which switches and faults a failure needs, where it became likely, and the nearest run that passes.
    Explain(ExplainArgs),
    /// Every operation of an engine, with a wait, an error and an abandonment forced at every place in turn.
    Audit(AuditArgs),
    /// Show what is compiled in.
    List(ListArgs),
    /// Prove on this machine that a seed is one run: every scenario twice, in two processes.
    Doctor(DoctorArgs),
    /// Measure how soon each planted bug is found, by the baseline, at random, by the portfolio and by single policies.
    BenchPower(BenchPowerArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Work for a campaign: tasks on standard input, answers on standard output.
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Scenarios: paths of files or folders, or names of embedded ones.
    #[arg(default_value = "smoke", value_name = "SCENARIO")]
    pub(super) what: Vec<String>,
    /// Only this engine; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) engine: Vec<String>,
    /// Seeds A..B, B excluded.
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub(super) seeds: Option<Range<u64>>,
    /// One seed.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Start no seed after so long, such as 90s, 10m or 8h; without seeds, go on until then.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) budget: Option<Duration>,
    /// Only this policy, as `--set policy.name=NAME`.
    #[arg(long, value_name = "NAME")]
    pub(super) policy: Option<String>,
    /// Any key of a scenario; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Only part k of n of the seeds, such as 1/8; auto asks Slurm, Kubernetes, GitLab, Buildkite or AWS Batch.
    #[arg(long, value_name = "K/N", value_parser = super::shard::shard)]
    pub(super) shard: Option<ShardArg>,
    /// Exit 0 when every scenario met its `expect`, 1 when one did not.
    #[arg(long)]
    pub(super) as_expected: bool,
    /// Make each finding smaller before it is stored, for at most so long; 0s switches it off. Without it 60s, and
    /// 0s with --as-expected.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) shrink_budget: Option<Duration>,
    /// Replay the cases of this folder first; findings of their buckets are marked as known.
    #[arg(long, value_name = "DIR")]
    pub(super) corpus: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reports: ReportArgs,
    /// The folder of results.
    #[arg(long, value_name = "DIR", default_value = "squall-out")]
    pub(super) out: PathBuf,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Worker processes; as many as there are processors when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// A run that gives no answer for so long counts as hung.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(super) hang_after: Duration,
    /// The memory a worker may have, such as 512MiB or 4GiB.
    #[arg(long, value_name = "SIZE", value_parser = bytes, default_value = "4GiB")]
    pub(super) memory: u64,
}

/// For whoever runs the program: continuous integration, mostly.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Write JUnit XML: a test case for each property and each bucket.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Annotate a GitHub workflow, and append to its step summary when run in one.
    #[arg(long)]
    pub(super) github: bool,
}

#[derive(Debug, Args)]
pub(super) struct CorpusArgs {
    #[command(subcommand)]
    pub(super) verb: CorpusVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum CorpusVerb {
    /// Replay every case: which are open, fixed, stale. A case that was fixed and is found again is a finding.
    Run(CorpusRun),
    /// Put cases into the corpus, at most one for each bucket.
    Add(CorpusAdd),
    /// Show the cases without replaying them.
    List(CorpusList),
    /// Remove cases that are stale, or that a shorter one of their bucket makes needless.
    Prune(CorpusPrune),
}

#[derive(Debug, Args)]
pub(super) struct CorpusFolder {
    /// The folder of the corpus.
    #[arg(long, value_name = "DIR", default_value = "workloads/pinned")]
    pub(super) corpus: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CorpusRun {
    #[command(flatten)]
    pub(super) folder: CorpusFolder,
    /// Write into each case what the replay came to, open or fixed.
    #[arg(long)]
    pub(super) mark: bool,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

#[derive(Debug, Args)]
pub(super) struct CorpusAdd {
    /// Cases.
    #[arg(required = true, value_name = "CASE")]
    pub(super) cases: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) folder: CorpusFolder,
}

#[derive(Debug, Args)]
pub(super) struct CorpusList {
    #[command(flatten)]
    pub(super) folder: CorpusFolder,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct CorpusPrune {
    #[command(flatten)]
    pub(super) folder: CorpusFolder,
    /// Remove cases that are fixed, too.
    #[arg(long)]
    pub(super) fixed: bool,
    /// Only say what would be removed.
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Folders of results, of shards or of what was merged before.
    #[arg(required = true, value_name = "DIR")]
    pub(super) folders: Vec<PathBuf>,
    /// The folder of the merged results.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Exit 0 when every scenario met its `expect`, 1 when one did not.
    #[arg(long)]
    pub(super) as_expected: bool,
    #[command(flatten)]
    pub(super) reports: ReportArgs,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The case.
    pub(super) case: PathBuf,
    /// Write the run's transactions to this file, as Jepsen's events in EDN, for `check` and other judges.
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<PathBuf>,
    /// Stop after this turn, and show how things stand there.
    #[arg(long, value_name = "TURN", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "trace")]
    pub(super) until: Option<u64>,
    /// Write what happened to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// How much of it: ops, steps, io or state.
    #[arg(long, value_name = "LEVEL", default_value = "io", requires = "trace")]
    pub(super) level: Level,
    /// Everything, and the state for some turns around this one.
    #[arg(long, value_name = "TURN", requires = "trace")]
    pub(super) around: Option<u64>,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The case.
    pub(super) case: PathBuf,
    /// As Markdown, the text of an issue, on standard output.
    #[arg(long, group = "form")]
    pub(super) md: bool,
    /// As plain text on standard output.
    #[arg(long, group = "form")]
    pub(super) plain: bool,
    /// As failure.json on standard output.
    #[arg(long, group = "form")]
    pub(super) json: bool,
    /// As a regression test in Rust, the case and all, on standard output.
    #[arg(long, group = "form")]
    pub(super) rust: bool,
    /// Where the page goes; beside the case when not given.
    #[arg(long, value_name = "FILE", group = "form")]
    pub(super) html: Option<PathBuf>,
    /// Write report.html and failure.json into this folder, as `run` does.
    #[arg(long, value_name = "DIR", group = "form", hide = true)]
    pub(super) report: Option<PathBuf>,
    /// Find out which decisions the failure needs and where it became likely, for at most so long; 0s leaves it out.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub(super) explain_budget: Duration,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
    /// Open the page in the browser.
    #[arg(long, conflicts_with_all = ["md", "plain", "json", "rust"])]
    pub(super) open: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The case, or a trace that `replay --trace` has written.
    pub(super) case: PathBuf,
    /// The form.
    #[arg(long, value_enum)]
    pub(super) format: ExportFormat,
    /// Where it goes; standard output when not given.
    #[arg(long, short, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// The forms of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// Perfetto's protobuf, for ui.perfetto.dev.
    Perfetto,
    /// Chrome's trace events, for chrome://tracing and others.
    Chrome,
    /// The history as Jepsen's events.
    Edn,
    /// The interleaving for Graphviz.
    Dot,
    /// The interleaving as a picture.
    Svg,
}

impl ExportFormat {
    /// The name as it is typed.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Perfetto => "perfetto",
            Self::Chrome => "chrome",
            Self::Edn => "edn",
            Self::Dot => "dot",
            Self::Svg => "svg",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The file with the history.
    pub(super) history: PathBuf,
    /// The model to judge against; it follows from the operations when not given.
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// For transactions, the consistency model; strict-serializable when not given.
    #[arg(long, value_name = "NAME")]
    pub(super) consistency: Option<String>,
    /// Give up after so long.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) time_max: Option<Duration>,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// The case.
    pub(super) case: PathBuf,
    /// Where the smaller case goes; beside the case, as NAME.small.case, when not given.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// At most so many replays.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) replays: u64,
    /// At most so long; where it cuts, the result says so.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(super) budget: Duration,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The case.
    pub(super) case: PathBuf,
    /// Random continuations at each turn at which the likelihood is measured.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(super) continuations: u64,
    /// At most so long; where it cuts, the result says so.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(super) budget: Duration,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only this engine; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) engine: Vec<String>,
    /// Switch a planted bug on, as `--set engine.bugs=NAME`; only engines that have it are audited.
    #[arg(long, value_name = "NAME")]
    pub(super) bug: Vec<String>,
    /// The workload whose plan is the script: what prepares, what is looked at, what follows.
    #[arg(long, value_name = "NAME", default_value = "audit")]
    pub(super) workload: String,
    /// Any key of a scenario, such as `engine.page_size=1024`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// At most so many places of one operation; what is left out is said.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(super) places: usize,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// What to list.
    #[arg(value_enum)]
    pub(super) what: Listed,
    /// Of yields: only those that the campaign did not reach.
    #[arg(long)]
    pub(super) unhit: bool,
    /// Of yields: the folder of the campaign's results.
    #[arg(long, value_name = "DIR", default_value = "squall-out")]
    pub(super) out: PathBuf,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Scenarios; all embedded ones when none is given.
    #[arg(value_name = "SCENARIO")]
    pub(super) what: Vec<String>,
    /// Only this engine; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) engine: Vec<String>,
    /// Seeds A..B of each scenario, B excluded.
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..2")]
    pub(super) seeds: Range<u64>,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

#[derive(Debug, Args)]
pub(super) struct BenchPowerArgs {
    /// Few and short starts: a look at it in a minute or two.
    #[arg(long)]
    pub(super) quick: bool,
    /// Only these bugs, with commas between them; all of the catalogue when not given.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) bugs: Vec<String>,
    /// Only these contenders, with commas between them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) contenders: Vec<String>,
    /// Note each start in this file, and go on with what the file holds.
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// Print the page that `docs/power.md` is.
    #[arg(long, conflicts_with = "format")]
    pub(super) md: bool,
    /// How to say it on standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
}

/// How results are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// One JSON object a line, the summary last.
    Jsonl,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    /// Engines compiled in.
    Engines,
    /// Workloads.
    Workloads,
    /// Scenarios known by name.
    Scenarios,
    /// Properties.
    Properties,
    /// Fault kinds, with what a scenario may say of them.
    Faults,
    /// Scheduling policies.
    Policies,
    /// Bugs that engines can be told to have.
    Bugs,
    /// Every key of a scenario.
    Keys,
    /// Places of the engines' code where connections waited in the last campaign.
    Yields,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    parse_seeds(text).ok_or_else(|| "expected seeds such as 0..200, the second number excluded and larger".to_string())
}

/// `90s`, `10m`, `8h`, `250ms`; nothing needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let bad = || "expected a time such as 250ms, 90s, 10m or 8h".to_string();
    let split = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(bad)?;
    let number: u64 = text[..split].parse().map_err(|_| bad())?;
    let milliseconds = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(bad)
}

/// `512MiB`, `4GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let bad = || "expected a size of at least 64MiB, such as 512MiB or 4GiB".to_string();
    let (number, unit) = match (text.strip_suffix("MiB"), text.strip_suffix("GiB")) {
        (Some(number), _) => (number, 1u64 << 20),
        (_, Some(number)) => (number, 1u64 << 30),
        _ => return Err(bad()),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|&size| size >= 64 << 20).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("8h"), Ok(Duration::from_secs(28_800)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for bad in ["", "10", "s", "-4s", "4d", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        for bad in ["", "4", "1MiB", "4GB", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
