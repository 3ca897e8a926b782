//! What a Task state runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `Resource` of a Task state, an item reader, or a result writer.
///
/// Forms and meaning: <https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// A Lambda function by its ARN; its history has `LambdaFunction*` events.
    Lambda {
        /// The function's ARN, possibly with a version or alias.
        function_arn: String,
    },
    /// An activity that workers poll for; its history has `Activity*` events.
    Activity {
        /// The activity's ARN.
        activity_arn: String,
    },
    /// A service integration; its history has `Task*` events.
    Service(ServiceResource),
}

/// `arn:PARTITION:states:REGION:ACCOUNT:SERVICE:ACTION[.PATTERN]`, usually with an empty region and account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceResource {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The history's `resourceType`: `lambda`, `dynamodb`, or `aws-sdk:secretsmanager`.
    pub service: String,
    /// The API action in camel case: `invoke`, `putItem`.
    pub action: String,
    /// How the task waits for its result.
    pub pattern: IntegrationPattern,
}

/// How a service integration waits for its result.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntegrationPattern {
    /// Until the service answers.
    RequestResponse,
    /// `.sync`: until the job that was started has ended.
    Sync,
    /// `.sync:2`: the same, with the job's output as JSON instead of a string.
    Sync2,
    /// `.waitForTaskToken`: until somebody returns the token.
    WaitForTaskToken,
}

impl IntegrationPattern {
    /// The suffix as an ARN bears it, with its dot; empty for request and response.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::RequestResponse => "",
            Self::Sync => ".sync",
            Self::Sync2 => ".sync:2",
            Self::WaitForTaskToken => ".waitForTaskToken",
        }
    }
}

/// The text is no resource a Task state can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a Lambda function, an activity, or a service integration")]
pub struct InvalidResource;

impl Resource {
    /// Reads a `Resource` field.
    ///
    /// # Errors
    /// [`InvalidResource`] when it is not an ARN of one of the three kinds.
    pub fn parse(text: &str) -> Result<Self, InvalidResource> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().ok_or(InvalidResource);
        let (arn, partition, service) = (part()?, part()?, part()?);
        let (_region, _account, rest) = (part()?, part()?, part()?);
        if arn != "arn" || partition.is_empty() || rest.is_empty() {
            return Err(InvalidResource);
        }
        match service {
            "lambda" if rest.starts_with("function:") => Ok(Self::Lambda { function_arn: text.to_owned() }),
            "states" if rest.starts_with("activity:") => Ok(Self::Activity { activity_arn: text.to_owned() }),
            "states" => Self::parse_service(partition, rest),
            _ => Err(InvalidResource),
        }
    }

    fn parse_service(partition: &str, rest: &str) -> Result<Self, InvalidResource> {
        let (rest, pattern) =
            [IntegrationPattern::Sync2, IntegrationPattern::Sync, IntegrationPattern::WaitForTaskToken]
                .into_iter()
                .find_map(|pattern| rest.strip_suffix(pattern.suffix()).map(|rest| (rest, pattern)))
                .unwrap_or((rest, IntegrationPattern::RequestResponse));
        let (service, action) = rest.rsplit_once(':').ok_or(InvalidResource)?;
        let is_word =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_word(action) || !service.split(':').all(is_word) {
            return Err(InvalidResource);
        }
        Ok(Self::Service(ServiceResource {
            partition: partition.to_owned(),
            service: service.to_owned(),
            action: action.to_owned(),
            pattern,
        }))
    }

    /// How the task waits for its result; a function or an activity answers by itself.
    #[must_use]
    pub fn pattern(&self) -> IntegrationPattern {
        match self {
            Self::Lambda { .. } | Self::Activity { .. } => IntegrationPattern::RequestResponse,
            Self::Service(service) => service.pattern,
        }
    }
}

impl ServiceResource {
    /// The history's `resource`: the action with its pattern, `createJob.sync`.
    #[must_use]
    pub fn action_with_pattern(&self) -> String {
        format!("{}{}", self.action, self.pattern.suffix())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lambda { function_arn } => f.write_str(function_arn),
            Self::Activity { activity_arn } => f.write_str(activity_arn),
            Self::Service(service) => {
                let ServiceResource { partition, service, action, pattern } = service;
                write!(f, "arn:{partition}:states:::{service}:{action}{}", pattern.suffix())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str, IntegrationPattern)>) {
        let found = Resource::parse(text).ok();
        let found = found.as_ref().map(|resource| match resource {
            Resource::Lambda { .. } => ("lambda-arn", "", IntegrationPattern::RequestResponse),
            Resource::Activity { .. } => ("activity-arn", "", IntegrationPattern::RequestResponse),
            Resource::Service(s) => (s.service.as_str(), s.action.as_str(), s.pattern),
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn reads_every_form() {
        use IntegrationPattern::{RequestResponse, Sync, Sync2, WaitForTaskToken};
        check("arn:aws:lambda:eu-west-1:111122223333:function:f:live", Some(("lambda-arn", "", RequestResponse)));
        check("arn:aws:states:eu-west-1:111122223333:activity:a", Some(("activity-arn", "", RequestResponse)));
        check("arn:aws:states:::lambda:invoke", Some(("lambda", "invoke", RequestResponse)));
        check("arn:aws:states:::states:startExecution.sync", Some(("states", "startExecution", Sync)));
        check("arn:aws:states:::states:startExecution.sync:2", Some(("states", "startExecution", Sync2)));
        check("arn:aws:states:::sqs:sendMessage.waitForTaskToken", Some(("sqs", "sendMessage", WaitForTaskToken)));
        check("arn:aws:states:::aws-sdk:s3:getObject", Some(("aws-sdk:s3", "getObject", RequestResponse)));
        check("arn:aws:states:::lambda", None);
        check("arn:aws:s3:::bucket", None);
        check("lambda:invoke", None);
        check("", None);
    }
}
