//! Messages and the digests by which clients check them.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use vodline_core::AwsError;

/// Bytes of a message, its attributes included.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Attributes of a message. Source: the same.
const ATTRIBUTES_MAX: usize = 10;

/// A message's attributes by name.
pub(crate) type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with an optional `.label`.
    pub data_type: String,
    /// The value, unless it is binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value in base64, if it is binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl MessageAttribute {
    pub(crate) fn text(value: impl Into<String>) -> Self {
        Self { data_type: "String".into(), string_value: Some(value.into()), binary_value: None }
    }

    pub(crate) fn number(value: impl ToString) -> Self {
        Self { data_type: "Number".into(), string_value: Some(value.to_string()), binary_value: None }
    }

    /// How the value is marked in the digest, and its bytes.
    fn bytes(&self) -> Option<(u8, Vec<u8>)> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), None) => Some((1, text.clone().into_bytes())),
            (None, Some(text)) => Some((2, STANDARD.decode(text).ok()?)),
            _ => None,
        }
    }
}

/// A message about to be sent.
pub(super) struct NewMessage {
    pub(super) body: String,
    pub(super) attributes: MessageAttributes,
    /// Instead of the queue's own delay.
    pub(super) delay_s: Option<u32>,
}

/// A message just received.
pub(super) struct Received {
    pub(super) id: String,
    pub(super) body: String,
    /// JSON.
    pub(super) attributes: String,
    pub(super) sent_ms: i64,
    pub(super) receives: u32,
    pub(super) first_received_ms: i64,
}

/// Refuses a message that SQS refuses.
pub(super) fn check(body: &str, attributes: &MessageAttributes) -> Result<(), AwsError> {
    let invalid = |message: String| Err(AwsError::bad_request("InvalidParameterValue", message));
    if body.is_empty() {
        return Err(AwsError::bad_request("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    // Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if !body.chars().all(allowed) {
        return Err(AwsError::bad_request(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        ));
    }
    if attributes.len() > ATTRIBUTES_MAX {
        return invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        ));
    }
    let mut size = body.len();
    for (name, attribute) in attributes {
        let kind = attribute.data_type.split('.').next().unwrap_or_default();
        let value = attribute.bytes().filter(|(mark, value)| {
            !value.is_empty() && matches!((kind, mark), ("String" | "Number", 1) | ("Binary", 2))
        });
        let Some((_, value)) = value else {
            return invalid(format!(
                "The message attribute '{name}' must contain a non-empty value that fits its type."
            ));
        };
        size += name.len() + attribute.data_type.len() + value.len();
    }
    if size > MESSAGE_BYTES_MAX {
        return invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_BYTES_MAX} bytes."
        ));
    }
    Ok(())
}

pub(super) fn body_digest(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// `None` without attributes.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
pub(super) fn attributes_digest(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        let (mark, value) = attribute.bytes()?;
        update_with_length(&mut digest, name.as_bytes());
        update_with_length(&mut digest, attribute.data_type.as_bytes());
        digest.update([mark]);
        update_with_length(&mut digest, &value);
    }
    Some(hex::encode(digest.finalize()))
}

fn update_with_length(digest: &mut Md5, bytes: &[u8]) {
    // A message is far shorter than four gibibytes.
    digest.update((bytes.len() as u32).to_be_bytes());
    digest.update(bytes);
}
