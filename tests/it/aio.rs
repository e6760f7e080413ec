//! The contract of the I/O model, case by case, seen from outside. The numbers are those of the table of
//! corner cases in `docs/async-io.md`; this file holds no test itself.

mod completions;
mod crowds;
mod disks;
mod groups;
mod labels;
mod machines;
mod scene;
