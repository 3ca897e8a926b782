//! The durable state of one execution.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::{Command, ScheduleTask, TaskProgress};
use crate::env::UnixMillis;
use crate::event::{TaskId, TimerId};
use crate::facts::Variables;
use crate::limits::{EXECUTION_SECONDS_MAX, HISTORY_EVENTS_MAX, REDRIVE_SECONDS_MAX};
use crate::machine::model::StateId;
use crate::payload::Payload;
use crate::resource::Resource;

/// Standard or Express. Express executions differ in what a runner keeps of them, not in how they are evaluated; the
/// history limit of 25,000 events holds for Standard ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionKind {
    /// Durable, exactly once, up to a year.
    #[default]
    Standard,
    /// Short, high volume, up to five minutes.
    Express,
}

/// What is known of an execution before it begins. Most of it shows in the context object and the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionInfo {
    /// The execution's ARN: `$$.Execution.Id`.
    pub arn: String,
    /// Its name: `$$.Execution.Name`.
    pub name: String,
    /// The role it works under: `$$.Execution.RoleArn`.
    pub role_arn: String,
    /// The state machine's ARN: `$$.StateMachine.Id`.
    pub state_machine_arn: String,
    /// The state machine's name: `$$.StateMachine.Name`.
    pub state_machine_name: String,
    /// The alias it was started through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_arn: Option<String>,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_arn: Option<String>,
    /// The region in `TaskScheduled` events.
    pub region: String,
    /// Standard or Express.
    #[serde(default)]
    pub kind: ExecutionKind,
}

impl ExecutionInfo {
    /// An execution of a machine that exists nowhere, for examples and tests.
    #[must_use]
    pub fn example(name: &str) -> Self {
        Self {
            arn: format!("arn:aws:states:us-east-1:111122223333:execution:Example:{name}"),
            name: name.to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/Example".to_owned(),
            state_machine_arn: "arn:aws:states:us-east-1:111122223333:stateMachine:Example".to_owned(),
            state_machine_name: "Example".to_owned(),
            alias_arn: None,
            version_arn: None,
            region: "us-east-1".to_owned(),
            kind: ExecutionKind::Standard,
        }
    }
}

/// Where an execution stands, as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Not ended.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ran out of time.
    TimedOut,
    /// Stopped by a user.
    Aborted,
}

impl ExecutionStatus {
    /// The name in AWS's JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// With an output.
    Succeeded {
        /// The output.
        output: Payload,
    },
    /// With an error.
    Failed {
        /// The error name.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// Out of time.
    TimedOut {
        /// The error name.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// Stopped.
    Aborted {
        /// The error given with the request.
        error: Option<String>,
        /// The cause given with the request.
        cause: Option<String>,
    },
}

impl Outcome {
    /// The status that goes with it.
    #[must_use]
    pub const fn status(&self) -> ExecutionStatus {
        match self {
            Self::Succeeded { .. } => ExecutionStatus::Succeeded,
            Self::Failed { .. } => ExecutionStatus::Failed,
            Self::TimedOut { .. } => ExecutionStatus::TimedOut,
            Self::Aborted { .. } => ExecutionStatus::Aborted,
        }
    }
}

/// The whole durable state of one execution: what a runner stores after each transition.
///
/// Serialises to JSON. A snapshot belongs to the definition it ran under; snapshots of older versions of this crate
/// stay readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    pub(crate) info: ExecutionInfo,
    pub(crate) input: Payload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<UnixMillis>,
    #[serde(default)]
    pub(crate) redrive_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redriven_at: Option<UnixMillis>,
    /// The number of the last history event.
    #[serde(default)]
    pub(crate) last_event_id: u64,
    /// The number the next task, timer or branch gets.
    #[serde(default)]
    pub(crate) next_id: u64,
    #[serde(default)]
    pub(crate) branches: BTreeMap<BranchId, Branch>,
    #[serde(default)]
    pub(crate) tasks: BTreeMap<TaskId, OpenTask>,
    #[serde(default)]
    pub(crate) timers: BTreeMap<TimerId, OpenTimer>,
}

/// One thread of control: the execution itself, a branch of a Parallel state, an iteration of an inline Map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BranchId(pub(crate) u64);

impl BranchId {
    /// The execution itself.
    pub(crate) const ROOT: Self = Self(0);
}

/// Where one branch stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Branch {
    /// The branch whose state forked this one, and which of its children it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<(BranchId, u64)>,
    pub(crate) state: StateId,
    /// The state's input as it arrived.
    pub(crate) input: Payload,
    pub(crate) entered_at: UnixMillis,
    /// The event that entered the state.
    pub(crate) entered_event: u64,
    /// The branch's last event before that.
    pub(crate) before_entered: u64,
    pub(crate) last_event: u64,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub(crate) variables: Variables,
    /// `$$.Map.Item`, in an iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<MapItem>,
    /// How often each retrier of the state has been used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) retries: Vec<u32>,
    pub(crate) stage: Stage,
}

/// The item of a Map's iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapItem {
    pub(crate) index: u64,
    pub(crate) value: Payload,
}

/// What a branch is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// About to enter its state.
    Enter,
    /// In its state, about to do its work.
    Attempt,
    /// In a Wait state.
    Waiting(TimerId),
    /// In a Task state.
    Task(TaskId),
    /// In a Distributed Map.
    MapRun(TaskId),
    /// Between a failure and the next attempt.
    Backoff(TimerId),
    /// In a Parallel state or an inline Map.
    Fork(Fork),
    /// Failed, timed out or aborted: what a redrive runs again.
    Stopped,
    /// As [`Stage::Stopped`], in a Distributed Map whose run exists.
    StoppedMapRun(String),
}

/// The children of a Parallel state or an inline Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fork {
    /// One for each child that has begun, in order.
    pub(crate) children: Vec<Child>,
    /// Items of a Map whose iterations have not begun.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) pending: VecDeque<Payload>,
    #[serde(default)]
    pub(crate) running: u64,
    /// Children at a time.
    #[serde(default)]
    pub(crate) concurrency: u64,
    #[serde(default)]
    pub(crate) tolerance: Tolerance,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Child {
    Running(BranchId),
    Succeeded(Payload),
    /// Failed or aborted; the branch is kept for a redrive.
    Unsuccessful(BranchId),
}

/// How many failures a Map tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Tolerance {
    pub(crate) count: Option<u64>,
    pub(crate) percentage: Option<f64>,
}

impl Tolerance {
    /// Whether so many failures among so many items are too many. Without any setting, one is.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(crate) fn is_exceeded(self, failed: u64, total: u64) -> bool {
        match (self.count, self.percentage) {
            (None, None) => failed > 0,
            (count, percentage) => {
                count.is_some_and(|count| failed > count)
                    || percentage.is_some_and(|percentage| failed as f64 * 100.0 > percentage * total as f64)
            }
        }
    }
}

/// A task that has been asked for and has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTask {
    pub(crate) branch: BranchId,
    pub(crate) progress: TaskProgress,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<Box<TaskCall>>,
    /// The ARN of the Map Run, if the task is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) map_run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<TimerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) heartbeat: Option<TimerId>,
}

/// What a task runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskCall {
    pub(crate) state: String,
    pub(crate) resource: Arc<Resource>,
    pub(crate) arguments: Payload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) heartbeat_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) retry_count: u32,
}

impl TaskCall {
    pub(crate) fn command(&self, task: TaskId, progress: TaskProgress) -> Command {
        Command::ScheduleTask(Box::new(ScheduleTask {
            task,
            state: self.state.clone(),
            resource: (*self.resource).clone(),
            arguments: self.arguments.clone(),
            token: self.token.clone(),
            role_arn: self.role_arn.clone(),
            timeout_seconds: self.timeout_seconds,
            heartbeat_seconds: self.heartbeat_seconds,
            retry_count: self.retry_count,
            progress,
        }))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTimer {
    pub(crate) at: UnixMillis,
    pub(crate) purpose: Purpose,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// The end of a Wait state or a backoff.
    Resume(BranchId),
    /// A task's `TimeoutSeconds`.
    TaskTimeout(TaskId),
    /// A task's `HeartbeatSeconds`.
    Heartbeat(TaskId),
    /// The machine's `TimeoutSeconds`.
    ExecutionTimeout,
}

impl Execution {
    /// An execution before its first event, which must be [`crate::Event::Start`].
    #[must_use]
    pub fn new(info: ExecutionInfo, input: Payload) -> Self {
        Self {
            info,
            input,
            outcome: None,
            started_at: None,
            ended_at: None,
            redrive_count: 0,
            redriven_at: None,
            last_event_id: 0,
            next_id: 0,
            branches: BTreeMap::new(),
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
        }
    }

    /// What was known before it began.
    #[must_use]
    pub fn info(&self) -> &ExecutionInfo {
        &self.info
    }

    /// Its input.
    #[must_use]
    pub fn input(&self) -> &Payload {
        &self.input
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        self.outcome.as_ref().map_or(ExecutionStatus::Running, Outcome::status)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Its output, if it succeeded.
    #[must_use]
    pub fn output(&self) -> Option<&Payload> {
        match &self.outcome {
            Some(Outcome::Succeeded { output }) => Some(output),
            _ => None,
        }
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Option<UnixMillis> {
        self.started_at
    }

    /// When it ended, if it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<UnixMillis> {
        self.ended_at
    }

    /// How often it has been redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u32 {
        self.redrive_count
    }

    /// When it was last redriven.
    #[must_use]
    pub fn redriven_at(&self) -> Option<UnixMillis> {
        self.redriven_at
    }

    /// How many events its history has.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.last_event_id
    }

    /// The open task that a token was handed out for.
    #[must_use]
    pub fn task_of_token(&self, token: &str) -> Option<TaskId> {
        let holds = |open: &OpenTask| open.call.as_ref().is_some_and(|call| call.token.as_deref() == Some(token));
        self.tasks.iter().find(|(_, open)| holds(open)).map(|(id, _)| *id)
    }

    /// How far an open task has come; `None` when it is not open.
    #[must_use]
    pub fn task_progress(&self, task: TaskId) -> Option<TaskProgress> {
        self.tasks.get(&task).map(|open| open.progress)
    }

    /// Whether it may be redriven now, or AWS's reason why not.
    ///
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>.
    ///
    /// # Errors
    /// The `redriveStatusReason` of `DescribeExecution`.
    pub fn redrivable(&self, now: UnixMillis) -> Result<(), &'static str> {
        let since = |start: UnixMillis, seconds: u64| now > start.plus_seconds(seconds);
        match self.status() {
            ExecutionStatus::Running => Err("Execution is RUNNING and cannot be redriven"),
            ExecutionStatus::Succeeded => Err("Execution is SUCCEEDED and cannot be redriven"),
            _ if self.info.kind == ExecutionKind::Express => Err("Execution is EXPRESS and cannot be redriven"),
            _ if self.last_event_id >= HISTORY_EVENTS_MAX - 1 => Err("Execution history event limit exceeded"),
            _ if self.started_at.is_some_and(|at| since(at, EXECUTION_SECONDS_MAX)) => {
                Err("Execution has exceeded the max execution time")
            }
            _ if self.ended_at.is_some_and(|at| since(at, REDRIVE_SECONDS_MAX)) => {
                Err("Execution redrivable period exceeded")
            }
            _ => Ok(()),
        }
    }

    /// Commands that are outstanding: after a crash a runner carries these out again. Tasks come with their progress.
    ///
    /// A Map Run is not among them: it has state of its own, a [`crate::MapRun`], which the runner stores together with
    /// the execution that started it, and whose own [`crate::MapRun::pending`] says what is outstanding of it.
    #[must_use]
    pub fn pending(&self) -> Vec<Command> {
        let tasks = self.tasks.iter().filter_map(|(id, open)| Some(open.call.as_ref()?.command(*id, open.progress)));
        let timers = self.timers.iter().map(|(id, timer)| Command::SetTimer { timer: *id, at: timer.at });
        tasks.chain(timers).collect()
    }

    /// The tasks of Map Runs that are outstanding, with the runs' ARNs.
    pub fn pending_map_runs(&self) -> impl Iterator<Item = (TaskId, &str)> {
        self.tasks.iter().filter_map(|(id, open)| Some((*id, open.map_run.as_deref()?)))
    }

    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The variables a branch sees, innermost scope first.
    pub(crate) fn scopes(&self, branch: BranchId) -> Vec<&Variables> {
        let mut scopes = Vec::new();
        let mut next = Some(branch);
        while let Some(branch) = next.and_then(|id| self.branches.get(&id)) {
            if !branch.variables.is_empty() {
                scopes.push(&branch.variables);
            }
            next = branch.parent.map(|(parent, _)| parent);
        }
        scopes
    }

    /// The item of the innermost iteration a branch is in.
    pub(crate) fn item(&self, branch: BranchId) -> Option<&MapItem> {
        let mut next = Some(branch);
        while let Some(branch) = next.and_then(|id| self.branches.get(&id)) {
            if branch.item.is_some() {
                return branch.item.as_ref();
            }
            next = branch.parent.map(|(parent, _)| parent);
        }
        None
    }
}
