//! An execution or Map Run in memory, and the making of its steps.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use vodline_asl::{
    Command, Effects, Env, Event, Execution, ExecutionInfo, ExecutionKind, ExecutionStatus, HistoryEvent, MapRun,
    MapRunOutcome, Outcome, Resource, ScheduleTask, TaskId, TaskProgress, TimerId, UnixMillis,
    map_run::{self, MapRunCommand, MapRunEvent, MapRunStatus},
};

use super::{
    Context, Input, MapRunContext, NewExecution, Randomness, Reply, Subject, TaskContext, Verdict, Work,
    change::{Change, MapRunRow, NewMapRun, NewRow, OpenedTask, RowChange, StatusRow, TaskChange},
    now,
};
use crate::{error::Error, map_run_rows, revisions::Revision, status_event};

type Inputs = Vec<(Input, Option<Reply>)>;

/// What a shard keeps of a subject between its steps.
pub(super) enum Live {
    Execution(Box<LiveExecution>),
    MapRun(Box<LiveMapRun>),
}

impl Live {
    /// Loads a subject, or makes it if its first input says how. `None` if there is nothing that could still change.
    pub(super) fn load(context: &Context, subject: Subject, first: &Input) -> Result<Option<Self>, Error> {
        Ok(match (subject, first) {
            (Subject::Execution(id), Input::Start(new)) => {
                Some(Self::Execution(Box::new(LiveExecution::new(context, id, new)?)))
            }
            (Subject::Execution(id), _) => {
                LiveExecution::load(context, id)?.map(|live| Self::Execution(Box::new(live)))
            }
            (Subject::MapRun(id), _) => LiveMapRun::load(context, id)?.map(|live| Self::MapRun(Box::new(live))),
        })
    }

    /// Whether nothing but a redrive can still happen to it.
    pub(super) fn ended(&self) -> bool {
        match self {
            Self::Execution(live) => live.execution.outcome().is_some(),
            Self::MapRun(live) => live.run.outcome().is_some(),
        }
    }

    /// Makes one step of all `inputs`.
    pub(super) fn step(&mut self, context: &Context, shard: usize, inputs: Inputs) -> Result<Change, Error> {
        match self {
            Self::Execution(live) => live.step(context, shard, inputs),
            Self::MapRun(live) => live.step(context, shard, inputs),
        }
    }
}

pub(super) struct LiveExecution {
    id: i64,
    machine: i64,
    revision_id: i64,
    revision: Arc<Revision>,
    execution: Execution,
    context: Arc<TaskContext>,
    map_run: Option<(i64, u64)>,
    /// Whether the store may hold timers or tasks of it.
    swept: bool,
}

impl LiveExecution {
    fn new(context: &Context, id: i64, new: &NewExecution) -> Result<Self, Error> {
        let revision = revision_of(context, new.revision, new.map_run)?;
        Ok(Self {
            id,
            machine: new.machine,
            revision_id: new.revision,
            revision,
            context: Arc::new(TaskContext::of(&new.info)),
            map_run: new.map_run,
            execution: Execution::new(new.info.clone(), new.input.clone()),
            swept: true,
        })
    }

    fn load(context: &Context, id: i64) -> Result<Option<Self>, Error> {
        type Row = (i64, i64, Option<i64>, Option<u64>, Option<Vec<u8>>);
        let row: Option<Row> = context.store.read::<_, Error>(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT machine, revision, map_run, map_index, snapshot FROM states_executions WHERE id = ?1",
                )?
                .query_row(params![id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
                .optional()?)
        })?;
        let Some((machine, revision_id, map_run, map_index, Some(snapshot))) = row else { return Ok(None) };
        let execution: Execution =
            serde_json::from_slice(&snapshot).map_err(|source| Error::Snapshot { what: "execution", source })?;
        let map_run = map_run.zip(map_index);
        Ok(Some(Self {
            id,
            machine,
            revision_id,
            revision: revision_of(context, revision_id, map_run)?,
            context: Arc::new(TaskContext::of(execution.info())),
            map_run,
            execution,
            swept: false,
        }))
    }

    fn step(&mut self, context: &Context, shard: usize, inputs: Inputs) -> Result<Change, Error> {
        let mut step = Step { change: Change::new(shard, self.id), history: Vec::new(), inserted: None };
        let mut status_changed = false;
        for (input, reply) in inputs {
            let verdict = self.apply(context, &mut step, input, &mut status_changed);
            if let Some(reply) = reply {
                step.change.replies.push((reply, verdict));
            }
        }
        let Step { mut change, history, inserted } = step;
        if let Some(last) = history.last() {
            let events =
                serde_json::to_string(&history).map_err(|source| Error::Snapshot { what: "history", source })?;
            change.history = Some((last.id, events));
        }
        let progressed = change.history.is_some() || !change.timers.is_empty() || !change.tasks.is_empty();
        if let Some(new) = inserted {
            change.row = RowChange::Insert(Box::new(self.new_row(*new)?));
        } else if status_changed {
            change.row = RowChange::Status(Box::new(self.status_row()?));
        } else if progressed {
            let snapshot = self.snapshot()?;
            change.row = RowChange::Progress { snapshot, event_count: self.execution.event_count() };
        }
        if self.execution.outcome().is_some() && status_changed {
            // Its timers and tasks are void.
            if self.swept && change.tasks.is_empty() {
                change.timers.clear();
            } else {
                change.sweep = true;
            }
        }
        self.swept = change.sweep || (self.swept && change.tasks.is_empty() && change.timers.is_empty());
        Ok(change)
    }

    /// Applies one input.
    fn apply(&mut self, context: &Context, step: &mut Step, input: Input, status_changed: &mut bool) -> Verdict {
        let at = now(context);
        let mut task_change = None;
        let mut starting = None;
        let mut redrive_token = None;
        let event = match input {
            Input::Start(new) => {
                starting = Some(new);
                Event::Start
            }
            Input::Event(event) => {
                match &event {
                    Event::TaskSucceeded { task, .. }
                    | Event::TaskFailed { task, .. }
                    | Event::TaskTimedOut { task, .. }
                    | Event::MapRunFinished { task, .. } => {
                        task_change = Some((*task, TaskChange::Closed { cancelled: false }));
                    }
                    // Fired or stale, the timer has had its turn.
                    Event::TimerFired { timer } => {
                        step.change.timers.insert(*timer, None);
                    }
                    _ => {}
                }
                event
            }
            Input::TakeActivity { task, worker } => {
                task_change = Some((task, TaskChange::Taken));
                Event::TaskStarted { task, worker }
            }
            Input::Submitted { task, output, child } => {
                task_change = Some((task, TaskChange::HandedOver { child }));
                Event::TaskSubmitted { task, output }
            }
            Input::Redrive { token } => {
                redrive_token = Some(token);
                Event::Redrive
            }
            Input::Resume => {
                self.resume(&mut step.change);
                return Verdict::Applied;
            }
            Input::MapRun(_) | Input::RedriveMapRun { .. } => return Verdict::Missing,
        };
        let mut random = Randomness(&*context.entropy);
        let mut env = Env { now: at, random: &mut random };
        let Effects { history, commands } =
            vodline_asl::transition(&self.revision.machine, &mut self.execution, event, &mut env);
        let began = starting.is_some();
        let applied = !history.is_empty() || !commands.is_empty();
        step.history.extend(history);
        if !applied {
            return Verdict::Ignored;
        }
        step.change.tasks.extend(task_change);
        if let Some(new) = starting {
            step.inserted = Some(new);
            *status_changed = true;
            self.tell_running(context, &mut step.change, at);
        }
        if let Some(token) = redrive_token {
            step.change.redrive_token = token.map(|token| (token, at));
            *status_changed = true;
            self.tell_running(context, &mut step.change, at);
        }
        for command in commands {
            if self.carry_out(context, &mut step.change, command, at) {
                *status_changed = true;
            }
        }
        if began { Verdict::Began(at) } else { Verdict::Applied }
    }

    /// Notes what a command changes and what is to be done. Returns whether the execution ended.
    fn carry_out(&mut self, context: &Context, change: &mut Change, command: Command, at: UnixMillis) -> bool {
        match command {
            Command::ScheduleTask(task) => self.schedule(change, task),
            Command::CancelTask { task } => {
                change.tasks.push((task, TaskChange::Closed { cancelled: true }));
                change.then.push(Work::Cancel { execution: self.id, task });
            }
            Command::SetTimer { timer, at } => {
                change.timers.insert(timer, Some(at));
            }
            Command::CancelTimer { timer } => self.cancel_timer(change, timer),
            Command::StartMapRun { task, run } => self.open_map_run(context, change, task, &run, at),
            Command::CancelMapRun { task } => {
                change.tasks.push((task, TaskChange::Closed { cancelled: true }));
                change.then.push(Work::StopMapRun { execution: self.id, task });
            }
            Command::RedriveMapRun { task, map_run_arn } => {
                change.tasks.push((task, TaskChange::Open(OpenedTask { token: None, activity: None })));
                change.then.push(Work::RedriveMapRun { arn: map_run_arn, task });
            }
            Command::Finish(outcome) => {
                if self.is_standard() {
                    change.events.push(status_event::ended(context, &self.execution, &outcome, at));
                }
                if let Some((run, index)) = self.map_run {
                    let execution_arn = self.context.execution_arn.clone();
                    let event = MapRunEvent::ChildFinished { index, execution_arn, outcome };
                    change.then.push(Work::Deliver { to: Subject::MapRun(run), input: Input::MapRun(event) });
                }
                return true;
            }
        }
        false
    }

    fn schedule(&self, change: &mut Change, task: Box<ScheduleTask>) {
        let activity = match &task.resource {
            Resource::Activity { activity_arn } => Some((activity_arn.clone(), task.arguments.text().to_owned())),
            Resource::Lambda { .. } | Resource::Service(_) => None,
        };
        let offered = activity.as_ref().map(|(activity, _)| activity.clone());
        change.tasks.push((task.task, TaskChange::Open(OpenedTask { token: task.token.clone(), activity })));
        change.then.push(match offered {
            Some(activity) => Work::OfferActivity { activity },
            None => self.run(task),
        });
    }

    fn run(&self, task: Box<ScheduleTask>) -> Work {
        Work::Run { execution: self.id, context: Arc::clone(&self.context), task }
    }

    /// A timer set and cancelled in one step never existed.
    fn cancel_timer(&self, change: &mut Change, timer: TimerId) {
        if self.swept && change.timers.get(&timer).is_some_and(Option::is_some) {
            change.timers.remove(&timer);
        } else {
            change.timers.insert(timer, None);
        }
    }

    fn open_map_run(&self, context: &Context, change: &mut Change, task: TaskId, run: &MapRun, at: UnixMillis) {
        let id = context.next_id();
        change.tasks.push((task, TaskChange::Open(OpenedTask { token: None, activity: None })));
        match serde_json::to_vec(run) {
            Ok(snapshot) => {
                change.new_map_runs.push(NewMapRun { id, arn: run.arn().to_owned(), task, snapshot, started_at: at });
                change.then.push(Work::Deliver { to: Subject::MapRun(id), input: Input::MapRun(MapRunEvent::Start) });
            }
            Err(error) => tracing::error!(%error, "a map run could not be stored"),
        }
    }

    /// After a restart: asks again for the work of this process that has not ended.
    fn resume(&self, change: &mut Change) {
        for command in self.execution.pending() {
            match command {
                // Tokens and queues are in the store; handed-over tasks are joined from there.
                Command::ScheduleTask(task)
                    if task.progress != TaskProgress::Submitted
                        && !matches!(task.resource, Resource::Activity { .. }) =>
                {
                    change.then.push(self.run(task));
                }
                // Timers are in the store.
                _ => {}
            }
        }
        // A run is resumed by itself, but may not have heard that it reports under a new task id.
        for (task, arn) in self.execution.pending_map_runs() {
            change.then.push(Work::RedriveMapRun { arn: arn.to_owned(), task });
        }
    }

    fn tell_running(&self, context: &Context, change: &mut Change, at: UnixMillis) {
        if self.is_standard() {
            change.events.push(status_event::running(context, &self.execution, at));
        }
    }

    /// The bus hears of Standard executions only; the Express children of a Map Run are run here too.
    fn is_standard(&self) -> bool {
        self.execution.info().kind == ExecutionKind::Standard
    }

    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&self.execution).map_err(|source| Error::Snapshot { what: "execution", source })
    }

    fn status_row(&self) -> Result<StatusRow, Error> {
        let (output, error, cause) = match self.execution.outcome() {
            None => (None, None, None),
            Some(Outcome::Succeeded { output }) => (Some(output.text().to_owned()), None, None),
            Some(
                Outcome::Failed { error, cause }
                | Outcome::TimedOut { error, cause }
                | Outcome::Aborted { error, cause },
            ) => (None, error.clone(), cause.clone()),
        };
        let status = self.execution.status();
        Ok(StatusRow {
            status,
            stopped_at: self.execution.ended_at().filter(|_| status != ExecutionStatus::Running),
            output,
            error,
            cause,
            redrive_count: self.execution.redrive_count(),
            redriven_at: self.execution.redriven_at(),
            event_count: self.execution.event_count(),
            snapshot: if status == ExecutionStatus::Succeeded { None } else { Some(self.snapshot()?) },
        })
    }

    fn new_row(&self, new: NewExecution) -> Result<NewRow, Error> {
        let ExecutionInfo { arn, name, state_machine_arn, version_arn, alias_arn, .. } = new.info;
        Ok(NewRow {
            arn,
            name,
            machine: self.machine,
            machine_arn: state_machine_arn,
            revision: self.revision_id,
            version_arn,
            alias_arn,
            map_run: self.map_run,
            item_count: new.item_count,
            starter: new.starter,
            trace_header: new.trace_header,
            started_at: self.execution.started_at().unwrap_or_default(),
            input: new.input.text().to_owned(),
            status: self.status_row()?,
        })
    }
}

/// A step in the making.
struct Step {
    change: Change,
    history: Vec<HistoryEvent>,
    /// The execution began in this step.
    inserted: Option<Box<NewExecution>>,
}

/// The definition an execution works by.
fn revision_of(context: &Context, revision: i64, map_run: Option<(i64, u64)>) -> Result<Arc<Revision>, Error> {
    context.store.read(|connection| match map_run {
        Some((run, _)) => context.revisions.child(connection, revision, run),
        None => context.revisions.get(connection, revision),
    })
}

pub(super) struct LiveMapRun {
    id: i64,
    /// The parent execution.
    execution: i64,
    /// The parent's task it reports as.
    task: TaskId,
    run: MapRun,
    revision: Arc<Revision>,
    context: Arc<MapRunContext>,
    redriven_at: Option<UnixMillis>,
}

impl LiveMapRun {
    fn load(context: &Context, id: i64) -> Result<Option<Self>, Error> {
        type Row = (i64, u64, Option<i64>, Vec<u8>, i64, i64, Option<Vec<u8>>);
        let row: Option<Row> = context.store.read::<_, Error>(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT r.execution, r.task, r.redriven_at, r.snapshot, e.machine, e.revision, e.snapshot
                     FROM states_map_runs r JOIN states_executions e ON e.id = r.execution WHERE r.id = ?1",
                )?
                .query_row([id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
                })
                .optional()?)
        })?;
        let Some((execution, task, redriven_at, run, machine, revision_id, Some(parent))) = row else {
            return Ok(None);
        };
        let run = context.store.read(|connection| map_run_rows::read(connection, id, &run))?;
        let parent: Execution =
            serde_json::from_slice(&parent).map_err(|source| Error::Snapshot { what: "execution", source })?;
        Ok(Some(Self {
            id,
            execution,
            task: TaskId(task),
            revision: revision_of(context, revision_id, None)?,
            context: Arc::new(MapRunContext::new(&run, parent.info(), machine, revision_id)),
            run,
            redriven_at: redriven_at.map(UnixMillis),
        }))
    }

    fn step(&mut self, context: &Context, shard: usize, inputs: Inputs) -> Result<Change, Error> {
        let mut change = Change::new(shard, self.id);
        let mut progressed = false;
        for (input, reply) in inputs {
            let at = now(context);
            let commands = match input {
                Input::MapRun(event) => {
                    progressed = true;
                    self.transition(context, event, at)
                }
                // After a crash the parent may ask twice.
                Input::RedriveMapRun { task } if task == self.task => Vec::new(),
                Input::RedriveMapRun { task } => {
                    progressed = true;
                    self.task = task;
                    self.redriven_at = Some(at);
                    self.transition(context, MapRunEvent::Redrive, at)
                }
                // The first event may have been lost with the process; one that was not is ignored.
                Input::Resume => match self.run.outcome() {
                    Some(outcome) => {
                        change.then.push(self.tell_parent(outcome.clone()));
                        Vec::new()
                    }
                    None => {
                        let mut commands = self.run.pending();
                        commands.extend(self.transition(context, MapRunEvent::Start, at));
                        progressed = true;
                        commands
                    }
                },
                _ => Vec::new(),
            };
            for command in commands {
                self.carry_out(&mut change, command);
            }
            if let Some(reply) = reply {
                change.replies.push((reply, Verdict::Applied));
            }
        }
        if progressed {
            let unreadable = |source| Error::Snapshot { what: "map run", source };
            let children = self.run.take_changed_children();
            let children = children.into_iter().map(|(index, child)| Ok((index, serde_json::to_vec(child)?)));
            let children = children.collect::<Result<_, _>>().map_err(unreadable)?;
            let snapshot = self.run.without_children(serde_json::to_vec).map_err(unreadable)?;
            change.map_run = Some(MapRunRow {
                task: self.task,
                status: status_of(&self.run),
                stopped_at: self.run.ended_at().filter(|_| self.run.outcome().is_some()),
                redrive_count: self.run.redrive_count(),
                redriven_at: self.redriven_at,
                snapshot,
                children,
            });
        }
        Ok(change)
    }

    fn transition(&mut self, context: &Context, event: MapRunEvent, at: UnixMillis) -> Vec<MapRunCommand> {
        let mut random = Randomness(&*context.entropy);
        let mut env = Env { now: at, random: &mut random };
        map_run::transition(&self.revision.machine, &mut self.run, event, &mut env)
    }

    fn carry_out(&self, change: &mut Change, command: MapRunCommand) {
        change.then.push(match command {
            MapRunCommand::Finish(outcome) => self.tell_parent(outcome),
            command => Work::MapRun {
                run: self.id,
                execution: self.execution,
                command: Box::new(command),
                context: Arc::clone(&self.context),
            },
        });
    }
}

impl LiveMapRun {
    fn tell_parent(&self, outcome: MapRunOutcome) -> Work {
        let event = Event::MapRunFinished { task: self.task, outcome };
        Work::Deliver { to: Subject::Execution(self.execution), input: Input::Event(event) }
    }
}

/// Where a Map Run stands, as AWS names it.
fn status_of(run: &MapRun) -> &'static str {
    match run.status() {
        MapRunStatus::Running => "RUNNING",
        MapRunStatus::Succeeded => "SUCCEEDED",
        MapRunStatus::Failed => "FAILED",
        MapRunStatus::Aborted => "ABORTED",
    }
}
