//! The workloads of the SQL family, one a file, and their registry.
//!
//! Keys and values reach engines of this family through the workloads of `kv` already, a row for each key; these are
//! about what only SQL has: accounts changed in place, lists and queues of which every element is a row, sums over
//! many rows, several indexes on one table, constraints, savepoints, changes of the schema, rows longer than a page,
//! and statements of the user's own. What a statement means to the judges stands in the
//! statement itself ([`Meaning`](crate::engine::sql::Meaning)), so that most are judged as keys and values are.

mod append_rows;
mod bank_rows;
mod large_rows;
mod queue_rows;
mod registers;
mod rows;
mod savepoints;
mod schema_change;
mod secondary_index;
mod sums;
mod unique_index;
mod user_sql;

use super::Workload;
use crate::engine::sql::Sql;

pub use append_rows::AppendRows;
pub use bank_rows::BankRows;
pub use large_rows::LargeRows;
pub use queue_rows::QueueRows;
pub use savepoints::Savepoints;
pub use schema_change::SchemaChange;
pub use secondary_index::SecondaryIndex;
pub use sums::Sums;
pub use unique_index::UniqueIndex;
pub use user_sql::{OwnStatements, ParamKind, UserInvariant, UserSql, UserStatement, place_params};

/// All of them, sorted by name.
#[must_use]
pub fn all() -> Vec<Box<dyn Workload<Sql>>> {
    vec![
        Box::new(AppendRows),
        Box::new(BankRows),
        Box::new(LargeRows),
        Box::new(QueueRows),
        Box::new(Savepoints),
        Box::new(SchemaChange),
        Box::new(SecondaryIndex),
        Box::new(Sums),
        Box::new(UniqueIndex),
        Box::new(OwnStatements),
    ]
}

/// The workload of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Workload<Sql>>> {
    all().into_iter().find(|workload| workload.name() == name)
}
