//! Step Functions through its API, on a real store, with a clock that the tests move.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod activities;
mod callbacks;
#[allow(dead_code, reason = "shared with the tests of local/asl, which use all of it")]
#[path = "../../../asl/tests/recordings/compare.rs"]
mod compare;
mod crashes;
mod executions;
mod express;
mod kills;
mod machines;
mod map_runs;
mod nested;
mod property;
mod recorded;
#[path = "../../../asl/tests/recordings/score.rs"]
mod score;
mod support;
mod tasks;
mod test_state;
mod timers;
