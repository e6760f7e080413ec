//! The report of a failure: what was violated in one sentence, the shortest interleaving that shows it, the
//! command that replays it; as text, as a page, and in forms for programs.
//!
//! Everything here is made from a run that was recorded. Nothing here runs anything, searches, or knows how the
//! failure was found.

pub mod export;
pub mod file;

mod cycle;
mod failure;
mod page;
mod rows;
mod stand;
mod table;
mod text;
mod why;
mod words;

pub use cycle::{Edge, Node, Proof};
pub use failure::{Environment, Extent, FAILURE_VERSION, Failure, Likelihood, Reproduce};
pub use page::page;
pub use rows::{ARGS, ENDS, FactRow, KINDS, Kind, OTHER_IO, Rows, WHO_CONNECTION, WHO_CRASH, WHO_ENGINE, WHO_TIMER};
pub use stand::Stand;
pub use table::{Column, Marks, ROWS_MAX, Row, Table};
pub use text::{markdown, plain};
pub use words::{call_text, io_text, outcome_text};
