//! Brings the row of a video to where its execution is: FAILED, and the bus hears of it; or in progress again after a redrive.
//!
//! Driven by the execution's own status changes, not by the state machine: so a redrive restarts the very state that failed.

mod context;
mod handler;
pub mod history;

pub use context::Context;
pub use handler::{Execution, Ports, handle};
