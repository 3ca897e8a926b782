//! Carries out what committed steps ask for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rusqlite::{OptionalExtension, params};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{AbortHandle, JoinSet},
};
use vodline_asl::{
    Event, ExecutionStatus, FailurePhase, IntegrationPattern, Payload, ScheduleTask, TaskId, map_run::MapRunEvent,
};
use vodline_core::{AwsError, StoreError};

use crate::{
    States,
    engine::{self, Input, Subject, TaskContext, Unavailable, Verdict, Work},
    executions,
    tasks::{self, TaskError},
};

/// How often a result that could not be stored is tried again; a restart does the work anew.
const STORE_ATTEMPTS_MAX: u32 = 8;

/// The first pause between such attempts; each is twice as long as the one before, and shortened by up to half at random.
const STORE_PAUSE: Duration = Duration::from_millis(100);

/// What is under way for executions.
pub(crate) struct Dispatcher {
    states: Arc<States>,
    running: JoinSet<(i64, TaskId)>,
    handles: HashMap<(i64, TaskId), AbortHandle>,
}

/// The key of work that no `CancelTask` is about.
const NO_TASK: (i64, TaskId) = (0, TaskId(u64::MAX));

impl Dispatcher {
    pub(crate) fn new(states: Arc<States>) -> Self {
        Self { states, running: JoinSet::new(), handles: HashMap::new() }
    }

    /// Carries out work for ever. Dropping the future ends everything under way.
    pub(crate) async fn run(mut self, work: &mut UnboundedReceiver<Work>) {
        loop {
            tokio::select! {
                work = work.recv() => match work {
                    Some(work) => self.carry_out(work),
                    None => return,
                },
                Some(ended) = self.running.join_next() => match ended {
                    Ok(key) => {
                        self.handles.remove(&key);
                    }
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => tracing::error!(%error, "a task's work panicked"),
                },
            }
        }
    }

    fn carry_out(&mut self, work: Work) {
        let states = Arc::clone(&self.states);
        match work {
            Work::Run { execution, context, task } => {
                let key = (execution, task.task);
                let handle = self.running.spawn(async move {
                    states.run_task(execution, &context, &task).await;
                    key
                });
                self.handles.insert(key, handle);
            }
            Work::Cancel { execution, task } => {
                if let Some(handle) = self.handles.remove(&(execution, task)) {
                    handle.abort();
                }
            }
            Work::OfferActivity { activity } => states.offer(&activity),
            Work::StopChild { child } => self.deliver(child, Event::Stop { error: None, cause: None }),
            Work::JoinChild { child, parent, task, as_json } => match states.child_ended(child, task, as_json) {
                Ok(Some(event)) => self.deliver(parent, event),
                Ok(None) => {}
                Err(error) => tracing::error!(error = ?error, "a nested execution cannot be read"),
            },
            Work::Deliver { to, input } => self.states.engine.send(to, input, None),
            Work::Express(run) => {
                self.running.spawn(async move {
                    let execution_arn = run.info.arn.clone();
                    match states.run_express(*run).await {
                        Ok(ended) => tracing::debug!(execution_arn, status = ended.outcome.status().as_str(), "ended"),
                        Err(error) => tracing::error!(execution_arn, %error, "an express execution could not be run"),
                    }
                    NO_TASK
                });
            }
            Work::MapRun { run, execution, command, context } => {
                self.running.spawn(async move {
                    states.carry_out_map_run(run, execution, *command, &context).await;
                    NO_TASK
                });
            }
            Work::StopMapRun { execution, task } => match states.map_run_of(execution, task) {
                Ok(Some(run)) => {
                    self.states.engine.send(Subject::MapRun(run), Input::MapRun(MapRunEvent::Stop), None);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(error = ?error, "a map run cannot be read"),
            },
            Work::RedriveMapRun { arn, task } => match states.map_run_by_arn(&arn) {
                Ok(Some(run)) => self.states.engine.send(Subject::MapRun(run), Input::RedriveMapRun { task }, None),
                Ok(None) => tracing::error!(arn, "a map run to be redriven does not exist"),
                Err(error) => tracing::error!(error = ?error, "a map run cannot be read"),
            },
        }
    }

    fn deliver(&self, execution: i64, event: Event) {
        self.states.engine.send(Subject::Execution(execution), Input::Event(event), None);
    }
}

impl States {
    /// Runs one task to the point where its result is on disk.
    async fn run_task(&self, execution: i64, context: &TaskContext, task: &ScheduleTask) {
        let id = task.task;
        // The call need not wait until its beginning is on disk: that it was asked for is.
        let started = Input::Event(Event::TaskStarted { task: id, worker: None });
        self.engine.send(Subject::Execution(execution), started, None);
        let pattern = task.resource.pattern();
        let result = match self.call_task(context, task).await {
            Ok(answer) => match pattern {
                IntegrationPattern::RequestResponse => Ended::Succeeded(answer.output),
                _ => Ended::HandedOver(answer.output, answer.child),
            },
            Err(error) => Ended::Failed(error),
        };
        let mut pause = STORE_PAUSE;
        for _ in 0..STORE_ATTEMPTS_MAX {
            match self.engine.deliver(Subject::Execution(execution), result.input(id, pattern)).await {
                Ok(_) => return,
                Err(Unavailable) => {
                    let jitter = 1.0 - self.config.entropy.unit() / 2.0;
                    tokio::time::sleep(pause.mul_f64(jitter)).await;
                    pause *= 2;
                }
            }
        }
        tracing::error!(execution_arn = context.execution_arn, "a task's result could not be stored");
    }

    /// If a nested execution has ended: what that means for the task that waits for it.
    fn child_ended(&self, child: i64, task: TaskId, as_json: bool) -> Result<Option<Event>, StoreError> {
        let context = self.engine.context();
        let Some(row) = context.store.read(|connection| executions::by_id(connection, child))? else {
            return Ok(None);
        };
        let envelope = || tasks::envelope(&row, as_json, engine::now(context));
        Ok(match row.status {
            ExecutionStatus::Running => None,
            ExecutionStatus::Succeeded => Some(Event::TaskSucceeded { task, output: Payload::from(envelope()) }),
            ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => Some(Event::TaskFailed {
                task,
                phase: FailurePhase::Run,
                error: Some("States.TaskFailed".to_owned()),
                cause: Some(envelope().to_string()),
            }),
        })
    }

    /// The Map Run that a task is.
    fn map_run_of(&self, execution: i64, task: TaskId) -> Result<Option<i64>, StoreError> {
        self.engine.context().store.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT id FROM states_map_runs WHERE execution = ?1 AND task = ?2")?
                .query_row(params![execution, task.0], |row| row.get(0))
                .optional()?)
        })
    }

    /// The Map Run with an ARN.
    pub(crate) fn map_run_by_arn(&self, arn: &str) -> Result<Option<i64>, StoreError> {
        self.engine.context().store.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT id FROM states_map_runs WHERE arn = ?1")?
                .query_row([arn], |row| row.get(0))
                .optional()?)
        })
    }

    /// Delivers to an execution by its row, for callers outside the engine.
    pub(crate) async fn tell(&self, execution: i64, event: Event) -> Result<Verdict, AwsError> {
        Ok(self.engine.deliver(Subject::Execution(execution), Input::Event(event)).await?)
    }
}

/// How a call ended.
enum Ended {
    Succeeded(Payload),
    HandedOver(Payload, Option<engine::Child>),
    Failed(TaskError),
}

impl Ended {
    fn input(&self, task: TaskId, pattern: IntegrationPattern) -> Input {
        match self {
            Self::Succeeded(output) => Input::Event(Event::TaskSucceeded { task, output: output.clone() }),
            Self::HandedOver(output, child) => Input::Submitted { task, output: output.clone(), child: *child },
            Self::Failed(TaskError { error, cause, ran }) => {
                let phase = match pattern {
                    IntegrationPattern::RequestResponse => FailurePhase::Run,
                    _ if *ran => FailurePhase::Run,
                    _ => FailurePhase::Submit,
                };
                let (error, cause) = (Some(error.clone()), Some(cause.clone()));
                Input::Event(Event::TaskFailed { task, phase, error, cause })
            }
        }
    }
}
