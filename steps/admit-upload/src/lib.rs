//! AdmitUpload: one video per object version. A second event for the same version ends its execution quietly.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Ports, handle};
