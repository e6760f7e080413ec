//! Properties against a small store that is right, and one that is wrong in a known way.

mod durability;
mod file;
mod isolation;
mod linearizability;
mod scan;
mod tiny;
