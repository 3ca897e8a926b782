//! Marks the video of a failed execution, and tells the bus. Driven by the execution's own status change, not by the state machine: so a redrive restarts the very state that failed.

mod context;
mod handler;
pub mod history;

pub use context::Context;
pub use handler::{Execution, Ports, handle};
