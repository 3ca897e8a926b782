//! VerifyPlayback: plays a video through the CDN the way a player begins to, and keeps the receipt.

mod context;
pub mod dash;
mod handler;
pub mod playlist;
pub mod segment;

pub use context::Context;
pub use handler::{Fetched, Ports, handle};
