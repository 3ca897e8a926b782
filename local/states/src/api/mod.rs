//! The AWS API: each operation decodes its request, asks for permission, acts, and answers in AWS's shapes.
//!
//! Shapes and limits: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html>.

mod activities;
mod aliases;
mod callbacks;
mod executions;
mod history;
mod machines;
pub(crate) mod map_runs;
mod paging;
mod sync;
mod tags;
mod testing;

use serde::{Serialize, de::DeserializeOwned};
use vodline_core::{AwsError, Request, Response};

use crate::{States, error};

/// Largest request, in bytes.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>. A definition of the largest size
/// written as a JSON string may exceed the megabyte that the page gives, so there is room for its escapes.
const REQUEST_BYTES_MAX: usize = 2 * 1_024 * 1_024;

impl States {
    /// Serves one call.
    pub(crate) async fn call_operation(&self, request: Request) -> Result<Response, AwsError> {
        if request.body.len() > REQUEST_BYTES_MAX {
            return Err(AwsError::with_status(
                http::StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                "Request must be smaller than 1048576 bytes",
            ));
        }
        let mut response = match request.operation.as_str() {
            "CreateActivity" => self.create_activity(&request),
            "CreateStateMachine" => self.create_state_machine(&request),
            "CreateStateMachineAlias" => self.create_alias(&request),
            "DeleteActivity" => self.delete_activity(&request),
            "DeleteStateMachine" => self.delete_state_machine(&request),
            "DeleteStateMachineAlias" => self.delete_alias(&request),
            "DeleteStateMachineVersion" => self.delete_version(&request),
            "DescribeActivity" => self.describe_activity(&request),
            "DescribeExecution" => self.describe_execution(&request),
            "DescribeMapRun" => self.describe_map_run(&request),
            "DescribeStateMachine" => self.describe_state_machine(&request),
            "DescribeStateMachineAlias" => self.describe_alias(&request),
            "DescribeStateMachineForExecution" => self.describe_state_machine_for_execution(&request),
            "GetActivityTask" => self.get_activity_task(&request).await,
            "GetExecutionHistory" => self.get_execution_history(&request),
            "ListActivities" => self.list_activities(&request),
            "ListExecutions" => self.list_executions(&request),
            "ListMapRuns" => self.list_map_runs(&request),
            "ListStateMachineAliases" => self.list_aliases(&request),
            "ListStateMachineVersions" => self.list_versions(&request),
            "ListStateMachines" => self.list_state_machines(&request),
            "ListTagsForResource" => self.list_tags(&request),
            "PublishStateMachineVersion" => self.publish_version(&request),
            "RedriveExecution" => self.redrive_execution(&request).await,
            "SendTaskFailure" => self.send_task_failure(&request).await,
            "SendTaskHeartbeat" => self.send_task_heartbeat(&request).await,
            "SendTaskSuccess" => self.send_task_success(&request).await,
            "StartExecution" => self.start_execution_operation(&request).await,
            "StartSyncExecution" => self.start_sync_execution(&request).await,
            "StopExecution" => self.stop_execution(&request).await,
            "TagResource" => self.tag_resource(&request),
            "TestState" => self.test_state(&request).await,
            "UntagResource" => self.untag_resource(&request),
            "UpdateMapRun" => self.update_map_run(&request).await,
            "UpdateStateMachine" => self.update_state_machine(&request),
            "UpdateStateMachineAlias" => self.update_alias(&request),
            "ValidateStateMachineDefinition" => self.validate_definition(&request),
            other => Err(AwsError::unsupported_operation("states", other)),
        }?;
        response.set_header("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }
}

/// Decodes a request. A member that the home does not know is refused by its name.
fn decode<T: DeserializeOwned>(request: &Request) -> Result<T, AwsError> {
    request.json()
}

/// Encodes an answer.
fn answer(value: &impl Serialize) -> Result<Response, AwsError> {
    Response::json(value)
}

/// The answer of an operation that returns nothing.
#[derive(Serialize)]
struct Nothing {}

/// A member that must be there.
fn required<T>(value: Option<T>, member: &str) -> Result<T, AwsError> {
    value.ok_or_else(|| error::missing(member))
}

/// A member may have no more characters than this.
fn at_most(text: &str, member: &str, chars: usize) -> Result<(), AwsError> {
    if text.chars().count() > chars {
        return Err(error::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length \
             less than or equal to {chars}"
        )));
    }
    Ok(())
}
