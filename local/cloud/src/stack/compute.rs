//! Roles, functions, state machines.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};
use vodline_asl::ExecutionKind;
use vodline_lambda::FunctionSpec;
use vodline_states::MachineSpec;

use super::{Builder, Resource, StackError};
use crate::template::Attributes;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Role {
    role_name: String,
    /// Only AWS services assume roles here, and they are this process.
    #[serde(rename = "AssumeRolePolicyDocument")]
    _trust: IgnoredAny,
    #[serde(default)]
    policies: Vec<InlinePolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct InlinePolicy {
    #[serde(rename = "PolicyName")]
    _name: String,
    policy_document: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Function {
    function_name: String,
    memory_size: u32,
    timeout: u64,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    policies: Vec<Value>,
    /// Connected once everything exists.
    #[serde(default, rename = "Events")]
    _events: Option<IgnoredAny>,
    // How SAM builds and AWS runs the program; here it is built already and simply run.
    #[serde(rename = "CodeUri")]
    _code: IgnoredAny,
    #[serde(rename = "Runtime")]
    _runtime: IgnoredAny,
    #[serde(rename = "Handler")]
    _handler: IgnoredAny,
    #[serde(rename = "Architectures")]
    _architectures: IgnoredAny,
    #[serde(default, rename = "Tracing")]
    _tracing: Option<IgnoredAny>,
    #[serde(default, rename = "LoggingConfig")]
    logging: Logging,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Logging {
    #[serde(default)]
    log_format: Option<String>,
    #[serde(default)]
    application_log_level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StateMachine {
    name: String,
    #[serde(default)]
    r#type: Option<String>,
    definition_uri: String,
    #[serde(default)]
    definition_substitutions: BTreeMap<String, String>,
    #[serde(default)]
    policies: Vec<Value>,
    #[serde(default, rename = "Events")]
    _events: Option<IgnoredAny>,
    #[serde(default, rename = "Tracing")]
    _tracing: Option<IgnoredAny>,
}

impl Builder<'_> {
    pub(super) fn role(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let role: Role = resource.decode()?;
        let arn = self.setting.account.global_arn("iam", &format!("role/{}", role.role_name));
        let documents: Vec<Value> = role.policies.into_iter().map(|policy| policy.policy_document).collect();
        self.services.iam.define_role(&arn, &documents)?;
        Ok(Attributes::new(&role.role_name).with("Arn", arn))
    }

    /// The role that SAM makes for a function or a state machine: `<stack>-<logicalId>Role`.
    fn implicit_role(&self, resource: &Resource<'_>, documents: &[Value]) -> Result<String, StackError> {
        let arn = self.setting.account.global_arn("iam", &format!("role/{}-{}Role", self.setting.name, resource.id));
        if let Some(named) = documents.iter().find_map(Value::as_str) {
            let message =
                format!("the local home knows no managed policy or policy template {named}; write its statements");
            return Err(resource.error("Properties.Policies", message));
        }
        self.services.iam.define_role(&arn, documents)?;
        Ok(arn)
    }

    pub(super) fn function(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let mut resource =
            Resource { properties: resource.properties.clone(), metadata: resource.metadata.clone(), ..*resource };
        let globals = self.evaluator.evaluate(&self.setting.template.function_globals, "Globals.Function")?;
        resource.properties = merged(&globals, &resource.properties);
        let function: Function = resource.decode()?;
        let binary = resource.metadata["BuildProperties"]["Binary"]
            .as_str()
            .ok_or_else(|| resource.error("Metadata.BuildProperties.Binary", "must name the function's program"))?;
        let role_arn = self.implicit_role(&resource, &function.policies)?;
        let mut environment = function.environment.variables;
        // What Lambda sets for a function with LoggingConfig.
        if let Some(format) = function.logging.log_format {
            environment.insert("AWS_LAMBDA_LOG_FORMAT".into(), format);
        }
        if let Some(level) = function.logging.application_log_level {
            environment.insert("AWS_LAMBDA_LOG_LEVEL".into(), level);
        }
        let spec = FunctionSpec {
            timeout: std::time::Duration::from_secs(function.timeout),
            memory_mb: function.memory_size,
            environment,
            ..FunctionSpec::new(function.function_name.clone(), binary, role_arn)
        };
        let arn = self.setting.account.arn("lambda", &format!("function:{}", function.function_name));
        self.services.lambda.define_function(spec).map_err(resource.refused())?;
        Ok(Attributes::new(&function.function_name).with("Arn", arn))
    }

    pub(super) fn state_machine(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let machine: StateMachine = resource.decode()?;
        let role_arn = self.implicit_role(resource, &machine.policies)?;
        let path = self.setting.template.folder().join(&machine.definition_uri);
        let definition = std::fs::read_to_string(&path).map_err(|source| StackError::File {
            logical_id: resource.id.into(),
            path,
            source,
        })?;
        let definition = substituted(&definition, &machine.definition_substitutions).map_err(|name| {
            resource.error(
                "Properties.DefinitionSubstitutions",
                format!("the definition uses ${{{name}}}, which is not given"),
            )
        })?;
        let kind = match machine.r#type.as_deref() {
            None | Some("STANDARD") => ExecutionKind::Standard,
            Some("EXPRESS") => ExecutionKind::Express,
            Some(other) => {
                return Err(resource.error("Properties.Type", format!("{other} is neither STANDARD nor EXPRESS")));
            }
        };
        let spec = MachineSpec {
            name: machine.name.clone(),
            definition,
            role_arn,
            kind,
            tags: Vec::new(),
            auto_publish_alias: None,
        };
        let arn = self.services.states.define_state_machine(&spec).map_err(resource.refused())?;
        Ok(Attributes::new(&arn).with("Arn", &arn).with("Name", machine.name))
    }
}

/// SAM's way of inheriting: mappings are merged, lists are joined, anything else is replaced.
fn merged(global: &Value, own: &Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) => {
            let mut result: Map<String, Value> = global.clone();
            for (key, value) in own {
                let value = result.get(key).map_or_else(|| value.clone(), |inherited| merged(inherited, value));
                result.insert(key.clone(), value);
            }
            Value::Object(result)
        }
        (Value::Array(global), Value::Array(own)) => global.iter().chain(own).cloned().collect(),
        (_, own) => own.clone(),
    }
}

/// Replaces every `${Name}` of a definition.
fn substituted(definition: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut result = String::with_capacity(definition.len());
    let mut rest = definition;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let (name, tail) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        result.push_str(values.get(name).ok_or_else(|| name.to_owned())?);
        rest = tail;
    }
    Ok(result + rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_inherit_as_sam_lets_them() {
        let global = json!({ "Timeout": 30, "Environment": { "Variables": { "A": "1" } }, "Layers": ["x"] });
        let own = json!({ "Timeout": 60, "Environment": { "Variables": { "B": "2" } }, "Layers": ["y"] });
        let expected =
            json!({ "Timeout": 60, "Environment": { "Variables": { "A": "1", "B": "2" } }, "Layers": ["x", "y"] });
        assert_eq!(merged(&global, &own), expected);
    }

    #[test]
    fn a_definition_names_only_what_it_is_given() {
        let values = BTreeMap::from([("F".to_owned(), "arn:f".to_owned())]);
        assert_eq!(substituted("a ${F} b ${F}", &values), Ok("a arn:f b arn:f".into()));
        assert_eq!(substituted("${G}", &values), Err("G".into()));
    }
}
