//! `events:putEvents`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html>; the errors are as recorded.

use jiff::Timestamp;
use serde_json::{Value, json};
use vodline_core::{Event, Principal, StoreError};

use super::{Answer, TaskError, optimised_error};
use crate::{States, engine::TaskContext};

/// Most entries in one call.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>.
const ENTRIES_MAX: usize = 10;

/// One entry was refused.
struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn argument(name: &str, reason: &str) -> Self {
        Self { code: "InvalidArgument", message: format!("Parameter {name} is not valid. Reason: {reason}") }
    }
}

impl States {
    /// Puts events on the default bus, all in one commit.
    pub(super) fn put_events(
        &self,
        principal: &Principal,
        context: &TaskContext,
        arguments: &Value,
    ) -> Result<Answer, TaskError> {
        let bus = self.config.account.arn("events", "event-bus/default");
        self.config
            .authorizer
            .authorize(principal, "events:PutEvents", &bus)
            .map_err(|error| optimised_error("EventBridge", "AmazonEventBridge", &error))?;
        let entries = arguments.get("Entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() || entries.len() > ENTRIES_MAX {
            return Err(TaskError::new(
                "EventBridge.AmazonEventBridgeException",
                format!("Entries must hold 1 to {ENTRIES_MAX} entries"),
            ));
        }
        let read: Vec<Result<Event, Refusal>> = entries.iter().map(|entry| self.event(context, &bus, entry)).collect();
        self.engine
            .context()
            .store
            .write::<(), StoreError>(|transaction| {
                read.iter().flatten().try_for_each(|event| self.config.bus.enqueue(transaction, event))
            })
            .map_err(|error| {
                tracing::error!(error = ?error, "events of a task could not be stored");
                TaskError::new("EventBridge.InternalException", "the events could not be stored")
            })?;
        self.config.bus.wake();
        let answers: Vec<Value> = read
            .iter()
            .map(|entry| match entry {
                Ok(event) => json!({"EventId": event.id}),
                Err(Refusal { code, message }) => json!({"ErrorCode": code, "ErrorMessage": message}),
            })
            .collect();
        let failed = read.iter().filter(|entry| entry.is_err()).count();
        let output = json!({"Entries": answers, "FailedEntryCount": failed});
        if failed > 0 {
            return Err(TaskError { ran: true, ..TaskError::new("EventBridge.FailedEntry", output.to_string()) });
        }
        Ok(Answer::from(output))
    }

    fn event(&self, context: &TaskContext, bus: &str, entry: &Value) -> Result<Event, Refusal> {
        let mut source = None;
        let mut detail_type = None;
        let mut detail = None;
        let mut resources = Vec::new();
        let now = self.config.clock.now();
        let mut time = now;
        for (name, value) in entry.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("Source", Value::String(text)) if !text.is_empty() => source = Some(text.clone()),
                ("DetailType", Value::String(text)) if !text.is_empty() => detail_type = Some(text.clone()),
                ("Detail", value) => detail = Some(read_detail(value)?),
                ("Resources", Value::Array(items)) => {
                    resources.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                ("Time", Value::String(text)) => {
                    time = text.parse().map_err(|_| Refusal::argument("Time", "Time is not a timestamp."))?;
                }
                ("EventBusName", Value::String(name)) if name == "default" || name == bus => {}
                (name, _) => {
                    return Err(Refusal::argument(
                        name,
                        "the local home has no such event bus, or not this parameter.",
                    ));
                }
            }
        }
        let source = source.ok_or_else(|| Refusal::argument("Source", "Source is a required argument."))?;
        if source.starts_with("aws.") {
            return Err(Refusal {
                code: "NotAuthorizedForSourceException",
                message: "Not authorized for the source.".to_owned(),
            });
        }
        // AWS says by whom an event was put.
        resources.push(context.machine_arn.clone());
        resources.push(context.execution_arn.clone());
        Ok(Event {
            version: "0".to_owned(),
            id: self.config.entropy.uuid(),
            detail_type: detail_type
                .ok_or_else(|| Refusal::argument("DetailType", "DetailType is a required argument."))?,
            source,
            account: self.config.account.id.clone(),
            time: Timestamp::from_second(time.as_second()).unwrap_or(now),
            region: self.config.account.region.clone(),
            resources,
            detail: detail.ok_or_else(|| Refusal::argument("Detail", "Detail is a required argument."))?,
        })
    }
}

/// The detail is an object, or a string that holds one.
fn read_detail(value: &Value) -> Result<Value, Refusal> {
    let detail = match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        value => Some(value.clone()),
    };
    detail
        .filter(Value::is_object)
        .ok_or_else(|| Refusal { code: "MalformedDetail", message: "Detail is malformed.".to_owned() })
}
