//! DescribeMapRun, ListMapRuns, UpdateMapRun.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vodline_asl::{
    MapRun, UnixMillis,
    map_run::{MapRunCounts, MapRunEvent},
};
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, decode, paging, required};
use crate::{
    Error, States,
    engine::{Input, Subject},
    error, map_run_rows, names,
    time::{epoch_seconds, optional_epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeMapRunInput {
    map_run_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeMapRunOutput {
    map_run_arn: String,
    execution_arn: String,
    status: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<UnixMillis>,
    max_concurrency: u64,
    tolerated_failure_percentage: f64,
    tolerated_failure_count: u64,
    item_counts: MapRunCounts,
    execution_counts: MapRunCounts,
    redrive_count: u32,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<UnixMillis>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListMapRunsInput {
    execution_arn: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListMapRunsOutput {
    map_runs: Vec<MapRunListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MapRunListItem {
    execution_arn: String,
    map_run_arn: String,
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: UnixMillis,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<UnixMillis>,
    #[serde(skip)]
    id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateMapRunInput {
    map_run_arn: Option<String>,
    max_concurrency: Option<u64>,
    tolerated_failure_count: Option<u64>,
    tolerated_failure_percentage: Option<f64>,
}

impl States {
    pub(super) fn describe_map_run(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DescribeMapRunInput = decode(request)?;
        let arn = required(input.map_run_arn, "mapRunArn")?;
        request.authorize("states:DescribeMapRun", &arn)?;
        names::expect(&arn, "mapRun")?;
        type Row = (String, String, i64, Option<i64>, u32, Option<i64>, Vec<u8>, i64);
        let found: Option<(Row, MapRun)> = self.engine.context().store.read::<_, Error>(|connection| {
            let row: Option<Row> = connection
                .query_row(
                    "SELECT e.arn, r.status, r.started_at, r.stopped_at, r.redrive_count, r.redriven_at, r.snapshot, r.id
                     FROM states_map_runs r JOIN states_executions e ON e.id = r.execution WHERE r.arn = ?1",
                    [&arn],
                    |row| {
                        Ok((
                            row.get(0)?,
                            row.get(1)?,
                            row.get(2)?,
                            row.get(3)?,
                            row.get(4)?,
                            row.get(5)?,
                            row.get(6)?,
                            row.get(7)?,
                        ))
                    },
                )
                .optional()?;
            row.map(|row| map_run_rows::read(connection, row.7, &row.6).map(|run| (row, run))).transpose()
        })?;
        let ((execution_arn, status, started_at, stopped_at, redrive_count, redriven_at, ..), run) =
            found.ok_or_else(|| error::resource_not_found(&arn))?;
        answer(&DescribeMapRunOutput {
            map_run_arn: arn,
            execution_arn,
            status,
            start_date: UnixMillis(started_at),
            stop_date: stopped_at.map(UnixMillis),
            max_concurrency: run.max_concurrency(),
            tolerated_failure_percentage: run.tolerated_failure_percentage(),
            tolerated_failure_count: run.tolerated_failure_count(),
            item_counts: run.item_counts(),
            execution_counts: run.execution_counts(),
            redrive_count,
            redrive_date: redriven_at.map(UnixMillis),
        })
    }

    pub(super) fn list_map_runs(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListMapRunsInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        request.authorize("states:ListMapRuns", &arn)?;
        let execution = self.execution(&arn)?;
        let size = paging::size(input.max_results)?;
        let list = format!("ListMapRuns {arn}");
        let before = paging::number(&list, input.next_token.as_deref())?.unwrap_or(i64::MAX);
        let mut map_runs: Vec<MapRunListItem> = self.engine.context().store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, arn, started_at, stopped_at FROM states_map_runs WHERE execution = ?1 AND id < ?2
                     ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = statement.query_map(params![execution.id, before, size + 1], |row| {
                let map_run_arn: String = row.get(1)?;
                Ok(MapRunListItem {
                    execution_arn: arn.clone(),
                    state_machine_arn: children_machine_arn(&execution.machine_arn, &map_run_arn),
                    map_run_arn,
                    start_date: UnixMillis(row.get(2)?),
                    stop_date: row.get::<_, Option<i64>>(3)?.map(UnixMillis),
                    id: row.get(0)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let next_token = paging::cut(&mut map_runs, size, &list, |run| run.id.to_string());
        answer(&ListMapRunsOutput { map_runs, next_token })
    }

    pub(super) async fn update_map_run(&self, request: &Request) -> Result<Response, AwsError> {
        let input: UpdateMapRunInput = decode(request)?;
        let arn = required(input.map_run_arn, "mapRunArn")?;
        request.authorize("states:UpdateMapRun", &arn)?;
        names::expect(&arn, "mapRun")?;
        let UpdateMapRunInput { max_concurrency, tolerated_failure_count, tolerated_failure_percentage, .. } = input;
        if let Some(percentage) = tolerated_failure_percentage
            && !(0.0..=100.0).contains(&percentage)
        {
            return Err(error::constraint(percentage, "toleratedFailurePercentage", "have value between 0 and 100"));
        }
        let run = self.map_run_by_arn(&arn)?.ok_or_else(|| error::resource_not_found(&arn))?;
        let update = MapRunEvent::Update { max_concurrency, tolerated_failure_count, tolerated_failure_percentage };
        self.engine.deliver(Subject::MapRun(run), Input::MapRun(update)).await?;
        answer(&Nothing {})
    }
}

/// `stateMachine:NAME/LABEL`, from the machine's ARN and `mapRun:NAME/LABEL:ID`.
pub(crate) fn children_machine_arn(machine_arn: &str, map_run_arn: &str) -> String {
    format!("{machine_arn}/{}", label_of(map_run_arn))
}

/// The label in a Map Run's ARN.
pub(crate) fn label_of(map_run_arn: &str) -> &str {
    let resource = map_run_arn.split_once('/').map_or("", |(_, rest)| rest);
    resource.rsplit_once(':').map_or(resource, |(label, _)| label)
}
