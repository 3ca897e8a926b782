//! The SQS API.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use vodline_core::{AwsError, Protocol, Request, Response, Service, StoreError};

use super::{
    QueueSettings, QueueSpec, Queues, check_name, check_settings, expire, insert_queue,
    message::{self, MessageAttribute, MessageAttributes, NewMessage, Received},
    settings,
};

/// How often a waiting receive looks again for messages whose time of hiding has passed.
const WAIT_STEP: Duration = Duration::from_secs(1);
/// Entries in one answer of ListQueues. Source: its API page.
const LIST_MAX: usize = 1000;

#[async_trait]
impl Service for Queues {
    fn protocol(&self) -> Protocol {
        Protocol::Json10
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let mut response = match request.operation.as_str() {
            "CreateQueue" => Response::json(&self.create_queue(&request)?),
            "ListQueues" => Response::json(&self.list_queues(&request)?),
            "GetQueueUrl" => Response::json(&self.get_queue_url(&request)?),
            "GetQueueAttributes" => Response::json(&self.get_queue_attributes(&request)?),
            "SendMessage" => Response::json(&self.send_message(&request)?),
            "ReceiveMessage" => Response::json(&self.receive_message(&request).await?),
            "DeleteMessage" => Response::json(&self.delete_message(&request)?),
            "PurgeQueue" => Response::json(&self.purge_queue(&request)?),
            operation => Err(AwsError::unsupported_operation("sqs", operation)),
        }?;
        response.set_header("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrl {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateQueue {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrls {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueUrl {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueueAttributes {
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessage {
    queue_url: String,
    message_body: String,
    delay_seconds: Option<u32>,
    #[serde(default)]
    message_attributes: MessageAttributes,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    #[serde(rename = "MD5OfMessageBody")]
    body_digest: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_digest: Option<String>,
    message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReceiveMessage {
    queue_url: String,
    /// The older name of the next.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<u32>,
    visibility_timeout: Option<u32>,
    wait_time_seconds: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Messages {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    body_digest: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_digest: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PurgeQueue {
    queue_url: String,
}

impl Queues {
    fn create_queue(&self, request: &Request) -> Result<QueueUrl, AwsError> {
        let CreateQueue { queue_name, attributes } = request.json()?;
        request.authorize("sqs:CreateQueue", &self.arn(&queue_name))?;
        check_name(&queue_name)?;
        let wanted = settings_of(&attributes)?;
        check_settings(&wanted)?;
        self.store.write(|transaction| {
            match settings(transaction, &queue_name)? {
                Some(existing) if existing == wanted => {}
                Some(_) => {
                    return Err(AwsError::bad_request(
                        "QueueNameExists",
                        "A queue already exists with the same name and a different value for an attribute",
                    ));
                }
                None => {
                    let spec = QueueSpec { name: queue_name.clone(), settings: wanted };
                    insert_queue(transaction, &spec, self.now_ms())?;
                }
            }
            Ok(())
        })?;
        Ok(QueueUrl { queue_url: self.url(&queue_name) })
    }

    fn list_queues(&self, request: &Request) -> Result<QueueUrls, AwsError> {
        let ListQueues { queue_name_prefix, next_token, max_results } = request.json()?;
        request.authorize("sqs:ListQueues", "*")?;
        let limit = max_results.unwrap_or(LIST_MAX);
        if !(1..=LIST_MAX).contains(&limit) {
            return Err(invalid_parameter("MaxResults", "must be from 1 to 1000"));
        }
        let names = self.store.read::<Vec<String>, StoreError>(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name FROM sqs_queues WHERE substr(name, 1, length(?1)) = ?1 AND name > ?2 ORDER BY name",
            )?;
            let names = statement.query_map((queue_name_prefix, next_token.unwrap_or_default()), |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })?;
        let more = names.len() > limit && max_results.is_some();
        let names = &names[..names.len().min(limit)];
        Ok(QueueUrls {
            queue_urls: names.iter().map(|name| self.url(name)).collect(),
            next_token: names.last().filter(|_| more).cloned(),
        })
    }

    fn get_queue_url(&self, request: &Request) -> Result<QueueUrl, AwsError> {
        let GetQueueUrl { queue_name, owner } = request.json()?;
        request.authorize("sqs:GetQueueUrl", &self.arn(&queue_name))?;
        if owner.is_some_and(|owner| owner != self.account.id) {
            return Err(no_such_queue());
        }
        self.existing(&queue_name)?;
        Ok(QueueUrl { queue_url: self.url(&queue_name) })
    }

    fn get_queue_attributes(&self, request: &Request) -> Result<QueueAttributes, AwsError> {
        let GetQueueAttributes { queue_url, attribute_names } = request.json()?;
        let queue = self.authorized(request, "sqs:GetQueueAttributes", &queue_url)?;
        let now = self.now_ms();
        let all = self.store.write(|transaction| {
            expire(transaction, queue, now)?;
            let Some(settings) = settings(transaction, queue)? else { return Err(no_such_queue()) };
            let (created_ms, visible, delayed, hidden): (i64, i64, i64, i64) = transaction
                .query_row(
                    "SELECT created_ms, count(*) FILTER (WHERE visible_ms <= ?2),
                            count(*) FILTER (WHERE visible_ms > ?2 AND receives = 0),
                            count(*) FILTER (WHERE visible_ms > ?2 AND receives > 0)
                     FROM sqs_queues LEFT JOIN sqs_messages ON queue = name WHERE name = ?1",
                    (queue, now),
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .map_err(StoreError::from)?;
            Ok(BTreeMap::from([
                ("ApproximateNumberOfMessages", visible.to_string()),
                ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", hidden.to_string()),
                ("CreatedTimestamp", (created_ms / 1000).to_string()),
                ("DelaySeconds", settings.delay_s.to_string()),
                ("LastModifiedTimestamp", (created_ms / 1000).to_string()),
                ("MaximumMessageSize", message::MESSAGE_BYTES_MAX.to_string()),
                ("MessageRetentionPeriod", settings.retention_s.to_string()),
                ("QueueArn", self.arn(queue)),
                ("ReceiveMessageWaitTimeSeconds", settings.receive_wait_s.to_string()),
                ("VisibilityTimeout", settings.visibility_timeout_s.to_string()),
            ]))
        })?;
        if let Some(unknown) = attribute_names.iter().find(|name| *name != "All" && !all.contains_key(name.as_str())) {
            return Err(unknown_attribute(unknown));
        }
        let wanted = |name: &str| attribute_names.iter().any(|wanted| wanted == "All" || wanted == name);
        Ok(QueueAttributes { attributes: all.into_iter().filter(|(name, _)| wanted(name)).collect() })
    }

    fn send_message(&self, request: &Request) -> Result<Sent, AwsError> {
        let SendMessage { queue_url, message_body, delay_seconds, message_attributes } = request.json()?;
        let queue = self.authorized(request, "sqs:SendMessage", &queue_url)?;
        if delay_seconds.is_some_and(|delay| delay > 900) {
            return Err(invalid_parameter("DelaySeconds", "must be >= 0 and <= 900"));
        }
        message::check(&message_body, &message_attributes)?;
        let body_digest = message::body_digest(&message_body);
        let attributes_digest = message::attributes_digest(&message_attributes);
        let message_id = self.store.write(|transaction| {
            let Some(settings) = settings(transaction, queue)? else { return Err(no_such_queue()) };
            let message = NewMessage { body: message_body, attributes: message_attributes, delay_s: delay_seconds };
            Ok(self.insert_message(transaction, queue, &settings, message)?)
        })?;
        self.wake();
        Ok(Sent { body_digest, attributes_digest, message_id })
    }

    async fn receive_message(&self, request: &Request) -> Result<Messages, AwsError> {
        let receive: ReceiveMessage = request.json()?;
        let queue = self.authorized(request, "sqs:ReceiveMessage", &receive.queue_url)?;
        let settings = self.existing(queue)?;
        let max = receive.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&max) {
            return Err(invalid_parameter("MaxNumberOfMessages", "must be between 1 and 10, if provided"));
        }
        let hide_s = receive.visibility_timeout.unwrap_or(settings.visibility_timeout_s);
        if hide_s > 43_200 {
            return Err(invalid_parameter("VisibilityTimeout", "must be between 0 and 43200"));
        }
        let wait_s = receive.wait_time_seconds.unwrap_or(settings.receive_wait_s);
        if wait_s > 20 {
            return Err(invalid_parameter("WaitTimeSeconds", "must be >= 0 and <= 20, if provided"));
        }
        let deadline = Instant::now() + Duration::from_secs(wait_s.into());
        let received = loop {
            // Listening before looking: what arrives in between is not missed.
            let arrived = self.arrived.notified();
            let received = self.receive(queue, max, hide_s)?;
            let now = Instant::now();
            if !received.is_empty() || now >= deadline {
                break received;
            }
            let _ = tokio::time::timeout_at(deadline.min(now + WAIT_STEP), arrived).await;
        };
        let messages =
            received.into_iter().map(|received| self.message(received, &receive)).collect::<Result<_, _>>()?;
        Ok(Messages { messages })
    }

    fn message(&self, received: Received, asked: &ReceiveMessage) -> Result<Message, AwsError> {
        let Received { id, body, attributes, sent_ms, receives, first_received_ms } = received;
        let mut message_attributes: MessageAttributes = serde_json::from_str(&attributes)
            .map_err(|error| StoreError::Corrupt(format!("the attributes of message {id}: {error}")))?;
        let names = &asked.message_attribute_names;
        message_attributes.retain(|attribute, _| {
            names.iter().any(|name| match name.strip_suffix(".*") {
                Some(prefix) => attribute.starts_with(prefix),
                None => name == "All" || name == attribute,
            })
        });
        let system: BTreeMap<_, _> = [
            ("ApproximateFirstReceiveTimestamp", first_received_ms.to_string()),
            ("ApproximateReceiveCount", receives.to_string()),
            ("SenderId", self.account.id.clone()),
            ("SentTimestamp", sent_ms.to_string()),
        ]
        .into();
        let asked: Vec<_> = asked.attribute_names.iter().chain(&asked.message_system_attribute_names).collect();
        if let Some(unknown) = asked.iter().find(|name| **name != "All" && !system.contains_key(name.as_str())) {
            return Err(unknown_attribute(unknown));
        }
        let wanted = |name: &str| asked.iter().any(|asked| *asked == "All" || *asked == name);
        let attributes = system.into_iter().filter(|(name, _)| wanted(name)).collect();
        Ok(Message {
            receipt_handle: format!("{id}.{}", self.entropy.hex(32)),
            body_digest: message::body_digest(&body),
            attributes_digest: message::attributes_digest(&message_attributes),
            message_id: id,
            body,
            attributes,
            message_attributes,
        })
    }

    fn delete_message(&self, request: &Request) -> Result<Empty, AwsError> {
        let DeleteMessage { queue_url, receipt_handle } = request.json()?;
        let queue = self.authorized(request, "sqs:DeleteMessage", &queue_url)?;
        self.existing(queue)?;
        let Some((id, _)) = receipt_handle.split_once('.') else {
            return Err(AwsError::bad_request("ReceiptHandleIsInvalid", "The input receipt handle is invalid."));
        };
        self.store.write(|transaction| {
            transaction
                .execute("DELETE FROM sqs_messages WHERE queue = ?1 AND id = ?2", (queue, id))
                .map_err(StoreError::from)?;
            Ok(Empty {})
        })
    }

    fn purge_queue(&self, request: &Request) -> Result<Empty, AwsError> {
        let PurgeQueue { queue_url } = request.json()?;
        let queue = self.authorized(request, "sqs:PurgeQueue", &queue_url)?;
        self.existing(queue)?;
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM sqs_messages WHERE queue = ?1", [queue]).map_err(StoreError::from)?;
            Ok(Empty {})
        })
    }

    /// The queue that a URL names, once the caller may act on it. The host does not matter: a URL stays good when the home
    /// listens elsewhere.
    fn authorized<'a>(&self, request: &Request, action: &str, url: &'a str) -> Result<&'a str, AwsError> {
        let name = url.rsplit('/').next().unwrap_or(url);
        request.authorize(action, &self.arn(name))?;
        Ok(name)
    }

    fn existing(&self, queue: &str) -> Result<QueueSettings, AwsError> {
        self.store.read(|connection| settings(connection, queue)?.ok_or_else(no_such_queue))
    }
}

fn settings_of(attributes: &BTreeMap<String, String>) -> Result<QueueSettings, AwsError> {
    let mut settings = QueueSettings::default();
    for (name, value) in attributes {
        let setting = match name.as_str() {
            "VisibilityTimeout" => &mut settings.visibility_timeout_s,
            "MessageRetentionPeriod" => &mut settings.retention_s,
            "DelaySeconds" => &mut settings.delay_s,
            "ReceiveMessageWaitTimeSeconds" => &mut settings.receive_wait_s,
            _ => return Err(AwsError::unsupported_field("sqs", "CreateQueue", &format!("Attributes.{name}"))),
        };
        *setting = value.parse().map_err(|_| {
            AwsError::bad_request("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
        })?;
    }
    Ok(settings)
}

fn no_such_queue() -> AwsError {
    AwsError::bad_request("QueueDoesNotExist", "The specified queue does not exist.")
}

fn unknown_attribute(name: &str) -> AwsError {
    AwsError::bad_request("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

fn invalid_parameter(name: &str, reason: &str) -> AwsError {
    AwsError::bad_request("InvalidParameterValue", format!("Value for parameter {name} is invalid. Reason: {reason}."))
}
