//! Step Functions through its API, on a real store, with a clock that the tests move.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod activities;
mod callbacks;
mod crashes;
mod executions;
mod express;
mod kills;
mod machines;
mod map_runs;
mod nested;
mod property;
mod recorded;
mod support;
mod tasks;
mod test_state;
mod timers;
