//! Executions that start executions: `states:startExecution`, `.sync` and `.sync:2`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>; the form of what they
//! answer is as recorded.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use vodline_asl::{ExecutionKind, IntegrationPattern, ScheduleTask, UnixMillis};
use vodline_core::{AwsError, Principal};

use super::{Answer, TaskError, optimised_error, with_sdk_metadata};
use crate::{
    States,
    engine::{Child, TaskContext},
    executions::ExecutionRow,
    machines,
    redrive::{self, Redrivable},
    starter::Start,
};

impl States {
    /// Starts an execution; for `.sync` the answer names it, so that its end ends the task.
    pub(super) async fn start_nested(
        &self,
        principal: &Principal,
        context: &TaskContext,
        task: &ScheduleTask,
        pattern: IntegrationPattern,
    ) -> Result<Answer, TaskError> {
        let mut machine_arn = None;
        let mut name = None;
        let mut input = "{}".to_owned();
        let mut trace_header = None;
        for (member, value) in task.arguments.value().as_object().into_iter().flatten() {
            match (member.as_str(), value) {
                ("StateMachineArn", Value::String(arn)) => machine_arn = Some(arn.clone()),
                ("Name", Value::String(text)) => name = Some(text.clone()),
                ("TraceHeader", Value::String(text)) => trace_header = Some(text.clone()),
                ("Input", Value::Null) => {}
                ("Input", value) => input = value.to_string(),
                (member, _) => {
                    return Err(TaskError::unsupported(&format!("{member} in states:startExecution")));
                }
            }
        }
        let machine_arn = machine_arn.ok_or_else(|| {
            TaskError::new("StepFunctions.AWSStepFunctionsException", "StateMachineArn must be given")
        })?;
        self.config
            .authorizer
            .authorize(principal, "states:StartExecution", &machine_arn)
            .map_err(|error| api_error(&error))?;
        if matches!(pattern, IntegrationPattern::Sync | IntegrationPattern::Sync2) {
            self.refuse_express(&machine_arn).map_err(|error| api_error(&error))?;
        }
        let start = Start {
            machine_arn,
            // Started over after a crash, the task finds the execution it had started.
            name: Some(name.unwrap_or_else(|| name_for(&context.execution_arn, &task.task.0.to_string()))),
            input,
            trace_header,
            starter: Some(format!("{}#{}", context.execution_arn, task.task.0)),
        };
        let started = self.start_execution(start).await.map_err(|error| api_error(&error))?;
        let output = serde_json::json!({
            "ExecutionArn": started.execution_arn,
            "StartDate": started.started_at.to_rfc3339(),
        });
        let body_bytes = output.to_string().len();
        let mut answer = Answer::from(with_sdk_metadata(output, "application/x-amz-json-1.0", body_bytes));
        answer.child = match pattern {
            IntegrationPattern::Sync => started.id.map(|id| Child { id, as_json: false }),
            IntegrationPattern::Sync2 => started.id.map(|id| Child { id, as_json: true }),
            IntegrationPattern::RequestResponse | IntegrationPattern::WaitForTaskToken => None,
        };
        Ok(answer)
    }

    /// Waiting for an execution needs one that is kept.
    fn refuse_express(&self, machine_arn: &str) -> Result<(), AwsError> {
        let kind = self
            .engine
            .context()
            .store
            .read(|connection| machines::find(connection, machine_arn).map(|machine| machine.kind))?;
        if kind == ExecutionKind::Express {
            return Err(crate::error::state_machine_type_not_supported(machine_arn));
        }
        Ok(())
    }
}

fn api_error(error: &AwsError) -> TaskError {
    optimised_error("StepFunctions", "AWSStepFunctions", error)
}

/// The name of an execution that nobody named: a UUID, and always the same one for the same starter and purpose.
pub(crate) fn name_for(starter_arn: &str, purpose: &str) -> String {
    let digest = Sha256::digest(format!("{starter_arn}#{purpose}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// An ended execution as `.sync` shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    execution_arn: &'a str,
    input: Value,
    input_details: Included,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Included>,
    redrive_count: u32,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
    /// Milliseconds.
    start_date: i64,
    state_machine_arn: &'a str,
    status: &'a str,
    /// Milliseconds.
    stop_date: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Included {
    included: bool,
}

/// The result of a `.sync` task, or the cause of its failure: the execution, its input and output as text or (`.sync:2`)
/// as JSON.
pub(crate) fn envelope(row: &ExecutionRow, as_json: bool, now: UnixMillis) -> Value {
    let data = |text: &str| match serde_json::from_str(text) {
        Ok(value) if as_json => value,
        _ => Value::String(text.to_owned()),
    };
    let Redrivable { status, reason } = redrive::status(&row.facts(), now);
    let envelope = Envelope {
        cause: row.cause.as_deref(),
        error: row.error.as_deref(),
        execution_arn: &row.arn,
        input: data(&row.input),
        input_details: Included { included: true },
        name: &row.name,
        output: row.output.as_deref().map(data),
        output_details: row.output.as_ref().map(|_| Included { included: true }),
        redrive_count: row.redrive_count,
        redrive_status: status,
        redrive_status_reason: reason,
        start_date: row.started_at.0,
        state_machine_arn: &row.machine_arn,
        status: row.status.as_str(),
        stop_date: row.stopped_at.map(|at| at.0),
    };
    // A struct of strings and numbers always serialises.
    serde_json::to_value(&envelope).unwrap_or(Value::Null)
}
