//! What the tests of the steps share. The table is no mock: its requests go through the real SDK to a real DynamoDB engine in
//! memory, so conditions are evaluated and not imagined.
#![expect(clippy::expect_used, reason = "test support: what cannot be set up ends the test")]

mod announcements;
mod callbacks;
mod catalog;
pub mod http;
pub mod samples;

pub use announcements::Announcements;
pub use callbacks::{Callbacks, Sent};
pub use catalog::catalog;
