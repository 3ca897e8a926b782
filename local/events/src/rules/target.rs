//! Targets: where a rule sends what it takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vodline_core::{Arn, AwsError};

use super::validation;
use crate::transform::{Input, InputTransformer, JsonPath, Template};

/// Source of the limits and defaults: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>.
const RETRY_ATTEMPTS_MAX: u32 = 185;
const EVENT_AGE_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// A target, as the API and CloudFormation write it. Targets of other kinds have further members, which are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TargetSpec {
    /// Names it within its rule.
    pub id: String,
    /// A Lambda function, a state machine or an SQS queue.
    pub arn: String,
    /// The role that EventBridge acts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// JSON to send instead of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The part of the event to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path: Option<String>,
    /// How to make what is sent of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_transformer: Option<InputTransformer>,
    /// How long to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// Where to put what could not be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_config: Option<DeadLetterConfig>,
}

/// How long a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts after the first, up to 185.
    #[serde(default = "retry_attempts_default")]
    pub maximum_retry_attempts: u32,
    /// Seconds, from a minute to a day.
    #[serde(default = "event_age_default")]
    pub maximum_event_age_in_seconds: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { maximum_retry_attempts: RETRY_ATTEMPTS_MAX, maximum_event_age_in_seconds: *EVENT_AGE_S.end() }
    }
}

fn retry_attempts_default() -> u32 {
    RETRY_ATTEMPTS_MAX
}

fn event_age_default() -> u32 {
    *EVENT_AGE_S.end()
}

/// Where to put what could not be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeadLetterConfig {
    /// A standard SQS queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
}

/// What kind of thing a target is, by its ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Function,
    StateMachine,
    Queue,
}

impl TargetKind {
    pub(crate) fn of(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn)?;
        match arn.service {
            "lambda" if arn.resource.starts_with("function:") => Some(Self::Function),
            "states" if arn.resource.starts_with("stateMachine:") => Some(Self::StateMachine),
            "sqs" if !arn.resource.is_empty() && !arn.resource.ends_with(".fifo") => Some(Self::Queue),
            _ => None,
        }
    }
}

/// A target ready to be delivered to.
#[derive(Clone, Debug)]
pub(crate) struct CompiledTarget {
    pub(crate) spec: TargetSpec,
    pub(crate) kind: TargetKind,
    pub(crate) input: Input,
}

impl CompiledTarget {
    /// Compiles a target.
    ///
    /// # Errors
    /// What EventBridge refuses in its words, or a kind of target that the home does not serve.
    pub(crate) fn new(spec: TargetSpec) -> Result<Self, AwsError> {
        let id = &spec.id;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            return Err(validation(format!(
                "Value '{id}' at 'targets.id' failed to satisfy constraint: [\\.\\-_A-Za-z0-9]+"
            )));
        }
        if Arn::parse(&spec.arn).is_none() {
            return Err(validation(format!(
                "Parameter {} is not valid. Reason: Provided Arn is not in correct format.",
                spec.arn
            )));
        }
        let kind = TargetKind::of(&spec.arn).ok_or_else(|| {
            AwsError::unsupported_field("events", "PutTargets", &format!("Targets[].Arn of the kind of {}", spec.arn))
        })?;
        if let Some(RetryPolicy { maximum_retry_attempts, maximum_event_age_in_seconds }) = spec.retry_policy
            && (maximum_retry_attempts > RETRY_ATTEMPTS_MAX || !EVENT_AGE_S.contains(&maximum_event_age_in_seconds))
        {
            return Err(validation(format!(
                "RetryPolicy for target {id} must have MaximumRetryAttempts from 0 to {RETRY_ATTEMPTS_MAX} and \
                 MaximumEventAgeInSeconds from {} to {}.",
                EVENT_AGE_S.start(),
                EVENT_AGE_S.end()
            )));
        }
        if let Some(arn) = spec.dead_letter_config.as_ref().and_then(|config| config.arn.as_deref())
            && TargetKind::of(arn) != Some(TargetKind::Queue)
        {
            return Err(validation(format!(
                "DeadLetterConfig for target {id} is not the ARN of a standard SQS queue."
            )));
        }
        let input = match (&spec.input, &spec.input_path, &spec.input_transformer) {
            (None, None, None) => Input::Event,
            (Some(text), None, None) => {
                serde_json::from_str::<Value>(text)
                    .map_err(|_| validation(format!("JSON syntax error in input for target {id}.")))?;
                Input::Constant(text.clone())
            }
            (None, Some(path), None) => Input::Path(
                JsonPath::parse(path)
                    .ok_or_else(|| validation(format!("Invalid InputPath for target {id} : {path}.")))?,
            ),
            (None, None, Some(transformer)) => Input::Template(Template::parse(transformer, id).map_err(validation)?),
            _ => {
                return Err(validation(format!(
                    "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
                )));
            }
        };
        Ok(Self { kind, input, spec })
    }

    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        self.spec.retry_policy.unwrap_or_default()
    }

    pub(crate) fn dead_letter_arn(&self) -> Option<&str> {
        self.spec.dead_letter_config.as_ref()?.arn.as_deref()
    }
}
