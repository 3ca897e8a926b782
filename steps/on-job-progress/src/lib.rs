//! Shows how far a job is and keeps its task alive.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Ports, handle};
