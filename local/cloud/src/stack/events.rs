//! What sets functions and state machines off: SAM's `Events`, and the APIs and buses they belong to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vodline_events::{DeadLetterConfig, InputTransformer, RetryPolicy, RuleSpec, TargetSpec};

use super::{Builder, Resource, StackError};
use crate::{http_api::Route, template::Attributes};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Trigger {
    r#type: String,
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventBridgeRule {
    pattern: Value,
    #[serde(default)]
    event_bus_name: Option<String>,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    input_path: Option<String>,
    #[serde(default)]
    input_transformer: Option<InputTransformer>,
    #[serde(default)]
    retry_policy: Option<RetryPolicy>,
    #[serde(default)]
    dead_letter_config: Option<DeadLetterConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HttpApiRoute {
    api_id: String,
    method: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventBus {
    name: String,
}

impl Builder<'_> {
    pub(super) fn event_bus(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let bus: EventBus = resource.decode()?;
        self.services.events.define_bus(&bus.name).map_err(resource.refused())?;
        let arn = self.setting.account.arn("events", &format!("event-bus/{}", bus.name));
        Ok(Attributes::new(&bus.name).with("Arn", arn).with("Name", &bus.name))
    }

    /// The API's id looks like AWS's (ten letters and digits) and is the same at every start.
    pub(super) fn http_api(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        if let Some(name) = resource.properties.as_object().and_then(|properties| properties.keys().next()) {
            return Err(resource.error(&format!("Properties.{name}"), "the local home does not support this property"));
        }
        let hash = Sha256::digest(format!("{}/{}", self.setting.name, resource.id));
        let id = hex::encode(&hash[..5]);
        let region = &self.setting.account.region;
        Ok(Attributes::new(&id).with("ApiEndpoint", format!("https://{id}.execute-api.{region}.amazonaws.com")))
    }

    /// Connects what sets this resource off, and remembers the rules and routes that the template has.
    pub(super) fn connect(&mut self, id: &str) -> Result<(), StackError> {
        let Some(resource) = self.resource(id)? else { return Ok(()) };
        if !matches!(resource.kind, "AWS::Serverless::Function" | "AWS::Serverless::StateMachine") {
            return Ok(());
        }
        let Some(triggers) = resource.properties.get("Events") else { return Ok(()) };
        let triggers: BTreeMap<String, Trigger> =
            BTreeMap::deserialize(triggers).map_err(|error| resource.error("Properties.Events", error.to_string()))?;
        let arn = self.evaluator.resources[id].attributes["Arn"].clone();
        for (name, trigger) in triggers {
            let below = format!("Properties.Events.{name}");
            match trigger.r#type.as_str() {
                "EventBridgeRule" => {
                    let rule = EventBridgeRule::deserialize(&trigger.properties)
                        .map_err(|error| resource.error(&below, error.to_string()))?;
                    let spec = self.rule(&resource, &name, rule, &arn)?;
                    self.services.events.define_rule(&spec).map_err(resource.refused())?;
                    self.rules.push(spec.name);
                }
                "HttpApi" => {
                    let route = HttpApiRoute::deserialize(&trigger.properties)
                        .map_err(|error| resource.error(&below, error.to_string()))?;
                    self.routes.entry(route.api_id).or_default().push(Route {
                        method: route.method.to_uppercase(),
                        path: route.path,
                        function_arn: arn.clone(),
                    });
                }
                other => {
                    return Err(
                        resource.error(&below, format!("the local home does not support events of type {other}"))
                    );
                }
            }
        }
        Ok(())
    }

    /// SAM names a rule after the resource and the event.
    fn rule(
        &self,
        resource: &Resource<'_>,
        event: &str,
        rule: EventBridgeRule,
        target_arn: &str,
    ) -> Result<RuleSpec, StackError> {
        // SAM makes a role that may start the machine; functions let EventBridge invoke them.
        let mut role_arn = None;
        if resource.kind == "AWS::Serverless::StateMachine" {
            let name = format!("role/{}-{}{event}Role", self.setting.name, resource.id);
            let arn = self.setting.account.global_arn("iam", &name);
            let statement = json!({ "Effect": "Allow", "Action": "states:StartExecution", "Resource": target_arn });
            self.services.iam.define_role(&arn, &[json!({ "Statement": statement })])?;
            role_arn = Some(arn);
        }
        Ok(RuleSpec {
            name: format!("{}-{}{event}", self.setting.name, resource.id),
            bus: rule.event_bus_name.unwrap_or_default(),
            pattern: rule.pattern.to_string(),
            targets: vec![TargetSpec {
                id: format!("{}{event}", resource.id),
                arn: target_arn.to_owned(),
                role_arn,
                input: rule.input,
                input_path: rule.input_path,
                input_transformer: rule.input_transformer,
                retry_policy: rule.retry_policy,
                dead_letter_config: rule.dead_letter_config,
            }],
            ..RuleSpec::default()
        })
    }

    /// Puts the routes in place, and removes rules of an earlier template that this one does not have.
    pub(super) fn settle_triggers(&mut self) -> Result<(), StackError> {
        for (api_id, routes) in std::mem::take(&mut self.routes) {
            self.services.http_apis.define(&api_id, routes);
        }
        let defined: Vec<(&str, &str)> =
            self.rules.iter().map(|name| (vodline_events::DEFAULT_BUS, name.as_str())).collect();
        self.services.events.forget_rules_except(&defined).map_err(|source| StackError::Refused {
            logical_id: "(rules of an earlier template)".into(),
            kind: "AWS::Events::Rule".into(),
            source,
        })
    }
}
