//! Measures what a power loss takes from SQLite, and prints the table of `docs/sqlite.md`.
//!
//! ```sh
//! cargo run --release --example sqlite_durability -- 2000
//! ```
#![allow(clippy::print_stdout)]

#[path = "../tests/it/sqlite/stepper.rs"]
#[allow(dead_code)]
mod stepper;
#[path = "../tests/it/sqlite/toll.rs"]
mod toll;

use squall::disk::sim::{DiskConfig, FailedSync};
use squall::engine::sql::OverSql;
use squall::tape::Ratio;
use toll::{Toll, toll};

/// The family `kv` on top of it.
type Sqlite = OverSql<squall::engines::sqlite::Sqlite>;

fn cell(toll: &Toll) -> String {
    let commits = match (toll.lost, toll.lost_max) {
        (0, _) => String::new(),
        (times, 1) => format!("the last commit: {times}"),
        (times, most) => format!("up to {most} commits: {times}"),
    };
    let database = if toll.damaged == 0 { String::new() } else { format!("the database: {}", toll.damaged) };
    match (commits.is_empty(), database.is_empty()) {
        (true, true) => "nothing".to_string(),
        (false, false) => format!("{commits}; {database}"),
        _ => commits + &database,
    }
}

fn main() {
    let crashes = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(300);
    let calm = DiskConfig::default();
    println!("Of {crashes} power losses inside a commit each:\n");
    println!("| | `extra` | `full` | `normal` | `off` |\n|---|---|---|---|---|");
    for journal in ["delete", "truncate", "persist", "wal"] {
        let cells = ["extra", "full", "normal", "off"].map(|synchronous| {
            cell(&toll(&format!("journal_mode={journal} synchronous={synchronous}"), &calm, crashes, |_| false))
        });
        println!("| `{journal}` | {} |", cells.join(" | "));
    }
    println!("\n| disk | `wal` `full` | `wal` `normal` | `delete` `extra` |\n|---|---|---|---|");
    let failing = |policy| DiskConfig { sync_eio: Ratio::new(1, 20), failed_sync: Some(policy), ..calm.clone() };
    let disks = [
        ("no powersafe overwrite", DiskConfig { powersafe_overwrite: false, ..calm.clone() }),
        ("failed sync, kept dirty", failing(FailedSync::KeptDirty)),
        ("failed sync, clean and new", failing(FailedSync::CleanNew)),
        ("failed sync, clean and old", failing(FailedSync::CleanOld)),
        ("failed sync, late", failing(FailedSync::Late)),
    ];
    for (name, disk) in disks {
        let cells = [("wal", "full"), ("wal", "normal"), ("delete", "extra")].map(|(journal, synchronous)| {
            cell(&toll(&format!("journal_mode={journal} synchronous={synchronous}"), &disk, crashes, |_| false))
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}
