//! squall: a deterministic concurrent stress simulator for storage engines.

pub mod tape;
