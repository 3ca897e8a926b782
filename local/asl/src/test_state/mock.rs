//! Holds a mocked result against the response of the API it stands for.
//!
//! AWS checks against its API models; this is the part of them that the local home's integrations need. The result of
//! an API that is not in the table is not checked.

use serde_json::Value;

use super::FieldValidationMode;
use crate::resource::{IntegrationPattern, Resource};

enum Shape {
    Text,
    /// A text of a closed set.
    OneOf(&'static [&'static str]),
    Number,
    Boolean,
    List(&'static Self),
    Structure(&'static [Field]),
    /// Not checked.
    Any,
}

struct Field {
    name: &'static str,
    shape: Shape,
    is_required: bool,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, is_required: false }
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, is_required: true }
}

const CAPACITY: &[Field] = &[
    field("TableName", Shape::Text),
    field("CapacityUnits", Shape::Number),
    field("ReadCapacityUnits", Shape::Number),
    field("WriteCapacityUnits", Shape::Number),
    field("Table", Shape::Any),
    field("LocalSecondaryIndexes", Shape::Any),
    field("GlobalSecondaryIndexes", Shape::Any),
];

const ITEM: &[Field] = &[
    field("Item", Shape::Any),
    field("Attributes", Shape::Any),
    field("ConsumedCapacity", Shape::Structure(CAPACITY)),
    field("ItemCollectionMetrics", Shape::Any),
];

const STORAGE_CLASSES: &[&str] = &[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
    "FSX_ONTAP",
];

const OBJECT: &[Field] = &[
    field("AcceptRanges", Shape::Text),
    field("Body", Shape::Any),
    field("CacheControl", Shape::Text),
    field("ContentDisposition", Shape::Text),
    field("ContentEncoding", Shape::Text),
    field("ContentLength", Shape::Number),
    field("ContentRange", Shape::Text),
    field("ContentType", Shape::Text),
    field("DeleteMarker", Shape::Boolean),
    field("ETag", Shape::Text),
    field("LastModified", Shape::Text),
    field("StorageClass", Shape::OneOf(STORAGE_CLASSES)),
    field("VersionId", Shape::Text),
];

const EVENT_ENTRIES: &[Field] =
    &[field("EventId", Shape::Text), field("ErrorCode", Shape::Text), field("ErrorMessage", Shape::Text)];

const PUT_EVENTS: &[Field] =
    &[field("FailedEntryCount", Shape::Number), field("Entries", Shape::List(&Shape::Structure(EVENT_ENTRIES)))];

const PUBLISHED: &[Field] = &[field("MessageId", Shape::Text), field("SequenceNumber", Shape::Text)];

const INVOCATION: &[Field] = &[
    field("StatusCode", Shape::Number),
    field("FunctionError", Shape::Text),
    field("LogResult", Shape::Text),
    field("ExecutedVersion", Shape::Text),
    field("Payload", Shape::Any),
];

const START_EXECUTION: &[Field] = &[required("ExecutionArn", Shape::Text), required("StartDate", Shape::Text)];

const ENCRYPTION: &[Field] = &[
    field("CiphertextBlob", Shape::Text),
    field("KeyId", Shape::Text),
    field(
        "EncryptionAlgorithm",
        Shape::OneOf(&["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"]),
    ),
];

const SENT_MESSAGE: &[Field] =
    &[field("MD5OfMessageBody", Shape::Text), field("MessageId", Shape::Text), field("SequenceNumber", Shape::Text)];

const SECRETS: &[Field] = &[field("SecretList", Shape::List(&Shape::Any)), field("NextToken", Shape::Text)];

const SECRET: &[Field] = &[
    field("ARN", Shape::Text),
    field("Name", Shape::Text),
    field("SecretString", Shape::Text),
    field("VersionId", Shape::Text),
];

/// The response of an API; `None` where the table ends.
fn response(service: &str, action: &str, pattern: IntegrationPattern) -> Option<&'static [Field]> {
    let service = service.strip_prefix("aws-sdk:").unwrap_or(service);
    // A job's or a token's result is whatever it is.
    if pattern != IntegrationPattern::RequestResponse {
        return None;
    }
    match (service, action) {
        ("dynamodb", "getItem" | "putItem" | "updateItem" | "deleteItem") => Some(ITEM),
        ("events" | "eventbridge", "putEvents") => Some(PUT_EVENTS),
        ("kms", "encrypt") => Some(ENCRYPTION),
        ("lambda", "invoke") => Some(INVOCATION),
        ("s3", "getObject") => Some(OBJECT),
        ("secretsmanager", "getSecretValue") => Some(SECRET),
        ("secretsmanager", "listSecrets") => Some(SECRETS),
        ("sns", "publish") => Some(PUBLISHED),
        ("sqs", "sendMessage") => Some(SENT_MESSAGE),
        ("states" | "sfn", "startExecution") => Some(START_EXECUTION),
        _ => None,
    }
}

/// Checks a mocked result, or says what is wrong with it.
pub(super) fn check(resource: &Resource, result: &Value, mode: FieldValidationMode) -> Result<(), String> {
    let Resource::Service(service) = resource else { return Ok(()) };
    match response(&service.service, &service.action, service.pattern) {
        Some(fields) if mode != FieldValidationMode::None => structure(fields, result, mode),
        _ => Ok(()),
    }
}

fn structure(fields: &[Field], value: &Value, mode: FieldValidationMode) -> Result<(), String> {
    for Field { name, shape, is_required } in fields {
        match value.get(name) {
            Some(value) => check_shape(shape, name, value, mode)?,
            None if *is_required && mode == FieldValidationMode::Strict => {
                return Err(format!("Required field '{name}' is missing"));
            }
            None => {}
        }
    }
    Ok(())
}

fn check_shape(shape: &Shape, name: &str, value: &Value, mode: FieldValidationMode) -> Result<(), String> {
    let must_be = |what: &str| Err(format!("Field '{name}' must be {what}"));
    match shape {
        Shape::Any => Ok(()),
        Shape::Text | Shape::OneOf(_) if !value.is_string() => must_be("a string"),
        Shape::OneOf(allowed) if !value.as_str().is_some_and(|text| allowed.contains(&text)) => {
            Err(format!("Field '{name}' is not an expected value"))
        }
        Shape::Number if !value.is_number() => must_be("a number"),
        Shape::Boolean if !value.is_boolean() => must_be("a boolean"),
        Shape::Text | Shape::OneOf(_) | Shape::Number | Shape::Boolean => Ok(()),
        Shape::List(item) => match value.as_array() {
            Some(items) => items.iter().try_for_each(|value| check_shape(item, name, value, mode)),
            None => must_be("an array"),
        },
        Shape::Structure(fields) if value.is_object() => structure(fields, value, mode),
        Shape::Structure(_) => must_be("an object"),
    }
}
