//! DynamoDB: dynoxide embedded, with the home's permissions, account and errors around it.
//!
//! Tables are in a SQLite file of dynoxide's own, `dynamodb.sqlite`, in WAL mode with full synchronisation: a write that was
//! answered survives `kill -9` and a power cut.

mod access;
mod operation;
mod table;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use dynoxide::Database;
use serde_json::Value;
use vodline_core::{Account, AwsError, Protocol, Request, Response, Service};

pub use table::{
    AttributeDefinition, GlobalIndex, KeyElement, LocalIndex, Projection, StreamSpecification, TableSpec, Tag,
    Throughput, TimeToLive,
};

/// How often items whose time to live has passed are deleted. AWS promises "within a few days".
const TTL_SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Bytes of a request. Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.API.html>.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What [`DynamoDb`] needs.
#[derive(Clone, Debug)]
pub struct DynamoConfig {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose tables these are.
    pub account: Account,
}

/// DynamoDB could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DynamoError {
    /// The data directory cannot be made.
    #[error("cannot use the data directory {path}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine refuses its file.
    #[error("cannot open the tables in {path}")]
    Tables {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: dynoxide::DynoxideError,
    },
}

/// DynamoDB.
pub struct DynamoDb {
    database: Database,
    account: Account,
}

impl DynamoDb {
    /// Opens the tables in the data directory.
    ///
    /// # Errors
    /// When the directory or the file cannot be used.
    pub fn open(config: DynamoConfig) -> Result<Arc<Self>, DynamoError> {
        let DynamoConfig { directory, account } = config;
        std::fs::create_dir_all(&directory)
            .map_err(|source| DynamoError::Directory { path: directory.clone(), source })?;
        let path = directory.join("dynamodb.sqlite");
        let database = Database::new(&path.to_string_lossy())
            .map_err(|source| DynamoError::Tables { path: path.clone(), source })?;
        Ok(Arc::new(Self { database, account }))
    }

    /// Deletes items whose time to live has passed, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TTL_SWEEP_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let database = self.database.clone();
            match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
                Ok(Ok(0)) => {}
                Ok(Ok(deleted)) => tracing::debug!(deleted, "items whose time to live had passed are deleted"),
                Ok(Err(error)) => tracing::error!(error = ?error, "items past their time to live could not be deleted"),
                Err(error) => {
                    tracing::error!(error = ?error, "the sweep of items past their time to live ended abnormally");
                }
            }
        }
    }

    /// The ARN of the table with this name.
    #[must_use]
    pub fn table_arn(&self, name: &str) -> String {
        self.account.arn("dynamodb", &format!("table/{name}"))
    }

    /// The answer to a request that the caller may make.
    fn perform(&self, operation: &str, body: &str) -> Result<String, AwsError> {
        let body = self.in_the_engines_terms(operation, body);
        let answer = operation::perform(&self.database, operation, &body)?;
        Ok(self.in_our_terms(operation, answer))
    }

    /// The engine names things after an account and a region of its own. Names of items never pass through here.
    fn in_the_engines_terms(&self, operation: &str, body: &str) -> String {
        if operation::names_resources(operation) {
            body.replace(&self.arn_prefix(), operation::ENGINE_ARN_PREFIX)
        } else {
            body.to_owned()
        }
    }

    fn in_our_terms(&self, operation: &str, answer: String) -> String {
        if operation::names_resources(operation) {
            answer.replace(operation::ENGINE_ARN_PREFIX, &self.arn_prefix())
        } else if operation == "GetRecords" {
            // No attribute of an item looks like this: an attribute's value is an object.
            let region = format!(r#""awsRegion":"{}""#, self.account.region);
            answer.replace(r#""awsRegion":"dynoxide""#, &region)
        } else {
            answer
        }
    }

    fn arn_prefix(&self) -> String {
        self.account.arn("dynamodb", "")
    }
}

#[async_trait]
impl Service for DynamoDb {
    fn protocol(&self) -> Protocol {
        Protocol::Json10
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let operation = request.operation.clone();
        if !operation::is_known(&operation) {
            return Err(AwsError::unsupported_operation("dynamodb", &operation));
        }
        if request.body.len() > REQUEST_BYTES_MAX {
            return Err(AwsError::bad_request("ValidationException", "Request size exceeds 16 MB"));
        }
        let body = std::str::from_utf8(&request.body)
            .map_err(|_| AwsError::bad_request("SerializationException", "the body is not UTF-8"))?;
        let value: Value = serde_json::from_str(body)
            .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))?;
        access::refuse_unsupported(&operation, &value)?;
        for (action, resource) in access::needs(&operation, &value, &self.account) {
            request.authorize(&action, &resource)?;
        }
        // The engine waits for its lock and for the disk.
        let engine = Self { database: self.database.clone(), account: self.account.clone() };
        let body = body.to_owned();
        let answer =
            tokio::task::spawn_blocking(move || engine.perform(&operation, &body)).await.map_err(|error| {
                tracing::error!(error = ?error, "DynamoDB ended abnormally");
                AwsError::with_status(
                    http::StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalServerError",
                    "the home's log says why",
                )
            })??;
        Ok(Response::new(http::StatusCode::OK, "application/x-amz-json-1.0", answer))
    }
}

#[cfg(test)]
mod tests;
