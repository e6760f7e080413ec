//! The judges from outside: drawn histories, and brute force as ground truth.

mod brute;
mod draw;
mod files;
mod fuzz;
mod general;
mod shared;
mod txn;
mod txn_draw;
mod txn_fuzz;
