//! What one step of an execution or a Map Run changes on disk, and how it is written.
//!
//! A step is computed without a transaction and becomes a [`Change`]; the writer puts many changes, of many
//! executions, into one commit. Nothing a change asks others to do (`then`) is done before that commit.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use vodline_asl::{ExecutionStatus, TaskId, TimerId, UnixMillis};
use vodline_core::{Event, EventBus, StoreError};

use super::{Child, Reply, Verdict, Work};

/// What the row of an execution becomes.
pub(crate) enum RowChange {
    /// Nothing but timers or tasks changed.
    None,
    /// The execution is new.
    Insert(Box<NewRow>),
    /// It runs on.
    Progress {
        /// Its state.
        snapshot: Vec<u8>,
        /// Events in its history.
        event_count: u64,
    },
    /// It ended, or was redriven and runs again.
    Status(Box<StatusRow>),
}

/// A new execution; it may already have ended.
pub(crate) struct NewRow {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) machine: i64,
    pub(crate) machine_arn: String,
    pub(crate) revision: i64,
    pub(crate) version_arn: Option<String>,
    pub(crate) alias_arn: Option<String>,
    /// The Map Run it is a child of, and which child.
    pub(crate) map_run: Option<(i64, u64)>,
    pub(crate) item_count: Option<u64>,
    pub(crate) starter: Option<String>,
    pub(crate) trace_header: Option<String>,
    pub(crate) started_at: UnixMillis,
    pub(crate) input: String,
    pub(crate) status: StatusRow,
}

/// What changes with the status.
pub(crate) struct StatusRow {
    pub(crate) status: ExecutionStatus,
    pub(crate) stopped_at: Option<UnixMillis>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) redrive_count: u32,
    pub(crate) redriven_at: Option<UnixMillis>,
    pub(crate) event_count: u64,
    /// Absent once the execution succeeded: nothing will need it again.
    pub(crate) snapshot: Option<Vec<u8>>,
}

/// A task that was opened.
pub(crate) struct OpenedTask {
    /// The token that answers it, if anybody but this process may.
    pub(crate) token: Option<String>,
    /// For an activity: its ARN and the input a worker gets.
    pub(crate) activity: Option<(String, String)>,
}

/// How far an open task has come, as `states_tasks.phase` has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// This process works on it; after a crash the work starts over.
    Here = 0,
    /// Somebody else has it.
    Elsewhere = 1,
    /// It is over.
    Closed = 2,
}

/// What becomes of one task.
pub(crate) enum TaskChange {
    /// It was asked for.
    Open(OpenedTask),
    /// A worker took it: it leaves the activity's queue.
    Taken,
    /// It was handed over; for a nested execution, which one.
    HandedOver {
        /// The execution whose end ends the task.
        child: Option<Child>,
    },
    /// It is over.
    Closed {
        /// Nobody wants its result: what it started is to be stopped.
        cancelled: bool,
    },
}

/// A Map Run that begins.
pub(crate) struct NewMapRun {
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) task: TaskId,
    pub(crate) snapshot: Vec<u8>,
    pub(crate) started_at: UnixMillis,
}

/// The new state of a Map Run.
pub(crate) struct MapRunRow {
    pub(crate) task: TaskId,
    pub(crate) status: &'static str,
    pub(crate) stopped_at: Option<UnixMillis>,
    pub(crate) redrive_count: u32,
    pub(crate) redriven_at: Option<UnixMillis>,
    /// The run without its children.
    pub(crate) snapshot: Vec<u8>,
    /// The children that the step changed.
    pub(crate) children: Vec<(u64, Vec<u8>)>,
}

/// Everything one step changes. `id` is an execution's or, with `map_run`, a Map Run's.
pub(crate) struct Change {
    pub(crate) shard: usize,
    pub(crate) id: i64,
    pub(crate) row: RowChange,
    /// The last event's id and the events as a JSON array.
    pub(crate) history: Option<(u64, String)>,
    pub(crate) timers: BTreeMap<TimerId, Option<UnixMillis>>,
    pub(crate) tasks: Vec<(TaskId, TaskChange)>,
    /// The execution ended and may have left timers and tasks behind.
    pub(crate) sweep: bool,
    pub(crate) new_map_runs: Vec<NewMapRun>,
    pub(crate) map_run: Option<MapRunRow>,
    /// A redrive's idempotency token.
    pub(crate) redrive_token: Option<(String, UnixMillis)>,
    /// What the bus is told.
    pub(crate) events: Vec<Event>,
    /// What is done once all this is on disk.
    pub(crate) then: Vec<Work>,
    /// The execution could not begin: its name is taken.
    pub(crate) rejected: bool,
    /// Who waits for it.
    pub(crate) replies: Vec<(Reply, Verdict)>,
}

impl Change {
    /// Whether there is anything to write at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.row, RowChange::None)
            && self.history.is_none()
            && self.timers.is_empty()
            && self.tasks.is_empty()
            && self.map_run.is_none()
            && self.then.is_empty()
    }

    /// A change of nothing yet.
    pub(crate) fn new(shard: usize, id: i64) -> Self {
        Self {
            shard,
            id,
            row: RowChange::None,
            history: None,
            timers: BTreeMap::new(),
            tasks: Vec::new(),
            sweep: false,
            new_map_runs: Vec::new(),
            map_run: None,
            redrive_token: None,
            events: Vec::new(),
            then: Vec::new(),
            rejected: false,
            replies: Vec::new(),
        }
    }

    /// Writes the change. An execution whose ARN is taken is not written, and its starter told so.
    pub(crate) fn write(&mut self, transaction: &Transaction<'_>, bus: &dyn EventBus) -> Result<(), StoreError> {
        if let Some(row) = &self.map_run {
            write_map_run(transaction, self.id, row)?;
        }
        match &self.row {
            RowChange::None => {}
            RowChange::Insert(row) => {
                if !insert(transaction, self.id, row)? {
                    for (_, verdict) in &mut self.replies {
                        *verdict = Verdict::NameTaken;
                    }
                    self.rejected = true;
                    self.then.clear();
                    self.timers.clear();
                    return Ok(());
                }
            }
            RowChange::Progress { snapshot, event_count } => {
                transaction
                    .prepare_cached("UPDATE states_executions SET snapshot = ?2, event_count = ?3 WHERE id = ?1")?
                    .execute(params![self.id, snapshot, event_count])?;
            }
            RowChange::Status(row) => update_status(transaction, self.id, row)?,
        }
        if let Some((last, events)) = &self.history {
            transaction
                .prepare_cached("INSERT INTO states_history (execution, last, events) VALUES (?1, ?2, ?3)")?
                .execute(params![self.id, last, events])?;
        }
        self.write_timers(transaction)?;
        self.write_tasks(transaction)?;
        if self.sweep {
            self.sweep(transaction)?;
        }
        for run in &self.new_map_runs {
            transaction
                .prepare_cached(
                    "INSERT INTO states_map_runs (id, arn, execution, task, status, started_at, snapshot)
                     VALUES (?1, ?2, ?3, ?4, 'RUNNING', ?5, ?6)",
                )?
                .execute(params![run.id, run.arn, self.id, run.task.0, run.started_at.0, run.snapshot])?;
        }
        if let Some((token, at)) = &self.redrive_token {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO states_redrives VALUES (?1, ?2, ?3)")?
                .execute(params![self.id, token, at.0])?;
        }
        for event in &self.events {
            bus.enqueue(transaction, event)?;
        }
        if matches!(&self.row, RowChange::Status(row) if row.status != ExecutionStatus::Running)
            || matches!(&self.row, RowChange::Insert(row) if row.status.status != ExecutionStatus::Running)
        {
            self.tell_parents(transaction)?;
        }
        Ok(())
    }

    fn write_timers(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        for (timer, due) in &self.timers {
            match due {
                Some(due) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO states_timers (execution, timer, due) VALUES (?1, ?2, ?3)")?
                    .execute(params![self.id, timer.0, due.0])?,
                None => transaction
                    .prepare_cached("DELETE FROM states_timers WHERE execution = ?1 AND timer = ?2")?
                    .execute(params![self.id, timer.0])?,
            };
        }
        Ok(())
    }

    fn write_tasks(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        for (task, change) in &self.tasks {
            match change {
                TaskChange::Open(opened) => open_task(transaction, self.id, *task, opened)?,
                TaskChange::Taken => remove_from_queue(transaction, self.id, *task)?,
                TaskChange::HandedOver { child } => {
                    set_phase(transaction, self.id, *task, Phase::Elsewhere)?;
                    if let Some(Child { id, as_json }) = *child {
                        transaction
                            .prepare_cached("INSERT OR IGNORE INTO states_children VALUES (?1, ?2, ?3, ?4)")?
                            .execute(params![id, self.id, task.0, as_json])?;
                        self.then.push(Work::JoinChild { child: id, parent: self.id, task: *task, as_json });
                    }
                }
                TaskChange::Closed { cancelled } => {
                    close_task(transaction, self.id, *task)?;
                    let children = take_children(transaction, self.id, Some(*task))?;
                    if *cancelled {
                        self.then.extend(children.into_iter().map(|child| Work::StopChild { child }));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what an ended execution still had open.
    fn sweep(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM states_timers WHERE execution = ?1",
            "DELETE FROM states_activity_tasks WHERE execution = ?1",
            "DELETE FROM states_tasks WHERE execution = ?1 AND token IS NULL",
            "UPDATE states_tasks SET phase = 2 WHERE execution = ?1 AND phase <> 2",
        ] {
            transaction.prepare_cached(statement)?.execute([self.id])?;
        }
        let children = take_children(transaction, self.id, None)?;
        self.then.extend(children.into_iter().map(|child| Work::StopChild { child }));
        Ok(())
    }

    /// The execution ended: whoever waits for it is told after the commit.
    fn tell_parents(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut statement =
            transaction.prepare_cached("SELECT parent, task, as_json FROM states_children WHERE child = ?1")?;
        let mut rows = statement.query([self.id])?;
        while let Some(row) = rows.next()? {
            self.then.push(Work::JoinChild {
                child: self.id,
                parent: row.get(0)?,
                task: TaskId(row.get(1)?),
                as_json: row.get(2)?,
            });
        }
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, id: i64, row: &NewRow) -> Result<bool, StoreError> {
    let (map_run, map_index) = row.map_run.unzip();
    let status = &row.status;
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO states_executions (id, arn, name, machine, machine_arn, revision, version_arn, alias_arn,
                 map_run, map_index, status, started_at, stopped_at, input, output, error, cause, trace_header,
                 redrive_count, event_count, snapshot, item_count, starter)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, 0, ?19, ?20, ?21, ?22)
             ON CONFLICT (arn) DO NOTHING",
        )?
        .execute(params![
            id,
            row.arn,
            row.name,
            row.machine,
            row.machine_arn,
            row.revision,
            row.version_arn,
            row.alias_arn,
            map_run,
            map_index,
            status.status.as_str(),
            row.started_at.0,
            status.stopped_at.map(|at| at.0),
            row.input,
            status.output,
            status.error,
            status.cause,
            row.trace_header,
            status.event_count,
            status.snapshot,
            row.item_count,
            row.starter,
        ])?;
    Ok(inserted == 1)
}

fn update_status(transaction: &Transaction<'_>, id: i64, row: &StatusRow) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "UPDATE states_executions SET status = ?2, stopped_at = ?3, output = ?4, error = ?5, cause = ?6,
                 redrive_count = ?7, redriven_at = ?8, event_count = ?9, snapshot = ?10
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            row.status.as_str(),
            row.stopped_at.map(|at| at.0),
            row.output,
            row.error,
            row.cause,
            row.redrive_count,
            row.redriven_at.map(|at| at.0),
            row.event_count,
            row.snapshot,
        ])?;
    Ok(())
}

fn write_map_run(transaction: &Transaction<'_>, id: i64, row: &MapRunRow) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "UPDATE states_map_runs SET task = ?2, status = ?3, stopped_at = ?4, redrive_count = ?5, redriven_at = ?6,
                 snapshot = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            row.task.0,
            row.status,
            row.stopped_at.map(|at| at.0),
            row.redrive_count,
            row.redriven_at.map(|at| at.0),
            row.snapshot,
        ])?;
    for (child, snapshot) in &row.children {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO states_map_children (run, child, snapshot) VALUES (?1, ?2, ?3)")?
            .execute(params![id, child, snapshot])?;
    }
    Ok(())
}

fn open_task(
    transaction: &Transaction<'_>,
    execution: i64,
    task: TaskId,
    opened: &OpenedTask,
) -> Result<(), StoreError> {
    let phase = if opened.activity.is_some() { Phase::Elsewhere } else { Phase::Here };
    transaction
        .prepare_cached("INSERT INTO states_tasks (execution, task, phase, token) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![execution, task.0, phase as i64, opened.token])?;
    if let (Some((activity, input)), Some(token)) = (&opened.activity, &opened.token) {
        transaction
            .prepare_cached(
                "INSERT INTO states_activity_tasks (execution, task, activity, token, input) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![execution, task.0, activity, token, input])?;
    }
    Ok(())
}

fn set_phase(transaction: &Transaction<'_>, execution: i64, task: TaskId, phase: Phase) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE states_tasks SET phase = ?3 WHERE execution = ?1 AND task = ?2")?
        .execute(params![execution, task.0, phase as i64])?;
    Ok(())
}

fn close_task(transaction: &Transaction<'_>, execution: i64, task: TaskId) -> Result<(), StoreError> {
    let removed = transaction
        .prepare_cached("DELETE FROM states_tasks WHERE execution = ?1 AND task = ?2 AND token IS NULL")?
        .execute(params![execution, task.0])?;
    if removed == 0 {
        set_phase(transaction, execution, task, Phase::Closed)?;
        remove_from_queue(transaction, execution, task)?;
    }
    Ok(())
}

fn remove_from_queue(transaction: &Transaction<'_>, execution: i64, task: TaskId) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM states_activity_tasks WHERE execution = ?1 AND task = ?2")?
        .execute(params![execution, task.0])?;
    Ok(())
}

/// Removes and returns the nested executions that a task, or all tasks, of an execution wait for.
fn take_children(transaction: &Transaction<'_>, execution: i64, task: Option<TaskId>) -> Result<Vec<i64>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM states_children WHERE parent = ?1 AND (?2 IS NULL OR task = ?2) RETURNING child",
    )?;
    let children = statement.query_map(params![execution, task.map(|task| task.0)], |row| row.get(0))?;
    Ok(children.collect::<Result<_, _>>()?)
}
