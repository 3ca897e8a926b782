//! StartJob: creates the MediaConvert job of a video, or finds out what became of the one that is there.
//!
//! The job's settings are in `job.json`; this crate fills in what depends on the video.

mod context;
mod handler;
pub mod outputs;
pub mod plan;
pub mod template;

pub use context::Context;
pub use handler::{Order, Ports, handle};
