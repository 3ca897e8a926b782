//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat.

use rusqlite::OptionalExtension;
use serde::Deserialize;
use vodline_asl::{
    Event, FailurePhase, Payload, TaskId,
    limits::{CAUSE_CHARS_MAX, ERROR_CHARS_MAX, PAYLOAD_BYTES_MAX},
};
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, at_most, decode, required};
use crate::{States, engine::Verdict, error};

/// Longest task token, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>.
const TOKEN_CHARS_MAX: usize = 2_048;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendTaskSuccessInput {
    task_token: Option<String>,
    output: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendTaskFailureInput {
    task_token: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendTaskHeartbeatInput {
    task_token: Option<String>,
}

/// The open task behind a token.
struct OpenTask {
    execution: i64,
    task: TaskId,
}

impl States {
    pub(super) async fn send_task_success(&self, request: &Request) -> Result<Response, AwsError> {
        let input: SendTaskSuccessInput = decode(request)?;
        let output = required(input.output, "output")?;
        if output.len() > PAYLOAD_BYTES_MAX {
            at_most(&output, "output", PAYLOAD_BYTES_MAX)?;
            return Err(error::invalid_output("Output is larger than 262144 bytes"));
        }
        let OpenTask { execution, task } =
            self.open_task(request, "states:SendTaskSuccess", input.task_token.as_deref())?;
        let output = Payload::parse(&output).map_err(|_| error::invalid_output("Output is not valid JSON"))?;
        self.end_task(execution, Event::TaskSucceeded { task, output }).await
    }

    pub(super) async fn send_task_failure(&self, request: &Request) -> Result<Response, AwsError> {
        let input: SendTaskFailureInput = decode(request)?;
        if let Some(text) = &input.error {
            at_most(text, "error", ERROR_CHARS_MAX)?;
        }
        if let Some(text) = &input.cause {
            at_most(text, "cause", CAUSE_CHARS_MAX)?;
        }
        let OpenTask { execution, task } =
            self.open_task(request, "states:SendTaskFailure", input.task_token.as_deref())?;
        let failed = Event::TaskFailed { task, phase: FailurePhase::Run, error: input.error, cause: input.cause };
        self.end_task(execution, failed).await
    }

    pub(super) async fn send_task_heartbeat(&self, request: &Request) -> Result<Response, AwsError> {
        let input: SendTaskHeartbeatInput = decode(request)?;
        let OpenTask { execution, task } =
            self.open_task(request, "states:SendTaskHeartbeat", input.task_token.as_deref())?;
        // A task without HeartbeatSeconds is told nothing by it.
        self.tell(execution, Event::TaskHeartbeat { task }).await?;
        answer(&Nothing {})
    }

    /// Ends a task. Of two answers to one token the second comes too late.
    async fn end_task(&self, execution: i64, event: Event) -> Result<Response, AwsError> {
        match self.tell(execution, event).await? {
            Verdict::Applied => answer(&Nothing {}),
            Verdict::Ignored | Verdict::Missing | Verdict::NameTaken | Verdict::Began(_) => Err(error::closed_token()),
        }
    }

    /// Finds the open task that a token was given for.
    fn open_task(&self, request: &Request, action: &str, token: Option<&str>) -> Result<OpenTask, AwsError> {
        let token = required(token, "taskToken")?;
        if token.is_empty() {
            return Err(error::constraint(token, "taskToken", "have length greater than or equal to 1"));
        }
        at_most(token, "taskToken", TOKEN_CHARS_MAX)?;
        let found: Option<(i64, u64, i64, String)> =
            self.engine.context().store.read::<_, StoreError>(|connection| {
                Ok(connection
                    .prepare_cached(
                        "SELECT t.execution, t.task, t.phase, e.machine_arn FROM states_tasks t
                         JOIN states_executions e ON e.id = t.execution WHERE t.token = ?1",
                    )?
                    .query_row([token], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                    .optional()?)
            })?;
        let Some((execution, task, phase, machine_arn)) = found else {
            request.authorize(action, "*")?;
            return Err(error::unknown_token());
        };
        request.authorize(action, &machine_arn)?;
        if phase == crate::engine::CLOSED {
            return Err(error::closed_token());
        }
        Ok(OpenTask { execution, task: TaskId(task) })
    }
}
