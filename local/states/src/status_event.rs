//! The news of an execution's status, as EventBridge carries it.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.

use serde::Serialize;
use serde_json::Value;
use vodline_asl::{Execution, ExecutionStatus, Outcome, UnixMillis};
use vodline_core::Event;

use crate::{
    engine::Context,
    redrive::{self, Facts},
};

/// Input and output together larger than this, in bytes, are left out of the event: first the one, then the other.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.
const DATA_BYTES_MAX: usize = 248 * 1_024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    execution_arn: &'a str,
    state_machine_arn: &'a str,
    name: &'a str,
    status: &'static str,
    start_date: i64,
    stop_date: Option<i64>,
    input: Option<&'a str>,
    output: Option<&'a str>,
    state_machine_version_arn: Option<&'a str>,
    state_machine_alias_arn: Option<&'a str>,
    redrive_count: u32,
    redrive_date: Option<i64>,
    redrive_status: &'static str,
    redrive_status_reason: Option<&'static str>,
    input_details: DataDetails,
    output_details: Option<DataDetails>,
    error: Option<&'a str>,
    cause: Option<&'a str>,
}

#[derive(Serialize)]
struct DataDetails {
    included: bool,
}

/// The event that tells that `execution` runs. It may already have ended again: a step may hold its whole life.
pub(crate) fn running(context: &Context, execution: &Execution, at: UnixMillis) -> Event {
    build(context, execution, None, at)
}

/// The event that tells how `execution` ended.
pub(crate) fn ended(context: &Context, execution: &Execution, outcome: &Outcome, at: UnixMillis) -> Event {
    build(context, execution, Some(outcome), at)
}

fn build(context: &Context, execution: &Execution, outcome: Option<&Outcome>, at: UnixMillis) -> Event {
    let info = execution.info();
    let (output, error, cause) = match outcome {
        None => (None, None, None),
        Some(Outcome::Succeeded { output }) => (Some(output.text()), None, None),
        Some(
            Outcome::Failed { error, cause } | Outcome::TimedOut { error, cause } | Outcome::Aborted { error, cause },
        ) => (None, error.as_deref(), cause.as_deref()),
    };
    let input = execution.input().text();
    let output_fits = output.is_none_or(|output| output.len() <= DATA_BYTES_MAX);
    let input_fits = input.len() + output.filter(|_| output_fits).map_or(0, str::len) <= DATA_BYTES_MAX;
    let status = outcome.map_or(ExecutionStatus::Running, Outcome::status);
    let stopped_at = execution.ended_at().filter(|_| outcome.is_some());
    let started_at = execution.started_at().unwrap_or(at);
    let redrive = redrive::status(
        &Facts { status, started_at, stopped_at, event_count: execution.event_count(), by_map_run: false },
        at,
    );
    let detail = Detail {
        execution_arn: &info.arn,
        state_machine_arn: &info.state_machine_arn,
        name: &info.name,
        status: status.as_str(),
        start_date: started_at.0,
        stop_date: stopped_at.map(|at| at.0),
        input: Some(input).filter(|_| input_fits),
        output: output.filter(|_| output_fits),
        state_machine_version_arn: info.version_arn.as_deref(),
        state_machine_alias_arn: info.alias_arn.as_deref(),
        redrive_count: execution.redrive_count(),
        redrive_date: execution.redriven_at().map(|at| at.0),
        redrive_status: redrive.status,
        redrive_status_reason: redrive.reason,
        input_details: DataDetails { included: input_fits },
        output_details: output.map(|_| DataDetails { included: output_fits }),
        error,
        cause,
    };
    Event {
        version: "0".to_owned(),
        id: context.entropy.uuid(),
        detail_type: "Step Functions Execution Status Change".to_owned(),
        source: "aws.states".to_owned(),
        account: context.account.id.clone(),
        time: jiff::Timestamp::from_second(at.0.div_euclid(1_000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        region: context.account.region.clone(),
        resources: vec![info.arn.clone()],
        // A struct of strings and numbers always serialises.
        detail: serde_json::to_value(&detail).unwrap_or(Value::Null),
    }
}
