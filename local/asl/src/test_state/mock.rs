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
    /// Names to values of one shape.
    Map(&'static Self),
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

/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>.
static ATTRIBUTE: Shape = Shape::Structure(&[
    field("B", Shape::Text),
    field("BOOL", Shape::Boolean),
    field("BS", Shape::List(&Shape::Text)),
    field("L", Shape::List(&ATTRIBUTE)),
    field("M", Shape::Map(&ATTRIBUTE)),
    field("N", Shape::Text),
    field("NS", Shape::List(&Shape::Text)),
    field("NULL", Shape::Boolean),
    field("S", Shape::Text),
    field("SS", Shape::List(&Shape::Text)),
]);

static CAPACITY: Shape = Shape::Structure(&[
    field("CapacityUnits", Shape::Number),
    field("ReadCapacityUnits", Shape::Number),
    field("WriteCapacityUnits", Shape::Number),
]);

/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html>.
static CONSUMED_CAPACITY: &[Field] = &[
    field("TableName", Shape::Text),
    field("CapacityUnits", Shape::Number),
    field("ReadCapacityUnits", Shape::Number),
    field("WriteCapacityUnits", Shape::Number),
    field(
        "Table",
        Shape::Structure(&[
            field("CapacityUnits", Shape::Number),
            field("ReadCapacityUnits", Shape::Number),
            field("WriteCapacityUnits", Shape::Number),
        ]),
    ),
    field("LocalSecondaryIndexes", Shape::Map(&CAPACITY)),
    field("GlobalSecondaryIndexes", Shape::Map(&CAPACITY)),
];

/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#API_PutItem_ResponseSyntax>.
static ITEM: &[Field] = &[
    field("Item", Shape::Map(&ATTRIBUTE)),
    field("Attributes", Shape::Map(&ATTRIBUTE)),
    field("ConsumedCapacity", Shape::Structure(CONSUMED_CAPACITY)),
    field(
        "ItemCollectionMetrics",
        Shape::Structure(&[
            field("ItemCollectionKey", Shape::Map(&ATTRIBUTE)),
            field("SizeEstimateRangeGB", Shape::List(&Shape::Number)),
        ]),
    ),
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

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_ResponseSyntax>.
static OBJECT: &[Field] = &[
    field("AcceptRanges", Shape::Text),
    field("Body", Shape::Any),
    field("BucketKeyEnabled", Shape::Boolean),
    field("CacheControl", Shape::Text),
    field("ChecksumCRC32", Shape::Text),
    field("ChecksumCRC32C", Shape::Text),
    field("ChecksumCRC64NVME", Shape::Text),
    field("ChecksumSHA1", Shape::Text),
    field("ChecksumSHA256", Shape::Text),
    field("ChecksumType", Shape::OneOf(&["COMPOSITE", "FULL_OBJECT"])),
    field("ContentDisposition", Shape::Text),
    field("ContentEncoding", Shape::Text),
    field("ContentLanguage", Shape::Text),
    field("ContentLength", Shape::Number),
    field("ContentRange", Shape::Text),
    field("ContentType", Shape::Text),
    field("DeleteMarker", Shape::Boolean),
    field("ETag", Shape::Text),
    field("Expiration", Shape::Text),
    field("Expires", Shape::Text),
    field("LastModified", Shape::Text),
    field("Metadata", Shape::Map(&Shape::Text)),
    field("MissingMeta", Shape::Number),
    field("ObjectLockLegalHoldStatus", Shape::OneOf(&["ON", "OFF"])),
    field("ObjectLockMode", Shape::OneOf(&["GOVERNANCE", "COMPLIANCE"])),
    field("ObjectLockRetainUntilDate", Shape::Text),
    field("PartsCount", Shape::Number),
    field("ReplicationStatus", Shape::OneOf(&["COMPLETE", "PENDING", "FAILED", "REPLICA", "COMPLETED"])),
    field("RequestCharged", Shape::OneOf(&["requester"])),
    field("Restore", Shape::Text),
    field("SSECustomerAlgorithm", Shape::Text),
    field("SSECustomerKeyMD5", Shape::Text),
    field("SSEKMSKeyId", Shape::Text),
    field("ServerSideEncryption", Shape::OneOf(&["AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"])),
    field("StorageClass", Shape::OneOf(STORAGE_CLASSES)),
    field("TagCount", Shape::Number),
    field("VersionId", Shape::Text),
    field("WebsiteRedirectLocation", Shape::Text),
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

const SENT_MESSAGE: &[Field] = &[
    field("MD5OfMessageAttributes", Shape::Text),
    field("MD5OfMessageBody", Shape::Text),
    field("MD5OfMessageSystemAttributes", Shape::Text),
    field("MessageId", Shape::Text),
    field("SequenceNumber", Shape::Text),
];

const SECRETS: &[Field] = &[field("SecretList", Shape::List(&Shape::Any)), field("NextToken", Shape::Text)];

const SECRET: &[Field] = &[
    field("ARN", Shape::Text),
    field("CreatedDate", Shape::Text),
    field("Name", Shape::Text),
    field("SecretBinary", Shape::Text),
    field("SecretString", Shape::Text),
    field("VersionId", Shape::Text),
    field("VersionStages", Shape::List(&Shape::Text)),
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
        Shape::Map(item) => match value.as_object() {
            Some(members) => members.values().try_for_each(|value| check_shape(item, name, value, mode)),
            None => must_be("an object"),
        },
        Shape::Structure(fields) if value.is_object() => structure(fields, value, mode),
        Shape::Structure(_) => must_be("an object"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(resource: &str, result: &Value, expected: Result<(), &str>) {
        let resource = Resource::parse(&format!("arn:aws:states:::{resource}")).unwrap();
        for mode in [FieldValidationMode::Strict, FieldValidationMode::Present] {
            let found = super::check(&resource, result, mode);
            assert_eq!(
                found.as_ref().map_err(String::as_str),
                expected.as_ref().map(|()| &()).map_err(|e| *e),
                "{result}"
            );
        }
    }

    #[test]
    fn results_have_the_shapes_of_their_apis() {
        check("dynamodb:getItem", &json!({"Item": {"a": {"M": {"b": {"L": [{"N": "1"}]}}}}}), Ok(()));
        check("dynamodb:getItem", &json!({"Item": {"a": {"M": {"b": {"N": 1}}}}}), Err("Field 'N' must be a string"));
        check("dynamodb:putItem", &json!({"Attributes": []}), Err("Field 'Attributes' must be an object"));
        let metrics = json!({"ItemCollectionMetrics": {"SizeEstimateRangeGB": ["1"]}});
        check("dynamodb:putItem", &metrics, Err("Field 'SizeEstimateRangeGB' must be a number"));
        check("aws-sdk:s3:getObject", &json!({"Metadata": {"a": "b"}, "PartsCount": 1}), Ok(()));
        check("aws-sdk:s3:getObject", &json!({"Metadata": {"a": 1}}), Err("Field 'Metadata' must be a string"));
        check("aws-sdk:s3:getObject", &json!({"DeleteMarker": "true"}), Err("Field 'DeleteMarker' must be a boolean"));
        check("sqs:sendMessage", &json!({"MessageId": null}), Err("Field 'MessageId' must be a string"));
        check("aws-sdk:ec2:describeInstances", &json!({"anything": 1}), Ok(()));
    }
}
