//! Telling the event bus what became of a video.

use std::future::Future;

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use serde::Serialize;
use vodline_contracts::ErrorCode;

use crate::{StepError, aws::service_error};

/// `source` of every event of ours.
const SOURCE: &str = "vodline";

/// The event bus, as a step sees it.
pub trait Announce {
    /// Sends one event to the default bus. It may arrive more than once.
    fn announce<D: Serialize>(&self, detail_type: &str, detail: &D) -> impl Future<Output = Result<(), StepError>>;
}

/// EventBridge itself.
#[derive(Clone, Debug)]
pub struct EventBridge {
    client: Client,
}

impl EventBridge {
    /// With this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Announce for EventBridge {
    async fn announce<D: Serialize>(&self, detail_type: &str, detail: &D) -> Result<(), StepError> {
        let detail = serde_json::to_string(detail)
            .map_err(|error| StepError::internal("an event's detail is not JSON").caused_by(error))?;
        let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(detail_type).detail(detail).build();
        let answer = self
            .client
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| service_error("events:PutEvents", error))?;
        // PutEvents succeeds even when it took none of the entries.
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => Err(StepError::new(
                ErrorCode::ServiceUnavailable,
                format!("the event bus did not take {detail_type}: {code}"),
            )),
        }
    }
}
