//! Express executions: in memory, five minutes at most, gone with the process.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>.

use std::{collections::HashMap, sync::Arc};

use tokio::task::{AbortHandle, JoinSet};
use vodline_asl::{
    Command, Effects, Env, Event, Execution, ExecutionInfo, Outcome, Payload, ScheduleTask, TaskId, TimerId, UnixMillis,
};
use vodline_core::AwsError;

use crate::{
    States,
    engine::{self, Randomness, TaskContext, Work},
    revisions::Revision,
    starter::Started,
    tasks::TaskError,
};

/// Longest an Express execution may run, in seconds.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/express-limits.html>.
const SECONDS_MAX: u64 = 300;

/// An Express execution to be run.
pub(crate) struct Run {
    pub(crate) info: ExecutionInfo,
    pub(crate) input: Payload,
    pub(crate) revision: i64,
}

/// How an Express execution ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) started_at: UnixMillis,
    pub(crate) stopped_at: UnixMillis,
}

/// What the driver of an execution waits for.
enum Signal {
    Event(Event),
    /// Five minutes are over.
    Expired,
}

impl States {
    /// Starts an Express execution that nobody waits for.
    pub(crate) fn start_express(&self, run: Run) -> Started {
        let execution_arn = run.info.arn.clone();
        let started_at = engine::now(self.engine.context());
        self.later(Work::Express(Box::new(run)));
        Started { execution_arn, started_at, id: None }
    }

    /// Runs an Express execution to its end.
    pub(crate) async fn run_express(&self, run: Run) -> Result<Ended, AwsError> {
        let context = self.engine.context();
        let revision = context.store.read(|connection| context.revisions.get(connection, run.revision))?;
        let started_at = engine::now(context);
        let task_context = TaskContext::of(&run.info);
        let mut driver = Driver {
            states: self,
            context: Arc::new(task_context),
            revision,
            execution: Some(Execution::new(run.info, run.input)),
            waiting: JoinSet::new(),
            tasks: HashMap::new(),
            timers: HashMap::new(),
        };
        let outcome = driver.drive(started_at).await?;
        Ok(Ended { outcome, started_at, stopped_at: engine::now(context) })
    }
}

struct Driver<'a> {
    states: &'a States,
    context: Arc<TaskContext>,
    revision: Arc<Revision>,
    /// Absent only while an engine thread has it.
    execution: Option<Execution>,
    waiting: JoinSet<Signal>,
    tasks: HashMap<TaskId, AbortHandle>,
    timers: HashMap<TimerId, AbortHandle>,
}

impl Driver<'_> {
    async fn drive(&mut self, started_at: UnixMillis) -> Result<Outcome, AwsError> {
        let shared = self.states.shared();
        let deadline = started_at.plus_seconds(SECONDS_MAX);
        self.waiting.spawn(async move {
            shared.engine.context().timers.sleep_until(deadline).await;
            Signal::Expired
        });
        let mut signal = Signal::Event(Event::Start);
        loop {
            let event = match signal {
                Signal::Event(event) => event,
                Signal::Expired => {
                    return Ok(Outcome::TimedOut { error: Some("States.Timeout".to_owned()), cause: None });
                }
            };
            for command in self.transition(event).await? {
                if let Some(outcome) = self.carry_out(command) {
                    return Ok(outcome);
                }
            }
            signal = self.next_signal().await?;
        }
    }

    async fn next_signal(&mut self) -> Result<Signal, AwsError> {
        loop {
            match self.waiting.join_next().await {
                Some(Ok(signal)) => return Ok(signal),
                // A cancelled task or timer.
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(_)) | None => {
                    return Err(AwsError::internal("an express execution has nothing to wait for"));
                }
            }
        }
    }

    async fn transition(&mut self, event: Event) -> Result<Vec<Command>, AwsError> {
        let Some(mut execution) = self.execution.take() else {
            return Err(AwsError::internal("an express execution was lost"));
        };
        let revision = Arc::clone(&self.revision);
        let (execution, effects) = self
            .states
            .engine
            .compute(move |context| {
                let mut random = Randomness(&*context.entropy);
                let mut env = Env { now: engine::now(context), random: &mut random };
                let effects = vodline_asl::transition(&revision.machine, &mut execution, event, &mut env);
                (execution, effects)
            })
            .await?;
        self.execution = Some(execution);
        let Effects { commands, .. } = effects;
        Ok(commands)
    }

    /// Carries a command out; returns the outcome if the execution ended.
    fn carry_out(&mut self, command: Command) -> Option<Outcome> {
        match command {
            Command::ScheduleTask(task) => self.start_task(*task),
            Command::CancelTask { task } => {
                if let Some(handle) = self.tasks.remove(&task) {
                    handle.abort();
                }
            }
            Command::SetTimer { timer, at } => {
                let shared = self.states.shared();
                let handle = self.waiting.spawn(async move {
                    shared.engine.context().timers.sleep_until(at).await;
                    Signal::Event(Event::TimerFired { timer })
                });
                if let Some(replaced) = self.timers.insert(timer, handle) {
                    replaced.abort();
                }
            }
            Command::CancelTimer { timer } => {
                if let Some(handle) = self.timers.remove(&timer) {
                    handle.abort();
                }
            }
            Command::Finish(outcome) => return Some(outcome),
            // The validator refuses a Distributed Map in an Express machine.
            Command::StartMapRun { task, .. } | Command::RedriveMapRun { task, .. } => {
                let failed = Event::TaskFailed {
                    task,
                    phase: vodline_asl::FailurePhase::Run,
                    error: Some("States.Runtime".to_owned()),
                    cause: Some("express executions cannot run a distributed map".to_owned()),
                };
                self.waiting.spawn(async move { Signal::Event(failed) });
            }
            Command::CancelMapRun { .. } => {}
        }
        None
    }

    fn start_task(&mut self, task: ScheduleTask) {
        let shared = self.states.shared();
        let context = Arc::clone(&self.context);
        let id = task.task;
        let handle = self.waiting.spawn(async move {
            Signal::Event(match shared.call_task(&context, &task).await {
                Ok(answer) => Event::TaskSucceeded { task: id, output: answer.output },
                Err(TaskError { error, cause, .. }) => Event::TaskFailed {
                    task: id,
                    phase: vodline_asl::FailurePhase::Run,
                    error: Some(error),
                    cause: Some(cause),
                },
            })
        });
        self.tasks.insert(id, handle);
    }
}
