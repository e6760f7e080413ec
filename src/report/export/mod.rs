//! A failure in forms that other programs read. Each is made from the rows of a trace, or from the table.

mod chrome;
mod diagram;
mod edn;
mod perfetto;
mod spans;

pub use chrome::chrome;
pub use diagram::{dot, svg};
pub use edn::edn;
pub use perfetto::perfetto;
