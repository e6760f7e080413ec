//! Many power losses inside commits, counted. Also part of `examples/sqlite_durability.rs`, which prints the table
//! of `docs/sqlite.md`.

use squall::disk::sim::DiskConfig;
use squall::history::CrashKind;
use squall::tape::Stream;

use super::Sqlite;
use super::stepper::{Fate, Run};

/// What many crashes came to.
#[derive(Debug, Default)]
pub(super) struct Toll {
    pub(super) crashes: u32,
    pub(super) acknowledged: usize,
    /// Crashes after which the database was whole and acknowledged transactions were gone.
    pub(super) lost: u32,
    /// The most transactions one crash took.
    pub(super) lost_max: usize,
    /// Crashes after which the database was damaged, or could not be opened.
    pub(super) damaged: u32,
    /// The first damage, in words.
    pub(super) example: String,
}

/// Crashes inside commits under `options`, seed by seed, until there have been `crashes` or `enough` says so.
pub(super) fn toll(options: &str, disk: &DiskConfig, crashes: u32, enough: impl Fn(&Toll) -> bool) -> Toll {
    let options = format!("{options} cache_pages=4 wal_autocheckpoint=6");
    let mut toll = Toll::default();
    let mut seed = 0;
    while toll.crashes < crashes && !enough(&toll) {
        seed += 1;
        let mut run: Run<Sqlite> = Run::new(&options, disk.clone(), seed, 2, 12);
        let (mut inside, place) = (0, 1 + Stream::new(seed, "crash", 0).below(300));
        let is_over = run.run(|run| {
            inside += u64::from(run.is_committing());
            inside == place
        });
        if is_over {
            continue;
        }
        toll.crashes += 1;
        toll.acknowledged += run.count(Fate::Acknowledged);
        let damage = match run.crash(CrashKind::Power) {
            Err(error) => vec![error.to_string()],
            Ok(()) => {
                let found = run.judge();
                if found.broken.is_empty() {
                    toll.lost += u32::from(found.lost > 0);
                    toll.lost_max = toll.lost_max.max(found.lost);
                }
                found.broken
            }
        };
        if let Some(first) = damage.first() {
            toll.damaged += 1;
            if toll.example.is_empty() {
                toll.example = format!("seed {seed}: {first}");
            }
        }
    }
    toll
}
