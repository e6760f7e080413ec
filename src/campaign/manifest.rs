//! What a campaign is: which seeds of which scenarios on which engines. It stands in `campaign.json` beside the
//! journal, and tells whether a campaign that is started goes on with an earlier one, and which shards fit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::lane::LaneConfig;
use super::shard::Shard;
use super::summary::{SummarySkipped, VERSION};
use crate::tape::Fingerprint;

/// The file's name.
pub const MANIFEST_FILE: &str = "campaign.json";

/// How far a campaign came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progressed {
    /// Every seed was run.
    Complete,
    /// Its time was over before its seeds were.
    BudgetSpent,
    /// Somebody stopped it.
    Interrupted,
    /// It is under way, or was killed.
    Running,
}

/// A campaign, as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the form.
    pub v: u32,
    /// The version of squall.
    pub squall: String,
    /// The program's own bytes: another build is another campaign.
    pub build: Option<Fingerprint>,
    /// How far it came.
    pub state: Progressed,
    /// Which shards of it are here.
    pub shards: BTreeSet<Shard>,
    /// What was not run, and why.
    pub skipped: BTreeSet<SummarySkipped>,
    /// The cases of the corpus that were replayed first, and what became of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub corpus: BTreeSet<CorpusState>,
    /// What is run.
    pub lanes: Vec<LaneConfig>,
}

/// A case of a corpus, replayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CorpusState {
    /// The bucket it is of.
    pub bucket: String,
    /// Its place in the corpus.
    pub case: String,
    /// What the replay came to: `open`, `fixed`, `stale` or `diverged`.
    pub state: String,
    /// What is written in the case: `open` or `fixed`.
    pub recorded: String,
}

impl Manifest {
    /// A campaign over these lanes.
    #[must_use]
    pub fn new(shard: Shard, lanes: Vec<LaneConfig>) -> Self {
        Self {
            v: VERSION,
            squall: env!("CARGO_PKG_VERSION").to_string(),
            build: None,
            state: Progressed::Running,
            shards: [shard].into(),
            skipped: BTreeSet::new(),
            corpus: BTreeSet::new(),
            lanes,
        }
    }

    /// Whether it is the same campaign as another, however far each came.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        // As they are written, so that what is not written down makes no difference.
        let written = |manifest: &Self| serde_json::to_string(&Self { state: self.state, ..manifest.clone() });
        written(self).ok() == written(other).ok()
    }

    /// Whether a finding of this bucket is known from the corpus.
    #[must_use]
    pub fn knows(&self, bucket: &str) -> bool {
        self.corpus.iter().any(|case| case.bucket == bucket)
    }
}
