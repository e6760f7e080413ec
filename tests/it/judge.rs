//! The judges from outside: drawn histories, and brute force as ground truth.

mod brute;
mod draw;
mod fuzz;
mod general;
mod txn;
mod txn_draw;
mod txn_fuzz;
