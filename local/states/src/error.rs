//! Errors: the crate's own, and AWS's with the messages AWS gives them.

use vodline_core::{AwsError, StoreError};

/// Step Functions cannot be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("step functions cannot use its store")]
    Store(#[from] StoreError),
    /// A thread could not be started.
    #[error("step functions cannot start its threads")]
    Thread(#[source] std::io::Error),
    /// A stored row holds what this version cannot read.
    #[error("a stored {what} cannot be read")]
    Snapshot {
        /// What it is: an execution, a definition.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> Self {
        tracing::error!(error = ?error, "step functions failed inside");
        Self::internal("step functions failed inside; the home's log says why")
    }
}

/// The shapes of AWS's errors. Names and meaning:
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html>.
macro_rules! aws_errors {
    ($($(#[$doc:meta])* $function:ident($code:literal, $message:literal);)*) => {
        $($(#[$doc])*
        pub(crate) fn $function(what: &str) -> AwsError {
            AwsError::bad_request($code, format!(concat!($message, ": '{}'"), what))
        })*
    };
}

aws_errors! {
    activity_does_not_exist("ActivityDoesNotExist", "Activity Does Not Exist");
    conflict("ConflictException", "Conflict");
    execution_already_exists("ExecutionAlreadyExists", "Execution Already Exists");
    execution_does_not_exist("ExecutionDoesNotExist", "Execution Does Not Exist");
    execution_not_redrivable("ExecutionNotRedrivable", "Execution Not Redrivable");
    invalid_arn("InvalidArn", "Invalid Arn");
    invalid_definition("InvalidDefinition", "Invalid State Machine Definition");
    invalid_execution_input("InvalidExecutionInput", "Invalid State Machine Execution Input");
    invalid_name("InvalidName", "Invalid Name");
    invalid_output("InvalidOutput", "Invalid Output");
    invalid_token("InvalidToken", "Invalid Token");
    resource_not_found("ResourceNotFound", "Resource not found");
    state_machine_already_exists("StateMachineAlreadyExists", "State Machine Already Exists");
    state_machine_does_not_exist("StateMachineDoesNotExist", "State Machine Does Not Exist");
    state_machine_type_not_supported("StateMachineTypeNotSupported", "State Machine Type Not Supported");
    task_timed_out("TaskTimedOut", "Task Timed Out");
    too_many_tags("TooManyTags", "Too Many Tags");
}

/// A call's parameters break a rule that no narrower error names.
pub(crate) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

/// One constraint of the service's model is broken; in the words all AWS services share.
pub(crate) fn constraint(value: impl std::fmt::Display, member: &str, rule: &str) -> AwsError {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// A required member is absent.
pub(crate) fn missing(member: &str) -> AwsError {
    validation(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

/// A token that nothing gave out.
pub(crate) fn unknown_token() -> AwsError {
    invalid_token("Invalid token")
}

/// A token whose task has ended.
pub(crate) fn closed_token() -> AwsError {
    task_timed_out("Provided task does not exist anymore")
}
