//! AttachOrigin: makes a packaging group an origin of the distribution, with the secret header, once; and mends what a stack update dropped.

mod context;
mod handler;
pub mod origin;

pub use context::Context;
pub use handler::{Ports, Put, Secret, Versioned, handle};
