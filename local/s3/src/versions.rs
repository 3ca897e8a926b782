//! The index of objects: every version of every key, and which of them readers see.

use std::time::SystemTime;

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction};
use vodline_core::{ObjectInfo, StoreError};

use crate::{
    bucket::{Bucket, Versioning},
    details::Details,
    failure::Failure,
};

/// The version id of what was written without versioning.
pub(crate) const NULL_VERSION: &str = "null";

/// Hexadecimal digits of a version id; S3's are opaque and of about this length.
pub(crate) const VERSION_ID_DIGITS: usize = 32;

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub(crate) key: String,
    pub(crate) sequence: i64,
    pub(crate) version_id: String,
    pub(crate) latest: bool,
    pub(crate) delete_marker: bool,
    pub(crate) size_bytes: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    /// The name of its file; empty for delete markers.
    pub(crate) file: String,
    pub(crate) details: Details,
    /// Empty unless it was uploaded in parts.
    pub(crate) part_sizes: Vec<u64>,
}

impl Version {
    /// As HTTP has it, in quotes.
    pub(crate) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    /// The version id as answers show it: none in a bucket that never had versions.
    pub(crate) fn shown_id(&self, bucket: &Bucket) -> Option<String> {
        (bucket.versioning != Versioning::Off).then(|| self.version_id.clone())
    }

    /// The version id as events carry it.
    pub(crate) fn event_id(&self) -> Option<&str> {
        (self.version_id != NULL_VERSION).then_some(self.version_id.as_str())
    }

    pub(crate) fn info(&self, bucket: &Bucket) -> ObjectInfo {
        ObjectInfo {
            key: self.key.clone(),
            size_bytes: self.size_bytes,
            etag: self.quoted_etag(),
            version_id: self.shown_id(bucket),
            last_modified: self.modified,
            metadata: self.details.clone().into(),
        }
    }
}

/// The time as S3 shows it, to the second.
pub(crate) fn s3_time(time: Timestamp) -> s3s::dto::Timestamp {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    SystemTime::from(whole).into()
}

/// A column of milliseconds since 1970.
pub(crate) fn time_column(row: &Row<'_>, column: usize) -> Result<Timestamp, Failure> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

/// A column of JSON.
pub(crate) fn json_column<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, Failure> {
    let text = row.get_ref(column)?.as_str().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

/// A value for a column of JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

pub(crate) const COLUMNS: &str =
    "key, sequence, version_id, latest, delete_marker, size, etag, modified_ms, file, details, part_sizes";

pub(crate) fn from_row(row: &Row<'_>) -> Result<Version, Failure> {
    let part_sizes = match row.get_ref(10)? {
        rusqlite::types::ValueRef::Null => Vec::new(),
        _ => json_column(row, 10)?,
    };
    Ok(Version {
        key: row.get(0)?,
        sequence: row.get(1)?,
        version_id: row.get(2)?,
        latest: row.get(3)?,
        delete_marker: row.get(4)?,
        size_bytes: row.get(5)?,
        etag: row.get(6)?,
        modified: time_column(row, 7)?,
        file: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
        details: json_column(row, 9)?,
        part_sizes,
    })
}

fn query_one(
    connection: &Connection,
    filter: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Version>, Failure> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM s3_versions WHERE {filter}"))?
        .query_and_then(parameters, from_row)?
        .next()
        .transpose()
}

/// The newest version of a key, which may be a delete marker.
pub(crate) fn latest(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Version>, Failure> {
    query_one(connection, "bucket = ?1 AND key = ?2 AND latest", (bucket, key))
}

/// The object as readers see it: `None` when it is missing or deleted.
pub(crate) fn current(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Version>, Failure> {
    Ok(latest(connection, bucket, key)?.filter(|version| !version.delete_marker))
}

pub(crate) fn by_id(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Option<Version>, Failure> {
    query_one(connection, "bucket = ?1 AND key = ?2 AND version_id = ?3", (bucket, key, id))
}

pub(crate) fn by_sequence(
    connection: &Connection,
    bucket: &str,
    key: &str,
    sequence: i64,
) -> Result<Option<Version>, Failure> {
    query_one(connection, "bucket = ?1 AND key = ?2 AND sequence = ?3", (bucket, key, sequence))
}

/// The version a read addresses, with S3's refusals of the missing and the deleted.
pub(crate) fn readable(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    id: Option<&str>,
) -> Result<Version, Failure> {
    let marker = |failure: Failure, version: &Version| {
        failure.header("x-amz-delete-marker", "true").header("x-amz-version-id", &version.version_id)
    };
    match id {
        None => match latest(connection, &bucket.name, key)? {
            None => Err(Failure::no_such_key()),
            Some(version) if version.delete_marker => Err(marker(Failure::no_such_key(), &version)),
            Some(version) => Ok(version),
        },
        Some(id) => match by_id(connection, &bucket.name, key, id)? {
            None => Err(Failure::no_such_version()),
            Some(version) if version.delete_marker => {
                let refused = Failure::new(
                    s3s::S3ErrorCode::MethodNotAllowed,
                    "The specified method is not allowed against this resource.",
                );
                Err(marker(refused.header("allow", "DELETE"), &version))
            }
            Some(version) => Ok(version),
        },
    }
}

/// Draws the next number of the order of all changes.
pub(crate) fn next_sequence(transaction: &Transaction<'_>) -> Result<i64, Failure> {
    Ok(transaction
        .prepare_cached("UPDATE s3_sequence SET next = next + 1 RETURNING next - 1")?
        .query_row([], |row| row.get(0))?)
}

/// Makes `version` the newest of its key. Gives it its sequence and, by the bucket's versioning, its id (`fresh_id` if it needs
/// one). Returns the files of versions this replaces.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    bucket: &Bucket,
    version: &mut Version,
    fresh_id: String,
) -> Result<Vec<String>, Failure> {
    version.sequence = next_sequence(transaction)?;
    version.latest = true;
    let mut replaced = Vec::new();
    if bucket.versioning == Versioning::Enabled {
        version.version_id = fresh_id;
    } else {
        version.version_id = NULL_VERSION.into();
        replaced.extend(remove_row(transaction, &bucket.name, &version.key, NULL_VERSION)?);
    }
    transaction
        .prepare_cached("UPDATE s3_versions SET latest = 0 WHERE bucket = ?1 AND key = ?2 AND latest")?
        .execute((&bucket.name, &version.key))?;
    let part_sizes = (!version.part_sizes.is_empty()).then(|| json(&version.part_sizes)).transpose()?;
    transaction
        .prepare_cached(&format!(
            "INSERT INTO s3_versions (bucket, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        ))?
        .execute((
            &bucket.name,
            &version.key,
            version.sequence,
            &version.version_id,
            version.latest,
            version.delete_marker,
            version.size_bytes,
            &version.etag,
            version.modified.as_millisecond(),
            (!version.delete_marker).then_some(&version.file),
            json(&version.details)?,
            part_sizes,
        ))?;
    Ok(replaced)
}

/// Removes a version for good; the one before it becomes the newest. Returns its file.
pub(crate) fn remove(
    transaction: &Transaction<'_>,
    bucket: &str,
    version: &Version,
) -> Result<Option<String>, Failure> {
    let file = remove_row(transaction, bucket, &version.key, &version.version_id)?;
    if version.latest {
        transaction
            .prepare_cached(
                "UPDATE s3_versions SET latest = 1 WHERE bucket = ?1 AND key = ?2 AND sequence =
                     (SELECT max(sequence) FROM s3_versions WHERE bucket = ?1 AND key = ?2)",
            )?
            .execute((bucket, &version.key))?;
    }
    Ok(file)
}

fn remove_row(transaction: &Transaction<'_>, bucket: &str, key: &str, id: &str) -> Result<Option<String>, Failure> {
    let mut statement = transaction
        .prepare_cached("DELETE FROM s3_versions WHERE bucket = ?1 AND key = ?2 AND version_id = ?3 RETURNING file")?;
    let file = statement.query_map((bucket, key, id), |row| row.get::<_, Option<String>>(0))?.next().transpose()?;
    Ok(file.flatten())
}
