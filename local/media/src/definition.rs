//! What jobs refer to by name: queues, job templates and presets, as they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use vodline_core::{Account, StoreError, rusqlite};

use crate::record::{AccelerationMode, Hop};

/// The queue of jobs that name none. It is always there and cannot be changed.
pub(crate) const DEFAULT_QUEUE: &str = "Default";

/// What all definitions have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Unique among its kind.
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// For people who sort; queues have none.
    pub(crate) category: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A kind of definition.
pub(crate) trait Definition: Serialize + DeserializeOwned {
    /// As ARNs and paths have it, such as `jobTemplates`.
    const KIND: &'static str;

    fn header(&self) -> &Header;

    fn header_mut(&mut self) -> &mut Header;

    /// The ARN of the definition with this name.
    fn arn(account: &Account, name: &str) -> String {
        account.arn("mediaconvert", &format!("{}/{name}", Self::KIND))
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) header: Header,
    pub(crate) status: QueueStatus,
    /// How many of its jobs may run at once; the home's own bound counts as well.
    pub(crate) concurrent_jobs: Option<u32>,
}

/// Whether a queue's jobs begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum QueueStatus {
    #[default]
    Active,
    /// Jobs that run go on.
    Paused,
}

impl Definition for Queue {
    const KIND: &'static str = "queues";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// A job template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobTemplate {
    pub(crate) header: Header,
    /// `JobTemplateSettings`; its inputs name no file.
    pub(crate) settings: Value,
    pub(crate) priority: Option<i32>,
    /// The queue's ARN.
    pub(crate) queue: Option<String>,
    pub(crate) status_update_seconds: Option<u32>,
    pub(crate) acceleration: Option<AccelerationMode>,
    pub(crate) hop_destinations: Vec<Hop>,
}

impl Definition for JobTemplate {
    const KIND: &'static str = "jobTemplates";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// A preset: the settings of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preset {
    pub(crate) header: Header,
    /// `PresetSettings`.
    pub(crate) settings: Value,
}

impl Definition for Preset {
    const KIND: &'static str = "presets";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// Keeps a new definition; `false` when its name is taken.
pub(crate) fn insert<D: Definition>(
    transaction: &rusqlite::Transaction<'_>,
    definition: &D,
) -> Result<bool, StoreError> {
    let inserted = transaction.execute(
        "INSERT INTO media_definitions (kind, name, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        (D::KIND, &definition.header().name, encode(definition)?),
    )?;
    Ok(inserted == 1)
}

pub(crate) fn update<D: Definition>(transaction: &rusqlite::Transaction<'_>, definition: &D) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE media_definitions SET record = ?3 WHERE kind = ?1 AND name = ?2",
        (D::KIND, &definition.header().name, encode(definition)?),
    )?;
    Ok(())
}

/// Removes a definition; `false` when there is none of this name.
pub(crate) fn delete<D: Definition>(transaction: &rusqlite::Transaction<'_>, name: &str) -> Result<bool, StoreError> {
    let deleted =
        transaction.execute("DELETE FROM media_definitions WHERE kind = ?1 AND name = ?2", (D::KIND, name))?;
    Ok(deleted == 1)
}

pub(crate) fn get<D: Definition>(connection: &rusqlite::Connection, name: &str) -> Result<Option<D>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT record FROM media_definitions WHERE kind = ?1 AND name = ?2")?;
    let row =
        rusqlite::OptionalExtension::optional(statement.query_row((D::KIND, name), |row| row.get::<_, String>(0)))?;
    row.map(|text| decode(&text)).transpose()
}

/// All of a kind, by name.
pub(crate) fn all<D: Definition>(connection: &rusqlite::Connection) -> Result<Vec<D>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT record FROM media_definitions WHERE kind = ?1 ORDER BY name")?;
    let rows = statement.query_map([D::KIND], |row| row.get::<_, String>(0))?;
    rows.map(|row| decode(&row?)).collect()
}

fn encode(definition: &impl Definition) -> Result<String, StoreError> {
    serde_json::to_string(definition).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn decode<D: Definition>(text: &str) -> Result<D, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("one of the {}: {error}", D::KIND)))
}
