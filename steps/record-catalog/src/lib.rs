//! RecordCatalog: the row becomes READY, and the bus hears of it.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Ports, handle};
