//! What an execution does as the outside world goes on, told event by event.
//!
//! Data flow and histories are held against recordings (`tests/recordings`); here is what no recording shows: time,
//! stopping, redriving, limits, crashes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod driver;
mod limits;
mod map_runs;
mod properties;
mod redrive;
mod snapshots;
mod time;
