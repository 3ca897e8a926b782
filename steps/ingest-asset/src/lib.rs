//! IngestAsset: makes the MediaPackage asset of a video, or finds out what became of the one that is there.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Asset, Created, EndpointStatus, Ports, handle};
