//! An event bus that remembers what it was told.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use vodline_step::{StepError, announce::Announce};

/// The record.
#[derive(Debug, Default)]
pub struct Announcements {
    sent: Mutex<Vec<(String, Value)>>,
}

impl Announcements {
    /// Detail-type and detail of what was sent since the last time this was asked.
    pub fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Announce for Announcements {
    async fn announce<D: Serialize>(&self, detail_type: &str, detail: &D) -> Result<(), StepError> {
        let detail = serde_json::to_value(detail).expect("a detail is JSON");
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((detail_type.to_owned(), detail));
        Ok(())
    }
}
