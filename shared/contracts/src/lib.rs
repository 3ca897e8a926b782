//! Every type that crosses a border of the line: step inputs and outputs, the video row, the site's API, and the AWS events
//! the line listens to.
//!
//! **Invariant:** no I/O and no SDK here. `schemas/` is generated from these types ([`schema::all`]); the site's TypeScript
//! types and the test fixtures come from there.
//!
//! Rules: inputs we author deny unknown fields; AWS's events allow them (AWS adds fields without notice). A released
//! contract may grow by optional fields and never break: executions in flight outlive a deploy.

pub mod api;
pub mod aws;
pub mod error;
pub mod job;
pub mod packaging;
pub mod playback;
pub mod schema;
pub mod source;
pub mod steps;
pub mod storyboard;
pub mod title;
pub mod video;

mod ids;

pub use error::{ErrorCode, Retryability};
pub use ids::VideoId;
