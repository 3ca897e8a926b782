//! How a state fails, before it is known which event entered it.

use crate::error::{ErrorName, StateError};
use crate::facts::Unresolved;
use crate::intrinsic::CallFailure;
use crate::jsonata::QueryFailure;

/// The failure of a state, from evaluating its definition or from the outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    /// The cause gets the sentence that names the state and the event that entered it.
    pub(crate) names_state: bool,
    /// Neither Retry nor Catch sees it: the execution fails.
    pub(crate) fatal: bool,
    /// A heartbeat that stayed out also goes by `States.HeartbeatTimeout` in Retry and Catch.
    pub(crate) heartbeat: bool,
    /// A task failed, rather than the definition: `States.TaskFailed` matches it.
    pub(crate) of_task: bool,
    /// Where an expression failed; such a failure is recorded as `EvaluationFailed`.
    pub(crate) evaluation: Option<String>,
}

impl Failure {
    /// A failure with its error and cause as they are: from a task, a Fail state, a child.
    pub(crate) fn plain(error: Option<String>, cause: Option<String>) -> Self {
        Self { error, cause, names_state: false, fatal: false, heartbeat: false, of_task: false, evaluation: None }
    }

    /// A failure of the definition that no Retry or Catch sees.
    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        let plain = Self::plain(Some(ErrorName::Runtime.as_str().to_owned()), Some(cause.into()));
        Self { names_state: true, fatal: true, ..plain }
    }

    /// One of the language's own errors that Retry and Catch see.
    pub(crate) fn catchable(error: ErrorName, cause: impl Into<String>) -> Self {
        let plain = Self::plain(Some(error.as_str().to_owned()), Some(cause.into()));
        Self { names_state: true, ..plain }
    }

    /// Output that exceeds the payload quota. `what` is the state, the service, or the function.
    pub(crate) fn data_limit(what: &str) -> Self {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Self::plain(Some(ErrorName::DataLimitExceeded.as_str().to_owned()), Some(cause))
    }

    /// An expression of a JSONata state that failed.
    pub(crate) fn evaluation(source: &str, location: &str, reason: &Reason<'_>) -> Self {
        let sentence = format!("The JSONata expression '{source}' specified for the field '{location}'");
        let cause = match reason {
            Reason::Query(QueryFailure::Undefined) => format!("{sentence} returned nothing (undefined)."),
            // A coded message is a sentence of its own; a bound's message is not.
            Reason::Query(QueryFailure::Threw(message)) if is_coded(message) => {
                format!("{sentence} threw an error during evaluation. {message}")
            }
            Reason::Query(QueryFailure::Threw(message)) => {
                format!("{sentence} threw an error during evaluation: {message}")
            }
            Reason::Query(QueryFailure::NotJson(kind)) => {
                format!("{sentence} returned an unsupported result type '{kind}'.")
            }
            Reason::Type { expected, found } => format!(
                "{sentence} returned an unexpected result type. Expected '{expected}', but was '{}' for value: {found}",
                crate::json::type_name(found)
            ),
        };
        let failure = Self::catchable(ErrorName::QueryEvaluationError, cause);
        Self { evaluation: Some(location.to_owned()), ..failure }
    }

    /// A path in a payload template that matches nothing.
    pub(crate) fn template_path(unresolved: &Unresolved, field: &str) -> Self {
        let Unresolved { path, document, .. } = unresolved;
        Self::runtime(format!(
            "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{document}'"
        ))
    }

    /// An intrinsic function that failed.
    pub(crate) fn call(failure: &CallFailure, field: &str) -> Self {
        match failure {
            CallFailure::Path(unresolved) => Self::template_path(unresolved, field),
            CallFailure::Function { call, reason } => Self::catchable(
                ErrorName::IntrinsicFailure,
                format!("The function '{call}' had the following error: {reason}"),
            ),
        }
    }

    /// `InputPath` or `OutputPath` that matches nothing.
    pub(crate) fn path(unresolved: &Unresolved) -> Self {
        let Unresolved { path, step, .. } = unresolved;
        Self::runtime(format!("Invalid path '{path}' : No results for path: {step}"))
    }

    /// The error and cause without the sentence that names the state.
    pub(crate) fn bare(&self) -> StateError {
        StateError { error: self.error.clone(), cause: self.cause.clone() }
    }

    /// The error name, if it has one.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The error as the state machine and the history see it.
    pub(crate) fn to_error(&self, state: &str, entered_event: u64) -> StateError {
        let cause = self.cause.as_ref().map(|cause| {
            if self.names_state {
                format!(
                    "An error occurred while executing the state '{state}' (entered at the event id #{entered_event}). {cause}"
                )
            } else {
                cause.clone()
            }
        });
        StateError { error: self.error.clone(), cause }
    }
}

/// Why an expression failed.
pub(crate) enum Reason<'a> {
    /// It gave no value.
    Query(QueryFailure),
    /// Its value is not of the type the field takes.
    Type {
        /// The type the field takes.
        expected: &'static str,
        /// What it gave.
        found: &'a serde_json::Value,
    },
}

/// Whether a message begins with one of JSONata's codes: `T2001: ...`.
fn is_coded(message: &str) -> bool {
    let code = message.split(':').next().unwrap_or_default();
    code.len() == 5
        && code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.chars().skip(1).all(|c| c.is_ascii_digit())
}
