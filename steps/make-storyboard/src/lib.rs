//! MakeStoryboard: puts the thumbnails that the job made together into sheets, and says in WebVTT which part of which sheet
//! shows which moment.

mod context;
pub mod cues;
mod handler;
pub mod sheet;
pub mod thumbnails;

pub use context::Context;
pub use handler::{Ports, handle};
