//! Errors a state machine can see.

use serde::{Deserialize, Serialize};

/// The error names the language reserves.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorName {
    /// Any error but the data limit and runtime ones.
    All,
    /// A Parallel state's branch failed.
    BranchFailed,
    /// A payload exceeded its quota. Nothing catches it but itself by name.
    DataLimitExceeded,
    /// A Map state's tolerated failures were exceeded.
    ExceedToleratedFailureThreshold,
    /// A task did not send a heartbeat in time.
    HeartbeatTimeout,
    /// An activity or HTTP task failed.
    HttpSocket,
    /// An intrinsic function got arguments it cannot work on.
    IntrinsicFailure,
    /// An `ItemReader` failed.
    ItemReaderFailed,
    /// No rule of a Choice state matched, and it has no `Default`.
    NoChoiceMatched,
    /// A payload template could not be built from the input.
    ParameterPathFailure,
    /// The role may not do what a task asks.
    Permissions,
    /// A JSONata expression failed.
    QueryEvaluationError,
    /// A result could not be put at its `ResultPath`.
    ResultPathMatchFailure,
    /// A `ResultWriter` failed.
    ResultWriterFailed,
    /// The execution cannot go on: a path that matches nothing, a definition that contradicts itself.
    Runtime,
    /// Any failure of a task but a timeout.
    TaskFailed,
    /// A task or the execution took too long.
    Timeout,
}

impl ErrorName {
    /// The name as definitions and histories write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "States.ALL",
            Self::BranchFailed => "States.BranchFailed",
            Self::DataLimitExceeded => "States.DataLimitExceeded",
            Self::ExceedToleratedFailureThreshold => "States.ExceedToleratedFailureThreshold",
            Self::HeartbeatTimeout => "States.HeartbeatTimeout",
            Self::HttpSocket => "States.Http.Socket",
            Self::IntrinsicFailure => "States.IntrinsicFailure",
            Self::ItemReaderFailed => "States.ItemReaderFailed",
            Self::NoChoiceMatched => "States.NoChoiceMatched",
            Self::ParameterPathFailure => "States.ParameterPathFailure",
            Self::Permissions => "States.Permissions",
            Self::QueryEvaluationError => "States.QueryEvaluationError",
            Self::ResultPathMatchFailure => "States.ResultPathMatchFailure",
            Self::ResultWriterFailed => "States.ResultWriterFailed",
            Self::Runtime => "States.Runtime",
            Self::TaskFailed => "States.TaskFailed",
            Self::Timeout => "States.Timeout",
        }
    }
}

/// An error as a state machine sees it: what `ErrorEquals` matches and what a Catch hands on.
///
/// Either part may be absent: a Fail state need not name its error, and a stopped execution need not say why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateError {
    /// The error name, for example `States.Timeout` or `Vod.ContractViolation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The reason in words, or JSON in a string where a Lambda function failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl StateError {
    /// One of the language's own errors with its cause.
    #[must_use]
    pub fn new(error: ErrorName, cause: impl Into<String>) -> Self {
        Self { error: Some(error.as_str().to_owned()), cause: Some(cause.into()) }
    }
}
