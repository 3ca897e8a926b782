//! Ends the wait for a job: an event of MediaConvert says that it is complete, failed or canceled.

mod context;
mod handler;
pub mod outputs;

pub use context::Context;
pub use handler::{Ports, handle};
