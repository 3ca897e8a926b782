//! What Task states run.

mod events;
mod lambda;
mod nested;
mod service;

use std::time::Duration;

use serde_json::{Value, json};
use vodline_asl::{IntegrationPattern, Payload, Resource, ScheduleTask};
use vodline_core::{AwsError, Principal};

use crate::{
    ServiceCaller, States,
    engine::{Child, TaskContext},
};

pub(crate) use nested::{envelope, name_for};

/// A service call that takes longer than this failed.
const SERVICE_CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What a task's call came to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The task's result, or for a task that goes on elsewhere what the handing over was answered with.
    pub(crate) output: Payload,
    /// The nested execution to wait for.
    pub(crate) child: Option<Child>,
}

impl From<Value> for Answer {
    fn from(output: Value) -> Self {
        Self { output: Payload::from(output), child: None }
    }
}

/// A task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskError {
    /// What `ErrorEquals` is matched against.
    pub(crate) error: String,
    /// Why.
    pub(crate) cause: String,
    /// The call itself worked, and what it called failed.
    pub(crate) ran: bool,
}

impl TaskError {
    fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into(), ran: false }
    }

    /// The task uses something the home does not serve.
    fn unsupported(what: &str) -> Self {
        Self::new("States.Runtime", format!("the local home does not support {what}"))
    }
}

/// Whether the home can run a resource.
pub(crate) fn supported(services: &dyn ServiceCaller, resource: &Resource) -> bool {
    use IntegrationPattern::{RequestResponse, Sync, Sync2, WaitForTaskToken};
    let Resource::Service(service) = resource else { return true };
    match (service.service.as_str(), service.action.as_str(), service.pattern) {
        ("lambda", "invoke", RequestResponse | WaitForTaskToken)
        | ("states", "startExecution", _)
        | ("events", "putEvents", RequestResponse | WaitForTaskToken) => true,
        ("dynamodb", action @ ("getItem" | "putItem" | "updateItem" | "deleteItem"), RequestResponse) => {
            services.serves("dynamodb", action)
        }
        ("sqs", "sendMessage", RequestResponse | WaitForTaskToken) => services.serves("sqs", "sendMessage"),
        (sdk, action, RequestResponse | WaitForTaskToken) => {
            sdk.strip_prefix("aws-sdk:").is_some_and(|service| services.serves(service, action))
        }
        (_, _, Sync | Sync2) => false,
    }
}

impl States {
    /// Makes the call of a task and waits for its answer.
    pub(crate) async fn call_task(&self, context: &TaskContext, task: &ScheduleTask) -> Result<Answer, TaskError> {
        let role_arn = task.role_arn.as_deref().unwrap_or(&context.role_arn);
        let principal = Principal::Role(role_arn.to_owned());
        match &task.resource {
            Resource::Lambda { function_arn } => self.run_function(&principal, function_arn, &task.arguments).await,
            Resource::Activity { .. } => Err(TaskError::unsupported("calling an activity")),
            Resource::Service(service) => {
                let arguments = task.arguments.value();
                match (service.service.as_str(), service.action.as_str()) {
                    ("lambda", "invoke") => self.invoke(&principal, arguments).await,
                    ("states", "startExecution") => self.start_nested(&principal, context, task, service.pattern).await,
                    ("events", "putEvents") => self.put_events(&principal, context, arguments),
                    _ => self.call_service(&principal, service, arguments).await,
                }
            }
        }
    }
}

/// How an optimised integration words an error of its service's API. `service` is the service's name in error names,
/// `client` its name in the Java SDK, whose exceptions AWS shows.
fn optimised_error(service: &str, client: &str, error: &AwsError) -> TaskError {
    let name = if is_unmodelled(&error.code) { format!("{client}Exception") } else { exception_name(&error.code) };
    let AwsError { status, code, message, .. } = error;
    TaskError::new(
        format!("{service}.{name}"),
        format!(
            "{message} (Service: {client}; Status Code: {}; Error Code: {code}; Request ID: {NO_REQUEST_ID}; Proxy: null)",
            status.as_u16()
        ),
    )
}

/// In-process calls have no request id of their own.
const NO_REQUEST_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Errors every service may answer with have no exception class of their own.
fn is_unmodelled(code: &str) -> bool {
    matches!(code, "ValidationException" | "AccessDeniedException" | "SerializationException" | "NotImplemented")
}

/// The SDK's class for an error.
fn exception_name(code: &str) -> String {
    if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") }
}

/// Adds what optimised integrations tell of the HTTP exchange.
fn with_sdk_metadata(mut output: Value, content_type: &str, body_bytes: usize) -> Value {
    let length = body_bytes.to_string();
    if let Value::Object(members) = &mut output {
        members.insert(
            "SdkHttpMetadata".to_owned(),
            json!({
                "AllHttpHeaders": {
                    "x-amzn-RequestId": [NO_REQUEST_ID],
                    "Content-Length": [length],
                    "Content-Type": [content_type],
                },
                "HttpHeaders": {
                    "Content-Length": length,
                    "Content-Type": content_type,
                    "x-amzn-RequestId": NO_REQUEST_ID,
                },
                "HttpStatusCode": 200,
            }),
        );
        members.insert("SdkResponseMetadata".to_owned(), json!({"RequestId": NO_REQUEST_ID}));
        // AWS writes these objects with their keys in order.
        members.sort_keys();
    }
    output
}
