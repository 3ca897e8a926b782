//! StartExecution, StopExecution, DescribeExecution, ListExecutions, RedriveExecution.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vodline_asl::{Event, ExecutionKind, ExecutionStatus, UnixMillis};
use vodline_core::{AwsError, Request, Response};

use super::{answer, at_most, decode, paging, required};
use crate::{
    States,
    engine::{self, Input, Subject, Verdict},
    error,
    executions::{self, ExecutionRow, Filter},
    machines, names,
    redrive::{self, Redrivable},
    starter::Start,
    time::{epoch_seconds, optional_epoch_seconds},
};

/// A redrive's token is remembered this long, in seconds.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>.
const REDRIVE_TOKEN_SECONDS: u64 = 15 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StartExecutionInput {
    state_machine_arn: Option<String>,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartExecutionOutput {
    execution_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StopExecutionInput {
    execution_arn: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StopExecutionOutput {
    #[serde(serialize_with = "epoch_seconds")]
    stop_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeExecutionInput {
    execution_arn: Option<String>,
    included_data: Option<IncludedData>,
}

/// Whether an answer holds inputs, outputs and definitions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum IncludedData {
    #[default]
    AllData,
    MetadataOnly,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataDetails {
    pub(super) included: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeExecutionOutput {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: DataDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    redrive_count: u32,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<UnixMillis>,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListExecutionsInput {
    state_machine_arn: Option<String>,
    map_run_arn: Option<String>,
    status_filter: Option<StatusFilter>,
    redrive_filter: Option<RedriveFilter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum StatusFilter {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    PendingRedrive,
}

impl StatusFilter {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
            Self::PendingRedrive => "PENDING_REDRIVE",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RedriveFilter {
    Redriven,
    NotRedriven,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListExecutionsOutput {
    executions: Vec<ExecutionListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionListItem {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    redrive_count: u32,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<UnixMillis>,
    /// Told where the executions of a Map Run are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedriveExecutionInput {
    execution_arn: Option<String>,
    client_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedriveExecutionOutput {
    #[serde(serialize_with = "epoch_seconds")]
    redrive_date: UnixMillis,
}

impl States {
    pub(super) async fn start_execution_operation(&self, request: &Request) -> Result<Response, AwsError> {
        let input: StartExecutionInput = decode(request)?;
        let machine_arn = required(input.state_machine_arn, "stateMachineArn")?;
        names::expect(&machine_arn, "stateMachine")?;
        request.authorize("states:StartExecution", &machine_arn)?;
        let started = self
            .start_execution(Start {
                machine_arn,
                name: input.name,
                input: input.input.unwrap_or_else(|| "{}".to_owned()),
                trace_header: input.trace_header,
                starter: None,
            })
            .await?;
        answer(&StartExecutionOutput { execution_arn: started.execution_arn, start_date: started.started_at })
    }

    pub(super) async fn stop_execution(&self, request: &Request) -> Result<Response, AwsError> {
        let input: StopExecutionInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        if let Some(text) = &input.error {
            at_most(text, "error", vodline_asl::limits::ERROR_CHARS_MAX)?;
        }
        if let Some(text) = &input.cause {
            at_most(text, "cause", vodline_asl::limits::CAUSE_CHARS_MAX)?;
        }
        request.authorize("states:StopExecution", &arn)?;
        let row = self.execution(&arn)?;
        self.tell(row.id, Event::Stop { error: input.error, cause: input.cause }).await?;
        // One that had ended keeps its own date.
        let stop_date = self.execution(&arn)?.stopped_at.unwrap_or_else(|| engine::now(self.engine.context()));
        answer(&StopExecutionOutput { stop_date })
    }

    pub(super) fn describe_execution(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DescribeExecutionInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        request.authorize("states:DescribeExecution", &arn)?;
        let row = self.execution(&arn)?;
        let included = input.included_data.unwrap_or_default() == IncludedData::AllData;
        let Redrivable { status: redrive_status, reason } =
            redrive::status(&row.facts(), engine::now(self.engine.context()));
        answer(&DescribeExecutionOutput {
            execution_arn: row.arn,
            state_machine_arn: row.machine_arn,
            name: row.name,
            status: row.status.as_str(),
            start_date: row.started_at,
            stop_date: row.stopped_at,
            input: Some(row.input).filter(|_| included),
            input_details: DataDetails { included },
            output_details: row.output.as_ref().map(|_| DataDetails { included }),
            output: row.output.filter(|_| included),
            trace_header: row.trace_header,
            map_run_arn: row.map_run_arn,
            error: row.error,
            cause: row.cause,
            state_machine_version_arn: row.version_arn,
            state_machine_alias_arn: row.alias_arn,
            redrive_count: row.redrive_count,
            redrive_date: row.redriven_at,
            redrive_status,
            redrive_status_reason: reason,
        })
    }

    pub(super) fn list_executions(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListExecutionsInput = decode(request)?;
        let size = paging::size(input.max_results)?;
        let (of, mut filter) = match (&input.state_machine_arn, &input.map_run_arn) {
            (Some(arn), None) => {
                request.authorize("states:ListExecutions", arn)?;
                (arn.clone(), self.executions_of_machine(arn)?)
            }
            (None, Some(arn)) => {
                names::expect(arn, "mapRun")?;
                request.authorize("states:ListExecutions", arn)?;
                let run = self.map_run_by_arn(arn)?.ok_or_else(|| error::resource_not_found(arn))?;
                (arn.clone(), Filter { map_run: Some(run), ..Filter::default() })
            }
            _ => return Err(error::validation("Must specify either stateMachineArn or mapRunArn, and not both")),
        };
        filter.status = input.status_filter.map(|status| status.name().to_owned());
        filter.redriven = input.redrive_filter.map(|filter| filter == RedriveFilter::Redriven);
        let list = format!("ListExecutions {of}");
        let before = paging::number(&list, input.next_token.as_deref())?.unwrap_or(i64::MAX);
        let mut rows =
            self.engine.context().store.read(|connection| executions::list(connection, &filter, before, size + 1))?;
        let next_token = paging::cut(&mut rows, size, &list, |row| row.id.to_string());
        answer(&ListExecutionsOutput {
            executions: rows.into_iter().map(ExecutionListItem::from).collect(),
            next_token,
        })
    }

    fn executions_of_machine(&self, arn: &str) -> Result<Filter, AwsError> {
        let machine = self.engine.context().store.read(|connection| machines::find(connection, arn))?;
        if machine.kind == ExecutionKind::Express {
            return Err(error::state_machine_type_not_supported(
                "This operation is not supported by this type of state machine",
            ));
        }
        let mut filter = Filter { machine: Some(machine.id), ..Filter::default() };
        match machines::unqualified(arn)?.1 {
            None => {}
            Some(version) if version.parse::<u64>().is_ok() => filter.version_arn = Some(arn.to_owned()),
            Some(_) => filter.alias_arn = Some(arn.to_owned()),
        }
        Ok(filter)
    }

    pub(super) async fn redrive_execution(&self, request: &Request) -> Result<Response, AwsError> {
        let input: RedriveExecutionInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        request.authorize("states:RedriveExecution", &arn)?;
        let row = self.execution(&arn)?;
        let now = engine::now(self.engine.context());
        if let Some(token) = &input.client_token {
            at_most(token, "clientToken", 64)?;
            if let Some(redrive_date) = self.redriven_with(row.id, token, now)? {
                return answer(&RedriveExecutionOutput { redrive_date });
            }
        }
        let Redrivable { status, reason } = redrive::status(&row.facts(), now);
        if status != "REDRIVABLE" {
            let reason = reason.unwrap_or("The execution was started by a Map Run; redrive the Map Run's execution");
            return Err(error::execution_not_redrivable(reason));
        }
        let redrive = Input::Redrive { token: input.client_token };
        if self.engine.deliver(Subject::Execution(row.id), redrive).await? != Verdict::Applied {
            return Err(error::execution_not_redrivable(&arn));
        }
        let redrive_date = self.execution(&arn)?.redriven_at.unwrap_or(now);
        answer(&RedriveExecutionOutput { redrive_date })
    }

    /// When a redrive with this token was made, if lately.
    fn redriven_with(&self, execution: i64, token: &str, now: UnixMillis) -> Result<Option<UnixMillis>, AwsError> {
        let at: Option<i64> = self.engine.context().store.read::<_, crate::Error>(|connection| {
            Ok(connection
                .query_row(
                    "SELECT redriven_at FROM states_redrives WHERE execution = ?1 AND token = ?2",
                    params![execution, token],
                    |row| row.get(0),
                )
                .optional()?)
        })?;
        Ok(at.map(UnixMillis).filter(|at| now <= at.plus_seconds(REDRIVE_TOKEN_SECONDS)))
    }

    /// The Standard execution with an ARN.
    pub(super) fn execution(&self, arn: &str) -> Result<ExecutionRow, AwsError> {
        names::expect(arn, "execution")?;
        self.engine
            .context()
            .store
            .read(|connection| executions::by_arn(connection, arn))?
            .ok_or_else(|| error::execution_does_not_exist(arn))
    }
}

impl From<ExecutionRow> for ExecutionListItem {
    fn from(row: ExecutionRow) -> Self {
        Self {
            execution_arn: row.arn,
            state_machine_arn: row.machine_arn,
            name: row.name,
            status: row.status.as_str(),
            start_date: row.started_at,
            stop_date: row.stopped_at.filter(|_| row.status != ExecutionStatus::Running),
            map_run_arn: row.map_run_arn,
            state_machine_version_arn: row.version_arn,
            state_machine_alias_arn: row.alias_arn,
            redrive_count: row.redrive_count,
            redrive_date: row.redriven_at,
            item_count: row.item_count,
        }
    }
}
