//! Bucket policies, as far as they decide whether a distribution may read a bucket. All other callers of S3 are judged by the
//! policies of their roles.
//!
//! A policy that says what is not evaluated here is refused when the template is read, so that nothing is thought to be checked
//! and is not. Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use serde::Deserialize;
use serde_json::Value;

use crate::iam::matches;

/// As whom CloudFront signs.
const CLOUDFRONT: &str = "cloudfront.amazonaws.com";

/// A bucket policy cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BucketPolicyError(String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "Version")]
    _version: Option<String>,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    statement: Vec<StatementText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatementText {
    #[serde(default, rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Value,
    action: Value,
    resource: Value,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug)]
struct Statement {
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// One key of a condition.
#[derive(Debug)]
enum Condition {
    /// `StringEquals`, `StringLike`, `ArnEquals` or `ArnLike` on `AWS:SourceArn`; whether wildcards count.
    SourceArn { patterns: Vec<String>, wildcards: bool },
    /// `StringEquals` on `AWS:SourceAccount`.
    SourceAccount(Vec<String>),
    /// `Bool` on `aws:SecureTransport`. What the edge asks never leaves the process, so it is as secure as TLS.
    SecureTransport(bool),
}

/// The policies of all buckets.
#[derive(Debug, Default)]
pub struct BucketPolicies(RwLock<BTreeMap<String, Vec<Statement>>>);

impl BucketPolicies {
    /// Gives a bucket this policy, in place of an earlier one.
    ///
    /// # Errors
    /// When the policy holds what is not evaluated here; says what.
    pub fn define(&self, bucket: &str, document: &Value) -> Result<(), BucketPolicyError> {
        let document = Document::deserialize(document).map_err(|error| BucketPolicyError(error.to_string()))?;
        let mut statements = Vec::new();
        for text in document.statement {
            let conditions = conditions(&text.condition)?;
            if names_cloudfront(&text.principal)? {
                let statement = Statement {
                    effect: text.effect,
                    actions: strings(&text.action, "Action")?,
                    resources: strings(&text.resource, "Resource")?,
                    conditions,
                };
                statements.push(statement);
            }
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned(), statements);
        Ok(())
    }

    /// Whether a distribution, by the ARN it signs with, may get an object.
    #[must_use]
    pub fn admit(&self, distribution_arn: &str, bucket: &str, key: &str) -> bool {
        let policies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(statements) = policies.get(bucket) else { return false };
        let resource = format!("arn:aws:s3:::{bucket}/{key}");
        let applies = |statement: &&Statement| {
            statement.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), "s3:getobject"))
                && statement.resources.iter().any(|pattern| matches(pattern, &resource))
                && statement.conditions.iter().all(|condition| condition.holds(distribution_arn))
        };
        let effects: Vec<Effect> = statements.iter().filter(applies).map(|statement| statement.effect).collect();
        effects.contains(&Effect::Allow) && !effects.contains(&Effect::Deny)
    }
}

impl Condition {
    fn holds(&self, distribution_arn: &str) -> bool {
        match self {
            Self::SourceArn { patterns, wildcards: true } => {
                patterns.iter().any(|pattern| matches(pattern, distribution_arn))
            }
            Self::SourceArn { patterns, wildcards: false } => patterns.iter().any(|arn| arn == distribution_arn),
            Self::SourceAccount(accounts) => {
                distribution_arn.split(':').nth(4).is_some_and(|account| accounts.iter().any(|known| known == account))
            }
            Self::SecureTransport(secure) => *secure,
        }
    }
}

fn strings(value: &Value, what: &str) -> Result<Vec<String>, BucketPolicyError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let values = match value {
        Value::Array(values) => values.iter().map(text).collect(),
        other => text(other).map(|text| vec![text]),
    };
    values.ok_or_else(|| BucketPolicyError(format!("{what} is neither a text nor a list of texts")))
}

/// Whether a statement is about CloudFront (or everybody).
fn names_cloudfront(principal: &Value) -> Result<bool, BucketPolicyError> {
    match principal {
        Value::String(text) if text == "*" => Ok(true),
        Value::Object(kinds) => {
            let mut named = false;
            for (kind, value) in kinds {
                named |= match kind.as_str() {
                    "Service" => strings(value, "Principal.Service")?.iter().any(|service| service == CLOUDFRONT),
                    "AWS" => strings(value, "Principal.AWS")?.iter().any(|principal| principal == "*"),
                    other => return Err(BucketPolicyError(format!("the local home does not know Principal.{other}"))),
                };
            }
            Ok(named)
        }
        _ => Err(BucketPolicyError("Principal is neither \"*\" nor an object".into())),
    }
}

fn conditions(operators: &BTreeMap<String, BTreeMap<String, Value>>) -> Result<Vec<Condition>, BucketPolicyError> {
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        for (key, value) in keys {
            // Keys are compared without regard to case.
            let condition = match (operator.as_str(), key.to_ascii_lowercase().as_str()) {
                ("StringEquals", "aws:sourcearn") => {
                    Condition::SourceArn { patterns: strings(value, key)?, wildcards: false }
                }
                ("StringLike" | "ArnLike" | "ArnEquals", "aws:sourcearn") => {
                    Condition::SourceArn { patterns: strings(value, key)?, wildcards: true }
                }
                ("StringEquals", "aws:sourceaccount") => Condition::SourceAccount(strings(value, key)?),
                ("Bool", "aws:securetransport") => {
                    Condition::SecureTransport(value.as_bool() == Some(true) || value.as_str() == Some("true"))
                }
                _ => {
                    let message = format!("the local home does not evaluate the condition {operator} on {key}");
                    return Err(BucketPolicyError(message));
                }
            };
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:cloudfront::000000000000:distribution/E1";

    fn statement(condition: Value) -> Value {
        json!({
            "Effect": "Allow", "Principal": { "Service": CLOUDFRONT }, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::films/media/*", "Condition": condition,
        })
    }

    #[track_caller]
    fn check(statements: Value, key: &str, admitted: bool) {
        let policies = BucketPolicies::default();
        policies.define("films", &json!({ "Version": "2012-10-17", "Statement": statements })).unwrap();
        assert_eq!(policies.admit(ARN, "films", key), admitted, "{statements} {key}");
    }

    #[test]
    fn a_distribution_reads_what_the_policy_says_and_nothing_else() {
        let own = statement(json!({ "StringEquals": { "AWS:SourceArn": ARN } }));
        check(json!([own]), "media/a", true);
        check(json!([own]), "other/a", false);
        check(json!([statement(json!({ "StringEquals": { "AWS:SourceArn": format!("{ARN}2") } }))]), "media/a", false);
        check(
            json!([statement(json!({ "ArnLike": { "aws:SourceArn": "arn:aws:cloudfront::*:distribution/*" } }))]),
            "media/a",
            true,
        );
        check(
            json!([statement(json!({ "StringEquals": { "AWS:SourceArn": "arn:aws:cloudfront::*:distribution/*" } }))]),
            "media/a",
            false,
        );
        check(json!([statement(json!({ "StringEquals": { "AWS:SourceAccount": "000000000000" } }))]), "media/a", true);
        let insecure = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": { "Bool": { "aws:SecureTransport": "false" } } });
        check(json!([own, insecure]), "media/a", true);
        let denied = json!({ "Effect": "Deny", "Principal": "*", "Action": ["s3:Get*"], "Resource": "*/media/b" });
        check(json!([own, denied]), "media/a", true);
        check(json!([own, denied]), "media/b", false);
        let other =
            json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::1:root" }, "Action": "*", "Resource": "*" });
        check(json!([other]), "media/a", false);
        assert!(!BucketPolicies::default().admit(ARN, "films", "media/a"));
    }

    #[test]
    fn what_is_not_evaluated_is_refused() {
        for (statement, words) in [
            (statement(json!({ "IpAddress": { "aws:SourceIp": "1.2.3.4" } })), "IpAddress"),
            (statement(json!({ "StringNotEquals": { "AWS:SourceArn": ARN } })), "StringNotEquals"),
            (json!({ "Effect": "Allow", "NotPrincipal": "*", "Action": "*", "Resource": "*" }), "NotPrincipal"),
            (
                json!({ "Effect": "Allow", "Principal": { "Federated": "x" }, "Action": "*", "Resource": "*" }),
                "Federated",
            ),
        ] {
            let error = BucketPolicies::default().define("films", &json!({ "Statement": [statement] })).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
