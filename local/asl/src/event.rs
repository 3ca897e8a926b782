//! Everything that can happen to an execution.

use serde::{Deserialize, Serialize};

use crate::payload::Payload;

/// One task of an execution: one attempt of one Task state or one Map Run. Unique within the execution, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// One timer of an execution. Unique within the execution, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u64);

/// How far a task had come when it failed; it decides the name of the history event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FailurePhase {
    /// It could not be scheduled: `LambdaFunctionScheduleFailed`, `ActivityScheduleFailed`; `TaskFailed` for a service.
    Schedule,
    /// It could not be started: `LambdaFunctionStartFailed`, `TaskStartFailed`.
    Start,
    /// The call that hands out the job or the token failed: `TaskSubmitFailed` for a `.sync` or `.waitForTaskToken` task.
    Submit,
    /// It ran and failed: `TaskFailed`, `LambdaFunctionFailed`, `ActivityFailed`.
    #[default]
    Run,
}

/// Something that happened to an execution.
///
/// An event about a task or timer that is no longer open changes nothing and records nothing: answers may arrive twice,
/// late, or after the execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The execution begins. The first event of every execution.
    Start,
    /// A task began to run (`TaskStarted`, `LambdaFunctionStarted`, `ActivityStarted`).
    TaskStarted {
        /// Which task.
        task: TaskId,
        /// Who took it, for activities: the `workerName` of `GetActivityTask`.
        worker: Option<String>,
    },
    /// A `.sync` or `.waitForTaskToken` task was handed over and now runs elsewhere (`TaskSubmitted`).
    TaskSubmitted {
        /// Which task.
        task: TaskId,
        /// What the service answered to the submitting call.
        output: Payload,
    },
    /// A task ended well.
    TaskSucceeded {
        /// Which task.
        task: TaskId,
        /// Its result.
        output: Payload,
    },
    /// A task ended badly. The state's Retry and Catch decide what follows.
    TaskFailed {
        /// Which task.
        task: TaskId,
        /// How far it had come.
        phase: FailurePhase,
        /// The error name that `ErrorEquals` is matched against.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// A task ran into a limit of its own, shorter than the state's (`TaskTimedOut`, `LambdaFunctionTimedOut`).
    /// The state's own timeouts come as [`Event::TimerFired`].
    TaskTimedOut {
        /// Which task.
        task: TaskId,
        /// The error name; `States.Timeout` when absent.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// A task is alive: its heartbeat timer starts over.
    TaskHeartbeat {
        /// Which task.
        task: TaskId,
    },
    /// A timer of [`crate::Command::SetTimer`] fell due. One that is reported before its time is set again.
    TimerFired {
        /// Which timer.
        timer: TimerId,
    },
    /// A Map Run ended; see [`crate::map_run`].
    MapRunFinished {
        /// The task of [`crate::Command::StartMapRun`].
        task: TaskId,
        /// How it ended.
        outcome: MapRunOutcome,
    },
    /// A user stops the execution (`StopExecution`).
    Stop {
        /// The error given with the request.
        error: Option<String>,
        /// The cause given with the request.
        cause: Option<String>,
    },
    /// A user redrives the execution (`RedriveExecution`). Ignored unless [`crate::Execution::redrivable`] allows it.
    Redrive,
}

/// How a Map Run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MapRunOutcome {
    /// Failures stayed within what is tolerated. The result is the array of the children's outputs or, with a
    /// `ResultWriter`, where the results were written.
    Succeeded {
        /// The Map state's result.
        output: Payload,
    },
    /// Too many children failed, or the reader or writer did.
    Failed {
        /// The error, for example `States.ExceedToleratedFailureThreshold`.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// The run was stopped from outside.
    Aborted,
}
