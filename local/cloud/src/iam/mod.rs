//! IAM: the policies that the template gives to roles, and the question whether one allows a call.
//!
//! Identity-based policies with Allow statements are what the template uses and what is evaluated; anything else in a policy
//! document is refused when the template is read, so that nothing is thought to be checked and is not.

mod pattern;

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

use serde::Deserialize;
use serde_json::Value;
use vodline_core::{Authorizer, AwsError, Entropy, Principal};

pub(crate) use pattern::matches;

/// A policy document cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("in the policy of {role}: {message}")]
pub struct PolicyError {
    /// The role's ARN.
    pub role: String,
    /// What is wrong.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "Version")]
    _version: Option<String>,
    statement: OneOrMany<StatementText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatementText {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: String,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
    condition: Option<Value>,
}

/// IAM writes lists of one without brackets.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

/// An Allow statement.
#[derive(Clone, Debug)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
}

/// A role's keys, as its function's environment holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the role.
    pub access_key_id: String,
    /// Signs.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// All roles of the home and their keys.
#[derive(Debug)]
pub struct Iam {
    root: Credentials,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    statements: BTreeMap<String, Vec<Statement>>,
    /// By access key.
    keys: BTreeMap<String, RoleKeys>,
}

/// The temporary keys of a role.
#[derive(Clone)]
struct RoleKeys {
    role: String,
    credentials: Credentials,
    session_token: String,
}

impl std::fmt::Debug for RoleKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleKeys").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Iam {
    /// A home whose owner signs with `root`.
    #[must_use]
    pub fn new(root: Credentials) -> Self {
        Self { root, state: RwLock::default() }
    }

    /// The owner's keys.
    #[must_use]
    pub fn root(&self) -> &Credentials {
        &self.root
    }

    /// Makes (or replaces) a role with these policy documents.
    ///
    /// # Errors
    /// When a document holds what is not evaluated here.
    pub fn define_role(&self, role_arn: &str, documents: &[Value]) -> Result<(), PolicyError> {
        let mut statements = Vec::new();
        for document in documents {
            let error = |message: String| PolicyError { role: role_arn.into(), message };
            let document = Document::deserialize(document).map_err(|cause| error(cause.to_string()))?;
            for statement in document.statement.into_vec() {
                if statement.effect != "Allow" {
                    return Err(error(format!("the local home does not evaluate Effect {}", statement.effect)));
                }
                check_condition(statement.condition.as_ref()).map_err(error)?;
                statements
                    .push(Statement { actions: statement.action.into_vec(), resources: statement.resource.into_vec() });
            }
        }
        self.write().statements.insert(role_arn.into(), statements);
        Ok(())
    }

    /// The keys of a role, made at first asking; they live as long as the process.
    fn keys_of(&self, role_arn: &str, entropy: &dyn Entropy) -> RoleKeys {
        let mut state = self.write();
        if let Some(keys) = state.keys.values().find(|keys| keys.role == role_arn) {
            return keys.clone();
        }
        let access_key_id = format!("ASIA{}", entropy.hex(16).to_uppercase());
        let credentials = Credentials { access_key_id: access_key_id.clone(), secret_access_key: entropy.hex(40) };
        let keys = RoleKeys { role: role_arn.into(), credentials, session_token: entropy.hex(64) };
        state.keys.insert(access_key_id, keys.clone());
        keys
    }

    /// Whose access key this is, and its secret.
    #[must_use]
    pub fn identify(&self, access_key_id: &str) -> Option<(Principal, String)> {
        if access_key_id == self.root.access_key_id {
            return Some((Principal::Root, self.root.secret_access_key.clone()));
        }
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let keys = state.keys.get(access_key_id)?;
        Some((Principal::Role(keys.role.clone()), keys.credentials.secret_access_key.clone()))
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Authorizer for Iam {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        let Principal::Role(role) = principal else { return Ok(()) };
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let allowed = state.statements.get(role).is_some_and(|statements| {
            statements.iter().any(|statement| {
                // Actions are compared without regard to case, resources with.
                let action = action.to_ascii_lowercase();
                statement.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
                    && statement.resources.iter().any(|pattern| matches(pattern, resource))
            })
        });
        if allowed { Ok(()) } else { Err(AwsError::access_denied(principal.arn(), action, resource)) }
    }
}

impl vodline_s3::Credentials for Iam {
    fn find(&self, access_key: &str) -> Option<vodline_s3::Credential> {
        let (principal, secret_key) = self.identify(access_key)?;
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let session_token = state.keys.get(access_key).map(|keys| keys.session_token.clone());
        Some(vodline_s3::Credential { secret_key, session_token, principal })
    }
}

/// Hands functions the keys of their roles.
pub struct Keyring {
    /// Where roles and keys are kept.
    pub iam: Arc<Iam>,
    /// What new keys are made of.
    pub entropy: Arc<dyn Entropy>,
}

impl vodline_lambda::RoleCredentials for Keyring {
    fn issue(&self, role_arn: &str) -> vodline_lambda::RoleCredential {
        let RoleKeys { credentials, session_token, .. } = self.iam.keys_of(role_arn, &*self.entropy);
        let Credentials { access_key_id, secret_access_key } = credentials;
        vodline_lambda::RoleCredential { access_key_id, secret_access_key, session_token }
    }
}

/// `iam:PassedToService` narrows PassRole, which only AWS checks; any other condition would have to be evaluated.
fn check_condition(condition: Option<&Value>) -> Result<(), String> {
    let Some(Value::Object(operators)) = condition else { return Ok(()) };
    for keys in operators.values().filter_map(Value::as_object) {
        if let Some(key) = keys.keys().find(|key| *key != "iam:PassedToService") {
            return Err(format!("the local home does not evaluate the condition key {key}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use serde_json::json;

    use super::*;

    fn iam(statement: Value) -> Result<Iam, PolicyError> {
        let iam = Iam::new(Credentials { access_key_id: "root".into(), secret_access_key: "s".into() });
        iam.define_role("arn:role", &[json!({ "Version": "2012-10-17", "Statement": statement })])?;
        Ok(iam)
    }

    #[track_caller]
    fn check(action: &str, resource: &str, allowed: bool) {
        let iam = iam(
            json!([{ "Effect": "Allow", "Action": ["s3:Get*", "sqs:sendmessage"], "Resource": "arn:aws:s3:::b/media/*" }]),
        );
        let answer = iam.unwrap().authorize(&Principal::Role("arn:role".into()), action, resource);
        assert_eq!(answer.is_ok(), allowed, "{action} {resource}");
    }

    #[test]
    fn what_no_statement_allows_is_denied() {
        check("s3:GetObject", "arn:aws:s3:::b/media/a/b", true);
        check("sqs:SendMessage", "arn:aws:s3:::b/media/", true);
        check("s3:PutObject", "arn:aws:s3:::b/media/a", false);
        check("s3:GetObject", "arn:aws:s3:::b/other", false);
        check("s3:GetObject", "arn:aws:s3:::B/media/a", false);
    }

    #[test]
    fn the_owner_may_do_everything_and_a_stranger_nothing() {
        let iam = iam(json!([])).unwrap();
        assert!(iam.authorize(&Principal::Root, "s3:GetObject", "*").is_ok());
        assert!(iam.authorize(&Principal::Role("arn:other".into()), "s3:GetObject", "*").is_err());
        assert_eq!(iam.identify("nobody"), None);
    }

    #[test]
    fn what_is_not_evaluated_is_refused() {
        for statement in [
            json!({ "Effect": "Deny", "Action": "*", "Resource": "*" }),
            json!({ "Effect": "Allow", "NotAction": "*", "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "StringEquals": { "aws:SourceIp": "1" } } }),
        ] {
            iam(statement).unwrap_err();
        }
    }
}
