//! The events of an execution's history, as `GetExecutionHistory` returns them.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html>.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::env::UnixMillis;
use crate::payload::Payload;

/// One event. Serialises to AWS's JSON: `timestamp`, `type`, `id`, `previousEventId`, and one `*EventDetails`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// When it happened.
    pub timestamp: UnixMillis,
    /// Its number within the execution, from 1.
    pub id: u64,
    /// The number of the event before it in the same branch; 0 for the first two events.
    pub previous_event_id: u64,
    /// What happened.
    pub event_type: EventType,
    /// The particulars.
    pub details: EventDetails,
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened, as AWS names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType { $($(#[$doc])* $name,)* }

        impl EventType {
            /// The name in AWS's JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

event_types! {
    /// An activity's worker reported failure.
    ActivityFailed,
    /// An activity waits for a worker.
    ActivityScheduled,
    /// An activity could not be scheduled.
    ActivityScheduleFailed,
    /// A worker took the activity.
    ActivityStarted,
    /// A worker reported success.
    ActivitySucceeded,
    /// An activity ran out of time.
    ActivityTimedOut,
    /// A Choice state was entered.
    ChoiceStateEntered,
    /// A Choice state was left.
    ChoiceStateExited,
    /// A `JSONata` expression failed.
    EvaluationFailed,
    /// The execution was stopped.
    ExecutionAborted,
    /// The execution failed.
    ExecutionFailed,
    /// The execution was redriven.
    ExecutionRedriven,
    /// The execution began.
    ExecutionStarted,
    /// The execution succeeded.
    ExecutionSucceeded,
    /// The execution ran out of time.
    ExecutionTimedOut,
    /// A Fail state was entered.
    FailStateEntered,
    /// A Lambda function failed.
    LambdaFunctionFailed,
    /// A Lambda function is to be invoked.
    LambdaFunctionScheduled,
    /// A Lambda function could not be scheduled.
    LambdaFunctionScheduleFailed,
    /// A Lambda function was invoked.
    LambdaFunctionStarted,
    /// A Lambda function could not be invoked.
    LambdaFunctionStartFailed,
    /// A Lambda function returned.
    LambdaFunctionSucceeded,
    /// A Lambda function ran out of time.
    LambdaFunctionTimedOut,
    /// An iteration of an inline Map was aborted.
    MapIterationAborted,
    /// An iteration of an inline Map failed.
    MapIterationFailed,
    /// An iteration of an inline Map began.
    MapIterationStarted,
    /// An iteration of an inline Map succeeded.
    MapIterationSucceeded,
    /// A Map Run was aborted.
    MapRunAborted,
    /// A Map Run failed.
    MapRunFailed,
    /// A Map Run was redriven.
    MapRunRedriven,
    /// A Map Run began.
    MapRunStarted,
    /// A Map Run succeeded.
    MapRunSucceeded,
    /// A Map state was aborted.
    MapStateAborted,
    /// A Map state was entered.
    MapStateEntered,
    /// A Map state was left.
    MapStateExited,
    /// A Map state failed.
    MapStateFailed,
    /// A Map state began its iterations.
    MapStateStarted,
    /// A Map state's iterations ended well.
    MapStateSucceeded,
    /// A Parallel state was aborted.
    ParallelStateAborted,
    /// A Parallel state was entered.
    ParallelStateEntered,
    /// A Parallel state was left.
    ParallelStateExited,
    /// A Parallel state failed.
    ParallelStateFailed,
    /// A Parallel state began its branches.
    ParallelStateStarted,
    /// A Parallel state's branches ended well.
    ParallelStateSucceeded,
    /// A Pass state was entered.
    PassStateEntered,
    /// A Pass state was left.
    PassStateExited,
    /// A Succeed state was entered.
    SucceedStateEntered,
    /// A Succeed state was left.
    SucceedStateExited,
    /// A service integration failed.
    TaskFailed,
    /// A service integration is to be called.
    TaskScheduled,
    /// A service integration was called.
    TaskStarted,
    /// A service integration could not be called.
    TaskStartFailed,
    /// A Task state was aborted.
    TaskStateAborted,
    /// A Task state was entered.
    TaskStateEntered,
    /// A Task state was left.
    TaskStateExited,
    /// A `.sync` or `.waitForTaskToken` call failed.
    TaskSubmitFailed,
    /// A `.sync` or `.waitForTaskToken` call was answered.
    TaskSubmitted,
    /// A service integration succeeded.
    TaskSucceeded,
    /// A service integration ran out of time.
    TaskTimedOut,
    /// A Wait state was aborted.
    WaitStateAborted,
    /// A Wait state was entered.
    WaitStateEntered,
    /// A Wait state was left.
    WaitStateExited,
}

/// The particulars of an event. One shape may serve several types; the key in JSON follows the type.
#[derive(Debug, Clone, PartialEq)]
pub enum EventDetails {
    /// Nothing but that it happened.
    None,
    /// `ExecutionStarted`.
    ExecutionStarted {
        /// The execution's input.
        input: Payload,
        /// The role the execution works under.
        role_arn: String,
        /// The alias it was started through.
        alias_arn: Option<String>,
        /// The version that runs.
        version_arn: Option<String>,
    },
    /// `ExecutionRedriven`.
    ExecutionRedriven {
        /// How often the execution has been redriven, this time included.
        redrive_count: u32,
    },
    /// Every `...StateEntered`.
    StateEntered {
        /// The state's name.
        name: String,
        /// Its raw input.
        input: Payload,
    },
    /// Every `...StateExited`.
    StateExited {
        /// The state's name.
        name: String,
        /// Its output; absent in a Fail state.
        output: Payload,
        /// What it assigned: variable name to JSON text.
        assigned_variables: BTreeMap<String, Payload>,
    },
    /// A result and nothing else: `ExecutionSucceeded`, `LambdaFunctionSucceeded`, `ActivitySucceeded`.
    Output {
        /// The result.
        output: Payload,
    },
    /// An error and nothing else: the failures, timeouts and abortions of executions, functions, activities, Map Runs.
    Error {
        /// The error name.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// `EvaluationFailed`.
    EvaluationFailed {
        /// The error name.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
        /// The field, with slashes between levels.
        location: Option<String>,
        /// The state's name.
        state: String,
    },
    /// `TaskScheduled`.
    TaskScheduled {
        /// The service.
        resource_type: String,
        /// The action with its pattern.
        resource: String,
        /// The region.
        region: String,
        /// The call's parameters.
        parameters: Payload,
        /// The state's timeout, in seconds.
        timeout_in_seconds: Option<u64>,
        /// The state's heartbeat, in seconds.
        heartbeat_in_seconds: Option<u64>,
        /// The role of `Credentials`.
        role_arn: Option<String>,
    },
    /// `TaskStarted`.
    TaskStarted {
        /// The service.
        resource_type: String,
        /// The action with its pattern.
        resource: String,
    },
    /// `TaskSubmitted` and `TaskSucceeded`.
    TaskOutput {
        /// The service.
        resource_type: String,
        /// The action with its pattern.
        resource: String,
        /// What was answered.
        output: Payload,
    },
    /// `TaskFailed`, `TaskStartFailed`, `TaskSubmitFailed` and `TaskTimedOut`.
    TaskError {
        /// The service.
        resource_type: String,
        /// The action with its pattern.
        resource: String,
        /// The error name.
        error: Option<String>,
        /// The reason.
        cause: Option<String>,
    },
    /// `LambdaFunctionScheduled`.
    LambdaFunctionScheduled {
        /// The function's ARN.
        resource: String,
        /// The function's input.
        input: Payload,
        /// The state's timeout, in seconds.
        timeout_in_seconds: Option<u64>,
        /// The role of `Credentials`.
        role_arn: Option<String>,
    },
    /// `ActivityScheduled`.
    ActivityScheduled {
        /// The activity's ARN.
        resource: String,
        /// The activity's input.
        input: Payload,
        /// The state's timeout, in seconds.
        timeout_in_seconds: Option<u64>,
        /// The state's heartbeat, in seconds.
        heartbeat_in_seconds: Option<u64>,
    },
    /// `ActivityStarted`.
    ActivityStarted {
        /// Who took it.
        worker_name: Option<String>,
    },
    /// `MapStateStarted`.
    MapStateStarted {
        /// How many items.
        length: u64,
    },
    /// `MapIterationStarted`, `MapIterationSucceeded`, `MapIterationFailed` and `MapIterationAborted`.
    MapIteration {
        /// The Map state's name.
        name: String,
        /// Which iteration, from 0.
        index: u64,
    },
    /// `MapRunStarted`.
    MapRunStarted {
        /// The run's ARN.
        map_run_arn: String,
    },
    /// `MapRunRedriven`.
    MapRunRedriven {
        /// The run's ARN.
        map_run_arn: String,
        /// How often the run has been redriven, this time included.
        redrive_count: u32,
    },
}

impl HistoryEvent {
    /// The same event as `GetExecutionHistory` shows it with `includeExecutionData` off: no input, output, parameters,
    /// error or cause texts beyond names.
    #[must_use]
    pub fn without_execution_data(&self) -> WithoutExecutionData<'_> {
        WithoutExecutionData(self)
    }

    fn serialize_with<S: Serializer>(&self, serializer: S, with_data: bool) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.timestamp.as_epoch_seconds())?;
        map.serialize_entry("type", self.event_type.as_str())?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("previousEventId", &self.previous_event_id)?;
        if !matches!(self.details, EventDetails::None) {
            let details = DetailsJson { details: &self.details, with_data };
            map.serialize_entry(&self.details_key(), &details)?;
        }
        map.end()
    }

    /// The key of the details: shared by all states for entering and leaving, else made from the type.
    fn details_key(&self) -> String {
        match self.details {
            EventDetails::StateEntered { .. } => "stateEnteredEventDetails".to_owned(),
            EventDetails::StateExited { .. } => "stateExitedEventDetails".to_owned(),
            _ => {
                let name = self.event_type.as_str();
                let (first, rest) = name.split_at(1);
                format!("{}{rest}EventDetails", first.to_ascii_lowercase())
            }
        }
    }
}

impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_with(serializer, true)
    }
}

/// A history event that serialises without execution data.
#[derive(Debug, Clone, Copy)]
pub struct WithoutExecutionData<'a>(&'a HistoryEvent);

impl Serialize for WithoutExecutionData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_with(serializer, false)
    }
}

/// `inputDetails`, `outputDetails`, `assignedVariablesDetails`. Truncation happens in CloudWatch logs only.
#[derive(Serialize)]
struct DataDetails {
    truncated: bool,
}

const DATA_DETAILS: DataDetails = DataDetails { truncated: false };

struct DetailsJson<'a> {
    details: &'a EventDetails,
    with_data: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskCredentials<'a> {
    role_arn: &'a str,
}

impl Serialize for DetailsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Details { map: serializer.serialize_map(None)?, with_data: self.with_data };
        match self.details {
            EventDetails::None => {}
            EventDetails::ExecutionStarted { input, role_arn, alias_arn, version_arn } => {
                out.data("input", "inputDetails", input)?;
                out.field("roleArn", role_arn)?;
                out.optional("stateMachineAliasArn", alias_arn.as_ref())?;
                out.optional("stateMachineVersionArn", version_arn.as_ref())?;
            }
            EventDetails::ExecutionRedriven { redrive_count } => out.field("redriveCount", redrive_count)?,
            EventDetails::StateEntered { name, input } => {
                out.field("name", name)?;
                out.data("input", "inputDetails", input)?;
            }
            EventDetails::StateExited { name, output, assigned_variables } => {
                out.field("name", name)?;
                out.data("output", "outputDetails", output)?;
                if !assigned_variables.is_empty() {
                    out.data("assignedVariables", "assignedVariablesDetails", assigned_variables)?;
                }
            }
            EventDetails::Output { output } => out.data("output", "outputDetails", output)?,
            EventDetails::Error { error, cause } => out.error(error.as_ref(), cause.as_ref())?,
            EventDetails::EvaluationFailed { error, cause, location, state } => {
                out.error(error.as_ref(), cause.as_ref())?;
                out.optional("location", location.as_ref())?;
                out.field("state", state)?;
            }
            EventDetails::TaskScheduled {
                resource_type,
                resource,
                region,
                parameters,
                timeout_in_seconds,
                heartbeat_in_seconds,
                role_arn,
            } => {
                out.resource(resource_type, resource)?;
                out.field("region", region)?;
                if out.with_data {
                    out.field("parameters", parameters)?;
                }
                out.optional("timeoutInSeconds", timeout_in_seconds.as_ref())?;
                out.optional("heartbeatInSeconds", heartbeat_in_seconds.as_ref())?;
                out.credentials(role_arn.as_deref())?;
            }
            EventDetails::TaskStarted { resource_type, resource } => out.resource(resource_type, resource)?,
            EventDetails::TaskOutput { resource_type, resource, output } => {
                out.resource(resource_type, resource)?;
                out.data("output", "outputDetails", output)?;
            }
            EventDetails::TaskError { resource_type, resource, error, cause } => {
                out.resource(resource_type, resource)?;
                out.error(error.as_ref(), cause.as_ref())?;
            }
            EventDetails::LambdaFunctionScheduled { resource, input, timeout_in_seconds, role_arn } => {
                out.field("resource", resource)?;
                out.data("input", "inputDetails", input)?;
                out.optional("timeoutInSeconds", timeout_in_seconds.as_ref())?;
                out.credentials(role_arn.as_deref())?;
            }
            EventDetails::ActivityScheduled { resource, input, timeout_in_seconds, heartbeat_in_seconds } => {
                out.field("resource", resource)?;
                out.data("input", "inputDetails", input)?;
                out.optional("timeoutInSeconds", timeout_in_seconds.as_ref())?;
                out.optional("heartbeatInSeconds", heartbeat_in_seconds.as_ref())?;
            }
            EventDetails::ActivityStarted { worker_name } => out.optional("workerName", worker_name.as_ref())?,
            EventDetails::MapStateStarted { length } => out.field("length", length)?,
            EventDetails::MapIteration { name, index } => {
                out.field("name", name)?;
                out.field("index", index)?;
            }
            EventDetails::MapRunStarted { map_run_arn } => out.field("mapRunArn", map_run_arn)?,
            EventDetails::MapRunRedriven { map_run_arn, redrive_count } => {
                out.field("mapRunArn", map_run_arn)?;
                out.field("redriveCount", redrive_count)?;
            }
        }
        out.map.end()
    }
}

struct Details<M> {
    map: M,
    with_data: bool,
}

impl<M: SerializeMap> Details<M> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), M::Error> {
        self.map.serialize_entry(key, value)
    }

    fn optional<T: Serialize>(&mut self, key: &str, value: Option<&T>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.field(key, value))
    }

    fn data<T: Serialize>(&mut self, key: &str, details_key: &str, value: &T) -> Result<(), M::Error> {
        if self.with_data {
            self.field(key, value)?;
        }
        self.field(details_key, &DATA_DETAILS)
    }

    fn error(&mut self, error: Option<&String>, cause: Option<&String>) -> Result<(), M::Error> {
        self.optional("error", error)?;
        self.optional("cause", cause)
    }

    fn resource(&mut self, resource_type: &str, resource: &str) -> Result<(), M::Error> {
        self.field("resourceType", resource_type)?;
        self.field("resource", resource)
    }

    fn credentials(&mut self, role_arn: Option<&str>) -> Result<(), M::Error> {
        role_arn.map_or(Ok(()), |role_arn| self.field("taskCredentials", &TaskCredentials { role_arn }))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn serialises_as_aws_does() {
        let event = HistoryEvent {
            timestamp: UnixMillis(1_732_307_040_123),
            id: 2,
            previous_event_id: 0,
            event_type: EventType::PassStateEntered,
            details: EventDetails::StateEntered { name: "First".into(), input: Payload::parse("{\"a\": 1}").unwrap() },
        };
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            json!({
                "timestamp": 1_732_307_040.123, "type": "PassStateEntered", "id": 2, "previousEventId": 0,
                "stateEnteredEventDetails": {"name": "First", "input": "{\"a\": 1}", "inputDetails": {"truncated": false}},
            })
        );
        assert_eq!(
            serde_json::to_value(event.without_execution_data()).unwrap()["stateEnteredEventDetails"],
            json!({"name": "First", "inputDetails": {"truncated": false}})
        );
    }

    #[test]
    fn details_key_follows_the_type() {
        let event = HistoryEvent {
            timestamp: UnixMillis(0),
            id: 9,
            previous_event_id: 8,
            event_type: EventType::LambdaFunctionTimedOut,
            details: EventDetails::Error { error: Some("States.Timeout".into()), cause: None },
        };
        assert_eq!(
            serde_json::to_value(&event).unwrap()["lambdaFunctionTimedOutEventDetails"],
            json!({"error": "States.Timeout"})
        );
    }
}
