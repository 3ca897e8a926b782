//! Ends the wait for an asset: events of MediaPackage say that a configuration is playable, or that the ingest failed.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Ports, handle};
