//! The judges from outside: drawn histories, and brute force as ground truth.

mod brute;
mod draw;
mod fuzz;
mod general;
