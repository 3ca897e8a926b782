//! A waiting task's end of the line that remembers what it was told.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use vodline_contracts::ErrorCode;
use vodline_step::{
    StepError,
    callback::{Callback, Delivery},
};

/// What a task was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// Token and output.
    Success(String, Value),
    /// Token, code and cause.
    Failure(String, ErrorCode, String),
    /// Token.
    Heartbeat(String),
}

/// The record.
#[derive(Debug, Default)]
pub struct Callbacks {
    sent: Mutex<Vec<Sent>>,
    no_one_waits: bool,
}

impl Callbacks {
    /// Nobody waits: every task has timed out.
    #[must_use]
    pub fn unawaited() -> Self {
        Self { no_one_waits: true, ..Self::default() }
    }

    /// What was sent since the last time this was asked.
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, sent: Sent) -> Result<Delivery, StepError> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        Ok(if self.no_one_waits { Delivery::NoOneWaits } else { Delivery::Delivered })
    }
}

impl Callback for Callbacks {
    async fn succeed<O: Serialize>(&self, token: &str, output: &O) -> Result<Delivery, StepError> {
        self.record(Sent::Success(token.to_owned(), serde_json::to_value(output).expect("an output is JSON")))
    }

    async fn fail(&self, token: &str, code: ErrorCode, cause: &str) -> Result<Delivery, StepError> {
        self.record(Sent::Failure(token.to_owned(), code, cause.to_owned()))
    }

    async fn heartbeat(&self, token: &str) -> Result<Delivery, StepError> {
        self.record(Sent::Heartbeat(token.to_owned()))
    }
}
