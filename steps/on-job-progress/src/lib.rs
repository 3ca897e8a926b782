//! Shows how far a job is and keeps its task alive.

mod handler;

pub use handler::handle;
