//! StartSyncExecution.

use serde::{Deserialize, Serialize};
use vodline_asl::{ExecutionKind, Outcome, UnixMillis};
use vodline_core::{AwsError, Request, Response};

use super::{
    answer, decode,
    executions::{DataDetails, IncludedData},
    required,
};
use crate::{
    States, error,
    express::Run,
    names,
    starter::{Prepared, Start},
    time::epoch_seconds,
};

/// Express executions are billed by 100 ms and 64 MB.
/// Source: <https://aws.amazon.com/step-functions/pricing/>.
const BILLED_STEP_MS: i64 = 100;
const BILLED_MEMORY_MB: u32 = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StartSyncExecutionInput {
    state_machine_arn: Option<String>,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    included_data: Option<IncludedData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartSyncExecutionOutput {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
    #[serde(serialize_with = "epoch_seconds")]
    stop_date: UnixMillis,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: DataDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    billing_details: BillingDetails,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingDetails {
    #[serde(rename = "billedMemoryUsedInMB")]
    billed_memory_used_in_mb: u32,
    billed_duration_in_milliseconds: i64,
}

impl States {
    pub(super) async fn start_sync_execution(&self, request: &Request) -> Result<Response, AwsError> {
        let input: StartSyncExecutionInput = decode(request)?;
        let machine_arn = required(input.state_machine_arn, "stateMachineArn")?;
        names::expect(&machine_arn, "stateMachine")?;
        request.authorize("states:StartSyncExecution", &machine_arn)?;
        let included = input.included_data.unwrap_or_default() == IncludedData::AllData;
        let prepared = self.prepare(Start {
            machine_arn,
            name: input.name,
            input: input.input.unwrap_or_else(|| "{}".to_owned()),
            trace_header: input.trace_header,
            starter: None,
        })?;
        let Prepared { info, input, revision, trace_header, .. } = prepared;
        if info.kind != ExecutionKind::Express {
            return Err(error::state_machine_type_not_supported(
                "This operation is not supported by this type of state machine",
            ));
        }
        let (execution_arn, state_machine_arn, name) =
            (info.arn.clone(), info.state_machine_arn.clone(), info.name.clone());
        let text = input.text().to_owned();
        let ended = self.run_express(Run { info, input, revision }).await?;
        let status = ended.outcome.status().as_str();
        let (output, error, cause) = match ended.outcome {
            Outcome::Succeeded { output } => (Some(output.text().to_owned()), None, None),
            Outcome::Failed { error, cause }
            | Outcome::TimedOut { error, cause }
            | Outcome::Aborted { error, cause } => (None, error, cause),
        };
        let lasted_ms = (ended.stopped_at.0 - ended.started_at.0).max(1);
        answer(&StartSyncExecutionOutput {
            execution_arn,
            state_machine_arn,
            name,
            start_date: ended.started_at,
            stop_date: ended.stopped_at,
            status,
            error,
            cause,
            input: Some(text).filter(|_| included),
            input_details: DataDetails { included },
            output_details: output.as_ref().map(|_| DataDetails { included }),
            output: output.filter(|_| included),
            trace_header,
            billing_details: BillingDetails {
                billed_memory_used_in_mb: BILLED_MEMORY_MB,
                billed_duration_in_milliseconds: (lasted_ms + BILLED_STEP_MS - 1) / BILLED_STEP_MS * BILLED_STEP_MS,
            },
        })
    }
}
