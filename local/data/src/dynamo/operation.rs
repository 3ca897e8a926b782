//! The engine's operations by name, and its errors as AWS's.

use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use vodline_core::AwsError;

/// What ARNs begin with in the engine (its `LOCAL_REGION` and `LOCAL_ACCOUNT`).
pub(super) const ENGINE_ARN_PREFIX: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

/// What the engine serves, streams included.
const KNOWN: [&str; 27] = [
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "CreateTable",
    "DeleteItem",
    "DeleteTable",
    "DescribeStream",
    "DescribeTable",
    "DescribeTimeToLive",
    "ExecuteStatement",
    "ExecuteTransaction",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "ListStreams",
    "ListTables",
    "ListTagsOfResource",
    "PutItem",
    "Query",
    "Scan",
    "TagResource",
    "TransactGetItems",
    "TransactWriteItems",
    "UntagResource",
    "UpdateItem",
    "UpdateTable",
    "UpdateTimeToLive",
];

pub(super) fn is_known(operation: &str) -> bool {
    KNOWN.contains(&operation)
}

/// Whether requests and answers name tables by ARN and hold no items.
pub(super) fn names_resources(operation: &str) -> bool {
    matches!(
        operation,
        "CreateTable"
            | "DeleteTable"
            | "DescribeStream"
            | "DescribeTable"
            | "GetShardIterator"
            | "ListStreams"
            | "ListTagsOfResource"
            | "TagResource"
            | "UntagResource"
            | "UpdateTable"
    )
}

/// Has the engine do it.
pub(super) fn perform(database: &Database, operation: &str, body: &str) -> Result<String, AwsError> {
    let call = Call { operation, body };
    match operation {
        "BatchExecuteStatement" => call.with(|request| database.batch_execute_statement(request)),
        "BatchGetItem" => call.with(|request| database.batch_get_item(request)),
        "BatchWriteItem" => call.with(|request| database.batch_write_item(request)),
        "CreateTable" => call.with(|request| database.create_table(request)),
        "DeleteItem" => call.with(|request| database.delete_item(request)),
        "DeleteTable" => call.with(|request| database.delete_table(request)),
        "DescribeStream" => call.with(|request| database.describe_stream(request)),
        "DescribeTable" => call.with(|request| database.describe_table(request)),
        "DescribeTimeToLive" => call.with(|request| database.describe_time_to_live(request)),
        "ExecuteStatement" => call.with(|request| database.execute_statement(request)),
        "ExecuteTransaction" => call.with(|request| database.execute_transaction(request)),
        "GetItem" => call.with(|request| database.get_item(request)),
        "GetRecords" => call.with(|request| database.get_records(request)),
        "GetShardIterator" => call.with(|request| database.get_shard_iterator(request)),
        "ListStreams" => call.with(|request| database.list_streams(request)),
        "ListTables" => call.with(|request| database.list_tables(request)),
        "ListTagsOfResource" => call.with(|request| database.list_tags_of_resource(request)),
        "PutItem" => call.with(|request| database.put_item(request)),
        "Query" => call.with(|request| database.query(request)),
        "Scan" => call.with(|request| database.scan(request)),
        "TagResource" => call.with(|request| database.tag_resource(request)),
        "TransactGetItems" => call.with(|request| database.transact_get_items(request)),
        "TransactWriteItems" => call.with(|request| database.transact_write_items(request)),
        "UntagResource" => call.with(|request| database.untag_resource(request)),
        "UpdateItem" => call.with(|request| database.update_item(request)),
        "UpdateTable" => call.with(|request| database.update_table(request)),
        "UpdateTimeToLive" => call.with(|request| database.update_time_to_live(request)),
        _ => Err(AwsError::unsupported_operation("dynamodb", operation)),
    }
}

struct Call<'a> {
    operation: &'a str,
    body: &'a str,
}

impl Call<'_> {
    fn with<Q: DeserializeOwned, A: Serialize>(
        &self,
        perform: impl FnOnce(Q) -> Result<A, DynoxideError>,
    ) -> Result<String, AwsError> {
        let request = serde_json::from_str(self.body).map_err(|error| self.undecodable(&error))?;
        let answer = perform(request).map_err(|error| self.aws_error(&error))?;
        serde_json::to_string(&answer).map_err(|error| internal(&error.to_string()))
    }

    /// The engine checks much of a request while decoding it, and marks what kind of error it means at the head of the message.
    fn undecodable(&self, error: &serde_json::Error) -> AwsError {
        let message = error.to_string();
        let plain = |marked: &str| marked.split(" at line ").next().unwrap_or(marked).to_owned();
        let validation = |message: String| AwsError::bad_request("ValidationException", message);
        let serialization = |message: String| AwsError::bad_request("SerializationException", message);
        if let Some(message) = message.strip_prefix("VALIDATION_REQUEST:") {
            validation(self.enveloped(&plain(message)))
        } else if let Some(message) = message.strip_prefix("VALIDATION_AS_READ:") {
            validation(message.to_owned())
        } else if let Some(message) = message.strip_prefix("VALIDATION:") {
            validation(plain(message))
        } else if let Some(message) = message.strip_prefix("SERIALIZATION_AS_READ:") {
            serialization(message.to_owned())
        } else if let Some(message) = message.strip_prefix("SERIALIZATION:") {
            serialization(plain(message))
        } else if ["missing field", "unknown variant", "invalid type: null", "AttributeValue"]
            .iter()
            .any(|words| message.contains(words))
        {
            validation(plain(&message))
        } else {
            serialization(message)
        }
    }

    /// Writes of single items put their refusals in an envelope.
    fn enveloped(&self, message: &str) -> String {
        if matches!(self.operation, "PutItem" | "UpdateItem" | "DeleteItem") {
            format!("1 validation error detected: {message}")
        } else {
            message.to_owned()
        }
    }

    fn aws_error(&self, error: &DynoxideError) -> AwsError {
        match error {
            DynoxideError::EnvelopedValidation(message) => {
                return AwsError::bad_request("ValidationException", self.enveloped(message));
            }
            DynoxideError::UnsupportedCapability(what) => {
                return AwsError::unsupported_field("dynamodb", self.operation, what);
            }
            _ => {}
        }
        if error.status_code() >= 500 {
            return internal(&error.to_string());
        }
        let code = error.error_type().rsplit('#').next().unwrap_or_default();
        // The other members of the shape: CancellationReasons, Item.
        let members: Map<String, Value> = serde_json::from_str(&error.to_json()).unwrap_or_default();
        let members =
            members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "__type" | "message" | "Message"));
        members.fold(AwsError::bad_request(code, error.to_string()), |aws, (name, value)| aws.member(&name, value))
    }
}

fn internal(cause: &str) -> AwsError {
    tracing::error!(cause, "DynamoDB failed");
    AwsError::with_status(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServerError",
        "The request processing has failed because of an unknown error, exception or failure.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_the_engines() {
        let arn = dynoxide::streams::table_arn("t");
        assert_eq!(arn.strip_prefix(ENGINE_ARN_PREFIX), Some("table/t"));
    }
}
