//! The simulated disk, specified by example: a script of operations, and the exact set of what can be left.

mod crash;
mod faults;
mod handles;
mod script;
