//! Everything an execution asks its runner to do.

use serde::{Deserialize, Serialize};

use crate::env::UnixMillis;
use crate::event::{TaskId, TimerId};
use crate::execution::Outcome;
use crate::map_run::MapRun;
use crate::payload::Payload;
use crate::resource::Resource;

/// Something the runner must do once the transition that asked for it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a task and report with the `Task*` events.
    ScheduleTask(Box<ScheduleTask>),
    /// A task is no longer wanted: its state timed out, a sibling branch failed, the execution was stopped. What it
    /// still reports is ignored; a `.sync` job should be stopped.
    CancelTask {
        /// Which task.
        task: TaskId,
    },
    /// Report [`crate::Event::TimerFired`] at a point in time, or at once if it is past. Replaces a timer with the same id.
    SetTimer {
        /// Which timer.
        timer: TimerId,
        /// When it falls due.
        at: UnixMillis,
    },
    /// A timer is no longer wanted.
    CancelTimer {
        /// Which timer.
        timer: TimerId,
    },
    /// Run the children of a Distributed Map: keep the given [`MapRun`], drive it with [`crate::map_run::transition`],
    /// and report [`crate::Event::MapRunFinished`].
    StartMapRun {
        /// Which task of this execution the run is.
        task: TaskId,
        /// The run before its first event.
        run: Box<MapRun>,
    },
    /// Stop a Map Run and its children with [`crate::map_run::MapRunEvent::Stop`]. What it still reports is ignored.
    CancelMapRun {
        /// Which task of this execution the run is.
        task: TaskId,
    },
    /// Redrive a Map Run with [`crate::map_run::MapRunEvent::Redrive`]; it reports again under a new task id.
    RedriveMapRun {
        /// The task it reports as from now on.
        task: TaskId,
        /// Which run: its ARN.
        map_run_arn: String,
    },
    /// The execution ended. Always the last command of its transition; nothing is pending afterwards.
    Finish(Outcome),
}

/// How far a task has come; a restarted runner starts it over or waits for it accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskProgress {
    /// Asked for, and as far as the execution knows not begun.
    Scheduled,
    /// Begun. Whether its effects happened is not known: it may have to run again.
    Started,
    /// Handed over: the job runs, or the token is out. It must be joined, not started again.
    Submitted,
}

/// A task to run.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleTask {
    /// The task's id, which every event about it bears.
    pub task: TaskId,
    /// The name of the Task state.
    pub state: String,
    /// What to run.
    pub resource: Resource,
    /// What to run it with: the Lambda function's or activity's input, or the API call's parameters.
    pub arguments: Payload,
    /// The task token, for `.waitForTaskToken` tasks and activities. It is also in `arguments` where the definition
    /// put it there.
    pub token: Option<String>,
    /// The role to assume, from `Credentials`.
    pub role_arn: Option<String>,
    /// The state's `TimeoutSeconds`. Information: the engine arms the timer itself.
    pub timeout_seconds: Option<u64>,
    /// The state's `HeartbeatSeconds`. Information: the engine arms the timer itself.
    pub heartbeat_seconds: Option<u64>,
    /// How often the state has been retried before this attempt.
    pub retry_count: u32,
    /// How far the task has come: `Scheduled` but in [`crate::Execution::pending`].
    pub progress: TaskProgress,
}
