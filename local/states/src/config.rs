//! What Step Functions is opened with, and the port through which it reaches the other services.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;
use vodline_core::{Account, Authorizer, AwsError, Clock, Entropy, EventBus, Functions, Objects, Principal};

/// What [`crate::States::open`] needs.
#[derive(Clone)]
pub struct Config {
    /// The data directory; the store is in it.
    pub directory: PathBuf,
    /// The account and region to play.
    pub account: Account,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness: execution names, task tokens, jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Takes status-change events and the events of `events:putEvents` tasks.
    pub bus: Arc<dyn EventBus>,
    /// Runs Lambda tasks.
    pub functions: Arc<dyn Functions>,
    /// Where a Distributed Map reads items and writes results.
    pub objects: Arc<dyn Objects>,
    /// Runs tasks of every other service.
    pub services: Arc<dyn ServiceCaller>,
    /// What the roles of the machines may do.
    pub authorizer: Arc<dyn Authorizer>,
}

/// Calls an API action of another service on behalf of a state machine's role; the home implements it over its own port.
///
/// `service` is as a Task's `Resource` names it: `dynamodb`, `sqs`, or for `aws-sdk:` resources the SDK's name
/// (`secretsmanager`, `s3`, `sfn`). `action` is in camel case: `putItem`. Arguments and answers have the form of the
/// service's SDK with member names in Pascal case: `{"TableName": "...", "Item": {...}}`.
#[async_trait]
pub trait ServiceCaller: Send + Sync + 'static {
    /// Whether the home serves the action at all; a definition that uses one it does not is refused.
    fn serves(&self, service: &str, action: &str) -> bool;

    /// Makes the call. It must end in bounded time; the caller gives up on it after a minute.
    ///
    /// # Errors
    /// The service's own error, or its refusal when `principal` may not.
    async fn call(
        &self,
        principal: &Principal,
        service: &str,
        action: &str,
        arguments: Value,
    ) -> Result<Value, AwsError>;
}

/// A state machine as a template describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSpec {
    /// Its name, unique in the account.
    pub name: String,
    /// The definition, substitutions made.
    pub definition: String,
    /// The role it works under.
    pub role_arn: String,
    /// `STANDARD` or `EXPRESS`.
    pub kind: vodline_asl::ExecutionKind,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The alias that AWS SAM's `AutoPublishAlias` keeps on the newest version, if any.
    pub auto_publish_alias: Option<String>,
}
