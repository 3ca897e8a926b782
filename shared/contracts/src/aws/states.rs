//! `Step Functions Execution Status Change`.
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The detail of an execution's status change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionStatusChange {
    /// Which execution.
    pub execution_arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` or `PENDING_REDRIVE`.
    pub status: String,
    /// JSON text; absent when larger than the event may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The error's name; absent in events that predate redrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}
