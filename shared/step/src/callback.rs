//! Ending a task that waits with `.waitForTaskToken`.
//!
//! Tokens are capabilities: they are never logged.

use std::future::Future;

use aws_sdk_sfn::{Client, error::SdkError};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::Serialize;
use vodline_contracts::ErrorCode;

use crate::{StepError, aws::service_error};

/// `SendTaskFailure` takes causes up to this many characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>.
const CAUSE_CHARACTERS_MAX: usize = 32_768;

/// Whether anyone was still waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The task took it.
    Delivered,
    /// The task has ended, timed out, or was retried with another token: nothing to do, the result is kept in the table.
    NoOneWaits,
}

/// The waiting task's end of the line.
pub trait Callback {
    /// Ends the task with its output.
    fn succeed<O: Serialize>(&self, token: &str, output: &O) -> impl Future<Output = Result<Delivery, StepError>>;

    /// Ends the task with an error.
    fn fail(&self, token: &str, code: ErrorCode, cause: &str) -> impl Future<Output = Result<Delivery, StepError>>;

    /// Says that the work goes on.
    fn heartbeat(&self, token: &str) -> impl Future<Output = Result<Delivery, StepError>>;
}

/// Step Functions itself.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    client: Client,
}

impl StepFunctions {
    /// With this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Callback for StepFunctions {
    async fn succeed<O: Serialize>(&self, token: &str, output: &O) -> Result<Delivery, StepError> {
        let output = serde_json::to_string(output)
            .map_err(|error| StepError::internal("a task's output is not JSON").caused_by(error))?;
        let sent = self.client.send_task_success().task_token(token).output(output).send().await;
        delivery("states:SendTaskSuccess", sent.map(drop))
    }

    async fn fail(&self, token: &str, code: ErrorCode, cause: &str) -> Result<Delivery, StepError> {
        let cause: String = cause.chars().take(CAUSE_CHARACTERS_MAX).collect();
        let sent = self.client.send_task_failure().task_token(token).error(code.name()).cause(cause).send().await;
        delivery("states:SendTaskFailure", sent.map(drop))
    }

    async fn heartbeat(&self, token: &str) -> Result<Delivery, StepError> {
        let sent = self.client.send_task_heartbeat().task_token(token).send().await;
        delivery("states:SendTaskHeartbeat", sent.map(drop))
    }
}

fn delivery<E>(call: &str, sent: Result<(), SdkError<E, Response>>) -> Result<Delivery, StepError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match sent {
        Ok(()) => Ok(Delivery::Delivered),
        Err(error) if matches!(error.code(), Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken")) => {
            tracing::info!(call, answer = error.code(), "no task waits for this any more");
            Ok(Delivery::NoOneWaits)
        }
        Err(error) => Err(service_error(call, error)),
    }
}
