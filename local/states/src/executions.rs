//! Executions as the store has them.

use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use vodline_asl::{ExecutionStatus, UnixMillis};
use vodline_core::StoreError;

use crate::redrive::Facts;

/// One execution, without its history and without the engine's own state of it.
#[derive(Clone, Debug)]
pub(crate) struct ExecutionRow {
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) machine_arn: String,
    pub(crate) revision: i64,
    pub(crate) version_arn: Option<String>,
    pub(crate) alias_arn: Option<String>,
    pub(crate) map_run_arn: Option<String>,
    pub(crate) status: ExecutionStatus,
    pub(crate) started_at: UnixMillis,
    pub(crate) stopped_at: Option<UnixMillis>,
    pub(crate) input: String,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) trace_header: Option<String>,
    pub(crate) redrive_count: u32,
    pub(crate) redriven_at: Option<UnixMillis>,
    pub(crate) event_count: u64,
    /// For a child of a Map Run: how many items it was given.
    pub(crate) item_count: Option<u64>,
    /// The execution and the task that started it.
    pub(crate) starter: Option<String>,
}

impl ExecutionRow {
    /// What decides whether it may be redriven.
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            status: self.status,
            started_at: self.started_at,
            stopped_at: self.stopped_at,
            event_count: self.event_count,
            by_map_run: self.map_run_arn.is_some(),
        }
    }
}

const COLUMNS: &str = "e.id, e.arn, e.name, e.machine_arn, e.revision, e.version_arn, e.alias_arn, r.arn, e.status,
    e.started_at, e.stopped_at, e.input, e.output, e.error, e.cause, e.trace_header, e.redrive_count, e.redriven_at,
    e.event_count, e.item_count, e.starter";

const TABLES: &str = "states_executions e LEFT JOIN states_map_runs r ON r.id = e.map_run";

fn from_row(row: &Row<'_>) -> rusqlite::Result<ExecutionRow> {
    Ok(ExecutionRow {
        id: row.get(0)?,
        arn: row.get(1)?,
        name: row.get(2)?,
        machine_arn: row.get(3)?,
        revision: row.get(4)?,
        version_arn: row.get(5)?,
        alias_arn: row.get(6)?,
        map_run_arn: row.get(7)?,
        status: status_of(&row.get::<_, String>(8)?),
        started_at: UnixMillis(row.get(9)?),
        stopped_at: row.get::<_, Option<i64>>(10)?.map(UnixMillis),
        input: row.get(11)?,
        output: row.get(12)?,
        error: row.get(13)?,
        cause: row.get(14)?,
        trace_header: row.get(15)?,
        redrive_count: row.get(16)?,
        redriven_at: row.get::<_, Option<i64>>(17)?.map(UnixMillis),
        event_count: row.get(18)?,
        item_count: row.get(19)?,
        starter: row.get(20)?,
    })
}

fn status_of(text: &str) -> ExecutionStatus {
    match text {
        "SUCCEEDED" => ExecutionStatus::Succeeded,
        "FAILED" => ExecutionStatus::Failed,
        "TIMED_OUT" => ExecutionStatus::TimedOut,
        "ABORTED" => ExecutionStatus::Aborted,
        _ => ExecutionStatus::Running,
    }
}

/// The execution with this ARN.
pub(crate) fn by_arn(connection: &Connection, arn: &str) -> Result<Option<ExecutionRow>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE e.arn = ?1"))?
        .query_row([arn], from_row)
        .optional()?)
}

/// The execution in this row.
pub(crate) fn by_id(connection: &Connection, id: i64) -> Result<Option<ExecutionRow>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ?1"))?
        .query_row([id], from_row)
        .optional()?)
}

/// Which executions to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Those of a machine,
    pub(crate) machine: Option<i64>,
    /// started through this version,
    pub(crate) version_arn: Option<String>,
    /// started through this alias,
    pub(crate) alias_arn: Option<String>,
    /// dispatched by this Map Run,
    pub(crate) map_run: Option<i64>,
    /// in this status,
    pub(crate) status: Option<String>,
    /// and redriven, or not.
    pub(crate) redriven: Option<bool>,
}

/// Executions started before `before`, newest first. The ids are given out in the order of starting.
pub(crate) fn list(
    connection: &Connection,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Vec<ExecutionRow>, StoreError> {
    // Each combination of conditions has its own plan; SQLite keeps the prepared ones.
    let mut sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE e.id < ?");
    let mut values: Vec<&dyn ToSql> = vec![&before];
    if let Some(machine) = &filter.machine {
        // A machine's own list does not show the children of its Map Runs.
        sql.push_str(" AND e.machine = ? AND e.map_run IS NULL");
        values.push(machine);
    }
    for (column, value) in
        [("status", &filter.status), ("version_arn", &filter.version_arn), ("alias_arn", &filter.alias_arn)]
    {
        if let Some(value) = value {
            sql.push_str(&format!(" AND e.{column} = ?"));
            values.push(value);
        }
    }
    if let Some(map_run) = &filter.map_run {
        sql.push_str(" AND e.map_run = ?");
        values.push(map_run);
    }
    match filter.redriven {
        Some(true) => sql.push_str(" AND e.redrive_count > 0"),
        Some(false) => sql.push_str(" AND e.redrive_count = 0"),
        None => {}
    }
    sql.push_str(" ORDER BY e.id DESC LIMIT ?");
    values.push(&limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(&values[..], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether any execution of a machine runs.
pub(crate) fn any_running(connection: &Connection, machine: i64) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM states_executions WHERE machine = ?1 AND status = 'RUNNING')")?
        .query_row([machine], |row| row.get(0))?)
}
