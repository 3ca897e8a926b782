//! EnsurePackagingGroup: finds or makes the packaging group with room for one more asset, with CDN authorization and all its configurations.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Created, Group, Packaging, Ports, handle};
