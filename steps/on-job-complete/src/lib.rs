//! Ends the wait for a job: an event of MediaConvert says that it is complete, failed or canceled.

mod handler;
pub mod outputs;

pub use handler::handle;
