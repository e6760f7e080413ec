//! The workloads of the key-value family, one a file, and their registry.
//!
//! They know keys and operations; they do not know any engine, nor what is right. Every value is unique
//! and names the operation that wrote it, except the sums of [`Counter`] and [`Bank`].

mod audit;
mod bank;
mod cas;
mod churn;
mod counter;
mod draft;
mod list_append;
mod queue;
mod register;
mod rw_register;
mod scans;
mod set;

use super::{Workload, judged, needs};
use crate::engine::kv::Kv;

pub use audit::Audit;
pub use bank::Bank;
pub use cas::CompareAndSet;
pub use churn::Churn;
pub use counter::Counter;
pub use list_append::ListAppend;
pub use queue::Queue;
pub use register::Register;
pub use rw_register::RwRegister;
pub use scans::Scans;
pub use set::Set;

/// All of them, sorted by name.
#[must_use]
pub fn all() -> Vec<Box<dyn Workload<Kv>>> {
    vec![
        Box::new(Bank),
        Box::new(CompareAndSet),
        Box::new(Churn),
        Box::new(Counter),
        Box::new(ListAppend),
        Box::new(Queue),
        Box::new(Register),
        Box::new(RwRegister),
        Box::new(Scans),
        Box::new(Set),
    ]
}

/// The workload of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Workload<Kv>>> {
    all().into_iter().find(|workload| workload.name() == name)
}

#[cfg(test)]
mod tests;
