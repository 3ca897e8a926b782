//! What a state machine's Tasks may call directly: the services on the port, in their own process.
//!
//! Step Functions writes member names in Pascal case; DynamoDB, SQS, Secrets Manager and EventBridge do so on the wire too,
//! Step Functions' own API writes them in camel case.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use vodline_core::{Authorizer, AwsError, Entropy, Principal, Request};
use vodline_states::ServiceCaller;

use crate::gateway::Services;

/// Services a Task may name, by the name it uses, and the name on the port.
const SERVED: &[(&str, &str)] = &[
    ("dynamodb", "dynamodb"),
    ("sqs", "sqs"),
    ("secretsmanager", "secretsmanager"),
    ("eventbridge", "events"),
    ("sfn", "states"),
];

/// Calls services for state machines.
pub struct LocalServices {
    /// Set once all services exist; Step Functions is one of them.
    services: OnceLock<Services>,
    authorizer: Arc<dyn Authorizer>,
    entropy: Arc<dyn Entropy>,
}

impl LocalServices {
    /// Knows no service yet.
    pub fn new(authorizer: Arc<dyn Authorizer>, entropy: Arc<dyn Entropy>) -> Self {
        Self { services: OnceLock::new(), authorizer, entropy }
    }

    /// Makes the services known; only the first call counts.
    pub fn connect(&self, services: Services) {
        let _ = self.services.set(services);
    }
}

#[async_trait]
impl ServiceCaller for LocalServices {
    fn serves(&self, service: &str, _action: &str) -> bool {
        SERVED.iter().any(|(name, _)| *name == service)
    }

    async fn call(
        &self,
        principal: &Principal,
        service: &str,
        action: &str,
        arguments: Value,
    ) -> Result<Value, AwsError> {
        let operation = capitalised(action);
        let unsupported = || AwsError::unsupported_operation(service, &operation);
        let (_, port_name) = SERVED.iter().find(|(name, _)| *name == service).ok_or_else(unsupported)?;
        let target = self.services.get().and_then(|services| services.get(port_name)).ok_or_else(unsupported)?;
        let camel = *port_name == "states";
        let body = if camel { renamed(arguments, uncapitalised) } else { arguments };
        let answer = target
            .call(Request {
                operation,
                method: Method::POST,
                path: "/".into(),
                query: String::new(),
                headers: HeaderMap::new(),
                body: body.to_string().into(),
                principal: principal.clone(),
                request_id: self.entropy.uuid(),
                authorizer: Arc::clone(&self.authorizer),
            })
            .await?;
        if answer.body.is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let value = serde_json::from_slice(&answer.body).map_err(|error| AwsError::internal(error.to_string()))?;
        Ok(if camel { renamed(value, capitalised) } else { value })
    }
}

/// Renames every member at every depth.
fn renamed(value: Value, name: fn(&str) -> String) -> Value {
    match value {
        Value::Object(object) => {
            object.into_iter().map(|(key, value)| (name(&key), renamed(value, name))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(|item| renamed(item, name)).collect(),
        other => other,
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn uncapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
