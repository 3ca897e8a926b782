//! What services ask of each other. The implementations live in the service crates; `vodline-cloud` plugs them together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AwsError, StoreError};

/// An event on the default bus, in EventBridge's envelope.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Always `"0"`.
    pub version: String,
    /// A UUID.
    pub id: String,
    /// Such as `Object Created`.
    pub detail_type: String,
    /// Such as `aws.s3`.
    pub source: String,
    /// The account it happened in.
    pub account: String,
    /// When it happened, to the second.
    pub time: Timestamp,
    /// The region it happened in.
    pub region: String,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// What happened.
    pub detail: Value,
}

/// Takes events in; EventBridge implements it.
pub trait EventBus: Send + Sync + 'static {
    /// Writes the deliveries that the rules derive from `event` into the sender's own transaction, so that the change and
    /// the news of it are durable together. The tables are in the same file.
    ///
    /// # Errors
    /// When the store fails.
    fn enqueue(&self, transaction: &Transaction<'_>, event: &Event) -> Result<(), StoreError>;

    /// Tells the delivery worker that something was committed.
    fn wake(&self);
}

/// What an invocation of a function came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The function's answer, or its error object (`errorType`, `errorMessage`, `stackTrace`).
    pub payload: Bytes,
    /// `Unhandled` when the function failed; AWS's `X-Amz-Function-Error`.
    pub function_error: Option<String>,
}

/// Invokes functions; Lambda implements it.
#[async_trait]
pub trait Functions: Send + Sync + 'static {
    /// Invokes a function by name or ARN (an alias or version suffix is allowed) and waits for its outcome.
    ///
    /// # Errors
    /// When the invocation itself failed (`ResourceNotFoundException`, `TooManyRequestsException`, ...); a failure of the
    /// function is an `Ok` with `function_error`.
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, AwsError>;
}

/// Starts executions; Step Functions implements it.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Starts an execution of the machine with this ARN and returns the execution's ARN. `name` makes it idempotent.
    ///
    /// # Errors
    /// StartExecution's.
    async fn start(&self, state_machine_arn: &str, name: Option<&str>, input: &str) -> Result<String, AwsError>;
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size_bytes: u64,
    /// With its quotes, as HTTP has it.
    pub etag: String,
    /// The version, in a versioned bucket.
    pub version_id: Option<String>,
    /// When it was stored.
    pub last_modified: Timestamp,
    /// Type, cache rules and user metadata.
    pub metadata: ObjectMetadata,
}

/// What a writer says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMetadata {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `x-amz-meta-*`, without the prefix.
    pub user: BTreeMap<String, String>,
}

/// An object and the file that holds its bytes. The file never changes: a new version of the object is a new file.
#[derive(Clone, Debug)]
pub struct ObjectBody {
    /// What is known of it.
    pub info: ObjectInfo,
    /// Where its bytes are.
    pub path: PathBuf,
}

/// Reads and writes objects without HTTP; S3 implements it. For the services of the home that work on files (MediaConvert,
/// MediaPackage, CloudFront). Calls block on the disk for microseconds; whole files are moved, not copied.
pub trait Objects: Send + Sync + 'static {
    /// Finds an object's newest version.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    fn get(&self, bucket: &str, key: &str) -> Result<ObjectBody, AwsError>;

    /// Moves the finished file at `from` (same file system: under the data directory) into the bucket and tells the bus.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a disk failure.
    fn put_file(&self, bucket: &str, key: &str, from: &Path, metadata: ObjectMetadata) -> Result<ObjectInfo, AwsError>;

    /// Removes an object; missing is fine.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a disk failure.
    fn delete(&self, bucket: &str, key: &str) -> Result<(), AwsError>;

    /// The objects whose keys begin with `prefix`, in order of key.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, AwsError>;
}

/// Reads secrets; Secrets Manager implements it. Values must not be logged.
pub trait Secrets: Send + Sync + 'static {
    /// The current value and the one before it (newest first) of a secret by name or ARN.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    fn values(&self, secret: &str) -> Result<Vec<String>, AwsError>;
}
