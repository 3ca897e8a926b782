//! SQS, the part that dead letters need: standard queues, sent to, received from and purged.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>.

mod api;
mod message;

use std::{path::PathBuf, sync::Arc};

use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use vodline_core::{Account, Arn, AwsError, Clock, Entropy, Migration, Store, StoreError, rusqlite};

pub use message::MessageAttribute;
use message::{MessageAttributes, NewMessage, Received};

const TABLES: Migration = Migration {
    service: "sqs",
    statements: &["
        CREATE TABLE sqs_queues (
            name TEXT PRIMARY KEY,
            settings TEXT NOT NULL,
            created_ms INTEGER NOT NULL
        );
        CREATE TABLE sqs_messages (
            id TEXT PRIMARY KEY,
            queue TEXT NOT NULL REFERENCES sqs_queues (name) ON DELETE CASCADE,
            body TEXT NOT NULL,
            attributes TEXT NOT NULL,
            sent_ms INTEGER NOT NULL,
            visible_ms INTEGER NOT NULL,
            receives INTEGER NOT NULL DEFAULT 0,
            first_received_ms INTEGER
        );
        CREATE INDEX sqs_messages_due ON sqs_messages (queue, visible_ms);
    "],
};

/// A queue's attributes; the defaults and limits are SQS's.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// For how many seconds a received message is hidden; up to 12 hours.
    pub visibility_timeout_s: u32,
    /// For how many seconds an unreceived message is kept; a minute to 14 days.
    pub retention_s: u32,
    /// For how many seconds a new message is hidden; up to 15 minutes.
    pub delay_s: u32,
    /// For how many seconds a receive waits for a message; up to 20.
    pub receive_wait_s: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { visibility_timeout_s: 30, retention_s: 4 * 24 * 3600, delay_s: 0, receive_wait_s: 0 }
    }
}

/// A queue as the template describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// One to 80 letters, digits, hyphens and underscores.
    pub name: String,
    /// Its attributes.
    pub settings: QueueSettings,
}

/// What [`Queues`] needs.
#[derive(Clone)]
pub struct QueuesConfig {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose queues these are.
    pub account: Account,
    /// The address of the home's AWS port, such as `http://127.0.0.1:4566`; queue URLs begin with it.
    pub endpoint: String,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Ids and receipt handles.
    pub entropy: Arc<dyn Entropy>,
}

/// The queues of the home.
pub struct Queues {
    store: Store,
    account: Account,
    endpoint: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    arrived: Notify,
}

impl Queues {
    /// Opens the queues in the data directory.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(config: QueuesConfig) -> Result<Arc<Self>, StoreError> {
        let QueuesConfig { directory, account, endpoint, clock, entropy } = config;
        let store = Store::open(&directory, TABLES)?;
        Ok(Arc::new(Self { store, account, endpoint, clock, entropy, arrived: Notify::new() }))
    }

    /// Creates the queue, or gives the existing one these settings.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a name or setting that SQS refuses, or a failure of the store.
    pub fn define_queue(&self, spec: &QueueSpec) -> Result<(), AwsError> {
        check_name(&spec.name)?;
        check_settings(&spec.settings)?;
        self.store.write(|transaction| {
            insert_queue(transaction, spec, self.now_ms())?;
            Ok(())
        })
    }

    /// The URL of a queue in this account.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint, self.account.id)
    }

    /// The ARN of the queue with this name.
    #[must_use]
    pub fn arn(&self, name: &str) -> String {
        self.account.arn("sqs", name)
    }

    /// Puts a message into a queue by ARN, in the caller's transaction (of the same file). `false` when there is no such queue.
    pub(crate) fn put(
        &self,
        transaction: &Transaction<'_>,
        queue_arn: &str,
        body: &str,
        attributes: MessageAttributes,
    ) -> Result<bool, StoreError> {
        let Some(name) = Arn::parse(queue_arn).filter(|arn| arn.service == "sqs").map(|arn| arn.resource) else {
            return Ok(false);
        };
        let Some(settings) = settings(transaction, name)? else { return Ok(false) };
        self.insert_message(transaction, name, &settings, NewMessage { body: body.into(), attributes, delay_s: None })?;
        Ok(true)
    }

    /// Tells waiting receivers that a message was committed.
    pub(crate) fn wake(&self) {
        self.arrived.notify_waiters();
    }

    fn insert_message(
        &self,
        transaction: &Transaction<'_>,
        queue: &str,
        settings: &QueueSettings,
        message: NewMessage,
    ) -> Result<String, StoreError> {
        let id = self.entropy.uuid();
        let now = self.now_ms();
        let visible = now + i64::from(message.delay_s.unwrap_or(settings.delay_s)) * 1000;
        let attributes =
            serde_json::to_string(&message.attributes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        transaction.execute(
            "INSERT INTO sqs_messages (id, queue, body, attributes, sent_ms, visible_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (&id, queue, message.body, attributes, now, visible),
        )?;
        Ok(id)
    }

    /// Takes up to `max` visible messages and hides them for a while.
    fn receive(&self, queue: &str, max: u32, visibility_timeout_s: u32) -> Result<Vec<Received>, AwsError> {
        self.store.write(|transaction| {
            let now = self.now_ms();
            expire(transaction, queue, now)?;
            let mut statement = transaction
                .prepare_cached(
                    "UPDATE sqs_messages
                     SET visible_ms = ?3, receives = receives + 1, first_received_ms = coalesce(first_received_ms, ?2)
                     WHERE id IN (SELECT id FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2
                                  ORDER BY sent_ms, rowid LIMIT ?4)
                     RETURNING id, body, attributes, sent_ms, receives, first_received_ms",
                )
                .map_err(StoreError::from)?;
            let hidden_until = now + i64::from(visibility_timeout_s) * 1000;
            let received = statement
                .query_map((queue, now, hidden_until, max), |row| {
                    Ok(Received {
                        id: row.get(0)?,
                        body: row.get(1)?,
                        attributes: row.get(2)?,
                        sent_ms: row.get(3)?,
                        receives: row.get(4)?,
                        first_received_ms: row.get(5)?,
                    })
                })
                .and_then(Iterator::collect)
                .map_err(StoreError::from)?;
            Ok(received)
        })
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

fn insert_queue(transaction: &Transaction<'_>, spec: &QueueSpec, now_ms: i64) -> Result<(), StoreError> {
    let settings = serde_json::to_string(&spec.settings).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    transaction.execute(
        "INSERT INTO sqs_queues VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET settings = ?2",
        (&spec.name, settings, now_ms),
    )?;
    Ok(())
}

fn settings(connection: &rusqlite::Connection, queue: &str) -> Result<Option<QueueSettings>, StoreError> {
    let text: Option<String> = connection
        .query_row("SELECT settings FROM sqs_queues WHERE name = ?1", [queue], |row| row.get(0))
        .optional()?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| StoreError::Corrupt(format!("the settings of queue {queue}: {error}")))
}

/// Drops what has been kept for the queue's retention.
fn expire(transaction: &Transaction<'_>, queue: &str, now_ms: i64) -> Result<(), StoreError> {
    if let Some(settings) = settings(transaction, queue)? {
        transaction.execute(
            "DELETE FROM sqs_messages WHERE queue = ?1 AND sent_ms < ?2",
            (queue, now_ms - i64::from(settings.retention_s) * 1000),
        )?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), AwsError> {
    if name.ends_with(".fifo") {
        return Err(AwsError::unsupported_field("sqs", "CreateQueue", "Attributes.FifoQueue"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 80 || !name.chars().all(plain) {
        return Err(AwsError::bad_request(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(())
}

fn check_settings(settings: &QueueSettings) -> Result<(), AwsError> {
    let check = |name: &str, value: u32, range: std::ops::RangeInclusive<u32>| {
        if range.contains(&value) {
            return Ok(());
        }
        Err(AwsError::bad_request("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")))
    };
    check("VisibilityTimeout", settings.visibility_timeout_s, 0..=43_200)?;
    check("MessageRetentionPeriod", settings.retention_s, 60..=1_209_600)?;
    check("DelaySeconds", settings.delay_s, 0..=900)?;
    check("ReceiveMessageWaitTimeSeconds", settings.receive_wait_s, 0..=20)
}

#[cfg(test)]
mod tests;
