//! ProbeSource: looks at the source, refuses what cannot be published, plans the ladder, prices it.

mod context;
pub mod cost;
pub mod facts;
mod handler;
pub mod ladder;

pub use context::Context;
pub use handler::{Ports, handle};
