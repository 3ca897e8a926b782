//! Ends the wait for an asset: events of MediaPackage say that a configuration is playable, or that the ingest failed.

mod handler;

pub use handler::handle;
