//! VerifyPlayback: plays a video through the CDN the way a player begins to, and keeps the receipt.

mod context;
mod handler;
pub mod playlist;

pub use context::Context;
pub use handler::{Fetched, Ports, handle};
