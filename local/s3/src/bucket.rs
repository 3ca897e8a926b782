//! Buckets and what is configured on them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use vodline_core::StoreError;

use crate::{cors::CorsRule, failure::Failure, versions::time_column};

/// A bucket as the template describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketSpec {
    /// Its name, by S3's rules.
    pub name: String,
    /// `VersioningConfiguration.Status: Enabled`. A bucket that once had versions and now has none is suspended, as on AWS.
    pub versioned: bool,
    /// `CorsConfiguration.CorsRules`; empty for none.
    pub cors: Vec<CorsRule>,
    /// `NotificationConfiguration.EventBridgeConfiguration`: whether changes are told to the bus.
    pub event_bridge: bool,
    /// `LifecycleConfiguration`'s `AbortIncompleteMultipartUpload.DaysAfterInitiation`.
    pub abort_uploads_after_days: Option<u32>,
}

/// Whether a bucket keeps old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// It never has.
    Off,
    Enabled,
    /// It did; what it kept stays.
    Suspended,
}

impl Versioning {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    fn parse(name: &str) -> Result<Self, StoreError> {
        match name {
            "Off" => Ok(Self::Off),
            "Enabled" => Ok(Self::Enabled),
            "Suspended" => Ok(Self::Suspended),
            _ => Err(StoreError::Corrupt(format!("{name} is no versioning status"))),
        }
    }
}

/// A bucket, without what only the HTTP entry (CORS) and the tidying (lifecycle) need.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) event_bridge: bool,
}

const COLUMNS: &str = "name, created_ms, versioning, event_bridge";

fn from_row(row: &Row<'_>) -> Result<Bucket, Failure> {
    Ok(Bucket {
        name: row.get(0)?,
        created: time_column(row, 1)?,
        versioning: Versioning::parse(&row.get::<_, String>(2)?)?,
        event_bridge: row.get(3)?,
    })
}

/// The bucket of this name, or `NoSuchBucket`.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Bucket, Failure> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM s3_buckets WHERE name = ?1"))?
        .query_and_then([name], from_row)?
        .next()
        .unwrap_or_else(|| Err(Failure::no_such_bucket()))
}

/// All buckets whose names begin with `prefix` and follow `after`, at most `limit`, in order of name.
pub(crate) fn list(connection: &Connection, prefix: &str, after: &str, limit: usize) -> Result<Vec<Bucket>, Failure> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM s3_buckets
             WHERE name > ?2 AND substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?3"
        ))?
        .query_and_then((prefix, after, limit), from_row)?
        .collect()
}

/// Makes a bucket; `false` when there is one of this name.
pub(crate) fn insert(transaction: &Transaction<'_>, name: &str, now: Timestamp) -> Result<bool, Failure> {
    let rows = transaction.execute(
        "INSERT INTO s3_buckets (name, created_ms, versioning, event_bridge, cors) VALUES (?1, ?2, 'Off', 0, '[]')
         ON CONFLICT (name) DO NOTHING",
        (name, now.as_millisecond()),
    )?;
    Ok(rows == 1)
}

/// Removes a bucket that holds no versions; refuses with `BucketNotEmpty` otherwise.
pub(crate) fn delete(transaction: &Transaction<'_>, name: &str) -> Result<(), Failure> {
    let used: bool =
        transaction
            .query_row("SELECT EXISTS (SELECT 1 FROM s3_versions WHERE bucket = ?1)", [name], |row| row.get(0))?;
    if used {
        return Err(Failure::new(
            s3s::S3ErrorCode::BucketNotEmpty,
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        ));
    }
    transaction.execute("DELETE FROM s3_buckets WHERE name = ?1", [name])?;
    Ok(())
}

pub(crate) fn set_versioning(transaction: &Transaction<'_>, name: &str, versioning: Versioning) -> Result<(), Failure> {
    transaction.execute("UPDATE s3_buckets SET versioning = ?2 WHERE name = ?1", (name, versioning.name()))?;
    Ok(())
}

pub(crate) fn set_event_bridge(transaction: &Transaction<'_>, name: &str, on: bool) -> Result<(), Failure> {
    transaction.execute("UPDATE s3_buckets SET event_bridge = ?2 WHERE name = ?1", (name, on))?;
    Ok(())
}

pub(crate) fn set_abort_days(transaction: &Transaction<'_>, name: &str, days: Option<u32>) -> Result<(), Failure> {
    transaction.execute("UPDATE s3_buckets SET abort_uploads_after_days = ?2 WHERE name = ?1", (name, days))?;
    Ok(())
}

pub(crate) fn set_cors(transaction: &Transaction<'_>, name: &str, rules: &[CorsRule]) -> Result<(), Failure> {
    let rules = serde_json::to_string(rules).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    transaction.execute("UPDATE s3_buckets SET cors = ?2 WHERE name = ?1", (name, rules))?;
    Ok(())
}

/// A bucket's CORS rules; `None` when there is no such bucket.
pub(crate) fn cors(connection: &Connection, name: &str) -> Result<Option<Vec<CorsRule>>, Failure> {
    let text: Option<String> = connection
        .prepare_cached("SELECT cors FROM s3_buckets WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(error.to_string()).into()))
        .transpose()
}

/// Brings a bucket to what the template says of it.
pub(crate) fn define(transaction: &Transaction<'_>, spec: &BucketSpec, now: Timestamp) -> Result<(), Failure> {
    if !s3s::path::check_bucket_name(&spec.name) {
        return Err(Failure::new(s3s::S3ErrorCode::InvalidBucketName, "The specified bucket is not valid."));
    }
    insert(transaction, &spec.name, now)?;
    let versioning = match (find(transaction, &spec.name)?.versioning, spec.versioned) {
        (_, true) => Versioning::Enabled,
        (Versioning::Off, false) => Versioning::Off,
        (Versioning::Enabled | Versioning::Suspended, false) => Versioning::Suspended,
    };
    set_versioning(transaction, &spec.name, versioning)?;
    set_event_bridge(transaction, &spec.name, spec.event_bridge)?;
    set_abort_days(transaction, &spec.name, spec.abort_uploads_after_days)?;
    set_cors(transaction, &spec.name, &spec.cors)
}
