//! The durable state of one execution.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::env::UnixMillis;
use crate::payload::Payload;

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
    info: ExecutionInfo,
    input: Payload,
    outcome: Option<Outcome>,
    started_at: Option<UnixMillis>,
    redrive_count: u32,
    redriven_at: Option<UnixMillis>,
    ended_at: Option<UnixMillis>,
    last_event_id: u64,
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
            redrive_count: 0,
            redriven_at: None,
            ended_at: None,
            last_event_id: 0,
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

    /// Whether it may be redriven now, or AWS's reason why not.
    ///
    /// # Errors
    /// The `redriveStatusReason` of `DescribeExecution`.
    pub fn redrivable(&self, _now: UnixMillis) -> Result<(), &'static str> {
        Err("Execution is RUNNING and cannot be redriven")
    }

    /// Commands that are outstanding: after a crash a runner carries these out again. Tasks come with their progress.
    #[must_use]
    pub fn pending(&self) -> Vec<Command> {
        Vec::new()
    }
}
