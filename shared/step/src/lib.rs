//! What makes a function of ours a Lambda: decode the event, run the handler, map its error to a States Language error name,
//! log, measure.
//!
//! A step is `main.rs` (one call of [`start`]), `context.rs` (clients and environment), and `handler.rs` (logic over ports).
//! **Invariant:** nothing but this crate knows `lambda_runtime`.

#[cfg(feature = "announce")]
pub mod announce;
pub mod aws;
pub mod backoff;
#[cfg(feature = "callback")]
pub mod callback;
pub mod env;
mod error;
mod metrics;
mod runtime;
pub mod time;

pub use error::StepError;
pub use runtime::{StartError, start};
pub use vodline_contracts::ErrorCode;
