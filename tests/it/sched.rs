//! What the policies promise, in numbers. Every test states its odds; the seeds are fixed, so that a test
//! that passes passes for ever.

mod classes;
mod exhaustive;
mod fairness;
mod lab;
mod pct;
mod pos;
mod uniform;
